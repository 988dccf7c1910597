"""Read models are folds of events: reasons of orders, standings of solvers, lines of auctions."""

import pytest

from intents.events import AuctionCut, AuctionDecided, AuctionPublished, Event
from intents.records import ROUNDS_KEPT, AuctionStatus, Records
from solvers.auction import Auction
from solvers.outcome import HOUSE, BidRecord, Choice, OrderRecord, Outcome, SolverReport
from solvers.reasons import BidReason, OrderReason, SolverReason
from tests.builders import CALL, CUT_US, make_auction, make_order


def publish(number: int, *orders: str, not_selected: tuple[str, ...] = ()) -> tuple[Auction, list[Event]]:
    auction = make_auction(
        auction=f"auction-{number}", orders=tuple(make_order(name, {CALL: 1}, 5) for name in orders)
    )
    cut = AuctionCut(at_us=CUT_US, auction=auction.auction)
    return auction, [cut, AuctionPublished(at_us=CUT_US, auction=auction, not_selected=not_selected)]


def decide(auction: Auction, bids: list[tuple[str, str, int]], reasons: dict[str, str]) -> AuctionDecided:
    records = tuple(
        BidRecord(solver=solver, bid=f"bid-{place}", digest="", reason=reason, detail="", score=score)
        for place, (solver, reason, score) in enumerate(bids)
    )
    solvers = sorted({solver for solver, _, _ in bids} - {HOUSE})
    outcome = Outcome(
        auction=auction.auction,
        content_hash=auction.content_hash,
        versions={},
        choice=Choice(score=7, bound=8, proved=False),
        deals=(),
        bids=records,
        orders=tuple(OrderRecord(intent=name, reason=reason, units=1) for name, reason in reasons.items()),
        solvers=tuple(
            SolverReport(solver=solver, reason=SolverReason.FINISHED, detail="", finished_us=1)
            for solver in solvers
        ),
    )
    return AuctionDecided(at_us=CUT_US + 9, auction=auction.auction, submissions=(), outcome=outcome)


def fold(*events: Event) -> Records:
    records = Records()
    for event in events:
        records.apply(event)
    return records


def test_scores_and_reasons_add_up_per_solver() -> None:
    first, opening = publish(1, "a", "b")
    second, reopening = publish(2, "b")
    won, outbid = BidReason.WON.value, BidReason.OUTBID.value
    records = fold(
        *opening,
        decide(first, [(HOUSE, won, 5), ("alice", outbid, 4), ("alice", won, 6)], {}),
        *reopening,
        decide(second, [("alice", "infeasible:imbalance", 0)], {}),
    )
    alice, house = records.standings["alice"], records.standings[HOUSE]
    assert (alice.rounds, alice.bids, alice.wins, alice.score) == (2, 3, 1, 6)
    assert alice.bid_reasons == {outbid: 1, won: 1, "infeasible:imbalance": 1}
    assert alice.round_reasons == {SolverReason.FINISHED.value: 2}
    assert (house.rounds, house.bids, house.wins, house.score) == (1, 1, 1, 5)


def test_an_order_has_one_reason_for_every_round_it_was_in_or_left_out_of() -> None:
    first, opening = publish(1, "a", "b")
    second, reopening = publish(2, "b", not_selected=("a",))
    records = fold(
        *opening,
        decide(first, [], {"a": OrderReason.NO_BID.value, "b": OrderReason.PARTLY_FILLED.value}),
        *reopening,
        decide(second, [], {"b": OrderReason.FILLED.value}),
    )
    reasons = {name: [(each.auction, each.reason) for each in records.rounds_of(name)] for name in "abc"}
    assert reasons == {
        "a": [("auction-1", "no_bid"), ("auction-2", "not_selected")],
        "b": [("auction-1", "partly_filled"), ("auction-2", "filled")],
        "c": [],
    }


def test_an_order_remembers_a_bounded_number_of_rounds() -> None:
    rounds = [publish(number, not_selected=("a",)) for number in range(ROUNDS_KEPT + 7)]
    kept = fold(*(event for _, events in rounds for event in events)).rounds_of("a")
    assert len(kept) == ROUNDS_KEPT
    assert kept[0].auction == "auction-7"


def test_a_line_says_how_an_auction_ended() -> None:
    first, opening = publish(1, "a")
    second, reopening = publish(2, "a", not_selected=("b",))
    solving = fold(*opening)
    assert solving.auction("auction-1").status is AuctionStatus.SOLVING
    records = fold(*opening, *reopening, decide(second, [("alice", "won", 7)], {}))
    void, decided = records.auctions(after=None, limit=5)
    assert (void.auction, void.status, void.decided_us) == (first.auction, AuctionStatus.VOID, None)
    assert (decided.status, decided.score, decided.bound, decided.proved) == (
        AuctionStatus.DECIDED,
        7,
        8,
        False,
    )
    assert (decided.orders, decided.not_selected, decided.bids) == (1, 1, 1)
    assert decided.decided_us == CUT_US + 9
    assert records.auction("auction-3") is None


def test_pages_begin_behind_the_auction_that_is_named() -> None:
    records = fold(*(event for number in range(1, 13) for event in publish(number)[1]))
    page = [line.auction for line in records.auctions(after="auction-9", limit=2)]
    assert page == ["auction-10", "auction-11"]
    assert records.auctions(after="auction-12", limit=2) == []
    with pytest.raises(KeyError):
        records.auctions(after="auction-13", limit=1)
