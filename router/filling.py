"""Filling peers from sorted sources: the convex part of the search.

Lots are taken source by source, the cheapest first, for one demand after the other, the highest
limit first. A demand's least units are taken whole, further units while the next one costs no more
than the limit, and all of it only where the limit pays for the units and the fill. What else is
paid once is not seen here, so every stopping point is meant to be measured exactly afterwards.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chains.units import floor_div
from router.peers import PeerGroup, lowest_limit
from router.problem import Demand, Reference
from router.residual import Residual
from router.sourcing import Source

Take = tuple[Source, int]
"""A source, and lots taken from it or brought to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A point at which filling may end.

    Attributes
    ----------
    fills : (intent, units)
    takes : lots by source
    units : reduced units filled
    value : micro-USDC, the sum of limit times units
    low : the lowest filled limit per reduced unit, rounded down
    """

    fills: tuple[tuple[str, int], ...]
    takes: tuple[Take, ...]
    units: int
    value: int
    low: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Appetite:
    """How far to go: at most `units_max` reduced units.

    Where a reference is given, its price also bounds what a unit may cost as long as it serves more.
    """

    units_max: int
    reference: Reference | None = None

    def threshold(self, demand: Demand, factor: int, filled: int) -> int:
        """The most that the next unit of a demand may cost after `filled` reduced units."""
        if self.reference is None or filled >= self.reference.units:
            return demand.limit
        return min(demand.limit, self.reference.price * factor)


def fill_peers(
    group: PeerGroup,
    ladders: Sequence[Sequence[Source]],
    *,
    residual: Residual,
    open_until_us: int,
    appetite: Appetite,
) -> list[Stop]:
    """Fill peers from one ladder per leg of their package; a stop after every demand filled.

    Demands that end by `open_until_us`, when the deal would be decided, are passed over, and so is
    all but the first of a one-cancels-other group.
    """
    filling = _Filling(group, ladders, residual)
    stops: list[Stop] = []
    fills: list[tuple[str, int]] = []
    value, filled, groups = 0, 0, set[tuple[str, str]]()
    for demand, factor in group.members:
        key = demand.owner, demand.group
        if demand.valid_until_us <= open_until_us or (demand.group and key in groups):
            continue
        if not residual.is_open(demand):
            continue
        room = floor_div(appetite.units_max - filled, factor)
        threshold = appetite.threshold(demand, factor, filled) - group.fee_per_unit * factor
        units = filling.fill(demand, factor, most=room, threshold=threshold)
        if not units:
            continue
        groups.add(key)
        fills.append((demand.intent, units))
        value += demand.limit * units
        filled += units * factor
        stops.append(
            Stop(
                fills=tuple(fills),
                takes=filling.takes(),
                units=filled,
                value=value,
                low=lowest_limit(demand, factor),
            )
        )
    return stops


class _Filling:
    """Lots taken so far, and the place of each leg in its ladder."""

    __slots__ = ("_bridges", "_group", "_ladders", "_offers", "_places", "_residual", "_taken")

    def __init__(self, group: PeerGroup, ladders: Sequence[Sequence[Source]], residual: Residual) -> None:
        self._group = group
        self._ladders = ladders
        self._places = [0] * len(ladders)
        self._residual = residual
        self._taken: Counter[Source] = Counter()
        self._offers: Counter[str] = Counter()
        self._bridges: Counter[str] = Counter()

    def takes(self) -> tuple[Take, ...]:
        """Lots by source, in the order in which the sources were first used."""
        return tuple((source, lots) for source, lots in self._taken.items() if lots)

    def fill(self, demand: Demand, factor: int, *, most: int, threshold: int) -> int:
        """Take units of one demand: none, or at least its least units; return how many."""
        least, most = demand.min_units, min(most, demand.units)
        if most < least:
            return 0
        taken, places = self._taken.copy(), self._places.copy()
        filled, spent = 0, self._group.fee_per_fill
        while filled < most:
            if filled < least:
                units, cost = self._advance(factor, most=least - filled)
            else:
                units, cost = self._advance(factor, most=most - filled, threshold=threshold)
            if not units:
                break
            filled, spent = filled + units, spent + units * cost
        if filled < least or spent > threshold * filled:
            self._return_to(taken, places)
            return 0
        return filled

    def _advance(self, factor: int, *, most: int, threshold: int | None = None) -> tuple[int, int]:
        """Take as many units as cost the same as the next one: how many, and that cost."""
        places = self._places.copy()
        picks, complete = self._pick_unit(factor)
        cost = sum(source.cost * lots for source, lots in picks)
        if not complete or (threshold is not None and cost > threshold):
            for source, lots in picks:
                self._move(source, -lots)
            self._places = places
            return 0, 0
        further = min(most - 1, self._repeats(picks))
        if further:
            for source, lots in picks:
                self._move(source, lots * further)
        return 1 + further, cost

    def _pick_unit(self, factor: int) -> tuple[list[Take], bool]:
        """Take the lots of one unit; whether there were enough."""
        picks: list[Take] = []
        for leg, ((_, ratio), ladder) in enumerate(zip(self._group.package, self._ladders, strict=True)):
            wanted = abs(ratio) * factor
            while wanted and self._places[leg] < len(ladder):
                source = ladder[self._places[leg]]
                lots = min(wanted, self._room(source))
                if lots:
                    self._move(source, lots)
                    picks.append((source, lots))
                    wanted -= lots
                if wanted:
                    self._places[leg] += 1
            if wanted:
                return picks, False
        return picks, True

    def _room(self, source: Source) -> int:
        room = self._residual.offers[source.offer] - self._offers[source.offer]
        for bridge in source.way.bridges:
            room = min(room, self._residual.lots[bridge] - self._bridges[bridge])
        return room

    def _repeats(self, picks: Sequence[Take]) -> int:
        """How often the same picks could be made again."""
        per_bridge: Counter[str] = Counter()
        repeats = []
        for source, lots in picks:
            repeats.append(floor_div(self._residual.offers[source.offer] - self._offers[source.offer], lots))
            for bridge in source.way.bridges:
                per_bridge[bridge] += lots
        for bridge, lots in per_bridge.items():
            repeats.append(floor_div(self._residual.lots[bridge] - self._bridges[bridge], lots))
        return min(repeats)

    def _move(self, source: Source, lots: int) -> None:
        self._taken[source] += lots
        self._offers[source.offer] += lots
        for bridge in source.way.bridges:
            self._bridges[bridge] += lots

    def _return_to(self, taken: Counter[Source], places: list[int]) -> None:
        for source, lots in tuple(self._taken.items()):
            self._move(source, taken[source] - lots)
        self._places = places
