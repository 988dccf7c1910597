"""Range pools: option AMMs whose price is linear in the lots sold, around a centre from the oracle.

**The curve.** A range makes a market in one series. It holds 2*lots lots, of which `lots` are sold when
the world begins. With x of them sold its price, in micro-USDC per lot, is

    curve(x) = centre - half_width + half_width * x / lots,        0 <= x <= 2 * lots

It is cut into 2*steps cells of equal size: boundary i is at floor(lots * i / steps), so sizes differ by
one lot at most, and a cell without lots is none. Each cell sells its lots at one price and buys them
back at another, both taken at its middle and rounded against the taker:

    ask = max(1, ceil(curve(middle) + half_spread))
    bid = floor(curve(middle) - half_spread)                       none where that is less than 1

Since the curve is linear, its middle gives the exact cost of a whole cell: the integral of
curve + half_spread over its lots, and less than one micro-USDC per lot from the rounding. Asks rise and
bids fall with the distance from where the range stands, so its cost is convex; at one centre, what a
position costs does not depend on the way to it, and every round trip loses.

**The oracle.** The centre is the mark of the instant at which the range last followed the oracle. It
follows at every multiple of `heartbeat_us`, and in between at the first look at which the mark is more
than `deviation_bps` of the centre away from it; until then it is stale. It looks at every round of the
oracle, or, where a heartbeat has more than `LOOKS_MAX` rounds, at as many of them, evenly spaced. So
the centre is a function of time alone.

**Deals.** The id of an offer names its price, so it is another offer once the centre has moved. A deal
that arrives with an old price still gets it while the cell's own price is no worse for the taker;
otherwise the leg is refused, and its order must be quoted again. What is pledged or locked of a cell,
at whatever price, is not offered at another.

**Outside flow** takes lots at the touch of a random series and side. An event that restores brings the
cell that has been off its start for longest back to it: arbitrage against the rest of the world.

Source: Premia v3 (price linear in size within a tick range); Chainlink data feeds (deviation threshold
and heartbeat).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Final, NamedTuple, Self

import msgspec
import numpy as np
from msgspec import Meta, Struct

from chains.snapshot import Offer, VenueTerms
from chains.units import BPS, WIRE_MAX, ceil_div, floor_div
from chains.venues.flow import FlowClock
from chains.venues.locks import Locks
from chains.venues.venue import Feed, VenueSpec, less_taken
from chains.wire import Count, Id, Positive

KIND: Final = "range_amm"
STEPS_MAX: Final = 64
"""Cells to either side of where a range begins."""

LOOKS_MAX: Final = 1_024
"""Looks at the oracle within one heartbeat."""

_DIGITS_MAX: Final = len(str(WIRE_MAX))
_BUY: Final = "buy"
_SELL: Final = "sell"


class Range(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """``[series, half_width, lots, half_spread]``: micro-USDC per lot, and lots to either side."""

    series: Id
    half_width: Count
    lots: Positive
    half_spread: Positive


class RangeAmmSpec(VenueSpec, frozen=True, kw_only=True, tag_field="kind", tag=KIND):
    """A range pool in a world file: its ranges, and when it follows the oracle."""

    ranges: tuple[Range, ...]
    steps: Annotated[int, Meta(ge=1, le=STEPS_MAX)] = 8
    deviation_bps: Count
    heartbeat_us: Positive

    @property
    def size(self) -> int:
        """How many cells the pool has."""
        return len(self.ranges) * 2 * self.steps

    def contradiction(self, listed: Collection[str]) -> tuple[str, object, str] | None:
        """See `VenueKind`."""
        seen: set[str] = set()
        for index, each in enumerate(self.ranges):
            field = f"ranges[{index}]"
            if each.series not in listed:
                return f"{field}.series", each.series, "is not a listed series"
            if each.series in seen:
                return f"{field}.series", each.series, "has a range already"
            if (each.half_width + each.half_spread) * each.lots > WIRE_MAX:
                return f"{field}.lots", each.lots, f"makes a range worth more than {WIRE_MAX} micro-USDC"
            seen.add(each.series)
        return None

    def with_series(self, renamed: Mapping[str, str]) -> Self:
        """See `VenueKind`."""
        ranges = tuple(msgspec.structs.replace(each, series=renamed[each.series]) for each in self.ranges)
        return msgspec.structs.replace(self, ranges=ranges)

    def open_venue(self, *, start_us: int, stream: np.random.Generator, feed: Feed) -> "RangeAmm":
        """See `VenueKind`."""
        return RangeAmm(self, start_us=start_us, stream=stream, feed=feed)


class CellPrices(NamedTuple):
    """What a cell asks and bids, in micro-USDC per lot; 0 where it does not."""

    ask: int
    bid: int


_NO_PRICES: Final = CellPrices(0, 0)


def cell_bounds(lots: int, steps: int) -> tuple[int, ...]:
    """The boundaries of the cells, in lots sold, rounded down: 2*steps + 1 of them."""
    return tuple(floor_div(lots * place, steps) for place in range(2 * steps + 1))


def cell_prices(each: Range, bounds: tuple[int, int], *, centre: int) -> CellPrices:
    """The prices of the cell between two boundaries, around a centre in micro-USDC per lot.

    None at all where the cell could be worth more than an integer on the wire holds.
    """
    twice_lots = 2 * each.lots
    offset = each.half_width * (sum(bounds) - twice_lots)
    ask = max(1, centre + each.half_spread + ceil_div(offset, twice_lots))
    bid = max(0, centre - each.half_spread + floor_div(offset, twice_lots))
    return CellPrices(ask, bid) if ask * (bounds[1] - bounds[0]) <= WIRE_MAX else _NO_PRICES


@dataclass(slots=True, kw_only=True)
class _Cell:
    """A cell that lives: `sold` of its `lots` are sold now, and some of either part are locked."""

    series: str
    number: int
    bounds: tuple[int, int]
    start: int
    sold: int
    locked_sell: int = 0
    locked_buy: int = 0
    prices: CellPrices = _NO_PRICES

    @property
    def lots(self) -> int:
        return self.bounds[1] - self.bounds[0]

    @property
    def key(self) -> tuple[str, int]:
        return self.series, self.number

    def price(self, side: str) -> int:
        return self.prices.ask if side == _SELL else self.prices.bid

    def is_no_worse(self, side: str, price: int) -> bool:
        """Whether the cell's own price is as good for the taker as this one."""
        own = self.price(side)
        return 0 < own <= price if side == _SELL else own >= price

    def free(self, side: str) -> int:
        if side == _SELL:
            return self.lots - self.sold - self.locked_sell
        return self.sold - self.locked_buy

    def lock(self, side: str, lots: int) -> None:
        if side == _SELL:
            self.locked_sell += lots
        else:
            self.locked_buy += lots

    def trade(self, side: str, lots: int) -> None:
        self.sold += lots if side == _SELL else -lots

    def restore(self) -> None:
        """Go back to the start as far as locked lots allow."""
        self.sold = min(max(self.start, self.locked_buy), self.lots - self.locked_sell)


