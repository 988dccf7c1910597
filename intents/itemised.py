"""A plan that fills one intent, itemised: every trade, transfer and cost of it, and how long it takes.

The costs are those that `router.needs` adds up, told apart; the payment is their sum and what is left over.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from chains.fees import bridge_fee, settlement_fee, venue_fee
from chains.timeline import expect_deal
from chains.units import USDC
from intents.quotes import QuotedCosts, QuotedPlan, QuotedTimes, QuotedTrade, QuotedTransfer
from router.coverage import gather_peers
from router.needs import cash_needs, protocol_fees, touched_chains
from router.problem import Plan, Problem
from router.timing import plan_deadlines
from solvers.prices import fill_payments, set_prices


def itemise_plan(problem: Problem, plan: Plan, *, fills_from: int, solve_us: int) -> QuotedPlan:
    """What a plan with one fill does and costs; the fill's limit must cover it.

    `fills_from` is the limit that is told with it, `solve_us` the solve window before its deal is prepared.
    """
    ((_, units),) = plan.fills
    payment = _payment(problem, plan)
    return QuotedPlan(
        units=units,
        payment=payment,
        per_unit=payment // units,
        fills_from=fills_from,
        chains=touched_chains(problem, plan),
        trades=tuple(_trades(problem, plan)),
        transfers=tuple(_transfers(problem, plan)),
        costs=_costs(problem, plan, payment=payment),
        times=_times(problem, plan, solve_us=solve_us),
    )


def _payment(problem: Problem, plan: Plan) -> int:
    """What the market would charge: the price of the one group of peers, as in any bid."""
    needs = cash_needs(problem, plan)
    prices = {
        (chain, group.package): price
        for chain, peers in gather_peers(problem, plan).items()
        for group, price in zip(peers, set_prices(peers, needs[chain]), strict=True)
    }
    return sum(fill_payments(problem, plan.fills, prices).values())


def _trades(problem: Problem, plan: Plan) -> Iterator[QuotedTrade]:
    for name, lots in plan.trades:
        offer = problem.offers[name]
        yield QuotedTrade(
            venue=offer.venue,
            chain=problem.venues[offer.venue].chain,
            offer=name,
            series=offer.series,
            side="buy" if offer.side == "buy" else "sell",
            lots=lots,
            price=offer.price,
        )


def _transfers(problem: Problem, plan: Plan) -> Iterator[QuotedTransfer]:
    for name, asset, amount in plan.transfers:
        bridge = problem.bridges[name]
        yield QuotedTransfer(
            bridge=name, source=bridge.source, target=bridge.target, asset=asset, amount=amount
        )


def _costs(problem: Problem, plan: Plan, *, payment: int) -> QuotedCosts:
    chains = touched_chains(problem, plan)
    homes = [problem.demands[intent].chain for intent, _ in plan.fills]
    premium, lots_at = 0, Counter[str]()
    for name, lots in plan.trades:
        offer = problem.offers[name]
        premium += lots * (offer.price if offer.side == "sell" else -offer.price)
        lots_at[offer.venue] += lots
    settlement = sum(
        settlement_fee(problem.chains[chain], fills=homes.count(chain), alone=True) for chain in chains
    )
    apart = {
        "premium": premium,
        "venue_fees": sum(venue_fee(problem.venues[venue], lots=lots) for venue, lots in lots_at.items()),
        "bridge_fees": _bridge_fees(problem, plan.transfers),
        "settlement_fees": settlement,
        "deal_fees": sum(problem.chains[chain].deal_fee for chain in chains) if len(chains) > 1 else 0,
        "protocol_fee": sum(protocol_fees(problem, plan.fills).values()),
    }
    return QuotedCosts(**apart, left_over=payment - sum(apart.values()))


def _bridge_fees(problem: Problem, transfers: Iterable[tuple[str, str, int]]) -> int:
    cash, lots = Counter[str](), Counter[str]()
    for name, asset, amount in transfers:
        (cash if asset == USDC else lots)[name] += amount
    used = sorted({*cash, *lots})
    return sum(bridge_fee(problem.bridges[name], cash=cash[name], lots=lots[name]) for name in used)


def _times(problem: Problem, plan: Plan, *, solve_us: int) -> QuotedTimes:
    names = touched_chains(problem, plan)
    prepared_us = problem.prepare_us
    as_of_us = prepared_us - solve_us
    touched = [problem.chains[name] for name in names]
    expected = expect_deal(touched, hub=problem.chains[problem.hub], now_us=prepared_us)
    deadlines = plan_deadlines(problem, names)
    return QuotedTimes(
        solve_us=solve_us,
        delivered_us=expected.released_us - as_of_us,
        final_us=expected.final_us - as_of_us,
        decide_by_us=deadlines.decide_by_us - as_of_us,
        release_by_us=deadlines.release_by_us - as_of_us,
    )
