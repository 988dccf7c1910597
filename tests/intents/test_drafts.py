"""Intents that are not signed: what may be left out, and what is still checked."""

from typing import Any

import msgspec
import pytest

from chains.units import MICRO
from intents.admission import LIMITS
from intents.drafts import NOBODY, OPTIONAL, Draft, read_draft
from intents.refusals import Code, Refused
from intents.typed_data import NO_GROUP, TYPES
from tests.services import ALICE, make_message
from tests.worlds import CALL, START_US

LEAST: dict[str, Any] = {"chain": "hub", "legs": [{"series": CALL, "ratio": -1}], "units": 3}


def read(intent: object, **envelope: object) -> Draft | Refused:
    content = {"kind": "OptionIntent", "intent": intent} | envelope
    return read_draft(msgspec.json.encode(content), chains=("hub",), series=(CALL,), now_us=START_US)


def test_what_is_left_out_is_what_a_price_does_not_depend_on() -> None:
    draft = read(LEAST)
    assert isinstance(draft, Draft)
    assert (draft.limit, draft.owner) == (None, None)
    intent = draft.intent
    assert (intent.owner, intent.nonce, intent.min_units, intent.group) == (NOBODY, 0, 1, NO_GROUP)
    assert intent.valid_until == START_US // MICRO + LIMITS.lifetime_s
    assert draft.given == {"chain", "legs", "units"}


@pytest.mark.parametrize("field", sorted(OPTIONAL))
def test_every_optional_field_counts_when_it_is_there(field: str) -> None:
    value = make_message(ALICE, 7, reduceOnly=True, immediate=True, limit=-5, minUnits=2)[field]
    draft = read(LEAST | {field: value})
    assert isinstance(draft, Draft)
    assert msgspec.to_builtins(draft.intent)[field] == value
    assert field in draft.given
    assert (draft.limit == -5) == (field == "limit")
    assert (draft.owner == ALICE) == (field == "owner")


@pytest.mark.parametrize(
    "field", [member.name for member in TYPES["OptionIntent"] if member.name not in OPTIONAL]
)
def test_what_a_price_depends_on_must_be_there(field: str) -> None:
    refused = read({name: value for name, value in LEAST.items() if name != field})
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == (Code.MISSING_FIELD, field)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"units": 0}, Code.BAD_UNITS, "units"),
        ({"limit": True}, Code.MALFORMED, "limit"),
        ({"owner": "me"}, Code.MALFORMED, "owner"),
        ({"price": 1}, Code.UNKNOWN_FIELD, "price"),
        ({"chain": "moon"}, Code.UNKNOWN_CHAIN, "chain"),
        ({"validUntil": START_US // MICRO}, Code.EXPIRED, "validUntil"),
    ],
)
def test_what_is_there_is_checked_as_at_admission(change: dict[str, Any], code: Code, field: str) -> None:
    refused = read(LEAST | change)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == (code, field)


def test_a_signature_does_not_belong_here() -> None:
    refused = read(LEAST, signature="0x00")
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == (Code.UNKNOWN_FIELD, "signature")
