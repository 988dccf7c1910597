"""Auctions: their files at once, their bids and outcomes once they are decided; solver standings."""

from typing import Any

from fastapi import APIRouter, Response
from msgspec import UNSET, UnsetType

from intents.api.answers import documented, json_answer, refusal
from intents.api.openapi import wire_answer
from intents.api.paging import After, Limit
from intents.engine import Engine
from intents.events import AuctionDecided
from intents.records import AuctionStatus, Standing
from intents.refusals import Code, Refused, refuse
from intents.schemas import (
    AuctionList,
    AuctionView,
    BidList,
    BidView,
    ReasonNumbers,
    StandingList,
    StandingView,
)
from intents.service import Service
from solvers.auction import Auction
from solvers.outcome import BidRecord, Numbers, Outcome, Submission


def auction_routes(service: Service) -> APIRouter:
    """``GET /v1/auctions``, ``/{id}``, ``/{id}/bids``, ``/{id}/outcome`` and ``GET /v1/solvers``."""
    routes = APIRouter(tags=["auctions"])

    @routes.get(
        "/v1/auctions",
        response_model=AuctionList,
        responses=documented(Code.UNKNOWN_AUCTION, Code.MALFORMED),
    )
    async def list_auctions(after: After = None, limit: Limit = 100) -> Response | AuctionList:
        """List auctions in order."""
        records = service.market.records
        if after is not None and records.auction(after) is None:
            return refusal(refuse(Code.UNKNOWN_AUCTION, "after", after))
        page = records.auctions(after=after, limit=limit + 1)
        return AuctionList(
            auctions=[AuctionView.model_validate(line) for line in page[:limit]],
            next=page[limit - 1].auction if len(page) > limit else None,
        )

    @routes.get("/v1/auctions/{id}", **wire_answer(Auction, Code.UNKNOWN_AUCTION))
    async def get_auction(id: str) -> Response:  # noqa: A002 - the name in the path
        """The auction file, as solvers see it."""
        published = service.find_published(id)
        if published is None:
            return refusal(refuse(Code.UNKNOWN_AUCTION, "id", id))
        return json_answer(published.auction)

    @routes.get(
        "/v1/auctions/{id}/bids",
        response_model=BidList,
        responses=documented(Code.UNKNOWN_AUCTION, Code.SEALED),
    )
    async def get_bids(id: str) -> Response | BidList:  # noqa: A002
        """Every submission as it came, and what became of it; sealed until the auction is decided."""
        decided = _decided(service, id)
        if isinstance(decided, Refused):
            return refusal(decided)
        pairs = zip(decided.submissions, decided.outcome.bids, strict=True)
        return BidList(auction=id, bids=[_show_bid(submission, record) for submission, record in pairs])

    @routes.get("/v1/auctions/{id}/outcome", **wire_answer(Outcome, Code.UNKNOWN_AUCTION, Code.SEALED))
    async def get_outcome(id: str) -> Response:  # noqa: A002
        """The outcome: winners, prices, deals and every reason; sealed until the auction is decided."""
        decided = _decided(service, id)
        return refusal(decided) if isinstance(decided, Refused) else json_answer(decided.outcome)

    @routes.get("/v1/solvers", response_model=StandingList, responses=documented())
    async def list_solvers() -> StandingList:
        """How every solver has done so far, the market's own bids (`house`) among them."""
        engine, standings = service.market.engine, service.market.records.standings
        names = dict.fromkeys([*standings, *engine.solvers.all])
        views = [_show_standing(standings.get(name) or Standing(solver=name), engine) for name in names]
        return StandingList(solvers=sorted(views, key=lambda view: (-view.score, view.solver)))

    return routes


def _decided(service: Service, auction: str) -> AuctionDecided | Refused:
    line = service.market.records.auction(auction)
    if line is None:
        return refuse(Code.UNKNOWN_AUCTION, "id", auction)
    decided = service.find_decided(auction) if line.status is AuctionStatus.DECIDED else None
    if decided is None:
        void = "it is void: it was never decided, and a later round took its place"
        return refuse(Code.SEALED, "id", auction, void if line.status is AuctionStatus.VOID else None)
    return decided


def _show_standing(standing: Standing, engine: Engine) -> StandingView:
    """What decisions say of a solver, with what came of its deals since."""
    account = engine.solvers.of(standing.solver)
    return StandingView(
        solver=standing.solver,
        rounds=standing.rounds,
        rounds_won=standing.rounds_won,
        win_rate_bps=standing.win_rate_bps,
        bids=standing.bids,
        wins=standing.wins,
        score=standing.score,
        marginal=standing.marginal,
        rewards_awarded=standing.rewards,
        rewards_earned=account.rewards,
        fees_asked=account.fees_asked,
        fees_earned=account.fees,
        deals_settled=account.settled,
        deals_aborted=account.aborted,
        penalties=account.penalties,
        bond_posted=account.bonded,
        bond_left=engine.bond_of(standing.solver),
        bid_reasons=dict(standing.bid_reasons),
        round_reasons=dict(standing.round_reasons),
    )


def _show_bid(submission: Submission, record: BidRecord) -> BidView:
    return BidView(
        solver=record.solver,
        bid=record.bid,
        digest=record.digest,
        arrival_us=submission.arrival_us,
        reason=record.reason,
        detail=record.detail,
        score=_or_none(record.score),
        numbers=_show_numbers(record.numbers),
        content=submission.content,
    )


def _show_numbers(numbers: Numbers | UnsetType) -> ReasonNumbers | None:
    return None if isinstance(numbers, UnsetType) else ReasonNumbers.model_validate(numbers)


def _or_none(value: Any) -> Any:
    return None if value is UNSET else value
