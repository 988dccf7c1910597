"""Stock quotes at the market's door: which of the sets that a solver sent in a round are handed on.

A set counts if it is well-formed, for a stock venue of the solver's own, and in time; of several for one
venue the last that counts. What falls out here is noted with its reason for the solver's report. Whether
a set is funded is seen when the round is decided, since its winners take lots first.
"""

from collections.abc import Collection
from typing import Final

from solvers.codec import decode
from solvers.errors import FormatError
from solvers.reasons import QuotesReason
from solvers.strategy import StockQuotes

NOTES_MAX: Final = 8
"""How many sets that fall out are noted in one round."""

NOTE_MAX: Final = 200
"""The longest note, in characters."""


class QuotesInbox:
    """The sets of one solver in one round.

    Parameters
    ----------
    venues : the solver's own stock venues
    window_us : how long after the opening of the round a set is in time
    set_bytes : the largest set that is read
    """

    def __init__(self, *, venues: Collection[str], window_us: int, set_bytes: int) -> None:
        self._venues = venues
        self._window_us = window_us
        self._set_bytes = set_bytes
        self._last: dict[str, StockQuotes] = {}
        self._notes: list[str] = []
        self.received = 0

    @property
    def sets(self) -> tuple[StockQuotes, ...]:
        """What is handed on: the last set for each venue, venues sorted."""
        return tuple(self._last[venue] for venue in sorted(self._last))

    @property
    def notes(self) -> tuple[str, ...]:
        """Why sets fell out, each ``quotes: <reason>: <detail>``."""
        return tuple(self._notes)

    def take(self, payload: bytes, *, arrival_us: int) -> None:
        """Read one set, and hold it or note why it does not count."""
        self.received += 1
        if len(payload) > self._set_bytes:
            detail = f"a set of {len(payload):,} bytes; at most {self._set_bytes:,} are read"
            self._note(QuotesReason.MALFORMED, detail)
            return
        try:
            quotes = decode(payload, StockQuotes)
        except FormatError as error:
            self._note(QuotesReason.MALFORMED, str(error))
            return
        if quotes.venue not in self._venues:
            known = ", ".join(sorted(self._venues)) or "none"
            self._note(QuotesReason.NOT_YOUR_VENUE, f"{quotes.venue!r} (yours: {known})")
        elif arrival_us > self._window_us:
            detail = f"{quotes.venue}: came {arrival_us:,} us after the opening of {self._window_us:,} us"
            self._note(QuotesReason.LATE, detail)
        else:
            self._last[quotes.venue] = quotes

    def _note(self, reason: QuotesReason, detail: str) -> None:
        if len(self._notes) < NOTES_MAX:
            self._notes.append(note_quotes(reason, detail))


def note_quotes(reason: str, detail: str) -> str:
    """What a report says of a set of quotes."""
    return f"quotes: {reason}: {detail}"[:NOTE_MAX]
