"""Posting: signed intents and signed cancels."""

from fastapi import APIRouter, Request, Response

from intents.admission import LIMITS
from intents.api.answers import documented, json_answer, refusal
from intents.api.bodies import body_schema, read_body
from intents.refusals import Code, Refused
from intents.schemas import Accepted, CancelView, IntentStatus, PostCancelBelow, PostCancelIntents, PostIntent
from intents.service import Service

_BODY_CODES = (Code.TOO_LARGE, Code.MALFORMED, Code.WRONG_SIGNER, Code.BAD_SIGNATURE)


def intake_routes(service: Service) -> APIRouter:
    """``POST /v1/intents`` and ``POST /v1/cancellations``."""
    routes = APIRouter(tags=["intents"])

    @routes.post(
        "/v1/intents",
        status_code=201,
        response_model=Accepted,
        responses=documented(*_BODY_CODES, Code.NONCE_REUSED),
        openapi_extra=body_schema(PostIntent),
    )
    async def post_intent(request: Request) -> Response:
        """Post a signed intent. It is durable when the answer comes; posting it again changes nothing."""
        body = await read_body(request, bytes_max=LIMITS.body_bytes)
        answer = body if isinstance(body, Refused) else await service.post_intent(body)
        if isinstance(answer, Refused):
            return refusal(answer)
        return json_answer({"id": answer.id, "status": answer.status.value}, status=201)

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
