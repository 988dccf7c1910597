"""The journal: an append-only, hash-chained table of events, and the only authority of the market.

Each entry holds one event as canonical JSON. Its hash covers the hash before it, its number, its kind
and its content, so an entry that is changed, moved, left out or put in between is named by the next
reading. (Cutting off the newest entries leaves a shorter valid chain: only a copy of the latest hash
elsewhere shows that.) Content is compressed where that pays; the hash is taken before compression.

`append` is one transaction for any number of events, and returns once they are durable: SQLite with a
write-ahead log and ``synchronous=FULL``. One process writes at a time: it holds an exclusive lock on a
file beside the database, which the operating system lets go when the process ends, however it ends.
Others may read meanwhile. All statements are SQLAlchemy Core; what is SQLite's own is in `_connect`.

Source: write-ahead log and durability, https://sqlite.org/wal.html and
https://sqlite.org/pragma.html#pragma_synchronous.
"""

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import msgspec
import sqlalchemy as sql
import zstandard
from sqlalchemy.exc import ArgumentError, DatabaseError, SQLAlchemyError

from intents.errors import JournalError
from intents.events import (
    Advanced,
    AuctionCut,
    AuctionDecided,
    AuctionPublished,
    BondPosted,
    Deposited,
    Event,
    Genesis,
    IntentPosted,
    IntentsCancelled,
    NoncesRevoked,
    StockQuoted,
)
from solvers.codec import encode

JOURNAL_FORMAT: Final = "solvent.journal/1"

CHAIN_START: Final = "0" * 64
"""What stands for the hash before the first entry."""

COMPRESS_ABOVE: Final = 1_024
"""Bytes of content above which an entry is compressed."""

_PAGE: Final = 64
"""Entries that a streaming read holds at once."""

_BUSY_S: Final = 1.0
"""How long to wait for another application that has the database locked."""

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
_DECODER: Final = msgspec.json.Decoder(Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the journal, verified."""

    seq: int
    event: Event
    hash: str


def entry_hash(prev_hash: str, *, seq: int, kind: str, payload: bytes) -> str:
    """SHA-256 over the hash before, the number, the kind and the canonical content."""
    return hashlib.sha256(f"{prev_hash}\n{seq}\n{kind}\n".encode() + payload).hexdigest()


def kind_of(event: Event | type[Event]) -> str:
    """The kind under which an event is filed: its tag."""
    return str(event.__struct_config__.tag)


def subject_of(event: Event) -> str:
    """What an event is about: an intent, an auction, an owner, or nothing."""
    match event:
        case IntentPosted():
            return event.id
        case AuctionPublished():
            return event.auction.auction
        case AuctionCut() | AuctionDecided():
            return event.auction
        case Deposited() | IntentsCancelled() | NoncesRevoked():
            return event.owner
        case BondPosted() | StockQuoted():
            return event.solver
        case Genesis() | Advanced():
            return ""


class Journal:
    """An open journal; `open_journal` makes one. Closing it gives up the lock."""

    def __init__(self, engine: sql.Engine, *, lock: int | None) -> None:
        self._engine = engine
        self._lock = lock
        self._head: tuple[int, str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and let the lock go; calling it again does nothing."""
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
        if self._head is None:
            newest = sql.select(_ENTRIES.c.seq, _ENTRIES.c.hash).order_by(_ENTRIES.c.seq.desc()).limit(1)
            rows = self._rows(newest)
            self._head = (rows[0].seq, rows[0].hash) if rows else (0, CHAIN_START)
        return self._head

    def append(self, events: Sequence[Event]) -> list[int]:
        """Write events in one transaction and return their numbers; when it returns, they are durable.

        Raises
        ------
        JournalError
            If they cannot be written. Whether they were is then unknown: read the journal again.
        """
        if self._lock is None:
            raise JournalError("the journal was opened for reading only")
        if not events:
            return []
        seq, last_hash = self.head()
        rows: list[dict[str, Any]] = []
        for event in events:
            seq += 1
            rows.append(_row(event, seq=seq, prev_hash=last_hash))
            last_hash = rows[-1]["hash"]
        # Unknown until the commit has answered: a failed one may still have reached the disk.
        self._head = None
        try:
            with self._engine.begin() as connection:
                connection.execute(sql.insert(_ENTRIES), rows)
        except (SQLAlchemyError, OSError) as error:
            raise JournalError(f"the journal cannot be written: {_cause(error)}") from error
        self._head = (seq, last_hash)
        return [row["seq"] for row in rows]

    def read(self, after: int = 0) -> Iterator[Entry]:
        """Stream the entries behind number `after` in order, verifying each against the one before.

        Raises
        ------
        JournalError
            At the first entry that is missing or damaged, with its number as `seq`.
        """
        last_hash = CHAIN_START if after == 0 else self._hash_of(after)
        while True:
            page = self._rows(
                sql.select(_ENTRIES).where(_ENTRIES.c.seq > after).order_by(_ENTRIES.c.seq).limit(_PAGE),
                seq=after + 1,
            )
            for row in page:
                if row.seq != after + 1:
                    raise JournalError(f"entry {after + 1} of the journal is missing", seq=after + 1)
                if row.prev_hash != last_hash:
                    raise JournalError(f"entry {row.seq} does not follow the one before", seq=row.seq)
                yield _verified(row)
                after, last_hash = row.seq, row.hash
            if len(page) < _PAGE:
                return

    def find(self, kind: type[Event], subject: str) -> list[Entry]:
        """The entries of one kind about one subject, oldest first, each verified by itself.

        Raises
        ------
        JournalError
            If one is damaged, with its number as `seq`.
        """
        wanted = sql.and_(_ENTRIES.c.subject == subject, _ENTRIES.c.kind == kind_of(kind))
        rows = self._rows(sql.select(_ENTRIES).where(wanted).order_by(_ENTRIES.c.seq))
        return [_verified(row) for row in rows]

    def _hash_of(self, seq: int) -> str:
        rows = self._rows(sql.select(_ENTRIES.c.hash).where(_ENTRIES.c.seq == seq))
        if not rows:
            raise JournalError(f"entry {seq} of the journal is missing", seq=seq)
        return str(rows[0].hash)

    def _rows(self, query: sql.Select[Any], *, seq: int | None = None) -> Sequence[sql.Row[Any]]:
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).all()
        except SQLAlchemyError as error:
            raise JournalError(f"the journal cannot be read: {_cause(error)}", seq=seq) from error


