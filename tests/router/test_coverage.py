from collections.abc import Iterator
from fractions import Fraction

import pytest

from chains.units import USDC
from router.coverage import chain_ceilings, fed_chains, gather_peers, left_over, plan_value
from router.greedy import clear_greedily
from router.joint import solve_jointly
from router.needs import cash_needs
from router.problem import Plan, Problem
from solvers.auction import Auction
from solvers.problem import to_problem
from solvers.reference import with_reference
from tests.builders import CALL, HIGH, make_auction, make_bridge, make_chain, make_offer, make_order
from tests.builders import make_reference as reference
from tests.plan_checks import check_plans
from tests.random_auctions import random_auction


def crossing() -> Auction:
    """A seller on the east and buyers on the hub, who are each other's only counterparts."""
    return make_auction(
        orders=(
            make_order("buy", {CALL: 1}, 90_000, units=2),
            make_order("sell", {CALL: -2}, -60_000, chain="east"),
        )
    )


CROSSED = Plan(fills=(("buy", 2), ("sell", 1)), transfers=(("east-hub", CALL, 2), ("hub-east", USDC, 70_000)))


def answered() -> Iterator[tuple[Auction, Problem, tuple[Plan, ...]]]:
    """Random auctions, with and without a reference, and what they can be answered with."""
    for seed in range(40):
        bare = random_auction(seed, orders=4, chains=3)
        for auction in (bare, with_reference(bare)[0]):
            problem = to_problem(auction)
            alone = clear_greedily(problem, [[demand] for demand in problem.demands.values()])
            yield auction, problem, alone
            if seed < 8:
                yield auction, problem, solve_jointly(problem, time_limit_s=5, seed_plans=alone).plans
    auction = crossing()
    problem = to_problem(auction)
    yield auction, problem, solve_jointly(problem, time_limit_s=5).plans


def test_the_value_of_a_plan_is_the_score_of_the_same_bid() -> None:
    """And its needs, ceilings and leftovers are those that the market finds."""
    seen = several_chains = 0
    for auction, problem, plans in answered():
        for plan, feasible in zip(plans, check_plans(auction, plans), strict=True):
            seen += 1
            several_chains += len({fill.chain for fill in feasible.fills}) > 1
            assert plan_value(problem, plan) == feasible.score
            left = left_over(problem, plan, cash_needs(problem, plan))
            assert left.keys() == feasible.needs.keys()
            assert min(left.values()) >= 0
            rows = [group for groups in gather_peers(problem, plan).values() for group in groups]
            assert [(row.chain, row.package, row.units, row.ceiling) for row in rows] == [
                (row.chain, row.package, row.units, row.ceiling) for row in feasible.prices
            ]
    assert seen >= 40
    assert several_chains


def test_peers_pay_by_the_lowest_limit_that_is_filled() -> None:
    problem = to_problem(
        make_auction(
            orders=(
                make_order("low", {CALL: 1, HIGH: -1}, 70, units=3),
                make_order("double", {CALL: 2, HIGH: -2}, 201, units=3),
                make_order("other", {CALL: 1}, 500),
                make_order("away", {CALL: 1, HIGH: -1}, 10, chain="east"),
            ),
            reference=(reference("hub", {CALL: 1, HIGH: -1}, units=4, price=60),),
        )
    )
    both = gather_peers(problem, Plan(fills=(("double", 2), ("low", 2), ("other", 1), ("away", 1))))
    assert list(both) == ["east", "hub"]
    other, pair = both["hub"]
    assert (other.units, other.low, other.ceiling) == (1, 500, 500)
    assert (pair.units, pair.low) == (6, 70)
    assert pair.ceiling - 1 < Fraction(4 * 60 + 2 * 70, 6) <= pair.ceiling
    assert (pair.ceiling_total, pair.low_total) == (pair.ceiling * 6, 420)
    turned = gather_peers(problem, Plan(fills=(("low", 2), ("double", 2), ("other", 1))))
    assert turned["hub"] == both["hub"]
    (alone,) = gather_peers(problem, Plan(fills=(("double", 2),)))["hub"]
    assert (alone.units, alone.low, alone.ceiling) == (4, 100, 60)
    assert chain_ceilings(problem, Plan(fills=(("double", 2), ("other", 1)))) == {"hub": 4 * 60 + 500}


def test_a_chain_without_fills_has_no_ceiling_and_only_loses() -> None:
    ask = make_offer("west-book", CALL, "sell", 10_000, 9)
    problem = to_problem(make_auction(offers=(ask,), orders=(make_order("buy", {CALL: 1}, 20_000),)))
    plan = Plan(fills=(("buy", 1),), trades=((ask.id, 1),), transfers=(("west-hub", CALL, 1),))
    needs = cash_needs(problem, plan)
    assert left_over(problem, plan, needs) == {"hub": 20_000 - needs["hub"], "west": -needs["west"]}
    assert plan_value(problem, plan) == 20_000 - needs["hub"]


def test_what_is_left_over_without_fills_counts_for_nothing() -> None:
    bid = make_offer("west-book", CALL, "buy", 50_000, 9)
    problem = to_problem(make_auction(offers=(bid,), orders=(make_order("sell", {CALL: -1}, -9_000),)))
    worth = [
        plan_value(
            problem,
            Plan(
                fills=(("sell", 1),),
                trades=((bid.id, 1),),
                transfers=(("hub-west", CALL, 1), ("west-hub", USDC, sent)),
            ),
        )
        for sent in (20_000, 30_000)
    ]
    assert worth[1] - worth[0] == 10_000


@pytest.mark.parametrize(
    ("sent", "fed"),
    [
        ((), set()),
        ((("hub", "east"),), {"east"}),
        ((("east", "hub"),), {"hub"}),
        ((("hub", "west"), ("west", "east")), {"west", "east"}),
        ((("north", "hub"), ("north", "west")), set()),
        ((("hub", "west"), ("north", "east"), ("west", "north")), {"west", "north", "east"}),
    ],
)
def test_cash_feeds_what_it_reaches_from_chains_with_fills(
    sent: tuple[tuple[str, str], ...], fed: set[str]
) -> None:
    names = ("hub", "east", "west", "north")
    problem = to_problem(
        make_auction(
            chains=tuple(make_chain(name) for name in names),
            bridges=tuple(make_bridge(*ends) for ends in sent),
            orders=crossing().orders,
        )
    )
    transfers = tuple(("-".join(ends), USDC, 5) for ends in sent)
    assert fed_chains(problem, Plan(fills=CROSSED.fills, transfers=transfers)) == fed


def test_lots_feed_nothing() -> None:
    problem = to_problem(crossing())
    assert fed_chains(problem, Plan(fills=CROSSED.fills, transfers=CROSSED.transfers[:1])) == frozenset()
    assert fed_chains(problem, CROSSED) == {"east"}
