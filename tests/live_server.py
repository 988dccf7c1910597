"""A real server in a process of its own, and somebody who posts to it and remembers what was acknowledged."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from chains.units import COIN, MICRO
from intents.order_flow import OrderFlow, Screen, make_traders, read_screen
from intents.signing import sign_message
from solvers.auction import Auction
from solvers.codec import decode

ROUND_S = 1.5
START_S = 60.0


def url_of(folder: Path) -> str:
    """The journal of the server in a folder."""
    return f"sqlite:///{folder / 'market.db'}"


@contextmanager
def running(folder: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A `solvent serve` process of its own, and its URL; killed at the end if it still runs."""
    log = (folder / "server.log").open("ab")
    command = [sys.executable, "-m", "intents.command_line", "serve", "--port", "0"]
    command += ["--database", url_of(folder), "--solver", "single", "--solver", "greedy"]
    command += ["--round-us", str(int(ROUND_S * MICRO)), "--solve-us", str(MICRO // 2), *flags]
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
    """Return once the market accepts intents."""
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
        """Bring money, and wait for the first prices."""
        market = client.get("/v1/market").raise_for_status().json()
        self.eip712 = market["eip712"]
        traders = make_traders(self.seed, count=6, chains=[chain["id"] for chain in market["chains"]])
        for trader in traders:
            for asset, amount in (("USDC", 5_000_000 * MICRO), ("BTC", 200 * COIN)):
                body = {"chain": trader.chain, "asset": asset, "amount": amount}
                client.post(f"/v1/accounts/{trader.owner}/deposits", json=body).raise_for_status()
        self.flow = OrderFlow(seed=self.seed, traders=traders)
        self._read_prices(client)

    def post(self, client: httpx.Client) -> httpx.Response:
        """Post one intent, once; what is acknowledged is remembered."""
        assert self.flow is not None
        assert self.screen is not None
        now_us = time.time_ns() // 1_000
        ((trader, message),) = self.flow.draw(self.screen, count=1, now_us=now_us)
        body = sign_message("OptionIntent", message, eip712=self.eip712, key=trader.key)
        answer = client.post("/v1/intents", json=body)
        if answer.is_success:
            self.acknowledged.append(answer.json()["id"])
        return answer

    def post_for(self, client: httpx.Client, seconds: float) -> None:
        """Post for a while; everything is acknowledged."""
        until = time.monotonic() + seconds
        self.post_until(client, lambda: time.monotonic() >= until)

    def post_until(self, client: httpx.Client, condition: Callable[[], bool]) -> None:
        """Post until something has come about; everything is acknowledged."""
        give_up = time.monotonic() + START_S
        while not condition():
            assert time.monotonic() < give_up, "it has not come about"
            answer = self.post(client)
            assert answer.status_code in {200, 201}, answer.text

    def _read_prices(self, client: httpx.Client) -> None:
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
