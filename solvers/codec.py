"""Canonical bytes of everything that is hashed, compared or replayed.

Canonical JSON: UTF-8, keys sorted, no white space, no floats except in an auction's marks. Equal
values have equal bytes, so records can be compared byte for byte.
"""

import hashlib
from typing import TypeVar

import msgspec

from chains.wire import json_schema
from solvers.errors import FormatError

__all__ = ["decode", "digest", "encode", "json_schema"]

T = TypeVar("T")


def encode(value: object) -> bytes:
    """Canonical JSON of a struct or of built-in values."""
    return msgspec.json.encode(value, order="sorted")


def decode(content: bytes | str, kind: type[T]) -> T:
    """Read a struct strictly: unknown fields, floats for integers and missing fields are errors.

    Raises
    ------
    FormatError
        With the field that is wrong.
    """
    try:
        return msgspec.json.decode(content, type=kind, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"not a {kind.__name__.lower()}: {error}") from error


def digest(content: bytes) -> str:
    """SHA-256 as lower-case hex."""
    return hashlib.sha256(content).hexdigest()
