"""A plan itemised: every cost apart, over chains and bridges, against the market's own judgement of it."""

from dataclasses import replace

from intents.itemised import itemise_plan
from intents.quotes import QuotedCosts, QuotedTransfer
from router.alone import Alone
from router.needs import cash_needs
from solvers.problem import to_bid
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import view_auction
from tests.builders import HIGH, SOLVE_US, make_auction, make_offer, make_order
from tests.random_auctions import random_auction

AWAY = make_offer("east-book", HIGH, "sell", 600, 3)


def test_a_purchase_over_a_bridge_is_told_apart_to_the_micro_usdc() -> None:
    """Two lots of 600 in the east: 1,200 and fees of 60 + 1,100 + 5,040 there are 7,400, sent for 5,008."""
    auction = make_auction(orders=(make_order("a", {HIGH: 2}, 20_000),), offers=(AWAY,))
    problem = view_auction(auction).problem
    found = Alone(problem).cheapest(problem.demands["a"])
    assert found is not None
    plan = itemise_plan(problem, found.plan, fills_from=20_000, solve_us=SOLVE_US)
    assert plan.costs == QuotedCosts(
        premium=1_200,
        venue_fees=50 + 2 * 5,
        bridge_fees=(5_000 + 2 * 20) + (5_000 + 8),
        settlement_fees=(100 + 10) + 100,
        deal_fees=2_000,
        protocol_fee=6,
        left_over=0,
    )
    assert plan.payment == 13_524
    assert plan.transfers == (
        QuotedTransfer(bridge="east-hub", source="east", target="hub", asset=HIGH, amount=2),
        QuotedTransfer(bridge="hub-east", source="hub", target="east", asset="USDC", amount=7_400),
    )
    assert plan.chains == ("east", "hub")


def test_costs_are_the_needs_of_all_chains_and_what_is_left_over_is_the_reserve() -> None:
    checked = left = 0
    for seed in range(40):
        auction = random_auction(seed)
        problem = view_auction(auction).problem
        alone = Alone(problem)
        for demand in problem.demands.values():
            found = alone.cheapest(demand)
            if found is None:
                continue
            generous = replace(demand, limit=10**9)
            problem_now = replace(
                problem, references={}, demands={**problem.demands, demand.intent: generous}
            )
            item = itemise_plan(problem_now, found.plan, fills_from=0, solve_us=auction.solve_us)
            costs = item.costs
            apart = [getattr(costs, name) for name in costs.__struct_fields__ if name != "left_over"]
            assert sum(apart) == sum(cash_needs(problem_now, found.plan).values())
            answer = verify_bid(
                replace(view_auction(auction), problem=problem_now),
                to_bid(found.plan, auction=auction, solver="judge", name="plan"),
            )
            assert isinstance(answer, FeasibleBid)
            assert costs.left_over == sum(row.amount for row in answer.reserve)
            assert item.payment == answer.fills[0].payment
            checked += 1
            left += costs.left_over > 0
    assert checked > 50
    assert left > 10