@dataclass(slots=True, kw_only=True)
class _Pool:
    """A range that lives: its cells from the lower end up, and the mark that is its centre."""

    range: Range
    cells: tuple[_Cell, ...]
    centre: int | None = None
    followed_us: int = 0
    offers: tuple[Offer, ...] | None = None

    def follow(self, mark: int | None, now_us: int) -> None:
        self.followed_us = now_us
        if mark == self.centre:
            return
        self.centre, self.offers = mark, None
        for cell in self.cells:
            cell.prices = _NO_PRICES if mark is None else cell_prices(self.range, cell.bounds, centre=mark)

    def is_away(self, mark: int | None, *, deviation_bps: int) -> bool:
        if mark is None or self.centre is None:
            return mark is not self.centre
        return abs(mark - self.centre) * BPS > deviation_bps * self.centre

    def ladder(self, side: str) -> Iterator[_Cell]:
        """The cells of a side, best price first."""
        return iter(self.cells) if side == _SELL else reversed(self.cells)


class RangeAmm:
    """A live range pool; see `Venue` for what each method promises."""

    def __init__(self, spec: RangeAmmSpec, *, start_us: int, stream: np.random.Generator, feed: Feed) -> None:
        self._spec = spec
        self._feed = feed
        ranges = sorted(spec.ranges, key=lambda each: each.series)
        self._pools = {each.series: _open_pool(each, spec.steps) for each in ranges}
        self._cells = {
            (series, str(cell.number)): cell for series, pool in self._pools.items() for cell in pool.cells
        }
        self._looked_us: int | None = None
        self._locks = Locks()
        self._sides: list[tuple[_Pool, str]] = []
        self._off: dict[tuple[str, int], _Cell] = {}
        self._flow = FlowClock(spec.flow, start_us=start_us, stream=stream)
        self.delist(())

    @property
    def chain(self) -> str:
        """The chain the pool is on."""
        return self._spec.chain

    def terms(self, now_us: int) -> VenueTerms:
        """The pool as solvers see it now, as of the instant at which its stalest range followed."""
        self._follow(now_us)
        as_of_us = min((pool.followed_us for pool in self._pools.values()), default=now_us)
        return self._spec.terms(kind=KIND, as_of_us=as_of_us)

    def offers(self, now_us: int, pledged: Mapping[str, int]) -> tuple[Offer, ...]:
        """One offer for each side of a cell with free lots: by series, buys first, best price first."""
        self._follow(now_us)
        found: list[Offer] = []
        for pool in self._pools.values():
            if pool.offers is None:
                pool.offers = tuple(self._offers_of(pool))
            found += pool.offers
        return less_taken(tuple(found), self._at_own_prices(pledged))

    def most(self, offer_id: str) -> int:
        """The lots of the cell, at whatever price; 0 for a cell that is not there."""
        cell, _, _ = self._read(offer_id)
        return cell.lots if cell is not None else 0

    def lock(self, offer_id: str, lots: int, *, now_us: int) -> str:
        """Set free lots of a cell aside at the price of the offer, unless the cell's own is worse by now."""
        cell, side, price = self._read(offer_id)
        if cell is None or cell.series not in self._pools:
            return f"{offer_id} is on no range"
        self._follow(now_us)
        if not cell.is_no_worse(side, price):
            does = "asks" if side == _SELL else "bids"
            return f"{offer_id} is stale: the pool {does} {cell.price(side) or 'nothing'} by now"
        if cell.free(side) < lots:
            return f"{offer_id} has no {lots} free lots"
        cell.lock(side, lots)
        self._locks.add(offer_id, lots)
        self._changed(cell)
        return ""

    def unlock(self, offer_id: str, lots: int) -> None:
        """Give locked lots back."""
        self._end_lock(offer_id, lots)

    def consume(self, offer_id: str, lots: int) -> None:
        """Trade locked lots: the range moves along its curve."""
        cell, side = self._end_lock(offer_id, lots)
        cell.trade(side, lots)
        self._changed(cell)

    def next_flow_us(self) -> int | None:
        """When outside flow comes next."""
        return self._flow.next_us

    def apply_flow(self) -> None:
        """Restore the cell that has been off its start for longest, or take lots at a touch.

        The series and side are drawn evenly among all that are listed. Outside flow looks at no price.
        """
        event = self._flow.take()
        if event.restores:
            if self._off:
                cell = self._off.pop(next(iter(self._off)))
                cell.restore()
                self._changed(cell)
            return
        pool, side = self._sides[event.pick(len(self._sides))]
        touch = next((cell for cell in pool.ladder(side) if cell.free(side) > 0), None)
        if touch is not None:
            touch.trade(side, min(event.lots, touch.free(side)))
            self._changed(touch)

    def delist(self, series: Collection[str]) -> None:
        """Take series off the pool: their offers vanish; what is locked can still end."""
        self._pools = {name: pool for name, pool in self._pools.items() if name not in series}
        self._sides = [(pool, side) for pool in self._pools.values() for side in (_BUY, _SELL)]
        self._off = {key: cell for key, cell in self._off.items() if key[0] not in series}
        if not self._pools:
            self._flow.stop()

    def locked(self) -> Mapping[str, int]:
        """Lots locked for deals, by offer."""
        return self._locks.by_offer

    def violations(self) -> list[str]:
        """Cells of which more is locked than is there, or whose locks do not add up."""
        locks = self._at_own_prices(self._locks.by_offer)
        return [
            f"{own_id}: {cell.lots} lots, {cell.sold} sold, {locked} locked, deals have {has}"
            for cell in self._cells.values()
            for side, locked in ((_BUY, cell.locked_buy), (_SELL, cell.locked_sell))
            for own_id in (self._offer_id(cell, side, cell.price(side)),)
            for has in (locks.get(own_id, 0),)
            if locked != has or locked < 0 or cell.free(side) < 0
        ]

    def _follow(self, now_us: int) -> None:
        """Bring every centre to where it is at an instant."""
        if self._looked_us == now_us:
            return
        beat_us = floor_div(now_us, self._spec.heartbeat_us) * self._spec.heartbeat_us
        looked_us = self._looked_us
        if looked_us is None or not beat_us <= looked_us <= now_us:
            looked_us = beat_us
            for pool in self._pools.values():
                pool.follow(self._feed.mark(pool.range.series, now_us=beat_us), beat_us)
        round_us = self._feed.round_us
        step_us = round_us * ceil_div(self._spec.heartbeat_us, round_us * LOOKS_MAX)
        for look_us in range((floor_div(looked_us, step_us) + 1) * step_us, now_us + 1, step_us):
            for pool in self._pools.values():
                mark = self._feed.mark(pool.range.series, now_us=look_us)
                if pool.is_away(mark, deviation_bps=self._spec.deviation_bps):
                    pool.follow(mark, look_us)
        self._looked_us = now_us

    def _read(self, offer_id: str) -> tuple[_Cell | None, str, int]:
        """The cell, side and price that an offer's id names; no cell where it is no id of this pool."""
        _, series, side, number, price = (*offer_id.split("/"), "", "", "", "", "")[:5]
        cell = self._cells.get((series, number))
        if cell is None or side not in (_BUY, _SELL) or not price.isdecimal() or len(price) > _DIGITS_MAX:
            return None, side, 0
        is_ours = offer_id == self._offer_id(cell, side, int(price)) and int(price) > 0
        return (cell if is_ours else None), side, int(price)

    def _offer_id(self, cell: _Cell, side: str, price: int) -> str:
        return f"{self._spec.id}/{cell.series}/{side}/{cell.number}/{price}"

    def _offers_of(self, pool: _Pool) -> Iterator[Offer]:
        for side in (_BUY, _SELL):
            for cell in pool.ladder(side):
                price, lots = cell.price(side), cell.free(side)
                if price and lots > 0:
                    yield Offer(
                        id=self._offer_id(cell, side, price),
                        venue=self._spec.id,
                        series=cell.series,
                        side=side,
                        price=price,
                        lots=lots,
                    )

    def _at_own_prices(self, lots_by_offer: Mapping[str, int]) -> dict[str, int]:
        """Lots of offers at any price, by the offer of the same cell and side at the price of now."""
        found: dict[str, int] = {}
        for offer_id, lots in lots_by_offer.items():
            cell, side, _ = self._read(offer_id)
            if cell is not None:
                own_id = self._offer_id(cell, side, cell.price(side))
                found[own_id] = found.get(own_id, 0) + lots
        return found

    def _end_lock(self, offer_id: str, lots: int) -> tuple[_Cell, str]:
        self._locks.end(offer_id, lots)
        cell, side, _ = self._read(offer_id)
        assert cell is not None, "what is locked is on a cell"
        cell.lock(side, -lots)
        self._changed(cell)
        return cell, side

    def _changed(self, cell: _Cell) -> None:
        """Show the range of a cell anew; keep in mind which cells are off their start, the oldest first."""
        pool = self._pools.get(cell.series)
        if pool is not None:
            pool.offers = None
        if pool is not None and cell.sold != cell.start:
            self._off.setdefault(cell.key, cell)
        else:
            self._off.pop(cell.key, None)


def _open_pool(each: Range, steps: int) -> _Pool:
    bounds = cell_bounds(each.lots, steps)
    return _Pool(
        range=each,
        cells=tuple(
            _Cell(
                series=each.series,
                number=number,
                bounds=(low, high),
                start=high - low if number < steps else 0,
                sold=high - low if number < steps else 0,
            )
            for number, (low, high) in enumerate(pairwise(bounds))
            if low < high
        ),
    )
