from dataclasses import replace

import msgspec

from chains.deadlines import deal_deadlines
from chains.units import USDC
from router.problem import Plan, Problem
from router.timing import is_in_time, last_decision_us, plan_deadlines
from solvers.problem import to_problem
from tests.builders import CALL, CUT_US, HIGH, make_auction, make_offer, make_order

ASK = "east-book/BTC-26JUN26-100000-C/sell/700"
PLAN = Plan(
    fills=(("a", 1),), trades=((ASK, 1),), transfers=(("east-hub", CALL, 1), ("hub-east", USDC, 6_000))
)


def market() -> Problem:
    return to_problem(
        make_auction(
            orders=(make_order("a", {CALL: 1}, 90_000),),
            offers=(make_offer("east-book", CALL, "sell", 700, 20),),
        )
    )


def test_deadlines_are_those_of_a_deal_over_the_touched_chains() -> None:
    problem = market()
    assert plan_deadlines(problem, ["hub", "east"]) == deal_deadlines(
        [problem.chains["east"], problem.chains["hub"]],
        hub=problem.chains["hub"],
        timing=problem.timing,
        now_us=problem.prepare_us,
    )


def test_an_order_must_end_after_the_decision() -> None:
    problem = market()
    decided = plan_deadlines(problem, ["east", "hub"]).decide_by_us
    for end, expected in ((decided, False), (decided + 1, True)):
        demand = replace(problem.demands["a"], valid_until_us=end)
        assert is_in_time(replace(problem, demands={"a": demand}), PLAN) is expected


def test_an_offer_must_be_firm_and_lockable_after_the_decision() -> None:
    problem = market()
    decided = plan_deadlines(problem, ["east", "hub"]).decide_by_us
    for end, expected in ((decided, False), (decided + 1, True)):
        offer = msgspec.structs.replace(problem.offers[ASK], firm_until_us=end)
        assert last_decision_us(problem, offer) == end - 1
        assert is_in_time(replace(problem, offers={ASK: offer}), PLAN) is expected
        venue = msgspec.structs.replace(problem.venues["east-book"], max_lock_us=end - problem.prepare_us)
        venues = {**problem.venues, "east-book": venue}
        assert is_in_time(replace(problem, venues=venues), PLAN) is expected


def test_the_earlier_of_firmness_and_lock_counts() -> None:
    problem = market()
    offer = msgspec.structs.replace(problem.offers[ASK], firm_until_us=CUT_US + 10**12)
    locked = problem.prepare_us + problem.venues["east-book"].max_lock_us
    assert last_decision_us(problem, offer) == locked - 1


def test_every_series_that_moves_must_outlive_the_release() -> None:
    problem = market()
    released = plan_deadlines(problem, ["east", "hub"]).release_by_us
    passing_through = Plan(
        fills=PLAN.fills, trades=PLAN.trades, transfers=(*PLAN.transfers, ("east-hub", HIGH, 1))
    )
    for end, expected in ((released, False), (released + 1, True)):
        expiries = {**problem.series_expiry_us, CALL: end}
        assert is_in_time(replace(problem, series_expiry_us=expiries), PLAN) is expected
        expiries = {**problem.series_expiry_us, HIGH: end}
        assert is_in_time(replace(problem, series_expiry_us=expiries), passing_through) is expected
