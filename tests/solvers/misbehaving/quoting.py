"""Strategies with stock, some of which quote what they should not."""

import time
from collections.abc import Iterator

from chains.snapshot import StockQuote
from solvers.auction import Auction
from solvers.bid import Bid, Fill
from solvers.strategy import SolveContext, StockQuotes

CALL = "BTC-26JUN26-100000-C"


def sell(venue: str, lots: int, *, price: int = 7_000_000) -> StockQuotes:
    quotes = (StockQuote(series=CALL, side="sell", price=price, lots=lots),)
    return StockQuotes(venue=venue, quotes=quotes)


class Maker:
    """Quotes all that is free, twice, around a bid."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        for venue, free in context.stock.items():
            yield sell(venue, 1)
            fills = (Fill(intent="intent-1", units=1),)
            yield Bid(auction=auction.auction, solver=context.solver, bid="bid", fills=fills)
            yield sell(venue, free[CALL])


class SlowMaker(Maker):
    """The same, and then thinks for ever."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        yield from super().solve(auction, context)
        time.sleep(3_600)


class LateMaker:
    """Quotes in time, and once more between the end of the window and that of the grace."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        (venue,) = context.stock
        yield sell(venue, 1)
        time.sleep(context.remaining_s() + 0.01)
        yield sell(venue, 2)


class Stranger:
    """Quotes at a venue that is not its own, and what is no set of quotes."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        (venue,) = context.stock
        yield sell("their-stock", 1)
        yield sell(venue, 3)
        yield StockQuotes(venue=venue, quotes=(1.5,))  # type: ignore[arg-type]
        yield StockQuotes(venue=venue, quotes=(object(),))  # type: ignore[arg-type]


class Ceaseless:
    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        (venue,) = context.stock
        while True:
            yield sell(venue, 3)


class Overreaching:
    """Offers far more than it has, at a price of its own in every round."""

    def __init__(self) -> None:
        self.rounds = 0

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        self.rounds += 1
        for venue in context.stock:
            yield sell(venue, 1_000_000, price=7_000_000 + self.rounds)


class Contradicting:
    """Buys above its own offer."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        for venue in context.stock:
            both = (
                StockQuote(series=CALL, side="sell", price=5, lots=1),
                StockQuote(series=CALL, side="buy", price=6, lots=1),
            )
            yield StockQuotes(venue=venue, quotes=both)
