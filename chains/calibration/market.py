"""A measured option market in linear USDC: what a world is made from.

A market has one book per series, in the order of `Series` (underlying, expiry, strike, kind), a
volatility for every mark and one forward per underlying and expiry. The model's view of a series is the
Black-76 mark that the world's oracle will publish at that instant, and the size of its delta; both are
rounded to integers here, so that nothing after them is a float.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from chains.black76 import greeks, years_between
from chains.series import OptionKind, Series
from chains.units import BPS, MICRO

ExpiryKey: TypeAlias = tuple[str, int]
"""An underlying and an expiry in seconds."""


class Step(NamedTuple):
    """One level of a book: micro-USDC per lot, and lots."""

    price: int
    lots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesBook:
    """One series: the volatility of its mark (1 is 0.01 %), and its levels, best first."""

    series: Series
    iv_bps: int
    buys: tuple[Step, ...]
    sells: tuple[Step, ...]

    @property
    def ladders(self) -> tuple[tuple[Step, ...], ...]:
        """The sides that have levels."""
        return tuple(side for side in (self.buys, self.sells) if side)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketBook:
    """A market at an instant: forwards in micro-USD per coin, books by series."""

    taken_us: int
    forwards: Mapping[ExpiryKey, int]
    books: tuple[SeriesBook, ...]

    def forward(self, series: Series) -> int:
        """The forward of a series' expiry, in micro-USD per coin."""
        return self.forwards[series.underlying, series.expiry]


class ModelView(NamedTuple):
    """What the model says of a series: its mark in micro-USDC per lot, and the size of its delta in bps."""

    mark: int
    delta_bps: int


def model_views(market: MarketBook) -> dict[Series, ModelView]:
    """The model's view of every series at the instant of the market."""
    listed = [book.series for book in market.books]
    answer = greeks(
        np.array([market.forward(series) for series in listed], dtype=np.float64) / MICRO,
        np.array([series.strike for series in listed], dtype=np.float64),
        years_between(market.taken_us, np.array([series.expiry_us for series in listed], dtype=np.int64)),
        np.array([book.iv_bps for book in market.books], dtype=np.float64) / BPS,
        np.array([series.kind is OptionKind.CALL for series in listed], dtype=np.bool_),
    )
    return {
        series: ModelView(
            mark=round(price * MICRO * series.lot_size[0] / series.lot_size[1]),
            delta_bps=round(abs(delta) * BPS),
        )
        for series, price, delta in zip(listed, answer.price.tolist(), answer.delta.tolist(), strict=True)
    }


def lower_median(values: Sequence[int]) -> int:
    """The median; of an even number of values the lower of the middle two."""
    return sorted(values)[(len(values) - 1) // 2]
