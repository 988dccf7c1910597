"""RFQ makers: firm quotes around the oracle's mark, for this market alone.

At every multiple of `quote_us` the maker quotes anew: it sells at the mark plus `half_spread` and buys
at the mark less `half_spread` (micro-USDC per lot; no bid below 1), where the mark is the oracle's at
that instant. A quote is firm for `firm_us`: until that instant, and not from it on, a deal may lock its
lots, though newer quotes have long taken its place. Only the newest are on offer. A series that expires
before its quotes would end is not quoted.

**Exposure.** The maker risks `lots` per series and side, over all its rounds together: what deals have
pledged, locked or traded is not quoted again until the maker has hedged it elsewhere. That is what its
outside flow is: an event that restores brings back the series and side that has been short for longest.
Nobody else takes its quotes, since they are addressed to this market: other events do nothing.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import msgspec
import numpy as np
from msgspec import Struct

from chains.series import parse_series
from chains.snapshot import Offer, VenueTerms
from chains.units import WIRE_MAX, floor_div
from chains.venues.flow import FlowClock
from chains.venues.locks import Locks
from chains.venues.venue import Feed, VenueSpec, less_taken
from chains.wire import Id, Positive

KIND: Final = "rfq"
FIRM_US_MAX: Final = 86_400_000_000
"""A quote is firm for a day at most."""

_DIGITS_MAX: Final = len(str(WIRE_MAX))


class RfqQuote(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """``[series, half_spread, lots]``: micro-USDC per lot, and lots on either side."""

    series: Id
    half_spread: Positive
    lots: Positive


class RfqSpec(VenueSpec, frozen=True, kw_only=True, tag_field="kind", tag=KIND):
    """An RFQ maker in a world file."""

    quotes: tuple[RfqQuote, ...]
    quote_us: Positive
    firm_us: Positive

    @property
    def size(self) -> int:
        """How many offers it makes at most: two for each series."""
        return 2 * len(self.quotes)

    def contradiction(self, listed: Collection[str]) -> tuple[str, object, str] | None:
        """See `VenueKind`."""
        if self.firm_us < self.quote_us:
            return "firm_us", self.firm_us, f"is shorter than quote_us ({self.quote_us})"
        if self.firm_us > FIRM_US_MAX:
            return "firm_us", self.firm_us, f"is more than {FIRM_US_MAX}"
        seen: set[str] = set()
        for index, quote in enumerate(self.quotes):
            field = f"quotes[{index}]"
            if quote.series not in listed:
                return f"{field}.series", quote.series, "is not a listed series"
            if quote.series in seen:
                return f"{field}.series", quote.series, "is quoted already"
            if quote.half_spread * quote.lots > WIRE_MAX:
                return f"{field}.lots", quote.lots, f"makes a quote worth more than {WIRE_MAX} micro-USDC"
            seen.add(quote.series)
        return None

    def with_series(self, renamed: Mapping[str, str]) -> Self:
        """See `VenueKind`."""
        quotes = tuple(msgspec.structs.replace(each, series=renamed[each.series]) for each in self.quotes)
        return msgspec.structs.replace(self, quotes=quotes)

    def open_venue(self, *, start_us: int, stream: np.random.Generator, feed: Feed) -> "RfqMaker":
        """See `VenueKind`."""
        return RfqMaker(self, start_us=start_us, stream=stream, feed=feed)


@dataclass(slots=True, kw_only=True)
class _Side:
    """What the maker has at risk on one side of one series: locked for deals, and traded but not hedged."""

    quote: RfqQuote
    expiry_us: int
    side: str
    locked: int = 0
    traded: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.quote.series, self.side

    @property
    def free(self) -> int:
        return self.quote.lots - self.locked - self.traded

    def price(self, mark: int) -> int:
        """The price at a mark; 0 for none."""
        price = mark + (self.quote.half_spread if self.side == "sell" else -self.quote.half_spread)
        return price if price > 0 and price * self.quote.lots <= WIRE_MAX else 0


class _Quoted(NamedTuple):
    """What an offer's id names: a side, and the round at which it was quoted."""

    side: _Side
    round: int


