"""Deposits are read strictly: every refusal names the field and the value."""

from typing import Any

import msgspec
import pytest

from chains.units import WIRE_MAX
from intents.deposits import Deposit, read_deposit, read_owner
from intents.refusals import Code, Refused
from tests.worlds import ALICE


def read(**changes: Any) -> Deposit | Refused:
    body = {"chain": "hub", "asset": "USDC", "amount": 5} | changes
    return read_deposit(ALICE, msgspec.json.encode(body))


@pytest.mark.parametrize("amount", [1, "1", WIRE_MAX, str(WIRE_MAX)])
def test_an_amount_is_a_number_or_a_decimal_string(amount: int | str) -> None:
    assert read(amount=amount) == Deposit(owner=ALICE, chain="hub", asset="USDC", amount=int(amount))


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (0, Code.BAD_AMOUNT),
        ("-1", Code.BAD_AMOUNT),
        (WIRE_MAX + 1, Code.OUT_OF_RANGE),
        (str(WIRE_MAX + 1), Code.OUT_OF_RANGE),
        (1.0, Code.MALFORMED),
        ("1e3", Code.MALFORMED),
        (" 1", Code.MALFORMED),
        ("007", Code.MALFORMED),
        ("-0", Code.MALFORMED),
        ("9" * 21, Code.OUT_OF_RANGE),
        ("9" * 10_000, Code.OUT_OF_RANGE),
        ("٣", Code.MALFORMED),
        (False, Code.MALFORMED),
        (None, Code.MALFORMED),
        ([1], Code.MALFORMED),
    ],
)
def test_any_other_amount_is_refused(amount: object, code: Code) -> None:
    refused = read(amount=amount)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == (code, "amount")


def test_an_owner_is_an_address_in_whatever_case() -> None:
    assert read_owner(ALICE) == ALICE
    assert read_owner("0x" + ALICE[2:].upper()) == ALICE
    for text in ("", "alice", ALICE[:-1], ALICE + "0", ALICE + "\n", ALICE[2:]):
        refused = read_owner(text)
        assert isinstance(refused, Refused)
        assert refused.code is Code.MALFORMED
