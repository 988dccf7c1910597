"""A round filled greedily: one group of peers at a time, the greatest surplus per lot first.

Every group is planned alone (`router.venue_choice`). Then the group with the greatest surplus per lot
takes up its offers and its bridges' capacity, and so on. A group whose plan no longer fits is planned
again on what is left and waits for its new turn; a plan that still fits stays, since what is left only
ever shrinks. Ties go by chain, package and intents.

This is the market's own reference, and the valid first answer of the joint model.
"""

import heapq
from collections.abc import Sequence

from router.peers import PeerGroup, group_peers
from router.problem import Demand, Plan, Problem
from router.residual import Residual
from router.sourcing import Sourcing
from router.venue_choice import quote_group


def clear_greedily(
    problem: Problem, groups: Sequence[Sequence[Demand]], *, one_venue: bool = False
) -> tuple[Plan, ...]:
    """Fill groups of peers; the plans in the order in which they were taken, jointly compatible.

    Each plan fills one group, on one chain, and is paid for by its own limits (and reference, where
    the problem has one). With `one_venue` each trades on the best single venue only.

    Raises
    ------
    ProblemError
        If a group is empty or its members are not peers.
    """
    sourcing, residual = Sourcing(problem), Residual(problem)
    peers = sorted((group_peers(problem, group) for group in groups), key=_content)
    quotes = {
        place: quote
        for place, group in enumerate(peers)
        if (quote := quote_group(sourcing, residual, group, one_venue=one_venue))
    }
    waiting = [(-quote.surplus_per_lot, place) for place, quote in quotes.items()]
    heapq.heapify(waiting)
    plans: list[Plan] = []
    while waiting:
        _, place = heapq.heappop(waiting)
        if residual.has_room(quotes[place].plan):
            residual.take(quotes[place].plan)
            plans.append(quotes[place].plan)
            continue
        anew = quote_group(sourcing, residual, peers[place], one_venue=one_venue)
        if anew:
            quotes[place] = anew
            heapq.heappush(waiting, (-anew.surplus_per_lot, place))
    return tuple(plans)


def _content(group: PeerGroup) -> tuple[str, tuple[tuple[str, int], ...], tuple[str, ...]]:
    return group.chain, group.package, tuple(demand.intent for demand, _ in group.members)
