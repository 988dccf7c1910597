"""Derived depth: what range pools and RFQ makers quote, from the medians of the measured book.

A pool or maker lists a series with some probability if it lies in its field and the measured book says
anything about series like it. With the figures of the series' bucket (`chains.calibration.measuring`)
and the venue's percentages,

    maker   half_spread = median half-spread * spread_percent,  lots = median touch_lots * lots_percent
    pool    half_spread likewise,  lots = median walk_lots * lots_percent,  half_width = median walk_width

so that a pool is 100 / `lots_percent` times as steep as the book that it was measured on. Spreads round
up, lots down (to at least 1). Both quote around the oracle's mark, and nobody quotes through the measured
book: where the mark lies so far to one side that the quote would come within a tenth of the half-spread
of the best opposite level of the source, or beyond it, the half-spread is widened to keep that distance.
So at the instant of the market no derived quote crosses any level.

One generator makes all draws, venue by venue over the series in their order.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from chains.calibration.market import MarketBook, SeriesBook
from chains.calibration.measuring import Measured, Measurements
from chains.network import MAX_LOCK_US, POOL_STEPS, MakerFigures, PoolFigures, QuoterFigures
from chains.units import MICRO, ceil_div, floor_div
from chains.venues.range_amm import Range, RangeAmmSpec
from chains.venues.rfq import RfqQuote, RfqSpec

_DISTANCE_PARTS = 10
"""A quote keeps one part in so many of its half-spread away from the measured book."""


class _Listed(NamedTuple):
    series: str
    measured: Measured
    half_spread: int


class Quoters:
    """Makes the pools and makers of one market from one generator, in the order of the calls."""

    def __init__(self, market: MarketBook, *, stream: np.random.Generator) -> None:
        self._market = market
        self._measured = Measurements(market)
        self._stream = stream

    def pool(self, figures: PoolFigures) -> RangeAmmSpec:
        """A range pool with a range for each series that it lists."""
        quoter = figures.quoter
        return RangeAmmSpec(
            id=quoter.id,
            chain=quoter.chain,
            fee_touch=quoter.fee_touch,
            fee_per_lot=quoter.fee_per_lot,
            max_lock_us=MAX_LOCK_US,
            steps=POOL_STEPS,
            deviation_bps=figures.deviation_bps,
            heartbeat_us=figures.heartbeat_s * MICRO,
            ranges=tuple(
                Range(
                    series=listed.series,
                    half_width=listed.measured.walk_width,
                    lots=_percent(listed.measured.walk_lots, quoter.lots_percent),
                    half_spread=listed.half_spread,
                )
                for listed in self._listed(quoter)
            ),
        )

    def maker(self, figures: MakerFigures) -> RfqSpec:
        """An RFQ maker with a quote for each series that it lists."""
        quoter = figures.quoter
        return RfqSpec(
            id=quoter.id,
            chain=quoter.chain,
            fee_touch=quoter.fee_touch,
            fee_per_lot=quoter.fee_per_lot,
            max_lock_us=MAX_LOCK_US,
            quote_us=figures.quote_s * MICRO,
            firm_us=figures.firm_s * MICRO,
            quotes=tuple(
                RfqQuote(
                    series=listed.series,
                    half_spread=listed.half_spread,
                    lots=_percent(listed.measured.touch_lots, quoter.lots_percent),
                )
                for listed in self._listed(quoter)
            ),
        )

    def _listed(self, quoter: QuoterFigures) -> Iterator[_Listed]:
        """The series that a venue lists, with what it makes of their buckets."""
        for book in self._market.books:
            is_drawn = int(self._stream.integers(100)) < quoter.listed_percent
            measured = self._measured.of(book.series)
            if is_drawn and measured is not None and self._is_in_field(quoter, book):
                half_spread = ceil_div(measured.half_spread * quoter.spread_percent, 100)
                widened = self._widened(book, max(1, half_spread))
                yield _Listed(series=str(book.series.id), measured=measured, half_spread=widened)

    def _is_in_field(self, quoter: QuoterFigures, book: SeriesBook) -> bool:
        days = self._measured.tenor_days(book.series)
        delta_bps = self._measured.view(book.series).delta_bps
        return (
            quoter.tenor_days[0] <= days < quoter.tenor_days[1]
            and quoter.delta_percent[0] * 100 <= delta_bps < quoter.delta_percent[1] * 100
        )

    def _widened(self, book: SeriesBook, half_spread: int) -> int:
        """The half-spread that does not quote through the measured book."""
        mark = self._measured.view(book.series).mark
        distance = ceil_div(half_spread, _DISTANCE_PARTS)
        beyond = [half_spread]
        if book.buys:
            beyond.append(book.buys[0].price - mark + distance)
        if book.sells:
            beyond.append(mark - book.sells[0].price + distance)
        return max(beyond)


def _percent(lots: int, percent: int) -> int:
    return max(1, floor_div(lots * percent, 100))
