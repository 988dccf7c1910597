"""Whole rounds: exact small cases by hand, brute force on one venue, and the laws of random rounds.

Fees in the cases by hand are the default market's: a venue takes 50 and 5 a lot, a leg 100, a fill 10, a
deal over several chains 1000 on each, a bridge 5000, 10 bps and 20 a lot, the protocol 3 a lot.
"""

from collections import Counter
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

import pytest

from chains.units import USDC
from router.errors import ProblemError
from router.greedy import clear_greedily
from router.needs import cash_needs
from router.peers import reference_ceiling
from router.problem import Demand, Plan, Problem
from solvers.auction import Auction
from solvers.problem import to_problem
from tests.builders import (
    CALL,
    CUT_US,
    HIGH,
    MICRO,
    make_auction,
    make_bridge,
    make_chain,
    make_offer,
    make_order,
    make_reference,
    make_venue,
)
from tests.plan_checks import check_plans
from tests.random_auctions import random_auction


def clear(auction: Auction) -> tuple[Plan, ...]:
    """Clear each order alone, and hold every plan against the market's rules."""
    problem = to_problem(auction)
    plans = clear_greedily(problem, [[demand] for demand in problem.demands.values()])
    check_plans(auction, plans)
    return plans


def peers_of(problem: Problem) -> list[list[Demand]]:
    """The demands of every chain and set of legs, up to their common factor."""
    groups: dict[Any, list[Demand]] = {}
    for demand in problem.demands.values():
        first = sorted(demand.legs)[0][1]
        key = tuple((series, ratio / abs(first)) for series, ratio in sorted(demand.legs))
        groups.setdefault((demand.chain, key), []).append(demand)
    return list(groups.values())


def test_local_purchase() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 700, 9), make_offer("hub-book", CALL, "sell", 800, 9))
    auction = make_auction(offers=offers, orders=(make_order("a", {CALL: 2}, 2_000, units=6),))
    (plan,) = clear(auction)
    assert plan == Plan(fills=(("a", 6),), trades=((offers[0].id, 9), (offers[1].id, 3)))
    assert cash_needs(to_problem(auction), plan) == {"hub": 9 * 700 + 3 * 800 + 50 + 60 + 110 + 36}


def test_purchase_over_a_bridge_with_cash_and_lots() -> None:
    offer = make_offer("east-book", CALL, "sell", 100_000, 9)
    auction = make_auction(offers=(offer,), orders=(make_order("a", {CALL: 1}, 110_000, units=4),))
    (plan,) = clear(auction)
    needed = 400_000 + 50 + 20 + 5_000 + 80 + 1_100
    assert plan == Plan(
        fills=(("a", 4),),
        trades=((offer.id, 4),),
        transfers=(("east-hub", CALL, 4), ("hub-east", USDC, needed)),
    )
    # 10 bps of 406250 are 406.25
    assert cash_needs(to_problem(auction), plan) == {
        "east": 0,
        "hub": needed + 5_000 + 407 + 1_110 + 12,
    }


def test_sale_over_a_bridge() -> None:
    offer = make_offer("east-book", CALL, "buy", 100_000, 9)
    auction = make_auction(offers=(offer,), orders=(make_order("a", {CALL: -1}, -90_000, units=4),))
    (plan,) = clear(auction)
    left = 400_000 - 50 - 20 - 1_100 - 5_000
    sent = left * 10_000 // 10_010
    assert plan == Plan(
        fills=(("a", 4),),
        trades=((offer.id, 4),),
        transfers=(("hub-east", CALL, 4), ("east-hub", USDC, sent)),
    )
    assert cash_needs(to_problem(auction), plan) == {"east": 0, "hub": -sent + 5_080 + 1_110 + 12}


def test_two_legs_on_two_chains() -> None:
    bought = make_offer("hub-book", CALL, "sell", 100_000, 9)
    sold = make_offer("east-book", HIGH, "buy", 80_000, 9)
    auction = make_auction(
        offers=(bought, sold), orders=(make_order("a", {CALL: 1, HIGH: -1}, 40_000, units=3),)
    )
    (plan,) = clear(auction)
    sent = (240_000 - 50 - 15 - 1_100 - 5_000) * 10_000 // 10_010
    assert plan == Plan(
        fills=(("a", 3),),
        trades=((sold.id, 3), (bought.id, 3)),
        transfers=(("hub-east", HIGH, 3), ("east-hub", USDC, sent)),
    )


