"""The journal's file: where it is, who may write to it, and whether it is still there.

SQLite with a write-ahead log and ``synchronous=FULL``: a commit returns once it is on the disk. One
process writes at a time: it holds an exclusive lock on a file beside the database, which the operating
system lets go when the process ends, however it ends. Others may read meanwhile.

SQLite goes on writing to a file that was deleted or replaced under it, and says nothing. So a writer
compares the names of the database and of its log with the files it has open, before it calls anything
durable. The database file itself is never opened here: closing any descriptor of it would let go of
SQLite's own locks.

Source: https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_synchronous and
https://sqlite.org/howtocorrupt.html (sections 2.2 and 4).
"""

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError

from intents.errors import JournalError

BUSY_S: Final = 1.0
"""How long to wait for another application that has the database locked."""

DRIVER_ERROR: Final = sqlite3.Error
"""What the driver raises where SQLAlchemy does not see it."""

_DAMAGE_CODES: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_LOG_SUFFIX: Final = "-wal"
_LOCK_SUFFIX: Final = "-lock"


def path_of(url: str) -> Path:
    """The file that an SQLAlchemy URL names.

    Raises
    ------
    JournalError
        If it names none.
    """
    try:
        parsed = sql.make_url(url)
    except ArgumentError as error:
        raise JournalError(f"{url!r} is not a database URL such as sqlite:///solvent.db") from error
    if parsed.get_backend_name() != "sqlite" or parsed.query or parsed.database in (None, "", ":memory:"):
        raise JournalError(f"{url!r} does not name an SQLite file, such as sqlite:///solvent.db")
    return Path(str(parsed.database)).absolute()


def take_lock(path: Path) -> int:
    """The descriptor of the lock of a journal; it is held until that is closed.

    Raises
    ------
    JournalError
        If another process has it, or the lock file cannot be made.
    """
    lock_path = path.with_name(path.name + _LOCK_SUFFIX)
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


def connect(path: Path, *, write: bool) -> sql.Engine:
    """An SQLAlchemy engine over the file; what is SQLite's own is here.

    Raises
    ------
    JournalError
        From its first connection on, if the file cannot have a write-ahead log.
    """
    how = "mode=rwc" if write else "mode=ro"
    if not write and not _log_of(path).exists() and not os.access(path.parent, os.W_OK):
        # A reader has to make SQLite's files of a log, unless it is told that nobody writes.
        how += "&immutable=1"

    def open_connection() -> sqlite3.Connection:
        # Transactions are begun below: the driver would begin them late and commit around DDL.
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?{how}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        if write:
            _make_durable(connection, path)
        return connection

    engine = sql.create_engine("sqlite://", creator=open_connection, poolclass=sql.QueuePool)

    @sql.event.listens_for(engine, "begin")
    def begin(connection: sql.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def fetch_all(result: sql.CursorResult[Any]) -> Sequence[Sequence[Any]]:
    """All rows of a query as the driver gives them.

    Raises
    ------
    DRIVER_ERROR
        If one cannot be read.
    """
    return [] if result.cursor is None else result.cursor.fetchall()


def is_damage(error: BaseException | None) -> bool:
    """Whether an error of SQLite says that the file does not hold what was written."""
    if not isinstance(error, sqlite3.Error):
        return False
    # Text that is not UTF-8 is found by the driver, which gives no code for it.
    return getattr(error, "sqlite_errorname", "SQLITE_CORRUPT").startswith(_DAMAGE_CODES)


def find_damage(connection: sql.Connection) -> str:
    """The first thing that is wrong with the tables and indexes of a database; empty where nothing is."""
    found = str(connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar())
    return "" if found == "ok" else found


def _make_durable(connection: sqlite3.Connection, path: Path) -> None:
    """Every answer is checked: where SQLite cannot do what a pragma asks, it goes on without it."""
    try:
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        connection.execute("PRAGMA synchronous=FULL")
        (level,) = connection.execute("PRAGMA synchronous").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    if (mode, level) != ("wal", 2):
        connection.close()
        raise JournalError(f"{path} cannot have a write-ahead log here: its journal mode stays {mode!r}")


class OpenFile:
    """The files that a writer has open, to tell whether they are still where they were.

    Raises
    ------
    JournalError
        If one of them is not there, right after it was opened.
    """

    def __init__(self, path: Path) -> None:
        self._names = (path, _log_of(path))
        self._opened = tuple(map(_identity, self._names))
        if None in self._opened:
            raise JournalError(f"{path} vanished while it was opened")

    def check(self) -> None:
        """Refuse to go on where a file was deleted, moved or replaced.

        Raises
        ------
        JournalError
            If so: what was written since may be in a file that nobody will find.
        """
        for name, opened in zip(self._names, self._opened, strict=True):
            if _identity(name) != opened:
                raise JournalError(f"{name} was deleted, moved or replaced while it was in use: put it back")


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + _LOG_SUFFIX)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
