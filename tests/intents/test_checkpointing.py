"""When checkpoints are made, beside a market that goes on; and a market whose past is damaged says so."""

import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import structlog

from intents.checkpoint import CODE_VERSIONS
from intents.checkpoint_files import list_checkpoints
from intents.errors import DamageError, UnavailableError
from intents.export import export_archive
from intents.service import Service
from tests.services import (
    BrokenDisk,
    error_of,
    give_funds,
    open_small_service,
    post_signed,
    run_client,
    run_service,
    signed_body,
    state_of,
)

WAIT_S = 60.0
FAILED = "checkpoint_worker_failed"


def covered(folder: Path) -> list[int]:
    return [seq for seq, _ in list_checkpoints(folder / "market.db")]


async def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.02)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are looked at all the time."""
    monkeypatch.setattr("intents.checkpointing.LOOK_S", 0.01)
    monkeypatch.setattr("intents.checkpointing.REST", 0)


def make_history(folder: Path, *, every: int = 1) -> None:
    """A market with five entries and a checkpoint at the last."""

    async def story(service: Service) -> None:
        await give_funds(service)
        await post_signed(service, 1)
        await post_signed(service, 2)

    run_service(folder, story, checkpoint_entries=every)


def tamper(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / "market.db")
    with connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.usefixtures("busy")
def test_a_checkpoint_is_made_while_the_market_goes_on(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        longest, nonce = 0.0, 0
        while not covered(tmp_path):
            began = time.monotonic()
            nonce += 1
            await post_signed(service, nonce, units=1, limit=1)
            longest = max(longest, time.monotonic() - began)
            await asyncio.sleep(0.01)
        assert longest < 1.0
        assert min(covered(tmp_path)) >= 5

    run_service(tmp_path, story, checkpoint_entries=5)


@pytest.mark.usefixtures("busy")
def test_large_entries_count_by_their_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intents.checkpointing.KIBIBYTE", 1)

    async def story(service: Service) -> None:
        await give_funds(service)
        await until(lambda: bool(covered(tmp_path)))

    run_service(tmp_path, story, checkpoint_entries=400)


def test_the_next_one_waits_many_times_as_long_as_the_last_one_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intents.checkpointing.LOOK_S", 0.01)
    monkeypatch.setattr("intents.checkpointing.REST", 10_000)

    async def story(service: Service) -> None:
        await give_funds(service)
        checkpointing = service._checkpointing
        await until(lambda: checkpointing._not_before_s > time.monotonic())
        first, process = covered(tmp_path), checkpointing._process
        for nonce in range(5):
            await post_signed(service, nonce, units=1)
        await asyncio.sleep(0.3)
        assert (covered(tmp_path), checkpointing._process) == (first, process)

    run_service(tmp_path, story, checkpoint_entries=2)


def test_a_service_that_stops_leaves_one_and_the_next_start_uses_it(tmp_path: Path) -> None:
    make_history(tmp_path)
    assert covered(tmp_path) == [5]
    with structlog.testing.capture_logs() as logs:
        service = open_small_service(tmp_path)
    assert [line["seq"] for line in logs if line["event"] == "checkpoint_used"] == [5]
    with_checkpoint = state_of(service)
    asyncio.run(service.close())
    for _, path in list_checkpoints(tmp_path / "market.db"):
        path.unlink()
    service = open_small_service(tmp_path)
    assert state_of(service) == with_checkpoint
    asyncio.run(service.close())


@pytest.mark.parametrize(("every", "left"), [(0, []), (50, [5]), (90, [])])
def test_one_is_left_only_where_a_tenth_of_the_usual_number_is_new(
    tmp_path: Path, every: int, left: list[int]
) -> None:
    make_history(tmp_path, every=every)
    assert covered(tmp_path) == left
    make_history_longer(tmp_path, every=every)
    assert covered(tmp_path) == left


def make_history_longer(folder: Path, *, every: int) -> None:
    """Three entries more than the market had."""

    async def story(service: Service) -> None:
        for nonce in (3, 4, 5):
            await post_signed(service, nonce)

    if every:
        run_service(folder, story, checkpoint_entries=every)


def test_a_market_that_is_closed_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        with monkeypatch.context() as patched:
            BrokenDisk(patched)
            with pytest.raises(UnavailableError):
                await service.post_intent(signed_body(service, 1))
            await service.close()

    run_service(tmp_path, story, checkpoint_entries=1)
    assert covered(tmp_path) == []


def test_a_damaged_entry_that_a_checkpoint_covers_closes_the_market_for_good(tmp_path: Path) -> None:
    make_history(tmp_path)
    tamper(tmp_path, "UPDATE entries SET subject = 'mallory' || subject, hash = prev_hash WHERE seq = 3")

    async def story(service: Service, client: httpx.AsyncClient) -> None:
        service.start()
        await until(lambda: not service.market.is_open)
        for _ in range(2):
            answer = await client.post("/v1/intents", content=signed_body(service, 9))
            assert error_of(answer)[:2] == (503, "unavailable")
            assert "entry 3 of the journal is damaged" in answer.json()["message"]
            assert (await client.get("/healthz")).status_code == 503
            assert (await client.get("/v1/auctions/auction-000001")).status_code == 503
            await asyncio.sleep(0.05)
        with pytest.raises(UnavailableError, match="entry 3"):
            service.now_us()

    run_client(tmp_path, story)
    with pytest.raises(DamageError, match="entry 3"):
        export_archive(f"sqlite:///{tmp_path / 'market.db'}", tmp_path / "out.parquet")


def test_the_journal_is_verified_again_where_the_first_worker_could_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_history(tmp_path)
    tamper(tmp_path, "UPDATE entries SET subject = 'mallory' || subject, hash = prev_hash WHERE seq = 3")
    python = sys.executable
    monkeypatch.setattr("intents.checkpointing.CHECK_AGAIN_S", 0.01)
    monkeypatch.setattr("intents.checkpointing.sys.executable", "/bin/false")

    async def story(service: Service) -> None:
        with structlog.testing.capture_logs() as logs:
            await until(lambda: len([line for line in logs if line["event"] == FAILED]) > 1)
        assert service.market.is_open
        monkeypatch.setattr("intents.checkpointing.sys.executable", python)
        await until(lambda: not service.market.is_open)
        assert "entry 3" in service.market.closed_because

    run_service(tmp_path, story, checkpoint_entries=1)


def test_a_checkpoint_that_cannot_be_used_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_history(tmp_path)
    (before,) = (path for _, path in list_checkpoints(tmp_path / "market.db"))
    monkeypatch.setitem(CODE_VERSIONS, "sources", "other code")
    written = before.read_bytes()

    async def story(service: Service) -> None:
        assert service.market.checkpoint_seq == 0

    run_service(tmp_path, story, checkpoint_entries=1)
    (after,) = (path for _, path in list_checkpoints(tmp_path / "market.db"))
    assert after.read_bytes() != written


def test_a_damaged_entry_behind_the_checkpoint_refuses_the_start(tmp_path: Path) -> None:
    make_history(tmp_path, every=30)
    make_history_longer(tmp_path, every=1_000)
    assert covered(tmp_path) == [5]
    tamper(tmp_path, "UPDATE entries SET payload = CAST(payload || ' ' AS BLOB) WHERE seq = 7")
    with pytest.raises(DamageError, match="entry 7 of the journal is damaged: its hash differs"):
        open_small_service(tmp_path)


def test_entries_that_were_cut_off_refuse_the_start(tmp_path: Path) -> None:
    make_history(tmp_path)
    for newest in (4, 1, 0):
        tamper(tmp_path, f"DELETE FROM entries WHERE seq > {newest}")
        with pytest.raises(DamageError, match=f"entry {newest + 1} of the journal is missing"):
            open_small_service(tmp_path)


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("program", ["/nowhere/python", "/bin/false"])
def test_a_worker_that_fails_costs_nothing_but_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr("intents.checkpointing.sys.executable", program)

    async def story(service: Service) -> None:
        with structlog.testing.capture_logs() as logs:
            await give_funds(service)
            await until(lambda: any(line["event"] == FAILED for line in logs))
        await post_signed(service, 1)

    run_service(tmp_path, story, checkpoint_entries=1)
    assert covered(tmp_path) == [4]


@pytest.mark.usefixtures("busy")
def test_a_service_that_stops_does_not_wait_for_its_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 600\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr("intents.checkpointing.sys.executable", str(sleeper))

    async def story(service: Service) -> None:
        await give_funds(service)
        await until(lambda: service._checkpointing._process is not None)

    began = time.monotonic()
    run_service(tmp_path, story, checkpoint_entries=1)
    assert time.monotonic() - began < 20
    assert covered(tmp_path) == [3]
