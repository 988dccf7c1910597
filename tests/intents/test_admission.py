"""Every bad input has its own code, field and value; a good one passes all three steps."""

import json
from typing import Any

import msgspec
import pytest
from eth_account import Account

from chains.series import parse_series
from chains.units import MICRO, WIRE_MAX
from intents.admission import (
    LIMITS,
    MarketTermsView,
    SignedCancel,
    SignedIntent,
    check_terms,
    ends_us,
    read_signed_cancel,
    read_signed_intent,
    verify_cancel,
    verify_intent,
)
from intents.refusals import Code, Refused
from intents.typed_data import (
    NO_GROUP,
    CancelBelow,
    CancelIntents,
    Domain,
    eip712_domain,
    eip712_types,
    intent_digest,
    intent_id,
)

DOMAIN = Domain(chain_id=31337, verifying_contract="0x" + "5a" * 20)
ACCOUNT = Account.from_key(b"\x07" * 32)
OWNER = ACCOUNT.address.lower()
NOW_S = 1_777_593_600
NOW_US = NOW_S * MICRO
CALL = "BTC-26JUN26-100000-C"
PUT = "BTC-26JUN26-90000-P"
EXPIRED = "BTC-24APR26-100000-C"
MAY = "BTC-29MAY26-100000-C"
TERMS = MarketTermsView(chains=("east", "hub"), series=frozenset({CALL, PUT, MAY}))
NEEDED = {
    "OptionIntent": ("OptionIntent", "Leg"),
    "CancelIntents": ("CancelIntents",),
    "CancelBelow": ("CancelBelow",),
}


def message(**changes: Any) -> dict[str, Any]:
    fields = {
        "owner": OWNER,
        "nonce": 1,
        "validFrom": 0,
        "validUntil": NOW_S + 3_600,
        "chain": "hub",
        "legs": [{"series": CALL, "ratio": 2}, {"series": PUT, "ratio": -1}],
        "units": 10,
        "minUnits": 1,
        "limit": 5_000_000,
        "immediate": False,
        "reduceOnly": False,
        "group": NO_GROUP,
    }
    return fields | changes


def body(intent: Any = None, *, kind: Any = "OptionIntent", signature: Any = "0x" + "01" * 65) -> bytes:
    sent = message() if intent is None else intent
    return json.dumps({"kind": kind, "intent": sent, "signature": signature}).encode()


def sign(intent: dict[str, Any], kind: str = "OptionIntent", domain: Domain = DOMAIN) -> bytes:
    types = {name: eip712_types()[name] for name in NEEDED[kind]}
    signed = Account.sign_typed_data(ACCOUNT.key, eip712_domain(domain), types, intent)
    return body(intent, kind=kind, signature="0x" + signed.signature.hex())


def read(content: bytes) -> SignedIntent:
    signed = read_signed_intent(content)
    assert isinstance(signed, SignedIntent), signed
    return signed


def test_an_intent_signed_by_a_wallet_passes_every_step() -> None:
    signed = read(sign(message()))
    assert verify_intent(DOMAIN, signed) == intent_id(intent_digest(DOMAIN, signed.intent))
    assert check_terms(signed.intent, TERMS, NOW_US) is None


def test_a_signed_group_and_reduce_only_pass_every_step() -> None:
    signed = read(sign(message(group="0x" + "AB" * 32, reduceOnly=True, legs=[leg(-2)])))
    assert (signed.intent.group, signed.intent.reduce_only) == ("0x" + "ab" * 32, True)
    assert verify_intent(DOMAIN, signed) == intent_id(intent_digest(DOMAIN, signed.intent))


def test_integers_may_be_decimal_strings_and_hex_may_be_upper_case() -> None:
    numbers = read(sign(message(limit=-5)))
    strings = message(owner=ACCOUNT.address, nonce="1", units="10", minUnits="1", limit="-5")
    strings |= {"validFrom": "0", "validUntil": str(NOW_S + 3_600), "group": "0x" + "00" * 32}
    strings["legs"] = [{"series": CALL, "ratio": "2"}, {"series": PUT, "ratio": "-1"}]
    assert read(body(strings)).intent == numbers.intent


