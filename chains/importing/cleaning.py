"""Cleaning market data: which rows are left out of a market, and the one reason for each of them.

The market is that of one instant: the newest timestamp in either file. A row is dropped, in this order,
if it names no series, is not the newest of its instrument, is too old, or its series has expired by
then; a level also if nothing of it could be traded, or its price is there already.

Then, once every expiry has a forward, levels that cannot be true are dropped: with the price p of a coin
of options in coins, strike K and forward F, an ask below the intrinsic value (1 - K/F of a call, K/F - 1
of a put) or a bid above the most that the option can ever be worth (1 of a call, K/F of a put), for
either would be money for nothing. An ask above that is only useless, and stays. And while the best bid
is at or above the best ask of its series, the one further from the series' mark is dropped, or both
where they are equally far or the series has no mark.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from chains.documented import DocumentedEnum
from chains.errors import MarketDataError, SeriesError
from chains.importing.rows import LevelRow, MarketRows, MarkRow
from chains.series import OptionKind, Series, parse_series
from chains.units import COIN, MICRO, ceil_div, floor_div

Row = TypeVar("Row", LevelRow, MarkRow)


class DropReason(DocumentedEnum):
    """Why a row is left out."""

    NOT_A_SERIES = "not_a_series", "the instrument is not an option series that a world can list"
    SUPERSEDED = "superseded", "the file has a newer row of the instrument"
    STALE = "stale", "the row is older than the newest one by more than the limit"
    EXPIRED = "expired", "the series has expired by the time of the newest row"
    EMPTY = "empty", "the price is zero, or the size is less than one lot"
    DUPLICATE = "duplicate", "the file has the same price of the series already, or the same mark"
    NO_FORWARD = "no_forward", "nothing in the data says what the forward of its expiry is"
    BEYOND_BOUNDS = "beyond_bounds", "an ask below the intrinsic value, or a bid above the highest value"
    CROSSED = "crossed", "the best bid is at or above the best ask, and this one is further from the mark"
    TOO_LARGE = "too_large", "price times size leaves the integers of the market (2^53)"
    NO_VOLATILITY = "no_volatility", "nothing in the data says what the volatility of its underlying is"


class Dropped(NamedTuple):
    """A row that was left out: its file's kind (`levels` or `marks`), its number and its instrument."""

    reason: DropReason
    file: str
    row: int
    instrument: str


class DropLog:
    """What was left out, in order."""

    def __init__(self) -> None:
        self.dropped: list[Dropped] = []

    def drop(self, reason: DropReason, row: LevelRow | MarkRow) -> None:
        """Leave a row out."""
        file = "levels" if isinstance(row, LevelRow) else "marks"
        self.dropped.append(Dropped(reason, file, row.row, row.instrument))

    def counts(self) -> dict[DropReason, int]:
        """How many rows were left out for each reason; reasons without rows are left out."""
        counted = Counter(each.reason for each in self.dropped)
        return {reason: counted[reason] for reason in DropReason if counted[reason]}


@dataclass(slots=True, kw_only=True)
class Quotes:
    """What is left of one series: its mark row, and its levels, best first."""

    series: Series
    mark: MarkRow | None = None
    bids: list[LevelRow] = field(default_factory=list)
    asks: list[LevelRow] = field(default_factory=list)

    @property
    def rows(self) -> list[LevelRow | MarkRow]:
        """All rows of the series."""
        return [*([self.mark] if self.mark else []), *self.bids, *self.asks]


class CleanMarket(NamedTuple):
    """The instant of a market in milliseconds, and what is left of each series, in their order."""

    taken_ms: int
    quotes: tuple[Quotes, ...]


def clean_rows(rows: MarketRows, *, max_age_ms: int, log: DropLog) -> CleanMarket:
    """Keep the rows of one instant that could be traded.

    Raises
    ------
    MarketDataError
        If no row is left.
    """
    named = _parse_names(rows)
    levels = _drop(rows.levels, DropReason.NOT_A_SERIES, log, lambda row: row.instrument in named)
    marks = _drop(rows.marks, DropReason.NOT_A_SERIES, log, lambda row: row.instrument in named)
    stamps = [*(row.timestamp_ms for row in levels), *(row.timestamp_ms for row in marks)]
    taken_ms = max(stamps, default=0)
    quotes = {series: Quotes(series=series) for series in sorted(set(named.values()))}
    times = _Times(named=named, taken_ms=taken_ms, max_age_ms=max_age_ms, log=log)
    for mark in times.current(marks):
        of_series = quotes[named[mark.instrument]]
        if of_series.mark is None:
            of_series.mark = mark
        else:
            log.drop(DropReason.DUPLICATE, mark)
    seen: set[tuple[str, str, int]] = set()
    for level in times.current(levels):
        _add_level(quotes[named[level.instrument]], level, seen=seen, log=log)
    for each in quotes.values():
        each.bids.sort(key=lambda level: -level.price)
        each.asks.sort(key=lambda level: level.price)
    left = tuple(each for each in quotes.values() if each.rows)
    if not left:
        raise MarketDataError(f"no row is left of the market: {describe(log.counts())}")
    return CleanMarket(taken_ms=taken_ms, quotes=left)


