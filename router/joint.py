"""A whole batch solved at once: venues, bridges with shared fixed costs, orders matched with orders.

The answer is a set of plans that are jointly compatible, each of which could be one bid. A valid
answer is held from the start (the seed), and every step only ever improves it:

1. the relaxed model gives an upper bound and a first answer; where its connected parts turn out to be
   feasible as they are, with all their own fees, that answer is the best there is;
2. a small batch is then solved with a part for every demand, which is exact;
3. a larger one cluster by cluster (`router.clusters`), then with all the rules of a bid on the whole
   batch, and then again on what is left, as long as that finds more.

Solutions whose pieces share fees that separate bids do not share are cut off (`router.cuts`) and the
model is solved again. Models: `router.model`. For a given problem the answer is always the same
unless a time limit strikes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from msgspec.structs import replace as replace_struct

from router.backend import Solution, solve_program
from router.clusters import join_plans, keep_main_bridges, split_clusters
from router.constraints import build_model
from router.coverage import plan_value
from router.cuts import add_cuts
from router.extraction import Reading, Worth, is_sound, is_whole, read_part, settle_parts
from router.model import JointModel, Kind, most_cash
from router.problem import Plan, Problem
from router.reduction import reduce_problem
from router.residual import Residual

SEPARATE_MAX = 4
"""The most demands that are solved with a part for each."""

ROUNDS_MAX = 40
"""How often one model is cut and solved again."""

CLUSTER_SHARE = 0.5
"""The part of the solver time left that one cluster may take."""

ABSGAP = 1e-7
"""Where a back end may stop, as a share of the money that is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointAnswer:
    """Jointly compatible plans, with their value and a proved upper bound of it (micro-USDC).

    `proved` says that no better answer exists, up to the rounding of cash to whole micro-USDC.
    """

    plans: tuple[Plan, ...]
    value: int
    bound: int
    proved: bool


def solve_jointly(problem: Problem, *, time_limit_s: float, seed_plans: Sequence[Plan] = ()) -> JointAnswer:
    """The best answer to a batch that is found within a (soft) limit of solver time.

    `seed_plans` are plans that are known to be feasible, for example those of `router.greedy`; the
    answer is never worth less than the best of them that fit together in the order given.
    """
    *_, last = improve_jointly(problem, time_limit_s=time_limit_s, seed_plans=seed_plans)
    return last


def improve_jointly(
    problem: Problem, *, time_limit_s: float, seed_plans: Sequence[Plan] = ()
) -> Iterator[JointAnswer]:
    """The same as `solve_jointly`, one answer after another: the seed first, then whatever is better."""
    search = _Search(problem, time_limit_s=time_limit_s, seed_plans=seed_plans)
    yield search.answer()
    reduced = reduce_problem(problem)
    if not reduced.demands:
        search.bound = 0
    if len(reduced.demands) > SEPARATE_MAX:
        for _ in search.improve_clusters(reduced):
            yield search.answer()
    kinds = [Kind.RELAXED, Kind.SEPARATE if len(reduced.demands) <= SEPARATE_MAX else Kind.POOLED]
    for kind in kinds:
        for _ in search.improve(reduced, kind):
            yield search.answer()
    while not search.proved and len(reduced.demands) > SEPARATE_MAX:
        value = search.value
        held = search.worths
        rest = reduce_problem(_remaining(problem, [worth.plan for worth in held]))
        for _ in search.improve(rest, Kind.POOLED, held=held):
            yield search.answer()
        if search.value == value:
            break
    yield search.answer()


