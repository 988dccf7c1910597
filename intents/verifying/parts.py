"""Is a bid one thing? It wins or loses whole, so what could be two bids must be two.

Fills, trades and transfers of lots hang together where they share a series on a chain, a venue or a
bridge. Cash transfers that share chains form a group, which joins all the parts that touch at least
two of its chains, and must serve one.
"""

from collections.abc import Iterable

import networkx as nx

from intents.verifying.sheet import Sheet, require
from solvers.bid import Bid

Node = tuple[str, ...]
"""A fill, a venue, a bridge, or a series ``("at", chain, series)``."""


def check_connected(sheet: Sheet, bid: Bid) -> None:
    """Refuse a bid of no part, of several, or with cash that serves none."""
    graph, cash = _lay_out(sheet, bid)
    while _join_by_cash(graph, cash):
        pass
    parts = list(nx.connected_components(graph))
    require(len(parts) == 1, "disconnected", f"{len(parts)} parts")
    for group in nx.connected_components(cash):
        served = len(_chains_of(parts[0]) & group) > 1
        require(served, "disconnected", f"cash over {sorted(group)} serves nothing")


def _lay_out(sheet: Sheet, bid: Bid) -> tuple["nx.Graph[Node]", "nx.Graph[str]"]:
    graph: nx.Graph[Node] = nx.Graph()
    for fill in bid.fills:
        order = sheet.orders[fill.intent]
        places = (("at", order.chain, series) for series, _ in order.legs or ())
        nx.add_path(graph, [("fill", order.intent), *places])
    for trade in bid.trades:
        offer = sheet.offers[trade.offer]
        graph.add_edge(("venue", offer.venue), ("at", sheet.venues[offer.venue].chain, offer.series))
    cash: nx.Graph[str] = nx.Graph()
    for transfer in bid.transfers:
        bridge = sheet.bridges[transfer.bridge]
        if transfer.asset == "USDC":
            cash.add_edge(bridge.source, bridge.target)
        else:
            start, end = (("at", chain, transfer.asset) for chain in (bridge.source, bridge.target))
            nx.add_path(graph, [start, ("bridge", bridge.id), end])
    return graph, cash


def _chains_of(part: Iterable[Node]) -> set[str]:
    return {node[1] for node in part if node[0] == "at"}


def _join_by_cash(graph: "nx.Graph[Node]", cash: "nx.Graph[str]") -> bool:
    """Join the first two parts that one group of cash transfers serves; False where there are none."""
    parts = list(nx.connected_components(graph))
    for group in nx.connected_components(cash):
        served = [part for part in parts if len(_chains_of(part) & group) > 1]
        if len(served) > 1:
            graph.add_edge(min(served[0]), min(served[1]))
            return True
    return False
