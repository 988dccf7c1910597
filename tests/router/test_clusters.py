from collections import Counter
from itertools import combinations, permutations
from random import Random

import networkx as nx
import pytest

from chains.units import USDC
from router.clusters import (
    RISK_DENOMINATOR,
    confine_problem,
    join_plans,
    keep_main_bridges,
    split_by_series,
    split_clusters,
)
from router.connection import is_connected
from router.coverage import plan_value
from router.extraction import Worth
from router.greedy import clear_greedily
from router.hops import ANY_SERIES, cheapest_routes, hop_graph
from router.problem import Plan, Problem
from router.reduction import reduce_problem
from solvers.auction import Auction
from solvers.problem import to_problem
from tests.builders import CALL, HIGH, PUT, make_auction, make_bridge, make_offer, make_order
from tests.plan_checks import check_plans
from tests.random_auctions import random_auction


def greedy_plans(problem: Problem) -> tuple[Plan, ...]:
    return clear_greedily(problem, [[demand] for demand in problem.demands.values()])


def worths_of(problem: Problem, plans: tuple[Plan, ...]) -> list[Worth]:
    return [Worth(plan=plan, value=plan_value(problem, plan)) for plan in plans]


def naive_clusters(problem: Problem) -> set[frozenset[str]]:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(problem.demands)
    for one, two in combinations(problem.demands.values(), 2):
        share = {series for series, _ in one.legs} & {series for series, _ in two.legs}
        if share or (one.group and (one.owner, one.group) == (two.owner, two.group)):
            graph.add_edge(one.intent, two.intent)
    return {frozenset(part) for part in nx.connected_components(graph)}


def test_clusters_partition_the_demands_by_what_they_share() -> None:
    several = 0
    for seed in range(80):
        problem = reduce_problem(to_problem(random_auction(seed, orders=9)))
        clusters = split_clusters(problem)
        found = [frozenset(cluster.demands) for cluster in clusters]
        assert len(found) == len(set(found))
        assert set(found) == naive_clusters(problem)
        several += len(clusters) > 1
        money = [
            sum(abs(demand.limit) * demand.units for demand in cluster.demands.values())
            for cluster in clusters
        ]
        assert money == sorted(money, reverse=True)
        for cluster in clusters:
            assert cluster.demands.items() <= problem.demands.items()
            assert cluster.offers.items() <= problem.offers.items()
    assert several >= 10


def test_a_group_keeps_demands_together_that_share_no_series() -> None:
    offers = tuple(make_offer("hub-book", series, "sell", 5, 9) for series in (CALL, HIGH, PUT))
    orders = (
        make_order("a", {CALL: 1}, 9, owner="one", group="either"),
        make_order("b", {HIGH: 1}, 9, owner="one", group="either"),
        make_order("c", {PUT: 1}, 9, owner="two", group="either"),
    )
    clusters = split_clusters(to_problem(make_auction(orders=orders, offers=offers)))
    assert [sorted(cluster.demands) for cluster in clusters] == [["a", "b"], ["c"]]


def test_shares_by_series_recombine_to_all_but_the_cash() -> None:
    """And no two of them share a series; what belongs to no fill is nobody's share."""
    for seed in range(60):
        problem = to_problem(random_auction(seed, orders=9))
        plans = greedy_plans(problem)
        whole = Plan(
            fills=tuple(fill for plan in plans for fill in plan.fills),
            trades=tuple(trade for plan in plans for trade in plan.trades),
            transfers=tuple(transfer for plan in plans for transfer in plan.transfers),
        )
        shares = split_by_series(problem, whole)
        lots = [transfer for transfer in whole.transfers if transfer[1] != USDC]
        assert Counter(fill for share in shares for fill in share.fills) == Counter(whole.fills)
        assert Counter(trade for share in shares for trade in share.trades) == Counter(whole.trades)
        assert Counter(sent for share in shares for sent in share.transfers) == Counter(lots)
        touched = [_series(problem, share) for share in shares]
        assert all(not first & second for first, second in combinations(touched, 2))


