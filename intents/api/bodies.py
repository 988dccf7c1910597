"""Reading request bodies: bounded, whatever the headers claim, and documented though read by hand.

Bodies are read as bytes and parsed by `intents.reading` and `intents.deposits`, which name the field and
the value of whatever is wrong; pydantic models of the same bodies go into the OpenAPI document.
"""

from typing import Any, Final

from fastapi import Request
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import ClientDisconnect

from intents.refusals import Code, Refused, refuse
from intents.schemas import AskQuote, PostCancelBelow, PostCancelIntents, PostDeposit, PostIntent

DEPOSIT_BYTES_MAX: Final = 4 * 1_024

REF: Final = "#/components/schemas/{model}"
_BODIES: Final[tuple[type[BaseModel], ...]] = (
    PostIntent,
    PostCancelIntents,
    PostCancelBelow,
    PostDeposit,
    AskQuote,
)


async def read_body(request: Request, *, bytes_max: int) -> bytes | Refused:
    """The body of a request, or a refusal as soon as it is known to be too large."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared) > bytes_max:
        return _too_large(int(declared), bytes_max)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > bytes_max:
                return _too_large(len(body), bytes_max)
    except ClientDisconnect:
        return refuse(Code.MALFORMED_JSON, "body", None, "the connection ended before the body did")
    return bytes(body)


def body_schema(*models: type[BaseModel]) -> dict[str, Any]:
    """The part of a route's OpenAPI entry that documents its body: one of some models."""
    refs = [{"$ref": REF.format(model=model.__name__)} for model in models]
    schema = refs[0] if len(refs) == 1 else {"oneOf": refs}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def body_components() -> dict[str, Any]:
    """The schemas of all bodies, for the OpenAPI document's components."""
    _, definitions = models_json_schema([(model, "validation") for model in _BODIES], ref_template=REF)
    components: dict[str, Any] = definitions["$defs"]
    return components


def _too_large(size: int, bytes_max: int) -> Refused:
    return refuse(Code.TOO_LARGE, "body", size, f"the body has more than {bytes_max} bytes")
