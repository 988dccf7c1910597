"""The contract of a strategy."""

import time
from collections.abc import Iterator

from solvers.auction import Auction
from solvers.bid import Bid
from solvers.strategy import SolveContext, Strategy


def test_remaining_time_runs_out_and_never_below_zero() -> None:
    context = SolveContext(solver="mine", deadline_s=time.monotonic() + 1_000, seed=1)
    assert 0 < context.remaining_s() <= 1_000
    assert SolveContext(solver="mine", deadline_s=time.monotonic() - 1, seed=1).remaining_s() == 0


def test_anything_with_solve_is_a_strategy() -> None:
    class Mine:
        def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
            return iter(())

    assert isinstance(Mine(), Strategy)
    assert not isinstance(object(), Strategy)
