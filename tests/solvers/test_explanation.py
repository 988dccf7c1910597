"""Why bids lose and what became of orders: readable rounds without fees, and the law behind the numbers."""

from dataclasses import replace
from random import Random

import msgspec
import pytest

from solvers.arbitration import arbitrate
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.explanation import CHOICE, ORDER_TEXTS, Pool, describe_order, explain_bids
from solvers.outcome import BidRecord, Numbers, Outcome
from solvers.reasons import BidReason, OrderReason
from solvers.winners import choose_winners
from tests.builders import CALL, PUT, free_market, make_bid, make_offer, make_order
from tests.random_markets import random_auction, random_bids
from tests.reason_cases import open_pool
from tests.solvers.test_random_rounds import submit

CHEAP = f"hub-book/{CALL}/sell/90"
PUTS = f"hub-book/{PUT}/sell/40"


def trio(**changes: object) -> Auction:
    """Three buyers on the hub: ann and ben of calls, cat of puts; 3 calls are offered at 90, 9 puts at 40."""
    terms = {
        "orders": (
            make_order("ann", {CALL: 1}, 100, units=2),
            make_order("ben", {CALL: 1}, 98, units=2),
            make_order("cat", {PUT: 1}, 50),
        ),
        "offers": (make_offer("hub-book", CALL, "sell", 90, 3), make_offer("hub-book", PUT, "sell", 40, 9)),
    }
    return free_market(**terms | changes)


ANN = make_bid({"ann": 2}, {CHEAP: 2}, bid="ann")
"""Scores 20."""
BEN = make_bid({"ben": 1}, {CHEAP: 1}, bid="ben", solver="bob")
"""Scores 8, beside ANN."""
BEN_ALL = make_bid({"ben": 2}, {CHEAP: 2}, bid="all", solver="bob")
"""Scores 16, and needs one of ANN's lots."""
CAT = make_bid({"cat": 1}, {PUTS: 1}, bid="cat", solver="carol")
"""Scores 10."""


def judge(*bids: Bid, **changes: object) -> Outcome:
    return arbitrate(trio(**changes), submit(list(bids)), versions={})


def record_of(outcome: Outcome, bid: Bid) -> BidRecord:
    return next(each for each in outcome.bids if each.bid == bid.bid)


def test_a_bid_that_lost_is_told_what_it_lacked_and_what_it_had_to_beat() -> None:
    record = record_of(judge(ANN, BEN, BEN_ALL), BEN_ALL)
    assert record.reason == BidReason.OUTBID
    assert record.numbers == Numbers(where=f"offer {CHEAP}", found=16, allowed=28)
    assert record.detail == (
        f"scores 16, the winners in its way 28: alice/ann (20), bob/ben (8); it lacks offer {CHEAP}"
    )


def test_only_winners_that_do_not_fit_beside_it_are_in_its_way() -> None:
    record = record_of(judge(ANN, BEN_ALL, CAT), BEN_ALL)
    assert record.numbers == Numbers(where=f"offer {CHEAP}", found=16, allowed=20), "cat's puts are not"


def test_the_best_winners_are_put_back_first() -> None:
    """One lot is left beside a bid for two: the better of two winners of one lot fits, the other does not."""
    limits = {"a": 99, "b": 98, "c": 93}
    orders = tuple(make_order(name, {CALL: 1}, limit, units=2) for name, limit in limits.items())
    a, b = (make_bid({name: 1}, {CHEAP: 1}, bid=name) for name in "ab")
    c = make_bid({"c": 2}, {CHEAP: 2}, bid="c")
    record = record_of(judge(a, b, c, orders=orders), c)
    assert record.numbers == Numbers(where=f"offer {CHEAP}", found=6, allowed=8)


def test_an_order_that_is_claimed_comes_before_what_is_scarce() -> None:
    again = msgspec.structs.replace(ANN, bid="again", solver="eve")
    lost = next(each for each in judge(ANN, again).bids if each.reason == BidReason.OUTBID)
    assert lost.numbers == Numbers(where="order ann", found=20, allowed=20), "offers are short too"


