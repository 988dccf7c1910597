"""Could other bids have scored more? Asked of another solver than the market's.

The market chooses with CP-SAT; here HiGHS (through SciPy) solves the same set packing. It works in
floats, so its answer is only a witness: of the bids that it picks, those that fit together are counted
again in integers before anything is said about the record.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import networkx as nx
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from intents.errors import VerificationError
from intents.verifying.sheet import Sheet, require
from solvers.bid import Bid

SCALE: Final = 1e5
"""The largest score as HiGHS sees it: its absolute gap of 1e-6 is then far below any bid's score."""

TIME_LIMIT_S: Final = 60.0


def capacities_used(sheet: Sheet, bid: Bid) -> dict[tuple[str, ...], tuple[int, int]]:
    """Every shared thing a bid uses: (used, there is)."""
    used: defaultdict[tuple[str, ...], int] = defaultdict(int)
    there: dict[tuple[str, ...], int] = {}
    for fill in bid.fills:
        order = sheet.orders[fill.intent]
        names: list[tuple[str, ...]] = [("order", order.intent)]
        if order.group:
            names.append(("group", order.owner, str(order.group)))
        for name in names:
            used[name], there[name] = 1, 1
    for trade in bid.trades:
        used["offer", trade.offer] += trade.lots
        there["offer", trade.offer] = sheet.offers[trade.offer].lots
    for transfer in bid.transfers:
        bridge = sheet.bridges[transfer.bridge]
        kind = "cash" if transfer.asset == "USDC" else "lots"
        used[kind, bridge.id] += transfer.amount
        there[kind, bridge.id] = bridge.capacity_cash if kind == "cash" else bridge.capacity_lots
    return {name: (amount, there[name]) for name, amount in used.items()}


def split_rivals(sheet: Sheet, bids: Mapping[str, Bid]) -> list[frozenset[str]]:
    """Groups of bids, by digest, none of which can take anything from a bid of another group."""
    users: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    used: defaultdict[tuple[str, ...], int] = defaultdict(int)
    there: dict[tuple[str, ...], int] = {}
    for digest, bid in bids.items():
        for name, (amount, most) in capacities_used(sheet, bid).items():
            users[name].append(digest)
            used[name] += amount
            there[name] = most
    groups: nx.utils.UnionFind[str] = nx.utils.UnionFind(bids)
    for name, digests in users.items():
        if used[name] > there[name]:
            groups.union(*digests)
    return [frozenset(group) for group in groups.to_sets()]


def check_compatible(sheet: Sheet, bids: Sequence[Bid], rule: str) -> None:
    """Refuse bids that together use more of anything than there is."""
    total: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for bid in bids:
        for name, (amount, there) in capacities_used(sheet, bid).items():
            total[name] += amount
            require(total[name] <= there, rule, f"{name}: {total[name]} of {there}")


def best_total(sheet: Sheet, bids: Sequence[tuple[Bid, int]]) -> int:
    """The greatest total score of compatible bids that HiGHS finds, counted in integers.

    Raises
    ------
    VerificationError
        If HiGHS gives no answer in its time.
    """
    pool = [(bid, score) for bid, score in bids if score > 0]
    if not pool:
        return 0
    rows: dict[tuple[str, ...], int] = {}
    entries: list[tuple[int, int, float]] = []
    for column, (bid, _) in enumerate(pool):
        for name, (amount, there) in capacities_used(sheet, bid).items():
            entries.append((rows.setdefault(name, len(rows)), column, amount / there))
    at_row, at_column, value = (list(part) for part in zip(*entries, strict=True))
    matrix = csr_array((value, (at_row, at_column)), shape=(len(rows), len(pool)))
    scores = np.array([float(score) for _, score in pool])
    answer = milp(
        -scores * (SCALE / scores.max()),
        constraints=LinearConstraint(matrix, ub=np.ones(len(rows))),
        integrality=np.ones(len(pool), dtype=np.int64),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0, "time_limit": TIME_LIMIT_S},
    )
    if answer.x is None:
        raise VerificationError(f"optimality: HiGHS gave no answer ({answer.message})", rule="optimality")
    return _total_that_fits(sheet, [each for each, taken in zip(pool, answer.x, strict=True) if taken > 0.5])


def _total_that_fits(sheet: Sheet, picked: Sequence[tuple[Bid, int]]) -> int:
    """The score of the bids that fit together in integers, the best first: all but a rounding error's."""
    total: defaultdict[tuple[str, ...], int] = defaultdict(int)
    score = 0
    for bid, worth in sorted(picked, key=lambda each: -each[1]):
        uses = capacities_used(sheet, bid)
        if all(total[name] + amount <= there for name, (amount, there) in uses.items()):
            score += worth
            for name, (amount, _) in uses.items():
                total[name] += amount
    return score