def test_both_legs_elsewhere_send_only_the_difference() -> None:
    bought = make_offer("east-book", CALL, "sell", 100_000, 9)
    sold = make_offer("east-book", HIGH, "buy", 80_000, 9)
    auction = make_auction(
        offers=(bought, sold), orders=(make_order("a", {CALL: 1, HIGH: -1}, 40_000, units=3),)
    )
    (plan,) = clear(auction)
    needed = 3 * 20_000 + 50 + 30 + 5_000 + 60 + 1_100
    assert plan.transfers == (("east-hub", CALL, 3), ("hub-east", HIGH, 3), ("hub-east", USDC, needed))


def test_the_cheaper_chain_is_taken_only_as_far_as_its_fixed_costs_pay() -> None:
    near, far = (
        make_offer("hub-book", CALL, "sell", 10_000, 50),
        make_offer("east-book", CALL, "sell", 9_000, 50),
    )
    for units, used in ((10, [near.id]), (40, [far.id]), (60, [far.id, near.id])):
        order = make_order("a", {CALL: 1}, 20_000, units=units)
        (plan,) = clear(make_auction(offers=(near, far), orders=(order,)))
        assert [offer for offer, _ in plan.trades] == used


def test_all_or_none_that_is_too_large_stays_open() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 700, 5),)
    order = make_order("a", {CALL: 1}, 2_000, units=6, min_units=6)
    assert clear(make_auction(offers=offers, orders=(order,))) == ()


def test_all_or_none_is_filled_where_the_lots_suffice() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 700, 5), make_offer("east-book", CALL, "sell", 700, 5))
    order = make_order("a", {CALL: 1}, 9_000, units=6, min_units=6)
    (plan,) = clear(make_auction(offers=offers, orders=(order,)))
    assert plan.fills == (("a", 6),)
    assert {offer for offer, _ in plan.trades} == {offer.id for offer in offers}


@pytest.mark.parametrize(
    ("limit", "filled"), [(700 + 50 + 5 + 110 + 3, False), (700 + 50 + 5 + 110 + 4, True)]
)
def test_an_order_is_filled_only_where_its_limit_gains(limit: int, filled: bool) -> None:
    offers = (make_offer("hub-book", CALL, "sell", 700, 5),)
    assert bool(clear(make_auction(offers=offers, orders=(make_order("a", {CALL: 1}, limit),)))) is filled


def test_nothing_asked_or_nothing_offered_is_nothing_done() -> None:
    assert clear(make_auction()) == ()
    assert clear(make_auction(orders=(make_order("a", {CALL: 1}, 9_000),))) == ()
    assert clear_greedily(to_problem(make_auction()), []) == ()


@pytest.mark.parametrize("bridges", [(), (make_bridge("hub", "east"),), (make_bridge("east", "hub"),)])
def test_chains_that_are_not_joined_both_ways_do_not_trade(bridges: Any) -> None:
    bought, sold = make_offer("east-book", CALL, "sell", 7, 9), make_offer("east-book", HIGH, "buy", 9_999, 9)
    orders = (make_order("a", {CALL: 1}, 90_000), make_order("b", {HIGH: -1}, -1))
    assert clear(make_auction(offers=(bought, sold), orders=orders, bridges=bridges)) == ()


@pytest.mark.parametrize("capacity", [{"capacity_cash": 0}, {"capacity_lots": 0}])
def test_a_bridge_without_capacity_carries_nothing(capacity: dict[str, int]) -> None:
    bridges = (make_bridge("hub", "east", **capacity), make_bridge("east", "hub", **capacity))
    offers = (make_offer("east-book", CALL, "sell", 700, 5),)
    order = make_order("a", {CALL: 1}, 90_000, units=5)
    assert clear(make_auction(offers=offers, orders=(order,), bridges=bridges)) == ()


def test_lots_beyond_a_bridge_take_the_spare_route() -> None:
    bridges = (
        make_bridge("east", "hub", capacity_lots=3),
        make_bridge("east", "west", capacity_lots=2),
        make_bridge("west", "hub"),
        make_bridge("hub", "east"),
        make_bridge("hub", "west"),
    )
    offers = (make_offer("east-book", CALL, "sell", 700, 9),)
    order = make_order("a", {CALL: 1}, 90_000, units=5)
    (plan,) = clear(make_auction(offers=offers, orders=(order,), bridges=bridges))
    lots = {bridge: amount for bridge, asset, amount in plan.transfers if asset == CALL}
    assert lots == {"east-hub": 3, "east-west": 2, "west-hub": 2}


