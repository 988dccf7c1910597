from chains.units import USDC
from router.coverage import fed_chains
from router.problem import Plan
from solvers.connection import find_connection, find_cycle
from solvers.problem import to_problem
from tests.builders import CALL, PUT, make_auction, make_order

PROBLEM = to_problem(
    make_auction(
        orders=(
            make_order("hub", {CALL: 1}, 9),
            make_order("east", {CALL: -1}, 9, chain="east"),
            make_order("put", {PUT: 1}, 9),
        )
    )
)


def test_hops_back_to_a_chain_are_a_circle() -> None:
    assert find_cycle([("a", "b"), ("b", "c"), ("a", "c")]) == ()
    assert find_cycle([("x", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "y")]) == ("a", "b", "c")
    assert find_cycle([("a", "a")]) == ("a",)
    assert find_cycle([]) == ()


def test_fills_that_share_nothing_are_separate_parts() -> None:
    plan = Plan(fills=(("hub", 1), ("put", 1)))
    assert find_connection(PROBLEM, plan).parts == 2


def test_lots_sent_between_two_chains_join_their_fills() -> None:
    plan = Plan(fills=(("hub", 1), ("east", 1)), transfers=(("east-hub", CALL, 1),))
    assert find_connection(PROBLEM, plan).parts == 1


def test_cash_that_serves_no_part_is_idle() -> None:
    plan = Plan(fills=(("hub", 1),), transfers=(("east-west", USDC, 1),))
    connection = find_connection(PROBLEM, plan)
    assert (connection.parts, connection.idle) == (1, ("east", "west"))


def test_empty_plan_has_no_part() -> None:
    assert find_connection(PROBLEM, Plan(fills=())).parts == 0


def test_cash_feeds_all_chains_downstream_of_a_fill_but_not_its_own() -> None:
    onward = (("hub-east", USDC, 1), ("east-west", USDC, 1))
    assert fed_chains(PROBLEM, Plan(fills=(("hub", 1),), transfers=onward)) == {"east", "west"}
    assert fed_chains(PROBLEM, Plan(fills=(("hub", 1),), transfers=(("east-hub", USDC, 1),))) == set()
    assert fed_chains(PROBLEM, Plan(fills=(("hub", 1),), transfers=(("hub-east", CALL, 1),))) == set()
