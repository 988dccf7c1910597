"""The OpenAPI document, generated from the code: routes, pydantic models, and the wire structs.

FastAPI documents what it validates. Bodies that are read by hand, and answers that are files, are added
here: their schemas come from the same models and structs that read and write them.
"""

from typing import Any, Final

import msgspec
from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from intents.api.answers import documented
from intents.api.bodies import REF, body_components
from intents.quotes import Quote
from intents.refusals import Code
from intents.schemas import MarketView
from solvers.auction import Auction
from solvers.outcome import Outcome

WIRE_ANSWERS: Final = (Auction, MarketView, Outcome, Quote)
"""The wire structs that are answered as they are."""


def wire_answer(kind: type[msgspec.Struct], *codes: Code) -> dict[str, Any]:
    """The arguments of a route that answers a wire struct, and refuses with some codes."""
    schema = {"$ref": REF.format(model=kind.__name__)}
    described = {"description": kind.__name__, "content": {"application/json": {"schema": schema}}}
    return {"response_class": Response, "responses": {200: described, **documented(*codes)}}


def add_openapi(app: FastAPI) -> None:
    """Let an app document bodies and wire structs too."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            components = document.setdefault("components", {}).setdefault("schemas", {})
            for name, schema in (body_components() | _wire_components()).items():
                components.setdefault(name, schema)
            _drop_framework_errors(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _drop_framework_errors(document: dict[str, Any]) -> None:
    """Take out the answer that FastAPI adds to every route with parameters: ours has the one form."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    framework = {"$ref": REF.format(model="HTTPValidationError")}
    for entry in document["paths"].values():
        for operation in entry.values():
            answer = operation["responses"].get("422", {})
            if answer.get("content", {}).get("application/json", {}).get("schema") == framework:
                del operation["responses"]["422"]


def _wire_components() -> dict[str, Any]:
    _, components = msgspec.json.schema_components(WIRE_ANSWERS, ref_template=REF.replace("model", "name"))
    return components
