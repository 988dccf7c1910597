from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest

from chains.units import USDC
from router.cash import settle_cash
from router.coverage import left_over, plan_value
from router.greedy import clear_greedily
from router.joint import solve_jointly
from router.needs import cash_needs
from router.problem import Plan, Problem
from solvers.auction import Auction
from solvers.problem import to_bid, to_problem
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import view_auction
from tests.builders import CALL, HIGH, free_market, make_auction, make_offer, make_order
from tests.plan_checks import check_plans
from tests.random_auctions import random_auction

ASK = make_offer("west-book", CALL, "sell", 10_000, 9)
NEAR = make_offer("east-book", HIGH, "sell", 8_000, 9)
BID = make_offer("west-book", CALL, "buy", 50_000, 9)


def buying() -> tuple[Auction, Plan]:
    """The hub pays for purchases on the east and, through the east, on the west."""
    auction = make_auction(
        offers=(ASK, NEAR), orders=(make_order("buy", {CALL: 1, HIGH: 1}, 90_000, units=2),)
    )
    lots = (("west-east", CALL, 2), ("east-hub", CALL, 2), ("east-hub", HIGH, 2))
    return auction, Plan(fills=(("buy", 2),), trades=((ASK.id, 2), (NEAR.id, 2)), transfers=lots)


def selling() -> tuple[Auction, Plan]:
    """The proceeds of a sale on the west come home through the east, where nothing is filled."""
    auction = make_auction(offers=(BID,), orders=(make_order("sell", {CALL: -1}, -20_000, units=2),))
    lots = (("hub-east", CALL, 2), ("east-west", CALL, 2))
    return auction, Plan(fills=(("sell", 2),), trades=((BID.id, 2),), transfers=lots)


def matching() -> tuple[Auction, Plan]:
    """A buyer on the hub pays a seller on the east."""
    auction = make_auction(
        orders=(
            make_order("buy", {CALL: 1}, 90_000, units=2),
            make_order("sell", {CALL: -1}, -30_000, units=2, chain="east"),
        )
    )
    return auction, Plan(fills=(("buy", 2), ("sell", 2)), transfers=(("east-hub", CALL, 2),))


def with_cash(plan: Plan, cash: dict[str, int]) -> Plan:
    lots = tuple(transfer for transfer in plan.transfers if transfer[1] != USDC)
    return replace(plan, transfers=(*lots, *((bridge, USDC, amount) for bridge, amount in cash.items())))


def cash_of(plan: Plan) -> dict[str, int]:
    return {bridge: amount for bridge, asset, amount in plan.transfers if asset == USDC}


def is_accepted(auction: Auction, plan: Plan) -> bool:
    bid = to_bid(plan, auction=auction, solver="judge", name="plan")
    return isinstance(verify_bid(view_auction(auction), bid), FeasibleBid)


@pytest.mark.parametrize("about", [1, 7_000, 60_000, 10**7])
@pytest.mark.parametrize(
    ("case", "bridges"), [(buying, ("hub-east", "east-west")), (matching, ("hub-east",))]
)
def test_payments_are_just_enough(case: object, bridges: tuple[str, ...], about: int) -> None:
    """Whatever was about right: the market accepts the amounts, and none with a micro-USDC less."""
    assert callable(case)
    auction, plan = case()
    settled = settle_cash(to_problem(auction), with_cash(plan, dict.fromkeys(bridges, about)))
    cash = cash_of(settled)
    assert set(cash) == set(bridges)
    assert is_accepted(auction, settled)
    for bridge, amount in cash.items():
        assert not is_accepted(auction, with_cash(plan, {**cash, bridge: amount - 1}))


@pytest.mark.parametrize("about", [1, 7_000, 10**7])
def test_proceeds_are_sent_home_whole(about: int) -> None:
    """The market accepts the amounts, and none with a micro-USDC more, which nobody would fund."""
    auction, plan = selling()
    settled = settle_cash(
        to_problem(auction), with_cash(plan, dict.fromkeys(("west-east", "east-hub"), about))
    )
    cash = cash_of(settled)
    assert set(cash) == {"west-east", "east-hub"}
    assert is_accepted(auction, settled)
    for bridge, amount in cash.items():
        assert not is_accepted(auction, with_cash(plan, {**cash, bridge: amount + 1}))


