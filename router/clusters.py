"""Taking a batch apart where it hangs together least, and joining what saves fees.

Demands that share no series compete for no offer and cannot meet each other; all that ties them is
what a whole bid shares: the fixed fees of bridges, venues, legs and deals, and, rarely, a bridge's
capacity. So a batch is solved cluster by cluster, each small enough to be solved to the end, and then
plans are joined two by two wherever one bid saves more than the risk it carries: if outside flow takes
one offer of a deal, all of it is aborted. The order of everything is fixed by ids, so equal problems
have equal answers.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, permutations
from typing import Final

from msgspec.structs import replace as replace_struct

from chains.units import USDC
from router.connection import Links
from router.extraction import Worth, cancel_circles, settle_parts
from router.hops import ANY_SERIES, cheapest_routes, hop_graph
from router.problem import Demand, Plan, Problem
from router.reduction import reduce_problem

RISK_DENOMINATOR: Final = 20
"""Joined, two bids fail together: a join must save more than one part in this many of what they bring.

Outside flow takes about one offer in a hundred before it is locked, and a joined bid uses several."""


@dataclass(slots=True)
class Share:
    """The part of a plan that belongs to some series."""

    fills: list[tuple[str, int]] = field(default_factory=list)
    trades: list[tuple[str, int]] = field(default_factory=list)
    transfers: list[tuple[str, str, int]] = field(default_factory=list)


def split_clusters(problem: Problem) -> tuple[Problem, ...]:
    """A problem for each set of demands that share series or a group, directly or through others.

    Clusters with more money in them come first.
    """
    links = Links()
    for demand in problem.demands.values():
        links.join([("demand", demand.intent), *_ties(demand)])
    clusters: defaultdict[tuple[str, ...], dict[str, Demand]] = defaultdict(dict)
    for intent, demand in sorted(problem.demands.items()):
        clusters[links.root(("demand", intent))][intent] = demand
    ordered = sorted(clusters.values(), key=lambda demands: (-_money(demands), min(demands)))
    return tuple(reduce_problem(replace(problem, demands=demands)) for demands in ordered)


def _money(demands: Mapping[str, Demand]) -> int:
    return sum(abs(demand.limit) * demand.units for demand in demands.values())


def _ties(demand: Demand) -> Iterable[tuple[str, ...]]:
    if demand.group:
        yield "group", demand.owner, demand.group
    for series, _ in demand.legs:
        yield "series", series


def split_by_series(problem: Problem, plan: Plan) -> tuple[Plan, ...]:
    """A plan's fills, trades and lots by the series that they share, directly or through fills.

    Cash is left out: it belongs to the whole plan.
    """
    links = Links()
    for intent, _ in plan.fills:
        links.join([("series", series) for series, _ in problem.demands[intent].legs])
    shares: defaultdict[tuple[str, ...], Share] = defaultdict(Share)
    for intent, units in plan.fills:
        series = problem.demands[intent].legs[0][0]
        shares[links.root(("series", series))].fills.append((intent, units))
    for offer, lots in plan.trades:
        shares[links.root(("series", problem.offers[offer].series))].trades.append((offer, lots))
    for bridge, asset, amount in plan.transfers:
        if asset != USDC:
            shares[links.root(("series", asset))].transfers.append((bridge, asset, amount))
    return tuple(
        Plan(fills=tuple(share.fills), trades=tuple(share.trades), transfers=tuple(share.transfers))
        for share in shares.values()
        if share.fills
    )


def confine_problem(problem: Problem, plans: Iterable[Plan]) -> Problem:
    """The problem with only what some plans fill and trade and is still there, each fill as a whole."""
    units: dict[str, int] = {}
    lots: Counter[str] = Counter()
    for plan in plans:
        units.update(plan.fills)
        lots.update(dict(plan.trades))
    demands = {
        intent: replace(problem.demands[intent], units=filled, min_units=filled)
        for intent, filled in sorted(units.items())
        if intent in problem.demands
    }
    offers = {
        name: replace_struct(problem.offers[name], lots=min(taken, problem.offers[name].lots))
        for name, taken in sorted(lots.items())
        if name in problem.offers
    }
    return replace(problem, demands=demands, offers=offers)


def keep_main_bridges(problem: Problem) -> Problem:
    """The problem with only the bridges that lie on a cheapest route for some usual amount.

    Alternatives that differ by little make a model many times slower to solve to the end, and what
    they could save is small: usual amounts are the quartiles of what the demands move in lots and cash.
    """
    graph = hop_graph(problem.bridges.values(), problem.chains)
    lots = sorted(abs(ratio) * each.units for each in problem.demands.values() for _, ratio in each.legs)
    cash = sorted(abs(each.limit) * each.units for each in problem.demands.values())
    amounts = [(ANY_SERIES, amount) for amount in _quartiles(lots)]
    amounts += [(USDC, amount) for amount in _quartiles(cash)]
    main = {
        bridge
        for ends in permutations(sorted(problem.chains), 2)
        for asset, amount in amounts
        for route in cheapest_routes(graph, ends, asset=asset, amount=amount)
        for bridge in route.bridges
    }
    bridges = {name: bridge for name, bridge in problem.bridges.items() if name in main}
    return replace(problem, bridges=bridges)


def _quartiles(amounts: Sequence[int]) -> set[int]:
    return {max(1, amounts[len(amounts) * part // 4]) for part in (1, 2, 3)} if amounts else set()


def join_plans(problem: Problem, worths: Sequence[Worth]) -> tuple[Worth, ...]:
    """Join plans two by two, the greatest gain first, as long as one bid is clearly worth more than two.

    What a joined plan uses is at most what both used, so plans that were compatible stay so.
    """
    held = dict(enumerate(worths))
    joins = _find_joins(problem, held, combinations(held, 2))
    while joins:
        pair = max(joins, key=lambda pair: (_gain(held, pair, joins[pair]), -pair[0], -pair[1]))
        joined = joins[pair]
        del held[pair[0]], held[pair[1]]
        joins = {other: worth for other, worth in joins.items() if held.keys() >= {*other}}
        newest = max(held, default=0) + len(worths) + 1
        held[newest] = joined
        joins |= _find_joins(problem, held, ((place, newest) for place in held if place != newest))
    return tuple(held.values())


def _find_joins(
    problem: Problem, held: Mapping[int, Worth], pairs: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], Worth]:
    """Each pair that is worth more as one bid, as that bid."""
    return {
        pair: joined
        for pair in pairs
        if (joined := _joined(problem, held[pair[0]], held[pair[1]])) is not None
    }


def _gain(held: Mapping[int, Worth], pair: tuple[int, int], joined: Worth) -> int:
    return joined.value - held[pair[0]].value - held[pair[1]].value


def _joined(problem: Problem, first: Worth, second: Worth) -> Worth | None:
    """Both plans as one bid, if they can share something and that is worth the risk."""
    if not _places(problem, first.plan) & _places(problem, second.plan):
        return None
    found = list(settle_parts(problem, _union(problem, first.plan, second.plan)))
    apart = first.value + second.value
    if len(found) == 1 and (found[0].value - apart) * RISK_DENOMINATOR > apart:
        return found[0]
    return None


def _places(problem: Problem, plan: Plan) -> set[str]:
    """The bridges and venues that a plan uses."""
    bridges = {bridge for bridge, _, _ in plan.transfers}
    return bridges | {problem.offers[offer].venue for offer, _ in plan.trades}


def _union(problem: Problem, first: Plan, second: Plan) -> Plan:
    """All that two plans do, added up; what would only go round in a circle is left out."""
    trades: Counter[str] = Counter()
    flows: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for plan in (first, second):
        for offer, lots in plan.trades:
            trades[offer] += lots
        for bridge, asset, amount in plan.transfers:
            flows[asset][bridge] += amount
    for flow in flows.values():
        cancel_circles(problem, flow)
    return Plan(
        fills=first.fills + second.fills,
        trades=tuple(sorted(trades.items())),
        transfers=tuple(
            (bridge, asset, amount)
            for asset, flow in sorted(flows.items())
            for bridge, amount in sorted(flow.items())
            if amount > 0
        ),
    )
