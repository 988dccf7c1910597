"""The models of a batch bound each other as their rules say, and mean what they are read as."""

from router.backend import Solution, solve_program
from router.constraints import build_model
from router.extraction import is_whole, read_part, settle_parts
from router.model import JointModel, Kind, most_cash
from router.problem import Problem
from tests.router.exhaustive import ROUNDING, best_total
from tests.router.tiny_problems import tiny_problem

SEEDS = range(60)


def solve(problem: Problem, kind: Kind) -> tuple[JointModel, Solution]:
    model = build_model(problem, kind, is_bound=kind is Kind.RELAXED)
    model.program.require_whole(model.flows())
    solution, _ = solve_program(model.program, time_limit_s=60, absgap=0.4 / model.unit)
    assert solution is not None
    assert is_whole(model, solution.values)
    return model, solution


def test_the_relaxed_model_is_an_upper_bound_of_every_set_of_bids() -> None:
    for seed in SEEDS:
        problem = tiny_problem(seed)
        model, solution = solve(problem, Kind.RELAXED)
        assert solution.bound * model.unit >= best_total(problem) - ROUNDING, f"seed {seed}"


def test_the_relaxed_model_allows_whatever_the_pooled_one_does() -> None:
    for seed in SEEDS:
        problem = tiny_problem(seed)
        pooled, relaxed = solve(problem, Kind.POOLED), solve(problem, Kind.RELAXED)
        assert pooled[1].objective * pooled[0].unit <= relaxed[1].bound * relaxed[0].unit + 1, f"seed {seed}"


def test_what_is_read_from_a_pooled_solution_is_worth_no_more_than_its_objective() -> None:
    for seed in SEEDS:
        problem = tiny_problem(seed)
        model, solution = solve(problem, Kind.POOLED)
        (part,) = model.parts
        reading = read_part(model, part, solution.values)
        value = sum(worth.value for worth in settle_parts(problem, reading.plan))
        assert value <= solution.objective * model.unit + ROUNDING, f"seed {seed}"


def test_no_answer_moves_more_money_than_the_purse() -> None:
    for seed in SEEDS:
        problem = tiny_problem(seed)
        assert best_total(problem) <= most_cash(problem)
