"""A damaged file: what is read is what was written, up to an entry that is named, and never anything else."""

import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intents.checkpoint_files import check_nothing_lost, list_checkpoints
from intents.checkpoint_worker import make_checkpoint
from intents.errors import DamageError, JournalError
from intents.events import Event, IntentPosted
from intents.export import export_archive
from intents.journal import open_journal
from intents.market import replay_journal
from tests.intents.test_journal import make_deposit, make_posted
from tests.random_history import drawn_history

PAGE = 4_096
"""SQLite's usual page."""


class Past(list[Event]):
    """Some events, too many to be shown."""

    def __repr__(self) -> str:
        return f"<{len(self)} events>"


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return Past(drawn_history(2, steps=60))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> Path:
    """A journal with a checkpoint at its last entry, in one file without a log."""
    path = tmp_path_factory.mktemp("whole") / "market.db"
    with open_journal(f"sqlite:///{path}", write=True) as journal:
        journal.append(events)
        make_checkpoint(journal)
    assert [seq for seq, _ in list_checkpoints(path)] == [len(events)]
    return path


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return copied(whole, tmp_path)


def copied(whole: Path, folder: Path) -> Path:
    for path in whole.parent.glob("market.db*"):
        if not path.name.endswith("-lock"):
            shutil.copy(path, folder / path.name)
    for left in ("-wal", "-shm", "-journal"):
        (folder / f"market.db{left}").unlink(missing_ok=True)
    return folder / "market.db"


def read_what_can_be_read(path: Path, events: list[Event]) -> JournalError | None:
    """Everything that is read is what was written; the error that ended it, or that shows what is missing."""
    found: list[Event] = []
    failure = None
    try:
        with open_journal(f"sqlite:///{path}", write=False) as journal:
            for entry in journal.read():
                found.append(entry.event)
            check_nothing_lost(journal)
    except JournalError as error:
        failure = error
    assert found == events[: len(found)]
    assert failure is None or failure.seq in {None, len(found) + 1}
    return failure


def refuse_or_be_whole(path: Path, events: list[Event]) -> bool:
    """Whether a journal is refused; it is read to its very end if not."""
    if read_what_can_be_read(path, events) is not None:
        return True
    with open_journal(f"sqlite:///{path}", write=False) as journal:
        assert journal.head()[0] == len(events)
    return False


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 2**24), st.integers(1, 255)), min_size=1, max_size=3))
def test_flipped_bytes_anywhere_in_the_file(
    whole: Path, tmp_path: Path, events: list[Event], flips: list[tuple[int, int]]
) -> None:
    path = copied(whole, tmp_path)
    content = bytearray(path.read_bytes())
    for place, flip in flips:
        content[place % len(content)] ^= flip
    path.write_bytes(content)
    refuse_or_be_whole(path, events)


def test_every_page_that_is_zeroed_or_filled_with_another_is_noticed(
    whole: Path, tmp_path: Path, events: list[Event]
) -> None:
    content = whole.read_bytes()
    pages = len(content) // PAGE
    noticed = 0
    for page in range(0, pages, 2):
        path = copied(whole, tmp_path)
        other = content[:PAGE] if page % 4 else bytes(PAGE)
        path.write_bytes(content[: page * PAGE] + other + content[(page + 1) * PAGE :])
        refused = refuse_or_be_whole(path, events)
        try:
            with open_journal(f"sqlite:///{path}", write=False) as journal:
                journal.check(0, len(events))
                journal.check_database()
        except JournalError:
            refused = True
        noticed += refused
    assert noticed == len(range(0, pages, 2))


def test_a_file_that_is_cut_short_is_noticed_wherever_it_ends(
    whole: Path, tmp_path: Path, events: list[Event]
) -> None:
    content = whole.read_bytes()
    random = Random(1)
    ends = [0, 1, 100, PAGE, len(content) - PAGE, len(content) - 1, *random.sample(range(len(content)), 12)]
    for end in ends:
        path = copied(whole, tmp_path)
        path.write_bytes(content[:end])
        refuse_or_be_whole(path, events)


