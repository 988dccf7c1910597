"""The worker beside a market: it makes checkpoints from the disk, finds damage, and ends with the market."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from intents.checkpoint import CODE_VERSIONS
from intents.checkpoint_files import list_checkpoints, load_checkpoint
from intents.checkpoint_worker import Report, do_work, make_checkpoint
from intents.events import Advanced
from intents.journal import Journal, open_journal
from tests.market_run import MarketRun, small_run, state_of

CODE = CODE_VERSIONS["sources"]


@pytest.fixture
def run() -> MarketRun:
    made = small_run()
    for _ in range(20):
        made.advance(1_000_000)
    return made


@pytest.fixture
def journal(tmp_path: Path, run: MarketRun) -> Iterator[Journal]:
    with open_journal(f"sqlite:///{tmp_path / 'market.db'}", write=True) as opened:
        opened.append(run.events)
        yield opened


def start(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def work(*arguments: str) -> tuple[int, Report]:
    """The status and the report of a worker, whose input stays open until it has ended."""
    with start("-m", "intents.checkpoint_worker", *arguments) as process:
        assert process.stdout is not None
        answer = process.stdout.read()
        return process.wait(timeout=60), msgspec.json.decode(answer, type=Report)


def tamper(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_worker_leaves_a_checkpoint_while_the_market_has_the_journal_open(
    journal: Journal, run: MarketRun
) -> None:
    seq = len(run.events)
    assert work("fold", journal.url, CODE) == (0, Report(seq=seq))
    fold = load_checkpoint(journal)
    assert fold is not None
    assert (fold.seq, state_of(fold.engine)) == (seq, state_of(run.engine))
    assert journal.append([Advanced(at_us=run.now_us + 1)]) == [seq + 1]


def test_a_checkpoint_is_made_from_the_one_before(journal: Journal, run: MarketRun) -> None:
    make_checkpoint(journal)
    run.advance(1_000_000)
    journal.append(run.events[-1:])
    # Entries that a checkpoint covers are not read again.
    tamper(journal.path, "UPDATE entries SET payload = x'00' WHERE seq = 3")
    assert make_checkpoint(journal) == len(run.events)
    assert len(list_checkpoints(journal.path)) == 2


def test_a_whole_journal_is_reported_whole(journal: Journal, run: MarketRun) -> None:
    assert do_work("check", journal.url, CODE) == Report(seq=len(run.events))


def test_a_damaged_entry_is_reported_with_its_number(journal: Journal) -> None:
    tamper(journal.path, "UPDATE entries SET kind = 'deposited' WHERE seq = 7")
    status, report = work("check", journal.url, CODE)
    assert (status, report.seq, report.is_final) == (1, 7, True)
    assert "entry 7 of the journal is damaged" in report.error
    assert do_work("fold", journal.url, CODE).is_final
    assert list_checkpoints(journal.path) == []


def test_an_index_that_leads_elsewhere_is_damage_too(journal: Journal) -> None:
    tamper(
        journal.path,
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'entries')"
        " WHERE name = 'entries_by_subject'",
    )
    report = do_work("check", journal.url, CODE)
    assert report.is_final
    assert "database" in report.error


def test_what_may_pass_is_not_final(tmp_path: Path) -> None:
    report = do_work("fold", f"sqlite:///{tmp_path / 'nothing.db'}", CODE)
    assert (report.seq, report.is_final) == (None, False)
    assert "there is no journal" in report.error


def test_a_checkpoint_that_cannot_be_written_is_not_final(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("intents.checkpoint_files.os.fsync", full)
    report = do_work("fold", journal.url, CODE)
    assert not report.is_final
    assert "No space left on device" in report.error


def test_an_entry_that_the_market_does_not_take_is_final(journal: Journal) -> None:
    journal.append([Advanced(at_us=1)])
    report = do_work("fold", journal.url, CODE)
    assert report.is_final
    assert "does not belong here" in report.error


def test_other_code_than_the_markets_does_nothing(journal: Journal) -> None:
    tamper(journal.path, "UPDATE entries SET kind = 'deposited' WHERE seq = 7")
    report = do_work("check", journal.url, "0" * 64)
    assert not report.is_final
    assert "the code was changed" in report.error


def test_a_worker_ends_with_the_market(journal: Journal) -> None:
    script = (
        "import sys, time\n"
        "from intents import checkpoint_worker\n"
        "checkpoint_worker.do_work = lambda *_: print('busy', flush=True) or time.sleep(600)\n"
        "checkpoint_worker.main(sys.argv[1:])\n"
    )
    with start("-c", script, "fold", journal.url, CODE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"busy\n"
        process.stdin.close()
        assert process.wait(timeout=60) == 1
