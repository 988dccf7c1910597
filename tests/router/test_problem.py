from dataclasses import replace
from typing import Any

import pytest

from router.errors import ProblemError, RouterError
from router.problem import Plan
from solvers.problem import to_problem
from tests.builders import CALL, make_auction, make_bridge, make_offer, make_order, make_venue


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"hub": "moon"}, "the hub"),
        ({"bridges": (make_bridge("hub", "moon"),)}, "bridge 'hub-moon'"),
        ({"bridges": (make_bridge("moon", "hub"),)}, "bridge 'moon-hub'"),
        ({"venues": (make_venue("moon"),)}, "venue 'moon-book'"),
        ({"orders": (make_order("a", {CALL: 1}, 5, chain="moon"),)}, "intent 'a'"),
    ],
)
def test_problem_refuses_a_chain_that_is_not_there(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ProblemError, match=f"{named} is on chain 'moon'"):
        to_problem(make_auction(**changes))


@pytest.mark.parametrize(
    "offer",
    [make_offer("nowhere", CALL, "sell", 5, 1), make_offer("hub-book", "BTC-1JAN27-5-C", "sell", 5, 1)],
)
def test_problem_refuses_an_offer_of_an_unknown_venue_or_series(offer: Any) -> None:
    with pytest.raises(ProblemError, match="names a venue or series"):
        to_problem(make_auction(offers=(offer,)))


@pytest.mark.parametrize(("least", "most"), [(0, 1), (3, 2)])
def test_problem_refuses_a_demand_that_allows_no_units(least: int, most: int) -> None:
    problem = to_problem(make_auction(orders=(make_order("a", {CALL: 1}, 5),)))
    demand = replace(problem.demands["a"], min_units=least, units=most)
    with pytest.raises(ProblemError, match="allows no units"):
        replace(problem, demands={"a": demand})


def test_problem_errors_are_router_errors() -> None:
    assert issubclass(ProblemError, RouterError)
    assert issubclass(ProblemError, ValueError)


def test_empty_plan_moves_nothing() -> None:
    assert Plan(fills=()) == Plan(fills=(), trades=(), transfers=())
