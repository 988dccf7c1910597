"""From bytes to signed messages, strictly: the readers that follow the EIP-712 type table.

A body is ``{kind, intent, signature}``, or ``{kind, intent}`` where nothing is signed. Readers are compiled
once from the same table as the hashers, so what is read is what is hashed, member by member, and every
refusal names the field and the value. Integers come as JSON numbers or as decimal strings; floats,
exponents, unknown fields and missing ones are refused. Nothing is coerced.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import msgspec

from chains.units import WIRE_MAX
from intents.refusals import Code, Refused, refuse
from intents.typed_data import ATTRIBUTES, TYPES, Cancel, CancelBelow, CancelIntents, Leg, OptionIntent

Message = OptionIntent | Cancel

Reader = Callable[[Any, str], Any]
"""(what was found, the field it was found in) -> what it means."""


def read_message(body: bytes, *, kinds: Collection[str], bytes_max: int) -> tuple[Message, str] | Refused:
    """Read a signed message of one of these kinds, with its signature as lower-case hex.

    Every value has its type and its range, but no more is checked than a value on its own can tell.
    """
    try:
        envelope = _read_json(body, bytes_max)
        if not isinstance(envelope, dict):
            raise _Stop(Code.MALFORMED, "body", envelope, "send an object {kind, intent, signature}")
        _check_keys(envelope, ("kind", "intent", "signature"), "")
        kind, signature = envelope["kind"], envelope["signature"]
        _check_kind(kind, kinds)
        if not isinstance(signature, str) or not _HEX.fullmatch(signature):
            raise _Stop(Code.BAD_SIGNATURE, "signature", signature, "a signature is hex with 0x")
        return _READERS[kind](envelope["intent"], ""), signature.lower()
    except _Stop as stop:
        return stop.refused


def read_partial(
    body: bytes, *, kind: str, defaults: Mapping[str, Any], bytes_max: int
) -> tuple[Message, frozenset[str]] | Refused:
    """Read ``{kind, intent}``, an unsigned message of one kind, with the names of the members it has.

    Members of `defaults` may be missing, and are then read from there as if they had been sent.
    """
    try:
        envelope = _read_json(body, bytes_max)
        if not isinstance(envelope, dict):
            raise _Stop(Code.MALFORMED, "body", envelope, "send an object {kind, intent}")
        _check_keys(envelope, ("kind", "intent"), "")
        _check_kind(envelope["kind"], (kind,))
        sent = envelope["intent"]
        if not isinstance(sent, dict):
            return _READERS[kind](sent, ""), frozenset()
        return _READERS[kind]({**defaults, **sent}, ""), frozenset(sent)
    except _Stop as stop:
        return stop.refused


class _Stop(Exception):
    """Carries a refusal out of the depth of a body; never leaves this module."""

    def __init__(self, code: Code, field: str, value: object, message: str) -> None:
        super().__init__(message)
        self.refused = refuse(code, field, value, message)


_HEX: Final = re.compile(r"0x([0-9a-fA-F]{2})*", re.ASCII)
DECIMAL: Final = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)
"""An integer in a string, in the one way to write it."""

DIGITS_MAX: Final = 80
"""More decimal digits than any uint256 has: longer strings are out of range without being read."""


def _read_json(body: bytes, bytes_max: int) -> object:
    if len(body) > bytes_max:
        raise _Stop(Code.TOO_LARGE, "body", len(body), f"the body has more than {bytes_max} bytes")
    try:
        return msgspec.json.decode(body)
    except msgspec.ValidationError as error:
        raise _Stop(Code.OUT_OF_RANGE, "body", None, f"a number in the body is too long: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _Stop(Code.MALFORMED_JSON, "body", None, f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise _Stop(Code.MALFORMED_JSON, "body", None, "the body is nested too deeply") from error


def _check_kind(kind: object, kinds: Collection[str]) -> None:
    if kind not in kinds:
        code = Code.UNSUPPORTED if kind == "PayoffIntent" else Code.MALFORMED
        raise _Stop(code, "kind", kind, f"the kind is {' or '.join(sorted(kinds))}")


def _check_keys(found: dict[str, Any], expected: Collection[str], path: str) -> None:
    for key in expected:
        if key not in found:
            raise _Stop(Code.MISSING_FIELD, path + key, None, f"{path + key} is missing")
    for key, value in found.items():
        if key not in expected:
            message = f"not a field here; the fields are {', '.join(expected)}"
            raise _Stop(Code.UNKNOWN_FIELD, path + key, value, message)


def _integer_reader(low: int, high: int) -> Reader:
    def read(raw: Any, field: str) -> int:
        value = raw
        if isinstance(raw, str) and DECIMAL.fullmatch(raw):
            value = int(raw) if len(raw) <= DIGITS_MAX else high + 1
        elif isinstance(raw, bool) or not isinstance(raw, int):
            message = f"{field} is an integer: a number without fraction or exponent, or a decimal string"
            raise _Stop(Code.MALFORMED, field, raw, message)
        if not low <= value <= high:
            raise _Stop(Code.OUT_OF_RANGE, field, raw, f"{field} is outside {low} to {high}")
        return int(value)

    return read


def _hex_reader(size: int) -> Reader:
    pattern = re.compile(rf"0x[0-9a-fA-F]{{{2 * size}}}", re.ASCII)

    def read(raw: Any, field: str) -> str:
        if not isinstance(raw, str) or not pattern.fullmatch(raw):
            raise _Stop(Code.MALFORMED, field, raw, f"{field} is {size} bytes of hex with 0x")
        return raw.lower()

    return read


def _typed_reader(kind: type, what: str) -> Reader:
    def read(raw: Any, field: str) -> Any:
        if not isinstance(raw, kind):
            raise _Stop(Code.MALFORMED, field, raw, f"{field} is {what}")
        return raw

    return read


_ATOMS: Final[dict[str, Reader]] = {
    "address": _hex_reader(20),
    "bytes32": _hex_reader(32),
    "bool": _typed_reader(bool, "true or false"),
    "string": _typed_reader(str, "a string"),
    "uint64": _integer_reader(0, WIRE_MAX),
    "uint256": _integer_reader(0, WIRE_MAX),
    "int64": _integer_reader(-WIRE_MAX, WIRE_MAX),
    "int256": _integer_reader(-WIRE_MAX, WIRE_MAX),
}
"""How a value of each atomic EIP-712 type is read: no integer of the market leaves 2**53."""

_SPECIAL: Final[dict[tuple[str, str], Reader]] = {
    ("OptionIntent", "units"): _ATOMS["int64"],
    ("OptionIntent", "minUnits"): _ATOMS["int64"],
    ("CancelBelow", "nonce"): _integer_reader(0, 2**256 - 1),
}
"""Members with another range than their type's: units below one have a refusal of their own, and a
cancel may revoke every nonce there can be."""

_STRUCTS: Final[dict[str, type[msgspec.Struct]]] = {
    kind.__name__: kind for kind in (OptionIntent, Leg, CancelIntents, CancelBelow)
}


def _reader(kind: str) -> Reader:
    if kind.endswith("[]"):
        return _array_reader(_reader(kind.removesuffix("[]")))
    return _struct_reader(kind) if kind in TYPES else _ATOMS[kind]


def _array_reader(read_item: Reader) -> Reader:
    def read(raw: Any, field: str) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            raise _Stop(Code.MALFORMED, field, raw, f"{field} is an array")
        return tuple([read_item(item, f"{field}[{place}]") for place, item in enumerate(raw)])

    return read


def _struct_reader(name: str) -> Reader:
    struct = _STRUCTS[name]
    readers = {
        member.name: (ATTRIBUTES[member.name], _SPECIAL.get((name, member.name)) or _reader(member.type))
        for member in TYPES[name]
    }

    def read(raw: Any, field: str) -> msgspec.Struct:
        if not isinstance(raw, dict):
            raise _Stop(Code.MALFORMED, field or "intent", raw, f"{field or 'intent'} is an object")
        path = f"{field}." if field else ""
        if raw.keys() != readers.keys():
            _check_keys(raw, readers, path)
        return struct(
            **{
                attribute: read_member(raw[member], path + member)
                for member, (attribute, read_member) in readers.items()
            }
        )

    return read


_READERS: Final = {name: _struct_reader(name) for name in _STRUCTS}
