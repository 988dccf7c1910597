"""Mixed-integer programs as sparse arrays, solved by the back ends of OR-Tools' `model_builder`.

A `Program` is filled column by column and row by row and handed over as one CSR matrix, which is
20 to 200 times cheaper than building expressions. SCIP is tried first; HiGHS takes over where SCIP is
missing, fails or finds nothing. Both are given one thread and fixed seeds, so that an answer found
within the limits is always the same. No solution hints are passed: HiGHS crashes on them.

Time limits are soft in both back ends, so a caller must hold a valid answer before it asks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver.python import model_builder
from scipy.sparse import csr_matrix

Terms = Iterable[tuple[int, float]]
"""(column, coefficient) pairs of a row; a column may come up several times."""

SETTINGS: Final = {
    "scip": "limits/gap = 0\nlimits/absgap = {absgap}\n"
    "separating/maxroundsroot = 3\nseparating/maxrounds = 0\n"
    "misc/allowstrongdualreds = FALSE\nmisc/allowweakdualreds = FALSE\n",
    "highs": "output_flag = false\nmip_rel_gap = 0\nmip_abs_gap = {absgap}\npresolve = off\n",
}
"""Back ends in the order in which they are tried, with their settings.

SCIP's dual reductions and HiGHS' presolve are off because the versions inside OR-Tools 9.15 called
worse solutions optimal with them: 1 and 9 of about 12,800 small joint models, and none without. The
same goes for tolerances tighter than the default 1e-6. More rounds of cutting planes cost time and
bring nothing on joint models, whose relaxation is tight."""


class Program:
    """A maximisation over bounded columns, some of them integer, subject to ranged rows."""

    __slots__ = ("_bounds", "_columns", "_data", "_gains", "_lower", "_starts", "_upper", "_whole")

    def __init__(self) -> None:
        self._lower: list[float] = []
        self._upper: list[float] = []
        self._gains: list[float] = []
        self._whole: list[int] = []
        self._starts: list[int] = [0]
        self._columns: list[int] = []
        self._data: list[float] = []
        self._bounds: list[tuple[float, float]] = []

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self._bounds), len(self._lower)

    def add_column(
        self, *, lower: float = 0, upper: float = inf, gain: float = 0, whole: bool = False
    ) -> int:
        """Add a column and return its index; `gain` is its coefficient in the objective."""
        if whole:
            self._whole.append(len(self._lower))
        self._lower.append(lower)
        self._upper.append(upper)
        self._gains.append(gain)
        return len(self._lower) - 1

    def add_binary(self) -> int:
        """Add a column that is 0 or 1."""
        return self.add_column(upper=1, whole=True)

    def add_row(self, terms: Terms, *, lower: float = -inf, upper: float = inf) -> None:
        """Add the row ``lower <= sum of coefficient * column <= upper``."""
        for column, coefficient in terms:
            self._columns.append(column)
            self._data.append(coefficient)
        self._starts.append(len(self._columns))
        self._bounds.append((lower, upper))

    def require_whole(self, columns: Iterable[int]) -> None:
        """Declare further columns integer."""
        self._whole = sorted({*self._whole, *columns})

    def build(self) -> Any:
        """The program as a model of OR-Tools."""
        rows, columns = self.shape
        bounds = np.array(self._bounds, dtype=np.float64).reshape(rows, 2)
        matrix = csr_matrix((np.array(self._data), self._columns, self._starts), shape=(rows, columns))
        matrix.sum_duplicates()
        model: Any = model_builder.Model()  # type: ignore[no-untyped-call]
        helper = model.helper
        helper.fill_model_from_sparse_data(
            np.array(self._lower), np.array(self._upper), np.array(self._gains), *bounds.T.copy(), matrix
        )
        for column in self._whole:
            helper.set_var_integrality(column, True)
        helper.set_maximize(True)
        return model


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """What a back end found.

    Attributes
    ----------
    values : (n_columns,) float64
    bound : proved upper bound of the objective
    optimal : whether the search was finished
    """

    values: NDArray[np.float64]
    objective: float
    bound: float
    optimal: bool


def solve_program(program: Program, *, time_limit_s: float, absgap: float) -> tuple[Solution | None, float]:
    """Solve a program: the best solution found, if any, and the seconds that it took.

    `time_limit_s` holds, softly, over all back ends; the search may stop when the bound is within
    `absgap` of the objective.
    """
    if not program.shape[1]:
        return Solution(values=np.zeros(0), objective=0.0, bound=0.0, optimal=True), 0.0
    model, spent_s = program.build(), 0.0
    for name, settings in SETTINGS.items():
        solution, seconds = _solve_with(
            name, model, settings=settings.format(absgap=absgap), time_limit_s=time_limit_s - spent_s
        )
        spent_s += seconds
        if solution is not None or spent_s >= time_limit_s:
            return solution, spent_s
    return None, spent_s


def _solve_with(
    name: str, model: Any, *, settings: str, time_limit_s: float
) -> tuple[Solution | None, float]:
    solver = model_builder.Solver(name)
    if not solver.solver_is_supported():
        return None, 0.0
    solver.set_time_limit_in_seconds(time_limit_s)
    solver.set_solver_specific_parameters(settings)
    status = solver.solve(model)
    seconds = float(solver.wall_time)
    if status not in {model_builder.SolveStatus.OPTIMAL, model_builder.SolveStatus.FEASIBLE}:
        return None, seconds
    solution = Solution(
        values=np.array(solver.values(model.get_variables()), dtype=np.float64),
        objective=float(solver.objective_value),
        bound=float(solver.best_objective_bound),
        optimal=status == model_builder.SolveStatus.OPTIMAL,
    )
    return solution, seconds
