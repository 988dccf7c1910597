"""Signing on the user's side, with eth-account: what any wallet does with `GET /v1/market`.

This is the path of users, not of the market: the market's own hashing is in `typed_data`, and the
two share nothing, so each checks the other. A message is read as strictly as the market reads it:
nothing is coerced on the way to the signature, so that nobody signs what they did not write.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from intents.errors import SigningError

# A library below eth-account raises the recursion limit of the whole process a hundredfold when it is
# imported. Deeply nested JSON would then overflow the stack instead of being refused, so it is put back.
_RECURSION_LIMIT: Final = sys.getrecursionlimit()
from eth_account import Account  # noqa: E402

sys.setrecursionlimit(_RECURSION_LIMIT)

KEY_FILE_BYTES_MAX: Final = 1_024

SHOWN_MAX: Final = 100
"""How much of a value an error shows."""

CURVE_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Private keys of secp256k1 lie between 1 and this, without it."""

_KEY: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)
_DECIMAL: Final = re.compile(r"0|-?[1-9][0-9]{0,79}", re.ASCII)
_HEX_BYTES: Final = {"address": 20, "bytes32": 32}


def read_key(path: Path) -> bytes:
    """A private key from a file that holds 64 hex digits, with or without ``0x``.

    Raises
    ------
    SigningError
        If the file cannot be read or holds anything else. The message never shows its content.
    """
    try:
        with path.open("rb") as file:
            text = file.read(KEY_FILE_BYTES_MAX + 1).decode("ascii", "replace").strip()
    except OSError as error:
        raise SigningError(f"cannot read a private key from {path}: {error.strerror}") from None
    match = _KEY.fullmatch(text)
    if match is None:
        raise SigningError(f"cannot read a private key from {path}: it does not hold 64 hex digits")
    key = bytes.fromhex(match[1])
    if not _is_key(key):
        raise SigningError(f"cannot read a private key from {path}: no key of secp256k1 has that value")
    return key


def address_of(key: bytes) -> str:
    """The address of a private key, in lower case."""
    return str(Account.from_key(key).address).lower()


def sign_message(
    kind: str, message: Mapping[str, Any], *, eip712: Mapping[str, Any], key: bytes
) -> dict[str, Any]:
    """Sign one message of a kind such as ``OptionIntent``, ready to be posted.

    `eip712` is ``{domain, types}`` as `GET /v1/market` gives it. Integers may be decimal strings.

    Raises
    ------
    SigningError
        If the kind is unknown, the message does not fit its type, or the key is none.
    """
    if not isinstance(eip712.get("types"), Mapping) or not isinstance(eip712.get("domain"), Mapping):
        raise SigningError("the EIP-712 terms need `domain` and `types`, as GET /v1/market gives them")
    types = eip712["types"]
    if kind not in types:
        raise SigningError(f"kind: {kind!r} is not one of {', '.join(sorted(types))}")
    if not _is_key(key):
        raise SigningError("the key is no private key of secp256k1")
    typed = _struct(types, kind, message, kind)
    try:
        signed = Account.sign_typed_data(key, dict(eip712["domain"]), _with_dependencies(kind, types), typed)
    except Exception as error:  # eth-account raises whatever its encoders raise
        raise SigningError(f"{kind}: the message does not fit its type: {error}") from error
    return {"kind": kind, "intent": dict(message), "signature": "0x" + bytes(signed.signature).hex()}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


def _is_key(key: bytes) -> bool:
    return len(key) == 32 and 0 < int.from_bytes(key, "big") < CURVE_ORDER


def _with_dependencies(kind: str, types: Mapping[str, list[dict[str, str]]]) -> dict[str, Any]:
    """A type and those it refers to: with a second root in the table, wallets cannot tell what is signed."""
    needed: dict[str, Any] = {}
    waiting = [kind]
    while waiting:
        name = waiting.pop()
        needed[name] = types[name]
        waiting.extend(
            base
            for member in types[name]
            if (base := member["type"].removesuffix("[]")) in types and base not in needed
        )
    return needed


def _struct(
    types: Mapping[str, list[dict[str, str]]], kind: str, message: object, where: str
) -> dict[str, Any]:
    """A struct of exactly the members of its type."""
    if not isinstance(message, Mapping):
        raise SigningError(f"{where}: needs an object, not {_short(message)}")
    members = {member["name"]: member["type"] for member in types[kind]}
    missing, unknown = members.keys() - message.keys(), message.keys() - members.keys()
    if missing:
        raise SigningError(f"{where}: the field {min(missing)!r} is missing")
    if unknown:
        raise SigningError(f"{where}: {min(unknown, key=repr)!r} is not a field")
    return {name: _value(types, member, message[name], f"{where}.{name}") for name, member in members.items()}


def _value(types: Mapping[str, list[dict[str, str]]], kind: str, value: object, where: str) -> Any:
    """A value of an EIP-712 type; decimal strings become integers where the type is an integer."""
    if kind.endswith("[]"):
        if not isinstance(value, list | tuple):
            raise SigningError(f"{where}: needs an array, not {_short(value)}")
        base = kind.removesuffix("[]")
        return [_value(types, base, item, f"{where}[{place}]") for place, item in enumerate(value)]
    if kind in types:
        return _struct(types, kind, value, where)
    if kind.startswith(("int", "uint")):
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            return int(value)
        is_typed = isinstance(value, int) and not isinstance(value, bool)
    elif kind in _HEX_BYTES:
        digits = 2 * _HEX_BYTES[kind]
        is_typed = isinstance(value, str) and re.fullmatch(rf"0x[0-9a-fA-F]{{{digits}}}", value) is not None
    else:
        is_typed = isinstance(value, {"bool": bool, "string": str}.get(kind, ()))
    if not is_typed:
        raise SigningError(f"{where}: {_short(value)} does not fit its type, {kind}")
    return value
