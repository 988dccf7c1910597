"""An exhaustive oracle for the joint model: every bid of a tiny problem, and the best set of them.

It shares no arithmetic with `router` or `solvers`: it enumerates fills, trades and lot transfers one by
one, works out what every chain needs from the fee schedule, and finds the best cash transfers of each
candidate as the best vertex of a linear program (numpy, all candidates at once), once for every set of
bridges that may carry cash. Then it packs the bids that keep every rule.

Cash is real-valued here, so that its answer may exceed the exact one by the roundings of bridge fees
and of reference ceilings, at most `ROUNDING` micro-USDC. The cash capacity that several bids share is
not packed: give bridges a binding one only where there is one order.
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
            most = min(self._total(series, 1), self._total(series, -1))
            ways: defaultdict[Lots, list[Lots]] = defaultdict(list)
            for sent in product(*(range(min(most, bridge.capacity_lots) + 1) for bridge in self.bridges)):
                used = [ends for ends, lots in zip(self.ends, sent, strict=True) if lots]
                if not _has_circle(used):
                    net = [0] * len(self.chains)
                    for (source, target), lots in zip(self.ends, sent, strict=True):
                        net[source] -= lots
                        net[target] += lots
                    ways[tuple(net)].append(sent)
            flows.append(dict(ways))
        return flows

    def _total(self, series: str, sign: int) -> int:
        """The lots that could be bought (sign 1) or sold (-1) of a series by anyone."""
        side = "buy" if sign > 0 else "sell"
        lots = sum(offer.lots for offer in self.offers if (offer.series, offer.side) == (series, side))
        for order in self.orders:
            lots += order.units * max(0, sign * dict(order.legs).get(series, 0))
        return lots

    def _fits(self, sent: tuple[Lots, ...]) -> bool:
        loads = zip(*sent, strict=True)
        return all(
            sum(load) <= bridge.capacity_lots for bridge, load in zip(self.bridges, loads, strict=False)
        )


class _Table:
    """All candidates as arrays: (n_candidates, n_chains) money and fills, (n_candidates,) the rest."""

    def __init__(self, world: _Enumeration, candidates: list[Candidate]) -> None:
        self.world = world
        self.problem = world.problem
        count, chains = len(candidates), len(world.chains)
        self.need = np.zeros((count, chains))
        self.cover = np.zeros((count, chains))
        self.units = np.zeros((count, chains))
        self.limits = np.zeros(count)
        self.touched = np.zeros((count, chains), dtype=bool)
        self.loaded = np.zeros((count, len(world.bridges)), dtype=bool)
        self.decide_before = np.zeros(count, dtype=np.int64)
        self.release_before = np.zeros(count, dtype=np.int64)
        self.parts: list[tuple[frozenset[int], ...]] = []
        for row, candidate in enumerate(candidates):
            self._add_trades(row, candidate)
            self._add_lots(row, candidate)
            self._add_fills(row, candidate)
            self._add_times(row, candidate)
            self.parts.append(_parts(world, candidate))

    def values(self, used: tuple[int, ...]) -> np.ndarray:
        """The value of every candidate when exactly these bridges carry cash; minus infinity if none."""
        ends = [self.world.ends[bridge] for bridge in used]
        cash_ends = {place for pair in ends for place in pair}
        touched = self.touched | np.isin(np.arange(len(self.world.chains)), list(cash_ends))
        connected = {parts: _is_connected(parts, ends) for parts in set(self.parts)}
        alive = np.array([connected[parts] for parts in self.parts]) & self._in_time(touched)
        need = self.need + self._fees(touched, used)
        carried, found = self._best_cash(need, used)
        after = need + carried
        paying = self.units > 0
        value = self.limits - np.where(paying, after, 0).sum(axis=1)
        return np.where(alive & found, value, -np.inf)

    def _add_trades(self, row: int, candidate: Candidate) -> None:
        venues = set()
        for offer, at, lots in zip(self.world.offers, self.world.at, candidate.trades, strict=True):
            if lots:
                venue = self.problem.venues[offer.venue]
                price = offer.price if offer.side == "sell" else -offer.price
                self.need[row, at] += lots * (price + venue.fee_per_lot)
                self.need[row, at] += 0 if venue.id in venues else venue.fee_touch
                self.touched[row, at] = True
                venues.add(venue.id)

    def _add_lots(self, row: int, candidate: Candidate) -> None:
        for sent in candidate.sent:
            for index, lots in enumerate(sent):
                if lots:
                    source, target = self.world.ends[index]
                    self.need[row, source] += lots * self.world.bridges[index].fee_per_lot
                    self.touched[row, [source, target]] = True
                    self.loaded[row, index] = True

    def _add_fills(self, row: int, candidate: Candidate) -> None:
        peers: defaultdict[tuple[int, tuple[tuple[str, int], ...]], list[tuple[int, int]]] = defaultdict(list)
        for order, home, units in zip(self.world.orders, self.world.home, candidate.fills, strict=True):
            if units:
                factor = gcd(*(ratio for _, ratio in order.legs))
                package = tuple(sorted((series, ratio // factor) for series, ratio in order.legs))
                peers[home, package].append((units * factor, order.limit // factor))
                lots = sum(abs(ratio) for _, ratio in order.legs) * units
                fee = self.problem.chains[order.chain].settle_fee_fill
                self.need[row, home] += fee + lots * self.problem.fee_per_lot
                self.limits[row] += order.limit * units
                self.touched[row, home] = True
        for (home, package), members in peers.items():
            units, low = sum(count for count, _ in members), min(limit for _, limit in members)
            reference = self.problem.references.get((self.world.chains[home], package))
            served = min(units, reference.units) if reference else 0
            price = min(low, reference.price) if reference else low
            self.cover[row, home] += price * served + low * (units - served)
            self.units[row, home] += units

    def _add_times(self, row: int, candidate: Candidate) -> None:
        problem = self.problem
        orders = [order for order, units in zip(self.world.orders, candidate.fills, strict=True) if units]
        offers = [offer for offer, lots in zip(self.world.offers, candidate.trades, strict=True) if lots]
        locks = [problem.prepare_us + problem.venues[offer.venue].max_lock_us for offer in offers]
        self.decide_before[row] = min(*(order.valid_until_us for order in orders), 2**62, *locks)
        names = {leg for order in orders for leg, _ in order.legs} | {offer.series for offer in offers}
        self.release_before[row] = min(problem.series_expiry_us[name] for name in names)

    def _in_time(self, touched: np.ndarray) -> np.ndarray:
        problem, alive = self.problem, np.zeros(len(touched), dtype=bool)
        for pattern in {tuple(row) for row in touched.tolist()}:
            names = [name for name, is_touched in zip(self.world.chains, pattern, strict=True) if is_touched]
            deadlines = deal_deadlines(
                [problem.chains[name] for name in names],
                hub=problem.chains[problem.hub],
                timing=problem.timing,
                now_us=problem.prepare_us,
            )
            early = (deadlines.decide_by_us < self.decide_before) & (
                deadlines.release_by_us < self.release_before
            )
            alive |= (touched == np.array(pattern)).all(axis=1) & early
        return alive

    def _fees(self, touched: np.ndarray, used: tuple[int, ...]) -> np.ndarray:
        """Fees per touched chain and per bridge that carries anything."""
        terms = [self.problem.chains[name] for name in self.world.chains]
        legs = np.array([chain.settle_fee_leg for chain in terms])
        deals = np.array([chain.deal_fee for chain in terms])
        several = touched.sum(axis=1, keepdims=True) > 1
        fees = touched * (legs + several * deals).astype(float)
        for index, bridge in enumerate(self.world.bridges):
            carries = self.loaded[:, index] | (index in used)
            fees[:, self.world.ends[index][0]] += carries * bridge.fee_fixed
        return fees

    def _best_cash(self, need: np.ndarray, used: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """What the best cash adds to every chain's need, and whether there is any feasible cash.

        Rows a @ cash <= limit: what is needed is covered; a fed chain is not left with more than it needs;
        at least 1 micro-USDC per bridge, at most its capacity. The best vertex is found by trying them all.
        """
        flow = np.zeros((need.shape[1], len(used)))
        for column, index in enumerate(used):
            source, target = self.world.ends[index]
            flow[source, column] += 1 + self.world.bridges[index].fee_cash_bps / 10_000
            flow[target, column] -= 1
        slack = self.cover - need
        room = np.where(self._fed(used) & (self.units > 0), self.units - 1 - slack, np.inf)
        capacity = [float(self.world.bridges[index].capacity_cash) for index in used]
        rows = np.vstack([flow, -flow, np.eye(len(used)), -np.eye(len(used))])
        ones = np.ones((len(need), 1))
        limits = np.hstack([slack, room, ones * np.array(capacity), -ones * np.ones(len(used))])
        cost = np.where(self.units > 0, 1.0, 0.0) @ flow
        best = np.full(len(need), np.inf)
        cash = np.zeros((len(need), len(used)))
        for tight in combinations(range(len(rows)), len(used)):
            if used and abs(np.linalg.det(rows[list(tight)])) < 1e-9:
                continue
            bound = limits[:, list(tight)]
            finite = np.isfinite(bound).all(axis=1)
            point = np.where(finite[:, None], bound, 0) @ np.linalg.pinv(rows[list(tight)]).T
            feasible = finite & (point @ rows.T <= limits + 1e-6).all(axis=1)
            better = feasible & ((point * cost).sum(axis=1) < best)
            best = np.where(better, (point * cost).sum(axis=1), best)
            cash = np.where(better[:, None], point, cash)
        return cash @ flow.T, np.isfinite(best)

    def _fed(self, used: tuple[int, ...]) -> np.ndarray:
        """The chains that cash reaches from another chain with fills."""
        fed = np.zeros(self.units.shape, dtype=bool)
        for _ in used:
            for source, target in (self.world.ends[index] for index in used):
                fed[:, target] |= fed[:, source] | (self.units[:, source] > 0)
        return fed


def _has_circle(ends: list[tuple[int, int]]) -> bool:
    left = set(ends)
    while left:
        leaves = {edge for edge in left if edge[1] not in {source for source, _ in left}}
        if not leaves:
            return True
        left -= leaves
    return False


def _parts(world: _Enumeration, candidate: Candidate) -> tuple[frozenset[int], ...]:
    """The chains of every connected part of what is filled, traded and sent."""
    entries: list[set[object]] = []
    for order, home, units in zip(world.orders, world.home, candidate.fills, strict=True):
        if units:
            entries.append({(home, series) for series, _ in order.legs})
    for offer, at, lots in zip(world.offers, world.at, candidate.trades, strict=True):
        if lots:
            entries.append({(at, offer.series), (at, "venue", offer.venue)})
    for series, sent in zip(world.series, candidate.sent, strict=True):
        for (source, target), lots in zip(world.ends, sent, strict=True):
            if lots:
                entries.append({(source, series), (target, series), (source, "bridge", target)})
    parts: list[set[object]] = []
    for entry in entries:
        apart = [part for part in parts if part.isdisjoint(entry)]
        joined = [part for part in parts if not part.isdisjoint(entry)]
        parts = [*apart, set(chained(entry, *joined))]
    return tuple(sorted((frozenset(_chains_of(part)) for part in parts), key=sorted))


def _chains_of(part: set[object]) -> Iterator[int]:
    for node in part:
        assert isinstance(node, tuple)
        yield node[0]
        if len(node) == 3 and node[1] == "bridge":
            yield node[2]


def _is_connected(parts: tuple[frozenset[int], ...], cash: list[tuple[int, int]]) -> bool:
    """Whether cash over these bridges makes one of the parts, and none of it is for nobody."""
    groups: list[set[int]] = []
    for ends in cash:
        apart = [group for group in groups if group.isdisjoint(ends)]
        joined = [group for group in groups if not group.isdisjoint(ends)]
        groups = [*apart, set(chained(ends, *joined))]
    pieces = [set(part) for part in parts]
    served = [False] * len(groups)
    while True:
        for index, group in enumerate(groups):
            near = [piece for piece in pieces if len(piece & group) >= 2]
            if near and (len(near) > 1 or not served[index]):
                served[index] = True
                others = [piece for piece in pieces if len(piece & group) < 2]
                pieces = [*others, set().union(*near)]
                break
        else:
            return len(pieces) == 1 and all(served)


def _best_set(problem: Problem, bids: dict[tuple[int, Lots, Lots], float]) -> float:
    """The best total of bids that share no order and no group, and keep offers and bridges."""
    orders = [problem.demands[name] for name in sorted(problem.demands)]
    lots = [problem.offers[name].lots for name in sorted(problem.offers)]
    room = [problem.bridges[name].capacity_lots for name in sorted(problem.bridges)]

    def groups(filled: int) -> set[tuple[str, str]]:
        chosen = [order for index, order in enumerate(orders) if filled >> index & 1]
        return {(order.owner, order.group) for order in chosen if order.group}

    def pack(first: int, filled: int, traded: Lots, sent: Lots) -> float:
        best = 0.0
        for index in range(first, len(ranked)):
            (more, trades, loads), value = ranked[index]
            if value + highest * (len(orders) - 1) <= best:
                break
            taken = tuple(map(sum, zip(traded, trades, strict=True)))
            loaded = tuple(map(sum, zip(sent, loads, strict=True)))
            if more & filled or groups(more) & groups(filled):
                continue
            if all(a <= b for a, b in zip(taken, lots, strict=True)) and all(
                a <= b for a, b in zip(loaded, room, strict=True)
            ):
                best = max(best, value + pack(index + 1, filled | more, taken, loaded))
        return best

    ranked = sorted(bids.items(), key=lambda entry: (-entry[1], entry[0]))
    highest = ranked[0][1] if ranked else 0.0
    return pack(0, 0, (0,) * len(lots), (0,) * len(room))
