"""What a plan is worth, and whether its fills may pay for it: exact, in micro-USDC.

On a chain with fills, the ceilings of the peers there must cover the cash need; on a chain without
fills nothing may be needed. The value of a plan is the sum of limits times units less the needs of the
chains with fills; what is left over elsewhere counts for nothing.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import networkx as nx

from chains.package import Package, reduce_legs
from chains.units import USDC
from router.needs import cash_needs
from router.peers import lowest_limit, reference_ceiling
from router.problem import Plan, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """All fills of one package on one chain in a bid; amounts are micro-USDC per reduced unit.

    Attributes
    ----------
    units : reduced units filled in all
    low : the lowest filled limit, rounded down
    ceiling : the most that these fills may pay; never above `low`
    """

    chain: str
    package: Package
    units: int
    low: int
    ceiling: int

    @property
    def ceiling_total(self) -> int:
        """Micro-USDC that the fills bring at their ceiling."""
        return self.ceiling * self.units

    @property
    def low_total(self) -> int:
        """Micro-USDC that the fills would bring at the lowest limit, without any reference."""
        return self.low * self.units


def gather_peers(problem: Problem, plan: Plan) -> dict[str, tuple[Peers, ...]]:
    """The peers of a plan by chain, both sorted; chains without fills are not there."""
    units: defaultdict[tuple[str, Package], int] = defaultdict(int)
    lows: dict[tuple[str, Package], int] = {}
    for intent, filled in plan.fills:
        demand = problem.demands[intent]
        package, factor = reduce_legs(demand.legs)
        key = demand.chain, package
        limit = lowest_limit(demand, factor)
        units[key] += filled * factor
        lows[key] = min(limit, lows.get(key, limit))
    peers: defaultdict[str, list[Peers]] = defaultdict(list)
    for key in sorted(units):
        ceiling = reference_ceiling(lows[key], units[key], problem.references.get(key))
        chain, package = key
        peers[chain].append(
            Peers(chain=chain, package=package, units=units[key], low=lows[key], ceiling=ceiling)
        )
    return {chain: tuple(group) for chain, group in peers.items()}


def chain_ceilings(problem: Problem, plan: Plan) -> dict[str, int]:
    """The most micro-USDC that a plan's fills may pay together, by chain with fills."""
    return {
        chain: sum(group.ceiling_total for group in peers)
        for chain, peers in gather_peers(problem, plan).items()
    }


def left_over(problem: Problem, plan: Plan, needs: Mapping[str, int]) -> dict[str, int]:
    """By touched chain, what the ceilings there (0 without fills) bring beyond the need."""
    ceilings = chain_ceilings(problem, plan)
    return {chain: ceilings.get(chain, 0) - need for chain, need in needs.items()}


def plan_value(problem: Problem, plan: Plan) -> int:
    """The sum of limits times units less the needs of the chains with fills, in micro-USDC."""
    needs = cash_needs(problem, plan)
    paying = {problem.demands[intent].chain for intent, _ in plan.fills}
    limits = sum(problem.demands[intent].limit * units for intent, units in plan.fills)
    return limits - sum(needs[chain] for chain in paying)


def fed_chains(problem: Problem, plan: Plan) -> frozenset[str]:
    """The chains that USDC reaches, directly or through other chains, from another chain with fills."""
    bridges = [problem.bridges[bridge] for bridge, asset, _ in plan.transfers if asset == USDC]
    graph: nx.DiGraph[str] = nx.DiGraph([(bridge.source, bridge.target) for bridge in bridges])
    filled = {problem.demands[intent].chain for intent, _ in plan.fills}
    return frozenset().union(*(nx.descendants(graph, chain) for chain in sorted(filled & set(graph))))
