"""The rules on what a bid names and moves, before any price: from `unsupported` to `imbalance`.

Each function is one rule and finds the first place where it is broken. The lists of a bid need no
limit of their own: every entry must name another thing that the auction holds, so a list longer than
the auction allows breaks a rule within linear time.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import Final

from msgspec import UNSET

from chains.units import USDC
from router.needs import touched_chains
from solvers.bid import Bid
from solvers.connection import find_connection, find_cycle
from solvers.problem import to_plan
from solvers.reasons import Rule
from solvers.view import AuctionView, Check, Finding, is_payoff


def _unsupported(view: AuctionView, bid: Bid) -> Finding | None:
    if bid.pools:
        return _present("pools", "pools of payoff claims are not supported", len(bid.pools))
    for fill in bid.fills:
        if fill.delivery is not UNSET:
            return _present(fill.intent, "deliveries to payoff orders are not supported")
        if fill.intent in view.orders and is_payoff(view.orders[fill.intent]):
            return _present(fill.intent, "fills of payoff orders are not supported")
    return None


def _unknown_intent(view: AuctionView, bid: Bid) -> Finding | None:
    return _unknown((fill.intent for fill in bid.fills), view.orders, "an order of this auction")


def _duplicate_fill(_: AuctionView, bid: Bid) -> Finding | None:
    return _repeated((fill.intent for fill in bid.fills), "is filled")


def _group_conflict(view: AuctionView, bid: Bid) -> Finding | None:
    groups = (view.problem.demands[fill.intent].group for fill in bid.fills)
    return _repeated((group for group in groups if group), "is a one-cancels-other group that is filled")


def _units_not_allowed(view: AuctionView, bid: Bid) -> Finding | None:
    for fill in bid.fills:
        demand = view.problem.demands[fill.intent]
        allowed = min(max(fill.units, demand.min_units), demand.units)
        if fill.units != allowed:
            text = f"{fill.intent} takes {demand.min_units} to {demand.units} units, not {fill.units}"
            return Finding(where=fill.intent, found=fill.units, allowed=allowed, text=text)
    return None


def _unknown_offer(view: AuctionView, bid: Bid) -> Finding | None:
    return _unknown((trade.offer for trade in bid.trades), view.problem.offers, "an offer of this auction")


def _duplicate_trade(_: AuctionView, bid: Bid) -> Finding | None:
    return _repeated((trade.offer for trade in bid.trades), "is traded")


def _offer_exceeded(view: AuctionView, bid: Bid) -> Finding | None:
    for trade in bid.trades:
        lots = view.problem.offers[trade.offer].lots
        if trade.lots > lots:
            text = f"offer {trade.offer} has {lots} lots, not {trade.lots}"
            return Finding(where=trade.offer, found=trade.lots, allowed=lots, text=text)
    return None


def _unknown_bridge(view: AuctionView, bid: Bid) -> Finding | None:
    names = (transfer.bridge for transfer in bid.transfers)
    return _unknown(names, view.problem.bridges, "a bridge of this auction")


def _unknown_asset(view: AuctionView, bid: Bid) -> Finding | None:
    assets = (transfer.asset for transfer in bid.transfers)
    return _unknown(assets, {USDC, *view.problem.series_expiry_us}, "USDC or a listed series")


def _duplicate_transfer(_: AuctionView, bid: Bid) -> Finding | None:
    names = (f"{transfer.asset} over {transfer.bridge}" for transfer in bid.transfers)
    return _repeated(names, "is sent")


def _bridge_capacity(view: AuctionView, bid: Bid) -> Finding | None:
    carried: Counter[tuple[str, bool]] = Counter()
    for transfer in bid.transfers:
        carried[transfer.bridge, transfer.asset == USDC] += transfer.amount
    for (name, is_cash), amount in carried.items():
        bridge = view.problem.bridges[name]
        capacity = bridge.capacity_cash if is_cash else bridge.capacity_lots
        if amount > capacity:
            unit = "micro-USDC" if is_cash else "lots"
            text = f"bridge {name} takes {capacity} {unit}, not {amount}"
            return Finding(where=name, found=amount, allowed=capacity, text=text)
    return None


def _transfer_cycle(view: AuctionView, bid: Bid) -> Finding | None:
    hops: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for transfer in bid.transfers:
        bridge = view.problem.bridges[transfer.bridge]
        hops[transfer.asset].append((bridge.source, bridge.target))
    for asset in hops:
        circle = find_cycle(hops[asset])
        if circle:
            text = f"{asset} goes round in a circle over {', '.join(circle)}"
            return Finding(where=asset, found=len(circle), allowed=0, text=text)
    return None


def _unknown_chain(view: AuctionView, bid: Bid) -> Finding | None:
    touched = touched_chains(view.problem, to_plan(bid))
    return _unknown((fee.chain for fee in bid.fee), touched, "a chain that the bid touches")


def _duplicate_fee(_: AuctionView, bid: Bid) -> Finding | None:
    return _repeated((fee.chain for fee in bid.fee), "is charged a fee")


def _self_match(view: AuctionView, bid: Bid) -> Finding | None:
    bought: Counter[tuple[str, str]] = Counter()
    sold: Counter[tuple[str, str]] = Counter()
    for fill in bid.fills:
        demand = view.problem.demands[fill.intent]
        for series, ratio in demand.legs:
            (bought if ratio > 0 else sold)[demand.owner, series] += abs(ratio) * fill.units
    for owner, series in sorted(bought.keys() & sold.keys()):
        lots = sold[owner, series]
        text = f"{owner} would buy {bought[owner, series]} and sell {lots} lots of {series}"
        return Finding(where=f"{owner} {series}", found=lots, allowed=0, text=text)
    return None


def _disconnected(view: AuctionView, bid: Bid) -> Finding | None:
    connection = find_connection(view.problem, to_plan(bid))
    if connection.parts != 1:
        text = f"the bid has {connection.parts} separate parts; each must be a bid of its own"
        return Finding(where="bid", found=connection.parts, allowed=1, text=text)
    if connection.idle:
        text = f"USDC moves among {', '.join(connection.idle)} for no fill, trade or transfer of lots"
        return Finding(where=connection.idle[0], found=len(connection.idle), allowed=0, text=text)
    return None


def _imbalance(view: AuctionView, bid: Bid) -> Finding | None:
    supplied, wanted = _lots_supplied(view, bid), _lots_wanted(view, bid)
    for place in sorted(supplied.keys() | wanted.keys()):
        if supplied[place] != wanted[place]:
            chain, series = place
            text = f"on {chain}, {supplied[place]} lots of {series} come in and {wanted[place]} are delivered"
            return Finding(where=f"{chain} {series}", found=supplied[place], allowed=wanted[place], text=text)
    return None


def _lots_supplied(view: AuctionView, bid: Bid) -> Counter[tuple[str, str]]:
    """Lots bought - sold + arrived - sent, by chain and series."""
    supplied: Counter[tuple[str, str]] = Counter()
    for trade in bid.trades:
        offer = view.problem.offers[trade.offer]
        chain = view.problem.venues[offer.venue].chain
        supplied[chain, offer.series] += trade.lots if offer.side == "sell" else -trade.lots
    for transfer in bid.transfers:
        if transfer.asset != USDC:
            bridge = view.problem.bridges[transfer.bridge]
            supplied[bridge.source, transfer.asset] -= transfer.amount
            supplied[bridge.target, transfer.asset] += transfer.amount
    return supplied


def _lots_wanted(view: AuctionView, bid: Bid) -> Counter[tuple[str, str]]:
    """Lots delivered to the owners (negative: by them), by chain and series."""
    wanted: Counter[tuple[str, str]] = Counter()
    for fill in bid.fills:
        demand = view.problem.demands[fill.intent]
        for series, ratio in demand.legs:
            wanted[demand.chain, series] += ratio * fill.units
    return wanted


def _present(where: str, text: str, found: int = 1) -> Finding:
    return Finding(where=where, found=found, allowed=0, text=text)


def _unknown(names: Iterable[str], known: Collection[str], what: str) -> Finding | None:
    for name in names:
        if name not in known:
            return _present(name, f"{name!r} is not {what}")
    return None


def _repeated(names: Iterable[str], what: str) -> Finding | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return Finding(where=name, found=2, allowed=1, text=f"{name} {what} more than once")
        seen.add(name)
    return None


CONTENT_CHECKS: Final[dict[Rule, Check]] = {
    Rule.UNSUPPORTED: _unsupported,
    Rule.UNKNOWN_INTENT: _unknown_intent,
    Rule.DUPLICATE_FILL: _duplicate_fill,
    Rule.GROUP_CONFLICT: _group_conflict,
    Rule.UNITS_NOT_ALLOWED: _units_not_allowed,
    Rule.UNKNOWN_OFFER: _unknown_offer,
    Rule.DUPLICATE_TRADE: _duplicate_trade,
    Rule.OFFER_EXCEEDED: _offer_exceeded,
    Rule.UNKNOWN_BRIDGE: _unknown_bridge,
    Rule.UNKNOWN_ASSET: _unknown_asset,
    Rule.DUPLICATE_TRANSFER: _duplicate_transfer,
    Rule.BRIDGE_CAPACITY: _bridge_capacity,
    Rule.TRANSFER_CYCLE: _transfer_cycle,
    Rule.UNKNOWN_CHAIN: _unknown_chain,
    Rule.DUPLICATE_FEE: _duplicate_fee,
    Rule.SELF_MATCH: _self_match,
    Rule.DISCONNECTED: _disconnected,
    Rule.IMBALANCE: _imbalance,
}
"""The rules in the order in which they are checked: each may rely on those before it."""
