"""Following intents: their state, their fills, and the reason of every one of their latest rounds."""

from collections.abc import Iterator
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Response

from intents.api.answers import documented, refusal
from intents.api.paging import After, Limit
from intents.book import Book, BookIntent
from intents.deposits import read_owner
from intents.lifecycle import Status
from intents.refusals import Code, Refused, refuse
from intents.schemas import (
    FillView,
    IntentDetail,
    IntentList,
    IntentView,
    RoundView,
    SignedOptionIntent,
    UnitsView,
)
from intents.service import Service

LOOKED_AT_MAX: Final = 5_000
"""Intents that one page looks at: whoever asks for a rare status gets on page by page, and delays nobody."""


def order_routes(service: Service) -> APIRouter:
    """``GET /v1/intents`` and ``GET /v1/intents/{id}``."""
    routes = APIRouter(tags=["intents"])

    @routes.get(
        "/v1/intents",
        response_model=IntentList,
        responses=documented(Code.UNKNOWN_INTENT, Code.MALFORMED),
    )
    async def list_intents(
        owner: Annotated[str | None, Query(max_length=128)] = None,
        status: Annotated[Status | None, Query()] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> Response | IntentList:
        """List intents in the order of admission; a page with a `status` may be short, and have a `next`."""
        found = _select(service.market.engine.book, owner=owner, after=after)
        if isinstance(found, Refused):
            return refusal(found)
        page: list[BookIntent] = []
        last = None
        for looked_at, entry in enumerate(found):
            if len(page) == limit or looked_at == LOOKED_AT_MAX:
                return IntentList(intents=[show_intent(each) for each in page], next=last)
            last = entry.id
            if status is None or entry.status is status:
                page.append(entry)
        return IntentList(intents=[show_intent(each) for each in page], next=None)

    @routes.get("/v1/intents/{id}", response_model=IntentDetail, responses=documented(Code.UNKNOWN_INTENT))
    async def get_intent(id: str) -> Response | IntentDetail:  # noqa: A002 - the name in the path
        """One intent with the reason of every one of its latest rounds."""
        entry = service.market.engine.book.get(id.lower())
        if entry is None:
            return refusal(refuse(Code.UNKNOWN_INTENT, "id", id))
        rounds = service.market.records.rounds_of(entry.id)
        return IntentDetail(
            **dict(show_intent(entry)), rounds=[RoundView.model_validate(each) for each in rounds]
        )

    return routes


def show_intent(entry: BookIntent) -> IntentView:
    """One intent as it stands."""
    gone = entry.intent.units - entry.open - entry.settling - entry.filled
    return IntentView(
        id=entry.id,
        owner=entry.owner,
        status=entry.status,
        admitted_us=entry.admitted_us,
        ends_us=entry.ends_us,
        units=UnitsView(open=entry.open, settling=entry.settling, filled=entry.filled, gone=gone),
        payment=entry.payment,
        intent=SignedOptionIntent.model_validate(msgspec.to_builtins(entry.intent)),
        fills=[FillView.model_validate(fill) for fill in entry.fills],
    )


def _select(book: Book, *, owner: str | None, after: str | None) -> Iterator[BookIntent] | Refused:
    """The intents behind `after`, of one owner or of all."""
    address = None if owner is None else read_owner(owner)
    if isinstance(address, Refused):
        return address
    if after is None:
        return book.intents(owner=address)
    last = book.get(after.lower())
    if last is None:
        return refuse(Code.UNKNOWN_INTENT, "after", after)
    return book.intents(owner=address, after=last.admitted)
