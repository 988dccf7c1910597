"""The base of every struct that crosses the wire, the bounded integers it is made of, and its schema."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from chains.units import WIRE_MAX

Id = Annotated[str, Meta(min_length=1, max_length=128)]
"""The name of a chain, bridge, venue, offer, series, asset, solver or auction."""

Count = Annotated[int, Meta(ge=0, le=WIRE_MAX)]
Positive = Annotated[int, Meta(ge=1, le=WIRE_MAX)]
Signed = Annotated[int, Meta(ge=-WIRE_MAX, le=WIRE_MAX)]


class Wire(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A frozen struct that refuses unknown fields; subclasses add ``kw_only=True``."""


def json_schema(kind: Any) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a wire struct, generated from the code."""
    schema = msgspec.json.schema(kind)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
