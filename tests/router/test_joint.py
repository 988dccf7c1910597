"""The edges of the joint model; its optimality is in `test_joint_exhaustive`."""

import numpy as np
import pytest

from chains.units import USDC
from router import backend, joint
from router.greedy import clear_greedily
from router.joint import JointAnswer, improve_jointly, solve_jointly
from router.problem import Plan, Problem
from solvers.auction import Auction
from solvers.problem import to_problem
from solvers.reference import with_reference
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import view_auction
from tests.builders import (
    CALL,
    HIGH,
    free_market,
    make_auction,
    make_bid,
    make_bridge,
    make_chain,
    make_offer,
    make_order,
    make_reference,
)
from tests.plan_checks import check_plans
from tests.random_auctions import random_auction


def is_nothing(answer: JointAnswer) -> bool:
    """No plan, and proved that there is none."""
    return answer.proved and not answer.plans and answer.value == 0 <= answer.bound <= 2


def solve(auction: Auction, **changes: object) -> JointAnswer:
    problem = to_problem(auction)
    answer = solve_jointly(problem, time_limit_s=60, **changes)  # type: ignore[arg-type]
    feasible = check_plans(auction, answer.plans)
    assert answer.value == sum(bid.score for bid in feasible) <= answer.bound
    return answer


def greedy_plans(problem: Problem) -> tuple[Plan, ...]:
    return clear_greedily(problem, [[demand] for demand in problem.demands.values()])


def test_nothing_is_proved_to_be_the_best_where_there_is_nothing() -> None:
    order = make_order("a", {CALL: 1}, 90_000)
    offer = make_offer("hub-book", CALL, "sell", 10_000, 9)
    assert is_nothing(solve(make_auction()))
    assert is_nothing(solve(make_auction(orders=(order,))))
    assert is_nothing(solve(make_auction(offers=(offer,))))
    unlike = make_offer("hub-book", HIGH, "sell", 1, 9)
    assert is_nothing(solve(make_auction(offers=(unlike,), orders=(order,))))


def test_one_order_takes_the_cheapest_offers() -> None:
    offers = (
        make_offer("hub-book", CALL, "sell", 10_000, 2),
        make_offer("hub-book", CALL, "sell", 30_000, 9),
        make_offer("east-book", CALL, "sell", 20_000, 9),
    )
    (plan,) = solve(free_market(offers=offers, orders=(make_order("a", {CALL: 1}, 90_000, units=4),))).plans
    assert dict(plan.trades) == {offers[0].id: 2, offers[2].id: 2}


def test_a_chain_that_no_bridge_reaches_serves_its_own_orders_alone() -> None:
    offers = (
        make_offer("east-book", CALL, "sell", 10_000, 9),
        make_offer("hub-book", HIGH, "sell", 10_000, 9),
    )
    orders = (
        make_order("near", {CALL: 1}, 20_000, chain="east"),
        make_order("far", {CALL: 1}, 90_000, chain="hub"),
        make_order("own", {HIGH: 1}, 20_000, chain="hub"),
    )
    answer = solve(make_auction(offers=offers, orders=orders, bridges=()))
    assert {intent for plan in answer.plans for intent, _ in plan.fills} == {"near", "own"}
    assert len(answer.plans) == 2


def test_bridges_without_capacity_carry_nothing() -> None:
    offers = (make_offer("east-book", CALL, "sell", 10_000, 9),)
    orders = (make_order("a", {CALL: 1}, 90_000),)

    def bridges(cash: int, lots: int) -> Auction:
        pairs = (("hub", "east"), ("east", "hub"))
        built = tuple(make_bridge(*ends, capacity_cash=cash, capacity_lots=lots) for ends in pairs)
        return make_auction(offers=offers, orders=orders, bridges=built)

    assert is_nothing(solve(bridges(0, 0)))
    assert is_nothing(solve(bridges(10**9, 0)))
    assert is_nothing(solve(bridges(0, 9)))
    assert solve(bridges(10**9, 9)).value > 0


def test_proceeds_come_home_to_who_sold() -> None:
    """What a chain without fills holds counts for nothing until it is sent."""
    offers = (make_offer("east-book", CALL, "buy", 50_000, 9),)
    answer = solve(free_market(offers=offers, orders=(make_order("a", {CALL: -1}, -10_000, units=3),)))
    (plan,) = answer.plans
    assert answer.value == 3 * 40_000
    arriving = [
        amount for bridge, asset, amount in plan.transfers if asset == USDC and bridge.endswith("-hub")
    ]
    assert sum(arriving) == 150_000


def test_peers_that_cannot_share_a_price_are_bids_of_their_own() -> None:
    """The dear pair would pay the cheap one's price in one bid, and its seller would not be paid."""
    orders = (
        make_order("dear-buyer", {CALL: 1}, 100_000),
        make_order("dear-seller", {CALL: -1}, -90_000),
        make_order("cheap-buyer", {CALL: 1}, 50_000, units=10, min_units=10),
        make_order("cheap-seller", {CALL: -1}, -49_000, units=10, min_units=10),
    )
    answer = solve(free_market(orders=orders))
    assert answer.proved
    assert answer.value == 10_000 + 10 * 1_000
    assert len(answer.plans) == 2