BAD_BODIES = [
    (b"", Code.MALFORMED_JSON, "body"),
    (b"units=1", Code.MALFORMED_JSON, "body"),
    (b"{", Code.MALFORMED_JSON, "body"),
    (b'{"kind": "\xff"}', Code.MALFORMED_JSON, "body"),
    (b'{"kind": ' + b"9" * 5_000 + b"}", Code.OUT_OF_RANGE, "body"),
    (b"[]", Code.MALFORMED, "body"),
    (b"null", Code.MALFORMED, "body"),
    (b"{}", Code.MISSING_FIELD, "kind"),
    (b" " * 1_000_000, Code.TOO_LARGE, "body"),
    (body(kind="PayoffIntent"), Code.UNSUPPORTED, "kind"),
    (body(kind="CancelBelow"), Code.MALFORMED, "kind"),
    (body(kind=["OptionIntent"]), Code.MALFORMED, "kind"),
    (body([]), Code.MALFORMED, "intent"),
    (body(signature=None), Code.BAD_SIGNATURE, "signature"),
    (body(signature="0xabc"), Code.BAD_SIGNATURE, "signature"),
    (body(signature="ab" * 65), Code.BAD_SIGNATURE, "signature"),
    (body()[:-1] + b', "note": 1}', Code.UNKNOWN_FIELD, "note"),
]


@pytest.mark.parametrize(("content", "code", "field"), BAD_BODIES)
def test_a_body_that_is_no_signed_intent_is_refused(content: bytes, code: Code, field: str) -> None:
    refused = read_signed_intent(content)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == (code, field)


def test_a_deeply_nested_body_is_refused() -> None:
    for content in (b"[" * 8_000 + b"]" * 8_000, body().replace(b'"hub"', b"[" * 5_000 + b"]" * 5_000)):
        refused = read_signed_intent(content)
        assert isinstance(refused, Refused)
        assert refused.code in {Code.MALFORMED_JSON, Code.MALFORMED}


def leg(ratio: Any = 1, series: Any = CALL, **more: Any) -> dict[str, Any]:
    return {"series": series, "ratio": ratio, **more}


BAD_FIELDS = [
    ({"units": 0}, Code.BAD_UNITS, "units", 0),
    ({"units": -3}, Code.BAD_UNITS, "units", -3),
    ({"units": 1.0}, Code.MALFORMED, "units", "1.0"),
    ({"units": True}, Code.MALFORMED, "units", True),
    ({"units": None}, Code.MALFORMED, "units", None),
    ({"units": "1e3"}, Code.MALFORMED, "units", "1e3"),
    ({"units": "01"}, Code.MALFORMED, "units", "01"),
    ({"units": "-0"}, Code.MALFORMED, "units", "-0"),
    ({"units": " 1"}, Code.MALFORMED, "units", " 1"),
    ({"units": "\u0661"}, Code.MALFORMED, "units", "\u0661"),
    ({"units": 2**53}, Code.OUT_OF_RANGE, "units", str(2**53)),
    ({"units": "9" * 90}, Code.OUT_OF_RANGE, "units", "9" * 90),
    ({"minUnits": 0}, Code.BAD_MIN_UNITS, "minUnits", 0),
    ({"minUnits": 11}, Code.BAD_MIN_UNITS, "minUnits", 11),
    ({"nonce": -1}, Code.OUT_OF_RANGE, "nonce", -1),
    ({"nonce": 2**256}, Code.OUT_OF_RANGE, "nonce", str(2**256)),
    ({"validUntil": -1}, Code.OUT_OF_RANGE, "validUntil", -1),
    ({"limit": 400_000_000_001}, Code.OUT_OF_RANGE, "limit", 400_000_000_001),
    ({"limit": -400_000_000_001}, Code.OUT_OF_RANGE, "limit", -400_000_000_001),
    ({"limit": "-0x1"}, Code.MALFORMED, "limit", "-0x1"),
    ({"owner": OWNER[:-1]}, Code.MALFORMED, "owner", OWNER[:-1]),
    ({"owner": OWNER + "\n"}, Code.MALFORMED, "owner", OWNER + "\n"),
    ({"chain": 1}, Code.MALFORMED, "chain", 1),
    ({"immediate": 1}, Code.MALFORMED, "immediate", 1),
    ({"group": "0x00"}, Code.MALFORMED, "group", "0x00"),
    ({"reduceOnly": True}, Code.NOT_REDUCING, "legs[0].ratio", 2),
    ({"reduceOnly": True, "legs": [leg(-1), leg(3, PUT)]}, Code.NOT_REDUCING, "legs[1].ratio", 3),
    ({"legs": []}, Code.NO_LEGS, "legs", 0),
    ({"legs": [leg(series=f"S{n}") for n in range(9)]}, Code.TOO_MANY_LEGS, "legs", 9),
    ({"legs": {}}, Code.MALFORMED, "legs", "an object"),
    ({"legs": [[CALL, 1]]}, Code.MALFORMED, "legs[0]", "an array of 2"),
    ({"legs": [leg(), leg(0, PUT)]}, Code.BAD_RATIO, "legs[1].ratio", 0),
    ({"legs": [leg(), leg(-1)]}, Code.DUPLICATE_LEG, "legs[1].series", CALL),
    ({"legs": [leg(), leg(-100_000_001, PUT)]}, Code.OUT_OF_RANGE, "legs[1].ratio", -100_000_001),
    ({"legs": [leg(1.5)]}, Code.MALFORMED, "legs[0].ratio", "1.5"),
    ({"legs": [leg(side="buy")]}, Code.UNKNOWN_FIELD, "legs[0].side", "buy"),
    ({"legs": [{"series": CALL}]}, Code.MISSING_FIELD, "legs[0].ratio", None),
    ({"price": 1}, Code.UNKNOWN_FIELD, "price", 1),
]


