"""The journal: durable, ordered, one writer, and every damaged entry is named."""

import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from intents.errors import JournalError
from intents.events import Advanced, AuctionCut, Deposited, Event, IntentPosted, IntentsCancelled
from intents.journal import CHAIN_START, COMPRESS_ABOVE, Journal, open_journal
from intents.typed_data import NO_GROUP, Leg, OptionIntent
from solvers.codec import encode

OWNER = "0x" + "ab" * 20


def make_deposit(at_us: int) -> Deposited:
    return Deposited(at_us=at_us, owner=OWNER, chain="hub", asset="USDC", amount=at_us + 1)


def make_posted(at_us: int, *, legs: int = 1) -> IntentPosted:
    intent = OptionIntent(
        owner=OWNER,
        nonce=at_us,
        valid_from=0,
        valid_until=10,
        chain="hub",
        legs=tuple(Leg(series=f"BTC-26JUN26-{100 + leg}000-C", ratio=1) for leg in range(legs)),
        units=1,
        min_units=1,
        limit=5,
        immediate=False,
        reduce_only=False,
        group=NO_GROUP,
    )
    return IntentPosted(at_us=at_us, id=f"0x{at_us:064x}", intent=intent, signature="0x" + "11" * 65)


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "market.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with open_journal(url_of(path), write=True) as opened:
        yield opened


def tamper(path: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement, values)
    connection.close()


def read_all(path: Path, after: int = 0) -> list[Event]:
    with open_journal(url_of(path), write=False) as opened:
        return [entry.event for entry in opened.read(after)]


def test_what_was_appended_is_read_back_in_order(journal: Journal, path: Path) -> None:
    events: list[Event] = [make_deposit(at) for at in range(200)]
    assert journal.append(events[:150]) == list(range(1, 151))
    assert journal.append(events[150:]) == list(range(151, 201))
    assert [entry.event for entry in journal.read()] == events
    assert [entry.seq for entry in journal.read(after=130)] == list(range(131, 201))
    assert read_all(path) == events


def test_appending_nothing_writes_nothing(journal: Journal) -> None:
    assert journal.append([]) == []
    assert journal.head() == (0, CHAIN_START)


def test_a_reopened_journal_goes_on_with_the_same_chain(path: Path) -> None:
    for at in range(3):
        with open_journal(url_of(path), write=True) as opened:
            assert opened.append([make_deposit(at)]) == [at + 1]
    assert read_all(path) == [make_deposit(at) for at in range(3)]


def test_the_chain_is_sha256_over_the_hash_before_the_number_the_kind_and_the_content(
    journal: Journal,
) -> None:
    journal.append([make_deposit(1), make_deposit(2)])
    last = CHAIN_START
    for entry in journal.read():
        content = f"{last}\n{entry.seq}\ndeposited\n".encode() + encode(entry.event)
        last = hashlib.sha256(content).hexdigest()
        assert entry.hash == last
    assert journal.head() == (2, last)


def test_large_content_is_compressed_and_small_is_not(journal: Journal, path: Path) -> None:
    small, large = make_posted(1), make_posted(2, legs=40)
    journal.append([small, large])
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT encoding, payload FROM entries ORDER BY seq").fetchall()
    connection.close()
    assert rows[0] == ("json", encode(small))
    assert rows[1][0] == "zstd"
    assert len(rows[1][1]) < COMPRESS_ABOVE < len(encode(large))
    assert zstandard.decompress(rows[1][1]) == encode(large)
    assert [entry.event for entry in journal.read()] == [small, large]


