"""The process that reads a market's journal for it: ``python -m intents.checkpoint_worker WORK URL CODE``.

It works beside a running market, at a lower priority, and only reads the journal:

- ``check``: verify every entry and the database itself, from the first on;
- ``fold``: fold the journal from its newest checkpoint on, and leave the checkpoint of what it comes to.

So a checkpoint is made from what is on the disk, and never from a memory that could be wrong; the market
does not stop for it. CODE is the digest of the market's code: what other code would make of the journal is
of no use to it. The answer is one `Report` in JSON on standard output. The process ends when its standard
input does, and so with the market.
"""

import os
import sys
import threading
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from intents.checkpoint import CODE_VERSIONS
from intents.checkpoint_files import write_checkpoint
from intents.errors import DamageError, FoldError, IntentsError, JournalError
from intents.journal import Journal, open_journal
from intents.market import replay_journal

NICENESS: Final = 10
"""How far a worker steps back behind the market and its solvers."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: `seq` is the last entry that was read, or, with an `error`, the one it is about.

    `is_final` errors do not pass: the journal is not what was written, or comes to no market.
    """

    seq: int | None
    error: str = ""
    is_final: bool = False


def check_journal(journal: Journal) -> int:
    """Verify every entry of a journal and the database it is in; the number of the last.

    Raises
    ------
    DamageError
        If an entry is damaged or missing, with its number as `seq`, or the database is damaged.
    """
    newest, _ = journal.head()
    journal.check(0, newest)
    journal.check_database()
    return newest


def make_checkpoint(journal: Journal) -> int:
    """Fold a journal and leave a checkpoint beside it; the number of the entry it covers.

    Raises
    ------
    JournalError
        If an entry is damaged or does not belong there.
    CheckpointError
        If the checkpoint cannot be written.
    """
    fold = replay_journal(journal)
    write_checkpoint(journal.path, fold)
    return fold.seq


def do_work(work: str, url: str, code: str) -> Report:
    """Do one piece of work, with every error that can be expected in the report."""
    if CODE_VERSIONS["sources"] != code:
        return Report(seq=None, error="the code was changed after the market had been started")
    try:
        with open_journal(url, write=False) as journal:
            return Report(seq=check_journal(journal) if work == "check" else make_checkpoint(journal))
    except JournalError as error:
        return Report(seq=error.seq, error=str(error), is_final=isinstance(error, DamageError | FoldError))
    except IntentsError as error:
        return Report(seq=None, error=str(error))


def main(arguments: list[str]) -> int:
    """Do one piece of work, report, and return the exit status."""
    work, url, code = arguments
    os.nice(NICENESS)
    threading.Thread(target=_end_with_market, daemon=True).start()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))
    report = do_work(work, url, code)
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    sys.stdout.flush()
    return 1 if report.error else 0


def _end_with_market() -> None:
    with suppress(OSError):
        while os.read(sys.stdin.fileno(), 1):
            pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
