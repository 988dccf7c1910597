"""Digests and signers against eth-account, which shares no code with the market's own hashing."""

from typing import Any

import msgspec
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.units import WIRE_MAX
from intents.refusals import Code, Refused
from intents.typed_data import (
    TYPES,
    Cancel,
    CancelBelow,
    CancelIntents,
    Domain,
    OptionIntent,
    cancel_digest,
    eip712_domain,
    eip712_types,
    intent_digest,
    recover_owner,
)

DOMAIN = Domain(chain_id=31337, verifying_contract="0x" + "5a" * 20)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ACCOUNT = Account.from_key(b"\x07" * 32)

counts = st.integers(0, WIRE_MAX)
signed = st.integers(-WIRE_MAX, WIRE_MAX)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
hashes = st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex())
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
legs = st.builds(lambda series, ratio: {"series": series, "ratio": ratio}, texts, signed)
messages = st.fixed_dictionaries(
    {
        "owner": addresses,
        "nonce": counts,
        "validFrom": counts,
        "validUntil": counts,
        "chain": texts,
        "legs": st.lists(legs, max_size=8),
        "units": st.integers(1, WIRE_MAX),
        "minUnits": st.integers(1, WIRE_MAX),
        "limit": signed,
        "immediate": st.booleans(),
        "reduceOnly": st.booleans(),
        "group": hashes,
    }
)
domains = st.builds(
    lambda chain_id, contract: Domain(chain_id=chain_id, verifying_contract=contract),
    st.integers(1, WIRE_MAX),
    addresses,
)
keys = st.integers(1, ORDER - 1).map(lambda secret: secret.to_bytes(32, "big"))


def needed(primary: str) -> dict[str, list[dict[str, str]]]:
    """The types of one message out of the listed ones, as any wallet or script would pick them."""
    listed = eip712_types()
    inner = {member["type"].removesuffix("[]") for member in listed[primary]} & listed.keys()
    return {name: listed[name] for name in (primary, *sorted(inner))}


def oracle_digest(domain: Domain, primary: str, message: dict[str, Any]) -> bytes:
    signable = encode_typed_data(eip712_domain(domain), needed(primary), message)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def as_intent(message: dict[str, Any]) -> OptionIntent:
    return msgspec.convert(message, OptionIntent)


def sign(digest: bytes, key: bytes = ACCOUNT.key) -> bytes:
    return bytes(Account.unsafe_sign_hash(digest, key).signature)


@given(domain=domains, message=messages)
@settings(max_examples=150, deadline=None)
def test_an_intents_digest_is_that_of_eth_account(domain: Domain, message: dict[str, Any]) -> None:
    assert intent_digest(domain, as_intent(message)) == oracle_digest(domain, "OptionIntent", message)


@given(domain=domains, owner=addresses, intents=st.lists(hashes, max_size=5))
@settings(max_examples=50, deadline=None)
def test_a_cancels_digest_is_that_of_eth_account(domain: Domain, owner: str, intents: list[str]) -> None:
    message = {"owner": owner, "intents": intents}
    cancel = CancelIntents(owner=owner, intents=tuple(intents))
    assert cancel_digest(domain, cancel) == oracle_digest(domain, "CancelIntents", message)


@given(domain=domains, owner=addresses, nonce=st.integers(0, 2**256 - 1))
@settings(max_examples=50, deadline=None)
def test_a_nonce_cancels_digest_is_that_of_eth_account(domain: Domain, owner: str, nonce: int) -> None:
    cancel: Cancel = CancelBelow(owner=owner, nonce=nonce)
    message = {"owner": owner, "nonce": nonce}
    assert cancel_digest(domain, cancel) == oracle_digest(domain, "CancelBelow", message)


@given(digest=st.binary(min_size=32, max_size=32), key=keys)
@settings(max_examples=60, deadline=None)
def test_the_signer_is_the_address_of_the_key(digest: bytes, key: bytes) -> None:
    assert recover_owner(digest, sign(digest, key)) == Account.from_key(key).address.lower()


