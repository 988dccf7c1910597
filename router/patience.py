"""Which chains are too slow for what: deadlines as sets of chains that must not come together.

A deal's deadlines are set by the slowest of its chains: when it is decided by one of them, when it is
released by at most two. So whatever is on a chain is in time exactly when none of a few sets of one or
two further chains is touched as a whole.
"""

from collections.abc import Collection
from itertools import combinations

from chains.deadlines import Deadlines
from router.problem import Problem
from router.timing import plan_deadlines


class Patience:
    """Deadlines by set of chains, computed once."""

    __slots__ = ("_deadlines", "_problem")

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._deadlines: dict[frozenset[str], Deadlines] = {}

    def too_slow(self, chain: str, decide_before_us: int, release_before_us: int) -> list[tuple[str, ...]]:
        """The smallest sets of further chains with which a deal on `chain` would miss an instant.

        The deal must be decided before `decide_before_us` and released before `release_before_us`.
        """
        others = sorted(self._problem.chains.keys() - {chain})

        def is_late(further: Collection[str]) -> bool:
            deadlines = self._of(frozenset({chain, *further}))
            return deadlines.decide_by_us >= decide_before_us or deadlines.release_by_us >= release_before_us

        if not others or not is_late(others):
            return []
        single = [other for other in others if is_late([other])]
        patient = [other for other in others if other not in single]
        pairs = [pair for pair in combinations(patient, 2) if is_late(pair)]
        return [*((other,) for other in single), *pairs]

    def _of(self, touched: frozenset[str]) -> Deadlines:
        if touched not in self._deadlines:
            self._deadlines[touched] = plan_deadlines(self._problem, touched)
        return self._deadlines[touched]
