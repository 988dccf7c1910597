"""What a winner's solver is paid beyond its own fee: its worth to the round, within the fees it brought.

    without  = the best total score of all bids but that solver's
    marginal = max(0, total score - without)
    cap      = the sum, over the chains of its winning deals, of `reward_share_bps` of the protocol fees
               that its fills pay there, each rounded down
    amount   = min(marginal, cap) where both optima are proved, 0 otherwise

Marginal and cap are cut at 2^53 - 1, the largest number on the wire. A reward is never negative, all
rewards together are less than the fees of the round, and a bid that wins nothing earns nothing and adds
nothing. The house is never rewarded. It is no defence against false names: bids that need each other,
sent under two names, are each counted for what they bring together. What that can gain is bounded by
the cap.

The amount comes out of the protocol fees in proportion to what each chain of each deal may give (its
*room*: its part of the cap). Rooms are lined up, deals in the order of the outcome and chains by name,
and the part of a place is the whole micro-USDC that fall on it: floor(amount * rooms up to and with it
/ all rooms) less the same without it. Parts add up to the amount, and none exceeds its room.

Only components of the choice in which the solver won are solved again: in any other its bids had lost,
and taking losers away changes no optimum. A round must be decided soon after its window, so all re-solves
together have a quarter of the budget of the choice, solvers by name, an even part of what is left for
each. Where the choice itself is not proved nothing is searched again, and `without` is found greedily.

Source: the marginal contribution of the Vickrey-Clarke-Groves mechanism; CoW Protocol caps it likewise
by its protocol fees, but with a greedy choice of winners it can be negative there.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chains.units import BPS, WIRE_MAX, floor_div
from router.needs import protocol_fees
from router.problem import Problem
from solvers.auction import Rules
from solvers.outcome import HOUSE, ChainAmount, Reward
from solvers.verification import FeasibleBid
from solvers.winners import (
    Candidate,
    Selection,
    Total,
    choose_greedily,
    find_best_total,
    split_components,
)

Place = tuple[str, str]
"""(digest of a winning bid, chain)."""

NO_BUDGET: Final = 0

BUDGET_DENOMINATOR: Final = 4
"""The re-solves of a round have one part in this many of the budget of its choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What winners were chosen from, and which won.

    Attributes
    ----------
    candidates : by digest
    solvers : the solver of each, by digest
    capacities : as `choose_winners` had them
    selection : its answer
    """

    candidates: Mapping[str, Candidate]
    solvers: Mapping[str, str]
    capacities: Mapping[str, int]
    selection: Selection

    @property
    def rewarded(self) -> tuple[str, ...]:
        """The solvers with a winning bid, sorted, without the house."""
        return tuple(sorted({self.solvers[digest] for digest in self.selection.winners} - {HOUSE}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """A row for each winning solver, by name, and what each winning bid's deal pays, by digest and chain."""

    rows: tuple[Reward, ...]
    parts: Mapping[str, tuple[ChainAmount, ...]]


def reward_winners(
    problem: Problem, contest: Contest, winners: Sequence[FeasibleBid], *, rules: Rules
) -> Rewards:
    """The rewards of a round; `winners` are the winning bids in the order of their deals."""
    rows: list[Reward] = []
    parts: defaultdict[str, list[ChainAmount]] = defaultdict(list)
    totals = totals_without(contest, budget=floor_div(rules.winners_budget, BUDGET_DENOMINATOR))
    for solver in contest.rewarded:
        without = totals[solver]
        own = [each for each in winners if each.bid.solver == solver]
        rooms = _rooms(problem, own, rules.reward_share_bps)
        row = _reward(solver, contest.selection, without, cap=sum(rooms.values()))
        rows.append(row)
        for (digest, chain), amount in split_reward(row.amount, rooms).items():
            parts[digest].append(ChainAmount(chain=chain, amount=amount))
    return Rewards(rows=tuple(rows), parts={digest: tuple(each) for digest, each in parts.items()})


def totals_without(contest: Contest, *, budget: int) -> dict[str, Total]:
    """The best total score without the bids of each rewarded solver, by its name."""
    components = _components_won(contest)
    budget = budget if contest.selection.proved else NO_BUDGET
    totals: dict[str, Total] = {}
    for index, solver in enumerate(contest.rewarded):
        left = floor_div(budget, len(contest.rewarded) - index)
        totals[solver] = _total_without(contest, solver, components[solver], left)
        budget -= min(budget, totals[solver].used)
    return totals


def split_reward(amount: int, rooms: Mapping[Place, int]) -> dict[Place, int]:
    """What each place gives of an amount no greater than all rooms; places that give nothing are left out.

    The order of `rooms` counts.
    """
    whole = sum(rooms.values())
    parts: dict[Place, int] = {}
    given = passed = 0
    for place, room in rooms.items():
        passed += room
        part = floor_div(amount * passed, whole) - given if whole else 0
        given += part
        if part:
            parts[place] = part
    return parts


def _reward(solver: str, selection: Selection, without: Total, *, cap: int) -> Reward:
    marginal = min(WIRE_MAX, max(0, selection.score - without.score))
    cap = min(WIRE_MAX, cap)
    proved = selection.proved and without.proved
    return Reward(
        solver=solver,
        without=without.score,
        marginal=marginal,
        cap=cap,
        amount=min(marginal, cap) if proved else 0,
        proved=proved,
    )


def _components_won(contest: Contest) -> dict[str, list[Sequence[Candidate]]]:
    """The components in which each rewarded solver has a winning bid.

    They are those of all bids, dominated ones too: without the solver these may count again.
    """
    won = set(contest.selection.winners)
    scoring = sorted(
        (each for each in contest.candidates.values() if each.score > 0), key=lambda each: each.digest
    )
    components: defaultdict[str, list[Sequence[Candidate]]] = defaultdict(list)
    for component in split_components(scoring, contest.capacities):
        for solver in sorted({contest.solvers[each.digest] for each in component if each.digest in won}):
            components[solver].append(component)
    return components


def _total_without(
    contest: Contest, solver: str, components: Sequence[Sequence[Candidate]], budget: int
) -> Total:
    """The best total of everybody else: what was won elsewhere stays, the rest is solved again."""
    selection, won = contest.selection, set(contest.selection.winners)
    here = [each for component in components for each in component]
    elsewhere = selection.score - sum(each.score for each in here if each.digest in won)
    others = [each for each in here if contest.solvers[each.digest] != solver]
    stayed = frozenset(place for place, each in enumerate(others) if each.digest in won)
    filled = choose_greedily(others, contest.capacities, first=stayed)
    score = elsewhere + sum(others[place].score for place in filled)
    if selection.proved and score == selection.score:
        # Nothing can score more than everybody together: most often a rival has sent the same bid.
        return Total(score=score, bound=score, used=0)
    known = {others[place].digest for place in filled}
    found = find_best_total(others, contest.capacities, budget=budget, known=known)
    return Total(score=elsewhere + found.score, bound=elsewhere + found.bound, used=found.used)


def _rooms(problem: Problem, deals: Sequence[FeasibleBid], share_bps: int) -> dict[Place, int]:
    """What a reward may take of the protocol fees of each deal on each chain."""
    return {
        (deal.digest, chain): floor_div(fees * share_bps, BPS)
        for deal in deals
        for chain, fees in sorted(protocol_fees(problem, deal.plan.fills).items())
    }
