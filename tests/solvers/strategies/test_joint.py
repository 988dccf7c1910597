import time

import msgspec

from solvers.auction import Auction, Rules
from solvers.bid import Bid
from solvers.proposals import rename_bids
from solvers.reference import with_reference
from solvers.strategies.greedy import Greedy
from solvers.strategies.joint import Joint
from solvers.strategy import SolveContext, Strategy
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import view_auction
from tests.builders import CALL, HIGH, make_auction, make_bid, make_offer, make_order
from tests.random_auctions import random_auction


def solve(auction: Auction, *, seconds: float = 60.0) -> list[Bid]:
    context = SolveContext(solver="alice", deadline_s=time.monotonic() + seconds, seed=0)
    return list(Joint().solve(auction, context))


def judge(auction: Auction, bids: list[Bid]) -> list[FeasibleBid]:
    """Every bid keeps every rule."""
    view = view_auction(auction)
    answers = [verify_bid(view, bid) for bid in bids]
    assert all(isinstance(answer, FeasibleBid) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, FeasibleBid)]


def test_joint_is_a_strategy() -> None:
    assert isinstance(Joint(), Strategy)


def test_an_auction_without_orders_or_offers_gets_no_bid() -> None:
    assert solve(make_auction()) == []
    assert solve(make_auction(orders=(make_order("a", {CALL: 1}, 90_000),))) == []


def test_opposite_orders_are_matched_without_any_venue() -> None:
    orders = (
        make_order("buyer", {CALL: 1, HIGH: -1}, 50_000, units=3),
        make_order("seller", {CALL: -1, HIGH: 1}, -30_000, units=3),
    )
    auction = make_auction(orders=orders)
    (bid,) = solve(auction)
    assert [(fill.intent, fill.units) for fill in bid.fills] == [("buyer", 3), ("seller", 3)]
    assert bid.trades == bid.transfers == ()
    judge(auction, [bid])


def test_orders_share_a_bridge_that_neither_is_worth_alone() -> None:
    offers = (
        make_offer("east-book", CALL, "sell", 10_000, 9),
        make_offer("east-book", HIGH, "sell", 10_000, 9),
    )
    orders = (make_order("a", {CALL: 1}, 20_000), make_order("b", {HIGH: 1}, 20_000))
    auction = make_auction(offers=offers, orders=orders)
    context = SolveContext(solver="bob", deadline_s=0.0, seed=0)
    assert list(Greedy().solve(auction, context)) == []
    (bid,) = solve(auction)
    assert [fill.intent for fill in bid.fills] == ["a", "b"]
    judge(auction, [bid])


def test_strangers_are_bids_of_their_own() -> None:
    offers = (
        make_offer("east-book", CALL, "sell", 10_000, 9),
        make_offer("west-book", HIGH, "sell", 10_000, 9),
    )
    orders = (
        make_order("a", {CALL: 1}, 20_000, chain="east"),
        make_order("b", {HIGH: 1}, 20_000, chain="west"),
    )
    auction = make_auction(offers=offers, orders=orders)
    bids = solve(auction)
    assert sorted(bid.bid for bid in bids) == ["a", "b"]
    judge(auction, bids)


def test_every_bid_is_accepted_also_under_a_reference() -> None:
    bids = better = 0
    for seed in range(16):
        auction, house = with_reference(random_auction(seed))
        answers = judge(auction, solve(auction))
        bids += len(answers)
        better += max((answer.score for answer in answers), default=0) > sum(
            answer.score for answer in judge(auction, list(house))
        )
    assert bids > 15
    assert better > 3


def test_the_greedy_bids_are_there_even_when_time_is_up() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 10_000, 9),)
    auction = make_auction(offers=offers, orders=(make_order("a", {CALL: 1}, 20_000),))
    (bid,) = solve(auction, seconds=0.0)
    assert [fill.intent for fill in bid.fills] == ["a"]


def test_a_later_bid_takes_the_name_of_one_that_is_no_longer_wanted() -> None:
    bids = [make_bid({name: 1}, bid=name) for name in ("b", "c", "d")]
    sent = ["a", "b", "e"]
    renamed = list(rename_bids(bids, sent, most=4))
    assert [bid.bid for bid in renamed] == ["b", "c", "e"]
    assert [bid.fills for bid in renamed] == [bid.fills for bid in bids]


def test_no_more_names_are_used_than_count() -> None:
    for seed in range(4):
        auction = random_auction(seed, orders=12)
        few = msgspec.structs.replace(auction, rules=Rules(bids_per_solver=2))
        assert len({bid.bid for bid in solve(few)}) <= 2
