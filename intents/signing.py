"""Signing on the user's side, with eth-account: what any wallet does with `GET /v1/market`.

This is the path of users, not of the market: the market's own hashing is in `typed_data`, and the
two share nothing, so each checks the other.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from eth_account import Account

from intents.errors import SigningError

KEY_FILE_BYTES_MAX: Final = 1_024


def read_key(path: Path) -> bytes:
    """A private key from a file that holds 64 hex digits, with or without ``0x``.

    Raises
    ------
    SigningError
        If the file cannot be read or holds anything else. The message never shows its content.
    """
    try:
        with path.open("rb") as file:
            text = file.read(KEY_FILE_BYTES_MAX + 1).decode().strip().removeprefix("0x")
        key = bytes.fromhex(text)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not hex"
        raise SigningError(f"cannot read a private key from {path}: {reason}") from None
    if len(key) != 32:
        raise SigningError(f"cannot read a private key from {path}: it holds {len(key)} bytes, not 32")
    return key


def sign_message(
    kind: str, message: Mapping[str, Any], *, eip712: Mapping[str, Any], key: bytes
) -> dict[str, Any]:
    """Sign one message of a kind such as ``OptionIntent``, ready to be posted.

    `eip712` is ``{domain, types}`` as `GET /v1/market` gives it. Integers may be decimal strings.

    Raises
    ------
    SigningError
        If the kind is unknown or the message does not fit its type.
    """
    types = eip712["types"]
    if kind not in types:
        raise SigningError(f"kind: {kind!r} is not one of {', '.join(sorted(types))}")
    needed = _with_dependencies(kind, types)
    try:
        typed = {name: _typed(types, kind, name, value) for name, value in message.items()}
        signed = Account.sign_typed_data(key, dict(eip712["domain"]), needed, typed)
    except Exception as error:  # eth-account raises whatever its encoders raise
        raise SigningError(f"{kind}: the message does not fit its type: {error}") from error
    return {"kind": kind, "intent": dict(message), "signature": "0x" + signed.signature.hex()}


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


def _typed(types: Mapping[str, list[dict[str, str]]], kind: str, name: str, value: Any) -> Any:
    """Decimal strings become integers where the type is an integer, in nested structs too."""
    declared = {member["name"]: member["type"] for member in types[kind]}
    member = declared.get(name)
    if member is None:
        raise SigningError(f"{kind} has no field {name!r}")
    base = member.removesuffix("[]")
    if base in types and isinstance(value, list | tuple):
        return [{key: _typed(types, base, key, part) for key, part in item.items()} for item in value]
    if base.startswith(("int", "uint")) and isinstance(value, str):
        return int(value)
    return value
