"""Whether a plan can be settled in time: the deadlines of `chains.deadlines`, applied to a plan.

A plan is in time when its deal is decided before every filled demand ends, while every used offer is
firm and before its venue's longest lock ends, and when it is released before any of its series expires.
"""

from collections.abc import Collection

from msgspec import UnsetType

from chains.deadlines import Deadlines, deal_deadlines
from chains.snapshot import Offer
from chains.units import USDC
from router.needs import touched_chains
from router.problem import Plan, Problem


def plan_deadlines(problem: Problem, touched: Collection[str]) -> Deadlines:
    """The deadlines of a deal that touches these chains (at least one), prepared on time."""
    return deal_deadlines(
        [problem.chains[chain] for chain in sorted(touched)],
        hub=problem.chains[problem.hub],
        timing=problem.timing,
        now_us=problem.prepare_us,
    )


def last_decision_us(problem: Problem, offer: Offer) -> int:
    """The last instant, in microseconds, at which a deal that uses this offer may be decided."""
    end = problem.prepare_us + problem.venues[offer.venue].max_lock_us
    if not isinstance(offer.firm_until_us, UnsetType):
        end = min(end, offer.firm_until_us)
    return end - 1


def is_in_time(problem: Problem, plan: Plan) -> bool:
    """Whether a plan's deal is decided and released before anything that it uses ends."""
    deadlines = plan_deadlines(problem, touched_chains(problem, plan))
    demands = [problem.demands[intent] for intent, _ in plan.fills]
    offers = [problem.offers[offer] for offer, _ in plan.trades]
    series = {series for demand in demands for series, _ in demand.legs}
    series |= {offer.series for offer in offers}
    series |= {asset for _, asset, _ in plan.transfers if asset != USDC}
    return (
        all(deadlines.decide_by_us < demand.valid_until_us for demand in demands)
        and all(deadlines.decide_by_us <= last_decision_us(problem, offer) for offer in offers)
        and all(deadlines.release_by_us < problem.series_expiry_us[name] for name in sorted(series))
    )
