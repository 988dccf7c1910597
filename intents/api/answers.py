"""Answers: refusals and failures as `{code, message, detail}`, and wire structs as the files they are."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from intents.errors import IntentsError, UnavailableError
from intents.refusals import Code, Refused, refuse
from intents.schemas import ErrorBody

STATUS: Final[Mapping[Code, int]] = {
    Code.TOO_LARGE: 413,
    Code.MALFORMED_JSON: 400,
    Code.MALFORMED: 400,
    Code.MISSING_FIELD: 400,
    Code.UNKNOWN_FIELD: 400,
    Code.WRONG_SIGNER: 403,
    Code.NOT_OWNER: 403,
    Code.UNKNOWN_INTENT: 404,
    Code.UNKNOWN_AUCTION: 404,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.NONCE_REUSED: 409,
    Code.SEALED: 409,
    Code.BUSY: 429,
    Code.UNAVAILABLE: 503,
    Code.INTERNAL: 500,
}
"""The HTTP status of every code; 422 for those that are not named."""

UNPROCESSABLE: Final = 422

_FAILURES: Final = (500, 503)
_log = structlog.get_logger("solvent.api")


def documented(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route for the OpenAPI document: those of some codes, and every failure's."""
    statuses = sorted({STATUS.get(code, UNPROCESSABLE) for code in codes} | set(_FAILURES))
    return {status: {"model": ErrorBody} for status in statuses}


def refusal(refused: Refused) -> Response:
    """A refusal as an answer."""
    body = {
        "code": refused.code.value,
        "message": refused.message,
        "detail": {"field": refused.field, "value": refused.value},
    }
    headers = {"Retry-After": "1"} if refused.code in (Code.BUSY, Code.UNAVAILABLE) else None
    return json_answer(body, status=STATUS.get(refused.code, UNPROCESSABLE), headers=headers)


def json_answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Canonical JSON of built-in values or a wire struct."""
    content = msgspec.json.encode(value, order="sorted")
    return Response(content, status_code=status, media_type="application/json", headers=headers)


def add_error_handlers(app: FastAPI) -> None:
    """Give every error of the framework and of the market the one form."""
    app.add_exception_handler(HTTPException, _framework_error)
    app.add_exception_handler(RequestValidationError, _invalid_parameter)
    app.add_exception_handler(UnavailableError, _unavailable)
    app.add_exception_handler(IntentsError, _broken)
    app.add_exception_handler(Exception, _failed)


async def _framework_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 404:
        return refusal(refuse(Code.NOT_FOUND, "path", path))
    if error.status_code == 405:
        answer = refusal(refuse(Code.METHOD_NOT_ALLOWED, "method", request.method))
        answer.headers.update(error.headers or {})
        return answer
    code = Code.INTERNAL if error.status_code >= 500 else Code.MALFORMED
    return refusal(refuse(code, "request", path, str(error.detail)))


async def _invalid_parameter(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return refusal(refuse(Code.MALFORMED, str(first["loc"][-1]), first.get("input"), str(first["msg"])))


async def _unavailable(_: Request, error: Exception) -> Response:
    return refusal(refuse(Code.UNAVAILABLE, "service", None, str(error)))


async def _broken(request: Request, error: Exception) -> Response:
    _log.error("request_failed", path=request.url.path, error=str(error))
    return refusal(refuse(Code.UNAVAILABLE, "service", None, str(error)))


async def _failed(_request: Request, _error: Exception) -> Response:
    return refusal(refuse(Code.INTERNAL, "server", None))