def test_a_winner_is_told_the_best_that_it_kept_out() -> None:
    outcome = judge(ANN, BEN_ALL, CAT)
    deals = {deal.bid: deal.deal for deal in outcome.deals}
    assert record_of(outcome, ANN).numbers == Numbers(where=deals["ann"], found=20, allowed=16)
    assert record_of(outcome, ANN).detail == "scores 20; the best that it is in the way of is bob/all (16)"
    assert record_of(outcome, CAT).numbers == Numbers(where=deals["cat"], found=10, allowed=0)


def test_a_bid_that_scores_nothing_has_nobody_in_its_way() -> None:
    order = make_order("ann", {CALL: 1}, 90, units=2)
    outcome = judge(ANN, orders=(order,))
    assert record_of(outcome, ANN).numbers == Numbers(where=CHOICE, found=0, allowed=0)
    assert outcome.orders[0].reason == OrderReason.LIMIT_SHORT, "a bid that cannot win outbids nobody"
    assert outcome.orders[0].numbers == Numbers(where="ann", found=90, allowed=91)


def test_a_bid_left_out_of_an_unproved_choice_is_told_so() -> None:
    """Had the choice ended early and without it, nobody would be in its way."""
    pool = decided_pool(trio(), [ANN, CAT])
    fate = explain_bids(replace(pool, winners={ANN.digest: "deal"}))[CAT.digest]
    assert (fate.numbers, fate.blocking) == (Numbers(where=CHOICE, found=10, allowed=0), ())
    assert fate.detail == "scores 10, and is not in the best set found"


def test_an_order_that_is_outbid_names_the_best_bid_for_it_and_the_best_in_its_way() -> None:
    worse = make_bid({"ben": 2}, {CHEAP: 2}, bid="worse", solver="eve", fee={"hub": 1})
    ben = judge(ANN, BEN_ALL, worse).orders[1]
    assert (ben.reason, ben.units) == (OrderReason.OUTBID, 0)
    assert ben.numbers == Numbers(where="alice/ann", found=16, allowed=20)
    assert ben.detail == "the best bid for it scores 16, the winners in its way 20: alice/ann first"


def test_fills_have_what_is_paid_of_what_was_signed() -> None:
    ann, ben, _ = judge(ANN, BEN).orders
    deals = {deal.bid: deal.deal for deal in judge(ANN, BEN).deals}
    assert (ann.reason, ann.numbers) == (
        OrderReason.FILLED,
        Numbers(where=deals["ann"], found=180, allowed=200),
    )
    assert (ben.reason, ben.numbers) == (
        OrderReason.PARTLY_FILLED,
        Numbers(where=deals["ben"], found=1, allowed=2),
    )


@pytest.mark.parametrize("reason", OrderReason)
def test_every_reason_of_an_order_can_be_said(reason: OrderReason) -> None:
    assert describe_order(reason, None) == reason.meaning
    if reason in ORDER_TEXTS:
        text = describe_order(reason, Numbers(where="here", found=-17, allowed=23))
        assert "-17" in text or "{found}" not in ORDER_TEXTS[reason]
        assert "23" in text or "{allowed}" not in ORDER_TEXTS[reason]
        assert "{" not in text


def test_whoever_scores_more_than_those_in_its_way_wins() -> None:
    """The law behind a losing bid's numbers, on random rounds, whatever else changes hands."""
    raised = 0
    for seed in range(80):
        rng = Random(seed)
        auction = random_auction(rng)
        pool = decided_pool(auction, random_bids(rng, auction))
        for digest, fate in explain_bids(pool).items():
            if fate.reason != BidReason.OUTBID:
                continue
            assert fate.numbers.found <= fate.numbers.allowed, "otherwise it would have won"
            raised += 1
            better = replace(pool.candidates[digest], score=fate.numbers.allowed + 1)
            again = choose_winners(
                [*(each for each in pool.candidates.values() if each.digest != digest), better],
                pool.capacities,
                budget=auction.rules.choice_budget,
            )
            assert digest in again.winners
    assert raised > 200


def decided_pool(auction: Auction, bids: list[Bid]) -> Pool:
    """What a round of these bids is explained from, with the best set for its winners."""
    pool = open_pool(auction, submit(bids))
    chosen = choose_winners(pool.candidates.values(), pool.capacities, budget=auction.rules.choice_budget)
    assert chosen.proved
    winners = sorted(chosen.winners, key=lambda digest: (-pool.bids[digest].score, digest))
    return replace(pool, winners={digest: f"deal {place}" for place, digest in enumerate(winners)})
