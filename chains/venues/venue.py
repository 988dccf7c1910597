"""What every venue is: the part of a world file that describes one, and what the world asks of it.

A venue turns whatever it holds into offers, and the id of each begins with the venue's own and a slash.
A deal *pledges* lots of an offer when it is handed in: the venue hears of that only as what it must
not offer again. On the chain the deal's leg *locks* them, and later consumes or unlocks them. An offer
may have changed or gone by then: what an id stands for, and whether it can still be locked, is the
venue's own rule, which its module states.

All the rest of the world trades there too, as *outside flow*: events at random instants from the
venue's own stream of random numbers, so that nothing else can disturb them. What a venue shows is a
function of its history and of time, never of who looked at it when.
"""

from collections.abc import Collection, Mapping
from typing import Protocol, Self

import msgspec
import numpy as np

from chains.snapshot import Offer, VenueTerms
from chains.venues.flow import Flow
from chains.wire import Count, Id, Positive, Wire


def venue_of(offer_id: str) -> str:
    """The venue whose offer this is: the part of the id before the first slash."""
    return offer_id.partition("/")[0]


def less_taken(offers: tuple[Offer, ...], taken: Mapping[str, int]) -> tuple[Offer, ...]:
    """Offers without the lots that are taken of each, by id; those of which nothing is left are left out."""
    if not taken:
        return offers
    return tuple(
        offer if lots == offer.lots else msgspec.structs.replace(offer, lots=lots)
        for offer in offers
        if (lots := offer.lots - taken.get(offer.id, 0)) > 0
    )


class VenueSpec(Wire, frozen=True, kw_only=True):
    """What a world file says of every venue; each kind adds its own fields and its tag ``kind``."""

    id: Id
    chain: Id
    fee_touch: Count
    fee_per_lot: Count
    max_lock_us: Positive
    flow: Flow = Flow()

    def terms(self, *, kind: str, as_of_us: int) -> VenueTerms:
        """The venue as solvers see it."""
        return VenueTerms(
            id=self.id,
            chain=self.chain,
            kind=kind,
            fee_touch=self.fee_touch,
            fee_per_lot=self.fee_per_lot,
            as_of_us=as_of_us,
            max_lock_us=self.max_lock_us,
        )


class Feed(Protocol):
    """The oracle as venues read it: marks in integers, as a function of time alone."""

    @property
    def round_us(self) -> int:
        """A new round begins at every multiple of this, in microseconds."""
        ...

    def mark(self, series: str, *, now_us: int) -> int | None:
        """The mark of the newest round at an instant, in micro-USDC per lot, rounded to nearest.

        None for a series that is not listed.
        """
        ...


class VenueKind(Protocol):
    """What the spec of each kind can do beside holding its fields."""

    @property
    def size(self) -> int:
        """How many entries (levels, quotes, ranges) it holds; a world file bounds their sum."""
        ...

    def contradiction(self, listed: Collection[str]) -> tuple[str, object, str] | None:
        """(field, value, why) of the first contradiction within the venue; `listed` series exist."""
        ...

    def with_series(self, renamed: Mapping[str, str]) -> Self:
        """The same venue with its series renamed."""
        ...

    def open_venue(self, *, start_us: int, stream: np.random.Generator, feed: Feed) -> "Venue":
        """The live venue at the start of a world; `feed` is the oracle."""
        ...


class Venue(Protocol):
    """A live venue."""

    @property
    def chain(self) -> str:
        """The chain it is on."""
        ...

    def terms(self, now_us: int) -> VenueTerms:
        """The venue as solvers see it now."""
        ...

    def offers(self, now_us: int, pledged: Mapping[str, int]) -> tuple[Offer, ...]:
        """Every offer with free lots, in a fixed order.

        `pledged` is what deals are on their way to lock, in lots by id of this venue's offers, older
        ones included: it is not free.
        """
        ...

    def most(self, offer_id: str) -> int:
        """The most lots this offer can ever have: 0 for an offer that was never there."""
        ...

    def lock(self, offer_id: str, lots: int, *, now_us: int) -> str:
        """Set free lots aside for a deal: an empty text, or why not, and then nothing changes."""
        ...

    def unlock(self, offer_id: str, lots: int) -> None:
        """Give locked lots back.

        Raises
        ------
        CommitError
            If fewer lots are locked.
        """
        ...

    def consume(self, offer_id: str, lots: int) -> None:
        """Trade locked lots.

        Raises
        ------
        CommitError
            If fewer lots are locked.
        """
        ...

    def next_flow_us(self) -> int | None:
        """When outside flow comes next; None for never."""
        ...

    def apply_flow(self) -> None:
        """Let the outside flow that is due happen, and draw the instant of the next."""
        ...

    def delist(self, series: Collection[str]) -> None:
        """Take series off the venue for good: they have expired."""
        ...

    def locked(self) -> Mapping[str, int]:
        """Lots locked for deals, by offer; offers without locks are left out."""
        ...

    def violations(self) -> list[str]:
        """Broken invariants, one line each; none in a sound venue."""
        ...
