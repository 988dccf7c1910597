"""How the pieces of a bid hang together: separate parts, and circles.

A bid wins or loses whole, so what could be two bids must be two: otherwise a solver could tie a poor
fill to a good one. What belongs together is defined once, in `router.connection`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx

from router.connection import link_items, plan_items
from router.problem import Plan, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How many separate parts a plan has, and the chains of USDC transfers that serve none of them."""

    parts: int
    idle: tuple[str, ...]


def find_connection(problem: Problem, plan: Plan) -> Connection:
    """Count the parts of a plan that fill, trade or send lots, and find the cash that serves none."""
    items = plan_items(problem, plan)
    links = link_items(items)
    parts = {links.root(nodes[0]) for kind, nodes, _ in items if kind != "cash"}
    idle = {
        chain
        for kind, nodes, chains in items
        if kind == "cash" and links.root(nodes[0]) not in parts
        for chain in chains
    }
    return Connection(parts=len(parts), idle=tuple(sorted(idle)))


def find_cycle(hops: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The chains that one asset's (source, target) hops go round in circles over; empty if none."""
    graph: nx.DiGraph[str] = nx.DiGraph(list(hops))
    turning = [group for group in nx.strongly_connected_components(graph) if len(group) > 1]
    loops = {chain for chain, _ in nx.selfloop_edges(graph)}
    return tuple(sorted(loops.union(*turning)))
