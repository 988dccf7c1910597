"""One intent of the book as a value: what was signed, and where its units are."""

from dataclasses import dataclass

from msgspec import Struct

from chains.package import Legs
from intents.admission import legs_of
from intents.collateral import Requirement
from intents.groups import pot_of
from intents.lifecycle import State, Status, status_of
from intents.reservations import Pot
from intents.typed_data import OptionIntent


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Units that one deal settled, and what the owner paid for them in micro-USDC (negative: received)."""

    deal: str
    units: int
    payment: int


class BookIntent(Struct, frozen=True, kw_only=True, gc=False):
    """One intent and where its units are; `admitted` counts intents in the order of admission.

    `ends_us` is when it ends by itself, `cancelled_us` when its owner asked to cancel it, `cancelled_by` the
    member of its group whose fill ended it. Units that are neither open, settling nor filled are gone.
    `uncovered` are the open units of a reduce-only intent that may not be filled now.

    A struct, because the book makes a new one for every change: that takes a tenth of the time.
    """

    id: str
    intent: OptionIntent
    admitted: int
    admitted_us: int
    ends_us: int
    requirement: Requirement
    open: int
    uncovered: int = 0
    settling: int = 0
    filled: int = 0
    state: State = State.WAITING
    cancelled_us: int | None = None
    cancelled_by: str | None = None
    fills: tuple[Fill, ...] = ()

    @property
    def owner(self) -> str:
        """The owner's address."""
        return self.intent.owner

    @property
    def legs(self) -> Legs:
        """(series, lots per unit), as signed."""
        return legs_of(self.intent)

    @property
    def covered(self) -> int:
        """Open units that may be filled now."""
        return self.open - self.uncovered

    @property
    def least_units(self) -> int:
        """The smallest fill its owner accepts now: `minUnits`, or all that is open if that is less."""
        return min(self.intent.min_units, self.open)

    @property
    def pot(self) -> Pot:
        """What it shares reservations with: its group, or nothing."""
        return pot_of(self.id, self.intent)

    @property
    def status(self) -> Status:
        """What users see."""
        return status_of(self.state, units=self.intent.units, settling=self.settling, filled=self.filled)

    @property
    def payment(self) -> int:
        """Micro-USDC paid over all fills; negative where the owner received."""
        return sum(fill.payment for fill in self.fills)
