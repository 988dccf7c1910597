"""Could other bids have scored more? Asked of another solver than the market's.

The market chooses with CP-SAT; here HiGHS (through SciPy) solves the same set packing. It works in
floats, so its answer is only a witness: a better choice that it finds is counted again in integers
before anything is said about the record.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from intents.errors import VerificationError
from intents.verifying.bids import Sheet, require
from solvers.bid import Bid


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


def check_compatible(sheet: Sheet, winners: Sequence[Bid]) -> None:
    """Refuse winners that together use more of anything than there is."""
    total: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for bid in winners:
        for name, (amount, there) in capacities_used(sheet, bid).items():
            total[name] += amount
            require(total[name] <= there, "winners_conflict", f"{name}: {total[name]} of {there}")


def best_total(sheet: Sheet, bids: Sequence[tuple[Bid, int]]) -> int:
    """The greatest total score of compatible bids that HiGHS finds, counted in integers.

    Raises
    ------
    VerificationError
        If HiGHS gives no answer.
    """
    if not bids:
        return 0
    rows: dict[tuple[str, ...], int] = {}
    limits: list[float] = []
    entries: list[tuple[int, int, float]] = []
    for column, (bid, _) in enumerate(bids):
        for name, (amount, there) in capacities_used(sheet, bid).items():
            if name not in rows:
                rows[name] = len(rows)
                limits.append(1.0)
            entries.append((rows[name], column, amount / max(there, 1)))
    scores = np.array([float(score) for _, score in bids])
    scale = max(1.0, float(scores.max()))
    at_row, at_column, value = (list(part) for part in zip(*entries, strict=True))
    matrix = csr_array((value, (at_row, at_column)), shape=(len(rows), len(bids)))
    answer = milp(
        -scores / scale,
        constraints=LinearConstraint(matrix, ub=np.array(limits)),
        integrality=np.ones(len(bids), dtype=np.int64),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    if answer.x is None:
        raise VerificationError(f"optimality: HiGHS gave no answer ({answer.message})")
    chosen = [bid for bid, taken in zip(bids, answer.x, strict=True) if taken > 0.5]
    check_compatible(sheet, [bid for bid, _ in chosen])
    return sum(score for _, score in chosen)
