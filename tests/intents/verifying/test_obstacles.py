"""The verifier's own view of what an order could have got alone, by hand and beside the router's."""

from intents.verifying.obstacles import Ground, Market
from intents.verifying.sheet import Sheet
from router.alone import Alone, filling_limit
from router.reach import Reach
from solvers.obstacles import Obstacles
from solvers.problem import to_problem
from tests.builders import CALL, HIGH, make_auction, make_offer, make_order
from tests.random_auctions import random_auction


def market_of(**changes: object) -> Market:
    """The market for order ``a``, which must leave a plan possible."""
    auction = make_auction(**changes)
    found = Ground(Sheet(auction)).find(auction.orders[0], {})
    assert isinstance(found, Market), found
    return found


def test_on_its_own_chain_the_least_is_what_the_plainest_plan_costs() -> None:
    """Two lots at 700 + 5 + 3 and one at 800 + 5 + 3, and 160 once, for three units: 794.67 each."""
    offers = (make_offer("hub-book", CALL, "sell", 700, 2), make_offer("hub-book", CALL, "sell", 800, 9))
    market = market_of(orders=(make_order("a", {CALL: 1}, 900, units=3, min_units=3),), offers=offers)
    assert market.least_limit() == market.home_limit() == 795


def test_a_package_pays_whole_micro_usdc_per_reduced_unit() -> None:
    """Three lots for 2,284 in all are 761.33 each, so 762 each, 2,286 for a unit."""
    offers = (make_offer("hub-book", CALL, "sell", 700, 9),)
    market = market_of(orders=(make_order("a", {CALL: 3}, 9_000),), offers=offers)
    assert market.home_limit() == 2_286


def test_another_chain_costs_a_deal_a_bridge_and_no_plan_at_home() -> None:
    offers = (make_offer("east-book", HIGH, "sell", 600, 9),)
    market = market_of(orders=(make_order("a", {HIGH: 1}, 9_000),), offers=offers)
    assert market.home_limit() is None
    lots = 600 + 5 + 20 + 3
    once = (100 + 10 + 1_000) + (100 + 1_000) + 50 + 5_000
    assert market.least_limit() == lots + once + 1


def test_what_is_possible_is_the_same_whoever_works_it_out() -> None:
    searched = 0
    for seed in range(120):
        auction = random_auction(seed)
        ground, problem = Ground(Sheet(auction)), to_problem(auction)
        reach, alone, obstacles = Reach(problem), Alone(problem), Obstacles(problem, searches_max=10**6)
        filled = {auction.orders[0].intent: 1}
        for order in auction.orders:
            demand = problem.demands[order.intent]
            found = ground.find(order, filled)
            reason, numbers = obstacles.find(demand, filled=filled)
            if not isinstance(found, Market):
                assert found == (reason, (numbers.where, numbers.found, numbers.allowed))
                continue
            searched += 1
            assert found.least_limit() == reach.least_limit(demand, reach.legs(demand))
            home, cheapest = found.home_limit(), alone.cheapest(demand)
            if home is not None:
                assert cheapest is not None
                assert filling_limit(demand, cheapest) <= home
    assert searched > 60
