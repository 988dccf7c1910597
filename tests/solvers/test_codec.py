import json
from hashlib import sha256
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from solvers.auction import Auction
from solvers.bid import Bid
from solvers.codec import decode, digest, encode, json_schema
from solvers.errors import FormatError
from solvers.outcome import Outcome
from tests.broken_bids import CASES
from tests.builders import CALL, make_auction, make_bid, make_mark

SCHEMAS = Path(__file__).resolve().parent.parent.parent / "solvers" / "schemas"


def validator(kind: type) -> Draft202012Validator:
    schema = json_schema(kind)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_equal_values_have_equal_bytes_whatever_the_order_of_keys() -> None:
    bid = make_bid({"a": 1}, {"o": 2})
    turned = dict(reversed(json.loads(encode(bid)).items()))
    assert encode(decode(json.dumps(turned, indent=1), Bid)) == encode(bid)


def test_canonical_bytes_are_what_any_json_library_writes_with_sorted_keys() -> None:
    for value in (make_auction(), make_bid({"é": 1})):
        plain = json.loads(encode(value))
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert encode(value) == text.encode()


def test_digest_is_sha256_of_the_bytes() -> None:
    bid = make_bid({"a": 1})
    assert bid.digest == digest(encode(bid)) == sha256(encode(bid)).hexdigest()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "{}",
        b"\xff\xfe",
        "[" * 200_000,
        '{"format":"solvent.bid/2","auction":"a","solver":"s","bid":"b","fills":[]}',
        '{"auction":"a","solver":"s","bid":"b","fills":[],"profit":1}',
        '{"auction":"a","solver":"s","bid":"b","fills":[{"intent":"i","units":1.0}]}',
        '{"auction":"a","solver":"s","bid":"b","fills":[{"intent":"i","units":"1"}]}',
        '{"auction":"a","solver":"s","bid":"b","fills":[{"intent":"i","units":0}]}',
        '{"auction":"a","solver":"s","bid":"b","fills":[{"intent":"i","units":9007199254740992}]}',
        '{"auction":"a","solver":"s","bid":"","fills":[]}',
    ],
)
def test_what_is_not_a_bid_is_a_format_error(content: str | bytes) -> None:
    with pytest.raises(FormatError):
        decode(content, Bid)


@pytest.mark.parametrize("kind", [Auction, Bid, Outcome])
def test_schema_is_valid_and_names_its_draft(kind: type) -> None:
    assert validator(kind).schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_schema_accepts_every_auction_and_bid_that_the_code_writes() -> None:
    auctions, bids = validator(Auction), validator(Bid)
    auctions.validate(json.loads(encode(make_auction(marks=(make_mark(CALL),)))))
    for case in CASES:
        auctions.validate(json.loads(encode(case.auction)))
        bids.validate(json.loads(encode(case.bid)))


@pytest.mark.parametrize(("field", "value"), [("units", 0), ("units", 2**53), ("intent", ""), ("note", 1)])
def test_schema_refuses_what_the_code_refuses(field: str, value: object) -> None:
    plain = json.loads(encode(make_bid({"a": 1})))
    plain["fills"][0][field] = value
    with pytest.raises(ValidationError):
        validator(Bid).validate(plain)
    with pytest.raises(FormatError):
        decode(json.dumps(plain), Bid)


@pytest.mark.parametrize(("name", "kind"), [("auction", Auction), ("bid", Bid), ("outcome", Outcome)])
def test_the_published_schemas_are_those_of_the_code(name: str, kind: type) -> None:
    published = SCHEMAS / f"{name}.schema.json"
    assert json.loads(published.read_text()) == json.loads(json.dumps(json_schema(kind)))
