"""The rows, solved with the fills given, allow what the one exact definition allows."""

from itertools import product
from random import Random

import pytest

from router.backend import solve_program
from router.ceilings import add_ceilings, least_ceilings
from router.model import JointModel, Kind, open_model
from router.peers import lowest_limit, reference_ceiling
from router.problem import Problem, Reference
from solvers.problem import to_problem
from tests.builders import CALL, HIGH, make_auction, make_offer, make_order, make_reference

PACKAGE = {CALL: 1, HIGH: -1}
KEY = ("hub", tuple(sorted(PACKAGE.items())))
PEERS_MAX = 3


def random_peers(seed: int) -> Problem:
    """A few orders for one package, a reference or none, and a rich venue, so that cash may be had."""
    rng = Random(seed)
    orders = []
    for number in range(rng.randint(1, PEERS_MAX)):
        factor, units = rng.choice([1, 1, 2]), rng.randint(1, 2)
        legs = {series: ratio * factor for series, ratio in PACKAGE.items()}
        limit = rng.choice([rng.randint(200, 900), rng.randint(-900, -200), 500])
        orders.append(
            make_order(f"order-{number}", legs, limit * factor, units=units, min_units=rng.choice([1, units]))
        )
    references = []
    if rng.random() < 0.7:
        price = rng.choice([rng.randint(200, 900), rng.randint(-900, 900)])
        references.append(make_reference("hub", PACKAGE, units=rng.randint(1, 5), price=price))
    return to_problem(
        make_auction(
            orders=tuple(orders),
            reference=tuple(references),
            offers=(make_offer("hub-book", CALL, "buy", 50_000, 100),),
        )
    )


def exact_ceilings(problem: Problem, fills: dict[str, int], reference: Reference | None) -> tuple[int, int]:
    """The most that fills may pay together, by the exact definition, and their reduced units."""
    factors = {intent: abs(demand.legs[0][1]) for intent, demand in problem.demands.items()}
    units = sum(filled * factors[intent] for intent, filled in fills.items())
    low = min(lowest_limit(problem.demands[intent], factors[intent]) for intent in fills)
    return reference_ceiling(low, units, reference) * units, units


def modelled_ceilings(
    problem: Problem, fills: dict[str, int], kind: Kind, *, is_bound: bool = False
) -> float:
    """The most that the rows let the fills pay together."""
    model = open_model(problem, kind, is_bound=is_bound)
    part = model.parts[0]
    ((column,),) = add_ceilings(model, part).values()
    _fix_fills(model, fills)
    paid = model.program.add_column(lower=-model.purse, upper=model.purse, gain=100)
    model.program.add_row([(paid, 1), (column, -1)], upper=0)
    solution, _ = solve_program(model.program, time_limit_s=10, absgap=1e-9)
    assert solution is not None
    return float(solution.values[paid]) * model.unit


def _fix_fills(model: JointModel, fills: dict[str, int]) -> None:
    (part,) = model.parts
    for intent, (column, each) in part.units.items():
        filled = fills.get(intent, 0)
        model.program.add_row([(column, 1)], lower=filled // each, upper=filled // each)
        present = min(1, filled)
        model.program.add_row([(part.filled[intent], 1)], lower=present, upper=present)


def possible_fills(problem: Problem) -> list[dict[str, int]]:
    choices = [
        [0, *range(demand.min_units, demand.units + 1)] for _, demand in sorted(problem.demands.items())
    ]
    fills = [dict(zip(sorted(problem.demands), units, strict=True)) for units in product(*choices)]
    return [some for fill in fills if (some := {intent: n for intent, n in fill.items() if n})]


@pytest.mark.parametrize("batch", range(2))
def test_rows_allow_what_the_exact_ceilings_allow(batch: int) -> None:
    """But for the rounding of the average, less than one micro-USDC per reduced unit."""
    for seed in range(batch * 12, batch * 12 + 12):
        problem = random_peers(seed)
        for fills in possible_fills(problem):
            exact, units = exact_ceilings(problem, fills, problem.references.get(KEY))
            found = modelled_ceilings(problem, fills, Kind.POOLED)
            assert exact - units - 0.01 < found < exact + 0.01, f"seed {seed}: {fills}"


def test_rows_that_bound_leave_room_for_the_rounding_and_no_more() -> None:
    for seed in range(12):
        problem = random_peers(seed)
        for fills in possible_fills(problem):
            exact, units = exact_ceilings(problem, fills, problem.references.get(KEY))
            found = modelled_ceilings(problem, fills, Kind.POOLED, is_bound=True)
            assert exact - 0.01 < found < exact + units + 0.01, f"seed {seed}: {fills}"


def test_relaxed_rows_never_allow_less() -> None:
    """So the relaxed optimum bounds that of every bid, though peers may pay different prices there."""
    apart = 0
    for seed in range(15):
        problem = random_peers(seed)
        for fills in possible_fills(problem):
            exact, _ = exact_ceilings(problem, fills, problem.references.get(KEY))
            found = modelled_ceilings(problem, fills, Kind.RELAXED, is_bound=True)
            assert found > exact - 0.01, f"seed {seed}: {fills}"
            apart += found > exact + 1
    assert apart


def test_least_ceilings_are_below_what_any_fills_may_pay() -> None:
    for seed in range(60):
        problem = random_peers(seed)
        model = open_model(problem, Kind.POOLED, margin=0)
        (part,) = model.parts
        ((chain, terms),) = least_ceilings(model, part).items()
        assert chain == "hub"
        columns = {column: (intent, each) for intent, (column, each) in part.units.items()}
        for fills in possible_fills(problem):
            least = -sum(
                coefficient * (fills.get(columns[column][0], 0) // columns[column][1])
                for column, coefficient in terms
            )
            assert least * model.unit < exact_ceilings(problem, fills, problem.references.get(KEY))[0]
