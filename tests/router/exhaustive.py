"""An exhaustive oracle for the joint model: every bid of a tiny problem, and the best set of them.

It shares no arithmetic with `router` or `solvers`: it enumerates fills, trades and lot transfers one by
one, works out what every chain needs from the fee schedule of DESIGN, and finds the best cash
transfers of each candidate as the best vertex of a linear program (numpy, all candidates at once).
Cash is real-valued here, so its answer may exceed the exact one by the roundings of bridge fees and
reference ceilings: `ROUNDING` micro-USDC.

Exact for: up to 3 chains, one bridge per direction, every order all of one owner's groups; bridges
whose cash capacity binds only where there is one order.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain as chained
from itertools import combinations, product
from math import gcd

import numpy as np

from chains.deadlines import deal_deadlines
from router.problem import Problem

ROUNDING = 12
"""Micro-USDC: one per cash transfer (at most 3 in a bid), one per reduced unit of a ceiling."""

Lots = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Fills, trades and lots that balance: everything of a bid but its cash."""

    fills: Lots
    trades: Lots
    sent: tuple[Lots, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A feasible bid: its value, the orders that it fills and what it uses up."""

    value: float
    filled: int
    trades: Lots
    lots: Lots


def best_total(problem: Problem) -> float:
    """The greatest total value (micro-USDC) of any set of compatible feasible bids."""
    return _best_set(problem, _Enumeration(problem).bids())


class _Enumeration:
    """The things of a problem in fixed order, and every bid over them."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.chains = sorted(problem.chains)
        self.orders = [problem.demands[name] for name in sorted(problem.demands)]
        self.offers = [problem.offers[name] for name in sorted(problem.offers)]
        self.bridges = [problem.bridges[name] for name in sorted(problem.bridges)]
        self.series = sorted(
            {offer.series for offer in self.offers} | {leg for order in self.orders for leg, _ in order.legs}
        )
        self.ends = [
            (self.chains.index(bridge.source), self.chains.index(bridge.target)) for bridge in self.bridges
        ]
        self.at = [self.chains.index(problem.venues[offer.venue].chain) for offer in self.offers]
        self.home = [self.chains.index(order.chain) for order in self.orders]
        self.flows = self._flows()

    def bids(self) -> dict[tuple[int, Lots, Lots], float]:
        """The best value of every feasible bid, by orders filled, lots of offers and lots over bridges."""
        candidates = list(self._candidates())
        best: dict[tuple[int, Lots, Lots], float] = {}
        if not candidates:
            return best
        values = np.full(len(candidates), -np.inf)
        table = _Table(self, candidates)
        for size in range(len(self.bridges) + 1):
            for used in combinations(range(len(self.bridges)), size):
                if not _has_circle([self.ends[bridge] for bridge in used]):
                    values = np.maximum(values, table.values(used))
        for candidate, value in zip(candidates, values, strict=True):
            if value > 0:
                filled = sum(1 << index for index, units in enumerate(candidate.fills) if units)
                lots = tuple(map(sum, zip(*candidate.sent, strict=True))) or (0,) * len(self.bridges)
                key = filled, candidate.trades, lots
                best[key] = max(float(value), best.get(key, 0.0))
        return best

    def _candidates(self) -> Iterator[Candidate]:
        units = [(0, *range(order.min_units, order.units + 1)) for order in self.orders]
        all_trades = [
            (trades, self._bought(trades))
            for trades in product(*(range(offer.lots + 1) for offer in self.offers))
        ]
        for fills in product(*units):
            if any(fills) and self._may_be_together(fills):
                delivered = self._delivered(fills)
                for trades, bought in all_trades:
                    missing = delivered - bought
                    options = [
                        self.flows[index].get(tuple(missing[index]), ()) for index in range(len(self.series))
                    ]
                    for sent in product(*options):
                        if self._fits(sent):
                            yield Candidate(fills=fills, trades=trades, sent=sent)

    def _may_be_together(self, fills: Lots) -> bool:
        filled = [order for order, units in zip(self.orders, fills, strict=True) if units]
        groups = [(order.owner, order.group) for order in filled if order.group]
        sides = {(order.owner, series, ratio > 0) for order in filled for series, ratio in order.legs}
        opposite = any((owner, series, not buys) in sides for owner, series, buys in sides)
        return len(groups) == len(set(groups)) and not opposite

    def _delivered(self, fills: Lots) -> np.ndarray:
        lots = np.zeros((len(self.series), len(self.chains)), dtype=int)
        for order, home, units in zip(self.orders, self.home, fills, strict=True):
            for series, ratio in order.legs:
                lots[self.series.index(series), home] += ratio * units
        return lots

    def _bought(self, trades: Lots) -> np.ndarray:
        lots = np.zeros((len(self.series), len(self.chains)), dtype=int)
        for offer, at, taken in zip(self.offers, self.at, trades, strict=True):
            lots[self.series.index(offer.series), at] += taken if offer.side == "sell" else -taken
        return lots

    def _flows(self) -> list[dict[Lots, list[Lots]]]:
        """By series: the ways to send lots over bridges, by what arrives net on every chain."""
        flows = []
        for series in self.series:
            most = sum(offer.lots for offer in self.offers if offer.series == series) + sum(
                abs(ratio) * order.units
                for order in self.orders
                for leg, ratio in order.legs
                if leg == series
            )
            ways: defaultdict[Lots, list[Lots]] = defaultdict(list)
            for sent in product(*(range(min(most, bridge.capacity_lots) + 1) for bridge in self.bridges)):
                used = [ends for ends, lots in zip(self.ends, sent, strict=True) if lots]
                if sum(sent) <= 2 * most and not _has_circle(used):
                    net = [0] * len(self.chains)
                    for (source, target), lots in zip(self.ends, sent, strict=True):
                        net[source] -= lots
                        net[target] += lots
                    ways[tuple(net)].append(sent)
            flows.append(dict(ways))
        return flows

    def _fits(self, sent: tuple[Lots, ...]) -> bool:
        loads = zip(*sent, strict=True)
        return all(
            sum(load) <= bridge.capacity_lots for bridge, load in zip(self.bridges, loads, strict=False)
        )
