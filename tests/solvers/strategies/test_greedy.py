from solvers.auction import Auction
from solvers.bid import Bid
from solvers.reference import with_reference
from solvers.strategies.greedy import Greedy
from solvers.strategies.single import Single
from solvers.strategy import SolveContext, Strategy
from tests.builders import CALL, HIGH, make_auction, make_offer, make_order
from tests.plan_checks import check_bids
from tests.random_auctions import random_auction

CONTEXT = SolveContext(solver="greedy", deadline_s=0.0, seed=0)


def solve(auction: Auction) -> list[Bid]:
    return list(Greedy().solve(auction, CONTEXT))


def test_greedy_is_a_strategy() -> None:
    assert isinstance(Greedy(), Strategy)


def test_legs_go_to_the_chains_where_they_are_cheapest() -> None:
    offers = (
        make_offer("hub-book", CALL, "sell", 30_000, 9),
        make_offer("east-book", CALL, "sell", 10_000, 9),
        make_offer("west-book", HIGH, "sell", 10_000, 9),
        make_offer("hub-book", HIGH, "sell", 30_000, 9),
    )
    order = make_order("a", {CALL: 1, HIGH: 1}, 90_000, units=9)
    (bid,) = solve(make_auction(offers=offers, orders=(order,)))
    assert [trade.offer for trade in bid.trades] == [offers[1].id, offers[2].id]
    assert {transfer.bridge for transfer in bid.transfers} == {"hub-west", "west-hub", "hub-east", "east-hub"}


def test_a_lone_order_gets_what_the_house_gets_it() -> None:
    """With one order there are no peers to share with: the bid is the house's, under another name."""
    same = 0
    for seed in range(80):
        auction, house = with_reference(random_auction(seed, orders=1))
        bids = solve(auction)
        assert [(bid.fills, bid.trades, bid.transfers) for bid in bids] == [
            (bid.fills, bid.trades, bid.transfers) for bid in house
        ]
        same += len(bids)
    assert same > 15


def test_every_bid_is_accepted_also_under_a_reference() -> None:
    bids = 0
    for seed in range(100):
        for auction in (random_auction(seed), with_reference(random_auction(seed))[0]):
            found = solve(auction)
            check_bids(auction, found)
            assert all(len(bid.fills) == 1 and bid.solver == "greedy" for bid in found)
            bids += len(found)
    assert bids > 100


def test_a_lone_order_is_never_worse_off_than_at_a_single_venue() -> None:
    for seed in range(100):
        auction = random_auction(seed, orders=1)
        greedy = sum(answer.score for answer in check_bids(auction, solve(auction)))
        single = sum(answer.score for answer in check_bids(auction, Single().solve(auction, CONTEXT)))
        assert greedy >= single