ADD_AN_OLD_ROW = (
    "CREATE TEMP TABLE old AS SELECT * FROM entries WHERE seq = 40;"
    "UPDATE old SET seq = (SELECT max(seq) + 1 FROM entries);"
    "INSERT INTO entries SELECT * FROM old"
)
EXCHANGE_TWO_ROWS = (
    "UPDATE entries SET seq = -seq WHERE seq IN (20, 21); UPDATE entries SET seq = 41 + seq WHERE seq < 0"
)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM entries WHERE seq = 30", 30),
        ("DELETE FROM entries WHERE seq = 1", 1),
        ("DELETE FROM entries WHERE seq > 40", 41),
        ("DELETE FROM entries", 1),
        (EXCHANGE_TWO_ROWS, 20),
        ("UPDATE entries SET seq = seq + 1000 WHERE seq >= 25", 25),
        ("UPDATE entries SET payload = (SELECT payload FROM entries WHERE seq = 3) WHERE seq = 33", 33),
        ("UPDATE entries SET payload = zeroblob(length(payload)) WHERE seq = 12", 12),
        ("UPDATE entries SET payload = 99999999999 WHERE seq = 12", 12),
        ("UPDATE entries SET payload = 1.5 WHERE seq = 12", 12),
        ("UPDATE entries SET kind = x'FF' WHERE seq = 13", 13),
        ("UPDATE entries SET kind = CAST(x'FF' AS TEXT) WHERE seq = 13", 13),
        ("UPDATE entries SET hash = CAST(x'C328' AS TEXT) WHERE seq = 600 OR seq = 14", 14),
        ("UPDATE entries SET at_us = 'soon' WHERE seq = 15", 15),
        ("UPDATE entries SET encoding = 'none' WHERE seq = 16", 16),
        ("UPDATE entries SET prev_hash = upper(prev_hash) WHERE seq = 17", 17),
        ("UPDATE entries SET hash = upper(hash) WHERE seq = 18", 18),
        (ADD_AN_OLD_ROW, None),
    ],
)
def test_rows_that_are_changed_left_out_exchanged_or_added_are_named(
    copy: Path, events: list[Event], statement: str, named: int | None
) -> None:
    connection = sqlite3.connect(copy)
    connection.executescript(statement)
    connection.close()
    expected = named or len(events) + 1
    with open_journal(f"sqlite:///{copy}", write=False) as journal:
        with pytest.raises(DamageError) as raised:
            replay_journal(journal, whole=True)
        assert raised.value.seq == expected
        assert f"entry {expected}" in str(raised.value)
    with pytest.raises(DamageError, match=f"entry {expected}\\b"):
        export_archive(f"sqlite:///{copy}", copy.with_name("out.parquet"))
    assert not copy.with_name("out.parquet").exists()


def test_the_entry_that_cannot_be_read_is_named_and_not_the_page_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    many: list[Event] = [make_posted(at, legs=8) if at % 2 else make_deposit(at) for at in range(1, 701)]
    with open_journal(f"sqlite:///{path}", write=True) as journal:
        journal.append(many)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE entries SET subject = CAST(x'80' AS TEXT) WHERE seq = 650")
    connection.commit()
    connection.close()
    error = read_what_can_be_read(path, many)
    assert error is not None
    assert error.seq == 650
    assert "cannot be read at entry 650" in str(error)


def test_what_is_found_by_subject_is_verified_too(copy: Path, events: list[Event]) -> None:
    posted = next(event for event in events if isinstance(event, IntentPosted))
    connection = sqlite3.connect(copy)
    connection.execute("UPDATE entries SET payload = zeroblob(9) WHERE subject = ?", (posted.id,))
    connection.commit()
    connection.close()
    with (
        open_journal(f"sqlite:///{copy}", write=False) as journal,
        pytest.raises(DamageError, match="is damaged"),
    ):
        journal.find(IntentPosted, posted.id)