@pytest.mark.parametrize(("changes", "code", "field", "value"), BAD_FIELDS)
def test_a_field_that_breaks_a_rule_is_named_with_its_value(
    changes: dict[str, Any], code: Code, field: str, value: Any
) -> None:
    refused = read_signed_intent(body(message(**changes)))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field, refused.value) == (code, field, value)


def test_a_missing_field_is_named() -> None:
    for name in message():
        refused = read_signed_intent(body({key: part for key, part in message().items() if key != name}))
        assert isinstance(refused, Refused)
        assert (refused.code, refused.field) == (Code.MISSING_FIELD, name)


def test_a_refusal_never_grows_with_what_was_sent() -> None:
    for changes in ({"x" * 9_000: 1}, {"chain": "x" * 9_000, "units": 0.5}, {"owner": "x" * 9_000}):
        refused = read_signed_intent(body(message(**changes)))
        assert isinstance(refused, Refused)
        assert len(msgspec.json.encode(refused)) < 2_000
    refused = check_terms(read(body(message(legs=[leg(series="x" * 9_000)]))).intent, TERMS, NOW_US)
    assert isinstance(refused, Refused)
    assert len(msgspec.json.encode(refused)) < 2_000


def test_a_lone_surrogate_never_reaches_the_hash() -> None:
    refused = read_signed_intent(body().replace(b'"hub"', rb'"\ud800"'))
    assert isinstance(refused, Refused)
    assert refused.code is Code.MALFORMED_JSON


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": OWNER[:-1] + "0"},
        {"nonce": 2},
        {"validFrom": 1},
        {"validUntil": NOW_S + 3_601},
        {"chain": "east"},
        {"legs": [{"series": PUT, "ratio": -1}, {"series": CALL, "ratio": 2}]},
        {"legs": [{"series": CALL, "ratio": 1}, {"series": PUT, "ratio": -1}]},
        {"units": 11},
        {"minUnits": 2},
        {"limit": 5_000_001},
        {"immediate": True},
    ],
)
def test_another_content_than_the_signed_one_has_another_signer(changes: dict[str, Any]) -> None:
    good = json.loads(sign(message()))
    signed = read(body(message(**changes), signature=good["signature"]))
    refused = verify_intent(DOMAIN, signed)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field, refused.value) == (Code.WRONG_SIGNER, "owner", signed.intent.owner)


@pytest.mark.parametrize(
    "domain",
    [
        Domain(chain_id=1, verifying_contract=DOMAIN.verifying_contract),
        Domain(chain_id=31337, verifying_contract="0x" + "5b" * 20),
    ],
)
def test_a_signature_for_another_domain_is_another_signers(domain: Domain) -> None:
    refused = verify_intent(DOMAIN, read(sign(message(), domain=domain)))
    assert isinstance(refused, Refused)
    assert refused.code is Code.WRONG_SIGNER
    assert "domain" in refused.message


