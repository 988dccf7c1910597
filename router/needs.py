"""The cash need of a plan on every chain it touches: the one definition that routing, verification
and prices share.

On a chain, the need is

    price * lots bought - price * lots sold + venue fees (touch, per lot)
    + bridge fees of what leaves (fixed once, bps rounded up, per lot) + cash sent - cash arrived
    + settlement fees (leg, fills, deal) + protocol fee per lot delivered + whatever else is paid there.

A chain is touched when something is filled or traded there or a transfer starts or ends there.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from chains.fees import bridge_fee, settlement_fee, venue_fee
from chains.units import USDC
from router.problem import Plan, Problem


def touched_chains(problem: Problem, plan: Plan) -> tuple[str, ...]:
    """The chains that a plan touches, sorted."""
    touched = {problem.demands[intent].chain for intent, _ in plan.fills}
    touched |= {problem.venues[problem.offers[offer].venue].chain for offer, _ in plan.trades}
    for bridge, _, _ in plan.transfers:
        touched |= {problem.bridges[bridge].source, problem.bridges[bridge].target}
    return tuple(sorted(touched))


def cash_needs(problem: Problem, plan: Plan, *, extra: Mapping[str, int] | None = None) -> dict[str, int]:
    """Micro-USDC needed on every chain that the plan touches (negative: cash is left over).

    `extra` is further cash paid out per chain: a solver's fee, USDC delivered or pooled.
    """
    chains = touched_chains(problem, plan)
    needs: dict[str, int] = dict.fromkeys(chains, 0)
    _add_trades(problem, plan, needs)
    _add_transfers(problem, plan, needs)
    fills = Counter(problem.demands[intent].chain for intent, _ in plan.fills)
    for chain in chains:
        needs[chain] += settlement_fee(problem.chains[chain], fills=fills[chain], alone=len(chains) == 1)
    for payments in (protocol_fees(problem, plan.fills), extra or {}):
        for chain, amount in payments.items():
            needs[chain] += amount
    return needs


def protocol_fees(problem: Problem, fills: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Micro-USDC that fills, as (intent, units), pay to the market on each of their chains."""
    fees: dict[str, int] = {}
    for intent, units in fills:
        demand = problem.demands[intent]
        lots = sum(abs(ratio) for _, ratio in demand.legs) * units
        fees[demand.chain] = fees.get(demand.chain, 0) + lots * problem.fee_per_lot
    return fees


def _add_trades(problem: Problem, plan: Plan, needs: dict[str, int]) -> None:
    lots_at: Counter[str] = Counter()
    for offer_id, lots in plan.trades:
        offer = problem.offers[offer_id]
        bought = offer.side == "sell"
        needs[problem.venues[offer.venue].chain] += offer.price * lots * (1 if bought else -1)
        lots_at[offer.venue] += lots
    for venue_id, lots in lots_at.items():
        venue = problem.venues[venue_id]
        needs[venue.chain] += venue_fee(venue, lots=lots)


def _add_transfers(problem: Problem, plan: Plan, needs: dict[str, int]) -> None:
    carried: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for bridge_id, asset, amount in plan.transfers:
        carried[bridge_id]["cash" if asset == USDC else "lots"] += amount
    for bridge_id, load in carried.items():
        bridge = problem.bridges[bridge_id]
        needs[bridge.source] += load["cash"] + bridge_fee(bridge, cash=load["cash"], lots=load["lots"])
        needs[bridge.target] -= load["cash"]
