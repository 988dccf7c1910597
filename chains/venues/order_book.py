"""Order books: levels of lots at a price, first come first served.

The book is at every instant a sub-book of the levels in its world file: outside flow and deals take
lots from levels, and outside flow brings them back up to what the file says, the longest missing
first. Nothing is created, widened or moved. Locks are taken in the order in which legs reach the
chain, so price-time priority among deals is theirs. A crossed book (a buy level at or above a sell
level of its series) is refused.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Self

import msgspec
import numpy as np
from msgspec import Struct

from chains.errors import CommitError
from chains.snapshot import Offer, VenueTerms
from chains.units import WIRE_MAX
from chains.venues.flow import FlowClock
from chains.venues.venue import Feed, VenueSpec
from chains.wire import Count, Id, Positive

KIND: Final = "order_book"


class Level(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """``[series, side, price, lots]``; `side` is what the venue does, price in micro-USDC per lot."""

    series: Id
    side: Literal["buy", "sell"]
    price: Count
    lots: Positive


class OrderBookSpec(VenueSpec, frozen=True, kw_only=True, tag_field="kind", tag=KIND):
    """An order book in a world file."""

    levels: tuple[Level, ...]

    @property
    def size(self) -> int:
        """How many levels the book has."""
        return len(self.levels)

    def contradiction(self, listed: Collection[str]) -> tuple[str, object, str] | None:
        """See `VenueKind`."""
        seen: set[tuple[str, str, int]] = set()
        touch: dict[tuple[str, str], int] = {}
        for index, level in enumerate(self.levels):
            field = f"levels[{index}]"
            if level.series not in listed:
                return f"{field}.series", level.series, "is not a listed series"
            if level.price * level.lots > WIRE_MAX:
                return f"{field}.lots", level.lots, f"makes a level worth more than {WIRE_MAX} micro-USDC"
            if (level.series, level.side, level.price) in seen:
                return f"{field}.price", level.price, f"appears twice ({level.side} {level.series})"
            seen.add((level.series, level.side, level.price))
            best = min if level.side == "sell" else max
            touch[level.series, level.side] = best(
                level.price, touch.get((level.series, level.side), level.price)
            )
        for series, side in sorted(touch):
            ask = touch.get((series, "sell"))
            if side == "buy" and ask is not None and touch[series, side] >= ask:
                return "levels", touch[series, side], f"is a buy at or above the sell at {ask} of {series}"
        return None

    def with_series(self, renamed: Mapping[str, str]) -> Self:
        """See `VenueKind`."""
        levels = tuple(
            Level(series=renamed[level.series], side=level.side, price=level.price, lots=level.lots)
            for level in self.levels
        )
        return msgspec.structs.replace(self, levels=levels)

    def open_venue(self, *, start_us: int, stream: np.random.Generator, feed: Feed) -> "OrderBook":
        """See `VenueKind`."""
        return OrderBook(self, start_us=start_us, stream=stream)


@dataclass(slots=True, kw_only=True)
class _Rung:
    """A level that lives: `lots` are there now, `locked` of them for deals."""

    offer: str
    series: str
    side: str
    price: int
    source: int
    lots: int
    locked: int = 0

    @property
    def free(self) -> int:
        return self.lots - self.locked


class OrderBook:
    """A live order book; see `Venue` for what each method promises."""

    def __init__(self, spec: OrderBookSpec, *, start_us: int, stream: np.random.Generator) -> None:
        self._spec = spec
        self._rungs: dict[str, _Rung] = {}
        self._ladders: dict[tuple[str, str], list[_Rung]] = {}
        for level in sorted(spec.levels, key=_priority):
            offer = f"{spec.id}/{level.series}/{level.side}/{level.price}"
            self._rungs[offer] = rung = _Rung(
                offer=offer,
                series=level.series,
                side=level.side,
                price=level.price,
                source=level.lots,
                lots=level.lots,
            )
            self._ladders.setdefault((level.series, level.side), []).append(rung)
        self._open = list(self._ladders.values())
        self._short: dict[str, _Rung] = {}
        self._flow = FlowClock(spec.flow, start_us=start_us, stream=stream)
        if not self._open:
            self._flow.stop()

    @property
    def chain(self) -> str:
        """The chain the book is on."""
        return self._spec.chain

    def terms(self, now_us: int) -> VenueTerms:
        """The venue as solvers see it now."""
        return self._spec.terms(kind=KIND, as_of_us=now_us)

    def offers(self, now_us: int, pledged: Mapping[str, int]) -> tuple[Offer, ...]:
        """Every offer with free lots: by series, buys first, best price first."""
        venue = self._spec.id
        return tuple(
            Offer(
                id=rung.offer,
                venue=venue,
                series=rung.series,
                side=rung.side,
                price=rung.price,
                lots=lots,
            )
            for ladder in self._open
            for rung in ladder
            if (lots := rung.lots - rung.locked - pledged.get(rung.offer, 0)) > 0
        )

    def most(self, offer_id: str) -> int:
        """The lots of the level in the world file; 0 for a level that is not there."""
        rung = self._rungs.get(offer_id)
        return rung.source if rung is not None else 0

    def lock(self, offer_id: str, lots: int, *, now_us: int) -> str:
        """Set free lots of a listed level aside."""
        rung = self._rungs.get(offer_id)
        if rung is None or (rung.series, rung.side) not in self._ladders or rung.free < lots:
            return f"{offer_id} has no {lots} free lots"
        rung.locked += lots
        return ""

    def unlock(self, offer_id: str, lots: int) -> None:
        """Give locked lots back."""
        self._locked(offer_id, lots).locked -= lots

    def consume(self, offer_id: str, lots: int) -> None:
        """Trade locked lots: the level has fewer until outside flow restores it."""
        rung = self._locked(offer_id, lots)
        rung.locked -= lots
        self._take(rung, lots)

    def next_flow_us(self) -> int | None:
        """When outside flow comes next."""
        return self._flow.next_us

    def apply_flow(self) -> None:
        """Restore the level that has been short for longest, or take lots from the touch of one ladder.

        The ladder is drawn evenly among all that are open; its touch is its best level with free lots.
        """
        event = self._flow.take()
        if event.restores:
            if self._short:
                rung = self._short.pop(next(iter(self._short)))
                rung.lots = rung.source
        else:
            ladder = self._open[event.pick(len(self._open))]
            touch = next((rung for rung in ladder if rung.lots > rung.locked), None)
            if touch is not None:
                self._take(touch, min(event.lots, touch.free))

    def delist(self, series: Collection[str]) -> None:
        """Take series off the book: their offers vanish and their levels are never restored."""
        self._ladders = {key: ladder for key, ladder in self._ladders.items() if key[0] not in series}
        self._open = list(self._ladders.values())
        self._short = {offer: rung for offer, rung in self._short.items() if rung.series not in series}
        if not self._open:
            self._flow.stop()

    def locked(self) -> Mapping[str, int]:
        """Lots locked for deals, by offer."""
        return {offer: rung.locked for offer, rung in self._rungs.items() if rung.locked}

    def violations(self) -> list[str]:
        """Levels where more is locked than there is, or more is there than in the source."""
        return [
            f"{rung.offer}: locked {rung.locked}, lots {rung.lots}, source {rung.source}"
            for rung in self._rungs.values()
            if not 0 <= rung.locked <= rung.lots <= rung.source
        ]

    def _take(self, rung: _Rung, lots: int) -> None:
        rung.lots -= lots
        if (rung.series, rung.side) in self._ladders:
            self._short.setdefault(rung.offer, rung)

    def _locked(self, offer_id: str, lots: int) -> _Rung:
        rung = self._rungs.get(offer_id)
        if rung is None or not 0 < lots <= rung.locked:
            raise CommitError(f"{lots} lots of {offer_id!r} are not locked")
        return rung


def _priority(level: Level) -> tuple[str, str, int]:
    return level.series, level.side, level.price if level.side == "sell" else -level.price
