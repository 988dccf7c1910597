from chains.units import USDC
from router.connection import is_connected, split_plan
from router.problem import Plan, Problem
from solvers.problem import to_problem
from tests.builders import CALL, HIGH, make_auction, make_bridge, make_chain, make_offer, make_order


def market() -> Problem:
    offers = tuple(
        make_offer(f"{chain}-book", series, "sell", 10_000, 9)
        for chain in ("hub", "east", "west")
        for series in (CALL, HIGH)
    )
    orders = (
        make_order("call-hub", {CALL: 1}, 20_000),
        make_order("high-hub", {HIGH: 1}, 20_000),
        make_order("both-hub", {CALL: 1, HIGH: 1}, 40_000),
        make_order("call-east", {CALL: 1}, 20_000, chain="east"),
    )
    return to_problem(make_auction(offers=offers, orders=orders))


def offer(chain: str, series: str) -> str:
    return make_offer(f"{chain}-book", series, "sell", 10_000, 9).id


def test_fills_belong_together_by_a_series_on_a_chain() -> None:
    problem = market()
    assert not is_connected(problem, Plan(fills=(("call-hub", 1), ("high-hub", 1))))
    assert is_connected(problem, Plan(fills=(("call-hub", 1), ("high-hub", 1), ("both-hub", 1))))
    assert not is_connected(problem, Plan(fills=(("call-hub", 1), ("call-east", 1))))


def test_a_venue_and_a_bridge_join_what_shares_them() -> None:
    problem = market()
    fills = (("call-hub", 1), ("high-hub", 1))
    assert is_connected(problem, Plan(fills=fills, trades=((offer("hub", CALL), 1), (offer("hub", HIGH), 1))))
    assert is_connected(problem, Plan(fills=fills, transfers=(("east-hub", CALL, 1), ("east-hub", HIGH, 1))))
    assert not is_connected(
        problem, Plan(fills=fills, transfers=(("east-hub", CALL, 1), ("west-hub", HIGH, 1)))
    )


def test_cash_joins_only_parts_that_touch_two_of_its_chains() -> None:
    problem = market()
    lots = (("east-hub", CALL, 1), ("west-hub", HIGH, 1))
    fills = (("call-hub", 1), ("high-hub", 1))
    one_way = Plan(fills=fills, transfers=(*lots, ("hub-east", USDC, 5)))
    assert [len(part.transfers) for part in split_plan(problem, one_way)] == [2, 1]
    both_ways = Plan(fills=fills, transfers=(*lots, ("hub-east", USDC, 5), ("hub-west", USDC, 5)))
    assert len(split_plan(problem, both_ways)) == 1
    assert is_connected(problem, both_ways)


def test_cash_that_serves_nothing_is_a_part_without_fills() -> None:
    problem = market()
    plan = Plan(fills=(("call-hub", 1),), transfers=(("hub-east", USDC, 5),))
    parts = split_plan(problem, plan)
    assert [part.fills for part in parts] == [(("call-hub", 1),), ()]
    assert not is_connected(problem, plan)
    assert not is_connected(problem, Plan(fills=(), transfers=(("hub-east", USDC, 5),)))
    assert not is_connected(problem, Plan(fills=()))


def test_a_group_that_serves_a_joined_part_joins_in_too() -> None:
    """The first group makes one part of two; only together do they touch two chains of the second."""
    pairs = [("east", "hub"), ("west", "east"), ("north", "east"), ("hub", "east"), ("north", "west")]
    problem = to_problem(
        make_auction(
            chains=tuple(make_chain(name) for name in ("hub", "east", "west", "north")),
            bridges=(*(make_bridge(*pair) for pair in pairs), make_bridge("east", "hub", id="east-hub-2")),
            orders=(make_order("call-hub", {CALL: 1}, 20_000), make_order("high-hub", {HIGH: 1}, 20_000)),
        )
    )
    fills = (("call-hub", 1), ("high-hub", 1))
    transfers = (
        ("east-hub", CALL, 1),
        ("west-east", CALL, 1),
        ("east-hub-2", HIGH, 1),
        ("north-east", HIGH, 1),
        ("hub-east", USDC, 5),
        ("north-west", USDC, 5),
    )
    assert is_connected(problem, Plan(fills=fills, transfers=transfers))
    assert not is_connected(problem, Plan(fills=fills, transfers=(*transfers[:4], transfers[5])))
