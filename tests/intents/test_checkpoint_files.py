"""Checkpoints beside a journal: the newest that fits is used, and none of the others ever matters."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from intents.checkpoint_files import (
    KEPT,
    check_nothing_lost,
    list_checkpoints,
    load_checkpoint,
    remove_unfinished,
    write_checkpoint,
)
from intents.errors import CheckpointError, DamageError
from intents.fold import Fold
from intents.journal import Journal, open_journal
from intents.market import replay_journal
from tests.market_run import MarketRun, small_run, state_of


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


def fold_at(run: MarketRun, seq: int, folder: Path) -> Fold:
    """The fold of the first entries alone."""
    path = folder / f"first-{seq}.db"
    with open_journal(f"sqlite:///{path}", write=True) as journal:
        journal.append(run.events[:seq])
        return replay_journal(journal, whole=True)


def used(journal: Journal) -> tuple[int | None, list[str]]:
    """The entry of the checkpoint that is used, and why others are not."""
    with structlog.testing.capture_logs() as logs:
        fold = load_checkpoint(journal)
    return fold and fold.seq, [line["reason"] for line in logs if line["event"] == "checkpoint_ignored"]


def test_without_checkpoints_there_is_none(journal: Journal) -> None:
    assert used(journal) == (None, [])
    assert list_checkpoints(journal.path) == []
    check_nothing_lost(journal)


def test_the_newest_is_used_and_only_the_newest_stay(
    journal: Journal, run: MarketRun, tmp_path: Path
) -> None:
    for seq in (3, 5, 9, 7):
        write_checkpoint(journal.path, fold_at(run, seq, tmp_path))
    assert [seq for seq, _ in list_checkpoints(journal.path)] == [9, 7]
    assert KEPT == 2
    assert used(journal) == (9, [])
    assert state_of(replay_journal(journal).engine) == state_of(run.engine)


def test_a_damaged_one_is_left_aside_with_the_reason_and_the_one_before_is_used(
    journal: Journal, run: MarketRun, tmp_path: Path
) -> None:
    write_checkpoint(journal.path, fold_at(run, 4, tmp_path))
    newest = write_checkpoint(journal.path, fold_at(run, 8, tmp_path))
    whole = newest.read_bytes()
    for content, said in (
        (whole[:-1], "is damaged: its hash differs"),
        (whole[:2_000] + b"?" + whole[2_001:], "is damaged: its hash differs"),
        (b"", "does not begin with solvent.checkpoint/1"),
        (b"something else", "does not begin with solvent.checkpoint/1"),
    ):
        newest.write_bytes(content)
        assert used(journal) == (4, [said])
        assert state_of(replay_journal(journal).engine) == state_of(run.engine)
    newest.unlink()
    newest.mkdir()
    assert used(journal) == (4, ["cannot be read: Is a directory"])


def test_one_of_another_journal_is_left_aside(journal: Journal, run: MarketRun, tmp_path: Path) -> None:
    other = small_run()
    for _ in range(9):
        other.advance(2_000_000)
    write_checkpoint(journal.path, fold_at(run, 4, tmp_path))
    write_checkpoint(journal.path, fold_at(other, 8, tmp_path))
    assert used(journal) == (4, ["entry 8 of the journal has another hash"])
    assert state_of(replay_journal(journal).engine) == state_of(run.engine)


def test_one_under_a_name_that_is_not_its_own_is_left_aside(
    journal: Journal, run: MarketRun, tmp_path: Path
) -> None:
    made = write_checkpoint(journal.path, fold_at(run, 4, tmp_path))
    made.rename(made.with_name("market.db-checkpoint-000000000006"))
    assert used(journal) == (None, ["covers entry 4, which its name does not say"])


def test_one_that_contradicts_the_journal_is_given_up_for_the_whole_journal(
    journal: Journal, run: MarketRun, tmp_path: Path
) -> None:
    """A file that was made on purpose: it fits the entry, and its state is another."""
    false = fold_at(run, 4, tmp_path)
    false.engine.handle(run.events[-1])
    write_checkpoint(journal.path, false)
    with structlog.testing.capture_logs() as logs:
        fold = replay_journal(journal)
    assert [line["event"] for line in logs] == ["checkpoint_used", "checkpoint_contradicted"]
    assert state_of(fold.engine) == state_of(run.engine)


def test_a_journal_that_ends_before_a_checkpoint_is_refused_with_what_is_missing(
    journal: Journal, run: MarketRun, tmp_path: Path
) -> None:
    short = tmp_path / "short.db"
    with open_journal(f"sqlite:///{short}", write=True) as cut:
        cut.append(run.events[:10])
        write_checkpoint(short, fold_at(run, 15, tmp_path))
        for refused in (check_nothing_lost, load_checkpoint, replay_journal):
            with pytest.raises(DamageError, match="entry 11 of the journal is missing") as raised:
                refused(cut)
            assert raised.value.seq == 11
        with pytest.raises(DamageError, match="entry 11 of the journal is missing"):
            replay_journal(cut, whole=True)
        for _, path in list_checkpoints(short):
            path.unlink()
        assert replay_journal(cut).seq == 10


def test_a_whole_replay_uses_none(journal: Journal, run: MarketRun, tmp_path: Path) -> None:
    write_checkpoint(journal.path, fold_at(run, 4, tmp_path))
    with structlog.testing.capture_logs() as logs:
        replay_journal(journal, whole=True)
    assert logs == []


def test_names_that_are_no_checkpoints_are_nobodys_business(
    journal: Journal, run: MarketRun, tmp_path: Path
) -> None:
    made = write_checkpoint(journal.path, fold_at(run, 4, tmp_path))
    for name in (
        "market.db-checkpoint-",
        "market.db-checkpoint-12x",
        "market.db-checkpoint-5.bak",
        "market.db2",
    ):
        (tmp_path / name).write_text("mine")
    assert list_checkpoints(journal.path) == [(4, made)]
    write_checkpoint(journal.path, fold_at(run, 5, tmp_path))
    write_checkpoint(journal.path, fold_at(run, 6, tmp_path))
    remove_unfinished(journal.path)
    assert sum(path.read_bytes() == b"mine" for path in tmp_path.iterdir()) == 4


def test_odd_characters_in_the_name_of_a_journal_are_part_of_it(run: MarketRun, tmp_path: Path) -> None:
    path = tmp_path / "a[b]*?.db"
    write_checkpoint(path, fold_at(run, 4, tmp_path))
    assert [seq for seq, _ in list_checkpoints(path)] == [4]


def test_what_cannot_be_written_leaves_nothing_and_the_others_stay(
    journal: Journal, run: MarketRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = write_checkpoint(journal.path, fold_at(run, 4, tmp_path))
    next_one = fold_at(run, 5, tmp_path)

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("intents.checkpoint_files.os.fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        write_checkpoint(journal.path, next_one)
    assert [path for path in tmp_path.iterdir() if "checkpoint" in path.name] == [kept]


def test_what_a_killed_writer_left_is_removed(journal: Journal, run: MarketRun, tmp_path: Path) -> None:
    kept = write_checkpoint(journal.path, fold_at(run, 4, tmp_path))
    left = tmp_path / "market.db-checkpoint-000000000009.part-4711"
    left.write_bytes(b"half a check")
    assert used(journal) == (4, [])
    remove_unfinished(journal.path)
    assert not left.exists()
    assert kept.exists()
