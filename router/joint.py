"""A whole batch solved at once: venues, bridges with shared fixed costs, orders matched with orders.

The answer is a set of plans that are jointly compatible, each of which could be one bid. A valid
answer is held from the start (the seed), and never given up for a worse one (`router.search`), but for
the small price of smaller bids:

- A small batch is solved relaxed, which gives an upper bound and is often feasible as it is, and then
  with a part for every demand, which is exact but for the rounding of prices. Solutions whose pieces share
  what separate bids do not share are cut off (`router.cuts`) and the model is solved again. A bound leaves
  room for that rounding; where references make a difference and its solution relies on more room than there
  is, the model is solved once more without.
- A larger one is solved with all the rules of a bid on the whole batch. What comes out is taken apart
  by series, since a large bid fails as a whole, unless it is clearly worth more as it is. Then
  clusters of demands are solved anew one by one, plans are joined where that saves fees
  (`router.clusters`), what is left open is solved once more, and the relaxed model gives the bound.

Models: `router.model`. For a given problem the answer is always the same unless a time limit strikes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from router.clusters import (
    RISK_DENOMINATOR,
    confine_problem,
    join_plans,
    keep_main_bridges,
    split_by_series,
    split_clusters,
)
from router.connection import split_plan
from router.constraints import build_model
from router.cuts import add_cuts
from router.extraction import Reading, Worth, read_part, settle_parts
from router.model import JointModel, Kind
from router.problem import Plan, Problem
from router.reduction import reduce_problem
from router.search import Search

SEPARATE_MAX: Final = 4
"""The most demands that are solved with a part for each."""

ROUNDS_MAX: Final = 40
"""How often one model is cut and solved again."""

WHOLE_SHARE: Final = 0.6
"""The part of the solver time that the whole batch as one may take: its answer must still be settled."""

REPAIRS_MAX: Final = 4
"""How often what is not sound by itself is solved again without what is."""

MARGIN: Final = 100
"""Micro-USDC per reduced unit that a repair keeps back, so that roundings do not undo it again."""

CLUSTER_SHARE: Final = 0.5
"""The part of the solver time left that one cluster may take."""


JOIN_S: Final = 0.005
"""Seconds kept for trying to join two plans."""


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
    problem: Problem,
    *,
    time_limit_s: float,
    seed_plans: Sequence[Plan] = (),
    remaining_s: Callable[[], float] | None = None,
) -> Iterator[JointAnswer]:
    """The same as `solve_jointly`, one answer after another: the seed first, then whatever is better.

    The limit counts solver time alone; `remaining_s` tells the seconds left on the caller's clock, where
    what lies between the solves matters too.
    """
    search = Search(problem, time_limit_s=time_limit_s, seed_plans=seed_plans, remaining_s=remaining_s)
    yield _answer(search)
    reduced = reduce_problem(problem)
    if not reduced.demands:
        search.bound = 0
    steps = _solve_small if len(reduced.demands) <= SEPARATE_MAX else _solve_large
    for _ in steps(search, reduced):
        yield _answer(search)
    yield _answer(search)


def _answer(search: Search) -> JointAnswer:
    return JointAnswer(
        plans=tuple(worth.plan for worth in search.worths),
        value=search.value,
        bound=max(search.bound, search.value),
        proved=search.proved,
    )


def _solve_small(search: Search, problem: Problem) -> Iterator[None]:
    """Relaxed, then exactly, then with no room for rounding."""
    models = [(Kind.RELAXED, True), (Kind.SEPARATE, True)]
    if problem.references:
        models.append((Kind.SEPARATE, False))
    for kind, is_bound in models:
        if not search.proved:
            yield from _solve_with_cuts(search, build_model(problem, kind, is_bound=is_bound))


def _solve_with_cuts(search: Search, model: JointModel) -> Iterator[None]:
    """Solve a model, cutting as long as that changes anything."""
    seen: list[Reading] = []
    for _ in range(ROUNDS_MAX):
        solution = search.solve(model)
        if solution is None:
            return
        search.lower_bound(model, solution)
        readings = [read_part(model, part, solution.values) for part in model.parts]
        found = [worth for reading in readings for worth in settle_parts(model.problem, reading.plan)]
        if search.consider(found):
            yield
        if search.proved or readings == seen or not add_cuts(model, readings):
            return
        seen = readings


def _solve_large(search: Search, problem: Problem) -> Iterator[None]:
    """Whole, cluster by cluster, what is left; then the bound."""
    yield from _solve_whole(search, problem)
    yield from _solve_clusters(search, problem)
    yield from _solve_rest(search)
    model = build_model(problem, Kind.RELAXED, is_bound=True)
    solution = search.solve(model)
    if solution is not None:
        search.lower_bound(model, solution)


def _solve_whole(search: Search, problem: Problem) -> Iterator[None]:
    """The batch as one, in its connected parts, and then taken apart where that costs little."""
    plan = _read_pooled(search, problem, share=WHOLE_SHARE)
    if plan is None:
        return
    whole = _settle_whole(search, plan)
    if search.consider(whole):
        yield
    if search.consider(_settle_apart(search, plan), gain=-(search.value // RISK_DENOMINATOR)):
        yield


def _settle_whole(search: Search, plan: Plan) -> list[Worth]:
    """A plan's connected parts as bids; those that relied on the purse of others are solved again."""
    held: list[Worth] = []
    pieces = split_plan(search.problem, plan)
    for _ in range(REPAIRS_MAX):
        sound = [worth for piece in pieces for worth in settle_parts(search.problem, piece)]
        held += sound
        filled = {intent for worth in sound for intent, _ in worth.plan.fills}
        pieces = tuple(piece for piece in pieces if not filled.issuperset(dict(piece.fills)))
        if not pieces:
            break
        confined = confine_problem(search.remaining(held), pieces)
        rest = _read_pooled(search, confined, margin=MARGIN)
        pieces = () if rest is None else split_plan(search.problem, rest)
    return held


