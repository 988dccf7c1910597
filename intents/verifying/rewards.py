"""Are winners' solvers rewarded for what they add, out of the fees that they brought, and nobody else?

What a solver adds is the choice's score less what the others' bids could score without it, asked of
HiGHS for every rewarded solver (see `optimum`). Of each chain of each of its deals a reward takes at
most the rules' part of the protocol fees paid there; between these places it is shared out in proportion,
by the whole micro-USDC that fall on each when their parts are laid end to end, in the outcome's order.

Only the bids that compete, directly or through others, with one by which the solver won are asked for: no
other one could stand or fall with the solver's. A `without` that is too low would make a reward too great,
and is refused whenever HiGHS finds a set that scores more. One that is too high costs the solver; it is
refused beyond what HiGHS's floats leave open, one part in a thousand million of the greatest score.

Where a proof is missing nothing is paid. A choice that is not proved may still be the best among the bids
that compete with a solver's: then HiGHS must find none better among them, and there must be others for which
the proof is missing.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import floor
from typing import Final

from chains.units import WIRE_MAX
from intents.verifying.optimum import best_total, split_rivals
from intents.verifying.outcomes import Pool
from intents.verifying.sheet import Sheet, require
from solvers.outcome import HOUSE, Deal, Outcome, Reward

Rooms = dict[tuple[str, str], int]
"""The most that a reward may take, by (deal, chain), in the order of the outcome."""

PRECISION: Final = 10**9
"""HiGHS is taken at its word up to one part in this many of the greatest score."""


def check_rewards(sheet: Sheet, outcome: Outcome, pool: Pool) -> None:
    """Refuse rewards other than those that follow from the winners and the bids."""
    names = [row.solver for row in outcome.rewards]
    meant = sorted({deal.solver for deal in outcome.deals} - {HOUSE})
    require(names == meant, "reward_solvers", f"{names}, not {meant}")
    rows = {row.solver: row for row in outcome.rewards}
    rivals = split_rivals(sheet, {digest: each.bid for digest, each in pool.items() if each.judged.score})
    reach = {solver: _reach(outcome, rivals, solver) for solver in rows}
    for solver, row in rows.items():
        _check_without(sheet, outcome, {digest: pool[digest] for digest in sorted(reach[solver])}, row)
        rooms = _rooms(sheet, pool, (deal for deal in outcome.deals if deal.solver == solver))
        _check_amount(outcome, row, cap=min(WIRE_MAX, sum(rooms.values())))
        _check_parts(outcome, row, rooms)
    proved = frozenset[str]().union(*(reach[solver] for solver, row in rows.items() if row.proved))
    open_ones = frozenset[str]().union(*rivals) - proved
    require(
        outcome.choice.proved or bool(open_ones), "reward_proved", "the choice is not proved anywhere else"
    )
    for deal in outcome.deals:
        require(
            deal.solver in rows or not deal.reward, "reward_parts", f"deal {deal.deal} is of {deal.solver}"
        )


def _reach(outcome: Outcome, rivals: Sequence[frozenset[str]], solver: str) -> frozenset[str]:
    """The digests of all bids that compete, directly or through others, with a winning one of a solver."""
    won = {deal.digest for deal in outcome.deals if deal.solver == solver}
    return frozenset[str]().union(*(group for group in rivals if group & won))


def _check_without(sheet: Sheet, outcome: Outcome, pool: Pool, row: Reward) -> None:
    """Compare with the best of everybody; `pool` holds what the solver's winning bids compete with."""
    chosen = sum(deal.score for deal in outcome.deals if deal.digest in pool)
    everyone = [(each.bid, each.judged.score) for each in pool.values()]
    others = [(bid, score) for bid, score in everyone if bid.solver != row.solver]
    best = outcome.choice.score - chosen + best_total(sheet, others)
    slack = max((score for _, score in others), default=0) // PRECISION
    found = f"{row.solver}: {row.without}, and others' bids worth {best} fit"
    require(row.without <= best + slack, "reward_without", found)
    require(best <= row.without or not row.proved, "reward_without", found)
    if row.proved and not outcome.choice.proved:
        most = best_total(sheet, everyone)
        require(most <= chosen, "reward_proved", f"{row.solver}: {chosen} was chosen, {most} fits")


def _check_amount(outcome: Outcome, row: Reward, *, cap: int) -> None:
    marginal = min(WIRE_MAX, max(0, outcome.choice.score - row.without))
    require(row.marginal == marginal, "reward_marginal", f"{row.solver}: {row.marginal}, not {marginal}")
    require(row.cap == cap, "reward_cap", f"{row.solver}: {row.cap}, not {cap}")
    amount = min(marginal, cap) if row.proved else 0
    require(row.amount == amount, "reward_amount", f"{row.solver}: {row.amount}, not {amount}")


def _check_parts(outcome: Outcome, row: Reward, rooms: Rooms) -> None:
    for deal in outcome.deals:
        if deal.solver == row.solver:
            parts = [(part.chain, part.amount) for part in deal.reward]
            meant = [
                (chain, part) for (name, chain), part in _share_out(row.amount, rooms) if name == deal.deal
            ]
            require(parts == meant, "reward_parts", f"deal {deal.deal}: {parts}, not {meant}")


def _rooms(sheet: Sheet, pool: Pool, deals: Iterator[Deal]) -> Rooms:
    part = Fraction(sheet.auction.rules.reward_share_bps, 10_000)
    rooms: Rooms = {}
    for deal in deals:
        fees: Counter[str] = Counter()
        for chain, account, _, amount in pool[deal.digest].judged.flows.movements:
            fees[chain] += amount if account == "fees:protocol" else 0
        rooms |= {(deal.deal, chain): floor(fees[chain] * part) for chain in sorted(fees)}
    return rooms


def _share_out(amount: int, rooms: Rooms) -> Iterator[tuple[tuple[str, str], int]]:
    """Lay the rooms end to end, shrunk to the amount, and count the whole micro-USDC that end in each."""
    if not amount:
        return
    scale = Fraction(amount, sum(rooms.values()))
    end = 0
    for place, room in rooms.items():
        part = floor((end + room) * scale) - floor(end * scale)
        end += room
        if part:
            yield place, part
