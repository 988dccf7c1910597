"""The states of the atomic commit, and every transition between them.

Two tables hold all of it: one for a deal's record on the hub, one for a leg's record on its chain. A
pair of state and input that a table does not hold breaks the protocol. A row that leads back to its
own state is a packet, or a tick of the hub's clock, that comes late or twice. Finality and reorgs are
not in the tables: they move no record forward, see `chains.commit`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class DealState(StrEnum):
    """Where a deal stands on the hub."""

    PREPARING = "preparing"
    COMMITTED = "committed"
    ABORTED = "aborted"
    SETTLED = "settled"
    CLOSED = "closed"


class DealInput(StrEnum):
    """What can happen to a deal's record on the hub."""

    LOCKED = "a leg has locked, others are missing"
    ALL_LOCKED = "the last missing leg has locked, in time"
    REFUSED = "a leg cannot lock"
    TIME_OUT = "the hub's clock is at or past decide_by"
    ACKNOWLEDGED = "a leg has carried out the decision, others have not"
    ALL_ACKNOWLEDGED = "the last leg has carried out the decision"
    ALONE_LOCKED = "the only leg locks in its own transaction"
    ALONE_REFUSED = "the only leg cannot lock, or comes too late"


class LegState(StrEnum):
    """Where a leg stands on its chain."""

    NONE = "none"
    LOCKED = "locked"
    REFUSED = "refused"
    TOMBSTONE = "tombstone"
    RELEASED = "released"
    REFUNDED = "refunded"


class LegInput(StrEnum):
    """What can happen to a leg's record on its chain."""

    PREPARE_LOCKS = "a prepare arrives and everything can be locked"
    PREPARE_FAILS = "a prepare arrives and something cannot be locked"
    RELEASE = "a commit arrives"
    REFUND = "an abort arrives"


class Decision(StrEnum):
    """What the hub has decided for good."""

    COMMIT = "commit"
    ABORT = "abort"


DEAL_TABLE: Final[Mapping[DealState, Mapping[DealInput, DealState]]] = {
    DealState.PREPARING: {
        DealInput.LOCKED: DealState.PREPARING,
        DealInput.ALL_LOCKED: DealState.COMMITTED,
        DealInput.REFUSED: DealState.ABORTED,
        DealInput.TIME_OUT: DealState.ABORTED,
        DealInput.ALONE_LOCKED: DealState.SETTLED,
        DealInput.ALONE_REFUSED: DealState.CLOSED,
    },
    DealState.COMMITTED: {
        DealInput.LOCKED: DealState.COMMITTED,
        DealInput.ALL_LOCKED: DealState.COMMITTED,
        DealInput.TIME_OUT: DealState.COMMITTED,
        DealInput.ACKNOWLEDGED: DealState.COMMITTED,
        DealInput.ALL_ACKNOWLEDGED: DealState.SETTLED,
    },
    DealState.ABORTED: {
        DealInput.LOCKED: DealState.ABORTED,
        DealInput.REFUSED: DealState.ABORTED,
        DealInput.TIME_OUT: DealState.ABORTED,
        DealInput.ACKNOWLEDGED: DealState.ABORTED,
        DealInput.ALL_ACKNOWLEDGED: DealState.CLOSED,
    },
    DealState.SETTLED: {
        DealInput.LOCKED: DealState.SETTLED,
        DealInput.ALL_LOCKED: DealState.SETTLED,
        DealInput.TIME_OUT: DealState.SETTLED,
        DealInput.ACKNOWLEDGED: DealState.SETTLED,
        DealInput.ALL_ACKNOWLEDGED: DealState.SETTLED,
        DealInput.ALONE_LOCKED: DealState.SETTLED,
        DealInput.ALONE_REFUSED: DealState.SETTLED,
    },
    DealState.CLOSED: {
        DealInput.LOCKED: DealState.CLOSED,
        DealInput.REFUSED: DealState.CLOSED,
        DealInput.TIME_OUT: DealState.CLOSED,
        DealInput.ACKNOWLEDGED: DealState.CLOSED,
        DealInput.ALL_ACKNOWLEDGED: DealState.CLOSED,
        DealInput.ALONE_REFUSED: DealState.CLOSED,
    },
}
"""The next state of a deal, by state and input."""

LEG_TABLE: Final[Mapping[LegState, Mapping[LegInput, LegState]]] = {
    LegState.NONE: {
        LegInput.PREPARE_LOCKS: LegState.LOCKED,
        LegInput.PREPARE_FAILS: LegState.REFUSED,
        LegInput.REFUND: LegState.TOMBSTONE,
    },
    LegState.LOCKED: {
        LegInput.PREPARE_LOCKS: LegState.LOCKED,
        LegInput.PREPARE_FAILS: LegState.LOCKED,
        LegInput.RELEASE: LegState.RELEASED,
        LegInput.REFUND: LegState.REFUNDED,
    },
    LegState.REFUSED: {
        LegInput.PREPARE_LOCKS: LegState.REFUSED,
        LegInput.PREPARE_FAILS: LegState.REFUSED,
        LegInput.REFUND: LegState.REFUSED,
    },
    LegState.TOMBSTONE: {
        LegInput.PREPARE_LOCKS: LegState.TOMBSTONE,
        LegInput.PREPARE_FAILS: LegState.TOMBSTONE,
        LegInput.REFUND: LegState.TOMBSTONE,
    },
    LegState.RELEASED: {
        LegInput.PREPARE_LOCKS: LegState.RELEASED,
        LegInput.PREPARE_FAILS: LegState.RELEASED,
        LegInput.RELEASE: LegState.RELEASED,
    },
    LegState.REFUNDED: {
        LegInput.PREPARE_LOCKS: LegState.REFUNDED,
        LegInput.PREPARE_FAILS: LegState.REFUNDED,
        LegInput.REFUND: LegState.REFUNDED,
    },
}
"""The next state of a leg, by state and input: only what has locked is ever released."""

LEG_ENDS: Final = frozenset({LegState.REFUSED, LegState.TOMBSTONE, LegState.RELEASED, LegState.REFUNDED})
"""The states in which a leg locks nothing and never will again."""
