"""Strategies that take more memory than they may, each in its own way, after one good bid."""

import mmap
import os
import resource
import sys
import time
from collections.abc import Iterator
from typing import NoReturn

import numpy as np

from solvers.auction import Auction
from solvers.bid import Bid, Fill
from solvers.strategy import SolveContext

MIB = 1 << 20
GIB = 1 << 30


class Hoarding:
    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        fills = (Fill(intent="intent-1", units=1),)
        yield Bid(auction=auction.auction, solver=context.solver, bid="before", fills=fills)
        self.hoard()
        yield "the memory was there"

    def hoard(self) -> None:
        raise NotImplementedError


class AtOnce(Hoarding):
    def hoard(self) -> None:
        bytearray(8 * GIB)


class Slowly(Hoarding):
    def hoard(self) -> None:
        held = []
        for _ in range(512):
            held.append(bytearray(16 * MIB))


class InNumPy(Hoarding):
    def hoard(self) -> None:
        np.ones(GIB)


class InMap(Hoarding):
    """Eight gibibytes of shared memory, none of it touched."""

    def hoard(self) -> None:
        mmap.mmap(-1, 8 * GIB)


class InSharedMap(Hoarding):
    """Shared memory that no limit on private memory counts, all of it touched."""

    def hoard(self) -> None:
        held = mmap.mmap(-1, 3 * GIB)
        for start in range(0, len(held), mmap.PAGESIZE):
            held[start] = 1
        time.sleep(3_600)


class InForks(Hoarding):
    """Eight times what one process may well have."""

    def hoard(self) -> None:
        for _ in range(8):
            if os.fork() == 0:
                held = bytearray(b"\x01") * (220 * MIB)
                time.sleep(len(held))
        time.sleep(3_600)


class ShareWithForks(Hoarding):
    """Little memory, which many forks share: eight times 200 MiB would be too much."""

    def hoard(self) -> None:
        held = bytearray(b"\x01") * (200 * MIB)
        for _ in range(8):
            if os.fork() == 0:
                time.sleep(3_600)
        time.sleep(0.3)
        assert len(held) == 200 * MIB


class BeyondItsLimits(Hoarding):
    """Widens its limits, which only the superuser can, and fills what it then has."""

    def hoard(self) -> None:
        for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
            resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        held = []
        for _ in range(64):
            held.append(bytearray(b"\x01") * (64 * MIB))
        time.sleep(3_600)


class WhenMade:
    def __init__(self) -> None:
        bytearray(8 * GIB)

    def solve(self) -> NoReturn:
        sys.exit("never made")
