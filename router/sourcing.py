"""Where the lots of a leg can come from or go to, in the order of what a lot costs at home.

A *source* is one offer together with the route that its lots take between the venue's chain and the
home chain. Its `cost` is what one lot adds to the home chain's cash need: price, venue fee, bridge
fees per lot, and the bps of the cash that travels to pay for it or comes back (rounded against the
source). What is paid once - venue touch, fixed bridge fees, settlement - is left out: it cannot be
given to a lot, and is measured exactly for whole plans by `router.needs`. The cost orders and limits
the search; it decides nothing else.

Source: merging the ladders of venues per instrument before anything else is solved was the largest
gain in our measurements of joint routing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Final

import networkx as nx

from chains.deadlines import Deadlines
from chains.fees import settlement_fee
from chains.snapshot import Offer
from chains.units import BPS, ceil_div, floor_div
from router.hops import ANY_SERIES, Route, cash_parents, cheapest_routes, hop_graph
from router.problem import Demand, Problem
from router.timing import last_decision_us, plan_deadlines

ROUTES_MAX: Final = 2
"""Routes tried between two chains: the cheapest, and a spare for when its capacity runs out."""

_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How lots travel between home and a venue's chain, and what that costs per lot.

    Attributes
    ----------
    chains, bridges : the route, in the order in which lots travel
    relieves : bridge ids of the cheapest route, where this is the spare one for when that is full
    cash_bps : basis points of the cash that travels the other way
    fee_per_lot : micro-USDC, over all hops
    """

    chains: tuple[str, ...]
    bridges: tuple[str, ...]
    relieves: tuple[str, ...]
    cash_bps: int
    fee_per_lot: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """One offer and the way of its lots.

    Attributes
    ----------
    cost : micro-USDC that one lot adds to the home chain's need (negative where the owner sells)
    decided_by_us : the last instant at which a deal with this offer may be decided
    """

    offer: str
    venue: str
    chain: str
    series: str
    cost: int
    way: Way
    decided_by_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large a search is, in powers of four: routes are chosen for about this much."""

    lots: int
    cash: int


def scale_of(*, lots: int, cash: int) -> Scale:
    """Round lots and micro-USDC down to powers of four (at least 1), so that answers can be reused."""
    return Scale(lots=_power_of_four(lots), cash=_power_of_four(cash))


def _power_of_four(amount: int) -> int:
    return 1 << (max(amount, 1).bit_length() - 1 & ~1)


class Sourcing:
    """One problem, indexed for search: offers by series and side, routes and ladders by home chain.

    Everything here follows from the problem alone, whatever plans were taken; answers are kept.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.graph: nx.MultiDiGraph[str] = hop_graph(problem.bridges.values(), problem.chains)
        self.tolls: Mapping[str, int] = {
            chain.id: settlement_fee(chain, fills=0, alone=False) for chain in problem.chains.values()
        }
        self._offers: defaultdict[tuple[str, str], list[Offer]] = defaultdict(list)
        for offer in sorted(problem.offers.values(), key=_best_first):
            self._offers[offer.series, offer.side].append(offer)
        self._ladders: dict[tuple[str, str, bool, Scale], tuple[Source, ...]] = {}
        self._parents: dict[tuple[str, bool, int, frozenset[str], frozenset[str]], dict[str, str]] = {}
        self._ways_found: dict[tuple[str, str, bool, Scale], tuple[Way, ...]] = {}
        self._deadlines: dict[frozenset[str], Deadlines] = {}

    def with_demands(self, demands: Mapping[str, Demand]) -> "Sourcing":
        """The same world asked for other demands: what is indexed and what was found is shared."""
        other = copy(self)
        other.problem = replace(self.problem, demands=demands)
        return other

    def best_price(self, series: str, *, buys: bool) -> int | None:
        """The best price of a series over all venues for an owner who buys (or sells), if any."""
        offers = self._offers.get((series, "sell" if buys else "buy"))
        return offers[0].price if offers else None

    def ladder(self, home: str, series: str, *, buys: bool, scale: Scale) -> tuple[Source, ...]:
        """All sources of a series for orders on `home`, cheapest lot first."""
        key = (home, series, buys, scale)
        if key not in self._ladders:
            offers = self._offers.get((series, "sell" if buys else "buy"), ())
            sources = [source for offer in offers for source in self._sources(home, offer, scale)]
            sources.sort(
                key=lambda source: (source.cost, len(source.way.bridges), source.offer, source.way.bridges)
            )
            self._ladders[key] = tuple(sources)
        return self._ladders[key]

    def cash_tree(
        self, home: str, *, outward: bool, amount: int, free: frozenset[str], closed: frozenset[str]
    ) -> dict[str, str]:
        """`hops.cash_parents` where passing through the chains `free` costs no toll."""
        key = (home, outward, amount, free, closed)
        if key not in self._parents:
            tolls = {chain: toll for chain, toll in self.tolls.items() if chain not in free}
            self._parents[key] = cash_parents(
                self.graph, home, outward=outward, amount=amount, tolls=tolls, closed=closed
            )
        return self._parents[key]

    def deadlines(self, touched: Collection[str]) -> Deadlines:
        """The deadlines of a deal over these chains."""
        key = frozenset(touched)
        if key not in self._deadlines:
            self._deadlines[key] = plan_deadlines(self.problem, key)
        return self._deadlines[key]

    def _sources(self, home: str, offer: Offer, scale: Scale) -> Iterator[Source]:
        venue = self.problem.venues[offer.venue]
        buys = offer.side == "sell"
        for way in self._ways(home, venue.chain, buys=buys, scale=scale):
            if buys:
                cost = ceil_div((offer.price + venue.fee_per_lot) * (BPS + way.cash_bps), BPS)
            else:
                cost = -floor_div((offer.price - venue.fee_per_lot) * (BPS - way.cash_bps), BPS)
            yield Source(
                offer=offer.id,
                venue=venue.id,
                chain=venue.chain,
                series=offer.series,
                cost=cost + way.fee_per_lot,
                way=way,
                decided_by_us=last_decision_us(self.problem, offer),
            )

    def _ways(self, home: str, chain: str, *, buys: bool, scale: Scale) -> tuple[Way, ...]:
        key = (home, chain, buys, scale)
        if key not in self._ways_found:
            ends = (chain, home) if buys else (home, chain)
            bps = self._cash_bps(home, chain, outward=buys, amount=scale.cash)
            routes = self._lot_routes(ends, scale.lots)
            self._ways_found[key] = tuple(
                Way(
                    chains=route.chains,
                    bridges=route.bridges,
                    relieves=() if route is routes[0] else routes[0].bridges,
                    cash_bps=bps,
                    fee_per_lot=sum(self.problem.bridges[bridge].fee_per_lot for bridge in route.bridges),
                )
                for route in routes
            )
        return self._ways_found[key]

    def _lot_routes(self, ends: tuple[str, str], lots: int) -> tuple[Route, ...]:
        """The cheapest routes for as many lots, halved until any route carries them."""
        routes: tuple[Route, ...] = ()
        while lots and not routes:
            routes = cheapest_routes(
                self.graph, ends, asset=ANY_SERIES, amount=lots, k=ROUTES_MAX, tolls=self.tolls
            )
            lots = floor_div(lots, 2)
        return routes

    def _cash_bps(self, home: str, chain: str, *, outward: bool, amount: int) -> int:
        """Basis points, summed over the hops, of cash between home and a chain.

        Without any route out nothing is added (another leg may pay there); without any way back
        the whole amount is lost.
        """
        parents = self.cash_tree(home, outward=outward, amount=amount, free=_NONE, closed=_NONE)
        if chain != home and chain not in parents:
            return 0 if outward else BPS
        total = 0
        while chain != home:
            ends = (parents[chain], chain) if outward else (chain, parents[chain])
            total += min(edge["bridge"].fee_cash_bps for edge in self.graph[ends[0]][ends[1]].values())
            chain = parents[chain]
        return min(total, BPS)


def _best_first(offer: Offer) -> tuple[int, str]:
    return (offer.price if offer.side == "sell" else -offer.price), offer.id
