"""Which offers a demand could use at all, before any route is chosen: exact, and the same for every plan.

An offer is *within reach* where its lots can travel to the demand's chain (or from there, where the owner
sells) over bridges that take lots. It is *in time* where even a deal over those two chains alone is decided
before the demand ends and while the offer is good, and released before a leg expires. More chains, and
bridges that are nearly full, only make it worse: what is not there by this measure is there for no plan.

The *least need* of a demand is a bound that no plan goes below which trades only what it delivers. With the
cheapest lots within reach and in time for the least units m of at most u,

    (price +- venue fee +- bridge fee, per lot) * lots / m  +  (fees that are paid once) / u

per unit, where what is paid once is the settlement of one leg and one fill, one touch, and, where the
demand's own chain lacks lots of a leg, the deal fees of two chains and the fixed fee of one bridge, each
the smallest there is.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import networkx as nx

from chains.deadlines import Deadlines
from chains.fees import settlement_fee
from chains.package import reduce_legs
from chains.snapshot import BridgeTerms, Offer
from chains.units import ceil_div
from router.problem import Demand, Problem
from router.timing import last_decision_us, plan_deadlines


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """One offer within reach; `cost` is what a lot of it adds to the need at least, in micro-USDC."""

    offer: Offer
    chain: str
    cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """What ends too early: a demand, an offer or a series; `found_us` comes after `last_us`."""

    where: str
    found_us: int
    last_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LegReach:
    """What there is for one leg of a demand.

    Attributes
    ----------
    lots : needed for the demand's least units
    near : the offers within reach, the cheapest first
    open : those of them that are in time
    late : if none is: what is missed by least with any of them
    """

    series: str
    lots: int
    near: tuple[Near, ...]
    open: tuple[Near, ...]
    late: Late | None

    @property
    def lots_open(self) -> int:
        """Lots within reach and in time."""
        return sum(near.offer.lots for near in self.open)

    @property
    def least_cost(self) -> int:
        """What the cheapest lots cost, as many as are needed; they must be there."""
        cost, left = 0, self.lots
        for near in self.open:
            taken = min(left, near.offer.lots)
            cost, left = cost + taken * near.cost, left - taken
        return cost

    def lots_on(self, chain: str) -> int:
        """Lots within reach and in time on one chain."""
        return sum(near.offer.lots for near in self.open if near.chain == chain)


class Reach:
    """One problem, indexed by what is within reach of where."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._offers: defaultdict[tuple[str, str], list[Offer]] = defaultdict(list)
        for offer in problem.offers.values():
            self._offers[offer.series, offer.side].append(offer)
        self._hops: nx.DiGraph[str] = _lot_hops(problem.bridges.values())
        self._ways: dict[tuple[str, bool], dict[str, int]] = {}
        self._near: dict[tuple[str, str, bool], tuple[Near, ...]] = {}
        self._deadlines: dict[frozenset[str], Deadlines] = {}

    def legs(self, demand: Demand) -> tuple[LegReach, ...]:
        """What there is for every leg of a demand, in their order."""
        return tuple(self._leg(demand, series, ratio) for series, ratio in demand.legs)

    def least_limit(self, demand: Demand, legs: Sequence[LegReach]) -> int:
        """The lowest limit, in micro-USDC per unit, that the least need leaves possible.

        Every leg must have as many lots open as it needs.
        """
        varying = sum(leg.least_cost for leg in legs) + demand.min_units * self._protocol_fee(demand)
        once = self._paid_once(demand, legs)
        return covering_limit(
            demand,
            need=varying * demand.units + once * demand.min_units,
            units=demand.min_units * demand.units,
        )

    def _leg(self, demand: Demand, series: str, ratio: int) -> LegReach:
        near = self._within(demand.chain, series, buys=ratio > 0)
        found = [(each, self._late(demand, each)) for each in near]
        missed = [(late.found_us - late.last_us, each.offer.id, late) for each, late in found if late]
        is_open = tuple(each for each, late in found if late is None)
        return LegReach(
            series=series,
            lots=abs(ratio) * demand.min_units,
            near=near,
            open=is_open,
            late=min(missed, key=lambda entry: entry[:2])[2] if missed and not is_open else None,
        )

    def _within(self, home: str, series: str, *, buys: bool) -> tuple[Near, ...]:
        key = home, series, buys
        if key not in self._near:
            ways = self._lot_ways(home, buys=buys)
            found = (
                self._near_of(offer, ways, buys=buys)
                for offer in self._offers.get((series, "sell" if buys else "buy"), ())
            )
            reached = [near for near in found if near is not None]
            self._near[key] = tuple(sorted(reached, key=lambda near: (near.cost, near.offer.id)))
        return self._near[key]

    def _near_of(self, offer: Offer, ways: dict[str, int], *, buys: bool) -> Near | None:
        venue = self._problem.venues[offer.venue]
        if venue.chain not in ways:
            return None
        cost = (offer.price if buys else -offer.price) + venue.fee_per_lot + ways[venue.chain]
        return Near(offer=offer, chain=venue.chain, cost=cost)

    def _lot_ways(self, home: str, *, buys: bool) -> dict[str, int]:
        """The least bridge fees per lot between home and every chain that lots can travel from (or to)."""
        key = home, buys
        if key not in self._ways:
            graph = self._hops.reverse(copy=False) if buys else self._hops
            lengths = nx.single_source_dijkstra_path_length(graph, home) if home in graph else {home: 0}
            self._ways[key] = {chain: int(length) for chain, length in lengths.items()}
        return self._ways[key]

    def _late(self, demand: Demand, near: Near) -> Late | None:
        """The first thing that a deal over the two chains alone would miss."""
        deadlines = self._deadlines_of(demand.chain, near.chain)
        decided_us = deadlines.decide_by_us
        if decided_us >= demand.valid_until_us:
            return Late(where=demand.intent, found_us=decided_us, last_us=demand.valid_until_us - 1)
        last_us = last_decision_us(self._problem, near.offer)
        if decided_us > last_us:
            return Late(where=near.offer.id, found_us=decided_us, last_us=last_us)
        expiry_us, series = min((self._problem.series_expiry_us[name], name) for name, _ in demand.legs)
        if deadlines.release_by_us >= expiry_us:
            return Late(where=series, found_us=deadlines.release_by_us, last_us=expiry_us - 1)
        return None

    def _deadlines_of(self, *chains: str) -> Deadlines:
        key = frozenset(chains)
        if key not in self._deadlines:
            self._deadlines[key] = plan_deadlines(self._problem, key)
        return self._deadlines[key]

    def _protocol_fee(self, demand: Demand) -> int:
        """What every unit pays for the lots that it delivers."""
        return self._problem.fee_per_lot * sum(abs(ratio) for _, ratio in demand.legs)

    def _paid_once(self, demand: Demand, legs: Sequence[LegReach]) -> int:
        """What every plan pays once, at least."""
        venues = self._problem.venues
        touch = max(min(venues[near.offer.venue].fee_touch for near in leg.open) for leg in legs)
        away = [self._away_fees(demand, leg) for leg in legs if leg.lots_on(demand.chain) < leg.lots]
        home = self._problem.chains[demand.chain]
        return settlement_fee(home, fills=1, alone=not away) + touch + max(away, default=0)

    def _away_fees(self, demand: Demand, leg: LegReach) -> int:
        """What another chain and the bridge next to home cost at least, where home lacks lots of a leg."""
        home, chains = demand.chain, self._problem.chains
        bridges = [
            bridge.fee_fixed
            for bridge in self._problem.bridges.values()
            if bridge.capacity_lots and home in (bridge.source, bridge.target)
        ]
        others = {near.chain for near in leg.open} - {home}
        return min(bridges) + min(settlement_fee(chains[other], fills=0, alone=False) for other in others)


def covering_limit(demand: Demand, *, need: int, units: int) -> int:
    """The lowest limit per unit with which `units` of a demand cover a need and leave something over.

    Peers pay whole micro-USDC per reduced unit, so a limit counts down to a multiple of the reduced units
    per unit.
    """
    _, factor = reduce_legs(demand.legs)
    limit = factor * ceil_div(need, units * factor)
    return limit if limit * units > need else limit + 1


def _lot_hops(bridges: Iterable[BridgeTerms]) -> "nx.DiGraph[str]":
    """The hops that lots can take, with the least fee per lot of each as its weight."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for bridge in sorted(bridges, key=lambda bridge: bridge.id):
        if bridge.capacity_lots:
            known = graph.get_edge_data(bridge.source, bridge.target, {"weight": bridge.fee_per_lot})
            graph.add_edge(bridge.source, bridge.target, weight=min(bridge.fee_per_lot, known["weight"]))
    return graph
