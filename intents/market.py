"""The engine and its journal as one: what is applied is durable before anybody is told.

`commit` lets the engine handle some events and writes those it took in one transaction. It never
yields in between, so nobody reads a state that may be lost. Where the write fails, or the engine
breaks, what is in memory can no longer be trusted: the market closes, and answers nothing until it has
been rebuilt from the journal alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from intents.engine import Engine
from intents.errors import JournalError, UnavailableError
from intents.events import Event, Genesis, IntentPosted
from intents.journal import Journal
from intents.records import Records
from intents.refusals import Refused

CLOSED: Final = "the market is being rebuilt from its journal; send the same request again"

_log = structlog.get_logger("solvent.market")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What a journal folds to."""

    engine: Engine
    records: Records
    seq: int


class Market:
    """A market with its journal. All methods but `replay_journal` belong to one thread."""

    def __init__(self, journal: Journal, fold: Fold) -> None:
        self.journal = journal
        self.generation = 0
        self._fold: Fold | None = fold
        self._seq = fold.seq

    @property
    def is_open(self) -> bool:
        """Whether what is in memory is exactly what is durable."""
        return self._fold is not None

    @property
    def seq(self) -> int:
        """The number of the newest entry that was applied."""
        return self._seq

    @property
    def engine(self) -> Engine:
        """The engine, for reading.

        Raises
        ------
        UnavailableError
            While the market is closed.
        """
        return self._opened().engine

    @property
    def records(self) -> Records:
        """The read models.

        Raises
        ------
        UnavailableError
            While the market is closed.
        """
        return self._opened().records

    def commit(self, events: Sequence[Event]) -> list[Refused | None]:
        """Handle events in order and make those that were accepted durable, in one transaction.

        An intent that is in the book already is accepted once more and not written again.

        Raises
        ------
        UnavailableError
            If the market is closed, or closes now because the write failed. Whether the events were
            written is then unknown.
        """
        fold = self._opened()
        answers: list[Refused | None] = []
        taken: list[Event] = []
        try:
            for event in events:
                repeated = isinstance(event, IntentPosted) and fold.engine.book.get(event.id) is not None
                refused = None if repeated else fold.engine.handle(event)
                answers.append(refused)
                if refused is None and not repeated:
                    taken.append(event)
            numbers = self.journal.append(taken)
            for event in taken:
                fold.records.apply(event)
        except Exception as error:
            self._fold = None
            self.generation += 1
            _log.error("market_closed", error=str(error), exc_info=not isinstance(error, JournalError))
            raise UnavailableError(CLOSED) from error
        if numbers:
            self._seq = numbers[-1]
        return answers

    def reopen(self, fold: Fold) -> None:
        """Go on from a fold of the journal."""
        self._fold = fold
        self._seq = fold.seq
        _log.info("market_reopened", seq=fold.seq)

    def _opened(self) -> Fold:
        if self._fold is None:
            raise UnavailableError(CLOSED)
        return self._fold


def open_market(journal: Journal, found: Callable[[], Genesis]) -> Market:
    """The market of a journal; `found` makes its first event if it has none.

    Raises
    ------
    JournalError
        If the journal is damaged, cannot be read or written, or does not fold to a market.
    WorldFileError
        If the world of a new market cannot be opened.
    """
    if journal.head()[0] == 0:
        genesis = found()
        Engine(genesis)  # A world that cannot be opened must not become the first entry.
        journal.append([genesis])
    return Market(journal, replay_journal(journal))


def replay_journal(journal: Journal) -> Fold:
    """Fold a whole journal, verifying every entry.

    Raises
    ------
    JournalError
        If an entry is damaged, or the market that it belongs to does not take it; `seq` names it.
    """
    entries = journal.read()
    first = next(entries, None)
    if first is None or not isinstance(first.event, Genesis):
        raise JournalError("the first entry of the journal founds no market", seq=1)
    engine, records, seq = Engine(first.event), Records(), first.seq
    for entry in entries:
        seq = entry.seq
        try:
            refused = engine.handle(entry.event)
        except Exception as error:
            raise JournalError(f"entry {seq} does not belong here: {error}", seq=seq) from error
        if refused is not None:
            raise JournalError(f"entry {seq} is refused now: {refused.code}: {refused.message}", seq=seq)
        records.apply(entry.event)
    return Fold(engine=engine, records=records, seq=seq)
