import pytest

from chains.units import USDC
from router.problem import Plan, Problem
from router.residual import Residual
from solvers.problem import to_problem
from tests.builders import CALL, HIGH, make_auction, make_bridge, make_offer, make_order

ASK = "east-book/BTC-26JUN26-100000-C/sell/700"


def market() -> Problem:
    return to_problem(
        make_auction(
            orders=(
                make_order("a", {CALL: 1}, 90_000, units=9),
                make_order("b", {CALL: 1}, 90_000, units=9, owner="twin", group="either"),
                make_order("c", {CALL: 1}, 90_000, units=9, owner="twin", group="either"),
                make_order("d", {CALL: 1}, 90_000, units=9, owner="other", group="either"),
            ),
            offers=(make_offer("east-book", CALL, "sell", 700, 7),),
            bridges=(make_bridge("east", "hub", capacity_cash=100, capacity_lots=5),),
        )
    )


def plan(intent: str, *, lots: int = 0, sent: tuple[tuple[str, int], ...] = ()) -> Plan:
    return Plan(
        fills=((intent, 1),),
        trades=((ASK, lots),) if lots else (),
        transfers=tuple(("east-hub", asset, amount) for asset, amount in sent),
    )


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [
        (plan("a", lots=4), plan("d", lots=3), True),
        (plan("a", lots=4), plan("d", lots=4), False),
        (plan("a", sent=((USDC, 60),)), plan("d", sent=((USDC, 40),)), True),
        (plan("a", sent=((USDC, 60),)), plan("d", sent=((USDC, 41),)), False),
        (plan("a", sent=((CALL, 2), (HIGH, 1))), plan("d", sent=((CALL, 2),)), True),
        (plan("a", sent=((CALL, 2), (HIGH, 1))), plan("d", sent=((HIGH, 2), (CALL, 1))), False),
        (plan("a", sent=((CALL, 5),)), plan("d", sent=((USDC, 100),)), True),
        (plan("a"), plan("a"), False),
        (plan("b"), plan("c"), False),
        (plan("b"), plan("d"), True),
    ],
)
def test_what_was_taken_is_gone_for_the_next_plan(first: Plan, second: Plan, fits: bool) -> None:
    residual = Residual(market())
    assert residual.has_room(first)
    residual.take(first)
    assert residual.has_room(second) is fits


def test_taking_what_does_not_fit_is_a_bug() -> None:
    residual = Residual(market())
    with pytest.raises(AssertionError):
        residual.take(plan("a", lots=8))


def test_demands_are_open_until_they_or_their_group_are_filled() -> None:
    problem = market()
    residual = Residual(problem)
    residual.take(plan("b"))
    still_open = {intent for intent, demand in problem.demands.items() if residual.is_open(demand)}
    assert still_open == {"a", "d"}
