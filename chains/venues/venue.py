"""What every venue is: the part of a world file that describes one, and what the world asks of it.

A venue turns whatever it holds into offers. A deal's leg locks lots of an offer and later consumes
or unlocks them; all the rest of the world trades there too, as *outside flow*: events at random
instants from the venue's own stream of random numbers, so that nothing else can disturb them.
"""

from collections.abc import Collection, Mapping
from typing import Protocol, Self

import numpy as np

from chains.snapshot import Offer, VenueTerms
from chains.venues.flow import Flow
from chains.wire import Count, Id, Positive, Wire


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

    def open_venue(self, *, start_us: int, stream: np.random.Generator) -> "Venue":
        """The live venue at the start of a world."""
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

    def offers(self, now_us: int) -> tuple[Offer, ...]:
        """Every offer with free lots, in a fixed order."""
        ...

    def most(self, offer_id: str) -> int:
        """The most lots this offer can ever have: 0 for an offer that was never there."""
        ...

    def lock(self, offer_id: str, lots: int) -> bool:
        """Set free lots aside for a deal; False, and nothing changes, where there are not enough."""
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
