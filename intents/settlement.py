"""From a winning bid to the double-entry transfers that settle it.

On every chain the bid touches, all transfers go through the deal's clearing account, which ends at
zero in every asset: what owners pay, what venues are paid, what bridges carry, every fee, the
solver's fee, its reward, which is taken out of the protocol fees, and the reserve. What is written
moves with its collateral into the owner's `written:` account of its maturity; bought lots that it does
not need arrive free in `owner:`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from chains.commit import DealPlan, LegPlan
from chains.deadlines import Deadlines
from chains.fees import bridge_fee, settlement_fee, venue_fee
from chains.ledger import (
    FEES_BRIDGE,
    FEES_PROTOCOL,
    FEES_SETTLEMENT,
    RESERVE,
    Transfer,
    bridge_account,
    deal_account,
    owner_account,
    solver_account,
    written_account,
)
from chains.stocks import trading_account
from chains.units import USDC
from intents.collateral import Requirement
from router.needs import protocol_fees
from router.problem import Problem
from solvers.bid import Bid
from solvers.outcome import Deal

Movement = tuple[str, str, str, int]
"""(debit account, credit account, asset, amount): a transfer that may still be of nothing."""


def plan_settlement(
    problem: Problem, *, bid: Bid, deal: Deal, requirements: Mapping[str, Requirement]
) -> DealPlan:
    """Every transfer of a deal, per chain; `requirements` by intent, as admitted."""
    movements: defaultdict[str, list[Movement]] = defaultdict(list)
    clearing = deal_account(deal.deal)
    for chain, movement in (
        *_fills(deal, requirements, clearing),
        *_trades(problem, bid, clearing),
        *_transfers(problem, bid, clearing),
        *_fees(problem, bid, deal, clearing),
    ):
        movements[chain].append(movement)
    lots_at: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for trade in bid.trades:
        lots_at[problem.venues[problem.offers[trade.offer].venue].chain].append((trade.offer, trade.lots))
    legs = tuple(
        LegPlan(chain=chain, transfers=tuple(_transfers_of(movements[chain])), lots=tuple(lots_at[chain]))
        for chain in deal.chains
    )
    return DealPlan(
        deal=deal.deal,
        legs=legs,
        bridges=tuple((transfer.bridge, transfer.asset, transfer.amount) for transfer in bid.transfers),
        deadlines=Deadlines(
            lock_by_us=deal.lock_by_us, decide_by_us=deal.decide_by_us, release_by_us=deal.release_by_us
        ),
    )


def _transfers_of(movements: Iterable[Movement]) -> Iterator[Transfer]:
    for debit, credit, asset, amount in movements:
        if amount > 0:
            yield Transfer(debit=debit, credit=credit, asset=asset, amount=amount)
        elif amount < 0:
            yield Transfer(debit=credit, credit=debit, asset=asset, amount=-amount)


def _fills(
    deal: Deal, requirements: Mapping[str, Requirement], clearing: str
) -> Iterator[tuple[str, Movement]]:
    for fill in deal.fills:
        requirement = requirements[fill.intent]
        owner = owner_account(fill.owner)
        yield fill.chain, (owner, clearing, USDC, fill.payment)
        for series, lots in requirement.closing:
            yield fill.chain, (owner, clearing, series, lots * fill.units)
        for series, ratio in requirement.bought:
            yield fill.chain, (clearing, owner, series, ratio * fill.units)
        for part in requirement.written:
            written = written_account(fill.owner, part.maturity)
            for asset, amount in part.collateral:
                yield fill.chain, (owner, written, asset, amount * fill.units)
            for series, ratio in part.legs:
                yield fill.chain, (clearing, written, series, ratio * fill.units)


def _trades(problem: Problem, bid: Bid, clearing: str) -> Iterator[tuple[str, Movement]]:
    lots_at: defaultdict[str, int] = defaultdict(int)
    for trade in bid.trades:
        offer = problem.offers[trade.offer]
        terms = problem.venues[offer.venue]
        venue, chain = trading_account(terms), terms.chain
        sign = 1 if offer.side == "sell" else -1
        yield chain, (venue, clearing, offer.series, sign * trade.lots)
        yield chain, (clearing, venue, USDC, sign * trade.lots * offer.price)
        lots_at[offer.venue] += trade.lots
    for venue_id, lots in lots_at.items():
        terms = problem.venues[venue_id]
        yield terms.chain, (clearing, trading_account(terms), USDC, venue_fee(terms, lots=lots))


def _transfers(problem: Problem, bid: Bid, clearing: str) -> Iterator[tuple[str, Movement]]:
    cash: defaultdict[str, int] = defaultdict(int)
    lots: defaultdict[str, int] = defaultdict(int)
    for transfer in bid.transfers:
        bridge = problem.bridges[transfer.bridge]
        custody = bridge_account(bridge.id)
        yield bridge.source, (clearing, custody, transfer.asset, transfer.amount)
        yield bridge.target, (custody, clearing, transfer.asset, transfer.amount)
        (cash if transfer.asset == USDC else lots)[bridge.id] += transfer.amount
    for bridge_id in {transfer.bridge: None for transfer in bid.transfers}:
        bridge = problem.bridges[bridge_id]
        fee = bridge_fee(bridge, cash=cash[bridge_id], lots=lots[bridge_id])
        yield bridge.source, (clearing, FEES_BRIDGE, USDC, fee)


def _fees(problem: Problem, bid: Bid, deal: Deal, clearing: str) -> Iterator[tuple[str, Movement]]:
    fills: defaultdict[str, int] = defaultdict(int)
    for fill in deal.fills:
        fills[fill.chain] += 1
    filled = ((fill.intent, fill.units) for fill in deal.fills)
    rewards = {part.chain: part.amount for part in deal.reward}
    for chain, protocol in protocol_fees(problem, filled).items():
        reward = rewards.get(chain, 0)
        yield chain, (clearing, FEES_PROTOCOL, USDC, protocol - reward)
        yield chain, (clearing, solver_account(bid.solver), USDC, reward)
    for chain in deal.chains:
        fee = settlement_fee(problem.chains[chain], fills=fills[chain], alone=len(deal.chains) == 1)
        yield chain, (clearing, FEES_SETTLEMENT, USDC, fee)
    for asked in bid.fee:
        yield asked.chain, (clearing, solver_account(bid.solver), USDC, asked.amount)
    for left in deal.reserve:
        yield left.chain, (clearing, RESERVE, USDC, left.amount)
