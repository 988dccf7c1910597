"""What stood in the way of an order that no bid filled: one reason and its numbers, the same for everybody.

Asked in this order, and the first that holds is the answer:

1. `sibling_filled`: another order of its group was filled in the round.
2. `no_offer`: for one of its legs, no venue within reach offers a single lot.
3. `too_late`: for one of its legs, whatever is within reach, a deal with it would be late.
4. `too_few`: for one of its legs, fewer lots are within reach in time than its least units need.
5. `limit_short`: its limit is below the least need of `router.reach`, which no plan goes below.
6. `not_searched`: as many orders as the rules allow have come to this point before it.
7. `no_route`: the search of `router.alone` finds no plan of its least units, whatever they cost.
8. `costs_short`: the cheapest plan that the search finds needs a higher limit.
9. `no_bid`: alone it could be filled.

Up to 6 everything is exact and can be read off the auction, orders in its order. From 7 on the market's own
search is asked, the one behind the reference, which takes a few milliseconds for an order. Whatever others
take of offers and bridges is left out of account: what the market could do for the order alone is all that
can be said without naming the rival that was in its way.
"""

from collections import defaultdict
from collections.abc import Mapping

from router.alone import Alone, filling_limit
from router.problem import Demand, Problem
from router.reach import LegReach, Reach
from solvers.outcome import Numbers, numbers
from solvers.reasons import OrderReason

Obstacle = tuple[OrderReason, Numbers]
"""The reason, and the amounts behind it."""


class Obstacles:
    """One problem, asked about one of its demands at a time."""

    def __init__(self, problem: Problem, *, searches_max: int) -> None:
        self._searches_left = searches_max
        self._reach = Reach(problem)
        self._alone = Alone(problem)
        self._groups: defaultdict[str, list[str]] = defaultdict(list)
        for demand in problem.demands.values():
            self._groups[demand.group].append(demand.intent)

    def find(self, demand: Demand, *, filled: Mapping[str, int]) -> Obstacle:
        """What stood in the way of a demand; `filled` holds the units filled in the round, by intent."""
        siblings = self._groups[demand.group] if demand.group else ()
        for intent in siblings:
            if intent != demand.intent and filled.get(intent):
                return OrderReason.SIBLING_FILLED, numbers(intent, filled[intent], 0)
        found = find_plain_obstacle(self._reach, demand)
        if found is not None:
            return found
        if self._searches_left == 0:
            least = self._reach.least_limit(demand, self._reach.legs(demand))
            return OrderReason.NOT_SEARCHED, numbers(demand.intent, demand.limit, least)
        self._searches_left -= 1
        return search_obstacle(self._alone, demand)


def find_plain_obstacle(reach: Reach, demand: Demand) -> Obstacle | None:
    """What no plan could get around, if anything: exact, and read off the offers."""
    legs = reach.legs(demand)
    missing = _find_missing(legs)
    if missing is not None:
        return missing
    least = reach.least_limit(demand, legs)
    if demand.limit < least:
        return OrderReason.LIMIT_SHORT, numbers(demand.intent, demand.limit, least)
    return None


def search_obstacle(alone: Alone, demand: Demand) -> Obstacle:
    """What the market's search says of a demand that nothing plain is in the way of."""
    cheapest = alone.cheapest(demand)
    if cheapest is None:
        units = min(alone.most_units(demand), demand.min_units - 1)
        return OrderReason.NO_ROUTE, numbers(demand.intent, units, demand.min_units)
    limit = filling_limit(demand, cheapest)
    reason = OrderReason.COSTS_SHORT if demand.limit < limit else OrderReason.NO_BID
    return reason, numbers(demand.intent, demand.limit, limit)


def _find_missing(legs: tuple[LegReach, ...]) -> Obstacle | None:
    """What a leg lacks; every leg is asked one thing before any is asked the next."""
    for leg in legs:
        if not leg.near:
            return OrderReason.NO_OFFER, numbers(leg.series, 0, leg.lots)
    for leg in legs:
        if leg.late is not None:
            return OrderReason.TOO_LATE, numbers(leg.late.where, leg.late.found_us, leg.late.last_us)
    for leg in legs:
        if leg.lots_open < leg.lots:
            return OrderReason.TOO_FEW, numbers(leg.series, leg.lots_open, leg.lots)
    return None
