"""A server that is killed at any moment loses nothing that it acknowledged, and no deal half settles."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from chains.commit import DealState
from chains.units import COIN, MICRO
from intents.archive import read_archive
from intents.export import export_archive
from intents.journal import open_journal
from intents.market import replay_journal
from intents.order_flow import OrderFlow, Screen, make_traders, read_screen
from intents.replay import replay_all
from intents.signing import sign_message
from intents.verify import verify_archive
from solvers.auction import Auction
from solvers.codec import decode

KILLS = 5
ROUND_S = 1.5
START_S = 60.0
POSTED_BETWEEN_KILLS_S = (0.5, 4.0)


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A `solvent serve` process of its own, and its URL; killed at the end if it still runs."""
    log = (folder / "server.log").open("ab")
    command = [sys.executable, "-m", "intents.command_line", "serve", "--port", "0"]
    command += ["--database", f"sqlite:///{folder / 'market.db'}", "--solver", "single", "--solver", "greedy"]
    command += ["--round-us", str(int(ROUND_S * MICRO)), "--solve-us", str(MICRO // 2)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert "http" in line, (folder / "server.log").read_text()[-2_000:]
        url = "http" + line.rsplit("http", 1)[1].strip()
        wait_until_healthy(url)
        yield process, url
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        log.close()


def wait_until_healthy(url: str) -> None:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        try:
            if httpx.get(f"{url}/healthz", timeout=5.0).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail("the server did not become healthy")


class Poster:
    """Posts signed intents and remembers what was acknowledged."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        self.acknowledged: list[str] = []
        self.flow: OrderFlow | None = None
        self.screen: Screen | None = None

    def prepare(self, client: httpx.Client) -> None:
        market = client.get("/v1/market").raise_for_status().json()
        self.eip712 = market["eip712"]
        traders = make_traders(self.seed, count=6, chains=[chain["id"] for chain in market["chains"]])
        for trader in traders:
            for asset, amount in (("USDC", 5_000_000 * MICRO), ("BTC", 200 * COIN)):
                body = {"chain": trader.chain, "asset": asset, "amount": amount}
                client.post(f"/v1/accounts/{trader.owner}/deposits", json=body).raise_for_status()
        self.flow = OrderFlow(seed=self.seed, traders=traders)

    def read_prices(self, client: httpx.Client) -> None:
        """Prices from the newest published auction, as any trader could read them."""
        give_up = time.monotonic() + START_S
        while time.monotonic() < give_up:
            listed = client.get("/v1/auctions").raise_for_status().json()["auctions"]
            if listed:
                newest = max(line["auction"] for line in listed)
                auction = decode(client.get(f"/v1/auctions/{newest}").raise_for_status().content, Auction)
                self.screen = read_screen(auction, now_us=auction.cut_us)
                return
            time.sleep(0.1)
        pytest.fail("no auction was published")

    def post_for(self, client: httpx.Client, seconds: float) -> None:
        assert self.flow is not None
        assert self.screen is not None
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            now_us = time.time_ns() // 1_000
            ((trader, message),) = self.flow.draw(self.screen, count=1, now_us=now_us)
            body = sign_message("OptionIntent", message, eip712=self.eip712, key=trader.key)
            answer = client.post("/v1/intents", json=body)
            assert answer.status_code in {200, 201}, answer.text
            self.acknowledged.append(answer.json()["id"])


def test_five_kills_lose_nothing_and_leave_no_deal_half_settled(tmp_path: Path) -> None:
    seed = int(os.environ.get("KILL_SEED", "20260105"))
    poster = Poster(seed)
    kills = 0
    while kills < KILLS:
        with running(tmp_path) as (process, url), httpx.Client(base_url=url, timeout=30.0) as client:
            if poster.flow is None:
                poster.prepare(client)
                poster.read_prices(client)
            poster.post_for(client, poster.random.uniform(*POSTED_BETWEEN_KILLS_S))
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    url = f"sqlite:///{tmp_path / 'market.db'}"
    with open_journal(url, write=False) as journal:
        fold = replay_journal(journal)
    assert poster.acknowledged
    missing = [intent for intent in poster.acknowledged if fold.engine.book.get(intent) is None]
    assert not missing, f"KILL_SEED={seed}: {len(missing)} acknowledged intents are gone"
    assert not fold.engine.world.audit()
    archive = tmp_path / "rounds.parquet"
    assert export_archive(url, archive) > 0
    found = verify_archive(archive)
    assert found.deals > 0
    assert all(each.is_match for each in replay_all(read_archive(archive)))
    last = fold.engine.now_us
    fold.engine.world.advance(last + 600 * MICRO)
    states = {record.state for record in fold.engine.world.deals.values()}
    assert states <= {DealState.SETTLED, DealState.CLOSED}