def test_an_owner_is_not_matched_with_itself() -> None:
    orders = (
        make_order("a", {CALL: 1}, 90_000, owner="0xa"),
        make_order("b", {CALL: -1}, -10_000, owner="0xa"),
    )
    assert is_nothing(solve(make_auction(orders=orders)))


def test_only_one_of_a_group_is_filled() -> None:
    offers = (
        make_offer("hub-book", CALL, "sell", 10_000, 9),
        make_offer("hub-book", HIGH, "sell", 10_000, 9),
    )
    orders = (
        make_order("a", {CALL: 1}, 60_000, owner="0xa", group="one"),
        make_order("b", {HIGH: 1}, 90_000, owner="0xa", group="one"),
    )
    (plan,) = solve(make_auction(offers=offers, orders=orders)).plans
    assert plan.fills == (("b", 1),)


def test_no_package_pays_above_its_reference() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 50_000, 9),)
    orders = (make_order("a", {CALL: 1}, 90_000),)
    cheap, dear = (make_reference("hub", {CALL: 1}, units=1, price=price) for price in (50_000, 60_000))
    assert is_nothing(solve(make_auction(offers=offers, orders=orders, reference=(cheap,))))
    assert solve(make_auction(offers=offers, orders=orders, reference=(dear,))).value > 0


def test_an_impatient_order_stays_off_slow_chains() -> None:
    offers = (
        make_offer("east-book", CALL, "sell", 10_000, 9),
        make_offer("hub-book", CALL, "sell", 50_000, 9),
    )
    chains = (make_chain("hub"), make_chain("east", finality_us=90_000_000), make_chain("west"))
    patient = make_order("a", {CALL: 1}, 90_000)
    hasty = make_order("a", {CALL: 1}, 90_000, valid_until=patient.valid_until - 3_500)
    for order, offer in ((patient, offers[0]), (hasty, offers[1])):
        auction = make_auction(offers=offers, orders=(order,), chains=chains)
        (plan,) = solve(auction).plans
        assert plan.trades == ((offer.id, 1),)


def test_the_answer_is_never_worse_than_the_seed_and_always_the_same() -> None:
    for seed in range(12):
        auction, _ = with_reference(random_auction(seed, orders=9))
        problem = to_problem(auction)
        seeded = greedy_plans(problem)
        answers = list(improve_jointly(problem, time_limit_s=30, seed_plans=seeded))
        assert answers[-1].value >= answers[0].value
        check_plans(auction, answers[-1].plans)
        if seed < 4:
            assert solve_jointly(problem, time_limit_s=30, seed_plans=seeded) == answers[-1]


@pytest.mark.parametrize("orders", [3, 9])
def test_without_a_working_back_end_the_seed_stands(orders: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "SETTINGS", {"none": ""})
    auction = random_auction(3, orders=orders)
    problem = to_problem(auction)
    seeded = greedy_plans(problem)
    assert seeded
    answer = solve(auction, seed_plans=seeded)
    assert answer.plans
    assert not answer.proved


def test_without_time_the_seed_stands() -> None:
    problem = to_problem(random_auction(3))
    seeded = greedy_plans(problem)
    answer = solve_jointly(problem, time_limit_s=0, seed_plans=seeded)
    assert answer.plans
    assert {*answer.plans} <= {*seeded}
    assert solve_jointly(problem, time_limit_s=0).plans == ()


def test_a_seed_that_is_not_sound_or_does_not_fit_is_left_out() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 10_000, 2),)
    orders = (make_order("a", {CALL: 1}, 60_000, units=2), make_order("b", {CALL: 1}, 1_000, units=2))
    auction = make_auction(offers=offers, orders=orders)
    losing = Plan(fills=(("b", 2),), trades=((offers[0].id, 2),))
    winning = Plan(fills=(("a", 2),), trades=((offers[0].id, 2),))
    answer = solve_jointly(to_problem(auction), time_limit_s=0, seed_plans=(losing, winning, winning))
    assert answer.plans == (winning,)


@pytest.mark.parametrize("separate_max", [4, 0])
def test_a_plan_that_the_rounding_of_its_reference_pays_for_is_never_proved_impossible(
    separate_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Units at 10, 90,000 and 90,000 average to 60,003.3; each may pay 60,004, and that is what it costs."""
    monkeypatch.setattr(joint, "SEPARATE_MAX", separate_max)
    auction = free_market(
        orders=(make_order("a", {CALL: 1}, 90_000, units=3, min_units=3),),
        offers=(make_offer("hub-book", CALL, "sell", 60_004, 3),),
        reference=(make_reference("hub", {CALL: 1}, units=1, price=10),),
    )
    possible = verify_bid(view_auction(auction), make_bid({"a": 3}, {f"hub-book/{CALL}/sell/60004": 3}))
    assert isinstance(possible, FeasibleBid)
    answer = solve_jointly(to_problem(auction), time_limit_s=30)
    assert answer.value <= possible.score == 89_988 <= answer.bound
    if separate_max:
        assert (answer.value, answer.proved) == (89_988, True)
    else:
        assert answer.proved == (answer.value == 89_988)


def test_two_back_ends_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    values = []
    for name in ("scip", "highs"):
        with monkeypatch.context() as patch:
            patch.setattr(backend, "SETTINGS", {name: backend.SETTINGS[name]})
            values.append([solve(random_auction(seed, orders=3)).value for seed in range(8)])
    assert np.abs(np.subtract(*values)).max() <= 12
