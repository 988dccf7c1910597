"""Strict reading: what a wallet's JSON means, and that nothing else is ever taken for it."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.units import WIRE_MAX
from intents.reading import read_message
from intents.refusals import Refused
from intents.typed_data import CancelBelow, CancelIntents, OptionIntent

KINDS = ("CancelBelow", "CancelIntents", "OptionIntent")
SIGNATURE = "0x" + "01" * 65

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
hashes = st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex())
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
counts = st.integers(0, WIRE_MAX)
signed = st.integers(-WIRE_MAX, WIRE_MAX)
intents = st.fixed_dictionaries(
    {
        "owner": addresses,
        "nonce": counts,
        "validFrom": counts,
        "validUntil": counts,
        "chain": texts,
        "legs": st.lists(st.fixed_dictionaries({"series": texts, "ratio": signed}), max_size=8),
        "units": signed,
        "minUnits": signed,
        "limit": signed,
        "immediate": st.booleans(),
        "reduceOnly": st.booleans(),
        "group": hashes,
    }
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


def read(kind: Any, message: Any, signature: Any = SIGNATURE) -> Any:
    body = json.dumps({"kind": kind, "intent": message, "signature": signature}).encode()
    answer = read_message(body, kinds=KINDS, bytes_max=10**6)
    return answer if isinstance(answer, Refused) else answer[0]


def with_strings(value: Any) -> Any:
    """The same message with every integer as a decimal string."""
    if isinstance(value, dict):
        return {key: with_strings(part) for key, part in value.items()}
    if isinstance(value, list):
        return [with_strings(part) for part in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(message=intents)
@settings(max_examples=100, deadline=None)
def test_numbers_and_decimal_strings_mean_the_same(message: dict[str, Any]) -> None:
    owner, group = message["owner"], message["group"]
    expected = OptionIntent(
        owner=owner,
        nonce=message["nonce"],
        valid_from=message["validFrom"],
        valid_until=message["validUntil"],
        chain=message["chain"],
        legs=msgspec.convert(message["legs"], OptionIntent.__annotations__["legs"]),
        units=message["units"],
        min_units=message["minUnits"],
        limit=message["limit"],
        immediate=message["immediate"],
        reduce_only=message["reduceOnly"],
        group=group,
    )
    assert read("OptionIntent", message) == expected
    assert read("OptionIntent", with_strings(message)) == expected
    upper = message | {"owner": "0x" + owner[2:].upper(), "group": "0x" + group[2:].upper()}
    assert read("OptionIntent", upper) == expected


@given(owner=addresses, ids=st.lists(hashes, max_size=4), nonce=st.integers(0, 2**256 - 1))
@settings(max_examples=50, deadline=None)
def test_cancels_are_read_as_sent(owner: str, ids: list[str], nonce: int) -> None:
    assert read("CancelIntents", {"owner": owner, "intents": ids}) == CancelIntents(
        owner=owner, intents=tuple(ids)
    )
    assert read("CancelBelow", {"owner": owner, "nonce": nonce}) == CancelBelow(owner=owner, nonce=nonce)
    assert read("CancelBelow", {"owner": owner, "nonce": str(nonce)}).nonce == nonce


@given(body=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_bytes_are_more_than_a_refusal(body: bytes) -> None:
    assert isinstance(read_message(body, kinds=KINDS, bytes_max=10**6), Refused)


@given(message=intents, data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_wrong_value_anywhere_is_refused_and_named(message: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(message)))
    sent = message | {name: data.draw(anything)}
    answer = read("OptionIntent", sent)
    if isinstance(answer, Refused):
        assert answer.field.startswith(name)
    else:
        expected = with_strings(json.loads(msgspec.json.encode(answer)))
        assert expected == with_strings(
            sent | {"owner": sent["owner"].lower(), "group": sent["group"].lower()}
        )


@given(kind=anything, message=anything, signature=anything)
@settings(max_examples=100, deadline=None)
def test_nothing_that_json_can_hold_breaks_the_reader(kind: Any, message: Any, signature: Any) -> None:
    for sent in (kind, "OptionIntent", "CancelBelow"):
        assert isinstance(read(sent, message, signature), Refused)
        assert isinstance(read(sent, message), Refused)


def test_the_signature_comes_back_in_lower_case() -> None:
    body = json.dumps({
        "kind": "CancelBelow", "intent": {"owner": "0x" + "0A" * 20, "nonce": 1}, "signature": "0xAB",
    })  # fmt: skip
    cancel = CancelBelow(owner="0x" + "0a" * 20, nonce=1)
    assert read_message(body.encode(), kinds=KINDS, bytes_max=200) == (cancel, "0xab")