def test_entries_are_found_by_kind_and_subject(journal: Journal) -> None:
    cut, posted = AuctionCut(at_us=3, auction="auction-1"), make_posted(2)
    cancelled = IntentsCancelled(at_us=4, owner=OWNER, intents=(posted.id,), signature="0x")
    journal.append([make_deposit(1), posted, cut, cancelled, make_deposit(5), Advanced(at_us=6)])
    assert [entry.event for entry in journal.find(AuctionCut, "auction-1")] == [cut]
    assert [entry.event for entry in journal.find(IntentPosted, posted.id)] == [posted]
    assert [entry.seq for entry in journal.find(Deposited, OWNER)] == [1, 5]
    assert journal.find(AuctionCut, "auction-2") == []


@pytest.mark.parametrize(
    ("statement", "damaged"),
    [
        ("UPDATE entries SET payload = CAST(payload || ' ' AS BLOB) WHERE seq = 90", 90),
        ("UPDATE entries SET payload = CAST(payload AS TEXT) WHERE seq = 99", 99),
        ("UPDATE entries SET payload = x'00' WHERE seq = 1", 1),
        ("UPDATE entries SET encoding = 'zstd' WHERE seq = 7", 7),
        ("UPDATE entries SET kind = 'advanced' WHERE seq = 8", 8),
        ("UPDATE entries SET at_us = at_us + 1 WHERE seq = 9", 9),
        ("UPDATE entries SET subject = 'mallory' WHERE seq = 10", 10),
        ("UPDATE entries SET hash = prev_hash WHERE seq = 11", 11),
        ("UPDATE entries SET prev_hash = hash WHERE seq = 12", 12),
        ("DELETE FROM entries WHERE seq = 64", 64),
        ("DELETE FROM entries WHERE seq = 1", 1),
    ],
)
def test_a_damaged_entry_is_named(path: Path, statement: str, damaged: int) -> None:
    with open_journal(url_of(path), write=True) as opened:
        opened.append([make_deposit(at) for at in range(1, 101)])
    tamper(path, statement)
    with pytest.raises(JournalError) as raised:
        read_all(path)
    assert raised.value.seq == damaged
    assert str(damaged) in str(raised.value)


def test_two_exchanged_entries_are_noticed(path: Path) -> None:
    with open_journal(url_of(path), write=True) as opened:
        opened.append([make_deposit(at) for at in range(1, 5)])
    tamper(path, "UPDATE entries SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3)")
    tamper(path, "UPDATE entries SET seq = -seq WHERE seq < 0")
    with pytest.raises(JournalError) as raised:
        read_all(path)
    assert raised.value.seq == 2


def test_an_entry_of_another_version_is_named(path: Path) -> None:
    with open_journal(url_of(path), write=True) as opened:
        opened.append([make_deposit(1)])
        last = opened.head()[1]
    content = b'{"at_us":2,"event":"deposited","owner":"o"}'
    entry_hash = hashlib.sha256(f"{last}\n2\ndeposited\n".encode() + content).hexdigest()
    tamper(
        path,
        "INSERT INTO entries VALUES (2, 2, 'deposited', 'o', 'json', ?, ?, ?)",
        content,
        last,
        entry_hash,
    )
    with pytest.raises(JournalError, match="entry 2 is no event of this version"):
        read_all(path)


def test_reading_behind_an_entry_that_is_not_there_is_an_error(journal: Journal) -> None:
    with pytest.raises(JournalError, match="entry 5 of the journal is missing"):
        list(journal.read(after=5))


def test_a_second_writer_is_refused_and_a_reader_is_not(journal: Journal, path: Path) -> None:
    journal.append([make_deposit(1)])
    with pytest.raises(JournalError, match="another process"):
        open_journal(url_of(path), write=True)
    assert read_all(path) == [make_deposit(1)]
    journal.close()
    open_journal(url_of(path), write=True).close()