@pytest.mark.parametrize(
    "changes",
    [
        {"orders": (make_order("a", {CALL: 1}, 9_000, valid_until=CUT_US // MICRO + 8),)},
        {"offers": (make_offer("hub-book", CALL, "sell", 700, 5, firm_until_us=CUT_US + 8 * MICRO),)},
    ],
)
def test_a_deal_that_would_come_too_late_is_not_planned(changes: dict[str, Any]) -> None:
    """A deal on the hub alone is decided 2 + 1.5 * 1.5 + 5 + 0.5 = 9.75 seconds after the cut."""
    terms: dict[str, Any] = {
        "orders": (make_order("a", {CALL: 1}, 9_000),),
        "offers": (make_offer("hub-book", CALL, "sell", 700, 5),),
    }
    assert len(clear(make_auction(**terms))) == 1
    assert clear(make_auction(**{**terms, **changes})) == ()


def test_offers_go_to_the_greatest_surplus_per_lot() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 700, 5),)
    orders = (
        make_order("large", {CALL: 1}, 2_000, units=5),
        make_order("keen", {CALL: 1}, 3_000, units=2),
    )
    keen, large = clear(make_auction(offers=offers, orders=orders))
    assert keen.fills == (("keen", 2),)
    assert large.fills == (("large", 3),)


def test_peers_share_what_is_paid_once() -> None:
    """Neither order alone pays the way to the east; together they do, at one price."""
    offers = (make_offer("east-book", CALL, "sell", 700, 50),)
    orders = [make_order(name, {CALL: 1}, 2_000, units=7) for name in "ab"]
    auction = make_auction(offers=offers, orders=tuple(orders))
    assert clear(auction) == ()
    problem = to_problem(auction)
    (plan,) = clear_greedily(problem, [list(problem.demands.values())])
    check_plans(auction, [plan])
    assert plan.fills == (("a", 7), ("b", 7))


def test_a_peer_whose_limit_would_not_pay_the_common_price_is_left_out() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 880, 1), make_offer("hub-book", CALL, "sell", 900, 9))
    orders = (make_order("high", {CALL: 1}, 5_000, units=1), make_order("low", {CALL: 1}, 960, units=1))
    auction = make_auction(offers=offers, orders=orders)
    problem = to_problem(auction)
    (plan,) = clear_greedily(problem, [list(problem.demands.values())])
    assert plan.fills == (("high", 1),)


def test_the_reference_bounds_what_a_plan_may_cost() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 700, 4), make_offer("hub-book", CALL, "sell", 900, 9))
    order = make_order("a", {CALL: 1}, 5_000, units=10)
    for price, units in ((10_000, 10), (844, 10), (843, 9), (800, 5), (748, 4), (747, 0)):
        reference = (make_reference("hub", {CALL: 1}, units=20, price=price),)
        plans = clear(make_auction(offers=offers, orders=(order,), reference=reference))
        assert [plan.fills for plan in plans] == ([(("a", units),)] if units else [])


def test_members_of_a_group_must_be_peers() -> None:
    orders = (make_order("a", {CALL: 1}, 9_000), make_order("b", {HIGH: 1}, 9_000))
    problem = to_problem(make_auction(orders=orders))
    with pytest.raises(ProblemError):
        clear_greedily(problem, [list(problem.demands.values())])
    with pytest.raises(ProblemError):
        clear_greedily(problem, [[]])


@pytest.mark.parametrize("seed", range(80))
def test_one_order_at_home_is_filled_as_well_as_by_brute_force(seed: int) -> None:
    """Two venues with their own touch fees: every split of lots, every number of units."""
    rng = Random(seed)
    auction = _home_market(rng, orders=1)
    problem = to_problem(auction)
    plans = clear(auction)
    total = sum(_score(problem, plan) for plan in plans)
    assert total == _best_by_hand(problem)


@pytest.mark.parametrize("seed", range(60))
def test_peers_on_one_venue_are_filled_as_well_as_by_brute_force(seed: int) -> None:
    """Partly fillable, and without a fee per fill, which would make the choice of peers a puzzle."""
    rng = Random(seed)
    auction = _home_market(rng, orders=3, venues=("hub-book",))
    problem = to_problem(auction)
    plans = clear_greedily(problem, [list(problem.demands.values())])
    check_plans(auction, plans)
    assert sum(_score(problem, plan) for plan in plans) == _best_by_hand(problem)


