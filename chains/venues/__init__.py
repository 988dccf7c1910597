"""Venues: where the lots are.

Each kind is one file with the spec that a world file holds and the live venue that it opens; the
union below is the one place where it is registered. What kinds have in common is in `venue` (what the
world asks of them), `flow` (everybody else who trades there) and `locks` (what deals have locked).
"""

from typing import TypeAlias

from chains.venues.flow import Flow
from chains.venues.order_book import OrderBookSpec
from chains.venues.range_amm import RangeAmmSpec
from chains.venues.rfq import RfqSpec
from chains.venues.stock import StockSpec
from chains.venues.venue import Venue, VenueSpec

AnyVenueSpec: TypeAlias = OrderBookSpec | RangeAmmSpec | RfqSpec | StockSpec
"""Every kind of venue that a world file may hold, told apart by its field ``kind``."""

__all__ = ["AnyVenueSpec", "Flow", "Venue", "VenueSpec"]