def test_a_writer_that_is_killed_leaves_its_entries_and_no_lock(path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from intents.journal import open_journal\n"
        "from intents.events import Advanced\n"
        "journal = open_journal(sys.argv[1], write=True)\n"
        "journal.append([Advanced(at_us=at) for at in range(10)])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, url_of(path)], check=False, timeout=60)
    assert done.returncode == -9
    assert len(read_all(path)) == 10
    with open_journal(url_of(path), write=True) as opened:
        assert opened.append([Advanced(at_us=10)]) == [11]


def test_a_reader_cannot_append(path: Path) -> None:
    open_journal(url_of(path), write=True).close()
    with (
        open_journal(url_of(path), write=False) as opened,
        pytest.raises(JournalError, match="for reading only"),
    ):
        opened.append([make_deposit(1)])


def test_an_empty_file_becomes_a_journal_for_a_writer_and_is_none_for_a_reader(path: Path) -> None:
    path.touch()
    with pytest.raises(JournalError, match="holds no journal"):
        open_journal(url_of(path), write=False)
    with open_journal(url_of(path), write=True) as opened:
        assert opened.append([make_deposit(1)]) == [1]


def test_a_missing_file_is_not_made_for_a_reader(path: Path) -> None:
    with pytest.raises(JournalError, match="no journal at"):
        open_journal(url_of(path), write=False)
    assert not path.exists()


@pytest.mark.parametrize("write", [True, False])
def test_what_is_no_journal_is_refused_and_left_as_it_was(path: Path, write: bool) -> None:
    path.write_bytes(b"a picture of a cat, not a database" * 100)
    with pytest.raises(JournalError, match="not a database"):
        open_journal(url_of(path), write=write)
    assert path.read_bytes() == b"a picture of a cat, not a database" * 100
    path.unlink()

    tamper(path, "CREATE TABLE bookmarks (id INTEGER)")
    with pytest.raises(JournalError, match="another application: bookmarks"):
        open_journal(url_of(path), write=write)
    path.unlink()

    open_journal(url_of(path), write=True).close()
    tamper(path, "UPDATE solvent_journal SET format = 'solvent.journal/9'")
    with pytest.raises(JournalError, match=r"format solvent\.journal/9"):
        open_journal(url_of(path), write=write)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("solvent.db", "not a database URL"),
        ("sqlite://", "SQLite file"),
        ("sqlite:///:memory:", "SQLite file"),
        ("sqlite:///solvent.db?mode=ro", "SQLite file"),
        ("postgresql://localhost/solvent", "SQLite file"),
        ("sqlite:////no-such-folder/solvent.db", "not a file that can be made"),
        ("sqlite:////", "not a file that can be made"),
    ],
)
def test_a_url_that_names_no_file_is_refused(url: str, said: str) -> None:
    with pytest.raises(JournalError, match=said):
        open_journal(url, write=True)


def test_odd_characters_in_the_path_are_part_of_the_name(tmp_path: Path) -> None:
    path = tmp_path / "50% of it #1.db"
    with open_journal(url_of(path), write=True) as opened:
        opened.append([make_deposit(1)])
    assert path.exists()
    assert read_all(path) == [make_deposit(1)]


@pytest.mark.parametrize(
    ("pragma", "said"),
    [("PRAGMA query_only=ON", "readonly"), ("PRAGMA max_page_count=1", "full")],
)
def test_a_journal_that_cannot_be_written_says_why_and_goes_on_afterwards(
    journal: Journal, pragma: str, said: str
) -> None:
    journal.append([make_deposit(1)])
    large: list[Event] = [make_posted(at, legs=8) for at in range(2, 100)]
    with journal._engine.connect() as connection:
        connection.exec_driver_sql(pragma)
    with pytest.raises(JournalError, match=said):
        journal.append(large)
    assert len(list(journal.read())) == 1
    with journal._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=OFF")
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    assert journal.append(large)[0] == 2
    assert len(list(journal.read())) == 99


def test_another_applications_lock_is_an_error_and_not_a_hang(journal: Journal, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError, match="locked"):
        journal.append([make_deposit(1)])
    other.execute("ROLLBACK")
    other.close()
    assert journal.append([make_deposit(1)]) == [1]
