"""What a winner's solver is paid beyond its own fee: its worth to the round, within the fees it brought.

    without  = the best total score of all bids but that solver's
    marginal = max(0, total score - without)
    cap      = the sum, over the chains of its winning deals, of `reward_share_bps` of the protocol fees
               that its fills pay there, each rounded down
    amount   = min(marginal, cap) where both optima are proved, 0 otherwise

Both optima are taken over the components in which the solver won (components of all bids that score, by
`winners.split_components`). Everywhere else the two totals hold the same winners and cancel out, so that a
choice that is not proved there costs the solver nothing; where it takes part and wins nothing it adds nothing
either. A component grows by every bid that stands in two of them: a rival whose bid fills another's order
beside one of a knapsack of its own can still take the proof from the reward of whoever wins that order, at
the price of the collateral behind its orders.

Marginal and cap are cut at 2^53 - 1, the largest number on the wire. A reward is never negative, all
rewards together are less than the fees of the round, and a bid that wins nothing earns nothing and adds
nothing. The house is never rewarded. It is no defence against false names: bids that need each other,
sent under two names, are each counted for what they bring together. What that can gain is bounded by
the cap.

The amount comes out of the protocol fees in proportion to what each chain of each deal may give (its
*room*: its part of the cap). Rooms are lined up, deals in the order of the outcome and chains by name,
and the part of a place is the whole micro-USDC that fall on it: floor(amount * rooms up to and with it
/ all rooms) less the same without it. Parts add up to the amount, and none exceeds its room.

A round must be decided soon after its window, so all re-solves together have a quarter of the budget of
the choice, solvers by name, an even part of what is left for each. For a solver in whose components the
choice itself is not proved nothing is searched again, and `without` is found greedily.

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
class Without:
    """The best total score found without a solver, whether both optima are proved, and the budget used."""

    score: int
    proved: bool
    used: int


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
    totals = totals_without(contest, budget=floor_div(rules.choice_budget, BUDGET_DENOMINATOR))
    for solver in contest.rewarded:
        without = totals[solver]
        own = [each for each in winners if each.bid.solver == solver]
        rooms = _rooms(problem, own, rules.reward_share_bps)
        row = _reward(solver, contest.selection, without, cap=sum(rooms.values()))
        rows.append(row)
        for (digest, chain), amount in split_reward(row.amount, rooms).items():
            parts[digest].append(ChainAmount(chain=chain, amount=amount))
    return Rewards(rows=tuple(rows), parts={digest: tuple(each) for digest, each in parts.items()})


def totals_without(contest: Contest, *, budget: int) -> dict[str, Without]:
    """The best total score without the bids of each rewarded solver, by its name."""
    fields = _fields_won(contest)
    provable = sum(field.isdisjoint(contest.selection.unproved) for field in fields.values())
    totals: dict[str, Without] = {}
    for solver, field in fields.items():
        rest = _fill_rest(contest, solver, field)
        if field.isdisjoint(contest.selection.unproved):
            totals[solver] = _search_without(contest, rest, floor_div(budget, provable))
            provable -= 1
            budget -= totals[solver].used
        else:
            totals[solver] = Without(score=rest.score, proved=False, used=0)
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


def _reward(solver: str, selection: Selection, without: Without, *, cap: int) -> Reward:
    marginal = min(WIRE_MAX, max(0, selection.score - without.score))
    cap = min(WIRE_MAX, cap)
    return Reward(
        solver=solver,
        without=without.score,
        marginal=marginal,
        cap=cap,
        amount=min(marginal, cap) if without.proved else 0,
        proved=without.proved,
    )


def _fields_won(contest: Contest) -> dict[str, frozenset[str]]:
    """The digests of all bids in the components in which each rewarded solver has a winning bid.

    They are those of all bids, dominated ones too: without the solver these may count again.
    """
    won = set(contest.selection.winners)
    scoring = sorted(
        (each for each in contest.candidates.values() if each.score > 0), key=lambda each: each.digest
    )
    fields = dict.fromkeys(contest.rewarded, frozenset[str]())
    for component in split_components(scoring, contest.capacities):
        digests = frozenset(each.digest for each in component)
        for solver in {contest.solvers[digest] for digest in digests & won} & fields.keys():
            fields[solver] |= digests
    return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rest:
    """Everybody else's bids in a solver's field, which of them fit, and the score of what is outside."""

    others: Sequence[Candidate]
    filled: frozenset[int]
    outside: int

    @property
    def score(self) -> int:
        """The total with the places that are left filled greedily."""
        return self.outside + sum(self.others[place].score for place in self.filled)


def _fill_rest(contest: Contest, solver: str, field: frozenset[str]) -> _Rest:
    """What was won stays, and what the solver leaves is filled greedily."""
    won = set(contest.selection.winners)
    here = [contest.candidates[digest] for digest in sorted(field)]
    others = [each for each in here if contest.solvers[each.digest] != solver]
    stayed = frozenset(place for place, each in enumerate(others) if each.digest in won)
    return _Rest(
        others=others,
        filled=choose_greedily(others, contest.capacities, first=stayed),
        outside=contest.selection.score - sum(each.score for each in here if each.digest in won),
    )


def _search_without(contest: Contest, rest: _Rest, budget: int) -> Without:
    """The best total of everybody else, where the choice is proved."""
    if rest.score == contest.selection.score:
        # Nothing can score more than everybody together: most often a rival has sent the same bid.
        return Without(score=rest.score, proved=True, used=0)
    known = {rest.others[place].digest for place in rest.filled}
    found = find_best_total(rest.others, contest.capacities, budget=budget, known=known)
    return Without(score=rest.outside + found.score, proved=found.proved, used=found.used)


def _rooms(problem: Problem, deals: Sequence[FeasibleBid], share_bps: int) -> dict[Place, int]:
    """What a reward may take of the protocol fees of each deal on each chain."""
    return {
        (deal.digest, chain): floor_div(fees * share_bps, BPS)
        for deal in deals
        for chain, fees in sorted(protocol_fees(problem, deal.plan.fills).items())
    }
