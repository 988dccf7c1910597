"""Range pools, RFQ makers and solver stock in as few words as a readable test needs."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from chains.snapshot import Offer, StockQuote
from chains.units import MICRO
from chains.venues import Venue
from chains.venues.range_amm import Range, RangeAmmSpec
from chains.venues.rfq import RfqQuote, RfqSpec
from chains.venues.stock import StockSpec
from chains.venues.venue import Feed, VenueKind
from tests.worlds import NO_FLOW, START_US

_TERMS: dict[str, Any] = {"fee_touch": 50, "fee_per_lot": 5, "max_lock_us": 600 * MICRO}


def make_pool(chain: str, ranges: Iterable[tuple[str, int, int, int]], **changes: Any) -> RangeAmmSpec:
    """A pool ``<chain>-pool`` of (series, half width, lots, half spread), two cells to either side."""
    terms = _TERMS | {
        "id": f"{chain}-pool",
        "flow": NO_FLOW,
        "ranges": tuple(
            Range(series=series, half_width=half_width, lots=lots, half_spread=half_spread)
            for series, half_width, lots, half_spread in ranges
        ),
        "steps": 2,
        "deviation_bps": 100,
        "heartbeat_us": 60 * MICRO,
    }
    return RangeAmmSpec(chain=chain, **terms | changes)


def make_maker(chain: str, quotes: Iterable[tuple[str, int, int]], **changes: Any) -> RfqSpec:
    """A maker ``<chain>-rfq`` of (series, half spread, lots), anew every 5 s and firm for 40 s."""
    terms = _TERMS | {
        "id": f"{chain}-rfq",
        "flow": NO_FLOW,
        "quotes": tuple(
            RfqQuote(series=series, half_spread=half_spread, lots=lots)
            for series, half_spread, lots in quotes
        ),
        "quote_us": 5 * MICRO,
        "firm_us": 40 * MICRO,
    }
    return RfqSpec(chain=chain, **terms | changes)


def make_stock(chain: str, holdings: dict[str, int], **changes: Any) -> StockSpec:
    """The stock ``<chain>-stock`` of the solver ``maker``."""
    terms = _TERMS | {"id": f"{chain}-stock", "solver": "maker", "holdings": tuple(holdings.items())}
    return StockSpec(chain=chain, **terms | changes)


def make_quote(series: str, side: str, price: int, lots: int) -> StockQuote:
    return StockQuote(series=series, side=side, price=price, lots=lots)


def open_live(spec: VenueKind, feed: Feed, *, seed: int = 0) -> Venue:
    """The live venue at `START_US`."""
    return spec.open_venue(start_us=START_US, stream=np.random.Generator(np.random.PCG64(seed)), feed=feed)


def shown(venue: Venue, now_us: int = START_US, pledged: dict[str, int] | None = None) -> dict[str, Offer]:
    """What a venue offers, by id."""
    return {offer.id: offer for offer in venue.offers(now_us, pledged or {})}
