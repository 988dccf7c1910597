from dataclasses import dataclass
from math import inf
from random import Random

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from router import backend
from router.backend import SETTINGS, Program, Solution, solve_program

BACK_ENDS = tuple(SETTINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A program written out in full, to be given to any solver."""

    lower: list[float]
    upper: list[float]
    gains: list[float]
    whole: list[bool]
    rows: list[tuple[list[float], float, float]]


def random_program(seed: int) -> Written:
    """Up to six bounded columns and six rows: equalities, one-sided, two-sided, some impossible."""
    rng = Random(seed)
    columns = rng.randint(1, 6)
    rows = []
    for _ in range(rng.randint(1, 6)):
        row = [float(rng.choice([0, 0, 1, 2, -1, -3])) for _ in range(columns)]
        middle = rng.randint(-3, 8)
        ends = rng.choice([(-inf, middle), (middle - 6, inf), (middle - 3, middle), (middle, middle)])
        rows.append((row, float(ends[0]), float(ends[1])))
    return Written(
        lower=[float(rng.choice([0, 0, -4])) for _ in range(columns)],
        upper=[float(rng.randint(0, 9)) for _ in range(columns)],
        gains=[float(rng.randint(-5, 9)) for _ in range(columns)],
        whole=[rng.random() < 0.6 for _ in range(columns)],
        rows=rows,
    )


def build(written: Written) -> Program:
    """The program; every coefficient comes in two pieces, which must add up."""
    program = Program()
    for lower, upper, gain, whole in zip(
        written.lower, written.upper, written.gains, written.whole, strict=True
    ):
        program.add_column(lower=lower, upper=upper, gain=gain, whole=whole)
    for row, lower, upper in written.rows:
        terms = [(column, coefficient - 1) for column, coefficient in enumerate(row)]
        terms += [(column, 1.0) for column in range(len(row))]
        program.add_row(terms, lower=lower, upper=upper)
    return program


def best_objective(written: Written) -> float | None:
    matrix = np.array([row for row, _, _ in written.rows])
    answer = milp(
        -np.array(written.gains),
        integrality=np.array(written.whole, dtype=int),
        bounds=Bounds(np.array(written.lower), np.array(written.upper)),
        constraints=LinearConstraint(
            matrix, np.array([row[1] for row in written.rows]), np.array([row[2] for row in written.rows])
        ),
    )
    return float(-answer.fun) if answer.success else None


def solve(program: Program) -> Solution | None:
    solution, seconds = solve_program(program, time_limit_s=10, absgap=1e-9)
    assert 0 <= seconds < 10
    return solution


@pytest.fixture(params=BACK_ENDS)
def only(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One back end, without the other to fall back on."""
    name = str(request.param)
    monkeypatch.setattr(backend, "SETTINGS", {name: SETTINGS[name]})
    return name


@pytest.mark.usefixtures("only")
def test_every_back_end_finds_the_optimum_that_scipy_finds() -> None:
    possible = 0
    for seed in range(60):
        written = random_program(seed)
        best, solution = best_objective(written), solve(build(written))
        assert (solution is None) == (best is None), f"seed {seed}"
        if solution is None or best is None:
            continue
        possible += 1
        assert solution.optimal
        assert solution.objective == pytest.approx(best, abs=1e-6), f"seed {seed}"
        assert solution.bound == pytest.approx(best, abs=1e-6), f"seed {seed}"
        _check_values(written, solution)
    assert possible >= 30


def _check_values(written: Written, solution: Solution) -> None:
    """The values keep every bound and row, and are worth the objective."""
    values = solution.values
    assert float(np.dot(values, written.gains)) == pytest.approx(solution.objective, abs=1e-6)
    assert np.all(values >= np.array(written.lower) - 1e-6)
    assert np.all(values <= np.array(written.upper) + 1e-6)
    for row, lower, upper in written.rows:
        assert lower - 1e-6 <= float(np.dot(row, values)) <= upper + 1e-6
    whole = values[np.array(written.whole)]
    assert np.allclose(whole, np.rint(whole), atol=1e-6)


@pytest.mark.usefixtures("only")
def test_an_impossible_program_has_no_solution() -> None:
    program = Program()
    column = program.add_binary()
    program.add_row([(column, 2)], lower=1, upper=1)
    assert solve(program) is None


@pytest.mark.usefixtures("only")
def test_columns_may_be_declared_whole_afterwards() -> None:
    program = Program()
    columns = [program.add_column(upper=9, gain=1) for _ in range(2)]
    program.add_row([(column, 2.0) for column in columns], upper=7)
    relaxed = solve(program)
    for column in columns:
        program.require_whole([column])
    whole = solve(program)
    assert relaxed is not None
    assert whole is not None
    assert relaxed.objective == pytest.approx(3.5)
    assert whole.objective == pytest.approx(3)
    assert program.shape == (1, 2)


def test_a_program_without_columns_is_solved_by_nothing() -> None:
    solution = solve(Program())
    assert solution is not None
    assert (solution.values.shape, solution.objective, solution.bound, solution.optimal) == ((0,), 0, 0, True)


def test_equal_programs_have_equal_answers() -> None:
    for seed in range(10):
        first, second = (solve(build(random_program(seed))) for _ in range(2))
        assert (first is None) == (second is None)
        if first is not None and second is not None:
            assert first.values.tolist() == second.values.tolist()
