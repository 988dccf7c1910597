"""The journal: an append-only, hash-chained table of events, and the only authority of the market.

Each entry holds one event as canonical JSON (`intents.journal_rows`). Its hash covers the hash before it,
its number, its kind and its content, so an entry that is changed, moved, left out or put in between is
named by the next reading, and nothing behind it is read. Cutting off the newest entries leaves a shorter
valid chain: only a copy of a later hash shows that, such as a checkpoint (`intents.checkpoint_files`).

`append` is one transaction for any number of events, and returns once they are durable and still where
they can be found (`intents.journal_file`). Readers hold no transaction for longer than one page, so that
the write-ahead log of a running market can be folded back meanwhile. All statements are SQLAlchemy Core.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from intents.errors import DamageError, JournalError
from intents.events import Event
from intents.journal_file import (
    DRIVER_ERROR,
    OpenFile,
    connect,
    fetch_all,
    find_damage,
    is_damage,
    path_of,
    take_lock,
)
from intents.journal_rows import (
    CHAIN_START,
    COMPRESS_ABOVE,
    Entry,
    Row,
    check_chain,
    check_content,
    kind_of,
    make_row,
    read_entry,
    read_page,
    subject_of,
)

__all__ = [
    "CHAIN_START",
    "COMPRESS_ABOVE",
    "JOURNAL_FORMAT",
    "Entry",
    "Journal",
    "open_journal",
    "subject_of",
]

JOURNAL_FORMAT: Final = "solvent.journal/1"

_PAGE: Final = 1_024
"""Entries that a streaming read holds at once."""

_FAILURES: Final = (SQLAlchemyError, OSError, UnicodeDecodeError)
"""What a database can fail with; a message that is no text quotes a damaged file."""

_METADATA: Final = sql.MetaData()
_FORMAT: Final = sql.Table(
    "solvent_journal", _METADATA, sql.Column("format", sql.String(64), primary_key=True)
)
_ENTRIES: Final = sql.Table(
    "entries",
    _METADATA,
    # On SQLite an integer key is the table's own order, without an index beside it.
    sql.Column("seq", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True),
    sql.Column("at_us", sql.BigInteger, nullable=False),
    sql.Column("kind", sql.String(32), nullable=False),
    sql.Column("subject", sql.String(128), nullable=False),
    sql.Column("encoding", sql.String(8), nullable=False),
    sql.Column("payload", sql.LargeBinary, nullable=False),
    sql.Column("prev_hash", sql.String(64), nullable=False),
    sql.Column("hash", sql.String(64), nullable=False),
    sql.Index("entries_by_subject", "subject", "kind"),
)


class Journal:
    """An open journal; `open_journal` makes one. Closing it gives up the lock.

    Attributes
    ----------
    url, path : the database, and the file that it is
    appended_bytes : stored content of everything appended since it was opened
    """

    def __init__(self, url: str, engine: sql.Engine, *, lock: int | None) -> None:
        self.url = url
        self.path = path_of(url)
        self.appended_bytes = 0
        self._engine = engine
        self._lock = lock
        self._head: tuple[int, str] | None = None
        self._file: OpenFile | None = None
        self._anchor: sql.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and let the lock go; calling it again does nothing."""
        if self._anchor is not None:
            self._anchor.close()
        self._engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def head(self) -> tuple[int, str]:
        """The newest entry's number and hash; 0 and `CHAIN_START` where there is none.

        Raises
        ------
        JournalError
            If the database cannot be read.
        """
        if self._head is not None:
            return self._head
        newest = sql.select(_ENTRIES.c.seq, _ENTRIES.c.hash).order_by(_ENTRIES.c.seq.desc()).limit(1)
        rows = self._rows(newest)
        head = (int(rows[0].seq), str(rows[0].hash)) if rows else (0, CHAIN_START)
        if self._lock is not None:
            self._head = head
        return head

    def hash_of(self, seq: int) -> str | None:
        """The hash that an entry claims, unverified; None where there is no entry of that number.

        Raises
        ------
        JournalError
            If the database cannot be read.
        """
        rows = self._rows(sql.select(_ENTRIES.c.hash).where(_ENTRIES.c.seq == seq), seq=seq)
        return str(rows[0].hash) if rows else None

    def append(self, events: Sequence[Event]) -> list[int]:
        """Write events in one transaction and return their numbers; when it returns, they are durable.

        Raises
        ------
        JournalError
            If they cannot be written, or nobody would find them. Whether they were is then unknown:
            read the journal again.
        """
        if self._lock is None:
            raise JournalError("the journal was opened for reading only")
        if not events:
            return []
        seq, last_hash = self.head()
        rows: list[dict[str, Any]] = []
        for event in events:
            seq += 1
            rows.append(make_row(event, seq=seq, prev_hash=last_hash)._asdict())
            last_hash = rows[-1]["hash"]
        # Unknown until the commit has answered: a failed one may still have reached the disk.
        self._head = None
        self._write(sql.insert(_ENTRIES), rows)
        self._head = (seq, last_hash)
        self.appended_bytes += sum(len(row["payload"]) for row in rows)
        return [row["seq"] for row in rows]

    def probe(self) -> None:
        """Find out, by a write that changes nothing, whether the journal can be written now.

        Raises
        ------
        JournalError
            If it cannot, and why.
        """
        self._write(sql.update(_FORMAT).values(format=JOURNAL_FORMAT))

    def read(self, after: int = 0) -> Iterator[Entry]:
        """Stream the entries behind number `after` in order, verifying each against the one before.

        Raises
        ------
        DamageError
            At the first entry that is missing or damaged, with its number as `seq`.
        """
        last_hash = self._hash_before(after)
        while page := self._page(after, None):
            entries, failure = read_page(page, after=after, prev_hash=last_hash)
            yield from entries
            if failure is not None:
                raise failure
            after, last_hash = entries[-1].seq, entries[-1].hash

    def check(self, after: int, until: int) -> None:
        """Verify the chain of entries `after` + 1 to `until` without decoding them.

        Raises
        ------
        DamageError
            At the first entry that is missing or damaged, with its number as `seq`.
        """
        last_hash = self._hash_before(after)
        while after < until:
            page = self._page(after, until)
            if not page:
                raise DamageError(f"entry {after + 1} of the journal is missing", seq=after + 1)
            for row in map(Row._make, page):
                check_chain(row, seq=after + 1, prev_hash=last_hash)
                after, last_hash = row.seq, row.hash

    def check_database(self) -> None:
        """Verify what holds the entries: that no page is damaged, and that the index finds what is there.

        Raises
        ------
        DamageError
            If not, with the first thing that is wrong.
        JournalError
            If the database cannot be read.
        """
        try:
            with self._engine.connect() as connection:
                found = find_damage(connection)
        except _FAILURES as error:
            raise _failure("the journal cannot be read", error) from error
        if found:
            raise DamageError(f"the database of the journal is damaged: {found}")

    def find(self, kind: type[Event], subject: str) -> list[Entry]:
        """The entries of one kind about one subject, oldest first, each verified by itself.

        Raises
        ------
        DamageError
            If one is damaged, with its number as `seq`.
        """
        wanted = sql.and_(_ENTRIES.c.subject == subject, _ENTRIES.c.kind == kind_of(kind))
        rows = map(Row._make, self._rows(sql.select(_ENTRIES).where(wanted).order_by(_ENTRIES.c.seq)))
        return [read_entry(row, check_content(row)) for row in rows]

    def _hash_before(self, after: int) -> str:
        last_hash = CHAIN_START if after == 0 else self.hash_of(after)
        if last_hash is None:
            raise DamageError(f"entry {after} of the journal is missing", seq=after)
        return last_hash

    def _page(self, after: int, until: int | None) -> Sequence[Sequence[Any]]:
        behind = sql.select(_ENTRIES).where(_ENTRIES.c.seq > after).order_by(_ENTRIES.c.seq)
        if until is not None:
            behind = behind.where(_ENTRIES.c.seq <= until)
        try:
            with self._engine.connect() as connection:
                # The driver's own tuples: rows that know their columns cost a tenth of a whole replay.
                return fetch_all(connection.execute(behind.limit(_PAGE)))
        except (*_FAILURES, DRIVER_ERROR):
            # Somewhere in the page: entry by entry, up to the one that cannot be read.
            return self._rows(behind.limit(1), seq=after + 1)

    def _write(self, statement: sql.Executable, rows: list[dict[str, Any]] | None = None) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(statement, rows)
        except _FAILURES as error:
            raise _failure("the journal cannot be written", error) from error
        if self._file is not None:
            self._file.check()

    def _rows(self, query: sql.Select[Any], *, seq: int | None = None) -> Sequence[sql.Row[Any]]:
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).all()
        except _FAILURES as error:
            where = "" if seq is None else f" at entry {seq}"
            raise _failure(f"the journal cannot be read{where}", error, seq=seq) from error

    def _prepare(self, *, write: bool) -> None:
        """Make the tables in an empty file; refuse one that holds anything but a journal of this format."""
        try:
            with self._engine.begin() as connection:
                _check_tables(connection, self.path, write=write)
            self.head()
            if write:
                # The log lives as long as a connection does: this one is never given back.
                self._anchor = self._engine.connect()
                self._file = OpenFile(self.path)
        except _FAILURES as error:
            raise _failure(f"{self.path} cannot be used as a journal", error) from error


