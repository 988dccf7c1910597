"""Which parts of a plan belong together: the one definition of a connected bid.

Fills, trades and lot transfers belong to the same part when they share a series on a chain, a venue
or a bridge, directly or through others. Cash is no link by itself, or one bid could carry strangers
whose only common point is a chain's purse: USDC transfers that have chains in common form a *cash
group*, and a group serves every part that touches at least two of its chains. All the parts that it
serves are one. Joining can make a part touch more chains and so be served by another group; the rule
is applied until nothing changes, and the result does not depend on the order.

A plan is connected when all of it is one part. A cash group that serves no part belongs to nothing,
and a plan that holds one is not connected.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from chains.units import USDC
from router.problem import Demand, Plan, Problem

Node = tuple[str, ...]
"""What links: a series on a chain, a venue, a bridge, or a chain's cash."""

Item = tuple[str, tuple[Node, ...], tuple[str, ...]]
"""One entry of a plan: "fill", "trade", "lots" or "cash"; the nodes it links; the chains it touches."""


class Links:
    """Nodes and which of them are joined (a disjoint-set forest)."""

    __slots__ = ("_parent",)

    def __init__(self) -> None:
        self._parent: dict[Node, Node] = {}

    def root(self, node: Node) -> Node:
        """The node that stands for everything joined with `node`."""
        parent = self._parent.setdefault(node, node)
        while parent != node:
            self._parent[node] = self._parent[parent]
            node, parent = parent, self._parent[parent]
        return node

    def join(self, nodes: Iterable[Node]) -> None:
        """Join these nodes and everything joined with them; the first one's root stands for all."""
        first, *others = (self.root(node) for node in nodes)
        for other in others:
            self._parent[self.root(other)] = self.root(first)


def fill_nodes(demand: Demand) -> tuple[Node, ...]:
    """The nodes that filling a demand links."""
    return tuple(("series", demand.chain, series) for series, _ in demand.legs)


def trade_nodes(problem: Problem, venue: str, series: str) -> tuple[Node, ...]:
    """The nodes that trading a series on a venue links."""
    return ("venue", venue), ("series", problem.venues[venue].chain, series)


def lots_nodes(problem: Problem, bridge: str, series: str) -> tuple[Node, ...]:
    """The nodes that sending lots of a series over a bridge links."""
    terms = problem.bridges[bridge]
    return ("bridge", bridge), ("series", terms.source, series), ("series", terms.target, series)


def plan_items(problem: Problem, plan: Plan) -> tuple[Item, ...]:
    """The entries of a plan as links: its fills, then its trades, then its transfers, in their order."""
    items: list[Item] = []
    for intent, _ in plan.fills:
        demand = problem.demands[intent]
        items.append(("fill", fill_nodes(demand), (demand.chain,)))
    for offer_id, _ in plan.trades:
        offer = problem.offers[offer_id]
        nodes = trade_nodes(problem, offer.venue, offer.series)
        items.append(("trade", nodes, (problem.venues[offer.venue].chain,)))
    for bridge_id, asset, _ in plan.transfers:
        bridge = problem.bridges[bridge_id]
        ends = bridge.source, bridge.target
        if asset == USDC:
            items.append(("cash", tuple(("cash", chain) for chain in ends), ends))
        else:
            items.append(("lots", lots_nodes(problem, bridge_id, asset), ends))
    return tuple(items)


def link_items(items: Sequence[Item]) -> Links:
    """Join everything that belongs to one part, cash groups with the parts that they serve."""
    links = Links()
    for _, nodes, _ in items:
        links.join(nodes)
    groups: defaultdict[Node, set[str]] = defaultdict(set)
    for kind, nodes, chains in items:
        if kind == "cash":
            groups[links.root(nodes[0])].update(chains)
    while _join_served_parts(links, items, groups):
        pass
    return links


def split_plan(problem: Problem, plan: Plan) -> tuple[Plan, ...]:
    """The connected parts of a plan, in the order in which it first mentions them.

    A cash group that serves no part comes back as a plan of its own, without fills and trades.
    """
    items = plan_items(problem, plan)
    links = link_items(items)
    roots = [links.root(nodes[0]) for _, nodes, _ in items]
    trades_from = len(plan.fills)
    transfers_from = trades_from + len(plan.trades)
    return tuple(
        Plan(
            fills=tuple(
                fill for fill, owner in zip(plan.fills, roots[:trades_from], strict=True) if owner == root
            ),
            trades=tuple(
                trade
                for trade, owner in zip(plan.trades, roots[trades_from:transfers_from], strict=True)
                if owner == root
            ),
            transfers=tuple(
                transfer
                for transfer, owner in zip(plan.transfers, roots[transfers_from:], strict=True)
                if owner == root
            ),
        )
        for root in dict.fromkeys(roots)
    )


def is_connected(problem: Problem, plan: Plan) -> bool:
    """Whether a plan is one part, as a bid must be; an empty plan and cash alone are none."""
    items = plan_items(problem, plan)
    links = link_items(items)
    has_substance = any(kind != "cash" for kind, _, _ in items)
    return has_substance and len({links.root(nodes[0]) for _, nodes, _ in items}) == 1


def _join_served_parts(links: Links, items: Sequence[Item], groups: dict[Node, set[str]]) -> bool:
    """Join each cash group with the parts that it serves; whether that changed anything."""
    touched: defaultdict[Node, set[str]] = defaultdict(set)
    for kind, nodes, chains in items:
        if kind != "cash":
            touched[links.root(nodes[0])].update(chains)
    changed = False
    for group, reach in groups.items():
        served = [root for root, at in touched.items() if len(at & reach) >= 2]
        if any(links.root(root) != links.root(group) for root in served):
            links.join([group, *served])
            changed = True
    return changed
