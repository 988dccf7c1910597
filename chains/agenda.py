"""The agenda of a world: what happens when, in one total order.

Entries are ordered by (time, priority, sequence): at one instant, expiries come first, then what
bridges bring back, then what the commit protocol does, then outside flow; among equals, what was entered
first. So a world's history depends on the calls made on it and its seed, and not on the steps in which
its time advances.

Source: the event kernel of discrete-event simulators; integer microseconds, no wall clock.
"""

import heapq
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

Entry = TypeVar("Entry")


class Priority(IntEnum):
    """What comes first at one instant."""

    EXPIRY = 0
    RESTORE = 1
    PROTOCOL = 2
    FLOW = 3


class Due(NamedTuple, Generic[Entry]):
    """One entry of the agenda; `sequence` is unique, so entries themselves are never compared."""

    at_us: int
    priority: Priority
    sequence: int
    entry: Entry


class Agenda(Generic[Entry]):
    """A heap of entries."""

    def __init__(self) -> None:
        self._heap: list[Due[Entry]] = []
        self._entered = 0

    def enter(self, at_us: int, priority: Priority, entry: Entry) -> None:
        """Let something happen at an instant."""
        heapq.heappush(self._heap, Due(at_us, priority, self._entered, entry))
        self._entered += 1

    def next_us(self) -> int | None:
        """When the next entry is due; None if there is none."""
        return self._heap[0].at_us if self._heap else None

    def pop_due(self, until_us: int) -> Due[Entry] | None:
        """Take the first entry that is due at or before an instant; None if there is none."""
        if self._heap and self._heap[0].at_us <= until_us:
            return heapq.heappop(self._heap)
        return None
