"""The state of a joint search: the best answer so far, its bound, and the solver time that is left.

Whatever is found is held against what there is: plans are taken in the order given as long as they
have room, the seed fills up the rest, and the total must be greater than before. So the answer is
always jointly compatible and never worth less than the seed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from msgspec.structs import replace as replace_struct

from router.backend import Solution, solve_program
from router.coverage import plan_value
from router.extraction import Worth, is_sound, is_whole
from router.model import JointModel, most_cash
from router.problem import Plan, Problem
from router.residual import Residual

ABSGAP: Final = 1e-8
"""Where a back end may stop, as a share of the money that is about."""


class Search:
    """A search over one problem.

    Attributes
    ----------
    problem : the whole problem
    worths : the plans held, with their values
    bound : micro-USDC that no answer exceeds
    """

    def __init__(
        self,
        problem: Problem,
        *,
        time_limit_s: float,
        seed_plans: Iterable[Plan],
        remaining_s: Callable[[], float] | None = None,
    ) -> None:
        self.problem = problem
        self.bound = most_cash(problem)
        self.worths: tuple[Worth, ...] = ()
        self._solving_s = time_limit_s
        self._remaining_s = remaining_s
        self._seed = [
            Worth(plan=plan, value=plan_value(problem, plan))
            for plan in seed_plans
            if is_sound(problem, plan)
        ]
        self._floor = 0
        self.consider(())
        self._floor = self.value

    @property
    def value(self) -> int:
        """Micro-USDC that the plans held are worth."""
        return sum(worth.value for worth in self.worths)

    @property
    def left_s(self) -> float:
        """Seconds left: of solver time, and of whatever clock the caller gave."""
        return min(self._solving_s, self._remaining_s()) if self._remaining_s else self._solving_s

    @property
    def proved(self) -> bool:
        """Whether nothing can be gained but what whole micro-USDC lose by rounding."""
        transfers = sum(len(worth.plan.transfers) for worth in self.worths)
        return abs(self.bound - self.value) <= 2 + 4 * transfers

    def consider(self, found: Sequence[Worth], *, gain: int = 0) -> bool:
        """Hold what was found, filled up with the seed, if that is worth more by over `gain` micro-USDC.

        A negative gain is what may be given up, though never below the seed.
        """
        residual, chosen = Residual(self.problem), []
        for worth in [*found, *self._seed]:
            if worth.value > 0 and residual.has_room(worth.plan):
                residual.take(worth.plan)
                chosen.append(worth)
        total = sum(worth.value for worth in chosen)
        if total <= self.value + gain or total < self._floor:
            return False
        self.worths = tuple(chosen)
        return True

    def solve(self, model: JointModel, *, share: float = 1) -> Solution | None:
        """Solve a model to whole lots within a share of the time left; None if nothing was found."""
        solution = self._solve_once(model, share=share)
        if solution is not None and not is_whole(model, solution.values):
            model.program.require_whole(model.flows())
            return self._solve_once(model, share=share)
        return solution

    def lower_bound(self, model: JointModel, solution: Solution) -> None:
        """Use the bound of a model that every answer is a solution of; that of any other says nothing."""
        if model.is_bound:
            self.bound = min(self.bound, int(solution.bound * model.unit) + 1)

    def remaining(self, worths: Iterable[Worth]) -> Problem:
        """What some plans leave of the problem."""
        problem, residual = self.problem, Residual(self.problem)
        for worth in worths:
            residual.take(worth.plan)
        return replace(
            problem,
            demands={
                intent: demand for intent, demand in problem.demands.items() if residual.is_open(demand)
            },
            offers={
                offer.id: replace_struct(offer, lots=residual.offers[offer.id])
                for offer in problem.offers.values()
                if residual.offers[offer.id]
            },
            bridges={
                bridge.id: replace_struct(
                    bridge, capacity_cash=residual.cash[bridge.id], capacity_lots=residual.lots[bridge.id]
                )
                for bridge in problem.bridges.values()
            },
        )

    def _solve_once(self, model: JointModel, *, share: float) -> Solution | None:
        left_s = self.left_s
        if left_s <= 0:
            return None
        absgap = max(0.4 / model.unit, ABSGAP * model.purse)
        solution, seconds = solve_program(model.program, time_limit_s=share * left_s, absgap=absgap)
        self._solving_s -= seconds
        return solution
