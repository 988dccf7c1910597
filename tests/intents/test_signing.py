"""Signing as a wallet would: what is signed is what the market reads, and keys are never shown."""

import json
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.units import WIRE_MAX
from intents.errors import SigningError
from intents.reading import read_message
from intents.signing import CURVE_ORDER, read_key, sign_message
from intents.typed_data import (
    NO_GROUP,
    TYPES,
    Domain,
    OptionIntent,
    cancel_digest,
    eip712_domain,
    eip712_types,
    intent_digest,
    recover_owner,
)

KEY = b"\x07" * 32
OWNER = Account.from_key(KEY).address
DOMAIN = Domain(chain_id=31_337, verifying_contract="0x50117e9700000000000000000000000000000001")
EIP712 = {"domain": eip712_domain(DOMAIN), "types": eip712_types()}
IDS = ["0x" + "ab" * 32, "0x" + "00" * 32]
ORDER: dict[str, Any] = {
    "owner": OWNER,
    "nonce": 1,
    "validFrom": 0,
    "validUntil": 1_777_600_000,
    "chain": "hub",
    "legs": [{"series": "BTC-26JUN26-100000-C", "ratio": -2}, {"series": "BTC-26JUN26-90000-P", "ratio": 1}],
    "units": 5,
    "minUnits": 1,
    "limit": "-1000000",
    "immediate": False,
    "reduceOnly": False,
    "group": NO_GROUP,
}
PAYOFF: dict[str, Any] = {
    "owner": OWNER,
    "nonce": 1,
    "validFrom": 0,
    "validUntil": 10,
    "chain": "hub",
    "underlying": "BTC",
    "expiry": 1_782_460_800,
    "payoff": [{"price": 0, "value": 5}, {"price": "100000000000", "value": -5}],
    "slope": 0,
    "delivery": "claim",
    "units": 1,
    "minUnits": 1,
    "limit": 3,
    "immediate": True,
    "group": NO_GROUP,
}
MESSAGES: dict[str, dict[str, Any]] = {
    "OptionIntent": ORDER,
    "PayoffIntent": PAYOFF,
    "CancelIntents": {"owner": OWNER, "intents": IDS},
    "CancelBelow": {"owner": OWNER, "nonce": str(2**256 - 1)},
}


def sign(kind: str, message: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return sign_message(kind, message, **{"eip712": EIP712, "key": KEY} | changes)


def signer_of(signed: dict[str, Any]) -> object:
    """Who signed, as the market finds out: from the bytes that were posted."""
    read = read_message(json.dumps(signed).encode(), kinds=(signed["kind"],), bytes_max=10**6)
    assert isinstance(read, tuple), read
    message, signature = read
    is_intent = isinstance(message, OptionIntent)
    digest = intent_digest(DOMAIN, message) if is_intent else cancel_digest(DOMAIN, message)  # type: ignore[arg-type]
    return recover_owner(digest, bytes.fromhex(signature[2:]))


@pytest.mark.parametrize("kind", ["OptionIntent", "CancelIntents", "CancelBelow"])
def test_the_market_recovers_who_signed(kind: str) -> None:
    signed = sign(kind, MESSAGES[kind])
    assert signed["kind"] == kind
    assert signed["intent"] == MESSAGES[kind]
    assert signer_of(signed) == OWNER.lower()


WIRE = st.integers(-WIRE_MAX, WIRE_MAX)
COUNTS = st.integers(0, WIRE_MAX)
NUMBERS = {"nonce": COUNTS, "validFrom": COUNTS, "validUntil": COUNTS, "limit": WIRE}
LEGS = st.lists(st.fixed_dictionaries({"series": st.text(max_size=20), "ratio": WIRE}), max_size=4)


@settings(max_examples=40, deadline=None)
@given(
    numbers=st.fixed_dictionaries(NUMBERS),
    flags=st.fixed_dictionaries({"immediate": st.booleans(), "reduceOnly": st.booleans()}),
    legs=LEGS,
    chain=st.text(max_size=20),
    units=st.integers(1, WIRE_MAX),
    as_text=st.booleans(),
    key=st.integers(1, CURVE_ORDER - 1),
)
def test_whatever_can_be_said_is_signed_as_the_market_reads_it(
    *,
    numbers: dict[str, int],
    flags: dict[str, bool],
    legs: list[dict[str, Any]],
    chain: str,
    units: int,
    as_text: bool,
    key: int,
) -> None:
    owner = Account.from_key(key.to_bytes(32, "big")).address
    said = {name: str(value) if as_text else value for name, value in numbers.items()}
    message = ORDER | said | flags | {"owner": owner, "legs": legs, "chain": chain, "units": units}
    assert signer_of(sign("OptionIntent", message, key=key.to_bytes(32, "big"))) == owner.lower()


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_kind_is_signed_with_exactly_the_types_it_needs(kind: str) -> None:
    """A wallet that gets the types of this message alone recovers the same signer."""
    needed = {"OptionIntent": ["Leg"], "PayoffIntent": ["Knot"]}.get(kind, [])
    types = {name: eip712_types()[name] for name in (kind, *needed)}
    numbers = {name: int(value) for name, value in MESSAGES[kind].items() if name in ("nonce", "limit")}
    message: dict[str, Any] = MESSAGES[kind] | numbers
    if "payoff" in message:
        message["payoff"] = [{name: int(part) for name, part in knot.items()} for knot in message["payoff"]]
    signable = encode_typed_data(eip712_domain(DOMAIN), types, message)
    signature = sign(kind, MESSAGES[kind])["signature"]
    assert Account.recover_message(signable, signature=signature) == OWNER


def test_all_signed_kinds_are_tried() -> None:
    assert set(MESSAGES) == set(TYPES) - {"Leg", "Knot"}


def test_another_domain_is_another_signature() -> None:
    other = eip712_domain(Domain(chain_id=1, verifying_contract=DOMAIN.verifying_contract))
    signed = sign("OptionIntent", ORDER, eip712={**EIP712, "domain": other})
    assert signer_of(signed) != OWNER.lower()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"units": 1.0}, r"OptionIntent\.units: 1\.0 does not fit its type, uint64"),
        ({"units": True}, r"OptionIntent\.units: True does not fit"),
        ({"units": "0x10"}, r"OptionIntent\.units: '0x10' does not fit"),
        ({"units": "1_0"}, r"OptionIntent\.units: '1_0' does not fit"),
        ({"units": "007"}, r"OptionIntent\.units: '007' does not fit"),
        ({"validFrom": "-0"}, r"OptionIntent\.validFrom: '-0' does not fit"),
        ({"units": " 5"}, r"OptionIntent\.units: ' 5' does not fit"),
        ({"units": "9" * 500}, r"OptionIntent\.units: '9{99}\.\.\. does not fit"),
        ({"units": -1}, r"OptionIntent: the message does not fit its type"),
        ({"units": 2**64}, r"OptionIntent: the message does not fit its type"),
        ({"units": None}, r"OptionIntent\.units: None does not fit"),
        ({"immediate": "false"}, r"OptionIntent\.immediate: 'false' does not fit its type, bool"),
        ({"immediate": 0}, r"OptionIntent\.immediate: 0 does not fit"),
        ({"chain": 5}, r"OptionIntent\.chain: 5 does not fit its type, string"),
        ({"owner": "0x11"}, r"OptionIntent\.owner: '0x11' does not fit its type, address"),
        ({"group": "0x00"}, r"OptionIntent\.group: '0x00' does not fit its type, bytes32"),
        ({"legs": {"series": "a", "ratio": 1}}, r"OptionIntent\.legs: needs an array"),
        ({"legs": ["a"]}, r"OptionIntent\.legs\[0\]: needs an object, not 'a'"),
        ({"legs": [{"series": "a"}]}, r"OptionIntent\.legs\[0\]: the field 'ratio' is missing"),
        ({"legs": [{"series": "a", "ratio": 1, "x": 1}]}, r"OptionIntent\.legs\[0\]: 'x' is not a field"),
        ({"price": 5}, r"OptionIntent: 'price' is not a field"),
    ],
)
def test_nothing_is_coerced_and_errors_say_where(changes: dict[str, Any], found: str) -> None:
    with pytest.raises(SigningError, match=found):
        sign("OptionIntent", ORDER | changes)