class _Search:
    """The best answer so far, its bound, and the solver time that is left."""

    def __init__(self, problem: Problem, *, time_limit_s: float, seed_plans: Sequence[Plan]) -> None:
        self._problem = problem
        self._left_s = time_limit_s
        self._seed = [
            Worth(plan=plan, value=plan_value(problem, plan))
            for plan in seed_plans
            if is_sound(problem, plan)
        ]
        self.worths: tuple[Worth, ...] = ()
        self.bound = most_cash(problem)
        self._consider(())

    @property
    def value(self) -> int:
        """Micro-USDC."""
        return sum(worth.value for worth in self.worths)

    @property
    def proved(self) -> bool:
        """Whether nothing but roundings can be gained."""
        return self.bound - self.value <= self._rounding()

    def answer(self) -> JointAnswer:
        """What is held now."""
        return JointAnswer(
            plans=tuple(worth.plan for worth in self.worths),
            value=self.value,
            bound=max(self.bound, self.value),
            proved=self.proved,
        )

    def improve(self, problem: Problem, kind: Kind, *, held: Sequence[Worth] = ()) -> Iterator[None]:
        """Solve a model of `problem`, cutting as long as that helps; yields whenever the answer improved.

        `held` is kept beside every solution; the problem must leave room for it.
        """
        if self.proved:
            return
        model = build_model(problem, kind)
        seen: list[Reading] = []
        for _ in range(ROUNDS_MAX):
            solution = self._solve(model)
            if solution is None:
                return
            if kind is not Kind.POOLED:
                self._lower_bound(model, solution)
            if not is_whole(model, solution.values):
                model.program.require_whole(model.flows())
                continue
            readings = [read_part(model, part, solution.values) for part in model.parts]
            found = [worth for reading in readings for worth in settle_parts(problem, reading.plan)]
            if self._consider([*held, *found]):
                yield
            if self.proved or readings == seen or not add_cuts(model, readings):
                return
            seen = readings

    def improve_clusters(self, problem: Problem) -> Iterator[None]:
        """Solve the clusters of a problem one by one, then join what saves fees; yields improvements."""
        held: list[Worth] = []
        for cluster in split_clusters(keep_main_bridges(problem)):
            part = _Search(cluster, time_limit_s=CLUSTER_SHARE * self._left_s, seed_plans=())
            allotted_s = part._left_s
            for _ in part.improve(cluster, Kind.POOLED):
                pass
            self._left_s -= allotted_s - part._left_s
            seed = tuple(worth for worth in self._seed if worth.plan.fills[0][0] in cluster.demands)
            held += max(part.worths, seed, key=lambda worths: sum(worth.value for worth in worths))
            if self._consider(held):
                yield
        if self._consider(join_plans(self._problem, self.worths)):
            yield

    def _solve(self, model: JointModel) -> Solution | None:
        if self._left_s <= 0:
            return None
        absgap = max(0.4 / model.unit, ABSGAP * model.purse)
        solution, seconds = solve_program(model.program, time_limit_s=self._left_s, absgap=absgap)
        self._left_s -= seconds
        return solution

    def _lower_bound(self, model: JointModel, solution: Solution) -> None:
        self.bound = min(self.bound, int(solution.bound * model.unit) + 1)

    def _consider(self, found: Sequence[Worth]) -> bool:
        """Hold what was found if it is better, filled up with the seed."""
        residual, chosen = Residual(self._problem), []
        for worth in [*found, *self._seed]:
            if worth.value > 0 and residual.has_room(worth.plan):
                residual.take(worth.plan)
                chosen.append(worth)
        if sum(worth.value for worth in chosen) <= self.value:
            return False
        self.worths = tuple(chosen)
        return True

    def _rounding(self) -> int:
        """Micro-USDC by which whole amounts may be worth less than the model says."""
        transfers = sum(len(worth.plan.transfers) for worth in self.worths)
        return 2 + 4 * transfers


def _remaining(problem: Problem, plans: Sequence[Plan]) -> Problem:
    """What some plans leave of a problem."""
    residual = Residual(problem)
    for plan in plans:
        residual.take(plan)
    return replace(
        problem,
        demands={intent: demand for intent, demand in problem.demands.items() if residual.is_open(demand)},
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
