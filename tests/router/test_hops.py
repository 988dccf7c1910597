from collections.abc import Iterator
from itertools import permutations
from random import Random

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.fees import bridge_fee
from chains.snapshot import BridgeTerms
from chains.units import USDC
from router.hops import ANY_SERIES, Route, _Search, affordable_cash, cash_parents, cheapest_routes, hop_graph
from tests.builders import make_bridge

NAMES = ("a", "b", "c", "d", "e")


def random_bridges(rng: Random, count: int = 10) -> list[BridgeTerms]:
    bridges = []
    for number in range(count):
        source, target = rng.sample(NAMES, 2)
        bridges.append(
            make_bridge(
                source,
                target,
                id=f"bridge-{number}",
                fee_fixed=rng.choice([0, 0, 3, 50]),
                fee_cash_bps=rng.choice([0, 10, 500]),
                fee_per_lot=rng.choice([0, 2, 9]),
                capacity_cash=rng.choice([900, 10**9]),
                capacity_lots=rng.choice([3, 1_000]),
            )
        )
    return bridges


def every_route(bridges: list[BridgeTerms], source: str, target: str) -> list[list[BridgeTerms]]:
    """All simple routes, by plain recursion."""

    def walk(chain: str, seen: tuple[str, ...]) -> list[list[BridgeTerms]]:
        if chain == target:
            return [[]]
        return [
            [bridge, *rest]
            for bridge in bridges
            if bridge.source == chain and bridge.target not in seen
            for rest in walk(bridge.target, (*seen, bridge.target))
        ]

    return walk(source, (source,))


def route_cost(route: list[BridgeTerms], asset: str, amount: int, tolls: dict[str, int]) -> int | None:
    """What a route costs, from the far end inwards; None where something does not fit."""
    total = sum(tolls.get(bridge.target, 0) for bridge in route[:-1])
    for bridge in reversed(route):
        cash, lots = (amount, 0) if asset == USDC else (0, amount)
        if cash > bridge.capacity_cash or lots > bridge.capacity_lots:
            return None
        fee = bridge_fee(bridge, cash=cash, lots=lots)
        total += fee
        amount += fee if asset == USDC else 0
    return total


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("asset", [USDC, ANY_SERIES])
def test_routes_are_the_cheapest_of_all_simple_routes(seed: int, asset: str) -> None:
    rng = Random(seed)
    bridges = random_bridges(rng)
    tolls = {name: rng.choice([0, 7]) for name in NAMES}
    graph = hop_graph(bridges, NAMES)
    for amount in (1, 4, 880):
        costed = [
            (cost, len(route), tuple(bridge.id for bridge in route))
            for route in every_route(bridges, "a", "e")
            if (cost := route_cost(route, asset, amount, tolls)) is not None
        ]
        found = cheapest_routes(graph, ("a", "e"), asset=asset, amount=amount, k=4, tolls=tolls)
        assert [(route.cost, len(route.bridges), route.bridges) for route in found] == sorted(costed)[:4]


def test_cash_grows_towards_the_source_by_the_fee_of_every_hop() -> None:
    bridges = [
        make_bridge("a", "b", fee_fixed=100, fee_cash_bps=10),
        make_bridge("b", "c", fee_fixed=70, fee_cash_bps=100),
    ]
    (route,) = cheapest_routes(hop_graph(bridges, "abc"), ("a", "c"), asset=USDC, amount=10_001)
    # the far hop costs 70 + ceil(100.01) = 171; the near one carries 10172 and costs 100 + ceil(10.172)
    assert route.amounts == (10_172, 10_001)
    assert route.cost == 171 + 111
    assert route.chains == ("a", "b", "c")


def test_lots_arrive_as_they_were_sent() -> None:
    bridges = [make_bridge("a", "b"), make_bridge("b", "c")]
    (route,) = cheapest_routes(hop_graph(bridges, "abc"), ("a", "c"), asset=ANY_SERIES, amount=5)
    assert route.amounts == (5, 5)
    assert route.cost == 2 * (5_000 + 5 * 20)


def test_capacity_holds_for_what_the_bridge_itself_carries() -> None:
    far = make_bridge("b", "c", fee_fixed=100, fee_cash_bps=0)
    enough = make_bridge("a", "b", capacity_cash=1_100)
    short = make_bridge("a", "b", capacity_cash=1_099)
    ends = ("a", "c")
    assert cheapest_routes(hop_graph([far, enough], "abc"), ends, asset=USDC, amount=1_000)
    assert not cheapest_routes(hop_graph([far, short], "abc"), ends, asset=USDC, amount=1_000)


