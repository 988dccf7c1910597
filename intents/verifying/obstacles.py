"""What could an order have got from the venues alone? Worked out once more, from the offers themselves.

Everything up to `limit_short` is settled here: it follows from the offers, the bridges and the deadlines.
What lies beyond asks the market's own search, which a replay runs; here it is held between two bounds. No
plan is cheaper than the least price, and the search never misses the plainest plan of all: the least units
from the cheapest lots on the order's own chain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import networkx as nx

from chains.snapshot import Offer
from intents.verifying.sheet import Sheet, package_of
from intents.verifying.timing import Instants, instants_over
from solvers.auction import Order
from solvers.reasons import OrderReason

Found = tuple[str, int, int]
"""(where, found, allowed)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """An offer that a leg could use: `cost` is micro-USDC per lot with the least of fees on its way."""

    offer: Offer
    chain: str
    cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What venues hold for one order, whose least units need `lots` of each leg.

    `usable` are the offers within reach and in time for each leg, the cheapest first.
    """

    sheet: Sheet
    order: Order
    lots: Mapping[str, int]
    usable: Mapping[str, Sequence[Offered]]

    @property
    def least_units(self) -> int:
        """The fewest units that the order takes."""
        return min(self.order.min_units, self.order.units)

    def least_limit(self) -> int:
        """The lowest limit that leaves any plan possible."""
        spent = sum(_cost(self.usable[series], lots) for series, lots in self.lots.items())
        per_unit = Fraction(spent, self.least_units) + self._protocol_fee()
        return self._limit_for(per_unit + Fraction(self._paid_once(), self.order.units))

    def home_limit(self) -> int | None:
        """The lowest limit that pays for the plan on the order's own chain, where there is one."""
        sheet, home = self.sheet, self.order.chain
        spent, touched = 0, set()
        for series, lots in self.lots.items():
            at_home = [each for each in self.usable[series] if each.chain == home]
            if sum(each.offer.lots for each in at_home) < lots:
                return None
            spent += _cost(at_home, lots)
            touched |= {each.offer.venue for each in _taken(at_home, lots)}
        once = sheet.chains[home].settle_fee_leg + sheet.chains[home].settle_fee_fill
        once += sum(sheet.venues[venue].fee_touch for venue in touched)
        return self._limit_for(Fraction(spent + once, self.least_units) + self._protocol_fee())

    def _protocol_fee(self) -> int:
        return sum(abs(ratio) for _, ratio in self.order.legs or ()) * self.sheet.auction.rules.fee_per_lot

    def _paid_once(self) -> int:
        sheet, home = self.sheet, self.order.chain
        chain = sheet.chains[home]
        touches, away = [], []
        for series, lots in self.lots.items():
            usable = self.usable[series]
            touches.append(min(sheet.venues[each.offer.venue].fee_touch for each in usable))
            if sum(each.offer.lots for each in usable if each.chain == home) < lots:
                others = [sheet.chains[each.chain] for each in usable if each.chain != home]
                away.append(min(other.settle_fee_leg + other.deal_fee for other in others))
        once = chain.settle_fee_leg + chain.settle_fee_fill + max(touches)
        if away:
            bridges = [each for each in sheet.bridges.values() if home in (each.source, each.target)]
            once += chain.deal_fee + max(away)
            once += min(bridge.fee_fixed for bridge in bridges if bridge.capacity_lots)
        return once

    def _limit_for(self, per_unit: Fraction) -> int:
        """Peers pay whole micro-USDC per reduced unit, and something must be left over."""
        _, factor = package_of(self.order)
        limit = ceil(per_unit / factor) * factor
        return limit if limit > per_unit else limit + 1


