"""The engine and its journal as one: what is applied is durable before anybody is told.

`commit` lets the engine handle some events and writes those it took in one transaction. It never
yields in between, so nobody reads a state that may be lost. Where the write fails, or the engine
breaks, what is in memory can no longer be trusted: the market closes, and answers nothing until it has
been rebuilt from the journal. Where an entry of the journal itself turns out to be damaged, it closes for
good.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import structlog

from intents.book import Book, BookIntent
from intents.checkpoint_files import check_nothing_lost, load_checkpoint
from intents.engine import Engine
from intents.errors import FoldError, JournalError, UnavailableError
from intents.events import Event, Genesis, IntentPosted, IntentsCancelled, NoncesRevoked
from intents.fold import Fold, extend_fold, fold_entries
from intents.journal import Journal
from intents.lifecycle import ENDED
from intents.records import Records
from intents.refusals import Refused

__all__ = ["CLOSED", "Fold", "Market", "open_market", "rebuild_market", "replay_journal"]

CLOSED: Final = "the market is being rebuilt from its journal; send the same request again"

_log = structlog.get_logger("solvent.market")


class Market:
    """A market with its journal. All methods belong to one thread.

    Attributes
    ----------
    generation : how often it was closed
    checkpoint_seq : the number up to which entries were not read when it was opened; 0: all were
    """

    def __init__(self, journal: Journal, fold: Fold) -> None:
        self.journal = journal
        self.generation = 0
        self._fold: Fold | None = fold
        self._seq = fold.seq
        self._condemned = ""
        self.checkpoint_seq = fold.checkpoint_seq

    @property
    def is_open(self) -> bool:
        """Whether what is in memory is exactly what is durable."""
        return self._fold is not None

    @property
    def closed_because(self) -> str:
        """Why the market answers nothing; empty while it is open."""
        return "" if self._fold is not None else self._condemned or CLOSED

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

        What was signed, accepted and would change nothing now is accepted once more and not written
        again: an intent that is in the book, a cancel of what is cancelled or has ended.

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
                repeated = _is_repeated(fold.engine.book, event)
                refused = None if repeated else fold.engine.handle(event)
                answers.append(refused)
                if refused is None and not repeated:
                    taken.append(event)
            numbers = self.journal.append(taken)
            for event in taken:
                fold.records.apply(event)
        except Exception as error:
            self._close()
            _log.error("market_closed", error=str(error), exc_info=not isinstance(error, JournalError))
            raise UnavailableError(CLOSED) from error
        if numbers:
            self._seq = numbers[-1]
        return answers

    def reopen(self, fold: Fold) -> None:
        """Go on from a fold of the journal, unless the market is condemned."""
        if self._condemned:
            return
        self._fold = fold
        self._seq = fold.seq
        _log.info("market_reopened", seq=fold.seq)

    def condemn(self, why: str) -> None:
        """Close the market for good: its journal is not what it was, so nothing it says can be trusted."""
        self._condemned = why
        if self._fold is not None:
            self._close()
        _log.critical("market_condemned", error=why)

    def current_fold(self) -> Fold | None:
        """What is in memory, with the number and hash of the newest entry; None while closed."""
        if self._fold is None:
            return None
        seq, hash_ = self.journal.head()
        return replace(self._fold, seq=seq, hash=hash_)

    def _close(self) -> None:
        self._fold = None
        self.generation += 1

    def _opened(self) -> Fold:
        if self._fold is None:
            raise UnavailableError(self.closed_because)
        return self._fold


def _is_repeated(book: Book, event: Event) -> bool:
    """Whether a signed event was accepted before, or what it asks for has come about without it."""
    match event:
        case IntentPosted():
            return book.get(event.id) is not None
        case IntentsCancelled():
            named = [book.get(id_) for id_ in event.intents]
            return all(
                each is not None and each.owner == event.owner and _is_cancelled(each) for each in named
            )
        case NoncesRevoked():
            nonce = int(event.nonce)
            return nonce <= book.nonce_floor(event.owner) and all(
                _is_cancelled(each) for each in book.active_of(event.owner) if each.intent.nonce < nonce
            )
        case _:
            return False


def _is_cancelled(entry: BookIntent) -> bool:
    """Whether a cancel would change nothing: it was cancelled, has ended, or all of it has been filled."""
    is_over = entry.state in ENDED or not entry.open + entry.settling
    return is_over or entry.cancelled_us is not None


def open_market(journal: Journal, found: Callable[[], Genesis]) -> Market:
    """The market of a journal; `found` makes its first event if it has none.

    Raises
    ------
    JournalError
        If the journal is damaged or cut short, cannot be read or written, or does not fold to a market.
    WorldFileError
        If the world of a new market cannot be opened.
    """
    if journal.head()[0] == 0:
        check_nothing_lost(journal)
        genesis = found()
        Engine(genesis)  # A world that cannot be opened must not become the first entry.
        journal.append([genesis])
    return Market(journal, replay_journal(journal))


def replay_journal(journal: Journal, *, whole: bool = False) -> Fold:
    """Fold a journal, from its newest checkpoint that fits on, or the whole of it.

    Every entry that is folded is verified; those that a checkpoint covers are not read.

    Raises
    ------
    JournalError
        If an entry is damaged, or missing that a checkpoint covers; `seq` names it.
    FoldError
        If the market that an entry belongs to does not take it; `seq` names it.
    """
    with _without_collector():
        if whole:
            check_nothing_lost(journal)
            return fold_entries(journal.read())
        fold = load_checkpoint(journal)
        if fold is not None:
            try:
                return extend_fold(fold, journal.read(after=fold.seq))
            except FoldError as error:
                # The journal is right: then the checkpoint is not.
                _log.warning("checkpoint_contradicted", error=str(error))
        return fold_entries(journal.read())


def rebuild_market(journal: Journal) -> Fold:
    """Fold a journal again after a write has failed, once it can be written.

    Raises
    ------
    JournalError
        If it cannot be written yet, or for the causes of `replay_journal`.
    """
    journal.probe()
    frozen = gc.get_freeze_count() > 0
    if frozen:
        # The state that is given up may be among what the collector leaves alone.
        gc.unfreeze()
        gc.collect()
    fold = replay_journal(journal)
    if frozen:
        gc.freeze()
    return fold


@contextmanager
def _without_collector() -> Iterator[None]:
    """A fold makes millions of values and no rubbish: walking them again and again is half its time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:
            # Into the oldest generation, without a walk: the next small collection is small again.
            gc.freeze()
            gc.unfreeze()
        if enabled:
            gc.enable()
