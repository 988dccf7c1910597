"""Checkpoints beside a journal: which there are, which is used, and what they prove.

A checkpoint is a file next to the database, ``NAME-checkpoint-NUMBER`` for the entry it covers. It is
only ever a cache: one that is missing, damaged, made by other code or does not fit the journal is left
aside with a line in the log, and an older one or the whole journal is folded instead. It is written
under another name, flushed and renamed, so under its own name it is whole; the newest `KEPT` stay.

It never covers an entry that is not durable. So a whole checkpoint whose entry lies behind the end of the
journal shows that entries were lost: nothing is folded then, until somebody has decided what to do.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from intents.checkpoint import Header, read_fold, read_header, write_fold
from intents.errors import CheckpointError, DamageError
from intents.fold import Fold
from intents.journal import Journal

KEPT: Final = 2
"""How many checkpoints of a journal stay: the newest may turn out to be damaged."""

_MARK: Final = "-checkpoint-"
_UNFINISHED: Final = ".part"
_NUMBER: Final = re.compile(r"[0-9]{1,16}", re.ASCII)
_log = structlog.get_logger("solvent.checkpoint")


def list_checkpoints(journal: Path) -> list[tuple[int, Path]]:
    """(number of the entry, file) of the checkpoints beside a journal's file, newest first."""
    found = []
    for path in journal.parent.glob(f"{_escaped(journal.name)}{_MARK}*"):
        number = path.name.removeprefix(journal.name + _MARK)
        if _NUMBER.fullmatch(number):
            found.append((int(number), path))
    return sorted(found, reverse=True)


def write_checkpoint(journal: Path, fold: Fold) -> Path:
    """Put the checkpoint of a fold beside a journal's file, and remove those that are too old.

    Raises
    ------
    CheckpointError
        If the state cannot be written, or the file cannot be made.
    """
    path = journal.with_name(f"{journal.name}{_MARK}{fold.seq:012d}")
    unfinished = path.with_name(f"{path.name}{_UNFINISHED}-{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            write_fold(fold, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise CheckpointError(f"{unfinished} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    for _, old in list_checkpoints(journal)[KEPT:]:
        with suppress(OSError):
            old.unlink()
    return path


def remove_unfinished(journal: Path) -> None:
    """Remove what writers that were killed have left; only who holds the journal's lock may do this."""
    for path in journal.parent.glob(f"{_escaped(journal.name)}{_MARK}*{_UNFINISHED}-*"):
        with suppress(OSError):
            path.unlink()


def load_checkpoint(journal: Journal) -> Fold | None:
    """The fold of the newest checkpoint that fits a journal, if there is one.

    Raises
    ------
    JournalError
        If the journal cannot be read.
    DamageError
        If it ends before an entry that a checkpoint covers; `seq` is the first that is missing.
    """
    for header, path, content in _whole_checkpoints(journal.path):
        _check_reach(header, path, journal)
        try:
            if journal.hash_of(header.seq) != header.hash:
                raise CheckpointError(f"entry {header.seq} of the journal has another hash")
            fold = replace(read_fold(content), checkpoint_seq=header.seq)
        except CheckpointError as error:
            _ignore(path, error)
        else:
            _log.info("checkpoint_used", file=str(path), seq=fold.seq)
            return fold
    return None


def check_nothing_lost(journal: Journal) -> None:
    """Refuse a journal that ends before an entry that a checkpoint covers.

    Raises
    ------
    DamageError
        If so; `seq` is the first entry that is missing.
    """
    newest = next(_whole_checkpoints(journal.path), None)
    if newest is not None:
        header, path, _ = newest
        _check_reach(header, path, journal)


def _whole_checkpoints(journal: Path) -> Iterator[tuple[Header, Path, bytes]]:
    for seq, path in list_checkpoints(journal):
        try:
            content = path.read_bytes()
            header = read_header(content)
            if header.seq != seq:
                raise CheckpointError(f"covers entry {header.seq}, which its name does not say")
        except OSError as error:
            _ignore(path, CheckpointError(f"cannot be read: {error.strerror}"))
        except CheckpointError as error:
            _ignore(path, error)
        else:
            yield header, path, content


def _check_reach(header: Header, path: Path, journal: Journal) -> None:
    newest = journal.head()[0]
    if header.seq > newest:
        raise DamageError(
            f"entry {newest + 1} of the journal is missing: it ends at entry {newest}, and {path.name} covers"
            f" entry {header.seq}; restore {journal.path}, or remove the checkpoints to go on without them",
            seq=newest + 1,
        )


def _ignore(path: Path, error: CheckpointError) -> None:
    _log.warning("checkpoint_ignored", file=str(path), reason=str(error))


def _escaped(name: str) -> str:
    """A file name with nothing in it that a pattern would mean something by."""
    return re.sub(r"([*?[])", r"[\1]", name)


def _flush_folder(folder: Path) -> None:
    """Make a new name durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
