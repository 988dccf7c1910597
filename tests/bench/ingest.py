"""Intents per second of a served market, each posted in a request of its own, against a no-op route.

`single_sqlite`: `solvent serve` with its journal in SQLite runs on one core; from another, 32 keep-alive
connections post signed intents to `POST /v1/intents`, all different, of one to four legs, each connection
the next one when it has its answer. Every answer is a `201`, which says that the intent is verified,
admitted with its collateral reserved, and durable; afterwards they are counted in the journal. The
baseline is a FastAPI route on the same core that reads nothing and answers a small constant, under the
same server settings, posted the same bytes by the same generator; the two take turns. `p50` and `p99`
are milliseconds from a request to its answer.

Rounds do not fall into the measurement. The journal lies in the system's temporary folder, whose disk
decides what a flush costs. With --quick there are fewer and shorter turns.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec
import numpy as np
from _harness import Result, note, run_bench, take_turns
from _load import Load, drive, http_post
from _servers import NOOP, SERVE, running, share_cores
from coincurve import PrivateKey

from chains.units import COIN, MICRO
from intents.events import IntentPosted
from intents.journal import open_journal
from intents.order_flow import Trader, make_traders
from intents.typed_data import NO_GROUP, Domain, OptionIntent, intent_digest

CONNECTIONS: Final = 32
TRADERS: Final = 64
"""So many that none of them reaches the limit of open intents."""

SEED: Final = 0
ROUND_US: Final = 86_400 * MICRO
CASH: Final = 1_000_000 * MICRO
COINS: Final = 10_000 * COIN


class Contest:
    """A served market and a no-op beside it, and the intents that are still to be posted."""

    def __init__(self, market: str, noop: str, requests: list[bytes], *, turn: int) -> None:
        self._ports = {"market": _port(market), "no-op": _port(noop)}
        self._requests = requests
        self._noop_requests = [http_post("/", request.partition(b"\r\n\r\n")[2]) for request in requests]
        self._turn = turn
        self.loads: dict[str, list[Load]] = {"market": [], "no-op": []}

    def take_turn(self, name: str) -> float:
        """Post a turn's intents to one of the two; answers per second."""
        place = len(self.loads[name]) * self._turn
        requests = self._requests if name == "market" else self._noop_requests
        load = drive(
            self._ports[name],
            requests[place : place + self._turn],
            connections=CONNECTIONS,
            status=201,
        )
        note(f"  {name}: {load.rate:,.0f} /s; the generator was busy for {load.busy:.0%} of the time")
        self.loads[name].append(load)
        return load.rate

    def milliseconds(self, name: str, percent: int) -> float:
        """The median over the turns that count of a percentile of the latency."""
        return 1_000 * median(load.percentile(percent) for load in self.loads[name][1:])


def measure(case: str, *, quick: bool) -> Iterator[Result]:
    """The rate and the latency of single posts."""
    turn, runs = (500, 3) if quick else (3_000, 7)
    with (
        tempfile.TemporaryDirectory(prefix="solvent-bench-") as folder,
        contest(Path(folder), turn, runs) as both,
    ):
        note(f"  {turn:,} intents a turn over {CONNECTIONS} connections; {runs} turns")
        rates = take_turns({name: lambda name=name: both.take_turn(name) for name in both.loads}, runs=runs)
        with open_journal(_database(Path(folder)), write=False) as journal:
            posted = sum(isinstance(entry.event, IntentPosted) for entry in journal.read())
        assert posted == turn * (runs + 1), "every intent that was answered is in the journal"
        yield Result(case=case, metric=case, value=rates["market"], unit="intents/s", baseline=rates["no-op"])
        for percent in (50, 99):
            yield Result(
                case=case,
                metric=f"p{percent}",
                value=both.milliseconds("market", percent),
                unit="ms",
                baseline=both.milliseconds("no-op", percent),
            )


@contextmanager
def contest(folder: Path, turn: int, runs: int) -> Iterator[Contest]:
    """Both servers, the traders' deposits made and their intents signed."""
    core = share_cores()
    serve = [*SERVE, "--port", "0", "--database", _database(folder)]
    serve += ["--solver", "greedy", "--round-us", str(ROUND_US)]
    with (
        running(serve, core=core, log=folder / "market.log") as market,
        running(NOOP, core=core, log=folder / "noop.log") as noop,
        httpx.Client(base_url=market, timeout=30.0) as client,
    ):
        terms = client.get("/v1/market").raise_for_status().json()
        traders = make_traders(SEED, count=TRADERS, chains=[chain["id"] for chain in terms["chains"]])
        for trader in traders:
            for asset, amount in (("USDC", CASH), ("BTC", COINS)):
                body = {"chain": trader.chain, "asset": asset, "amount": amount}
                client.post(f"/v1/accounts/{trader.owner}/deposits", json=body).raise_for_status()
        requests = [
            http_post("/v1/intents", body) for body in sign_intents(terms, traders, turn * (runs + 1))
        ]
        yield Contest(market, noop, requests, turn=turn)


def sign_intents(terms: Any, traders: tuple[Trader, ...], count: int) -> Iterator[bytes]:
    """The bodies that post so many different intents, of each trader in turn."""
    domain = terms["eip712"]["domain"]
    signed_for = Domain(chain_id=domain["chainId"], verifying_contract=domain["verifyingContract"])
    now_s = terms["time_us"] // MICRO
    listed = [series["id"] for series in terms["series"] if series["expiry"] > now_s + 2 * 86_400]
    random = np.random.Generator(np.random.PCG64(SEED))
    keys = [PrivateKey(trader.key) for trader in traders]
    for nonce in range(1, count + 1):
        trader = traders[nonce % len(traders)]
        message = _draw_message(random, listed, trader=trader, nonce=nonce, now_s=now_s)
        digest = intent_digest(signed_for, msgspec.convert(message, OptionIntent))
        signature = keys[nonce % len(traders)].sign_recoverable(digest, hasher=None)
        yield msgspec.json.encode(
            {"kind": "OptionIntent", "intent": message, "signature": "0x" + signature.hex()}
        )


def _draw_message(
    random: np.random.Generator, listed: list[str], *, trader: Trader, nonce: int, now_s: int
) -> dict[str, Any]:
    series = random.choice(listed, size=int(random.integers(1, 5)), replace=False).tolist()
    units = int(random.integers(1, 10))
    return {
        "owner": trader.owner,
        "nonce": nonce,
        "validFrom": now_s,
        "validUntil": now_s + int(random.integers(3_600, 86_400)),
        "chain": trader.chain,
        "legs": [{"series": name, "ratio": int(random.choice([-2, -1, 1, 2]))} for name in series],
        "units": units,
        "minUnits": 1,
        "limit": int(random.integers(-20 * MICRO, 20 * MICRO)),
        "immediate": False,
        "reduceOnly": False,
        "group": NO_GROUP,
    }


def _database(folder: Path) -> str:
    return f"sqlite:///{folder / 'market.db'}"


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None, "a server on this machine is named with its port"
    return port


if __name__ == "__main__":
    run_bench("ingest", __doc__, {"single_sqlite": measure})