class Ground:
    """An auction laid out for asking what orders could have got."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._roads: nx.DiGraph[str] = nx.DiGraph()
        self._roads.add_nodes_from(sheet.chains)
        bridges = [bridge for bridge in sheet.bridges.values() if bridge.capacity_lots > 0]
        for bridge in sorted(bridges, key=lambda bridge: -bridge.fee_per_lot):
            self._roads.add_edge(bridge.source, bridge.target, fee=bridge.fee_per_lot)
        self._distances: dict[tuple[str, bool], dict[str, int]] = {}
        self._instants: dict[frozenset[str], Instants] = {}
        self._offers: dict[tuple[str, str], list[Offer]] = {}
        for offer in sheet.offers.values():
            self._offers.setdefault((offer.series, offer.side), []).append(offer)

    def find(self, order: Order, filled: Mapping[str, int]) -> tuple[OrderReason, Found] | Market:
        """What stood in the way of an order without a bid; or the market, where that takes a search."""
        sibling = self._filled_sibling(order, filled)
        if sibling is not None:
            return OrderReason.SIBLING_FILLED, (sibling, filled[sibling], 0)
        least = min(order.min_units, order.units)
        legs = {series: (ratio > 0, abs(ratio) * least) for series, ratio in order.legs or ()}
        near = {series: self._reached(order, series, buys) for series, (buys, _) in legs.items()}
        for series, (_, lots) in legs.items():
            if not near[series]:
                return OrderReason.NO_OFFER, (series, 0, lots)
        missed = {
            series: [(each, self._missed(order, each)) for each in offers] for series, offers in near.items()
        }
        for found in missed.values():
            late = [(end[1] - end[2], each.offer.id, end) for each, end in found if end is not None]
            if len(late) == len(found):
                return OrderReason.TOO_LATE, min(late)[2]
        usable = {series: [each for each, end in found if end is None] for series, found in missed.items()}
        for series, (_, lots) in legs.items():
            there = sum(each.offer.lots for each in usable[series])
            if there < lots:
                return OrderReason.TOO_FEW, (series, there, lots)
        market = Market(
            sheet=self._sheet,
            order=order,
            lots={series: lots for series, (_, lots) in legs.items()},
            usable=usable,
        )
        limit = market.least_limit()
        if order.limit < limit:
            return OrderReason.LIMIT_SHORT, (order.intent, order.limit, limit)
        return market

    def _filled_sibling(self, order: Order, filled: Mapping[str, int]) -> str | None:
        if not order.group:
            return None
        for other in self._sheet.orders.values():
            is_sibling = (other.owner, other.group) == (order.owner, order.group)
            if is_sibling and other.intent != order.intent and filled.get(other.intent):
                return other.intent
        return None

    def _reached(self, order: Order, series: str, buys: bool) -> list[Offered]:
        """The offers of a leg whose lots can travel, with what a lot costs at least."""
        distances = self._distances_of(order.chain, buys)
        near = []
        for offer in self._offers.get((series, "sell" if buys else "buy"), ()):
            venue = self._sheet.venues[offer.venue]
            if venue.chain in distances:
                price = offer.price if buys else -offer.price
                cost = price + venue.fee_per_lot + distances[venue.chain]
                near.append(Offered(offer=offer, chain=venue.chain, cost=cost))
        return sorted(near, key=lambda each: (each.cost, each.offer.id))

    def _distances_of(self, home: str, buys: bool) -> dict[str, int]:
        """The least bridge fees per lot from every chain to home, or where the owner sells, from home."""
        if (home, buys) not in self._distances:
            roads = self._roads.reverse(copy=False) if buys else self._roads
            found = nx.single_source_dijkstra_path_length(roads, home, weight="fee")
            self._distances[home, buys] = {chain: int(fee) for chain, fee in found.items()}
        return self._distances[home, buys]

    def _missed(self, order: Order, offered: Offered) -> Found | None:
        """What ends before a deal over the two chains alone could be done, with the instants."""
        chains = frozenset({order.chain, offered.chain})
        if chains not in self._instants:
            self._instants[chains] = instants_over(self._sheet, chains)
        _, decide_by, release_by = self._instants[chains]
        ends = order.valid_until * 1_000_000
        if decide_by >= ends:
            return order.intent, decide_by, ends - 1
        prepared = self._sheet.auction.cut_us + self._sheet.auction.solve_us
        good_until = prepared + self._sheet.venues[offered.offer.venue].max_lock_us
        if isinstance(offered.offer.firm_until_us, int):
            good_until = min(good_until, offered.offer.firm_until_us)
        if decide_by >= good_until:
            return offered.offer.id, decide_by, good_until - 1
        expiries = [(self._sheet.series[series].expiry * 1_000_000, series) for series, _ in order.legs or ()]
        expires, series = min(expiries)
        return (series, release_by, expires - 1) if release_by >= expires else None


def _taken(offers: Sequence[Offered], lots: int) -> list[Offered]:
    """The cheapest offers that so many lots come from."""
    taken = []
    for each in offers:
        if lots <= 0:
            break
        taken.append(each)
        lots -= each.offer.lots
    return taken


def _cost(offers: Sequence[Offered], lots: int) -> int:
    """What the cheapest lots cost; there are enough."""
    total = 0
    for each in _taken(offers, lots):
        total += each.cost * min(lots, each.offer.lots)
        lots -= min(lots, each.offer.lots)
    return total
