"""Strategies that break the rules of the conversation, or cannot be interrupted."""

import ctypes
import os
import re
import signal
import time
from collections.abc import Iterator

from solvers.auction import Auction
from solvers.strategy import SolveContext

OUTGOING = 4
"""The descriptor of a worker's pipe to the market."""


class HoldsInterpreter:
    """C code that neither returns nor lets any other thread, or a signal handler, run."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        yield re.match(r"(a+)+$", "a" * 64 + "b")


class StopsItself:
    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        yield "a sign of life"
        os.kill(os.getpid(), signal.SIGSTOP)


class HalfFrames:
    """Announces a frame of half a mebibyte and sends it byte by byte."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        yield "a sign of life"
        os.write(OUTGOING, (1 << 19).to_bytes(4, "big") + b"B")
        while True:
            os.write(OUTGOING, b"x")
            time.sleep(0.001)


class StrangeFrames:
    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        os.write(OUTGOING, b"\x00\x00\x00\x02?!")
        time.sleep(3_600)
        yield "never"


class Recurses:
    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        yield from self.solve(auction, context)


class CrashesInC:
    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        yield ctypes.string_at(0)


class OpensEverything:
    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        yield [os.open(os.devnull, os.O_RDONLY) for _ in range(1_000)]
