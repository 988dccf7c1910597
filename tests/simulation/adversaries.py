"""The study of adversaries: what each attack brings whom, over many random auctions.

`python tests/simulation/adversaries.py --auctions 1000` prints the table in the README; `make soak` runs
it whole. In every auction each attack is played in several variants, the best of them counts, and it is
compared with the best that the same adversary could do honestly in the same auction. Every round that is
held on the way is checked for what it owes the others (`tests.simulation.promises`).
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from chains.units import MICRO
from tests.simulation.attacks import ATTACKS
from tests.simulation.contest import Account, Move, Theatre, account
from tests.simulation.moves import Scene
from tests.simulation.promises import check_promises
from tests.simulation.slices import ORDERS, draw_slice

WINDOW_S: Final = 2.0
"""Seconds that `joint` has for every auction: several times what it needs on a quiet machine."""


COLUMNS: Final[Mapping[str, tuple[str, str]]] = {
    "paid in": ("paid", "{:.1f} %"),
    "median gain": ("gain", "{:.3f}"),
    "of the surplus": ("gain_of_surplus", "{:.1f} %"),
    "largest gain": ("gain_max", "{:.3f}"),
    "fees it adds": ("fees", "{:.3f}"),
    "other owners lose": ("owners_lose", "{:.3f}"),
    "other solvers lose": ("solvers_lose", "{:.3f}"),
}
"""The table's columns: head -> (key of a row, form)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One attack in one auction, in micro-USDC.

    Attributes
    ----------
    surplus : of the honest round, all that its orders gain beyond their limits
    gain : what the best variant leaves the adversary beyond the best honest move
    fees : what all deals pay in fees beyond those of the honest move
    owners_lose, solvers_lose, reserve_loses : what everybody else has less
    """

    attack: str
    seed: int
    surplus: int
    gain: int
    fees: int
    owners_lose: int
    solvers_lose: int
    reserve_loses: int


def open_scene(seed: int, *, window_s: float = WINDOW_S, orders: tuple[int, int] = ORDERS) -> Scene | None:
    """The honest round of an auction; None if nothing trades in it."""
    drawn = draw_slice(seed, orders=orders)
    theatre = Theatre(drawn, window_s=window_s)
    held = theatre.hold(Move(orders=drawn.auction.orders))
    check_promises(held)
    filled = sorted({fill.intent for deal in held.outcome.deals for fill in deal.fills})
    if not filled:
        return None
    own = Random(seed).choice(filled)
    return Scene(
        theatre=theatre, held=held, own=next(order for order in held.auction.orders if order.intent == own)
    )


def try_attack(scene: Scene, attack: str, *, seed: int) -> Trial | None:
    """Play every variant of an attack; None where it makes no sense."""
    tried = ATTACKS[attack](scene)
    if tried is None:
        return None
    fair, foul = (
        max((_play(scene, move) for move in moves), key=lambda each: each.adversary)
        for moves in (tried.fair, tried.foul)
    )
    return Trial(
        attack=attack,
        seed=seed,
        surplus=scene.held.outcome.choice.score,
        gain=foul.adversary - fair.adversary,
        fees=foul.fees - fair.fees,
        owners_lose=fair.owners - foul.owners,
        solvers_lose=fair.solvers - foul.solvers,
        reserve_loses=fair.reserve - foul.reserve,
    )


def study_auction(seed: int, *, window_s: float = WINDOW_S, orders: tuple[int, int] = ORDERS) -> list[Trial]:
    """Every attack in one auction."""
    scene = open_scene(seed, window_s=window_s, orders=orders)
    if scene is None:
        return []
    tried = (try_attack(scene, attack, seed=seed) for attack in ATTACKS)
    return [trial for trial in tried if trial is not None]


def study(
    seeds: Sequence[int], *, jobs: int, window_s: float = WINDOW_S, orders: tuple[int, int] = ORDERS
) -> Iterator[list[Trial]]:
    """Every attack in every auction, over so many processes; in the order of the seeds."""
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(partial(study_auction, window_s=window_s, orders=orders), seeds)


def summarise(trials: Sequence[Trial]) -> dict[str, dict[str, float]]:
    """The row of each attack: USDC, and per cent of the honest round's surplus.

    `paid` is the share of auctions, in per cent, in which the attack paid; the medians of `gain`, of the
    others' losses and of the fees are over those auctions, or, where it never paid, over all of them.
    """
    rows = {}
    for attack in dict.fromkeys(trial.attack for trial in trials):
        of_attack = [trial for trial in trials if trial.attack == attack]
        paid = [trial for trial in of_attack if trial.gain > 0]
        shown = paid or of_attack
        rows[attack] = {
            "auctions": len(of_attack),
            "paid": 100 * len(paid) / len(of_attack),
            "gain": median(trial.gain for trial in shown) / MICRO,
            "gain_of_surplus": median(100 * trial.gain / trial.surplus for trial in shown),
            "gain_max": max(trial.gain for trial in shown) / MICRO,
            "fees": median(trial.fees for trial in shown) / MICRO,
            "owners_lose": median(trial.owners_lose for trial in shown) / MICRO,
            "solvers_lose": median(trial.solvers_lose for trial in shown) / MICRO,
        }
    return rows


def format_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """The rows as the README shows them, what pays most often first."""
    heads = ("attack", *COLUMNS)
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for attack, row in sorted(rows.items(), key=lambda item: (-item[1]["paid"], -item[1]["gain"])):
        cells = (attack, *(form.format(row[key]) for key, form in COLUMNS.values()))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _play(scene: Scene, move: Move) -> Account:
    held = scene.theatre.hold(move)
    check_promises(held)
    return account(held, move.worth)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and print its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--auctions", type=int, default=1_000, help="how many random auctions")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes")
    parser.add_argument("--orders", type=int, nargs=2, default=ORDERS, help="least and most orders of each")
    parser.add_argument(
        "--window-s", type=float, default=WINDOW_S, help="solver time of `joint` for every auction"
    )
    parser.add_argument(
        "--json", action="store_true", help="print every trial and the rows as one JSON object"
    )
    options = parser.parse_args(arguments)
    trials: list[Trial] = []
    began, traded = time.monotonic(), 0
    seeds = range(options.first, options.first + options.auctions)
    asked = study(seeds, jobs=options.jobs, window_s=options.window_s, orders=tuple(options.orders))
    for done, found in enumerate(asked, start=1):
        trials += found
        traded += bool(found)
        if done % 10 == 0 or done == options.auctions:
            sys.stderr.write(f"\r{done} of {options.auctions} auctions, {time.monotonic() - began:.0f} s ")
            sys.stderr.flush()
    sys.stderr.write("\n")
    rows = summarise(trials)
    if options.json:
        sys.stdout.write(json.dumps({"rows": rows, "trials": [asdict(trial) for trial in trials]}) + "\n")
    else:
        sys.stdout.write(f"{options.auctions} auctions, {traded} with trades\n\n{format_table(rows)}\n")


if __name__ == "__main__":
    main()