@given(digest=st.binary(min_size=32, max_size=32))
@settings(max_examples=30, deadline=None)
def test_the_malleable_twin_of_a_signature_is_refused(digest: bytes) -> None:
    signature = sign(digest)
    twin_s = ORDER - int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + twin_s.to_bytes(32, "big") + bytes([55 - signature[64]])
    refused = recover_owner(digest, twin)
    assert isinstance(refused, Refused)
    assert refused.code is Code.HIGH_S


@given(message=messages, place=st.integers(0, 63), bit=st.integers(0, 7), data=st.data())
@settings(max_examples=60, deadline=None)
def test_one_changed_bit_gives_another_signer(
    message: dict[str, Any], place: int, bit: int, data: st.DataObject
) -> None:
    digest = intent_digest(DOMAIN, as_intent(message))
    signature = sign(digest)
    changed = bytearray(signature if data.draw(st.booleans()) else digest)
    changed[place % len(changed)] ^= 1 << bit
    if len(changed) == 65:
        signer = recover_owner(digest, bytes(changed))
    else:
        signer = recover_owner(bytes(changed), signature)
    assert signer != ACCOUNT.address.lower()


@given(message=messages, other=domains)
@settings(max_examples=20, deadline=None)
def test_another_domain_gives_another_digest(message: dict[str, Any], other: Domain) -> None:
    intent = as_intent(message)
    assert (other == DOMAIN) == (intent_digest(DOMAIN, intent) == intent_digest(other, intent))


@pytest.mark.parametrize("zero_based", [0, 27])
def test_v_may_count_from_zero_or_from_27(zero_based: int) -> None:
    digest = b"\x03" * 32
    signature = sign(digest)
    same = signature[:64] + bytes([signature[64] - 27 + zero_based])
    assert recover_owner(digest, same) == ACCOUNT.address.lower()


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (b"", "65 bytes"),
        (b"\x01" * 64, "65 bytes"),
        (b"\x01" * 66, "65 bytes"),
        (b"\x01" * 64 + b"\x02", "v is 2"),
        (b"\x01" * 64 + b"\x1d", "v is 29"),
        (b"\x01" * 64 + b"\xff", "v is 255"),
        (b"\x00" * 64 + b"\x1b", "no key"),
        (b"\xff" * 32 + b"\x01" * 32 + b"\x1b", "no key"),
        (b"\x00" * 31 + b"\x05" + b"\x01" * 32 + b"\x1b", "no key"),
    ],
)
def test_what_no_key_can_have_signed_is_refused_with_its_reason(signature: bytes, words: str) -> None:
    refused = recover_owner(b"\x03" * 32, signature)
    assert isinstance(refused, Refused)
    assert refused.code is Code.BAD_SIGNATURE
    assert refused.field == "signature"
    assert words in refused.message


@pytest.mark.parametrize("primary", ["OptionIntent", "PayoffIntent", "CancelIntents", "CancelBelow"])
def test_every_signed_type_is_listed_as_wallets_take_it(primary: str) -> None:
    listed = eip712_types()
    assert listed.keys() == TYPES.keys()
    assert listed["Leg"] == [{"name": "series", "type": "string"}, {"name": "ratio", "type": "int64"}]
    zeros = {"address": "0x" + "00" * 20, "string": "", "bool": False, "bytes32": b"\0" * 32}
    message = {
        member["name"]: [] if member["type"].endswith("[]") else zeros.get(member["type"], 0)
        for member in listed[primary]
    }
    assert len(oracle_digest(DOMAIN, primary, message)) == 32


def test_an_intent_survives_its_own_json() -> None:
    intent = as_intent(
        {
            "owner": ACCOUNT.address.lower(),
            "nonce": 1,
            "validFrom": 2,
            "validUntil": 3,
            "chain": "hub",
            "legs": [{"series": "BTC-26JUN26-100000-C", "ratio": -1}],
            "units": 4,
            "minUnits": 4,
            "limit": -5,
            "immediate": True,
            "reduceOnly": False,
            "group": "0x" + "00" * 32,
        }
    )
    assert msgspec.json.decode(msgspec.json.encode(intent), type=OptionIntent) == intent
