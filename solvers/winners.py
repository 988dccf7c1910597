"""Which bids win: exactly, with a proved bound, and the same whoever sent first.

Sets        bids b (only those with a positive score), claims c (orders and one-cancels-other groups),
            resources r (lots of an offer, cash and lots of a bridge)
Variables   x_b in {0, 1}: the bid wins
Constraints sum of x_b over the bids with claim c      <= 1            for every claim
            sum of use_rb * x_b                        <= capacity_r   for every resource
Objective   maximise the sum of score_b * x_b

Ties: the smallest sum of keys wins, then the smallest sorted list of keys, then the smallest sorted
list of bid digests. A bid that scores nothing never wins: a set without it does as well.

Bids that another one dominates are left out first: it claims something and nothing else than they do,
uses no more of anything scarce, and comes before them by score, key and digest. In any set with the
dominated bid the other can stand in its place (it is not there yet: they share a claim), and the set
is better, also by the tie rule. Many solvers send the same bid, so this leaves few ties to break.

The problem falls into components that share no claim and no resource that could be over-used; sums,
sorted lists and so the tie rule fall apart with it (all keys are positive). A component whose bids all
share one claim has the best of them as its winner. Any other goes to CP-SAT, one worker, a fixed
seed and a deterministic budget, with the greedy choice as a hint: all of it repeats exactly. Each of these
has an even share of what the smaller ones have left of the budget, so that a hard one costs no other its
proof. The proof covers the score; ties are broken within what is left of the share.

`find_best_total` answers how much some bids can score at best, and not by which: no ties are broken.

Source: weighted set packing; without a greedy hint CP-SAT came out far below greedy on large pools.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import networkx as nx
from ortools.sat.python import cp_model

from chains.units import floor_div

Weights = Sequence[int]
"""One integer per bid of a component, in the component's order."""

BUDGET_UNIT: Final = 1_000_000
"""Budget per unit of CP-SAT's deterministic time."""

