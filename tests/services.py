"""A small market as a running service, and users who sign for it with eth-account.

The world is that of `tests.worlds`; its two users have money on the hub. `open_small_service` gives a
service in simulated time without solvers: the house alone serves, so rounds are quick.
"""

from pathlib import Path
from typing import Any

import httpx
import msgspec
from eth_account import Account

from chains.units import COIN, MICRO
from chains.world_file import WorldSpec, encode_world
from intents.api import create_app
from intents.service import Service, open_service
from intents.settings import Settings
from intents.signing import sign_message
from intents.typed_data import NO_GROUP, eip712_types
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
