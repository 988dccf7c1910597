"""What of a problem can matter to the joint model: everything else is dropped before it is built.

No best answer is lost by what is dropped:

- demands and offers that end before even a deal on their own chain alone could be decided, and those
  in series that expire before it could be released;
- demands with a leg that nobody sells (or buys), neither a venue nor another demand;
- offers of series that no demand names, unless the books of the series are crossed over all venues,
  net of the fees per lot: then trading it brings cash to any bid that touches both venues;
- the tail of a venue's ladder, beyond all the lots that could ever be bought there (or sold).

Trades that would only tie a bid together, at a loss, through a series that nobody wants are given up.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from chains.deadlines import Deadlines
from chains.snapshot import Offer
from router.problem import Demand, Problem
from router.timing import last_decision_us, plan_deadlines

Sides = Mapping[tuple[str, str], int]
"""Lots by (series, side), where the side is what the holder of the lots does: sell or buy."""


def reduce_problem(problem: Problem) -> Problem:
    """The same problem without anything that cannot be part of a useful answer."""
    alone = {chain: plan_deadlines(problem, [chain]) for chain in sorted(problem.chains)}
    offers = [offer for offer in problem.offers.values() if _is_offer_in_time(problem, offer, alone)]
    demands = [demand for demand in problem.demands.values() if _is_demand_in_time(problem, demand, alone)]
    demands = _keep_supplied(demands, {(offer.series, offer.side) for offer in offers})
    wanted = {series for demand in demands for series, _ in demand.legs}
    crossed = _crossing_lots(problem, offers)
    offers = [offer for offer in offers if offer.series in wanted or (offer.series, offer.side) in crossed]
    counterparts = _counterparts(demands, crossed)
    bridges = problem.bridges.values()
    return replace(
        problem,
        demands={demand.intent: demand for demand in sorted(demands, key=lambda demand: demand.intent)},
        offers={offer.id: offer for offer in _trim_ladders(offers, counterparts)},
        bridges={
            bridge.id: bridge
            for bridge in sorted(bridges, key=lambda bridge: bridge.id)
            if bridge.capacity_cash or bridge.capacity_lots
        },
    )


def _is_offer_in_time(problem: Problem, offer: Offer, alone: Mapping[str, Deadlines]) -> bool:
    deadlines = alone[problem.venues[offer.venue].chain]
    return (
        deadlines.decide_by_us <= last_decision_us(problem, offer)
        and deadlines.release_by_us < problem.series_expiry_us[offer.series]
    )


def _is_demand_in_time(problem: Problem, demand: Demand, alone: Mapping[str, Deadlines]) -> bool:
    deadlines = alone[demand.chain]
    return deadlines.decide_by_us < demand.valid_until_us and all(
        deadlines.release_by_us < problem.series_expiry_us[series] for series, _ in demand.legs
    )


def _keep_supplied(demands: list[Demand], offered: Collection[tuple[str, str]]) -> list[Demand]:
    """The demands of which every leg has a counterpart, in a venue or in another demand."""
    while True:
        supply = Counter(offered)
        for demand in demands:
            supply.update(_sides(demand).keys())
        kept = [
            demand
            for demand in demands
            if all(supply[series, _opposite(side)] for series, side in _sides(demand))
        ]
        if len(kept) == len(demands):
            return kept
        demands = kept


def _crossing_lots(problem: Problem, offers: Iterable[Offer]) -> Sides:
    """The lots that venues could sell to each other at a profit, by series and side."""
    prices: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for offer in offers:
        fee = problem.venues[offer.venue].fee_per_lot
        net = offer.price + fee if offer.side == "sell" else offer.price - fee
        prices[offer.series, offer.side].append((net, offer.lots))
    crossing: Counter[tuple[str, str]] = Counter()
    for series in sorted({series for series, _ in prices}):
        asks, bids = prices[series, "sell"], prices[series, "buy"]
        if asks and bids and min(asks)[0] < max(bids)[0]:
            crossing[series, "sell"] = sum(lots for price, lots in asks if price < max(bids)[0])
            crossing[series, "buy"] = sum(lots for price, lots in bids if price > min(asks)[0])
    return crossing


def _counterparts(demands: Iterable[Demand], crossing: Sides) -> Sides:
    """The most lots that could be sold to, or bought from, demands and crossing venues."""
    lots = Counter(crossing)
    for demand in demands:
        lots.update(_sides(demand))
    return lots


def _trim_ladders(offers: Iterable[Offer], counterparts: Sides) -> list[Offer]:
    """The offers that are reached before all counterparts are served by one venue, sorted by id."""
    ladders: defaultdict[tuple[str, str, str], list[Offer]] = defaultdict(list)
    for offer in offers:
        ladders[offer.venue, offer.series, offer.side].append(offer)
    kept: list[Offer] = []
    for (_, series, side), ladder in ladders.items():
        left = counterparts.get((series, _opposite(side)), 0)
        for offer in sorted(ladder, key=lambda offer: (_cost(offer), offer.id)):
            if left <= 0:
                break
            kept.append(offer)
            left -= offer.lots
    return sorted(kept, key=lambda offer: offer.id)


def _sides(demand: Demand) -> Counter[tuple[str, str]]:
    """The lots that a demand buys and sells in all, by series and side."""
    lots: Counter[tuple[str, str]] = Counter()
    for series, ratio in demand.legs:
        lots[series, "buy" if ratio > 0 else "sell"] += abs(ratio) * demand.units
    return lots


def _opposite(side: str) -> str:
    return "buy" if side == "sell" else "sell"


def _cost(offer: Offer) -> int:
    return offer.price if offer.side == "sell" else -offer.price
