"""A small market as a running service, and users who sign for it with eth-account.

The world is that of `tests.worlds`; its two users have money on the hub. `open_small_service` gives a
service in simulated time without solvers: the house alone serves, so rounds are quick.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from eth_account import Account

from chains.units import COIN, MICRO
from chains.world_file import WorldSpec, encode_world
from intents.api import create_app
from intents.deposits import Deposit
from intents.errors import JournalError
from intents.events import Event
from intents.journal import Journal, open_journal
from intents.market import Fold, rebuild_market
from intents.schemas import ErrorBody
from intents.service import Posted, Service, open_service
from intents.settings import Settings
from intents.signing import sign_message
from intents.typed_data import NO_GROUP, eip712_types
from solvers.codec import encode
from tests.worlds import CALL, START_US, make_spec

ALICE_KEY = b"\x01" * 32
BOB_KEY = b"\x02" * 32
ALICE = Account.from_key(ALICE_KEY).address.lower()
BOB = Account.from_key(BOB_KEY).address.lower()
START_S = START_US // MICRO


def make_settings(folder: Path, *, spec: WorldSpec | None = None, **changes: Any) -> Settings:
    """Settings of a market in a folder, over a small world file, without solvers."""
    world = folder / "world.json"
    if not world.exists():
        world.write_bytes(encode_world(spec or make_spec()))
    terms: dict[str, Any] = {
        "database": f"sqlite:///{folder / 'market.db'}",
        "world": str(world),
        "solvers": (),
        "solve_us": 1_000_000,
    }
    return Settings(**terms | changes)


def open_small_service(folder: Path, **changes: Any) -> Service:
    """A service in simulated time that starts, if its market is new, at `tests.worlds.START_US`."""
    return open_service(make_settings(folder, **changes), simulated_start_us=START_US)


def connect(service: Service) -> httpx.AsyncClient:
    """A client of the service's app in this process; the app's lifespan is not run."""
    transport = httpx.ASGITransport(create_app(service), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://market", timeout=30.0)


def make_message(owner: str, nonce: int, **changes: Any) -> dict[str, Any]:
    """An `OptionIntent` that buys one call on the hub for at most 8 USDC, in two units, for an hour."""
    terms: dict[str, Any] = {
        "validFrom": 0,
        "validUntil": START_S + 3_600,
        "chain": "hub",
        "legs": [{"series": CALL, "ratio": 1}],
        "units": 2,
        "minUnits": 1,
        "limit": 8_000_000,
        "immediate": False,
        "reduceOnly": False,
        "group": NO_GROUP,
    }
    return {"owner": owner, "nonce": nonce, **terms, **changes}


def sign(
    service: Service, message: dict[str, Any], *, kind: str = "OptionIntent", key: bytes = ALICE_KEY
) -> Any:
    """The body that posts a message, signed as a wallet would."""
    domain = {
        "name": "Solvent",
        "version": "1",
        "chainId": service.domain.chain_id,
        "verifyingContract": service.domain.verifying_contract,
    }
    return sign_message(kind, message, eip712={"domain": domain, "types": eip712_types()}, key=key)


def signed_body(service: Service, nonce: int, *, key: bytes = ALICE_KEY, **changes: Any) -> bytes:
    """The bytes that post an intent of the key's owner."""
    owner = Account.from_key(key).address.lower()
    return msgspec.json.encode(sign(service, make_message(owner, nonce, **changes), key=key))


async def fund(client: httpx.AsyncClient, owner: str, *, chain: str = "hub") -> None:
    """Give an owner 10,000 USDC and 10 BTC on a chain."""
    for asset, amount in (("USDC", 10_000 * MICRO), ("BTC", 10 * COIN)):
        body = {"chain": chain, "asset": asset, "amount": amount}
        answer = await client.post(f"/v1/accounts/{owner}/deposits", json=body)
        assert answer.status_code == 201, answer.text


Story = Callable[[Service], Awaitable[None]]


def run_service(folder: Path, story: Story, **changes: Any) -> None:
    """Tell a story with a small service in simulated time."""

    async def tell() -> None:
        async with open_small_service(folder, **changes) as service:
            await story(service)

    asyncio.run(tell())


async def give_funds(service: Service, *, chain: str = "hub") -> None:
    for asset, amount in (("USDC", 10_000 * MICRO), ("BTC", 10 * COIN)):
        deposit = Deposit(owner=ALICE, chain=chain, asset=asset, amount=amount)
        assert await service.deposit(deposit) is None


async def post_signed(service: Service, nonce: int, **changes: Any) -> str:
    answer = await service.post_intent(signed_body(service, nonce, **changes))
    assert isinstance(answer, Posted), answer
    return answer.id


def events_of(folder: Path) -> list[Event]:
    with open_journal(f"sqlite:///{folder / 'market.db'}", write=False) as journal:
        return [entry.event for entry in journal.read()]


def state_of(service: Service) -> object:
    """Everything users could be shown, and the journal's number."""
    market = service.market
    book, world = market.engine.book, market.engine.world
    return (
        market.seq,
        market.engine.now_us,
        list(book.intents()),
        {owner: book.reservations(owner) for owner in (ALICE,)},
        {
            chain: {name: ledger.holdings(name) for name in ledger.accounts()}
            for chain, ledger in world.ledgers.items()
        },
        {deal: record.state for deal, record in world.deals.items()},
        encode(world.snapshot()),
        market.records.auctions(after=None, limit=100),
        [market.records.rounds_of(entry.id) for entry in book.intents()],
        dict(market.records.standings),
    )


class BrokenDisk:
    """A journal that fails to write, before or after its commit, and cannot be read, until `mended`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, after_commit: bool = False) -> None:
        self.mended = False
        self.writes = 0
        self.rebuilds = 0
        append = Journal.append

        def write(journal: Journal, events: Sequence[Event]) -> list[int]:
            self.writes += 1
            if self.mended:
                return append(journal, events)
            if after_commit:
                append(journal, events)
                journal._head = None
            raise JournalError("the journal cannot be written: database or disk is full")

        def rebuild(journal: Journal) -> Fold:
            self.rebuilds += 1
            if not self.mended:
                raise JournalError("the journal cannot be read: disk I/O error")
            return rebuild_market(journal)

        monkeypatch.setattr(Journal, "append", write)
        monkeypatch.setattr("intents.intake.rebuild_market", rebuild)
        monkeypatch.setattr("intents.intake.RETRY_S", 0.02)


async def reopened(service: Service) -> None:
    for _ in range(500):
        if service.market.is_open:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the market stayed closed")


ClientStory = Callable[[Service, httpx.AsyncClient], Awaitable[None]]


def run_client(folder: Path, story: ClientStory, **changes: Any) -> None:
    """Tell a story with a small service in simulated time and a client of its app."""

    async def tell() -> None:
        async with open_small_service(folder, **changes) as service, connect(service) as client:
            await story(service, client)

    asyncio.run(tell())


def error_of(answer: httpx.Response) -> tuple[int, str, str, Any]:
    """Status, code, field and value of an error, whose form is checked."""
    body = ErrorBody.model_validate_json(answer.content)
    assert body.message
    return answer.status_code, body.code.value, body.detail.field, body.detail.value


async def post_body(client: httpx.AsyncClient, body: bytes) -> str:
    answer = await client.post("/v1/intents", content=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
