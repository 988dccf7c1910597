"""A hostile solver: all-or-none orders of its own that compete for too few lots, a knapsack hard to prove.

Each of its orders wants lots of six series that nobody else trades, and together they want twice what is
offered. The limits leave a surplus nearly in proportion to the lots, so that very many sets are nearly
as good as the best.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Final

from chains.snapshot import Offer, SeriesTerms
from solvers.auction import Order
from solvers.bid import Bid
from tests.builders import make_bid, make_offer, make_order, make_series

WANTED: Final = tuple(f"BTC-26JUN26-{strike}-C" for strike in range(120_000, 180_000, 10_000))
PRICE: Final = 900
LOTS_MAX: Final = 300
SURPLUS_PER_LOT: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Knapsack:
    """What the attack adds to an auction, and the bids that it sends."""

    series: tuple[SeriesTerms, ...]
    orders: tuple[Order, ...]
    offers: tuple[Offer, ...]
    bids: tuple[Bid, ...]


def draw_knapsack(*, seed: int = 0, size: int = 64, solvers: Iterable[str] = ("mallory",)) -> Knapsack:
    """A knapsack of so many bids, sent in turns by these solvers."""
    rng = Random(seed)
    senders = tuple(solvers)
    wants = [{series: rng.randint(1, LOTS_MAX) for series in WANTED} for _ in range(size)]
    orders, bids = [], []
    for number, lots in enumerate(wants):
        name = f"own-{number:02}"
        surplus = SURPLUS_PER_LOT * sum(lots.values()) + rng.randint(0, 100 * SURPLUS_PER_LOT)
        orders.append(make_order(name, lots, PRICE * sum(lots.values()) + surplus))
        trades = {f"hub-book/{series}/sell/{PRICE}": amount for series, amount in lots.items()}
        bids.append(make_bid({name: 1}, trades, bid=name, solver=senders[number % len(senders)]))
    return Knapsack(
        series=tuple(make_series(series) for series in WANTED),
        orders=tuple(orders),
        offers=tuple(
            make_offer("hub-book", series, "sell", PRICE, sum(lots[series] for lots in wants) // 2)
            for series in WANTED
        ),
        bids=tuple(bids),
    )
