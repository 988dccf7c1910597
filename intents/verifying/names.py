"""Does a bid name only what the auction holds, each thing once and no more of it than there is?

The rules from `unsupported` to `self_match`, in the order of the closed list in `solvers.reasons`:
of several broken rules, the one that comes first there is the one that must be recorded.
"""

from collections import Counter, defaultdict

import networkx as nx
from msgspec import UNSET

from intents.verifying.flows import touched_chains
from intents.verifying.sheet import Sheet, require, require_unique
from solvers.bid import Bid


def check_names(sheet: Sheet, bid: Bid) -> None:
    """Refuse a bid by what it names."""
    _check_fills(sheet, bid)
    _check_trades(sheet, bid)
    _check_transfers(sheet, bid)
    touched = touched_chains(sheet, bid)
    for fee in bid.fee:
        require(fee.chain in touched, "unknown_chain", fee.chain)
    require_unique((fee.chain for fee in bid.fee), "duplicate_fee")
    _check_sides(sheet, bid)


def _check_fills(sheet: Sheet, bid: Bid) -> None:
    require(not bid.pools, "unsupported", "pools")
    for fill in bid.fills:
        require(fill.delivery is UNSET, "unsupported", f"a delivery to {fill.intent}")
        known = sheet.orders.get(fill.intent)
        require(known is None or bool(known.legs), "unsupported", f"{fill.intent} is a payoff order")
    for fill in bid.fills:
        require(fill.intent in sheet.orders, "unknown_intent", fill.intent)
    require_unique((fill.intent for fill in bid.fills), "duplicate_fill")
    orders = [sheet.orders[fill.intent] for fill in bid.fills]
    require_unique(((order.owner, order.group) for order in orders if order.group), "group_conflict")
    for fill, order in zip(bid.fills, orders, strict=True):
        least = min(order.min_units, order.units)
        require(least <= fill.units <= order.units, "units_not_allowed", f"{fill.intent}: {fill.units}")


def _check_trades(sheet: Sheet, bid: Bid) -> None:
    for trade in bid.trades:
        require(trade.offer in sheet.offers, "unknown_offer", trade.offer)
    require_unique((trade.offer for trade in bid.trades), "duplicate_trade")
    for trade in bid.trades:
        require(trade.lots <= sheet.offers[trade.offer].lots, "offer_exceeded", trade.offer)


def _check_transfers(sheet: Sheet, bid: Bid) -> None:
    for transfer in bid.transfers:
        require(transfer.bridge in sheet.bridges, "unknown_bridge", transfer.bridge)
    for transfer in bid.transfers:
        known = transfer.asset == "USDC" or transfer.asset in sheet.series
        require(known, "unknown_asset", transfer.asset)
    require_unique(((transfer.bridge, transfer.asset) for transfer in bid.transfers), "duplicate_transfer")
    loads: Counter[tuple[str, bool]] = Counter()
    roads: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for transfer in bid.transfers:
        bridge = sheet.bridges[transfer.bridge]
        loads[bridge.id, transfer.asset == "USDC"] += transfer.amount
        roads[transfer.asset].append((bridge.source, bridge.target))
    for (name, is_cash), amount in loads.items():
        bridge = sheet.bridges[name]
        capacity = bridge.capacity_cash if is_cash else bridge.capacity_lots
        require(amount <= capacity, "bridge_capacity", f"{name}: {amount} over {capacity}")
    for asset, edges in roads.items():
        require(nx.is_directed_acyclic_graph(nx.DiGraph(edges)), "transfer_cycle", asset)


def _check_sides(sheet: Sheet, bid: Bid) -> None:
    sides: defaultdict[tuple[str, str], set[bool]] = defaultdict(set)
    for fill in bid.fills:
        order = sheet.orders[fill.intent]
        for series, ratio in order.legs or ():
            sides[order.owner, series].add(ratio > 0)
    for (owner, series), signs in sides.items():
        require(len(signs) == 1, "self_match", f"{owner} on both sides of {series}")
