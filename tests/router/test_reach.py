"""What is within reach of a demand at all, and the bound below which no plan of it goes.

By hand with the default market's fees (a venue takes 50 and 5 a lot, a leg 100, a fill 10, a deal over
several chains 1000 on each, a bridge 5000 and 20 a lot, the protocol 3 a lot), and against trying
everything.
"""

from dataclasses import replace
from typing import Any

import pytest

from chains.units import MICRO
from router.alone import ANY_LIMIT
from router.problem import Demand, Problem
from router.reach import Late, Reach, covering_limit
from solvers.problem import to_problem
from tests.builders import (
    CALL,
    CUT_US,
    SOLVE_US,
    make_auction,
    make_bridge,
    make_chain,
    make_offer,
    make_order,
    make_series,
    make_venue,
)
from tests.router.exhaustive import best_total
from tests.router.tiny_problems import tiny_problem

CHEAP = make_offer("hub-book", CALL, "sell", 700, 3)
DEAR = make_offer("hub-book", CALL, "sell", 800, 9)
EAST = make_offer("east-book", CALL, "sell", 600, 2)


def pose(
    legs: dict[str, int], *, limit: int = 1_000, units: int = 1, **changes: Any
) -> tuple[Problem, Demand]:
    """A market in which one order asks for some legs; fields of the order begin with ``order_``."""
    order_changes = {
        name.removeprefix("order_"): changes.pop(name) for name in list(changes) if name.startswith("order_")
    }
    order = make_order("a", legs, limit, units=units, **order_changes)
    problem = to_problem(make_auction(**{"offers": (CHEAP, DEAR, EAST), "orders": (order,)} | changes))
    return problem, problem.demands["a"]


def offers_of(problem: Problem, demand: Demand) -> list[list[tuple[str, int]]]:
    return [[(near.offer.id, near.cost) for near in leg.near] for leg in Reach(problem).legs(demand)]


def test_lots_come_cheapest_first_with_the_fees_of_venue_and_bridges() -> None:
    assert offers_of(*pose({CALL: 1})) == [[(EAST.id, 625), (CHEAP.id, 705), (DEAR.id, 805)]]


def test_what_is_sold_brings_its_price_less_the_fees() -> None:
    bids = (make_offer("hub-book", CALL, "buy", 500, 1), make_offer("east-book", CALL, "buy", 530, 1))
    assert offers_of(*pose({CALL: -1}, offers=bids)) == [[(bids[1].id, -505), (bids[0].id, -495)]]


def test_lots_travel_over_several_bridges_in_the_right_direction_only() -> None:
    bridges = (make_bridge("east", "west", fee_per_lot=7), make_bridge("west", "hub", fee_per_lot=9))
    assert offers_of(*pose({CALL: 1}, bridges=bridges))[0][0] == (EAST.id, 600 + 5 + 16)
    back = tuple(make_bridge(*ends) for ends in (("hub", "west"), ("west", "east")))
    assert EAST.id not in dict(offers_of(*pose({CALL: 1}, bridges=back))[0])
    sale = (make_offer("east-book", CALL, "buy", 600, 2),)
    assert offers_of(*pose({CALL: -1}, bridges=back, offers=sale)) == [[(sale[0].id, -600 + 5 + 40)]]
    assert offers_of(*pose({CALL: -1}, bridges=bridges, offers=sale)) == [[]]


def test_a_bridge_that_takes_no_lots_is_no_way() -> None:
    closed = (make_bridge("east", "hub", capacity_lots=0),)
    assert EAST.id not in dict(offers_of(*pose({CALL: 1}, bridges=closed))[0])


