"""The contract of a strategy: the one door for built-in solvers and everybody else's.

A strategy is a class with ``solve(auction, context)`` that yields bids. Yield as often as you like:
the last bid of each name counts, and what was yielded before the deadline stands even if the
process is then killed.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from solvers.auction import Auction
from solvers.bid import Bid


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveContext:
    """What a strategy is told beside the auction.

    Attributes
    ----------
    solver : the name under which its bids must be sent
    deadline_s : when the window closes, on the clock of ``time.monotonic()``
    seed : the same for the same auction and solver, for strategies that draw random numbers
    """

    solver: str
    deadline_s: float
    seed: int

    def remaining_s(self) -> float:
        """Seconds until the window closes; never negative."""
        return max(0.0, self.deadline_s - time.monotonic())


@runtime_checkable
class Strategy(Protocol):
    """Anything with this method can compete."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        """Yield bids for an auction until there is nothing better, or the time is up."""
        ...
