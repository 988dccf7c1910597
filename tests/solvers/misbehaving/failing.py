"""Strategies that stop, each in its own way, after one good bid."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator

from solvers.auction import Auction
from solvers.bid import Bid, Fill
from solvers.strategy import SolveContext


class Failing:
    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        fills = (Fill(intent="intent-1", units=1),)
        yield Bid(auction=auction.auction, solver=context.solver, bid="before", fills=fills)
        yield from self.fail()

    def fail(self) -> Iterator[object]:
        raise NotImplementedError


class Raises(Failing):
    def fail(self) -> Iterator[object]:
        raise ValueError("no route to the moon")


class Exits(Failing):
    def fail(self) -> Iterator[object]:
        sys.exit("had enough")


class ExitsHard(Failing):
    def fail(self) -> Iterator[object]:
        sys.stderr.write("last words\n")
        os._exit(7)


class Aborts(Failing):
    def fail(self) -> Iterator[object]:
        os.abort()


class FillsMemory(Failing):
    def fail(self) -> Iterator[object]:
        held = []
        while True:
            held.append(bytearray(64 << 20))


class FillsMemoryInC(Failing):
    """A native library that asks for memory, does not get it, and aborts."""

    def fail(self) -> Iterator[object]:
        libc = ctypes.CDLL(None)
        libc.malloc.restype = ctypes.c_void_p
        if libc.malloc(ctypes.c_size_t(2 << 30)) is None:
            os.abort()
        yield "the memory was there"


class ClosesPipes(Failing):
    def fail(self) -> Iterator[object]:
        os.closerange(3, 256)
        time.sleep(3_600)
        yield from ()


class Hangs(Failing):
    def fail(self) -> Iterator[object]:
        sys.stderr.write("thinking hard\n")
        time.sleep(3_600)
        yield from ()


class HangsDeaf(Failing):
    """Hangs at full load, and every signal that can be ignored is."""

    def fail(self) -> Iterator[object]:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while True:
            sum(range(10_000))
        yield from ()


class NoIterator:
    def solve(self, auction: Auction, context: SolveContext) -> None:
        return None
