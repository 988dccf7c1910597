"""Oracles on whole rounds that share no code with the judge."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations

from solvers.auction import Auction
from solvers.bid import Bid
from solvers.verification import FeasibleBid


def clash(auction: Auction, bids: Sequence[Bid]) -> bool:
    """Whether some bids cannot win together."""
    orders = {order.intent: order for order in auction.orders}
    filled = [fill.intent for bid in bids for fill in bid.fills]
    groups = [(orders[name].owner, orders[name].group) for name in filled if orders[name].group]
    lots: Counter[str] = Counter()
    carried: Counter[tuple[str, bool]] = Counter()
    for bid in bids:
        for trade in bid.trades:
            lots[trade.offer] += trade.lots
        for transfer in bid.transfers:
            carried[transfer.bridge, transfer.asset == "USDC"] += transfer.amount
    return (
        len(filled) != len(set(filled))
        or len(groups) != len(set(groups))
        or any(lots[offer.id] > offer.lots for offer in auction.offers)
        or any(carried[bridge.id, True] > bridge.capacity_cash for bridge in auction.bridges)
        or any(carried[bridge.id, False] > bridge.capacity_lots for bridge in auction.bridges)
    )


def compatible_sets(auction: Auction, feasible: Iterable[FeasibleBid]) -> list[tuple[FeasibleBid, ...]]:
    """Every set of bids that score and can win together, the empty one among them."""
    paying = [each for each in feasible if each.score > 0]
    return [
        subset
        for size in range(len(paying) + 1)
        for subset in combinations(paying, size)
        if not clash(auction, [each.bid for each in subset])
    ]
