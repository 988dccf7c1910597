"""What an intent would pay now: the market alone, with nobody else in it, as it would fill the intent.

A quote is what the house bid would be if the intent were posted and a round cut at once, with no other
intent and no solver: the same search (`router.venue_choice`) and the same price, to the micro-USDC. It
changes nothing and meets no other intent.

With a limit that fills, the plan is the one at that limit. Otherwise it is that of the most units that could
be filled at any limit that may be signed, at the lowest limit tried that fills them (`fills_from`): a limit
decides how far the market goes, since each further unit must cost no more.

What would make it cheaper is never estimated: the intent is changed (`intents.savings`) and quoted again, and
told only if a unit of it is cheaper.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from chains.snapshot import Snapshot
from chains.units import MICRO, ceil_div, floor_div
from intents.admission import LIMITS, legs_of
from intents.drafts import Draft
from intents.instance import cut_auction
from intents.itemised import itemise_plan
from intents.quotes import Quote, QuotedLimit, QuotedObstacle, QuotedPlan, QuotedSaving, Saving
from intents.savings import Variant, longer_validity, longest, most_units, other_chains, other_units
from intents.typed_data import OptionIntent
from router.alone import Alone, filling_limit, units_of
from router.measuring import Quote as Found
from router.needs import touched_chains
from router.problem import Demand
from router.reach import Reach
from router.timing import plan_deadlines
from solvers.auction import Rules
from solvers.explanation import describe_order
from solvers.obstacles import Obstacle, find_plain_obstacle, search_obstacle
from solvers.outcome import numbers
from solvers.problem import to_problem
from solvers.reasons import OrderReason

NAME: Final = "intent"
"""What the intent is called in its quote: it has no id before it is signed."""

PARTS: Final = (1_024, 256, 64, 16, 4)
"""By which parts of itself a limit is raised that is not quite enough, before any limit is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An intent, the limit that was given with it, and how many of its units may be filled."""

    intent: OptionIntent
    limit: int | None
    covered: int

    @property
    def limit_max(self) -> int:
        """The highest limit that could be signed for it."""
        return floor_div(LIMITS.value_max, self.intent.units)

    def demand(self, limit: int) -> Demand:
        """The intent as the optimiser sees it, with a limit."""
        intent = self.intent
        return Demand(
            intent=NAME,
            owner=intent.owner,
            chain=intent.chain,
            legs=legs_of(intent),
            units=self.covered,
            min_units=min(intent.min_units, self.covered),
            limit=limit,
            valid_until_us=intent.valid_until * MICRO,
        )

    def changed(self, intent: OptionIntent) -> "Asked":
        """The same with another intent; of a reduce-only one no more units are held."""
        covered = min(self.covered, intent.units) if intent.reduce_only else intent.units
        return replace(self, intent=intent, covered=covered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A plan for an intent, and the limit at which the market finds it."""

    found: Found
    limit: int

    @property
    def units(self) -> int:
        """The units that it fills."""
        return units_of(self.found)


