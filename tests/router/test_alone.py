"""What the market could do for one demand alone: against trying everything, and by the market's own rules."""

from dataclasses import replace

import msgspec

from chains.package import reduce_legs
from router.alone import Alone, filling_limit, units_of
from router.problem import Demand, Problem
from router.reach import Reach
from solvers.problem import to_problem
from solvers.view import view_auction
from tests.builders import CALL, make_auction, make_offer, make_order, make_reference
from tests.plan_checks import check_plans
from tests.random_auctions import random_auction
from tests.router.exhaustive import ROUNDING, best_total
from tests.router.test_reach import only
from tests.router.tiny_problems import tiny_problem

CHEAP = make_offer("hub-book", CALL, "sell", 700, 3)
DEAR = make_offer("hub-book", CALL, "sell", 800, 9)


def pose(*, units: int, least: int = 1, limit: int = 1_000) -> tuple[Problem, Demand]:
    order = make_order("a", {CALL: 1}, limit, units=units, min_units=least)
    rival = make_order("b", {CALL: 1}, 10**6, units=12, min_units=12)
    cheaper = (make_reference("hub", {CALL: 1}, units=9, price=1),)
    auction = make_auction(offers=(CHEAP, DEAR), orders=(order, rival), reference=cheaper)
    problem = to_problem(auction)
    return problem, problem.demands["a"]


def test_rivals_and_reference_are_left_out_of_account() -> None:
    problem, demand = pose(units=1)
    found = Alone(problem).cheapest(demand)
    assert found is not None
    assert (found.need, found.plan.trades) == (868, ((CHEAP.id, 1),))
    assert filling_limit(demand, found) == 869


def test_further_units_are_taken_as_long_as_they_make_a_unit_cheaper() -> None:
    """What is paid once is shared by the three lots at 700; a fourth at 800 would raise the average."""
    problem, demand = pose(units=9)
    found = Alone(problem).cheapest(demand)
    assert found is not None
    assert (units_of(found), found.need) == (3, 3 * 708 + 160)
    assert filling_limit(demand, found) == (3 * 708 + 160) // 3 + 1


def test_least_units_are_taken_whatever_they_cost() -> None:
    problem, demand = pose(units=9, least=5, limit=1)
    found = Alone(problem).cheapest(demand)
    assert found is not None
    assert (units_of(found), found.need) == (5, 3 * 708 + 2 * 808 + 160)


def test_without_enough_there_is_no_plan_but_as_many_units_as_there_are() -> None:
    problem, demand = pose(units=20, least=13)
    alone = Alone(problem)
    assert alone.cheapest(demand) is None
    assert alone.most_units(demand) == 12


def test_its_own_limit_decides_what_is_filled() -> None:
    problem, demand = pose(units=9)
    alone = Alone(problem)
    assert alone.fill(replace(demand, limit=761)) is None
    assert units_of(alone.fill(replace(demand, limit=762))) == 3
    assert units_of(alone.fill(replace(demand, limit=900))) == 9


def test_cheapest_is_what_trying_everything_finds() -> None:
    """Each demand of 200 tiny problems, all or none: hardly ever a cent dearer, and never impossible."""
    dearer = found = 0
    for seed in range(200):
        problem = replace(tiny_problem(seed), references={})
        for each in problem.demands.values():
            demand = replace(each, units=each.min_units)
            cheapest = Alone(problem).cheapest(demand)
            if cheapest is None:
                continue
            found += 1
            limit = filling_limit(demand, cheapest)
            slack = ROUNDING * reduce_legs(demand.legs)[1]
            dearer += best_total(only(problem, replace(demand, limit=limit - 1 - slack))) > 0
            assert best_total(only(problem, replace(demand, limit=limit + slack))) > 0, (seed, demand.intent)
    assert found > 100
    assert dearer <= 0.02 * found, f"{dearer} of {found}"


def test_what_is_found_is_a_bid_that_the_market_would_take_at_that_limit() -> None:
    found = 0
    for seed in range(60):
        auction = random_auction(seed)
        problem = view_auction(auction).problem
        reach, alone = Reach(problem), Alone(problem)
        for demand in problem.demands.values():
            cheapest = alone.cheapest(demand)
            if cheapest is None:
                continue
            found += 1
            limit = filling_limit(demand, cheapest)
            assert limit >= reach.least_limit(demand, reach.legs(demand))
            (order,) = (order for order in auction.orders if order.intent == demand.intent)
            posed = msgspec.structs.replace(
                auction, orders=(msgspec.structs.replace(order, limit=limit),), reference=()
            )
            (bid,) = check_plans(posed, [cheapest.plan])
            assert bid.score > 0
    assert found > 60
