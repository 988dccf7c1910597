"""From a solution of the joint model to exact plans.

A solution is floats. Here units and lots become integers (or the solution is sent back as not whole),
circles of lots and of cash are cancelled, and the answer is split into its connected parts, each of
which could be a bid. Their cash is settled again in integers, part by part, and only parts that are
covered, funded and in time, and worth something, are kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from chains.units import USDC
from router.cash import settle_cash
from router.connection import is_connected, split_plan
from router.coverage import fed_chains, gather_peers, left_over, plan_value
from router.model import JointModel, Part
from router.needs import cash_needs
from router.problem import Plan, Problem
from router.timing import is_in_time

WHOLE_TOLERANCE = 1e-4
"""How far from an integer a value may be and still be read as one; back ends work to about 1e-6."""

Circle = tuple[str, tuple[str, ...]]
"""An asset, and the bridges over which it goes round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one part of a solution does: a plan, perhaps in pieces, whose cash is only about right.

    `circles` are what went round and was cancelled.
    """

    plan: Plan
    circles: tuple[Circle, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """A plan that could be a bid, with its value in micro-USDC."""

    plan: Plan
    value: int


def is_whole(model: JointModel, values: NDArray[np.float64]) -> bool:
    """Whether all lots traded and sent are integers."""
    flows = values[list(model.flows())]
    return bool(np.all(np.abs(flows - np.rint(flows)) <= WHOLE_TOLERANCE))


def read_part(model: JointModel, part: Part, values: NDArray[np.float64]) -> Reading:
    """Read one part of a solution whose lots are whole."""
    problem = model.problem

    def amount(column: int) -> int:
        return round(float(values[column]))

    fills = ((intent, amount(column) * units) for intent, (column, units) in part.units.items())
    trades = ((offer, amount(column)) for offer, column in part.trades.items())
    flows: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (bridge, series), column in part.lots.items():
        flows[series][bridge] = amount(column)
    for bridge, column in part.cash.items():
        flows[USDC][bridge] = round(float(values[column]) * model.unit)
    circles = [
        (asset, circle) for asset, flow in sorted(flows.items()) for circle in cancel_circles(problem, flow)
    ]
    plan = Plan(
        fills=tuple(fill for fill in fills if fill[1]),
        trades=tuple(trade for trade in trades if trade[1]),
        transfers=tuple(
            (bridge, asset, carried)
            for asset, flow in sorted(flows.items())
            for bridge, carried in flow.items()
            if carried > 0
        ),
    )
    return Reading(plan=plan, circles=tuple(circles))


def cancel_circles(problem: Problem, flow: dict[str, int]) -> list[tuple[str, ...]]:
    """Take the directed circles out of one asset's amounts by bridge; what went round which bridges.

    Every chain receives and sends on as much as before, net.
    """
    circles = []
    while circle := _find_circle(problem, flow):
        smallest = min(flow[bridge] for bridge in circle)
        for bridge in circle:
            flow[bridge] -= smallest
        circles.append(circle)
    return circles


def settle_parts(problem: Problem, plan: Plan) -> Iterator[Worth]:
    """The connected parts of a plan that could be bids, each with its cash made exact."""
    for piece in split_plan(problem, plan):
        if piece.fills:
            yield from _settle_piece(problem, piece)


def _settle_piece(problem: Problem, piece: Plan) -> list[Worth]:
    """A connected piece as one bid, or as several where cash without a use is all that ties it together."""
    apart = _worth(problem, split_plan(problem, settle_cash(problem, piece)))
    if len(apart) == 1 and len(apart[0].plan.fills) == len(piece.fills):
        return apart
    tied = _worth(problem, [settle_cash(problem, piece, least=1)])
    return max(apart, tied, key=lambda worths: sum(worth.value for worth in worths))


def _worth(problem: Problem, plans: Iterable[Plan]) -> list[Worth]:
    return [Worth(plan=plan, value=plan_value(problem, plan)) for plan in plans if is_sound(problem, plan)]


def is_sound(problem: Problem, plan: Plan) -> bool:
    """Whether a plan that keeps all capacities and balances is a bid: connected, covered and in time."""
    if not plan.fills or not is_connected(problem, plan) or _matches_owner(problem, plan):
        return False
    left = left_over(problem, plan, cash_needs(problem, plan))
    return min(left.values()) >= 0 and not _misplaces_cash(problem, plan, left) and is_in_time(problem, plan)


def _misplaces_cash(problem: Problem, plan: Plan, left: Mapping[str, int]) -> bool:
    """Whether cash from fills reaches other fills that leave a micro-USDC per reduced unit over."""
    fed = fed_chains(problem, plan)
    return any(
        left[chain] >= sum(group.units for group in peers)
        for chain, peers in gather_peers(problem, plan).items()
        if chain in fed
    )


def _matches_owner(problem: Problem, plan: Plan) -> bool:
    """Whether one owner would both buy and sell a series."""
    sides: set[tuple[str, str, bool]] = set()
    for intent, _ in plan.fills:
        demand = problem.demands[intent]
        sides.update((demand.owner, series, ratio > 0) for series, ratio in demand.legs)
    return any((owner, series, not buys) in sides for owner, series, buys in sides)


def _find_circle(problem: Problem, flow: dict[str, int]) -> tuple[str, ...]:
    """The bridges of one directed circle, or none."""
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for bridge, amount in flow.items():
        if amount > 0:
            graph.add_edge(problem.bridges[bridge].source, problem.bridges[bridge].target, key=bridge)
    try:
        return tuple(bridge for _, _, bridge in nx.find_cycle(graph))
    except nx.NetworkXNoCycle:
        return ()
