"""Venues: where the lots are.

Each kind is one file with the spec that a world file holds and the live venue that it opens; the
union below is the one place where it is registered.
"""

from typing import TypeAlias

from chains.venues.flow import Flow
from chains.venues.order_book import OrderBookSpec
from chains.venues.venue import Venue, VenueSpec

AnyVenueSpec: TypeAlias = OrderBookSpec
"""Every kind of venue that a world file may hold, told apart by its field ``kind``."""

__all__ = ["AnyVenueSpec", "Flow", "Venue", "VenueSpec"]
