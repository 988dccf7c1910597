"""A server that is killed at any moment loses nothing that it acknowledged, and no deal half settles.

It is killed while it takes orders, while solvers work, while deals settle and while a checkpoint is made
beside it, whatever it happens to do at a random instant; then it starts again from what is on the disk.
"""

import os
import signal
from functools import partial
from pathlib import Path

import httpx
import pytest

from chains.commit import DealState
from chains.units import MICRO
from intents.archive import read_archive
from intents.checkpoint_files import list_checkpoints
from intents.export import export_archive
from intents.fold import Fold
from intents.journal import open_journal
from intents.market import replay_journal
from intents.replay import replay_all
from intents.verify import verify_archive
from tests.live_server import Poster, running, url_of
from tests.market_run import state_of

POSTED_BETWEEN_KILLS_S = (0.3, 2.5)
CHECKPOINTS = ("--checkpoint-entries", "40")
"""So few that one is due soon after every start."""


IN_A_CHECKPOINT = 4
"""Every fourth kill waits: the first time until there is a checkpoint, then until one is being written."""


def is_made(folder: Path, *, being_written: bool) -> bool:
    """Whether there is a checkpoint, or one of which only a part is written."""
    if being_written:
        return bool(list(folder.glob("market.db-checkpoint-*.part-*")))
    return bool(list_checkpoints(folder / "market.db"))


def kill_again_and_again(folder: Path, poster: Poster, *, kills: int, look_every: int) -> None:
    for kill in range(1, kills + 1):
        with (
            running(folder, *CHECKPOINTS) as (process, url),
            httpx.Client(base_url=url, timeout=30.0) as client,
        ):
            if poster.flow is None:
                poster.prepare(client)
            poster.post_for(client, poster.random.uniform(*POSTED_BETWEEN_KILLS_S))
            if kill % IN_A_CHECKPOINT == 0:
                poster.post_until(client, partial(is_made, folder, being_written=kill > IN_A_CHECKPOINT))
            process.send_signal(signal.SIGKILL)
            process.wait()
        if kill % look_every == 0:
            check_all_is_there(folder, poster)


def check_all_is_there(folder: Path, poster: Poster) -> Fold:
    """What was acknowledged is in the journal, whose record verifies and replays."""
    with open_journal(url_of(folder), write=False) as journal:
        fold = replay_journal(journal, whole=True)
        assert state_of(replay_journal(journal).engine) == state_of(fold.engine)
    missing = [intent for intent in poster.acknowledged if fold.engine.book.get(intent) is None]
    assert not missing, f"KILL_SEED={poster.seed}: {len(missing)} acknowledged intents are gone"
    assert not fold.engine.world.audit()
    archive = folder / "rounds.parquet"
    if export_archive(url_of(folder), archive):
        verify_archive(archive)
        assert all(each.is_match for each in replay_all(read_archive(archive)))
    return fold


def check_the_end(folder: Path, poster: Poster) -> None:
    fold = check_all_is_there(folder, poster)
    assert poster.acknowledged
    assert list_checkpoints(folder / "market.db")
    assert "checkpoint_used" in (folder / "server.log").read_text()
    world = fold.engine.world
    assert world.deals
    world.advance(fold.engine.now_us + 600 * MICRO)
    assert {record.state for record in world.deals.values()} <= {DealState.SETTLED, DealState.CLOSED}


def make_poster() -> Poster:
    return Poster(int(os.environ.get("KILL_SEED", "20260105")))


def test_five_kills_lose_nothing_and_leave_no_deal_half_settled(tmp_path: Path) -> None:
    poster = make_poster()
    kill_again_and_again(tmp_path, poster, kills=5, look_every=5)
    check_the_end(tmp_path, poster)


@pytest.mark.soak
def test_twenty_kills_lose_nothing_and_every_start_works(tmp_path: Path) -> None:
    poster = make_poster()
    kill_again_and_again(tmp_path, poster, kills=20, look_every=1)
    check_the_end(tmp_path, poster)
