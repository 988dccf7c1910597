"""An oracle for tests of venues: marks written down round by round."""

from collections.abc import Mapping, Sequence

from tests.worlds import START_US

ROUND_US = 1_000_000


class MadeFeed:
    """Marks of a series by round, from the round at `START_US` on; the last one stays."""

    def __init__(self, marks: Mapping[str, Sequence[int]], *, round_us: int = ROUND_US) -> None:
        self._marks = marks
        self._round_us = round_us

    @property
    def round_us(self) -> int:
        return self._round_us

    def mark(self, series: str, *, now_us: int) -> int | None:
        if series not in self._marks:
            return None
        marks = self._marks[series]
        return marks[min(max(0, (now_us - START_US) // self._round_us), len(marks) - 1)]