def _settle_apart(search: Search, plan: Plan) -> list[Worth]:
    """A plan as bids that share no series; what does not stand by itself stays together."""
    held: list[Worth] = []
    dependent: list[Plan] = []
    for share in split_by_series(search.problem, plan):
        if search.left_s <= 0:
            return []
        found = _settle_confined(search, [share], held=held)
        if {fill for worth in found for fill in worth.plan.fills} == set(share.fills):
            held += found
        else:
            dependent.append(share)
    return held + (_settle_confined(search, dependent, held=held) if dependent else [])


def _settle_confined(search: Search, plans: Sequence[Plan], *, held: Sequence[Worth]) -> list[Worth]:
    """The bids that can be made of what some plans fill and trade, beside those held."""
    confined = confine_problem(search.remaining(held), plans)
    for margin in (0, MARGIN):
        plan = _read_pooled(search, confined, margin=margin)
        found = [] if plan is None else list(settle_parts(confined, plan))
        if plan is None or sum(len(worth.plan.fills) for worth in found) == len(plan.fills):
            break
    return found


def _solve_clusters(search: Search, problem: Problem) -> Iterator[None]:
    """Solve each cluster anew on what the others leave, then join plans that save fees."""
    main = keep_main_bridges(problem)
    for cluster in split_clusters(main):
        if search.left_s <= 0:
            return
        inside = [worth for worth in search.worths if worth.plan.fills[0][0] in cluster.demands]
        others = [worth for worth in search.worths if worth not in inside]
        filled = {intent for worth in inside for intent, _ in worth.plan.fills}
        if not filled <= cluster.demands.keys():
            continue
        room = search.remaining(others)
        bridges = {name: bridge for name, bridge in room.bridges.items() if name in main.bridges}
        alone = reduce_problem(replace(room, demands=cluster.demands, bridges=bridges))
        plan = _read_pooled(search, alone, share=CLUSTER_SHARE)
        if plan is not None and search.consider([*settle_parts(alone, plan), *others]):
            yield
    pairs = len(search.worths) * (len(search.worths) - 1) // 2
    if search.left_s > JOIN_S * pairs and search.consider(join_plans(search.problem, search.worths)):
        yield


def _solve_rest(search: Search) -> Iterator[None]:
    """Solve what is left open, as long as that finds more."""
    while search.left_s > 0:
        held = search.worths
        plan = _read_pooled(search, reduce_problem(search.remaining(held)))
        if plan is None or not search.consider([*held, *settle_parts(search.problem, plan)]):
            return
        yield


def _read_pooled(search: Search, problem: Problem, *, share: float = 1, margin: int = 0) -> Plan | None:
    """The best plan for a problem as one bid, perhaps in pieces, with its cash only about right."""
    if not problem.demands:
        return None
    model = build_model(problem, Kind.POOLED, margin=margin)
    solution = search.solve(model, share=share)
    return None if solution is None else read_part(model, model.parts[0], solution.values).plan
