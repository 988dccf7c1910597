"""`matching`: everything that orders can do for each other, and nothing else."""

import time
from dataclasses import replace

import msgspec
import pytest
from msgspec import UnsetType

from chains.snapshot import SeriesTerms
from chains.units import MICRO
from router.problem import Problem
from solvers.auction import Auction, Order, ReferencePrice, Rules
from solvers.bid import Bid
from solvers.reference import with_reference
from solvers.strategies.matching import Matching
from solvers.strategy import SolveContext, Strategy
from solvers.view import view_auction
from tests.builders import CALL, HIGH, PUT, free_market, make_auction, make_offer, make_order
from tests.plan_checks import check_bids
from tests.random_auctions import random_auction
from tests.router.exhaustive import ROUNDING, best_total
from tests.router.tiny_problems import tiny_problem


def solve(auction: Auction, *, seconds: float = 60.0) -> list[Bid]:
    """The bids that count: the last of each name."""
    context = SolveContext(solver="matching", deadline_s=time.monotonic() + seconds, seed=0)
    bids = list(Matching().solve(auction, context))
    assert all(bid.solver == "matching" and not bid.trades and not bid.fee for bid in bids)
    return list({bid.bid: bid for bid in bids}.values())


def test_matching_is_a_strategy() -> None:
    assert isinstance(Matching(), Strategy)


def test_an_order_that_nobody_answers_stays_open_whatever_venues_offer() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 1, 99),)
    assert solve(make_auction(offers=offers, orders=(make_order("a", {CALL: 1}, 90_000),))) == []
    assert solve(make_auction()) == []


def test_packages_that_are_not_alike_are_taken_together() -> None:
    """Who buys the spread is served by one who sells its long leg and one who buys its short leg."""
    orders = (
        make_order("spread", {CALL: 1, HIGH: -1}, 30_000, units=2),
        make_order("writer", {CALL: -1}, -20_000, units=2),
        make_order("buyer", {HIGH: 1}, 10_000, units=2),
    )
    (bid,) = solve(free_market(orders=orders))
    assert {fill.intent: fill.units for fill in bid.fills} == {"spread": 2, "writer": 2, "buyer": 2}
    check_bids(free_market(orders=orders), [bid])


def test_separate_pairs_are_separate_bids() -> None:
    orders = (
        make_order("a", {CALL: 1}, 30_000),
        make_order("b", {CALL: -1}, -20_000),
        make_order("c", {PUT: 1}, 30_000, chain="east"),
        make_order("d", {PUT: -1}, -20_000, chain="east"),
    )
    bids = solve(make_auction(orders=orders))
    assert sorted(sorted(fill.intent for fill in bid.fills) for bid in bids) == [["a", "b"], ["c", "d"]]


def test_orders_on_two_chains_meet_where_the_bridges_are_worth_it() -> None:
    def orders(limit: int) -> tuple[Order, Order]:
        return make_order("a", {CALL: 1}, limit), make_order("b", {CALL: -1}, -20_000, chain="east")

    (bid,) = solve(make_auction(orders=orders(60_000)))
    assert {transfer.asset for transfer in bid.transfers} == {CALL, "USDC"}
    assert solve(make_auction(orders=orders(21_000))) == []


def crossing_problem(seed: int) -> Problem:
    """A tiny problem without offers, where nothing ends before it is decided."""
    problem = tiny_problem(seed)
    demands = {name: replace(each, valid_until_us=10**9) for name, each in problem.demands.items()}
    expiries = dict.fromkeys(problem.series_expiry_us, 10**9)
    return replace(problem, demands=demands, offers={}, series_expiry_us=expiries, prepare_us=1)


def to_auction(problem: Problem) -> Auction:
    return Auction(
        auction="auction-1",
        cut_us=0,
        solve_us=1,
        hub=problem.hub,
        rules=Rules(
            fee_per_lot=problem.fee_per_lot,
            lock_margin=problem.timing.margin,
            outage_us=problem.timing.outage_us,
            skew_us=problem.timing.skew_us,
        ),
        chains=tuple(problem.chains.values()),
        bridges=tuple(problem.bridges.values()),
        venues=tuple(problem.venues.values()),
        series=tuple(
            SeriesTerms(id=name, underlying="X", expiry=at_us // MICRO, strike=1, kind="C", lot_size=(1, 1))
            for name, at_us in problem.series_expiry_us.items()
        ),
        offers=(),
        marks=(),
        orders=tuple(
            Order(
                intent=demand.intent,
                owner=demand.owner,
                chain=demand.chain,
                legs=demand.legs,
                units=demand.units,
                min_units=demand.min_units,
                limit=demand.limit,
                valid_until=demand.valid_until_us // MICRO,
                immediate=False,
                group=demand.group,
            )
            for demand in problem.demands.values()
        ),
        reference=tuple(
            ReferencePrice(chain=chain, package=package, units=each.units, price=each.price)
            for (chain, package), each in problem.references.items()
        ),
    )


@pytest.mark.parametrize("batch", range(2))
def test_matching_finds_the_best_set_of_bids_that_there_is(batch: int) -> None:
    """Against trying everything, where some order answers another and none but orders can."""
    crossing = 0
    for seed in range(batch * 500, batch * 500 + 500):
        auction = to_auction(crossing_problem(seed))
        best = best_total(view_auction(auction).problem)
        found = sum(answer.score for answer in check_bids(auction, solve(auction)))
        assert abs(found - best) <= ROUNDING, f"seed {seed}: {found}, at best {best}"
        crossing += best > 0
    assert crossing >= 25


def with_answers(auction: Auction) -> Auction:
    """The auction with somebody for every order who wants the opposite, for a little less."""
    answers = [
        msgspec.structs.replace(
            order,
            intent=f"{order.intent}-answer",
            owner=f"{order.owner}-answer",
            legs=tuple((series, -ratio) for series, ratio in order.legs),
            limit=5_000 - order.limit,
        )
        for order in auction.orders
        if not isinstance(order.legs, UnsetType)
    ]
    return msgspec.structs.replace(auction, orders=(*auction.orders, *answers))


def test_every_bid_is_accepted_also_under_a_reference() -> None:
    bids = 0
    for seed in range(10):
        auction, _ = with_reference(with_answers(random_auction(seed)))
        found = solve(auction)
        check_bids(auction, found)
        bids += len(found)
    assert bids >= 10


def test_no_more_names_are_used_than_count() -> None:
    for seed in range(4):
        auction = with_answers(random_auction(seed, orders=12))
        few = msgspec.structs.replace(auction, rules=Rules(bids_per_solver=2))
        assert len(solve(few)) == 2
