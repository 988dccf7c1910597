from random import Random

from chains.units import BPS, USDC, ceil_div
from router.greedy import clear_greedily
from router.needs import cash_needs, touched_chains
from router.problem import Plan, Problem
from solvers.problem import to_problem
from tests.builders import CALL, HIGH, make_auction, make_offer, make_order
from tests.random_auctions import random_auction

ASK = "hub-book/BTC-26JUN26-100000-C/sell/700"
EAST_ASK = "east-book/BTC-26JUN26-100000-C/sell/600"
EAST_BID = "east-book/BTC-26JUN26-110000-C/buy/500"


def market() -> Problem:
    return to_problem(
        make_auction(
            orders=(make_order("a", {CALL: 2}, 10_000, units=5), make_order("b", {HIGH: -1}, -1, units=5)),
            offers=(
                make_offer("hub-book", CALL, "sell", 700, 20),
                make_offer("east-book", CALL, "sell", 600, 20),
                make_offer("east-book", HIGH, "buy", 500, 20),
            ),
        )
    )


def test_local_purchase_costs_lots_venue_and_settlement() -> None:
    plan = Plan(fills=(("a", 3),), trades=((ASK, 6),))
    # six lots, the venue's touch and lots, one leg and one fill, the protocol's fee per lot
    assert cash_needs(market(), plan) == {"hub": 6 * 700 + 50 + 6 * 5 + 100 + 10 + 6 * 3}


def test_purchase_over_a_bridge_pays_each_fee_on_its_chain() -> None:
    plan = Plan(
        fills=(("a", 1),),
        trades=((EAST_ASK, 2),),
        transfers=(("east-hub", CALL, 2), ("hub-east", USDC, 9_001)),
    )
    needs = cash_needs(market(), plan)
    # east: the lots, the venue, the bridge home (fixed and per lot), leg and deal fee; minus what arrived
    assert needs["east"] == 2 * 600 + 50 + 10 + 5_000 + 2 * 20 + 100 + 1_000 - 9_001
    # hub: what was sent, its fixed fee and 10 bps rounded up, leg, fill and deal fee, two lots delivered
    assert needs["hub"] == 9_001 + 5_000 + 10 + 100 + 10 + 1_000 + 6


def test_a_bridge_that_carries_lots_and_cash_is_paid_once() -> None:
    plan = Plan(
        fills=(("b", 2),),
        trades=((EAST_BID, 2),),
        transfers=(("hub-east", HIGH, 2), ("hub-east", USDC, 10_000)),
    )
    needs = cash_needs(market(), plan)
    assert needs["hub"] == 10_000 + 5_000 + 10 + 40 + 1_110 + 6
    assert needs["east"] == -2 * 500 + 50 + 10 + 1_100 - 10_000


def test_extra_cash_is_added_where_it_is_paid() -> None:
    plan = Plan(fills=(("a", 3),), trades=((ASK, 6),))
    plain = cash_needs(market(), plan)
    assert cash_needs(market(), plan, extra={"hub": 7}) == {"hub": plain["hub"] + 7}


def test_every_end_of_a_transfer_is_touched() -> None:
    plan = Plan(fills=(("a", 1),), transfers=(("east-west", USDC, 1),))
    assert touched_chains(market(), plan) == ("east", "hub", "west")


def test_needs_add_up_to_what_leaves_the_plan() -> None:
    """Cash between chains nets out, so all needs together are prices and fees: added up naively."""
    plans = 0
    for seed in range(150):
        problem = to_problem(random_auction(seed))
        for plan in clear_greedily(problem, [[demand] for demand in problem.demands.values()]):
            assert sum(cash_needs(problem, plan).values()) == paid_outside(problem, plan)
            plans += 1
    assert plans > 100


def paid_outside(problem: Problem, plan: Plan) -> int:
    total = 0
    chains = set(touched_chains(problem, plan))
    for offer_id, lots in plan.trades:
        offer = problem.offers[offer_id]
        total += lots * (offer.price if offer.side == "sell" else -offer.price)
        total += lots * problem.venues[offer.venue].fee_per_lot
    for venue in {problem.offers[offer].venue for offer, _ in plan.trades}:
        total += problem.venues[venue].fee_touch
    for bridge_id in {bridge for bridge, _, _ in plan.transfers}:
        bridge = problem.bridges[bridge_id]
        cash = sum(amount for name, asset, amount in plan.transfers if (name, asset) == (bridge_id, USDC))
        lots = sum(amount for name, asset, amount in plan.transfers if name == bridge_id and asset != USDC)
        total += bridge.fee_fixed + ceil_div(cash * bridge.fee_cash_bps, BPS) + lots * bridge.fee_per_lot
    for chain in chains:
        terms = problem.chains[chain]
        total += terms.settle_fee_leg + (terms.deal_fee if len(chains) > 1 else 0)
    for intent, units in plan.fills:
        demand = problem.demands[intent]
        total += problem.chains[demand.chain].settle_fee_fill
        total += problem.fee_per_lot * units * sum(abs(ratio) for _, ratio in demand.legs)
    return total


def test_needs_do_not_depend_on_the_order_of_entries() -> None:
    rng = Random(1)
    for seed in range(60):
        problem = to_problem(random_auction(seed))
        for plan in clear_greedily(problem, [[demand] for demand in problem.demands.values()]):
            mixed = Plan(
                fills=plan.fills,
                trades=tuple(rng.sample(plan.trades, len(plan.trades))),
                transfers=tuple(rng.sample(plan.transfers, len(plan.transfers))),
            )
            assert cash_needs(problem, mixed) == cash_needs(problem, plan)