def _series(problem: Problem, plan: Plan) -> set[str]:
    series = {leg for intent, _ in plan.fills for leg, _ in problem.demands[intent].legs}
    series |= {problem.offers[offer].series for offer, _ in plan.trades}
    return series | {asset for _, asset, _ in plan.transfers}


def test_trades_in_what_nobody_fills_belong_to_no_share() -> None:
    offers = tuple(make_offer("hub-book", series, "sell", 5, 9) for series in (CALL, HIGH))
    problem = to_problem(make_auction(orders=(make_order("a", {CALL: 1}, 9),), offers=offers))
    call, high = (offer.id for offer in offers)
    (share,) = split_by_series(problem, Plan(fills=(("a", 1),), trades=((call, 1), (high, 2))))
    assert share == Plan(fills=(("a", 1),), trades=((call, 1),))


def test_a_confined_problem_holds_exactly_what_the_plans_use() -> None:
    for seed in range(40):
        problem = to_problem(random_auction(seed))
        plans = greedy_plans(problem)
        confined = confine_problem(problem, plans)
        fills = {intent: units for plan in plans for intent, units in plan.fills}
        lots: Counter[str] = Counter()
        for plan in plans:
            for offer, taken in plan.trades:
                lots[offer] += taken
        assert {name: (each.min_units, each.units) for name, each in confined.demands.items()} == {
            intent: (units, units) for intent, units in fills.items()
        }
        assert {offer.id: offer.lots for offer in confined.offers.values()} == dict(lots)
        assert confined.bridges == problem.bridges


def test_main_bridges_still_hold_the_cheapest_route_for_what_is_moved() -> None:
    """With one order the usual amounts are its own."""
    dropped = 0
    for seed in range(40):
        problem = to_problem(random_auction(seed, orders=1))
        (demand,) = problem.demands.values()
        kept = keep_main_bridges(problem)
        assert kept.bridges.items() <= problem.bridges.items()
        dropped += len(kept.bridges) < len(problem.bridges)
        amounts = [(ANY_SERIES, abs(ratio) * demand.units) for _, ratio in demand.legs[:1]]
        amounts.append((USDC, max(1, abs(demand.limit) * demand.units)))
        if len({abs(ratio) for _, ratio in demand.legs}) > 1:
            del amounts[0]
        graphs = [hop_graph(each.bridges.values(), each.chains) for each in (problem, kept)]
        for ends in permutations(sorted(problem.chains), 2):
            for asset, amount in amounts:
                before, after = (
                    cheapest_routes(graph, ends, asset=asset, amount=amount)[:1] for graph in graphs
                )
                assert before == after
    assert dropped >= 10


def dear_bridges() -> Auction:
    """Two orders on the hub for different series, both sold on the east alone, over dear bridges."""
    offers = tuple(make_offer("east-book", series, "sell", 10_000, 9) for series in (CALL, HIGH))
    orders = (make_order("call", {CALL: 1}, 40_000), make_order("high", {HIGH: 1}, 40_000))
    bridges = tuple(make_bridge(*ends, fee_fixed=5_000) for ends in permutations(("hub", "east"), 2))
    return make_auction(offers=offers, orders=orders, bridges=bridges)


def test_plans_that_share_dear_bridges_become_one_bid() -> None:
    auction = dear_bridges()
    problem = to_problem(auction)
    apart = worths_of(problem, greedy_plans(problem))
    assert len(apart) == 2
    (joined,) = join_plans(problem, apart)
    check_plans(auction, [joined.plan])
    assert sorted(joined.plan.fills) == [("call", 1), ("high", 1)]
    assert joined.value == plan_value(problem, joined.plan)
    assert joined.value - sum(worth.value for worth in apart) >= 2 * 5_000