@pytest.mark.parametrize("name", ORDER)
def test_every_field_is_needed(name: str) -> None:
    with pytest.raises(SigningError, match=f"the field '{name}' is missing"):
        sign("OptionIntent", {field: value for field, value in ORDER.items() if field != name})


def test_a_kind_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(SigningError, match="'Order' is not one of CancelBelow, CancelIntents"):
        sign("Order", ORDER)


@pytest.mark.parametrize("eip712", [{}, {"types": eip712_types()}, {"domain": {}, "types": []}])
def test_terms_that_are_none_are_an_error(eip712: dict[str, Any]) -> None:
    with pytest.raises(SigningError, match="need `domain` and `types`"):
        sign("OptionIntent", ORDER, eip712=eip712)


@pytest.mark.parametrize("message", [None, [], "order", 5])
def test_a_message_that_is_no_object_is_an_error(message: Any) -> None:
    with pytest.raises(SigningError, match="OptionIntent: needs an object"):
        sign("OptionIntent", message)


@pytest.mark.parametrize("key", [b"", b"\x01" * 31, b"\x01" * 33, bytes(32), CURVE_ORDER.to_bytes(32, "big")])
def test_a_key_that_is_none_is_an_error_that_does_not_show_it(key: bytes) -> None:
    with pytest.raises(SigningError, match="the key is no private key of secp256k1") as caught:
        sign("OptionIntent", ORDER, key=key)
    assert not key or key.hex() not in str(caught.value)


@pytest.mark.parametrize("text", [KEY.hex(), "0x" + KEY.hex(), KEY.hex().upper(), f"\n 0x{KEY.hex()} \n"])
def test_a_key_file_holds_64_hex_digits(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    assert read_key(path) == KEY


SECRET = "5ec4e7" * 11
BAD_KEYS: dict[str, bytes] = {
    "too long": SECRET.encode(),
    "too short": SECRET[:63].encode(),
    "spaced": " ".join(SECRET[place : place + 2] for place in range(0, 64, 2)).encode(),
    "not hex": SECRET[:63].encode() + b"g",
    "not text": b"\xff" + SECRET.encode(),
    "empty": b"",
    "huge": SECRET.encode() * 1_000,
    "two lines": SECRET[:64].encode() + b"\n" + SECRET[:64].encode(),
    "beyond the curve": b"f" * 64,
    "zero": b"0" * 64,
}


@pytest.mark.parametrize("case", BAD_KEYS)
def test_a_bad_key_file_is_named_and_never_shown(tmp_path: Path, case: str) -> None:
    path = tmp_path / "key.hex"
    path.write_bytes(BAD_KEYS[case])
    with pytest.raises(SigningError, match=r"cannot read a private key from .*key\.hex: ") as caught:
        read_key(path)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET[:12] not in shown
    assert caught.value.__cause__ is None


def test_a_key_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="No such file"):
        read_key(tmp_path / "nothing")
    with pytest.raises(SigningError, match="directory"):
        read_key(tmp_path)


def test_loading_eth_account_keeps_the_recursion_limit() -> None:
    code = "import sys; before = sys.getrecursionlimit(); import intents.signing; "
    code += "assert sys.getrecursionlimit() == before"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