def open_journal(url: str, *, write: bool) -> Journal:
    """Open a journal for reading, or for writing, where a missing or empty file becomes a new one.

    Raises
    ------
    JournalError
        If the URL names no SQLite file, the file holds something else, it cannot be written, or
        another process has it open for writing.
    """
    path = path_of(url)
    try:
        if path.is_dir() or not path.parent.is_dir():
            raise JournalError(f"{path} is not a file that can be made")
        if not write and not path.exists():
            raise JournalError(f"there is no journal at {path}")
    except OSError as error:
        raise JournalError(f"{path} cannot be reached: {error.strerror}") from error
    journal = Journal(url, connect(path, write=write), lock=take_lock(path) if write else None)
    try:
        journal._prepare(write=write)
    except BaseException:
        journal.close()
        raise
    return journal


def _check_tables(connection: sql.Connection, path: Path, *, write: bool) -> None:
    names = sql.inspect(connection).get_table_names()
    if not names and write:
        _METADATA.create_all(connection)
        connection.execute(sql.insert(_FORMAT), {"format": JOURNAL_FORMAT})
        return
    if not names:
        raise JournalError(f"{path} is empty: it holds no journal")
    if not {_FORMAT.name, _ENTRIES.name} <= set(names):
        raise JournalError(f"{path} is the database of another application: {', '.join(names)}")
    found = connection.execute(sql.select(_FORMAT.c.format)).scalars().all()
    if found != [JOURNAL_FORMAT]:
        raise JournalError(f"{path} has format {', '.join(map(str, found)) or 'none'}, not {JOURNAL_FORMAT}")
    if write:
        # Fails now, not at the first intent, where the file or the disk cannot be written.
        connection.execute(sql.update(_FORMAT).values(format=JOURNAL_FORMAT))


def _failure(what: str, error: Exception, *, seq: int | None = None) -> JournalError:
    """What a failure of the database is to the market: damage, or something that may pass."""
    cause = getattr(error, "orig", None)
    kind = DamageError if isinstance(error, UnicodeDecodeError) or is_damage(cause) else JournalError
    return kind(f"{what}: {cause or error}", seq=seq)
