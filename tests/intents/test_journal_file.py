"""The journal's file: durable or refused, and never written to where nobody would find it."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from intents import journal_file as module
from intents.errors import DamageError, JournalError
from intents.journal import Journal, open_journal
from intents.journal_file import OpenFile, is_damage
from tests.intents.test_journal import make_deposit, read_all, url_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "market.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with open_journal(url_of(path), write=True) as opened:
        opened.append([make_deposit(1), make_deposit(2)])
        yield opened


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


@pytest.mark.parametrize("which", [lambda path: path, log_of], ids=["database", "log"])
@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_a_file_that_vanishes_under_a_writer_stops_it_until_it_is_back(
    journal: Journal, path: Path, which: Any, how: str
) -> None:
    file = which(path)
    aside = file.with_name("aside")
    file.rename(aside)
    if how == "replaced":
        shutil.copy(aside, file)
    for attempt in (journal.probe, lambda: journal.append([make_deposit(3)])):
        with pytest.raises(JournalError, match=f"{file.name} was deleted, moved or replaced"):
            attempt()
    if how == "deleted":
        return
    aside.replace(file)
    journal.probe()
    # What was written meanwhile has reached the file; a market would read it again.
    assert journal.append([make_deposit(4)]) == [4]
    assert [event.at_us for event in read_all(path)] == [1, 2, 3, 4]


def test_a_folder_that_vanishes_under_a_writer_stops_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with open_journal(url_of(folder / "market.db"), write=True) as journal:
        journal.append([make_deposit(1)])
        shutil.rmtree(folder)
        with pytest.raises(JournalError, match="deleted, moved or replaced"):
            journal.append([make_deposit(2)])


def test_a_file_that_is_not_there_when_it_was_opened_is_an_error(path: Path) -> None:
    with pytest.raises(JournalError, match="vanished while it was opened"):
        OpenFile(path)


def test_a_log_that_a_killed_writer_left_is_folded_in(path: Path, tmp_path: Path) -> None:
    with open_journal(url_of(path), write=True) as journal:
        journal.append([make_deposit(at) for at in range(1, 6)])
        left = tmp_path / "left"
        left.mkdir()
        for name in ("market.db", "market.db-wal"):
            shutil.copy(tmp_path / name, left / name)
    assert len(read_all(left / "market.db")) == 5
    with open_journal(url_of(left / "market.db"), write=True) as journal:
        assert journal.append([make_deposit(6)]) == [6]


def test_without_its_log_a_journal_is_what_had_been_folded_in(path: Path, tmp_path: Path) -> None:
    with open_journal(url_of(path), write=True) as journal:
        journal.append([make_deposit(1)])
    with open_journal(url_of(path), write=True) as journal:
        journal.append([make_deposit(2)])
        shutil.copy(path, tmp_path / "copy.db")
    assert [event.at_us for event in read_all(tmp_path / "copy.db")] == [1]
    assert [event.at_us for event in read_all(path)] == [1, 2]


def test_a_log_of_garbage_is_not_read_as_entries(path: Path) -> None:
    with open_journal(url_of(path), write=True) as journal:
        journal.append([make_deposit(1)])
    log_of(path).write_bytes(os.urandom(50_000))
    with open_journal(url_of(path), write=True) as journal:
        assert journal.append([make_deposit(2)]) == [2]
    assert [event.at_us for event in read_all(path)] == [1, 2]


def test_where_no_log_can_be_kept_the_journal_is_refused(path: Path) -> None:
    """A database that another connection has open in another mode stays in that mode."""
    other = sqlite3.connect(path)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("CREATE TABLE t (x)")
    other.execute("INSERT INTO t VALUES (1)")
    other.commit()
    with pytest.raises(JournalError, match="database is locked"):
        open_journal(url_of(path), write=True)
    other.close()


def test_every_answer_to_a_pragma_is_checked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stubborn(sqlite3.Connection):
        """A database that stays in its journal mode, as SQLite's in-memory ones do, and says so."""

        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            return super().execute("SELECT 'memory'" if "journal_mode" in statement else statement, *values)

    connect = sqlite3.connect
    monkeypatch.setattr(
        module.sqlite3, "connect", lambda *given, **named: connect(*given, **named, factory=Stubborn)
    )
    with pytest.raises(
        JournalError, match="cannot have a write-ahead log here: its journal mode stays 'memory'"
    ):
        open_journal(url_of(path), write=True)


def test_damage_is_told_from_what_may_pass(path: Path) -> None:
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(DamageError, match="not a database"):
        open_journal(url_of(path), write=False)
    assert not is_damage(None)
    assert not is_damage(OSError(5, "Input/output error"))


SCRIPT = """
import os, sys
import intents.market
from intents.errors import JournalError
from intents.journal import open_journal
open_journal("sqlite:///" + sys.argv[1], write=True).close()  # Loads all that is loaded late.
if os.geteuid() == 0:  # Modes of files do not bind the superuser.
    os.setgid(65534)
    os.setuid(65534)
for how, path in zip(sys.argv[2::2], sys.argv[3::2]):
    try:
        with open_journal("sqlite:///" + path, write=how == "write") as journal:
            print(sum(1 for _ in journal.read()), "entries")
    except JournalError as error:
        print(error)
"""

MODES = (
    (0o444, 0o777, "write", "attempt to write a readonly database"),
    (0o666, 0o555, "write", "attempt to write a readonly database"),
    (0o444, 0o555, "write", "attempt to write a readonly database"),
    (0o666, 0o666, "write", "cannot be reached: Permission denied"),
    (0o000, 0o777, "write", "unable to open database file"),
    (0o444, 0o555, "read", "1 entries"),
    (0o000, 0o777, "read", "unable to open database file"),
    (0o444, 0o666, "read", "cannot be reached: Permission denied"),
)
"""Modes of the file and of its folder, what is tried, and what comes of it."""


def test_what_may_not_be_written_is_a_clear_error_at_the_start() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        arguments = []
        for number, (file_mode, folder_mode, how, _) in enumerate(MODES):
            path = Path(folder) / f"{number}" / "market.db"
            path.parent.mkdir()
            with open_journal(url_of(path), write=True) as journal:
                journal.append([make_deposit(1)])
            path.with_name("market.db-lock").chmod(0o666)
            path.chmod(file_mode)
            path.parent.chmod(folder_mode)
            arguments += [how, str(path)]
        command = [sys.executable, "-c", SCRIPT, f"{folder}/aside.db", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        for number, (line, (*_, said)) in enumerate(zip(done.stdout.splitlines(), MODES, strict=True)):
            path = Path(folder) / f"{number}" / "market.db"
            path.parent.chmod(0o755)
            assert said in line
            assert str(path) in line or said == "1 entries"
            path.chmod(0o644)
            assert len(read_all(path)) == 1