def drop_impossible(
    quotes: Iterable[Quotes], forwards: Mapping[tuple[str, int], int], *, log: DropLog
) -> None:
    """Drop what cannot be true, given the forward (micro-USD) of each (underlying, expiry) that has one."""
    for each in quotes:
        series = each.series
        expiry_forward = forwards.get((series.underlying, series.expiry))
        if expiry_forward is None:
            drop_all(each, DropReason.NO_FORWARD, log=log)
            continue
        least, most = _bounds(series, row_forward(each, expiry_forward))
        each.asks = _drop(each.asks, DropReason.BEYOND_BOUNDS, log, _at_least(least))
        each.bids = _drop(each.bids, DropReason.BEYOND_BOUNDS, log, _at_most(most))
        _uncross(each, log=log)


def _at_least(price: int) -> Callable[[LevelRow], bool]:
    return lambda row: row.price >= price


def _at_most(price: int) -> Callable[[LevelRow], bool]:
    return lambda row: row.price <= price


def drop_all(quotes: Quotes, reason: DropReason, *, log: DropLog) -> None:
    """Leave a whole series out."""
    for row in quotes.rows:
        log.drop(reason, row)
    quotes.mark = None
    quotes.bids, quotes.asks = [], []


def row_forward(quotes: Quotes, expiry_forward: int) -> int:
    """The forward at the instant of a series' rows: its own mark's, or else that of its expiry."""
    own = quotes.mark.forward if quotes.mark is not None else None
    return own if own is not None else expiry_forward


def lots_of(series: Series, size: int) -> int:
    """Whole lots in a size of 1e-8 coins."""
    numerator, denominator = series.lot_size
    return floor_div(size * denominator, numerator * COIN)


def describe(counts: Mapping[DropReason, int]) -> str:
    """Counts of dropped rows in one line."""
    return ", ".join(f"{reason.value} {count}" for reason, count in counts.items()) or "none"


def _parse_names(rows: MarketRows) -> dict[str, Series]:
    """The series of every instrument that names one."""
    named: dict[str, Series] = {}
    names = [*(row.instrument for row in rows.levels), *(row.instrument for row in rows.marks)]
    for name in dict.fromkeys(names):
        with suppress(SeriesError):
            named[name] = parse_series(name)
    return named


def _drop(rows: Iterable[Row], reason: DropReason, log: DropLog, is_kept: Callable[[Row], bool]) -> list[Row]:
    kept = []
    for row in rows:
        if is_kept(row):
            kept.append(row)
        else:
            log.drop(reason, row)
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """Which rows belong to the instant of the market."""

    named: Mapping[str, Series]
    taken_ms: int
    max_age_ms: int
    log: DropLog

    def current(self, rows: Sequence[Row]) -> list[Row]:
        """The newest rows of each instrument, unless they are too old or the series has expired."""
        newest: dict[str, int] = {}
        for row in rows:
            newest[row.instrument] = max(row.timestamp_ms, newest.get(row.instrument, 0))
        left = _drop(
            rows, DropReason.SUPERSEDED, self.log, lambda row: row.timestamp_ms == newest[row.instrument]
        )
        left = _drop(
            left, DropReason.STALE, self.log, lambda row: self.taken_ms - row.timestamp_ms <= self.max_age_ms
        )
        return _drop(
            left,
            DropReason.EXPIRED,
            self.log,
            lambda row: self.named[row.instrument].expiry_us > self.taken_ms * 1_000,
        )


def _add_level(quotes: Quotes, level: LevelRow, *, seen: set[tuple[str, str, int]], log: DropLog) -> None:
    key = (level.instrument, level.side, level.price)
    if level.price == 0 or lots_of(quotes.series, level.size) == 0:
        log.drop(DropReason.EMPTY, level)
    elif key in seen:
        log.drop(DropReason.DUPLICATE, level)
    else:
        seen.add(key)
        (quotes.bids if level.side == "bid" else quotes.asks).append(level)


def _bounds(series: Series, forward: int) -> tuple[int, int]:
    """The least and the most that an option can be worth, in 1e-8 coins per coin of options, rounded out.

    The forward is in micro-USD.
    """
    strike = series.strike * MICRO
    if series.kind is OptionKind.CALL:
        return max(0, floor_div((forward - strike) * COIN, forward)), COIN
    return max(0, floor_div((strike - forward) * COIN, forward)), ceil_div(strike * COIN, forward)


def _uncross(quotes: Quotes, *, log: DropLog) -> None:
    mark = quotes.mark.mark_price if quotes.mark is not None else None
    bids, asks, bid, ask = quotes.bids, quotes.asks, 0, 0
    while bid < len(bids) and ask < len(asks) and bids[bid].price >= asks[ask].price:
        bid_off = abs(bids[bid].price - mark) if mark is not None else 0
        ask_off = abs(asks[ask].price - mark) if mark is not None else 0
        if bid_off >= ask_off:
            log.drop(DropReason.CROSSED, bids[bid])
            bid += 1
        if ask_off >= bid_off:
            log.drop(DropReason.CROSSED, asks[ask])
            ask += 1
    quotes.bids, quotes.asks = bids[bid:], asks[ask:]
