"""A whole round on the reference world: how long each step takes, and what each strategy is worth.

Auctions of 20 orders, of 70 (the size of the demo's rounds) and of 300, drawn by `intents.order_flow`,
each from a world and a seed of its own: 7, 7 and 5 of them (with --quick one each).

Times are medians over the auctions. `cut-and-reference` makes the auction file and its reference prices.
`solve-NAME` is one strategy alone on that file, in its own process as in a round; it is killed when its
window of 2 s (with --quick 1 s) and the market's grace are over. The baseline is `single`. `arbitrate`
verifies all their bids and the house's, chooses the winners and prices them.

Surplus is the mean over the auctions, in USDC, as the market's rules count it. `surplus-NAME` is what
one strategy makes of an auction by itself, with the bids that came in time, without the house and its
reference prices; the baseline is `single`, the one best venue for each order. `surplus-market` is the
round with everybody in it. What `joint` finds in its window depends on the machine.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

import msgspec
from _harness import Result, note, run_bench, time_call
from _market import draw_market, open_engine

from chains.units import MICRO
from intents.engine import Engine
from intents.instance import cut_auction
from solvers.arbitration import arbitrate
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.codec import encode
from solvers.competition import Competition, SolverSpec
from solvers.outcome import HOUSE, Submission
from solvers.plugins import list_strategies
from solvers.reasons import SolverReason
from solvers.reference import with_reference

BUILT_IN: Final = ("single", "greedy", "joint")
WINDOW_US: Final = 2 * MICRO
WINDOW_QUICK_US: Final = MICRO
LOADING_S: Final = 60.0
"""How long a process may take to be ready: an empty auction before every round waits for that."""

WARM_UP_ORDERS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many orders an auction holds, and how many auctions are drawn."""

    orders: int
    auctions: int


SIZES: Final = {
    "orders-20": Size(orders=20, auctions=7),
    "orders-70": Size(orders=70, auctions=7),
    "orders-300": Size(orders=300, auctions=5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one auction gave: seconds of each step, micro-USDC of surplus of each solver."""

    seconds: Mapping[str, float]
    surplus: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver:
    """A strategy in a competition of its own."""

    name: str
    competition: Competition

    async def solve(self, auction: Auction) -> tuple[tuple[Submission, ...], float]:
        """What it sends within the auction's window, and how many seconds it takes."""
        empty = msgspec.structs.replace(auction, orders=(), reference=())
        await self.competition.run(empty, window_s=LOADING_S)
        result = await self.competition.run(auction, window_s=auction.solve_us / MICRO)
        (report,) = result.reports
        if report.reason not in (SolverReason.FINISHED, SolverReason.SOLVER_TIMEOUT):
            note(f"  {self.name}: {report.reason}: {report.detail}")
        return result.submissions, report.finished_us / MICRO


def measure(case: str, *, quick: bool) -> Iterator[Result]:
    """Times and surplus of the auctions of one size."""
    size, window_us = SIZES[case], WINDOW_QUICK_US if quick else WINDOW_US
    found = asyncio.run(measure_auctions(size.orders, range(1 if quick else size.auctions), window_us))
    seconds = {step: median(each.seconds[step] for each in found) for step in found[0].seconds}
    for step, value in seconds.items():
        is_rival = step.startswith("solve-") and step != "solve-single"
        baseline = seconds["solve-single"] if is_rival else None
        yield Result(case=case, metric=step, value=value, unit="s", baseline=baseline)
    surplus = {name: fmean(each.surplus[name] for each in found) / MICRO for name in found[0].surplus}
    for name, value in surplus.items():
        baseline = None if name == "single" else surplus["single"]
        yield Result(case=case, metric=f"surplus-{name}", value=value, unit="USDC", baseline=baseline)


async def measure_auctions(orders: int, seeds: Sequence[int], window_us: int) -> list[Figures]:
    """The figures of one auction for each seed, after a small one without solvers that does not count."""
    solvers = await start_solvers()
    try:
        await measure_auction(open_engine(draw_market(seed=0, orders=WARM_UP_ORDERS)), (), window_us)
        found: list[Figures] = []
        for seed in seeds:
            note(f"  auction {len(found) + 1} of {len(seeds)}: {orders} orders")
            engine = open_engine(draw_market(seed=seed, orders=orders))
            found.append(await measure_auction(engine, solvers, window_us))
        return found
    finally:
        await asyncio.gather(*(solver.competition.close() for solver in solvers))


async def start_solvers() -> list[Solver]:
    """The built-in strategies; one that cannot start is told of and left out."""
    solvers = []
    for name in BUILT_IN:
        if name not in list_strategies():
            note(f"  {name} is left out: it is not installed")
            continue
        competition = Competition([SolverSpec.of(name)])
        failures = await competition.start()
        if failures:
            note(f"  {name} is left out: {failures[0].detail}")
            await competition.close()
        else:
            solvers.append(Solver(name=name, competition=competition))
    return solvers


async def measure_auction(engine: Engine, solvers: Sequence[Solver], window_us: int) -> Figures:
    """One round, step by step, and then each strategy by itself."""
    bare = cut(engine, window_us)
    (auction, house), cut_s = time_call(lambda: with_reference(cut(engine, window_us)))
    seconds = {"cut-and-reference": cut_s}
    submissions = [_house_submission(bid) for bid in house]
    for solver in solvers:
        sent, seconds[f"solve-{solver.name}"] = await solver.solve(auction)
        submissions.extend(sent)
    outcome, seconds["arbitrate"] = time_call(lambda: arbitrate(auction, submissions))
    surplus = {}
    for solver in solvers:
        sent, _ = await solver.solve(bare)
        surplus[solver.name] = arbitrate(bare, sent).choice.score
    return Figures(seconds=seconds, surplus={**surplus, "market": outcome.choice.score})


def cut(engine: Engine, window_us: int) -> Auction:
    """The auction file of everything that is open, without its reference."""
    auction, _ = cut_auction(
        engine.book.waiting_orders(engine.now_us)[0],
        engine.world.snapshot(),
        auction=engine.next_auction_id,
        solve_us=window_us,
        rules=engine.genesis.terms.rules,
    )
    return auction


def _house_submission(bid: Bid) -> Submission:
    return Submission(solver=HOUSE, arrival_us=0, content=encode(bid).decode())


if __name__ == "__main__":
    run_bench("rounds", __doc__, dict.fromkeys(SIZES, measure))
