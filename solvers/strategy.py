"""The contract of a strategy: the one door for built-in solvers and everybody else's.

A strategy is a class with ``solve(auction, context)`` that yields bids. Yield as often as you like:
the last bid of each name counts, and what was yielded before the deadline stands even if the
process is then killed.

A solver that has put up stock (a venue of kind `stock` in the world) may also yield quotes for it. They
are firm offers that any bid may use from the next cut on: the last `StockQuotes` for a venue replace
all that the solver offers there. They take effect once the round is decided: what its winners took of
the stock by then can no longer be quoted, and quotes beyond what is free are cut down, the first ones
of the set being served first.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from chains.snapshot import StockQuote
from chains.wire import Id, Wire
from solvers.auction import Auction
from solvers.bid import Bid


class StockQuotes(Wire, frozen=True, kw_only=True):
    """All that a solver offers from now on at one of its stock venues; none withdraws what is there."""

    venue: Id
    quotes: tuple[StockQuote, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveContext:
    """What a strategy is told beside the auction.

    Attributes
    ----------
    solver : the name under which its bids must be sent
    deadline_s : when the window closes, on the clock of ``time.monotonic()``
    seed : the same for the same auction and solver, for strategies that draw random numbers
    stock : what is free to quote at the solver's own stock venues, by venue and asset: lots of series,
        and micro-USDC; what the solver offers there now is part of it
    """

    solver: str
    deadline_s: float
    seed: int
    stock: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def remaining_s(self) -> float:
        """Seconds until the window closes; never negative."""
        return max(0.0, self.deadline_s - time.monotonic())


@runtime_checkable
class Strategy(Protocol):
    """Anything with this method can compete."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid | StockQuotes]:
        """Yield bids for an auction, and quotes, until there is nothing better, or the time is up."""
        ...
