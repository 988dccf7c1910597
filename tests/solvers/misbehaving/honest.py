"""Strategies that keep the contract."""

import time
from collections.abc import Iterator

from solvers.auction import Auction
from solvers.bid import Bid, Fill
from solvers.strategy import SolveContext


def bid_for(auction: Auction, context: SolveContext, name: str) -> Bid:
    return Bid(
        auction=auction.auction, solver=context.solver, bid=name, fills=(Fill(intent="intent-1", units=1),)
    )


class Honest:
    """Two bids and an end."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        yield bid_for(auction, context, "first")
        yield bid_for(auction, context, "second")


class UntilTheEnd:
    """One bid at once, another well before the window closes, then an end."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        yield bid_for(auction, context, "early")
        time.sleep(context.remaining_s() / 4)
        yield bid_for(auction, context, "better")


class Curious:
    """Says what it was told: its seed, its time and how often this object was asked."""

    def __init__(self) -> None:
        self.rounds = 0

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        self.rounds += 1
        yield {"seed": context.seed, "remaining_s": context.remaining_s(), "rounds": self.rounds}


class JustTooLate:
    """One bid in time, one between the window and the end of the grace."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        yield bid_for(auction, context, "in-time")
        time.sleep(context.remaining_s() + 0.01)
        yield bid_for(auction, context, "late")


class Counting:
    """Counts for about half a second, if it has a processor of its own."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        for _ in range(60):
            sum(range(1_000_000))
        yield bid_for(auction, context, "counted")
