"""The one hop-cost model: chains as nodes, bridges as edges, and the cheapest ways between chains.

What a hop costs is always `chains.fees.bridge_fee`, paid on the hop's source chain. Lots arrive as
they were sent. Cash is asked for at the far end: the last bridge carries exactly what is needed there,
and every bridge before it carries that plus the fee of the next hop, so amounts grow towards the
source. A bridge takes part only where its capacity holds what it would carry.

Ties are broken by cost, then the number of hops, then the bridge ids in the order of travel.

Source: uniform-cost search with an admissible bound (Hart, Nilsson and Raphael 1968); the fees are
non-decreasing in the amount, so the bound at the amount asked for is never above the true cost.
"""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import networkx as nx

from chains.fees import bridge_fee
from chains.snapshot import BridgeTerms
from chains.units import BPS, USDC, floor_div

ANY_SERIES: Final = "any series"
"""Stands for the lots of any series where routes are asked for: they all cost the same."""

_HOPS_MAX: Final = 1 << 12
"""More hops than any simple route has: keeps the number of hops below one micro-USDC in a sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A simple route between two chains.

    Attributes
    ----------
    chains : the chains passed, source and target included; one chain alone needs no bridge
    bridges : bridge ids in the order of travel
    amounts : what each bridge carries: lots, or micro-USDC
    cost : micro-USDC of fees over all hops, and the tolls that the caller asked for
    """

    chains: tuple[str, ...]
    bridges: tuple[str, ...] = ()
    amounts: tuple[int, ...] = ()
    cost: int = 0


def hop_graph(bridges: Iterable[BridgeTerms], chains: Iterable[str]) -> "nx.MultiDiGraph[str]":
    """The graph of hops: nodes are chain ids, edges are keyed by bridge id and hold ``bridge``.

    Nodes and edges are inserted in sorted order, so that every walk over the graph is deterministic.
    """
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    graph.add_nodes_from(sorted(chains))
    for bridge in sorted(bridges, key=lambda bridge: bridge.id):
        graph.add_edge(bridge.source, bridge.target, key=bridge.id, bridge=bridge)
    return graph


def hop_fee(bridge: BridgeTerms, asset: str, amount: int) -> int | None:
    """What one hop costs on its source chain (micro-USDC); None where the capacity is too small."""
    if asset == USDC:
        return bridge_fee(bridge, cash=amount, lots=0) if amount <= bridge.capacity_cash else None
    return bridge_fee(bridge, cash=0, lots=amount) if amount <= bridge.capacity_lots else None


def affordable_cash(bridge: BridgeTerms, budget: int, *, lots: int = 0) -> int:
    """The most micro-USDC that can be sent when amount and further fees must not exceed `budget`.

    `lots` are sent over the same bridge anyway: they have paid its fixed fee. Capacity is left to
    the caller. Rounds down, against the sender.
    """
    if lots == 0:
        budget -= bridge.fee_fixed
    return floor_div(budget * BPS, BPS + bridge.fee_cash_bps) if budget > 0 else 0


def cheapest_routes(
    graph: "nx.MultiDiGraph[str]",
    ends: tuple[str, str],
    *,
    asset: str,
    amount: int,
    k: int = 1,
    tolls: Mapping[str, int] | None = None,
) -> tuple[Route, ...]:
    """The `k` cheapest simple routes on which `amount` of `asset` arrives, cheapest first.

    `ends` are the (source, target) chain ids; `asset` is ``USDC`` in micro-USDC, or a series id in
    lots. `tolls` are micro-USDC counted for every chain passed on the way (not for the ends), for
    example what settling there costs.

    Returns
    -------
    Fewer than `k` routes, or none, where there are no more.
    """
    source, target = ends
    if source == target:
        return (Route(chains=(source,)),)
    search = _Search(graph=graph, ends=ends, asset=asset, amount=amount, tolls=tolls or {})
    return tuple(islice(search.routes(), k))


def cash_parents(
    graph: "nx.MultiDiGraph[str]",
    root: str,
    *,
    outward: bool,
    amount: int,
    tolls: Mapping[str, int],
    closed: Collection[str] = (),
) -> dict[str, str]:
    """The next chain towards `root` of every chain that it reaches cheapest with cash.

    `outward` asks for routes from the root, otherwise for routes to it; every hop is measured at
    `amount` micro-USDC, whatever its capacity, plus the toll of the chain that is entered; `closed`
    bridges are not used. The order is that of growing hops, so a chain comes after its parent.
    """

    def weigh(_: str, chain: str, edges: Mapping[str, Mapping[str, Any]]) -> int | None:
        open_bridges = [edge["bridge"] for name, edge in edges.items() if name not in closed]
        fee = min((bridge_fee(bridge, cash=amount, lots=0) for bridge in open_bridges), default=None)
        return None if fee is None else (fee + tolls.get(chain, 0)) * _HOPS_MAX + 1

    directed = graph if outward else graph.reverse(copy=False)
    paths = nx.single_source_dijkstra_path(directed, root, weight=weigh)
    by_hops = sorted(paths.items(), key=lambda item: len(item[1]))
    return {chain: path[-2] for chain, path in by_hops if chain != root}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """Uniform-cost search backwards from the target, where the amount is known."""

    graph: "nx.MultiDiGraph[str]"
    ends: tuple[str, str]
    asset: str
    amount: int
    tolls: Mapping[str, int]

    def routes(self) -> Iterator[Route]:
        """Every simple route, in the order of its cost, then of its hops, then of its bridges' ids.

        A route comes after all of its beginnings that cost as little, since they have fewer hops.
        """
        source, target = self.ends
        bounds = self._bounds()
        heap: list[tuple[int, int, tuple[str, ...], Route, int]] = []
        if target in bounds:
            heap.append((bounds[target], 0, (), Route(chains=(target,)), self.amount))
        while heap:
            *_, route, amount = heapq.heappop(heap)
            if route.chains[0] == source:
                yield route
                continue
            for longer, needed in self._prolong(route, amount):
                if longer.chains[0] in bounds:
                    estimate = longer.cost + bounds[longer.chains[0]]
                    hops = len(longer.bridges)
                    heapq.heappush(heap, (estimate, hops, longer.bridges, longer, needed))

    def _prolong(self, route: Route, amount: int) -> Iterator[tuple[Route, int]]:
        """Routes one hop longer, with what their first chain must hold; tolls are paid on leaving."""
        head = route.chains[0]
        toll = self.tolls.get(head, 0) if route.bridges else 0
        for chain, _, edge in self.graph.in_edges(head, data=True):
            bridge: BridgeTerms = edge["bridge"]
            fee = None if chain in route.chains else hop_fee(bridge, self.asset, amount)
            if fee is not None:
                longer = Route(
                    chains=(chain, *route.chains),
                    bridges=(bridge.id, *route.bridges),
                    amounts=(amount, *route.amounts),
                    cost=route.cost + toll + fee,
                )
                yield longer, amount + fee if self.asset == USDC else amount

    def _bounds(self) -> dict[str, int]:
        """For every chain, less than or as much as any route from the source to it costs."""
        source, target = self.ends

        def weigh(_: str, chain: str, edges: Mapping[str, Mapping[str, Any]]) -> int | None:
            fees = [hop_fee(edge["bridge"], self.asset, self.amount) for edge in edges.values()]
            fitting = [fee for fee in fees if fee is not None]
            toll = self.tolls.get(chain, 0) if chain != target else 0
            return min(fitting) + toll if fitting else None

        lengths = nx.single_source_dijkstra_path_length(self.graph, source, weight=weigh)
        return {chain: int(length) for chain, length in lengths.items()}