SUM_MAX: Final = 2**61
"""The largest sum of coefficients given to CP-SAT, which computes in 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A feasible bid as far as the choice of winners is concerned.

    Attributes
    ----------
    digest : identifies the bid, and ends every tie
    key : at least 1
    score : micro-USDC, never negative
    claims : what at most one winner may hold
    uses : amount by resource; each fits its resource alone
    """

    digest: str
    key: int
    score: int
    claims: frozenset[str]
    uses: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The winners' digests, sorted, their total score, and the proved upper bound of any total.

    `unproved` are the digests of all bids, winners or not, of the components in which a better set may
    have been missed.
    """

    winners: tuple[str, ...]
    score: int
    bound: int
    unproved: frozenset[str] = frozenset()

    @property
    def proved(self) -> bool:
        """Whether no set does better."""
        return self.score == self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A feasible set as positions in a component, with its value, the proved bound and the budget used."""

    chosen: frozenset[int]
    value: int
    bound: int
    used: int = 0

    @property
    def proved(self) -> bool:
        """Whether no set does better."""
        return self.value == self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The best total score found, the proved upper bound of any, and the budget used for it."""

    score: int
    bound: int
    used: int

    @property
    def proved(self) -> bool:
        """Whether no set does better."""
        return self.score == self.bound


def choose_winners(
    candidates: Iterable[Candidate], capacities: Mapping[str, int], *, budget: int
) -> Selection:
    """Choose the set of bids with the greatest total score.

    `candidates` come in any order, with different digests; `capacities` holds the joint amount of
    every resource that is used; `budget` is for everything together, in millionths of a unit of
    CP-SAT's deterministic time.
    """
    components = split_components(remove_dominated(candidates, capacities), capacities)
    winners: list[str] = []
    unproved: list[str] = []
    score = bound = 0
    for component, answer in _solve_apart(
        components, lambda component, share: _choose(component, capacities, share), budget=budget
    ):
        winners += (component[position].digest for position in answer.chosen)
        unproved += () if answer.proved else (each.digest for each in component)
        score += answer.value
        bound += answer.bound
    return Selection(winners=tuple(sorted(winners)), score=score, bound=bound, unproved=frozenset(unproved))


def find_best_total(
    candidates: Iterable[Candidate],
    capacities: Mapping[str, int],
    *,
    budget: int,
    known: Collection[str] = (),
) -> Total:
    """The greatest total score of any set of bids; `known` are the digests of some that win together.

    The other arguments are those of `choose_winners`, whose score this is where both are proved.
    """
    components = split_components(remove_dominated(candidates, capacities), capacities)
    score = bound = used = 0
    for _, answer in _solve_apart(
        components,
        lambda component, share: _search_best(component, capacities, share, known)[0],
        budget=budget,
    ):
        used += answer.used
        score += answer.value
        bound += answer.bound
    return Total(score=score, bound=bound, used=used)


def remove_dominated(candidates: Iterable[Candidate], capacities: Mapping[str, int]) -> list[Candidate]:
    """The bids that score and are not dominated, sorted by digest.

    Fewer bids may leave fewer resources scarce, and then further bids dominated, so it is done again.
    """
    pool = sorted((each for each in candidates if each.score > 0), key=_rank)
    while len(kept := _undominated(pool, capacities)) < len(pool):
        pool = kept
    return sorted(pool, key=lambda each: each.digest)


def _undominated(pool: Sequence[Candidate], capacities: Mapping[str, int]) -> list[Candidate]:
    """The bids of a ranked pool that no earlier one dominates; so does one that is kept, if any does."""
    scarce = _contended(pool, capacities)
    kept: list[Candidate] = []
    holders: defaultdict[str, list[Candidate]] = defaultdict(list)
    for bid in pool:
        rivals = {rival.digest: rival for claim in bid.claims for rival in holders[claim]}
        if not any(_is_within(rival, bid, scarce) for rival in rivals.values()):
            kept.append(bid)
            for claim in bid.claims:
                holders[claim].append(bid)
    return kept


def _is_within(rival: Candidate, bid: Candidate, scarce: Collection[str]) -> bool:
    """Whether a rival needs nothing that the bid does not need too."""
    return rival.claims <= bid.claims and all(
        amount <= bid.uses.get(name, 0) for name, amount in rival.uses.items() if name in scarce
    )


def _rank(bid: Candidate) -> tuple[int, int, str]:
    """Of two bids that need the same, the smaller rank wins."""
    return -bid.score, bid.key, bid.digest


def split_components(pool: Sequence[Candidate], capacities: Mapping[str, int]) -> list[tuple[Candidate, ...]]:
    """Groups of bids that cannot get in each other's way, small ones first, each in the pool's order."""
    graph: nx.Graph[int] = nx.empty_graph(len(pool))
    for claimants in _claimants(pool).values():
        nx.add_path(graph, claimants)
    for users in _contended(pool, capacities).values():
        nx.add_path(graph, users)
    groups = sorted(sorted(group) for group in nx.connected_components(graph))
    return [tuple(pool[position] for position in group) for group in sorted(groups, key=len)]


def _solve_apart(
    components: Iterable[Sequence[Candidate]],
    solve: Callable[[Sequence[Candidate], int], Answer],
    *,
    budget: int,
) -> Iterator[tuple[Sequence[Candidate], Answer]]:
    """The answer to each component; `solve` has one to search in, and its share of the budget."""
    hard: list[Sequence[Candidate]] = []
    for component in components:
        alone = _best_alone(component)
        if alone is None:
            hard.append(component)
        else:
            yield component, alone
    for index, component in enumerate(hard):
        answer = solve(component, floor_div(budget, len(hard) - index))
        budget -= answer.used
        yield component, answer


def _choose(component: Sequence[Candidate], capacities: Mapping[str, int], budget: int) -> Answer:
    answer, search = _search_best(component, capacities, budget)
    if not answer.proved:
        return answer
    search.require([each.score for each in component], answer.value)
    chosen = _break_ties(search, component, answer.chosen)
    return Answer(chosen=chosen, value=answer.value, bound=answer.bound, used=budget - search.left)


def _best_alone(component: Sequence[Candidate]) -> Answer | None:
    """The winner of a component in which only one bid can win."""
    if len(component) > 1 and not frozenset[str].intersection(*(each.claims for each in component)):
        return None
    best = min(component, key=_rank)
    return Answer(chosen=frozenset({component.index(best)}), value=best.score, bound=best.score)


def _search_best(
    component: Sequence[Candidate], capacities: Mapping[str, int], budget: int, known: Collection[str] = ()
) -> tuple[Answer, "Search"]:
    """The best set of a component that is found, hinted at by what is known of it or taken greedily."""
    scores = [each.score for each in component]
    greedy = choose_greedily(component, capacities)
    first = frozenset(place for place, each in enumerate(component) if each.digest in known)
    filled = choose_greedily(component, capacities, first=first) if first else greedy
    search = Search(component, capacities, budget)
    answer = search.maximise(scores, max(greedy, filled, key=lambda chosen: _total(scores, chosen)))
    used = budget - search.left
    return Answer(chosen=answer.chosen, value=answer.value, bound=answer.bound, used=used), search


def _break_ties(search: "Search", component: Sequence[Candidate], chosen: frozenset[int]) -> frozenset[int]:
    """The first of the sets that are left, in the order of ties; `chosen` is one of them."""
    for goal in _tie_goals(component):
        if not search.has_other(chosen):
            break
        answer = search.maximise(goal, chosen)
        chosen = answer.chosen
        if not answer.proved:
            break
        search.require(goal, answer.value)
    return chosen


def _tie_goals(component: Sequence[Candidate]) -> Iterator[Weights]:
    """What to maximise, one after the other, among sets of equal score.

    Of two sorted lists with equal sums, the smaller one holds the smallest differing key more often.
    """
    yield [-each.key for each in component]
    for key in sorted({each.key for each in component}):
        yield [int(each.key == key) for each in component]
    for first in component:
        yield [int(each is first) for each in component]


def choose_greedily(
    component: Sequence[Candidate], capacities: Mapping[str, int], *, first: Collection[int] = ()
) -> frozenset[int]:
    """Take bids by descending score wherever they still fit; those in `first` before all others."""
    order = sorted(
        range(len(component)),
        key=lambda place: (place not in first, -component[place].score, component[place].key, place),
    )
    chosen: set[int] = set()
    claimed: set[str] = set()
    left = dict(capacities)
    for position in order:
        bid = component[position]
        if claimed.isdisjoint(bid.claims) and all(left[name] >= amount for name, amount in bid.uses.items()):
            chosen.add(position)
            claimed |= bid.claims
            for name, amount in bid.uses.items():
                left[name] -= amount
    return frozenset(chosen)


class Search:
    """The feasible sets of one component, narrowed step by step within one deterministic budget.

    `left` is the budget that is left.
    """

    def __init__(self, component: Sequence[Candidate], capacities: Mapping[str, int], budget: int) -> None:
        self.left = budget
        self._size = len(component)
        self._exclusive = [users for users in _claimants(component).values() if len(users) > 1]
        self._limited = [
            ([component[position].uses[name] for position in users], users, capacities[name])
            for name, users in _contended(component, capacities).items()
        ]
        self._floors: list[tuple[Weights, int]] = []

    def require(self, weights: Weights, least: int) -> None:
        """From now on, only sets with at least this weight count."""
        self._floors.append((weights, least))

    def maximise(self, weights: Weights, known: frozenset[int]) -> Answer:
        """The set with the greatest weight; at least as good as `known`, which must count."""
        value = _total(weights, known)
        most = sum(weight for weight in weights if weight > 0)
        if not self._fits_arithmetic(weights):
            return Answer(chosen=known, value=value, bound=most)
        model, wins = self._model(hint=known)
        model.minimize(_weigh(wins, [-weight for weight in weights]))
        status, solver = self._solve(model)
        if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
            return Answer(chosen=known, value=value, bound=most)
        found = frozenset(place for place, win in enumerate(wins) if solver.boolean_value(win))
        best = max(known, found, key=lambda chosen: _total(weights, chosen))
        value = _total(weights, best)
        bound = min(most, -solver.response_proto.inner_objective_lower_bound)
        return Answer(chosen=best, value=value, bound=max(value, bound))

    def has_other(self, chosen: frozenset[int]) -> bool:
        """Whether another set than `chosen` may count; False is proved."""
        model, wins = self._model(hint=chosen)
        model.add_bool_or([~win if place in chosen else win for place, win in enumerate(wins)])
        status, _ = self._solve(model)
        return status != cp_model.INFEASIBLE

    def _fits_arithmetic(self, weights: Weights) -> bool:
        rows = [weights, *(uses for uses, _, _ in self._limited)]
        return all(sum(abs(weight) for weight in row) <= SUM_MAX for row in rows)

    def _model(self, *, hint: Collection[int]) -> tuple[cp_model.CpModel, list[cp_model.IntVar]]:
        model = cp_model.CpModel()
        wins = [model.new_bool_var(f"x{place}") for place in range(self._size)]
        for users in self._exclusive:
            model.add_at_most_one(wins[place] for place in users)
        for uses, users, capacity in self._limited:
            model.add(_weigh([wins[place] for place in users], uses) <= capacity)
        for weights, least in self._floors:
            model.add(_weigh(wins, weights) >= least)
        for place, win in enumerate(wins):
            model.add_hint(win, place in hint)
        return model, wins

    def _solve(self, model: cp_model.CpModel) -> tuple[object, cp_model.CpSolver]:
        solver = cp_model.CpSolver()
        if self.left <= 0:
            return cp_model.UNKNOWN, solver
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 0
        solver.parameters.max_deterministic_time = self.left / BUDGET_UNIT
        status = solver.solve(model)
        if status == cp_model.MODEL_INVALID:
            raise RuntimeError(f"the choice of winners is not a valid model: {model.validate()[:500]}")
        self.left -= min(self.left, ceil(solver.deterministic_time * BUDGET_UNIT))
        return status, solver


def _claimants(pool: Sequence[Candidate]) -> dict[str, list[int]]:
    """The positions of the bids that hold each claim."""
    claimants: defaultdict[str, list[int]] = defaultdict(list)
    for position, bid in enumerate(pool):
        for claim in sorted(bid.claims):
            claimants[claim].append(position)
    return claimants


def _contended(pool: Sequence[Candidate], capacities: Mapping[str, int]) -> dict[str, list[int]]:
    """The positions of the bids that use each resource, where all of them together use too much."""
    users: defaultdict[str, list[int]] = defaultdict(list)
    for position, bid in enumerate(pool):
        for name in sorted(bid.uses):
            users[name].append(position)
    return {
        name: positions
        for name, positions in users.items()
        if sum(pool[position].uses[name] for position in positions) > capacities[name]
    }


def _weigh(wins: Sequence[cp_model.IntVar], weights: Weights) -> cp_model.LinearExpr:
    return cp_model.LinearExpr.weighted_sum(wins, weights)


def _total(weights: Weights, chosen: Collection[int]) -> int:
    return sum(weights[position] for position in chosen)
