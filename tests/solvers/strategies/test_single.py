from collections.abc import Iterable

from solvers.auction import Auction
from solvers.bid import Bid
from solvers.reference import with_reference
from solvers.strategies.single import Single
from solvers.strategy import SolveContext, Strategy
from tests.builders import CALL, HIGH, make_auction, make_offer, make_order
from tests.plan_checks import check_bids
from tests.random_auctions import random_auction

CONTEXT = SolveContext(solver="single", deadline_s=0.0, seed=0)


def solve(auction: Auction) -> list[Bid]:
    return list(Single().solve(auction, CONTEXT))


def venues(bids: Iterable[Bid]) -> list[set[str]]:
    return [{trade.offer.split("/")[0] for trade in bid.trades} for bid in bids]


def test_single_is_a_strategy() -> None:
    assert isinstance(Single(), Strategy)


def test_all_legs_are_traded_at_the_one_best_venue_that_lists_them() -> None:
    """The hub is best for each leg but lists no two; of the others, west is cheaper over its bridge."""
    offers = (
        make_offer("hub-book", CALL, "sell", 10, 9),
        make_offer("east-book", CALL, "sell", 90, 9),
        make_offer("east-book", HIGH, "sell", 90, 9),
        make_offer("west-book", CALL, "sell", 80, 9),
        make_offer("west-book", HIGH, "sell", 80, 9),
    )
    bids = solve(make_auction(offers=offers, orders=(make_order("a", {CALL: 1, HIGH: 1}, 90_000),)))
    assert venues(bids) == [{"west-book"}]
    assert {transfer.bridge for transfer in bids[0].transfers} == {"hub-west", "west-hub"}


def test_what_one_order_takes_is_gone_for_the_next() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 700, 5),)
    orders = [make_order(name, {CALL: 1}, 2_000 + len(name), units=3) for name in ("a", "bb")]
    auction = make_auction(offers=offers, orders=tuple(orders))
    bids = solve(auction)
    assert {bid.fills[0].intent: bid.fills[0].units for bid in bids} == {"bb": 3, "a": 2}
    check_bids(auction, bids)


def test_every_bid_is_accepted_also_under_a_reference() -> None:
    bids = 0
    for seed in range(100):
        for auction in (random_auction(seed), with_reference(random_auction(seed))[0]):
            found = solve(auction)
            check_bids(auction, found)
            assert all(len(used) == 1 for used in venues(found))
            assert all(len(bid.fills) == 1 and bid.solver == "single" for bid in found)
            bids += len(found)
    assert bids > 80
