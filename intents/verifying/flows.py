"""Where a bid sends every lot and every micro-USDC: what is due to everybody but the owners.

A movement is (chain, account, asset, amount into the account). What the owners of the fills get in
lots must be what all others give; what all others get in cash is the need that the owners pay.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from intents.verifying.sheet import Sheet
from solvers.bid import Bid

Movement = tuple[str, str, str, int]
"""(chain, account, asset, amount into the account)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """A bid played through.

    Attributes
    ----------
    movements : into every account but the owners', as they come; the reserve is not in them
    delivered : lots into the owners' accounts, by (chain, series)
    filled, touched : chains
    """

    movements: tuple[Movement, ...]
    delivered: Counter[tuple[str, str]]
    filled: frozenset[str]
    touched: frozenset[str]

    def need(self, chain: str) -> int:
        """Micro-USDC that everybody but the owners gets on a chain (negative: gives)."""
        return sum(amount for at, _, asset, amount in self.movements if (at, asset) == (chain, "USDC"))

    def gross(self, chain: str) -> tuple[int, int]:
        """Micro-USDC paid to everybody but the owners on a chain, and received from them."""
        cash = [amount for at, _, asset, amount in self.movements if (at, asset) == (chain, "USDC")]
        return sum(amount for amount in cash if amount > 0), -sum(amount for amount in cash if amount < 0)

    def lots_over(self) -> dict[tuple[str, str], int]:
        """Lots that do not add up, by (chain, series)."""
        total = Counter(self.delivered)
        for chain, _, asset, amount in self.movements:
            if asset != "USDC":
                total[chain, asset] += amount
        return {place: amount for place, amount in total.items() if amount}


def play_bid(sheet: Sheet, bid: Bid) -> Flows:
    """Play a bid whose every name is known."""
    delivered: Counter[tuple[str, str]] = Counter()
    for fill in bid.fills:
        order = sheet.orders[fill.intent]
        for series, ratio in order.legs or ():
            delivered[order.chain, series] += ratio * fill.units
    filled = frozenset(sheet.orders[fill.intent].chain for fill in bid.fills)
    touched = touched_chains(sheet, bid)
    movements = (
        *_at_venues(sheet, bid),
        *_over_bridges(sheet, bid),
        *_for_fills(sheet, bid),
        *_for_legs(sheet, touched),
        *((fee.chain, f"solver:{bid.solver}", "USDC", fee.amount) for fee in bid.fee),
    )
    return Flows(movements=movements, delivered=delivered, filled=filled, touched=touched)


def touched_chains(sheet: Sheet, bid: Bid) -> frozenset[str]:
    """The chains where a bid fills, trades, or starts or ends a transfer."""
    bridges = [sheet.bridges[transfer.bridge] for transfer in bid.transfers]
    return frozenset(
        {sheet.orders[fill.intent].chain for fill in bid.fills}
        | {sheet.venues[sheet.offers[trade.offer].venue].chain for trade in bid.trades}
        | {chain for bridge in bridges for chain in (bridge.source, bridge.target)}
    )


def _at_venues(sheet: Sheet, bid: Bid) -> Iterator[Movement]:
    volume: Counter[str] = Counter()
    for trade in bid.trades:
        offer = sheet.offers[trade.offer]
        chain, account = sheet.venues[offer.venue].chain, _account(sheet, offer.venue)
        sign = {"sell": 1, "buy": -1}[offer.side]
        yield chain, account, offer.series, -sign * trade.lots
        yield chain, account, "USDC", sign * trade.lots * offer.price
        volume[offer.venue] += trade.lots
    for name, lots in volume.items():
        venue = sheet.venues[name]
        fee = venue.fee_touch + venue.fee_per_lot * lots
        yield venue.chain, _account(sheet, name), "USDC", fee


def _account(sheet: Sheet, venue: str) -> str:
    """A solver's stock trades on its own account, all other venues on one for all their customers."""
    return f"{'stock' if sheet.venues[venue].kind == 'stock' else 'venue'}:{venue}"


def _over_bridges(sheet: Sheet, bid: Bid) -> Iterator[Movement]:
    by_size: defaultdict[str, Fraction] = defaultdict(Fraction)
    for transfer in bid.transfers:
        bridge = sheet.bridges[transfer.bridge]
        yield bridge.source, f"bridge:{bridge.id}", transfer.asset, transfer.amount
        yield bridge.target, f"bridge:{bridge.id}", transfer.asset, -transfer.amount
        if transfer.asset == "USDC":
            by_size[bridge.id] += Fraction(transfer.amount * bridge.fee_cash_bps, 10_000)
        else:
            by_size[bridge.id] += transfer.amount * bridge.fee_per_lot
    for name, fee in by_size.items():
        bridge = sheet.bridges[name]
        yield bridge.source, "fees:bridge", "USDC", bridge.fee_fixed + ceil(fee)


def _for_fills(sheet: Sheet, bid: Bid) -> Iterator[Movement]:
    for fill in bid.fills:
        order = sheet.orders[fill.intent]
        lots = sum(abs(ratio) for _, ratio in order.legs or ()) * fill.units
        yield order.chain, "fees:protocol", "USDC", lots * sheet.auction.rules.fee_per_lot
        yield order.chain, "fees:settlement", "USDC", sheet.chains[order.chain].settle_fee_fill


def _for_legs(sheet: Sheet, touched: frozenset[str]) -> Iterator[Movement]:
    for name in sorted(touched):
        chain = sheet.chains[name]
        shared = chain.deal_fee if len(touched) > 1 else 0
        yield name, "fees:settlement", "USDC", chain.settle_fee_leg + shared
