"""What a plan is worth, and whether its fills may pay for it: exact, in micro-USDC.

On a chain with fills, the ceilings of the peers there must cover the cash need; on a chain without
fills nothing may be needed. The value of a plan is the sum of limits times units less the needs of the
chains with fills; what is left over elsewhere counts for nothing.
"""

from collections import defaultdict
from collections.abc import Mapping

from chains.package import Package, reduce_legs
from router.needs import cash_needs
from router.peers import lowest_limit, reference_ceiling
from router.problem import Plan, Problem


def chain_ceilings(problem: Problem, plan: Plan) -> dict[str, int]:
    """The most micro-USDC that a plan's fills may pay together, by chain with fills."""
    units: defaultdict[tuple[str, Package], int] = defaultdict(int)
    lows: dict[tuple[str, Package], int] = {}
    for intent, filled in plan.fills:
        demand = problem.demands[intent]
        package, factor = reduce_legs(demand.legs)
        key = demand.chain, package
        limit = lowest_limit(demand, factor)
        units[key] += filled * factor
        lows[key] = min(limit, lows.get(key, limit))
    ceilings: defaultdict[str, int] = defaultdict(int)
    for key, reduced in units.items():
        ceilings[key[0]] += reduced * reference_ceiling(lows[key], reduced, problem.references.get(key))
    return dict(ceilings)


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
