"""Strategies that leave processes behind."""

import os
import time
from collections.abc import Iterator

from solvers.auction import Auction
from solvers.bid import Bid, Fill
from solvers.strategy import SolveContext


def good_bid(auction: Auction, context: SolveContext, name: str) -> Bid:
    fills = (Fill(intent="intent-1", units=1),)
    return Bid(auction=auction.auction, solver=context.solver, bid=name, fills=fills)


class Lingers:
    """Leaves a child that outlives its round; says which."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        child = os.fork()
        if child == 0:
            time.sleep(3_600)
            os._exit(0)
        yield child


class LingersAndDies:
    """Leaves a child that holds whatever it inherited, then ends at once."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        child = os.fork()
        if child == 0:
            time.sleep(3_600)
            os._exit(0)
        yield child
        os._exit(3)


class Doubles:
    """Forks and lets both go on: the copy must not bid, end the round, or take the next."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        yield good_bid(auction, context, "first")
        if os.fork() == 0:
            yield good_bid(auction, context, "copy")
        else:
            time.sleep(0.1)
            yield good_bid(auction, context, "last")
