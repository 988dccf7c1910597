"""Quotes: what an intent would pay now, before anybody signs it."""

from fastapi import APIRouter, Request, Response

from intents.admission import LIMITS
from intents.api.answers import json_answer, refusal
from intents.api.bodies import body_schema, read_body
from intents.api.openapi import wire_answer
from intents.quotes import Quote
from intents.refusals import Code, Refused
from intents.schemas import AskQuote
from intents.service import Service


def quote_routes(service: Service) -> APIRouter:
    """``POST /v1/quotes``."""
    routes = APIRouter(tags=["intents"])

    @routes.post(
        "/v1/quotes",
        **wire_answer(Quote, Code.TOO_LARGE, Code.MALFORMED, Code.BAD_UNITS, Code.BUSY),
        openapi_extra=body_schema(AskQuote),
    )
    async def post_quote(request: Request) -> Response:
        """What an unsigned intent would pay now, on the market alone: route, costs, time, what is cheaper."""
        body = await read_body(request, bytes_max=LIMITS.body_bytes)
        answer = body if isinstance(body, Refused) else await service.quote(body)
        return refusal(answer) if isinstance(answer, Refused) else json_answer(answer)

    return routes
