"""How a measured book is divided over order books: every level goes whole to exactly one venue.

A venue lists a series with some probability if it lies in its field; a series that no venue lists goes
to the first one. Then every level goes to one of the venues that list its series, all with the same
chance. One generator makes all draws: venue by venue over the series in their order, then level by level
over the series in their order (buys first, best first). So strikes next to each other can often be had
at one venue, at a price, while the best prices of a package's legs lie on several venues and chains.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from chains.calibration.market import MarketBook
from chains.network import BookFigures
from chains.series import Series
from chains.units import MICRO, floor_div
from chains.venues.order_book import Level

_DAY_US = 86_400 * MICRO


def split_book(
    market: MarketBook, venues: Sequence[BookFigures], *, stream: np.random.Generator
) -> dict[str, tuple[Level, ...]]:
    """The levels of each venue: all together are exactly those of the market."""
    listing: dict[str, list[str]] = {str(book.series.id): [] for book in market.books}
    for venue in venues:
        for book in market.books:
            is_drawn = int(stream.integers(100)) < venue.listed_percent
            if is_drawn and _is_in_field(venue, book.series, market):
                listing[book.series.id].append(venue.id)
    books: dict[str, list[Level]] = {venue.id: [] for venue in venues}
    for level in market_levels(market):
        ids = listing[level.series] or [venues[0].id]
        books[ids[int(stream.integers(len(ids)))]].append(level)
    return {venue: tuple(levels) for venue, levels in books.items()}


def market_levels(market: MarketBook) -> Iterator[Level]:
    """All levels of a market in their order: by series, buys first, best first."""
    for book in market.books:
        name = str(book.series.id)
        for step in book.buys:
            yield Level(series=name, side="buy", price=step.price, lots=step.lots)
        for step in book.sells:
            yield Level(series=name, side="sell", price=step.price, lots=step.lots)


def _is_in_field(venue: BookFigures, series: Series, market: MarketBook) -> bool:
    days = floor_div(series.expiry_us - market.taken_us, _DAY_US)
    forward = market.forward(series)
    distance = abs(series.strike * MICRO - forward) * 100
    return (
        venue.tenor_days[0] <= days < venue.tenor_days[1]
        and series.kind.value in venue.kinds
        and venue.far * forward <= distance <= venue.near * forward
    )