def test_nothing_but_cash_is_changed() -> None:
    for case in (buying, selling, matching):
        auction, plan = case()
        settled = settle_cash(to_problem(auction), plan)
        assert settled == plan
        settled = settle_cash(to_problem(auction), with_cash(plan, {"hub-east": 5}))
        assert with_cash(settled, {}) == plan


def test_cash_that_nobody_needs_is_dropped_or_the_least() -> None:
    """Without fees the west needs nothing; with them it must be paid for, once it is touched."""
    auction, plan = matching()
    useless = with_cash(plan, {"hub-east": 70_000, "hub-west": 800})
    free = to_problem(free_market(orders=auction.orders))
    assert cash_of(settle_cash(free, useless)) == {"hub-east": 60_000}
    assert cash_of(settle_cash(free, useless, least=3)) == {"hub-east": 60_000, "hub-west": 3}
    fees = cash_needs(to_problem(auction), useless)["west"] + 800
    assert cash_of(settle_cash(to_problem(auction), useless))["hub-west"] == fees


def test_the_largest_of_several_ways_takes_the_change() -> None:
    """The other keeps about what it carried; together they bring what the only one would."""
    auction, plan = matching()
    second = msgspec.structs.replace(
        next(bridge for bridge in auction.bridges if bridge.id == "hub-east"), id="hub-east-2"
    )
    auction = msgspec.structs.replace(auction, bridges=(*auction.bridges, second))
    problem = to_problem(auction)
    only = cash_of(settle_cash(problem, with_cash(plan, {"hub-east": 5})))["hub-east"]
    settled = settle_cash(problem, with_cash(plan, {"hub-east": 9_000, "hub-east-2": 40_000}))
    assert cash_of(settled) == {"hub-east": 9_000, "hub-east-2": only - 9_000}


def test_capacity_is_never_exceeded_and_passes_on_to_other_ways() -> None:
    auction, plan = matching()
    bridges = {bridge.id: bridge for bridge in auction.bridges}
    small = msgspec.structs.replace(bridges["hub-east"], id="hub-east-2", capacity_cash=20_000)
    auction = msgspec.structs.replace(auction, bridges=(*auction.bridges, small))
    problem = to_problem(auction)
    settled = settle_cash(problem, with_cash(plan, {"hub-east": 10, "hub-east-2": 70_000}))
    assert cash_of(settled)["hub-east-2"] == 20_000
    assert is_accepted(auction, settled)
    alone = settle_cash(problem, with_cash(plan, {"hub-east-2": 70_000}))
    assert cash_of(alone) == {"hub-east-2": 20_000}
    assert min(left_over(problem, alone, cash_needs(problem, alone)).values()) < 0


def plans_with_cash() -> Iterator[tuple[Auction, Problem, Plan]]:
    for seed in range(60):
        auction = random_auction(seed, orders=4, chains=4)
        problem = to_problem(auction)
        plans = clear_greedily(problem, [[demand] for demand in problem.demands.values()])
        if seed < 12:
            plans += solve_jointly(problem, time_limit_s=2).plans
        for plan in plans:
            if cash_of(plan):
                yield auction, problem, plan


def test_settled_cash_stays_as_it_is() -> None:
    """And amounts that are off by a tenth are put right, for the same value but the roundings of fees."""
    seen = 0
    for auction, problem, plan in plans_with_cash():
        settled = settle_cash(problem, plan)
        assert settle_cash(problem, settled) == settled
        for percent in (90, 110):
            off = with_cash(
                plan, {bridge: 1 + amount * percent // 100 for bridge, amount in cash_of(plan).items()}
            )
            again = settle_cash(problem, off)
            seen += 1
            if len(cash_of(plan)) == 1:
                check_plans(auction, [again])
                assert abs(plan_value(problem, again) - plan_value(problem, settled)) <= 4
                assert plan_value(problem, again) >= plan_value(problem, plan)
    assert seen >= 20
