"""What is measured of a book, series alike together: how wide it is, how large, and how steep.

Series are alike if they have the same underlying and lie in the same range of days to expiry and of the
size of their delta. For each such *bucket* there are

    half_spread   of series with levels on both sides: half of the distance between the best two, up
    touch_lots    of each side of a series that has levels: the lots of the best level
    walk_lots     of each side: half of all its lots, at least 1
    walk_width    of each side: how far the price lies from the best level when walk_lots are taken

all in micro-USDC per lot or in lots, and each as the lower median of its samples. The median ignores the
far levels at which nobody trades; half of a side's lots stay clear of them too. Where a bucket has fewer
than `SAMPLES_MIN` samples, those of the same delta at every tenor take their place, and where these are
too few, all of the underlying.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from chains.calibration.market import MarketBook, ModelView, SeriesBook, Step, lower_median, model_views
from chains.series import Series
from chains.units import MICRO, ceil_div, floor_div

TENOR_EDGES_DAYS: Final = (2, 10, 40, 130)
DELTA_EDGES_BPS: Final = (500, 2_000, 4_000, 6_000, 8_000)
SAMPLES_MIN: Final = 3

_DAY_US: Final = 86_400 * MICRO

Bucket: TypeAlias = tuple[str, int, int]
"""An underlying, and the numbers of a tenor range and of a delta range."""


class Measured(NamedTuple):
    """The figures of a bucket, in micro-USDC per lot and in lots."""

    half_spread: int
    touch_lots: int
    walk_lots: int
    walk_width: int


class Measurements:
    """Everything measured of one market, and the model's view of its series."""

    def __init__(self, market: MarketBook) -> None:
        self._taken_us = market.taken_us
        self._views = model_views(market)
        self._half_spread, self._touch, self._lots, self._width = (_Samples() for _ in range(4))
        for book in market.books:
            self._take(book)

    def view(self, series: Series) -> ModelView:
        """The model's view of a series."""
        return self._views[series]

    def tenor_days(self, series: Series) -> int:
        """Whole days from the market's instant to the expiry."""
        return floor_div(series.expiry_us - self._taken_us, _DAY_US)

    def bucket(self, series: Series) -> Bucket:
        """The bucket of a series."""
        return (
            series.underlying,
            bisect_right(TENOR_EDGES_DAYS, self.tenor_days(series)),
            bisect_right(DELTA_EDGES_BPS, self._views[series].delta_bps),
        )

    def of(self, series: Series) -> Measured | None:
        """The figures of a series' bucket; None where its whole underlying has no two-sided book."""
        bucket = self.bucket(series)
        if not self._half_spread.has(bucket):
            return None
        return Measured(
            half_spread=self._half_spread.median(bucket),
            touch_lots=self._touch.median(bucket),
            walk_lots=self._lots.median(bucket),
            walk_width=self._width.median(bucket),
        )

    def _take(self, book: SeriesBook) -> None:
        bucket = self.bucket(book.series)
        if book.buys and book.sells:
            self._half_spread.add(bucket, ceil_div(book.sells[0].price - book.buys[0].price, 2))
        for ladder in book.ladders:
            lots, width = _walk_half(ladder)
            self._touch.add(bucket, ladder[0].lots)
            self._lots.add(bucket, lots)
            self._width.add(bucket, width)


class _Samples:
    """Samples by bucket, with the wider pools that stand in for buckets with few."""

    def __init__(self) -> None:
        self._pools: dict[tuple[object, ...], list[int]] = {}
        self._medians: dict[Bucket, int] = {}

    def add(self, bucket: Bucket, value: int) -> None:
        for pool in _pools(bucket):
            self._pools.setdefault(pool, []).append(value)

    def has(self, bucket: Bucket) -> bool:
        return _pools(bucket)[-1] in self._pools

    def median(self, bucket: Bucket) -> int:
        if bucket not in self._medians:
            *narrow, widest = (self._pools.get(pool, []) for pool in _pools(bucket))
            chosen = next((pool for pool in narrow if len(pool) >= SAMPLES_MIN), widest)
            self._medians[bucket] = lower_median(chosen)
        return self._medians[bucket]


def _pools(bucket: Bucket) -> tuple[tuple[object, ...], ...]:
    """The pools that a bucket's samples belong to, the narrowest first."""
    underlying, _, delta = bucket
    return bucket, ("delta", underlying, delta), ("all", underlying)


def _walk_half(ladder: Sequence[Step]) -> tuple[int, int]:
    """Half of a side's lots, and the distance of the price from the best level when they are taken."""
    lots = max(1, floor_div(sum(step.lots for step in ladder), 2))
    left = lots
    for step in ladder:
        left -= step.lots
        if left <= 0:
            break
    return lots, abs(step.price - ladder[0].price)