class Quoter:
    """One snapshot of the world, asked for quotes; what it finds on the way is kept for the next."""

    def __init__(self, snapshot: Snapshot, *, rules: Rules, solve_us: int) -> None:
        auction, _ = cut_auction((), snapshot, auction="quote", solve_us=solve_us, rules=rules)
        self.as_of_us = snapshot.as_of_us
        self._solve_us = solve_us
        self._problem = to_problem(auction)
        self._reach = Reach(self._problem)
        self._alone = Alone(self._problem)

    def quote(self, draft: Draft, *, covered: int, has_time: Callable[[], bool] = lambda: True) -> Quote:
        """Quote an intent of which `covered` units may be filled; savings are sought while there is time.

        What it would reserve is left to whoever knows its owner's account.
        """
        asked = Asked(intent=draft.intent, limit=draft.limit, covered=covered)
        at_limit, at_any = self._fill_at_limit(asked), self._fill_at_any(asked)
        filled = at_limit or at_any
        plan = None if filled is None else self._itemise(asked, filled)
        savings, is_complete = self._find_savings(asked, plan, has_time)
        return Quote(
            as_of_us=self.as_of_us,
            units=covered,
            plan=plan,
            limit=self._judge_limit(asked, at_limit),
            obstacle=_show(self._find_obstacle(asked, at_limit, at_any)),
            reserves=(),
            savings=savings,
            is_complete=is_complete,
        )

    def _fill_at_limit(self, asked: Asked) -> Filled | None:
        """The plan at the limit that was given, if one was and it fills."""
        if asked.limit is None:
            return None
        found = self._alone.fill(asked.demand(asked.limit))
        return None if found is None else Filled(found=found, limit=asked.limit)

    def _fill_at_any(self, asked: Asked) -> Filled | None:
        """The plan of the most units, at the lowest limit tried that fills as many."""
        demand = asked.demand(asked.limit_max)
        most = self._alone.fill(demand)
        if most is None:
            return None
        least = max(filling_limit(demand, most), self._dearest_unit(demand, most))
        for limit in _raised(least, asked.limit_max):
            found = self._alone.fill(asked.demand(limit))
            if found is not None and units_of(found) >= units_of(most):
                return Filled(found=found, limit=limit)
        return Filled(found=most, limit=asked.limit_max)

    def _dearest_unit(self, demand: Demand, found: Found) -> int:
        """As much as a unit of a plan costs at most, without what is paid once."""
        dearest: dict[str, int] = {}
        for source, _ in found.stop.takes:
            dearest[source.series] = max(source.cost, dearest.get(source.series, source.cost))
        fee = self._problem.fee_per_lot
        return sum(abs(ratio) * (dearest[series] + fee) for series, ratio in demand.legs)

    def _itemise(self, asked: Asked, filled: Filled) -> QuotedPlan:
        problem = replace(self._problem, demands={NAME: asked.demand(filled.limit)})
        plan = filled.found.plan
        return itemise_plan(problem, plan, fills_from=filled.limit, solve_us=self._solve_us)

    def _judge_limit(self, asked: Asked, at_limit: Filled | None) -> QuotedLimit | None:
        """Whether the given limit fills, and the lowest tried that does."""
        if asked.limit is None:
            return None
        lowest = asked.limit if at_limit else None
        cheapest = self._alone.cheapest(asked.demand(asked.limit))
        if cheapest is not None:
            least = filling_limit(asked.demand(asked.limit), cheapest)
            limits = _raised(least if at_limit else max(least, asked.limit + 1), lowest or asked.limit_max)
            filling = (limit for limit in limits if self._alone.fill(asked.demand(limit)))
            lowest = next(filling, lowest)
        return QuotedLimit(
            given=asked.limit,
            fills=at_limit is not None,
            lowest=lowest,
            misses_by=0 if at_limit or lowest is None else lowest - asked.limit,
        )

    def _find_obstacle(self, asked: Asked, at_limit: Filled | None, at_any: Filled | None) -> Obstacle | None:
        """What is in the way of all units that may be filled, or of those that are not."""
        filled = at_limit or at_any
        if filled is None or (asked.limit is not None and at_limit is None):
            return self._ask(asked.demand(asked.limit_max if asked.limit is None else asked.limit))
        if filled.units == asked.covered:
            return None
        if at_limit and at_any and at_any.units == asked.covered:
            return OrderReason.COSTS_SHORT, numbers(NAME, at_limit.limit, at_any.limit)
        return self._ask(replace(asked.demand(asked.limit_max), min_units=asked.covered))

    def _ask(self, demand: Demand) -> Obstacle:
        return find_plain_obstacle(self._reach, demand) or search_obstacle(self._alone, demand)

    def _find_savings(
        self, asked: Asked, plan: QuotedPlan | None, has_time: Callable[[], bool]
    ) -> tuple[tuple[QuotedSaving, ...], bool]:
        """The changes that make a unit cheaper, the greatest saving first, and whether all were tried."""
        found = []
        is_complete = True
        for variant in self._variants(asked, plan):
            saving = self._quote_variant(asked, variant, plan)
            if saving is not None:
                found.append(saving)
            if not has_time():
                is_complete = False
                break
        found.sort(key=lambda saving: (-(saving.saves or 0), saving.kind, sorted(saving.changes.items())))
        return tuple(found), is_complete

    def _variants(self, asked: Asked, plan: QuotedPlan | None) -> Iterator[Variant]:
        """The changes to try; each is found only once the one before it has been quoted."""
        intent = asked.intent
        if plan is not None:
            wider = replace(asked, covered=asked.covered if intent.reduce_only else most_units(intent))
            demand = replace(wider.demand(asked.limit_max), min_units=1)
            cheapest = self._alone.cheapest(demand)
            if cheapest is not None:
                yield from other_units(intent, filled=plan.units, cheapest=units_of(cheapest))
        patient = asked.changed(longest(intent, now_us=self.as_of_us))
        filled = self._fill_at_limit(patient) or self._fill_at_any(patient)
        if filled is not None:
            chains = touched_chains(
                replace(self._problem, demands={NAME: patient.demand(0)}), filled.found.plan
            )
            decided_us = plan_deadlines(self._problem, chains).decide_by_us
            yield from longer_validity(intent, decided_us=decided_us, now_us=self.as_of_us)
        yield from other_chains(intent, self._problem)

    def _quote_variant(self, asked: Asked, variant: Variant, plan: QuotedPlan | None) -> QuotedSaving | None:
        """A change that was quoted, where it makes a unit cheaper, and no fewer are filled unasked."""
        other = asked.changed(variant.intent)
        filled = self._fill_at_limit(other) or self._fill_at_any(other)
        if filled is None:
            return None
        quoted = self._itemise(other, filled)
        saves = None
        if plan is not None:
            saves = plan.per_unit * quoted.units - quoted.payment
            is_less = quoted.units < plan.units and variant.kind is not Saving.FEWER_UNITS
            if saves <= 0 or is_less:
                return None
        return QuotedSaving(
            kind=variant.kind,
            changes=variant.changes,
            units=quoted.units,
            payment=quoted.payment,
            per_unit=quoted.per_unit,
            saves=saves,
        )


def _raised(limit: int, most: int) -> Iterator[int]:
    """A limit, some that are higher and higher, and the most there may be."""
    for raised in (limit, *(limit + ceil_div(abs(limit), part) for part in PARTS)):
        if raised < most:
            yield raised
    yield most


def _show(obstacle: Obstacle | None) -> QuotedObstacle | None:
    if obstacle is None:
        return None
    reason, found = obstacle
    return QuotedObstacle(reason=reason, detail=describe_order(reason, found), numbers=found)