BAD_TERMS = [
    ({"chain": "west"}, Code.UNKNOWN_CHAIN, "chain", "west"),
    ({"legs": [leg(), leg(series="BTC-26JUN26-123-C")]}, Code.UNKNOWN_SERIES, "legs[1].series", None),
    ({"legs": [leg(series="call")]}, Code.UNKNOWN_SERIES, "legs[0].series", "call"),
    ({"legs": [leg(series=EXPIRED)]}, Code.SERIES_EXPIRED, "legs[0].series", EXPIRED),
    ({"validUntil": NOW_S}, Code.EXPIRED, "validUntil", NOW_S),
    ({"validFrom": NOW_S + 1}, Code.NOT_YET_VALID, "validFrom", NOW_S + 1),
    ({"validUntil": NOW_S + 2_592_001}, Code.LIFETIME_TOO_LONG, "validUntil", NOW_S + 2_592_001),
    ({"validUntil": WIRE_MAX}, Code.LIFETIME_TOO_LONG, "validUntil", WIRE_MAX),
]


@pytest.mark.parametrize(("changes", "code", "field", "value"), BAD_TERMS)
def test_an_intent_that_makes_no_sense_now_is_refused(
    changes: dict[str, Any], code: Code, field: str, value: Any
) -> None:
    refused = check_terms(read(body(message(**changes))).intent, TERMS, NOW_US)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == (code, field)
    assert value is None or refused.value == value


def test_the_edges_of_time_are_admitted() -> None:
    edges = message(validFrom=NOW_S, validUntil=NOW_S + LIMITS.lifetime_s)
    assert check_terms(read(body(edges)).intent, TERMS, NOW_US) is None
    assert check_terms(read(body(message(validUntil=NOW_S + 1))).intent, TERMS, NOW_US) is None


def test_an_intent_ends_at_the_earlier_of_its_time_and_its_first_expiry() -> None:
    assert ends_us(read(body()).intent) == (NOW_S + 3_600) * MICRO
    two_expiries = message(validUntil=NOW_S + 2_592_000, legs=[leg(), leg(series=MAY)])
    assert ends_us(read(body(two_expiries)).intent) == parse_series(MAY).expiry_us


def test_signed_cancels_pass() -> None:
    some = {"owner": OWNER, "intents": ["0x" + "0A" * 32]}
    signed = read_signed_cancel(sign(some, "CancelIntents"))
    assert isinstance(signed, SignedCancel)
    assert signed.cancel == CancelIntents(owner=OWNER, intents=("0x" + "0a" * 32,))
    assert verify_cancel(DOMAIN, signed) is None
    below = {"owner": OWNER, "nonce": 2**256 - 1}
    signed = read_signed_cancel(sign(below, "CancelBelow"))
    assert isinstance(signed, SignedCancel)
    assert signed.cancel == CancelBelow(owner=OWNER, nonce=2**256 - 1)
    assert verify_cancel(DOMAIN, signed) is None


def test_a_cancel_by_someone_else_in_the_owners_name_is_refused() -> None:
    victim = "0x" + "11" * 20
    signed = read_signed_cancel(sign({"owner": victim, "nonce": 5}, "CancelBelow"))
    assert isinstance(signed, SignedCancel)
    refused = verify_cancel(DOMAIN, signed)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.value) == (Code.WRONG_SIGNER, victim)


@pytest.mark.parametrize(
    ("kind", "fields", "code", "field"),
    [
        ("CancelIntents", {"owner": OWNER, "intents": []}, Code.TOO_MANY_INTENTS, "intents"),
        (
            "CancelIntents",
            {"owner": OWNER, "intents": ["0x" + "00" * 32] * 1_001},
            Code.TOO_MANY_INTENTS,
            "intents",
        ),
        ("CancelIntents", {"owner": OWNER, "intents": ["0x00"]}, Code.MALFORMED, "intents[0]"),
        ("CancelIntents", {"owner": OWNER, "intents": "all"}, Code.MALFORMED, "intents"),
        ("CancelBelow", {"owner": OWNER, "nonce": 2**256}, Code.OUT_OF_RANGE, "nonce"),
        ("CancelBelow", {"owner": OWNER, "nonce": -1}, Code.OUT_OF_RANGE, "nonce"),
        ("CancelBelow", {"owner": OWNER}, Code.MISSING_FIELD, "nonce"),
        ("OptionIntent", message(), Code.MALFORMED, "kind"),
    ],
)
def test_a_body_that_is_no_cancel_is_refused(kind: str, fields: Any, code: Code, field: str) -> None:
    refused = read_signed_cancel(body(fields, kind=kind))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == (code, field)