def _home_market(
    rng: Random, *, orders: int, venues: tuple[str, ...] = ("hub-book", "hub-second")
) -> Auction:
    side, sign = rng.choice([("sell", 1), ("buy", -1)])
    offers = [
        make_offer(venue, CALL, side, price, rng.randint(1, 3))
        for venue in venues
        for price in rng.sample(range(700, 760), 2)
    ]
    books = tuple(
        make_venue("hub", id=venue, fee_touch=rng.randint(0, 99), fee_per_lot=rng.randint(0, 9))
        for venue in venues
    )
    demands = []
    for number in range(orders):
        units = rng.randint(1, 4)
        least = rng.choice([1, units]) if orders == 1 else 1
        limit = sign * 730 + rng.randint(-20, 150)
        demands.append(make_order(f"o{number}", {CALL: sign}, limit, units=units, min_units=least))
    reference = ()
    if rng.random() < 0.4:
        price = sign * 730 + rng.randint(0, 120)
        reference = (make_reference("hub", {CALL: sign}, units=12, price=price),)
    return make_auction(
        chains=(make_chain("hub", settle_fee_fill=0 if orders > 1 else 10),),
        bridges=(),
        venues=books,
        offers=tuple(offers),
        orders=tuple(demands),
        reference=reference,
    )


def _score(problem: Problem, plan: Plan) -> int:
    limits = sum(problem.demands[intent].limit * units for intent, units in plan.fills)
    return limits - cash_needs(problem, plan)["hub"]


def _best_by_hand(problem: Problem) -> int:
    """The best score of every number of units of every demand and every lots of every offer."""
    demands, offers = list(problem.demands.values()), list(problem.offers.values())
    choices = [[0, *range(demand.min_units, demand.units + 1)] for demand in demands]
    takes_by_lots: dict[int, list[tuple[int, ...]]] = {}
    for lots in product(*(range(offer.lots + 1) for offer in offers)):
        takes_by_lots.setdefault(sum(lots), []).append(lots)
    reference = next(iter(problem.references.values()), None)
    best = 0
    for units in product(*choices):
        filled = sum(units)
        if not filled:
            continue
        fills = [(demand, n) for demand, n in zip(demands, units, strict=True) if n]
        low = min(demand.limit for demand, _ in fills)
        ceiling = reference_ceiling(low, filled, reference) * filled
        for lots in takes_by_lots.get(filled, ()):
            plan = Plan(
                fills=tuple((demand.intent, n) for demand, n in fills),
                trades=tuple((offer.id, n) for offer, n in zip(offers, lots, strict=True) if n),
            )
            if cash_needs(problem, plan)["hub"] <= ceiling:
                best = max(best, _score(problem, plan))
    return best


@pytest.mark.parametrize("first", [0, 200])
def test_random_rounds_keep_every_rule_together(first: int) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(first, first + 200):
        auction = random_auction(seed)
        problem = to_problem(auction)
        for groups in ([[demand] for demand in problem.demands.values()], peers_of(problem)):
            plans = clear_greedily(problem, groups)
            for answer in check_plans(auction, plans):
                assert answer.score > 0
                kinds["several chains"] += len(answer.chains) > 1
                kinds["several peers"] += len(answer.fills) > 1
    assert kinds["several chains"] > 50
    assert kinds["several peers"] > 5


def test_the_answer_does_not_depend_on_the_order_of_anything() -> None:
    rng = Random(3)

    def shuffled(mapping: Any) -> Any:
        return dict(rng.sample(list(mapping.items()), len(mapping)))

    for seed in range(40):
        problem = to_problem(random_auction(seed))
        mixed = replace(
            problem,
            **{
                name: shuffled(getattr(problem, name))
                for name in ("chains", "bridges", "venues", "offers", "demands", "series_expiry_us")
            },
        )
        assert clear_greedily(mixed, peers_of(mixed)) == clear_greedily(problem, peers_of(problem))


def test_one_venue_plans_trade_on_one_venue() -> None:
    plans = 0
    for seed in range(80):
        auction = random_auction(seed)
        problem = to_problem(auction)
        found = clear_greedily(problem, [[demand] for demand in problem.demands.values()], one_venue=True)
        check_plans(auction, found)
        for plan in found:
            assert len({problem.offers[offer].venue for offer, _ in plan.trades}) == 1
        plans += len(found)
    assert plans > 40