def test_the_same_chain_needs_no_bridge() -> None:
    graph = hop_graph([], ["a"])
    assert cheapest_routes(graph, ("a", "a"), asset=USDC, amount=9) == (Route(chains=("a",)),)


def test_chains_that_nothing_joins_have_no_route() -> None:
    graph = hop_graph([make_bridge("b", "a")], "ab")
    assert cheapest_routes(graph, ("a", "b"), asset=USDC, amount=1) == ()


def test_equal_costs_go_to_fewer_hops_then_to_bridge_ids() -> None:
    free = {"fee_fixed": 0, "fee_cash_bps": 0, "fee_per_lot": 0}
    bridges = [
        make_bridge("a", "b", id="x", **free),
        make_bridge("b", "c", id="y", **free),
        make_bridge("a", "c", id="z", **free),
        make_bridge("a", "c", id="w", **free),
    ]
    routes = cheapest_routes(hop_graph(bridges, "abc"), ("a", "c"), asset=ANY_SERIES, amount=1, k=3)
    assert [route.bridges for route in routes] == [("w",), ("z",), ("x", "y")]


def test_many_equally_cheap_routes_are_not_all_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve chains with a free bridge between any two have ten million routes from one to another."""
    free = {"fee_fixed": 0, "fee_cash_bps": 0, "fee_per_lot": 0}
    names = "abcdefghijkl"
    bridges = [make_bridge(a, b, id=f"{a}{b}", **free) for a, b in permutations(names, 2)]
    prolonged = 0
    prolong = _Search._prolong

    def count(search: _Search, route: Route, amount: int) -> Iterator[tuple[Route, int]]:
        nonlocal prolonged
        prolonged += 1
        return prolong(search, route, amount)

    monkeypatch.setattr(_Search, "_prolong", count)
    routes = cheapest_routes(hop_graph(bridges, names), ("a", "b"), asset=ANY_SERIES, amount=1, k=3)
    assert [route.bridges for route in routes] == [("ab",), ("ac", "cb"), ("ad", "db")]
    assert prolonged < 100


def test_routes_do_not_depend_on_the_order_of_the_bridges() -> None:
    rng = Random(7)
    bridges = random_bridges(rng, 14)
    mixed = rng.sample(bridges, len(bridges))
    for amount in (1, 50):
        first = cheapest_routes(hop_graph(bridges, NAMES), ("a", "d"), asset=USDC, amount=amount, k=5)
        second = cheapest_routes(hop_graph(mixed, NAMES), ("a", "d"), asset=USDC, amount=amount, k=5)
        assert first == second


@given(
    budget=st.integers(-10, 10**12),
    fixed=st.integers(0, 10**6),
    bps=st.integers(0, 10_000),
    lots=st.integers(0, 3),
)
def test_affordable_cash_is_the_most_that_the_budget_pays_for(
    budget: int, fixed: int, bps: int, lots: int
) -> None:
    bridge = make_bridge("a", "b", fee_fixed=fixed, fee_cash_bps=bps)

    def spent(cash: int) -> int:
        return cash + bridge_fee(bridge, cash=cash, lots=lots) - bridge_fee(bridge, cash=0, lots=lots)

    most = affordable_cash(bridge, budget, lots=lots)
    assert most >= 0
    assert most == 0 or spent(most) <= budget
    assert spent(most + 1) > budget


def test_every_chain_after_its_parent_and_every_parent_towards_the_root() -> None:
    for seed in range(30):
        bridges = random_bridges(Random(seed))
        graph = hop_graph(bridges, NAMES)
        for outward in (True, False):
            parents = cash_parents(graph, "a", outward=outward, amount=500, tolls={})
            reached = nx.descendants(graph, "a") if outward else nx.ancestors(graph, "a")
            assert set(parents) == reached
            seen = {"a"}
            for chain, parent in parents.items():
                assert parent in seen
                assert graph.has_edge(*((parent, chain) if outward else (chain, parent)))
                seen.add(chain)


def test_cash_parents_follow_the_cheapest_way_and_its_tolls() -> None:
    bridges = [
        make_bridge("a", "b", fee_fixed=10),
        make_bridge("b", "c", fee_fixed=10),
        make_bridge("a", "c", fee_fixed=25),
    ]
    graph = hop_graph(bridges, "abc")
    assert cash_parents(graph, "a", outward=True, amount=0, tolls={}) == {"b": "a", "c": "a"}
    for amount, toll, closed, parent in (
        (100, 0, (), "b"),
        (100, 6, (), "a"),
        (100, 6, ("a-c",), "b"),
        (100, 0, ("b-c",), "a"),
    ):
        parents = cash_parents(graph, "a", outward=True, amount=amount, tolls={"b": toll}, closed=closed)
        assert parents["c"] == parent
