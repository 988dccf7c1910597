"""The fold: what the entries of a journal come to, and the one way there, entry after entry.

The first entry founds the market, every later one is handled by its engine and told to its records. A
fold is a function of the entries alone: where it comes from, a whole journal or a checkpoint and the
entries behind it, makes no difference to anything that follows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from intents.engine import Engine
from intents.errors import FoldError
from intents.events import Genesis
from intents.journal_rows import Entry
from intents.records import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What the entries up to number `seq` come to; `hash` is that entry's.

    `checkpoint_seq` is the number up to which they were not folded but taken from a checkpoint; 0 for none.
    """

    engine: Engine
    records: Records
    seq: int
    hash: str
    checkpoint_seq: int = 0


def fold_entries(entries: Iterator[Entry]) -> Fold:
    """Fold a journal from its first entry on.

    Raises
    ------
    JournalError
        If an entry is damaged; `seq` names it.
    FoldError
        If the market that it belongs to does not take it.
    """
    first = next(entries, None)
    if first is None or not isinstance(first.event, Genesis):
        raise FoldError("the first entry of the journal founds no market", seq=1)
    fold = Fold(engine=Engine(first.event), records=Records(), seq=first.seq, hash=first.hash)
    return extend_fold(fold, entries)


def extend_fold(fold: Fold, entries: Iterable[Entry]) -> Fold:
    """Fold the entries that follow into the engine and the records of a fold, which are used up.

    Raises
    ------
    JournalError
        If an entry is damaged; `seq` names it.
    FoldError
        If the market does not take it.
    """
    engine, records, seq, hash_ = fold.engine, fold.records, fold.seq, fold.hash
    for entry in entries:
        seq, hash_ = entry.seq, entry.hash
        try:
            refused = engine.handle(entry.event)
        except Exception as error:
            raise FoldError(f"entry {seq} does not belong here: {error}", seq=seq) from error
        if refused is not None:
            raise FoldError(f"entry {seq} is refused now: {refused.code}: {refused.message}", seq=seq)
        records.apply(entry.event)
    return replace(fold, seq=seq, hash=hash_)
