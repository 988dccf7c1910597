"""Posting: signed intents and signed cancels.

Single intents are most of what a market is asked, so Starlette serves them without the framework's
dependencies around them, which cost a third of a request's time; the route of the same handler behind it
is what the OpenAPI document is made from.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter, FastAPI, Request, Response

from intents.admission import LIMITS
from intents.api.answers import documented, json_answer, refusal
from intents.api.bodies import body_schema, read_body
from intents.refusals import Code, Refused
from intents.schemas import Accepted, CancelView, IntentStatus, PostCancelBelow, PostCancelIntents, PostIntent
from intents.service import Service

INTENTS: Final = "/v1/intents"

Handler = Callable[[Request], Awaitable[Response]]

_BODY_CODES = (Code.TOO_LARGE, Code.MALFORMED, Code.WRONG_SIGNER, Code.BAD_SIGNATURE)


def add_intake(app: FastAPI, service: Service) -> None:
    """``POST /v1/intents`` and ``POST /v1/cancellations``; to be added before any other route."""
    post_intent = _intent_handler(service)
    app.add_route(INTENTS, post_intent, methods=["POST"], include_in_schema=False)
    app.include_router(_documented_routes(service, post_intent))


def _intent_handler(service: Service) -> Handler:
    async def post_intent(request: Request) -> Response:
        """Post a signed intent. It is durable when the answer comes; posting it again changes nothing."""
        body = await read_body(request, bytes_max=LIMITS.body_bytes)
        answer = body if isinstance(body, Refused) else await service.post_intent(body)
        if isinstance(answer, Refused):
            return refusal(answer)
        return json_answer({"id": answer.id, "status": answer.status.value}, status=201)

    return post_intent


def _documented_routes(service: Service, post_intent: Handler) -> APIRouter:
    routes = APIRouter(tags=["intents"])
    routes.post(
        INTENTS,
        status_code=201,
        response_model=Accepted,
        responses=documented(*_BODY_CODES, Code.NONCE_REUSED),
        openapi_extra=body_schema(PostIntent),
    )(post_intent)

    @routes.post(
        "/v1/cancellations",
        response_model=CancelView,
        responses=documented(*_BODY_CODES, Code.UNKNOWN_INTENT, Code.NOT_OWNER),
        openapi_extra=body_schema(PostCancelIntents, PostCancelBelow),
    )
    async def post_cancellation(request: Request) -> Response | CancelView:
        """Cancel what is open of some intents, or of all with a lower nonce; what settles, finishes."""
        body = await read_body(request, bytes_max=LIMITS.cancel_body_bytes)
        answer = body if isinstance(body, Refused) else await service.post_cancel(body)
        if isinstance(answer, Refused):
            return refusal(answer)
        return CancelView(
            owner=answer.owner,
            nonce_floor=str(answer.nonce_floor),
            intents=[IntentStatus(id=entry.id, status=entry.status) for entry in answer.intents],
        )

    return routes