def open_journal(url: str, *, write: bool) -> Journal:
    """Open a journal for reading, or for writing, where a missing or empty file becomes a new one.

    Raises
    ------
    JournalError
        If the URL names no SQLite file, the file holds something else, it cannot be written, or
        another process has it open for writing.
    """
    path = _path_of(url)
    if path.is_dir() or not path.parent.is_dir():
        raise JournalError(f"{path} is not a file that can be made")
    if not write and not path.exists():
        raise JournalError(f"there is no journal at {path}")
    journal = Journal(_connect(path, write=write), lock=_take_lock(path) if write else None)
    try:
        _check_format(journal, path=path, write=write)
        journal.head()
    except BaseException:
        journal.close()
        raise
    return journal


def _path_of(url: str) -> Path:
    try:
        parsed = sql.make_url(url)
    except ArgumentError as error:
        raise JournalError(f"{url!r} is not a database URL such as sqlite:///solvent.db") from error
    if parsed.get_backend_name() != "sqlite" or parsed.query or parsed.database in (None, "", ":memory:"):
        raise JournalError(f"{url!r} does not name an SQLite file, such as sqlite:///solvent.db")
    return Path(str(parsed.database)).absolute()


def _take_lock(path: Path) -> int:
    lock_path = path.with_name(path.name + "-lock")
    try:
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise JournalError(f"{lock_path} cannot be made: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise JournalError(f"another process has {path} open for writing") from error
    return lock


def _connect(path: Path, *, write: bool) -> sql.Engine:
    mode = "rwc" if write else "ro"

    def connect() -> sqlite3.Connection:
        # Transactions are begun below: the driver would begin them late and commit around DDL.
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        if write:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        return connection

    engine = sql.create_engine("sqlite://", creator=connect, poolclass=sql.QueuePool)

    @sql.event.listens_for(engine, "begin")
    def begin(connection: sql.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _check_format(journal: Journal, *, path: Path, write: bool) -> None:
    """Make the tables in an empty file; refuse a file that holds anything but a journal of this format."""
    try:
        with journal._engine.begin() as connection:
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
                raise JournalError(f"{path} has format {', '.join(found) or 'none'}, not {JOURNAL_FORMAT}")
            if write:
                # Fails now, not at the first intent, where the file or the disk cannot be written.
                connection.execute(sql.update(_FORMAT).values(format=JOURNAL_FORMAT))
    except DatabaseError as error:
        raise JournalError(f"{path} cannot be used as a journal: {_cause(error)}") from error


def _row(event: Event, *, seq: int, prev_hash: str) -> dict[str, Any]:
    kind, content = kind_of(event), encode(event)
    packed = len(content) > COMPRESS_ABOVE
    return {
        "seq": seq,
        "at_us": event.at_us,
        "kind": kind,
        "subject": subject_of(event),
        "encoding": "zstd" if packed else "json",
        "payload": zstandard.compress(content) if packed else content,
        "prev_hash": prev_hash,
        "hash": entry_hash(prev_hash, seq=seq, kind=kind, payload=content),
    }


def _verified(row: sql.Row[Any]) -> Entry:
    """The entry of a row; its hash, and the columns that only repeat its content, must agree with it."""
    if not isinstance(row.payload, bytes):
        raise JournalError(f"entry {row.seq} of the journal is damaged: it holds no bytes", seq=row.seq)
    try:
        content = zstandard.decompress(row.payload) if row.encoding == "zstd" else row.payload
    except zstandard.ZstdError as error:
        raise JournalError(f"entry {row.seq} of the journal is damaged: {error}", seq=row.seq) from error
    if entry_hash(row.prev_hash, seq=row.seq, kind=row.kind, payload=content) != row.hash:
        raise JournalError(f"entry {row.seq} of the journal is damaged: its hash differs", seq=row.seq)
    try:
        event: Event = _DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalError(f"entry {row.seq} is no event of this version: {error}", seq=row.seq) from error
    if (row.kind, row.subject, row.at_us) != (kind_of(event), subject_of(event), event.at_us):
        raise JournalError(f"entry {row.seq} is filed under what it does not say", seq=row.seq)
    return Entry(seq=row.seq, event=event, hash=row.hash)


def _cause(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error)
