"""The joint answer of a small batch equals the best set of bids found by trying everything."""

from collections import Counter

import pytest

from chains.units import USDC
from router import joint
from router.joint import JointAnswer, solve_jointly
from router.problem import Problem
from tests.router.exhaustive import ROUNDING, best_total
from tests.router.tiny_problems import tiny_problem

BATCHES = range(4)
PER_BATCH = 150
LEAST_SEEN = {"filled": 50, "matched": 15, "lots sent": 3, "cash sent": 3, "several": 1, "no order": 1}


@pytest.mark.parametrize("batch", BATCHES)
def test_joint_equals_the_exhaustive_optimum(batch: int) -> None:
    """600 instances of the sizes that `tiny_problems` states, at least 200 of them worth filling."""
    seen: Counter[str] = Counter()
    for seed in range(batch * PER_BATCH, (batch + 1) * PER_BATCH):
        problem = tiny_problem(seed)
        answer = solve_jointly(problem, time_limit_s=60)
        best = best_total(problem)
        assert abs(answer.value - best) <= ROUNDING, f"seed {seed}: {answer.value}, at best {best}"
        assert answer.proved, f"seed {seed} is not proved"
        assert answer.value <= answer.bound
        seen.update(_features(problem, answer))
    assert {name: seen[name] for name in LEAST_SEEN if seen[name] < LEAST_SEEN[name]} == {}


def test_large_batches_are_solved_nearly_as_well_and_never_better(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joint, "SEPARATE_MAX", 0)
    found = possible = 0.0
    for seed in range(150):
        problem = tiny_problem(seed)
        answer = solve_jointly(problem, time_limit_s=60)
        best = best_total(problem)
        assert answer.value <= best + ROUNDING
        assert best <= answer.bound + ROUNDING
        found, possible = found + answer.value, possible + best
    assert found >= 0.99 * possible


def _features(problem: Problem, answer: JointAnswer) -> list[str]:
    """What an instance's answer shows, so that the instances are known not to be trivial."""
    homes = {demand.chain for demand in problem.demands.values()}
    assets = {asset for plan in answer.plans for _, asset, _ in plan.transfers}
    touched = {
        problem.venues[problem.offers[offer].venue].chain for plan in answer.plans for offer, _ in plan.trades
    }
    features = {
        "filled": bool(answer.plans),
        "several": len(answer.plans) > 1,
        "matched": any(len(plan.fills) > 1 for plan in answer.plans),
        "lots sent": bool(assets - {USDC}),
        "cash sent": USDC in assets,
        "no order": bool(touched - homes),
    }
    return [name for name, shown in features.items() if shown]
