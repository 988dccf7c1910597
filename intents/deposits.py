"""Reading simulated deposits: ``{chain, asset, amount}`` for an owner named in the path.

Deposits are not signed: the faucet gives to anybody. What the market allows (its chains, its assets,
the faucet's limit) is for the engine to say.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chains.units import WIRE_MAX
from intents.reading import DECIMAL, DIGITS_MAX
from intents.refusals import Code, Refused, refuse

FIELDS: Final = ("chain", "asset", "amount")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """A well-formed deposit; `amount` in micro-USDC or 1e-8 coins."""

    owner: str
    chain: str
    asset: str
    amount: int


def read_owner(text: str) -> str | Refused:
    """An owner's address in lower case."""
    if _ADDRESS.fullmatch(text) is None:
        return refuse(Code.MALFORMED, "owner", text, "an owner is 20 bytes of hex with 0x")
    return text.lower()


def read_deposit(owner: str, body: bytes) -> Deposit | Refused:
    """Read a deposit for an owner; the amount is a number or a decimal string."""
    address = read_owner(owner)
    if isinstance(address, Refused):
        return address
    try:
        found: Any = msgspec.json.decode(body)
    except msgspec.ValidationError as error:
        return refuse(Code.OUT_OF_RANGE, "body", None, f"a number in the body is too long: {error}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return refuse(Code.MALFORMED_JSON, "body", None, f"the body is not JSON: {error}")
    refused = _check_fields(found)
    if refused is not None:
        return refused
    amount = _read_amount(found["amount"])
    if isinstance(amount, Refused):
        return amount
    return Deposit(owner=address, chain=found["chain"], asset=found["asset"], amount=amount)


def _check_fields(found: Any) -> Refused | None:
    if not isinstance(found, dict):
        return refuse(Code.MALFORMED, "body", found, f"send an object {{{', '.join(FIELDS)}}}")
    for name in FIELDS:
        if name not in found:
            return refuse(Code.MISSING_FIELD, name, None, f"{name} is missing")
    for name, value in found.items():
        if name not in FIELDS:
            return refuse(Code.UNKNOWN_FIELD, name, value, f"not a field; the fields are {', '.join(FIELDS)}")
    for name in ("chain", "asset"):
        if not isinstance(found[name], str):
            return refuse(Code.MALFORMED, name, found[name], f"{name} is a string")
    return None


def _read_amount(raw: object) -> int | Refused:
    if isinstance(raw, str) and DECIMAL.fullmatch(raw):
        amount = int(raw) if len(raw) <= DIGITS_MAX else WIRE_MAX + 1
    elif isinstance(raw, int) and not isinstance(raw, bool):
        amount = raw
    else:
        return refuse(Code.MALFORMED, "amount", raw, "amount is an integer, or one in a decimal string")
    if amount < 1:
        return refuse(Code.BAD_AMOUNT, "amount", raw, "the amount must be positive")
    if amount > WIRE_MAX:
        return refuse(Code.OUT_OF_RANGE, "amount", raw, f"amount is above {WIRE_MAX}")
    return amount