def test_what_ends_too_early_is_named_with_both_instants() -> None:
    prepared = CUT_US + SOLVE_US
    alone = prepared + 3 * 1_500_000 // 2 + 5_500_000  # A block and a relay with the margin, two budgets.
    problem, demand = pose({CALL: 1}, order_valid_until=alone // MICRO, offers=(CHEAP,))
    (leg,) = Reach(problem).legs(demand)
    assert (leg.open, leg.late) == (
        (),
        Late(where="a", found_us=alone, last_us=alone // MICRO * MICRO - 1),
    )
    firm = make_offer("hub-book", CALL, "sell", 700, 3, firm_until_us=alone)
    (leg,) = Reach(problem := pose({CALL: 1}, offers=(firm,))[0]).legs(problem.demands["a"])
    assert leg.late == Late(where=firm.id, found_us=alone, last_us=alone - 1)
    short = tuple(make_venue(chain, max_lock_us=alone - prepared) for chain in ("hub", "east", "west"))
    (leg,) = Reach(problem := pose({CALL: 1}, offers=(CHEAP,), venues=short)[0]).legs(problem.demands["a"])
    assert leg.late == Late(where=CHEAP.id, found_us=alone, last_us=alone - 1)
    expiry = make_series(CALL).expiry * MICRO
    late_cut = expiry - alone + CUT_US
    (leg,) = Reach(
        problem := pose({CALL: 1}, offers=(CHEAP,), cut_us=late_cut, order_valid_until=expiry)[0]
    ).legs(problem.demands["a"])
    assert leg.late == Late(where=CALL, found_us=expiry, last_us=expiry - 1)


def test_of_several_that_are_late_the_nearest_miss_is_named() -> None:
    slow = tuple(
        make_chain(name, finality_us=600 * MICRO if name == "east" else 0) for name in ("hub", "east")
    )
    bridges = (make_bridge("east", "hub"),)
    venues = (make_venue("east"), make_venue("hub", max_lock_us=1))
    problem, demand = pose(
        {CALL: 1},
        chains=slow,
        bridges=bridges,
        venues=venues,
        offers=(EAST, CHEAP),
        order_valid_until=CUT_US // MICRO,
    )
    (leg,) = Reach(problem).legs(demand)
    assert leg.late is not None
    assert leg.late.found_us - leg.late.last_us < 60 * MICRO, "the hub's, not that of slow east"


def test_only_the_lots_in_time_count() -> None:
    ends = make_offer("hub-book", CALL, "sell", 700, 3, firm_until_us=CUT_US)
    problem, demand = pose({CALL: 1}, offers=(ends, DEAR))
    (leg,) = Reach(problem).legs(demand)
    assert [near.offer.id for near in leg.open] == [DEAR.id]
    assert (leg.lots_open, leg.lots_on("hub"), leg.lots_on("east"), leg.late) == (9, 9, 0, None)


def test_least_limit_at_home_is_the_exact_price() -> None:
    """Two lots at 700 + 5 + 3, a touch, a leg and a fill, for two units: 788 each, and one more to gain."""
    problem, demand = pose({CALL: 1}, units=2, offers=(CHEAP, DEAR), order_min_units=2)
    reach = Reach(problem)
    assert reach.least_limit(demand, reach.legs(demand)) == (2 * 708 + 160) // 2 + 1


def test_least_limit_shares_what_is_paid_once_over_all_units() -> None:
    """One unit is the least, but up to four may share 160."""
    problem, demand = pose({CALL: 1}, units=4, offers=(CHEAP, DEAR))
    reach = Reach(problem)
    assert reach.least_limit(demand, reach.legs(demand)) == 708 + 40 + 1


def test_least_limit_counts_a_deal_and_a_bridge_only_where_home_lacks_lots() -> None:
    away, demand = pose({CALL: 1}, offers=(EAST,))
    reach = Reach(away)
    fees = (100 + 10 + 1_000) + (100 + 1_000) + 50 + 5_000
    assert reach.least_limit(demand, reach.legs(demand)) == 628 + fees + 1
    both, demand = pose({CALL: 1})
    reach = Reach(both)
    assert reach.least_limit(demand, reach.legs(demand)) == 628 + 160 + 1, (
        "home has a lot, though a dearer one"
    )


@pytest.mark.parametrize(
    ("factor", "need", "units", "limit"),
    [
        (1, 100, 1, 101),
        (1, 101, 2, 51),
        (1, 102, 2, 52),
        (3, 100, 1, 102),
        (3, 102, 1, 103),
        (1, -100, 1, -99),
        (2, -101, 1, -100),
    ],
)
def test_a_covering_limit_pays_whole_reduced_units_and_leaves_something(
    factor: int, need: int, units: int, limit: int
) -> None:
    _, demand = pose({CALL: factor}, units=units)
    assert covering_limit(demand, need=need, units=units) == limit

    def covers(limit: int) -> bool:
        return limit // factor * factor * units >= need and limit * units > need

    assert covers(limit)
    assert not covers(limit - 1)


def test_no_plan_goes_below_the_least_limit_or_uses_what_is_out_of_reach() -> None:
    """Every demand of 250 tiny problems alone, with the offers of its side: by trying everything."""
    bounded = missing = 0
    for seed in range(250):
        problem = tiny_problem(seed)
        reach = Reach(problem)
        for demand in problem.demands.values():
            legs = reach.legs(demand)
            if all(leg.lots_open >= leg.lots for leg in legs):
                limit = reach.least_limit(demand, legs) - 1
                bounded += 1
            else:
                limit = ANY_LIMIT
                missing += 1
            assert best_total(only(problem, replace(demand, limit=limit))) <= 0, (seed, demand.intent)
    assert bounded > 150
    assert missing > 100


def only(problem: Problem, demand: Demand) -> Problem:
    """One demand with the offers that its legs could use, and no reference."""
    sides = {(series, "sell" if ratio > 0 else "buy") for series, ratio in demand.legs}
    offers = {name: each for name, each in problem.offers.items() if (each.series, each.side) in sides}
    return replace(problem, demands={demand.intent: demand}, offers=offers, references={})
