"""The life of an intent: one table of states and inputs, and the status that users see.

An intent's units are in one of four places, which always sum to the units it was signed for:

    open       may be filled
    settling   pledged to deals that are not yet settled or closed
    filled     settled
    gone       withdrawn for good: cancelled, expired, or left over from an immediate order

Its state says only how far it has been ended; the numbers say the rest. What happens in the middle
of a round waits until the round is decided, so that what solvers saw stays true: a cancel or the end
of its time then takes what is still open. (That nothing settles after `validUntil` is the work of the
deal's `decide_by`.) Units in settlement finish whatever happens; if their deal is aborted, they return
to the open units, unless the intent has ended: then they are gone. The first settled fill of another
member of its one-cancels-other group cancels an intent, as its owner could.

| state      | cut      | cut_last   | decide    | void      | cancel     | expire     |
|------------|----------|------------|-----------|-----------|------------|------------|
| waiting    | in_round | last_round |           |           | cancelled  | expired    |
| in_round   |          |            | waiting   | waiting   | cancelling | expiring   |
| last_round |          |            | spent     | waiting   | cancelling | expiring   |
| cancelling |          |            | cancelled | cancelled | cancelling | cancelling |
| expiring   |          |            | expired   | expired   | expiring   | expiring   |
| cancelled  |          |            |           |           | cancelled  | cancelled  |
| spent      |          |            |           |           | spent      | spent      |
| expired    |          |            |           |           | expired    | expired    |

`cut_last` is the cut of an immediate order; `void` is the end of a round that was never decided, which
no order has taken part in. An empty cell is misuse.
"""

from enum import StrEnum
from typing import Final

from intents.errors import BookError


class State(StrEnum):
    """How far an intent has been ended."""

    WAITING = "waiting"
    IN_ROUND = "in_round"
    LAST_ROUND = "last_round"
    CANCELLING = "cancelling"
    EXPIRING = "expiring"
    CANCELLED = "cancelled"
    SPENT = "spent"
    EXPIRED = "expired"


class Input(StrEnum):
    """What can happen to the intent itself; pledging and settling move its units only."""

    CUT = "cut"
    CUT_LAST = "cut_last"
    DECIDE = "decide"
    VOID = "void"
    CANCEL = "cancel"
    EXPIRE = "expire"


class Status(StrEnum):
    """What users see: a function of the state and of where the units are.

    `open` may be filled; `settling` waits for its deals alone; `cancelling` for the end of the round;
    the others are final.
    """

    OPEN = "open"
    SETTLING = "settling"
    CANCELLING = "cancelling"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


TRANSITIONS: Final[dict[tuple[State, Input], State]] = {
    (State.WAITING, Input.CUT): State.IN_ROUND,
    (State.WAITING, Input.CUT_LAST): State.LAST_ROUND,
    (State.WAITING, Input.CANCEL): State.CANCELLED,
    (State.WAITING, Input.EXPIRE): State.EXPIRED,
    (State.IN_ROUND, Input.DECIDE): State.WAITING,
    (State.IN_ROUND, Input.VOID): State.WAITING,
    (State.IN_ROUND, Input.CANCEL): State.CANCELLING,
    (State.IN_ROUND, Input.EXPIRE): State.EXPIRING,
    (State.LAST_ROUND, Input.DECIDE): State.SPENT,
    (State.LAST_ROUND, Input.VOID): State.WAITING,
    (State.LAST_ROUND, Input.CANCEL): State.CANCELLING,
    (State.LAST_ROUND, Input.EXPIRE): State.EXPIRING,
    (State.CANCELLING, Input.DECIDE): State.CANCELLED,
    (State.CANCELLING, Input.VOID): State.CANCELLED,
    (State.CANCELLING, Input.CANCEL): State.CANCELLING,
    (State.CANCELLING, Input.EXPIRE): State.CANCELLING,
    (State.EXPIRING, Input.DECIDE): State.EXPIRED,
    (State.EXPIRING, Input.VOID): State.EXPIRED,
    (State.EXPIRING, Input.CANCEL): State.EXPIRING,
    (State.EXPIRING, Input.EXPIRE): State.EXPIRING,
    (State.CANCELLED, Input.CANCEL): State.CANCELLED,
    (State.CANCELLED, Input.EXPIRE): State.CANCELLED,
    (State.SPENT, Input.CANCEL): State.SPENT,
    (State.SPENT, Input.EXPIRE): State.SPENT,
    (State.EXPIRED, Input.CANCEL): State.EXPIRED,
    (State.EXPIRED, Input.EXPIRE): State.EXPIRED,
}

ENDED: Final = frozenset({State.CANCELLED, State.SPENT, State.EXPIRED})
"""States in which no unit is open, and units of an aborted deal do not return."""


def next_state(state: State, event: Input) -> State:
    """The table.

    Raises
    ------
    BookError
        If the table has no such transition.
    """
    following = TRANSITIONS.get((state, event))
    if following is None:
        raise BookError(f"an intent that is {state} cannot take {event}")
    return following


def status_of(state: State, *, units: int, settling: int, filled: int) -> Status:
    """The status of an intent of `units`, so many of them in settlement and so many filled."""
    if filled == units:
        return Status.FILLED
    if state is State.CANCELLING:
        return Status.CANCELLING
    if settling and (state in ENDED or settling + filled == units):
        return Status.SETTLING
    if state is State.EXPIRED:
        return Status.EXPIRED
    return Status.CANCELLED if state in ENDED else Status.OPEN
