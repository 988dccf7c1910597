"""Read models are folds of events: reasons of orders, standings of solvers, lines of auctions."""

import pytest
from msgspec.structs import replace

from intents.events import AuctionCut, AuctionDecided, AuctionPublished, Event
from intents.records import ROUNDS_KEPT, ROUNDS_KEPT_AFTER, AuctionStatus, Records
from solvers.auction import Auction
from solvers.explanation import describe_order
from solvers.outcome import HOUSE, BidRecord, Choice, Numbers, OrderRecord, Outcome, Reward, SolverReport
from solvers.reasons import BidReason, OrderReason, SolverReason
from tests.builders import CALL, CUT_US, make_auction, make_order


def publish(number: int, *orders: str, not_selected: tuple[str, ...] = ()) -> tuple[Auction, list[Event]]:
    auction = make_auction(
        auction=f"auction-{number}", orders=tuple(make_order(name, {CALL: 1}, 5) for name in orders)
    )
    cut = AuctionCut(at_us=CUT_US, auction=auction.auction)
    return auction, [cut, AuctionPublished(at_us=CUT_US, auction=auction, not_selected=not_selected)]


def decide(
    auction: Auction,
    bids: list[tuple[str, str, int]],
    reasons: dict[str, str],
    *,
    rewards: tuple[Reward, ...] = (),
    benched: tuple[str, ...] = (),
) -> AuctionDecided:
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
            SolverReport(
                solver=solver,
                reason=SolverReason.BOND_EXHAUSTED if solver in benched else SolverReason.FINISHED,
                detail="",
                finished_us=1,
            )
            for solver in sorted({*solvers, *benched})
        ),
        rewards=rewards,
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


def reward(solver: str, marginal: int, amount: int, *, proved: bool = True) -> Reward:
    return Reward(solver=solver, without=0, marginal=marginal, cap=99, amount=amount, proved=proved)


def test_rewards_add_up_and_only_what_is_proved_counts_as_added() -> None:
    first, opening = publish(1, "a")
    second, reopening = publish(2, "a")
    won = BidReason.WON.value
    records = fold(
        *opening,
        decide(first, [("alice", won, 5), ("alice", won, 4)], {}, rewards=(reward("alice", 9, 3),)),
        *reopening,
        decide(second, [("alice", won, 6)], {}, rewards=(reward("alice", 6, 0, proved=False),)),
    )
    alice = records.standings["alice"]
    assert (alice.marginal, alice.rewards, alice.wins, alice.rounds_won) == (9, 3, 3, 2)


def test_the_win_rate_counts_rounds_in_which_a_solver_was_asked() -> None:
    events: list[Event] = []
    for number, bids in enumerate(
        [[("alice", BidReason.WON.value, 5)] * 2, [("alice", BidReason.OUTBID.value, 5)], []]
    ):
        auction, opening = publish(number, "a")
        events += [*opening, decide(auction, bids, {}, benched=("ben",))]
    standings = fold(*events).standings
    assert (standings["alice"].rounds, standings["alice"].win_rate_bps) == (2, 5_000)
    assert (standings["ben"].rounds, standings["ben"].win_rate_bps) == (0, 0)
    assert standings["ben"].round_reasons == {SolverReason.BOND_EXHAUSTED.value: 3}


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


def test_a_round_is_remembered_with_its_numbers_and_said_in_words() -> None:
    first, opening = publish(1, "a", "b", not_selected=("c", "d"))
    decided = decide(first, [], {"a": OrderReason.LIMIT_SHORT.value, "b": OrderReason.NO_BID.value})
    numbers = Numbers(where="a", found=90, allowed=95)
    rows = (replace(decided.outcome.orders[0], numbers=numbers), decided.outcome.orders[1])
    decided = replace(decided, outcome=replace(decided.outcome, orders=rows))
    records = fold(*opening, decided)
    (short,) = records.rounds_of("a")
    assert (short.numbers, short.detail) == (numbers, describe_order("limit_short", numbers))
    (silent,) = records.rounds_of("b")
    assert (silent.numbers, silent.detail) == (None, OrderReason.NO_BID.meaning)
    (last,) = records.rounds_of("d")
    assert last.numbers == Numbers(where="auction-1", found=4, allowed=2)
    assert last.detail == "it is number 4 in line, and the auction holds 2 orders"


def test_an_order_remembers_a_bounded_number_of_rounds() -> None:
    rounds = [publish(number, not_selected=("a",)) for number in range(ROUNDS_KEPT + 7)]
    kept = fold(*(event for _, events in rounds for event in events)).rounds_of("a")
    assert len(kept) == ROUNDS_KEPT
    assert kept[0].auction == "auction-7"


def test_an_order_that_is_in_no_round_any_more_is_remembered_with_its_last_few() -> None:
    ended = [publish(number, not_selected=("a", "b")) for number in range(20)]
    later = [publish(number, not_selected=("b",)) for number in range(20, 3 * ROUNDS_KEPT)]
    records = fold(*(event for _, events in [*ended, *later] for event in events))
    assert [each.auction for each in records.rounds_of("a")] == [
        f"auction-{number}" for number in range(20 - ROUNDS_KEPT_AFTER, 20)
    ]
    assert len(records.rounds_of("b")) == ROUNDS_KEPT


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
