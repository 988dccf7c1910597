"""A server whose disk is full, or whose database is taken away: it keeps what it has acknowledged."""

import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from intents.export import export_archive
from intents.journal import open_journal
from intents.market import replay_journal
from intents.verify import verify_archive
from tests.live_server import ROUND_S, Poster, running, url_of, wait_until_healthy

ROOM = 20_000
"""Bytes that every file may still grow by when the disk is called full."""

DECIDED_S = 1.7 * ROUND_S
"""Long enough for a round to be decided."""

LOG_BYTES = 50 * 1024 * 1024
"""Where the log stands already: it is on the full disk too."""


def limit_files(process: subprocess.Popen[bytes], size: int) -> None:
    """Let no file of a process grow beyond a size."""
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, hard))


def post_until(
    poster: Poster, client: httpx.Client, *, enough: Callable[[list[httpx.Response]], bool]
) -> list[httpx.Response]:
    answers: list[httpx.Response] = []
    give_up = time.monotonic() + 60
    while not enough(answers):
        assert time.monotonic() < give_up, [answer.status_code for answer in answers]
        answers.append(poster.post(client))
        time.sleep(0.02)
    return answers


def refused(answers: list[httpx.Response]) -> list[httpx.Response]:
    return [answer for answer in answers if not answer.is_success]


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a server as an operator does: it closes what it has open, and then ends by the signal."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == -signal.SIGTERM


def check_nothing_was_lost(folder: Path, poster: Poster) -> None:
    with open_journal(url_of(folder), write=False) as journal:
        fold = replay_journal(journal, whole=True)
    assert poster.acknowledged
    assert [intent for intent in poster.acknowledged if fold.engine.book.get(intent) is None] == []
    assert fold.engine.world.audit() == []
    archive = folder / "rounds.parquet"
    assert export_archive(url_of(folder), archive) > 0
    verify_archive(archive)


def test_a_full_disk_refuses_loses_nothing_and_is_over_when_there_is_room_again(tmp_path: Path) -> None:
    with (tmp_path / "server.log").open("wb") as log:
        log.truncate(LOG_BYTES)
    poster = Poster(1)
    with running(tmp_path) as (process, url), httpx.Client(base_url=url, timeout=30.0) as client:
        poster.prepare(client)
        poster.post_for(client, 0.5)
        limit_files(process, (tmp_path / "market.db-wal").stat().st_size + ROOM)
        answers = post_until(poster, client, enough=lambda answers: len(refused(answers)) >= 20)
        for answer in refused(answers):
            assert answer.status_code == 503
            assert answer.json()["code"] == "unavailable"
            assert answer.headers["Retry-After"] == "1"
        assert process.poll() is None
        limit_files(process, resource.RLIM_INFINITY)
        wait_until_healthy(url)
        poster.post_for(client, DECIDED_S)
        stop(process)
    check_nothing_was_lost(tmp_path, poster)


def test_a_database_that_is_moved_away_refuses_until_it_is_back(tmp_path: Path) -> None:
    poster = Poster(2)
    database, aside = tmp_path / "market.db", tmp_path / "aside.db"
    with running(tmp_path) as (process, url), httpx.Client(base_url=url, timeout=30.0) as client:
        poster.prepare(client)
        poster.post_for(client, 0.3)
        database.rename(aside)
        answers = post_until(poster, client, enough=lambda answers: len(answers) >= 10)
        assert [answer.status_code for answer in answers] == [503] * 10
        aside.rename(database)
        wait_until_healthy(url)
        poster.post_for(client, DECIDED_S)
        stop(process)
    check_nothing_was_lost(tmp_path, poster)
    log = (tmp_path / "server.log").read_text()
    assert "was deleted, moved or replaced while it was in use: put it back" in log
