"""What a search holds only gets better, always fits together, and is never below its seed."""

from random import Random

from router.coverage import plan_value
from router.extraction import Worth
from router.greedy import clear_greedily
from router.residual import Residual
from router.search import Search
from solvers.problem import to_problem
from tests.random_auctions import random_auction


def test_a_search_holds_only_what_fits_together_and_never_less_than_before() -> None:
    rng = Random(2)
    for seed in range(30):
        problem = to_problem(random_auction(seed))
        demands = list(problem.demands.values())
        plans = clear_greedily(problem, [[demand] for demand in demands])
        search = Search(problem, time_limit_s=1, seed_plans=plans)
        assert search.value >= sum(plan_value(problem, plan) for plan in plans)
        for _ in range(5):
            chosen = rng.sample(demands, k=max(1, len(demands) // 2))
            other = clear_greedily(problem, [[demand] for demand in chosen])
            found = [Worth(plan=plan, value=plan_value(problem, plan)) for plan in other]
            before = search.value
            improved = search.consider(found)
            assert (search.value > before) if improved else (search.value == before)
            residual = Residual(problem)
            for worth in search.worths:
                residual.take(worth.plan)


def test_what_remains_has_room_for_nothing_that_was_taken() -> None:
    for seed in range(30):
        problem = to_problem(random_auction(seed))
        plans = clear_greedily(problem, [[demand] for demand in problem.demands.values()])
        search = Search(problem, time_limit_s=1, seed_plans=plans)
        rest = search.remaining(search.worths)
        filled = {intent for worth in search.worths for intent, _ in worth.plan.fills}
        assert not filled & rest.demands.keys()
        for offer in problem.offers.values():
            taken = sum(
                lots for worth in search.worths for name, lots in worth.plan.trades if name == offer.id
            )
            left = rest.offers[offer.id].lots if offer.id in rest.offers else 0
            assert left + taken == offer.lots


def test_no_time_left_means_no_solution_and_no_failure() -> None:
    from router.constraints import build_model
    from router.model import Kind

    problem = to_problem(random_auction(3))
    search = Search(problem, time_limit_s=0, seed_plans=())
    assert search.solve(build_model(problem, Kind.POOLED)) is None
    assert search.left_s == 0
