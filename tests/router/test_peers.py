from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import ProblemError
from router.peers import group_peers, lowest_limit, reference_ceiling
from router.problem import Problem, Reference
from solvers.auction import Order
from solvers.problem import to_problem
from tests.builders import CALL, HIGH, make_auction, make_order, make_reference


def problem_of(*orders: Order) -> Problem:
    reference = make_reference("hub", {CALL: 1, HIGH: -1}, units=4, price=70)
    return to_problem(make_auction(orders=orders, reference=(reference,)))


def test_peers_are_ordered_by_what_they_pay_per_reduced_unit() -> None:
    problem = problem_of(
        make_order("low", {CALL: 1, HIGH: -1}, 90),
        make_order("double", {HIGH: -2, CALL: 2}, 201, units=3),
        make_order("tie", {CALL: 1, HIGH: -1}, 90),
    )
    group = group_peers(problem, list(problem.demands.values()))
    assert [(demand.intent, factor) for demand, factor in group.members] == [
        ("double", 2),
        ("low", 1),
        ("tie", 1),
    ]
    assert group.package == ((CALL, 1), (HIGH, -1))
    assert group.reference == Reference(units=4, price=70)
    assert (group.units, group.lots_per_unit) == (8, 2)
    assert (group.fee_per_unit, group.fee_per_fill) == (2 * 3, 10)
    assert lowest_limit(*group.members[0]) == 100


@pytest.mark.parametrize(
    "other", [make_order("b", {CALL: 1}, 5, chain="east"), make_order("b", {HIGH: 1}, 5)]
)
def test_orders_on_other_chains_or_for_other_packages_are_no_peers(other: Order) -> None:
    problem = problem_of(make_order("a", {CALL: 1}, 5), other)
    with pytest.raises(ProblemError, match="not peers"):
        group_peers(problem, list(problem.demands.values()))


def test_nobody_is_no_group() -> None:
    with pytest.raises(ProblemError, match="no demands"):
        group_peers(problem_of(), [])


def test_a_received_limit_rounds_towards_receiving_more() -> None:
    problem = problem_of(make_order("a", {CALL: -2}, -5))
    assert lowest_limit(problem.demands["a"], 2) == -3


@given(
    low=st.integers(-50, 50), units=st.integers(1, 9), served=st.integers(1, 9), price=st.integers(-50, 50)
)
def test_ceiling_is_the_average_of_what_each_unit_may_pay(
    low: int, units: int, served: int, price: int
) -> None:
    ceiling = reference_ceiling(low, units, Reference(units=served, price=price))
    each = [min(price, low) if unit < served else low for unit in range(units)]
    assert ceiling - 1 < Fraction(sum(each), units) <= ceiling
    assert ceiling <= low
    assert reference_ceiling(low, units, None) == low
