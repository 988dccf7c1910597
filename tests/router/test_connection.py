from collections import Counter
from itertools import combinations, permutations
from random import Random

import networkx as nx

from chains.units import USDC
from router.connection import is_connected, split_plan
from router.problem import Plan, Problem
from solvers.problem import to_problem
from tests.builders import (
    CALL,
    HIGH,
    PUT,
    make_auction,
    make_bridge,
    make_chain,
    make_offer,
    make_order,
    make_venue,
)


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


def random_plan(rng: Random, problem: Problem) -> Plan:
    """Anything at all, feasible or not: connection is a matter of what is named."""
    assets = (CALL, HIGH, PUT, USDC, USDC)
    pairs = [(bridge, asset) for bridge in problem.bridges for asset in assets[:4]]
    cash = [pair for pair in pairs if pair[1] == USDC]
    transfers = {*rng.sample(pairs, rng.randint(0, 3)), *rng.sample(cash, rng.randint(0, 3))}
    return Plan(
        fills=tuple((intent, 1) for intent in rng.sample(sorted(problem.demands), rng.randint(0, 3))),
        trades=tuple((name, 1) for name in rng.sample(sorted(problem.offers), rng.randint(0, 3))),
        transfers=tuple((bridge, asset, 1) for bridge, asset in sorted(transfers)),
    )


def wide_market() -> Problem:
    names = ("hub", "east", "west", "north")
    venues = tuple(make_venue(name) for name in names)
    series = (CALL, HIGH, PUT)
    legs = [{name: 1} for name in series] + [{CALL: 1, PUT: -1}]
    return to_problem(
        make_auction(
            chains=tuple(make_chain(name) for name in names),
            bridges=tuple(make_bridge(*ends) for ends in permutations(names, 2)),
            venues=venues,
            offers=tuple(make_offer(venue.id, name, "sell", 9, 9) for venue in venues for name in series),
            orders=tuple(
                make_order(f"{chain}-{number}", each, 9, chain=chain)
                for chain in names
                for number, each in enumerate(legs)
            ),
        )
    )


Entry = tuple[str, tuple[object, ...]]


def naive_entries(problem: Problem, plan: Plan) -> dict[Entry, tuple[set[object], set[str]]]:
    """Each entry of a plan but the cash, with what it shares with others and the chains it touches."""
    entries: dict[Entry, tuple[set[object], set[str]]] = {}
    for fill in plan.fills:
        demand = problem.demands[fill[0]]
        entries["fill", fill] = {(demand.chain, series) for series, _ in demand.legs}, {demand.chain}
    for trade in plan.trades:
        offer = problem.offers[trade[0]]
        chain = problem.venues[offer.venue].chain
        entries["trade", trade] = {offer.venue, (chain, offer.series)}, {chain}
    for transfer in plan.transfers:
        bridge, series = problem.bridges[transfer[0]], transfer[1]
        ends = {bridge.source, bridge.target}
        if series != USDC:
            entries["transfer", transfer] = {bridge.id, *((end, series) for end in ends)}, ends
    return entries


def naive_parts(problem: Problem, plan: Plan) -> set[frozenset[Entry]]:
    """The parts by a graph over the entries, and one over the chains that cash ties, joined by hand."""
    entries = naive_entries(problem, plan)
    graph: nx.Graph[Entry] = nx.Graph()
    graph.add_nodes_from(entries)
    graph.add_edges_from(
        pair for pair in combinations(entries, 2) if entries[pair[0]][0] & entries[pair[1]][0]
    )
    cash: nx.Graph[str] = nx.Graph()
    sent = [transfer for transfer in plan.transfers if transfer[1] == USDC]
    for bridge, _, _ in sent:
        cash.add_edge(problem.bridges[bridge].source, problem.bridges[bridge].target)
    groups = [
        (reach, [("transfer", each) for each in sent if problem.bridges[each[0]].source in reach])
        for reach in map(set, nx.connected_components(cash))
    ]
    parts = [set(part) for part in nx.connected_components(graph)]
    parts += [set(members) for _, members in groups]
    for _ in range(len(parts)):
        for reach, members in groups:
            served = [
                part
                for part in parts
                if members[0] in part
                or len(reach & {chain for entry in part & entries.keys() for chain in entries[entry][1]}) >= 2
            ]
            parts = [part for part in parts if part not in served] + [set().union(*served)]
    return {frozenset(part) for part in parts}


def entries_of(plan: Plan) -> list[Entry]:
    kinds = (("fill", plan.fills), ("trade", plan.trades), ("transfer", plan.transfers))
    return [(kind, entry) for kind, entries in kinds for entry in entries]


def test_parts_are_those_of_a_naive_graph_and_recombine_to_the_plan() -> None:
    problem, rng = wide_market(), Random(5)
    seen: Counter[int] = Counter()
    for _ in range(600):
        plan = random_plan(rng, problem)
        parts = split_plan(problem, plan)
        assert Counter(entry for part in parts for entry in entries_of(part)) == Counter(entries_of(plan))
        assert {frozenset(entries_of(part)) for part in parts} == naive_parts(problem, plan)
        seen[len(parts)] += 1
        for part in parts:
            assert split_plan(problem, part) == (part,)
            substance = part.fills or part.trades or any(asset != USDC for _, asset, _ in part.transfers)
            assert is_connected(problem, part) is bool(substance)
        if len(parts) > 1:
            assert not is_connected(problem, plan)
    assert min(seen[1], seen[2], seen[3]) >= 30
