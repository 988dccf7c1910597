"""Strategies that send what nobody asked for."""

import os
import sys
import threading
import time
from collections.abc import Iterator

import msgspec

from solvers.auction import Auction
from solvers.bid import Bid, Fill
from solvers.strategy import SolveContext


def good_bid(auction: Auction, context: SolveContext, name: str) -> Bid:
    fills = (Fill(intent="intent-1", units=1),)
    return Bid(auction=auction.auction, solver=context.solver, bid=name, fills=fills)


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("not even a name")


class Garbage:
    """Floats, things that are no bids and things that cannot be encoded, between two good bids."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        good = good_bid(auction, context, "first")
        yield good
        yield msgspec.structs.replace(good, fills=(Fill(intent="intent-1", units=1.5),))  # type: ignore[arg-type]
        yield 1.5
        yield None
        yield "\ud800"
        yield {"a set": {object()}}
        yield "x".__class__
        yield Unprintable()
        cyclic: list[object] = []
        cyclic.append(cyclic)
        yield cyclic
        deep: list[object] = []
        for _ in range(10_000):
            deep = [deep]
        yield deep
        yield b"\xff\x00"
        yield 10**400
        yield [None] * 100_000
        yield msgspec.structs.replace(good, bid="last")


class WrongNames:
    """A bid for another auction, and one in a rival's name."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        yield msgspec.structs.replace(good_bid(auction, context, "stray"), auction="another-auction")
        yield msgspec.structs.replace(good_bid(auction, context, "false"), solver="honest")


class Prints:
    """Writes to standard output in every way there is, between two good bids."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        yield good_bid(auction, context, "first")
        sys.stdout.write("hello\n")
        sys.stdout.buffer.write(b"\x00\x00\x00\x02Fx")
        sys.stdout.flush()
        os.write(1, b"\xff\xff\xff\xff")
        os.system("echo from a shell")
        yield good_bid(auction, context, "last")


class TooManyBids:
    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        while True:
            yield good_bid(auction, context, "again")


class TooManyBytes:
    """Frames of half a mebibyte, without an end."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        yield good_bid(auction, context, "first")
        while True:
            yield "x" * (1 << 19)


class TooLongFrame:
    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        yield good_bid(auction, context, "first")
        yield "x" * (1 << 21)


class TooManyPrints:
    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        yield good_bid(auction, context, "first")
        while True:
            sys.stdout.write("x" * (1 << 16))


class TalksOutOfTurn:
    """Ends its round, then goes on sending on every pipe it finds."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        yield good_bid(auction, context, "first")
        threading.Thread(target=self.babble, daemon=True).start()

    def babble(self) -> None:
        time.sleep(0.5)
        for descriptor in range(3, 16):
            try:
                os.write(descriptor, b"\x00\x00\x00\x03B{}")
            except OSError:
                continue