@pytest.mark.parametrize("limit", [40_000, 10_000_000])
def test_a_join_must_be_worth_its_risk(limit: int) -> None:
    """The same fees are saved, but of the greater bids they are too small a part."""
    auction = dear_bridges()
    orders = tuple(make_order(order.intent, dict(order.legs), limit) for order in auction.orders)
    problem = to_problem(make_auction(offers=auction.offers, orders=orders, bridges=auction.bridges))
    apart = worths_of(problem, greedy_plans(problem))
    assert len(join_plans(problem, apart)) == (1 if limit == 40_000 else 2)


def test_plans_that_share_no_place_stay_apart() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 10_000, 9), make_offer("east-book", HIGH, "sell", 9, 9))
    orders = (make_order("call", {CALL: 1}, 40_000), make_order("high", {HIGH: 1}, 40_000, chain="east"))
    problem = to_problem(make_auction(offers=offers, orders=orders))
    apart = worths_of(problem, greedy_plans(problem))
    assert len(apart) == 2
    assert list(join_plans(problem, apart)) == apart


def market_with_dear_ways(seed: int) -> Auction:
    """Orders of both sides on two chains, liquidity mostly on a third, and every way there is dear."""
    rng = Random(seed)
    names = ("hub", "east", "west")
    offers = {}
    for series in (CALL, HIGH, PUT):
        for side, price in (("sell", 10_000), ("buy", 9_900)):
            venue = rng.choice(["east-book", "east-book", "east-book", "west-book"])
            offer = make_offer(venue, series, side, price + rng.randint(0, 99), rng.randint(2, 9))
            offers[offer.id] = offer
    orders = []
    for number in range(5):
        series, ratio = rng.choice((CALL, HIGH, PUT)), rng.choice([1, 1, -1])
        limit = 10_000 * ratio + rng.randint(10_000, 25_000)
        orders.append(
            make_order(
                f"order-{number}",
                {series: ratio},
                limit,
                units=rng.randint(1, 3),
                chain=rng.choice(["hub", "hub", "west"]),
            )
        )
    bridges = tuple(
        make_bridge(*ends, fee_fixed=rng.choice([2_000, 6_000]), capacity_lots=rng.choice([3, 100]))
        for ends in permutations(names, 2)
    )
    return make_auction(offers=tuple(offers.values()), orders=tuple(orders), bridges=bridges)


def test_joining_keeps_every_fill_and_never_loses_value() -> None:
    """What comes out is jointly compatible, accepted by the market, and clearly better where it joined."""
    joins = 0
    for seed in range(40):
        auction = market_with_dear_ways(seed)
        problem = to_problem(auction)
        apart = worths_of(problem, greedy_plans(problem))
        after = join_plans(problem, apart)
        feasible = check_plans(auction, [worth.plan for worth in after])
        assert [bid.score for bid in feasible] == [worth.value for worth in after]
        assert Counter(fill for worth in after for fill in worth.plan.fills) == Counter(
            fill for worth in apart for fill in worth.plan.fills
        )
        for worth in after:
            parts = [each.value for each in apart if set(each.plan.fills) <= set(worth.plan.fills)]
            assert is_connected(problem, worth.plan)
            if len(parts) == 1:
                assert worth in apart
            else:
                joins += 1
                assert (worth.value - sum(parts)) * RISK_DENOMINATOR > sum(parts)
        assert join_plans(problem, apart) == after
    assert joins >= 15


def test_what_is_gone_is_not_in_a_confined_problem() -> None:
    problem = to_problem(
        make_auction(
            orders=(make_order("a", {CALL: 1}, 60_000), make_order("b", {CALL: 1}, 60_000)),
            offers=(make_offer("hub-book", CALL, "sell", 40_000, 2),),
        )
    )
    offer = next(iter(problem.offers))
    plan = Plan(fills=(("a", 1), ("gone", 1)), trades=((offer, 9), ("gone", 1)))
    confined = confine_problem(problem, [plan])
    assert set(confined.demands) == {"a"}
    assert {each.id: each.lots for each in confined.offers.values()} == {offer: 2}
