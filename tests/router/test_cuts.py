"""Cuts take away what no set of bids can have, and nothing else."""

from router.backend import solve_program
from router.constraints import build_model
from router.cuts import add_cuts, find_pieces
from router.extraction import is_whole, read_part
from router.model import Kind
from tests.router.exhaustive import ROUNDING, best_total
from tests.router.tiny_problems import tiny_problem

SEEDS = range(80)
ROUNDS_MAX = 40


def test_cuts_only_lower_the_bound_and_never_below_the_best_set_of_bids() -> None:
    cut = 0
    for seed in SEEDS:
        problem = tiny_problem(seed)
        best = best_total(problem)
        model = build_model(problem, Kind.RELAXED, is_bound=True)
        model.program.require_whole(model.flows())
        before = float("inf")
        for _ in range(ROUNDS_MAX):
            solution, _ = solve_program(model.program, time_limit_s=60, absgap=0.4 / model.unit)
            assert solution is not None
            assert is_whole(model, solution.values)
            bound = solution.bound * model.unit
            assert best - ROUNDING <= bound <= before + 1, f"seed {seed}"
            before = bound
            added = add_cuts(model, [read_part(model, part, solution.values) for part in model.parts])
            if not added:
                break
            cut += added
    assert cut > 0


def test_pieces_cover_a_reading_and_share_no_node() -> None:
    several = 0
    for seed in SEEDS:
        model = build_model(tiny_problem(seed), Kind.RELAXED)
        model.program.require_whole(model.flows())
        solution, _ = solve_program(model.program, time_limit_s=60, absgap=0.4 / model.unit)
        assert solution is not None
        plan = read_part(model, model.parts[0], solution.values).plan
        pieces = find_pieces(model, plan)
        assert sorted(intent for piece in pieces for intent in piece.fills) == sorted(
            intent for intent, _ in plan.fills
        )
        nodes = [node for piece in pieces for node in piece.nodes]
        assert len(nodes) == len(set(nodes))
        several += len(pieces) > 1
    assert several > 0