class RfqMaker:
    """A live RFQ maker; see `Venue` for what each method promises."""

    def __init__(self, spec: RfqSpec, *, start_us: int, stream: np.random.Generator, feed: Feed) -> None:
        self._spec = spec
        self._feed = feed
        self._sides: dict[tuple[str, str], _Side] = {}
        for quote in sorted(spec.quotes, key=lambda each: each.series):
            expiry_us = parse_series(quote.series).expiry_us
            for side in ("buy", "sell"):
                self._sides[quote.series, side] = _Side(quote=quote, expiry_us=expiry_us, side=side)
        self._open = dict(self._sides)
        self._locks = Locks()
        self._short: dict[tuple[str, str], _Side] = {}
        self._shown: tuple[int, tuple[Offer, ...]] | None = None
        self._flow = FlowClock(spec.flow, start_us=start_us, stream=stream)
        self.delist(())

    @property
    def chain(self) -> str:
        """The chain the maker settles on."""
        return self._spec.chain

    def terms(self, now_us: int) -> VenueTerms:
        """The maker as solvers see it now, as of its newest round."""
        return self._spec.terms(kind=KIND, as_of_us=self._round_at(now_us) * self._spec.quote_us)

    def offers(self, now_us: int, pledged: Mapping[str, int]) -> tuple[Offer, ...]:
        """The newest quotes, with what the maker still dares: by series, the buy first."""
        number = self._round_at(now_us)
        if self._shown is None or self._shown[0] != number:
            self._shown = number, tuple(self._quote(number))
        return less_taken(self._shown[1], self._at_round(number, pledged))

    def most(self, offer_id: str) -> int:
        """The lots that the maker risks on this side of the series; 0 for what it never quotes."""
        quoted = self._read(offer_id)
        return quoted.side.quote.lots if quoted is not None else 0

    def lock(self, offer_id: str, lots: int, *, now_us: int) -> str:
        """Set lots aside at the price of their round, as long as it is firm."""
        quoted = self._read(offer_id)
        if quoted is None or quoted.side.key not in self._open or quoted.round > self._round_at(now_us):
            return f"{offer_id} is not quoted"
        side, firm_until_us = quoted.side, self._firm_until_us(quoted.round)
        if now_us >= min(firm_until_us, side.expiry_us):
            return f"{offer_id} was firm until {firm_until_us}, it is {now_us}"
        if side.free < lots:
            return f"{offer_id} has no {lots} free lots"
        side.locked += lots
        self._locks.add(offer_id, lots)
        self._shown = None
        return ""

    def unlock(self, offer_id: str, lots: int) -> None:
        """Give locked lots back."""
        self._end_lock(offer_id, lots)

    def consume(self, offer_id: str, lots: int) -> None:
        """Trade locked lots: they stay at risk until the maker has hedged them."""
        side = self._end_lock(offer_id, lots)
        side.traded += lots
        if side.key in self._open:
            self._short.setdefault(side.key, side)

    def next_flow_us(self) -> int | None:
        """When outside flow comes next."""
        return self._flow.next_us

    def apply_flow(self) -> None:
        """Let the maker hedge the side that has been short for longest, if the event restores."""
        if self._flow.take().restores and self._short:
            self._short.pop(next(iter(self._short))).traded = 0
            self._shown = None

    def delist(self, series: Collection[str]) -> None:
        """Quote series no more: what is locked can still end."""
        self._open = {key: side for key, side in self._open.items() if key[0] not in series}
        self._short = {key: side for key, side in self._short.items() if key[0] not in series}
        self._shown = None
        if not self._open:
            self._flow.stop()

    def locked(self) -> Mapping[str, int]:
        """Lots locked for deals, by offer."""
        return self._locks.by_offer

    def violations(self) -> list[str]:
        """Sides that risk more than they may, or whose locks do not add up."""
        locks = self._at_round(0, self._locks.by_offer)
        return [
            f"{offer_id}: {side.quote.lots} lots, {side.traded} traded, {side.locked} locked, "
            f"deals have {has}"
            for side in self._sides.values()
            for offer_id in (self._offer_id(side, 0),)
            for has in (locks.get(offer_id, 0),)
            if side.locked != has or min(side.locked, side.traded, side.free) < 0
        ]

    def _quote(self, number: int) -> Iterator[Offer]:
        start_us, firm_until_us = number * self._spec.quote_us, self._firm_until_us(number)
        for (series, name), side in self._open.items():
            if side.free <= 0 or firm_until_us > side.expiry_us:
                continue
            mark = self._feed.mark(series, now_us=start_us)
            price = side.price(mark) if mark is not None else 0
            if price:
                yield Offer(
                    id=self._offer_id(side, number),
                    venue=self._spec.id,
                    series=series,
                    side=name,
                    price=price,
                    lots=side.free,
                    firm_until_us=firm_until_us,
                )

    def _at_round(self, number: int, lots_by_offer: Mapping[str, int]) -> dict[str, int]:
        """Lots of offers of any round, by the offer of the same series and side of this one."""
        found: dict[str, int] = {}
        for offer_id, lots in lots_by_offer.items():
            if (quoted := self._read(offer_id)) is not None:
                own_id = self._offer_id(quoted.side, number)
                found[own_id] = found.get(own_id, 0) + lots
        return found

    def _round_at(self, now_us: int) -> int:
        return floor_div(now_us, self._spec.quote_us)

    def _firm_until_us(self, number: int) -> int:
        return number * self._spec.quote_us + self._spec.firm_us

    def _offer_id(self, side: _Side, number: int) -> str:
        return f"{self._spec.id}/{side.quote.series}/{side.side}/{number}"

    def _read(self, offer_id: str) -> _Quoted | None:
        _, series, name, number = (*offer_id.split("/"), "", "", "", "")[:4]
        side = self._sides.get((series, name))
        if side is None or not number.isdecimal() or len(number) > _DIGITS_MAX:
            return None
        is_ours = offer_id == self._offer_id(side, int(number))
        return _Quoted(side, int(number)) if is_ours else None

    def _end_lock(self, offer_id: str, lots: int) -> _Side:
        self._locks.end(offer_id, lots)
        quoted = self._read(offer_id)
        assert quoted is not None, "what is locked was quoted"
        quoted.side.locked -= lots
        self._shown = None
        return quoted.side
