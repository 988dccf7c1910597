"""A world made of a measured market: the reference network with the market spread over its venues.

The order books together hold exactly the measured levels. The pools and makers hold derived depth beside
them. Venues that would list nothing are left out. The world starts at the instant of the market; one
numpy PCG64 generator with the given seed draws which venue lists what and which level goes where, the
order books first.
"""

from collections.abc import Iterator

import numpy as np

from chains.calibration.market import MarketBook
from chains.calibration.quoting import Quoters
from chains.calibration.splitting import split_book
from chains.network import (
    BOOKS,
    HUB,
    MAKERS,
    MAX_LOCK_US,
    POOLS,
    BookFigures,
    bridge_terms,
    chain_terms,
)
from chains.venues import AnyVenueSpec
from chains.venues.order_book import Level, OrderBookSpec
from chains.world_file import Forward, Listing, SeriesListing, WorldSpec

ROLL_DAYS = 7
"""Strikes of an expiry that passes are listed again a week later."""

DERIVED = (
    "Measured: the levels of the order books, the volatilities and the forwards; the order books together "
    "hold every level exactly once, and which venue holds it is drawn from the seed. "
    "Derived: the ranges of the pools and the quotes of the makers; they are depth beside the measured "
    "book, as wide, as large and as steep as its medians by tenor and delta say (times percentages of "
    "the scenario), and each trades around the model's mark. "
    "Assumed: chains, bridges, fees and lock limits (chains/network.py)."
)
"""What every world made here says of its own figures, after the provenance of the market."""


def build_world(market: MarketBook, *, name: str, provenance: str, seed: int) -> WorldSpec:
    """The world of a market; the seed decides only which venue has what."""
    venues = tuple(_venues(market, stream=np.random.Generator(np.random.PCG64(seed))))
    return WorldSpec(
        name=name,
        provenance=f"{provenance} {DERIVED}",
        start_us=market.taken_us,
        hub=HUB,
        chains=chain_terms(),
        bridges=bridge_terms(),
        venues=tuple(venue for venue in venues if venue.size),
        series=tuple(SeriesListing(id=book.series.id, iv_bps=book.iv_bps) for book in market.books),
        forwards=tuple(
            Forward(underlying=underlying, expiry=expiry, price=price)
            for (underlying, expiry), price in sorted(market.forwards.items())
        ),
        listing=Listing(roll_days=ROLL_DAYS),
    )


def _venues(market: MarketBook, *, stream: np.random.Generator) -> Iterator[AnyVenueSpec]:
    books = split_book(market, BOOKS, stream=stream)
    yield from (_order_book(figures, books[figures.id]) for figures in BOOKS)
    quoters = Quoters(market, stream=stream)
    yield from (quoters.pool(figures) for figures in POOLS)
    yield from (quoters.maker(figures) for figures in MAKERS)


def _order_book(figures: BookFigures, levels: tuple[Level, ...]) -> OrderBookSpec:
    return OrderBookSpec(
        id=figures.id,
        chain=figures.chain,
        fee_touch=figures.fee_touch,
        fee_per_lot=figures.fee_per_lot,
        max_lock_us=MAX_LOCK_US,
        levels=levels,
    )
