"""Intents per second from bytes to a verified owner, against eth-account.

`recover`: hash 256 signed intents with the market's compiled hashers and recover their signers. The
baseline encodes the same messages with eth-account's `encode_typed_data` and recovers with
`Account.recover_message`; its elliptic curve is the same library, so the difference is all else.

`admit`: the same from the posted bytes, strictly read and checked, to the intent's id. The baseline
reads them with `json.loads`, checks nothing but the signer, and makes no id.

Each intent has one, two or four legs. The baseline goes over the first 64 intents. With --quick there
are fewer runs, of 64 and 16 intents.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from _harness import Result, note, run_bench, sample_rate, take_turns
from eth_account import Account
from eth_account.messages import encode_typed_data

from intents.admission import read_signed_intent, verify_intent
from intents.refusals import Refused
from intents.settings import Settings
from intents.signing import sign_message
from intents.typed_data import (
    NO_GROUP,
    Domain,
    OptionIntent,
    eip712_domain,
    eip712_types,
    intent_digest,
    recover_owner,
)

SETTINGS: Final = Settings()
DOMAIN: Final = Domain(chain_id=SETTINGS.chain_id, verifying_contract=SETTINGS.verifying_contract)
LEGS: Final = {"legs-1": 1, "legs-2": 2, "legs-4": 4}
TRADERS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """One signed intent in every form that a contestant starts from."""

    body: bytes
    message: dict[str, Any]
    intent: OptionIntent
    signature: bytes
    owner: str


def measure(case: str, *, quick: bool) -> Iterator[Result]:
    """Both metrics for intents with so many legs."""
    count, few, runs = (64, 16, 3) if quick else (256, 64, 9)
    signed = sign_intents(count, legs=LEGS[case])
    note(f"  {count} intents of {case}, {few} of them for eth-account; {runs} runs")
    rates = take_turns(
        {
            "recover": sample_rate(count, lambda: recover_all(signed)),
            "recover baseline": sample_rate(few, lambda: recover_with_eth_account(signed[:few])),
            "admit": sample_rate(count, lambda: admit_all(signed)),
            "admit baseline": sample_rate(few, lambda: admit_with_eth_account(signed[:few])),
        },
        runs=runs,
    )
    for metric in ("recover", "admit"):
        value, baseline = rates[metric], rates[f"{metric} baseline"]
        yield Result(case=case, metric=metric, value=value, unit="intents/s", baseline=baseline)


def sign_intents(count: int, *, legs: int) -> list[Signed]:
    """Intents of several owners, all different, signed as a wallet signs them."""
    random = np.random.Generator(np.random.PCG64(legs))
    eip712 = {"domain": eip712_domain(DOMAIN), "types": eip712_types()}
    keys = [random.bytes(32) for _ in range(TRADERS)]
    found = []
    for nonce in range(1, count + 1):
        key = keys[nonce % TRADERS]
        message = _draw_message(random, owner=Account.from_key(key).address.lower(), nonce=nonce, legs=legs)
        posted = sign_message("OptionIntent", message, eip712=eip712, key=key)
        found.append(
            Signed(
                body=msgspec.json.encode(posted),
                message=message,
                intent=msgspec.convert(message, OptionIntent),
                signature=bytes.fromhex(posted["signature"][2:]),
                owner=message["owner"],
            )
        )
    return found


def _draw_message(random: np.random.Generator, *, owner: str, nonce: int, legs: int) -> dict[str, Any]:
    strikes = sorted(random.choice(np.arange(20, 200), size=legs, replace=False).tolist())
    return {
        "owner": owner,
        "nonce": nonce,
        "validFrom": 1_767_571_200,
        "validUntil": 1_767_574_800 + int(random.integers(86_400)),
        "chain": "base",
        "legs": [
            {"series": f"BTC-26JUN26-{1_000 * strike}-C", "ratio": (-1) ** place * int(random.integers(1, 4))}
            for place, strike in enumerate(strikes)
        ],
        "units": int(random.integers(1, 100)),
        "minUnits": 1,
        "limit": int(random.integers(-50_000_000, 50_000_000)),
        "immediate": bool(random.random() < 0.1),
        "reduceOnly": False,
        "group": NO_GROUP,
    }


def recover_all(signed: list[Signed]) -> None:
    for each in signed:
        assert recover_owner(intent_digest(DOMAIN, each.intent), each.signature) == each.owner


def admit_all(signed: list[Signed]) -> None:
    for each in signed:
        read = read_signed_intent(each.body)
        assert not isinstance(read, Refused), read
        assert isinstance(verify_intent(DOMAIN, read), str)


def recover_with_eth_account(signed: list[Signed]) -> None:
    for each in signed:
        assert _eth_account_owner(each.message, each.signature) == each.owner


def admit_with_eth_account(signed: list[Signed]) -> None:
    for each in signed:
        posted = json.loads(each.body)
        owner = _eth_account_owner(posted["intent"], bytes.fromhex(posted["signature"][2:]))
        assert owner == posted["intent"]["owner"]


_ETH_DOMAIN: Final = eip712_domain(DOMAIN)
_ETH_TYPES: Final = {name: eip712_types()[name] for name in ("OptionIntent", "Leg")}


def _eth_account_owner(message: dict[str, Any], signature: bytes) -> str:
    encoded = encode_typed_data(_ETH_DOMAIN, _ETH_TYPES, message)
    return str(Account.recover_message(encoded, signature=signature)).lower()


if __name__ == "__main__":
    run_bench("signing", __doc__, dict.fromkeys(LEGS, measure))
