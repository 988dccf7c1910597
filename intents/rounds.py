"""Rounds: cut, publish, let solvers compete, decide; again and again on a fixed interval.

What takes long - the reference, the competition, the choice of winners - happens beside the event loop,
on values that no longer change; intake goes on meanwhile. Each of the three steps is one event, durable
before the next begins, so a service that is killed in between leaves a round that was never decided:
nothing of it was pledged, and the next cut takes its place. What solvers quote of their stock follows the
decision, and stands from the next cut on; what becomes of it otherwise is in the solver's next report.

With a wall clock solvers have the whole window from the moment the auction is published, and the world
moves on by itself while deals are in flight. With a simulated clock the market's time stands still
while solvers work: it moves to the end of the window when they are finished, and otherwise only when it
is told to.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from msgspec.structs import replace

from chains.units import MICRO, floor_div
from intents.bonds import missing_bonds, without_bond
from intents.clock import SimulatedClock
from intents.errors import UnavailableError
from intents.events import Advanced, AuctionCut, AuctionDecided, AuctionPublished, Event, StockQuoted
from intents.intake import Intake
from intents.refusals import Refused
from intents.stock_quotes import fit_quotes
from solvers.arbitration import arbitrate
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.codec import encode
from solvers.competition import Competition, Stock
from solvers.contestant import DETAIL_MAX
from solvers.outcome import HOUSE, Outcome, SolverReport, Submission
from solvers.quoting import NOTES_MAX, note_quotes
from solvers.reasons import QuotesReason, SolverReason
from solvers.reference import with_reference
from solvers.strategy import StockQuotes

TICK_S: Final = 0.25
"""How often the world of a wall-clock market moves on while deals are in flight."""

_log = structlog.get_logger("solvent.rounds")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSummary:
    """What a round came to; `elapsed_us` and `late_us` are real time, everything else is the market's.

    Attributes
    ----------
    orders, not_selected : how many orders took part, and how many were left out
    bids : submissions, the house's among them
    late_us : how long after the end of its window the round was decided (0 in simulated time)
    """

    auction: str
    cut_us: int
    decided_us: int
    orders: int
    not_selected: int
    bids: int
    deals: int
    chains: tuple[str, ...]
    score: int
    bound: int
    proved: bool
    elapsed_us: int
    late_us: int


class Rounds:
    """The rounds of one market. All methods belong to the running event loop."""

    def __init__(self, intake: Intake, competition: Competition) -> None:
        self._intake = intake
        self._market = intake.market
        self._clock = intake.clock
        self._competition = competition
        self._started: asyncio.Task[tuple[SolverReport, ...]] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._quote_notes: dict[str, tuple[str, ...]] = {}

    def start_competition(self) -> None:
        """Start the solvers' processes; intake does not wait for them, the first round does."""
        self._started = asyncio.get_running_loop().create_task(self._start_competition())

    def post_bonds(self) -> None:
        """Put up the bond of every solver that never had one; nothing is written where all have.

        Raises
        ------
        UnavailableError
            If the market is closed, or this closed it: the next round tries again.
        """
        engine = self._market.engine
        events = missing_bonds(engine, self._competition.names, at_us=self._intake.now_us())
        answers = self._intake.commit(events) if events else []
        for event, refused in zip(events, answers, strict=True):
            if refused is not None:
                _log.error("bond_refused", solver=event.solver, amount=event.amount, error=refused.message)

    async def close(self) -> None:
        """End the solvers' processes."""
        if self._started is not None:
            self._started.cancel()
            await asyncio.gather(self._started, return_exceptions=True)
        await self._competition.close()

    def advance_to(self, at_us: int) -> None:
        """Move a simulated market on to an instant.

        Raises
        ------
        ValueError
            If its clock is not simulated, a round is under way, or the instant is in the past.
        UnavailableError
            If the market is closed.
        """
        if not isinstance(self._clock, SimulatedClock):
            raise ValueError("the time of this market is not simulated")
        if self._one_at_a_time.locked():
            raise ValueError("time moves on by itself while a round is under way")
        self._clock.advance_to(at_us)
        self._intake.commit([Advanced(at_us=self._intake.now_us())])

    async def run_round(self) -> RoundSummary:
        """Run one round from cut to decision.

        Raises
        ------
        UnavailableError
            If the market is closed or closes on the way: the round is then void.
        """
        if self._started is None:
            raise UnavailableError("the solvers were not started")
        async with self._one_at_a_time:
            await self._started
            opened_ns = time.monotonic_ns()
            round_ = _Round(self._intake)
            self.post_bonds()
            auction, house = await self._cut(round_)
            result = await self._competition.run(
                auction,
                window_s=auction.solve_us / MICRO,
                stock=self._stock_by_solver(),
                benched=without_bond(self._market.engine, self._competition.names),
            )
            reports = tuple(self._with_notes(report) for report in result.reports)
            for report in reports:
                if report.reason != SolverReason.FINISHED or report.detail:
                    _log.warning(report.reason, solver=report.solver, detail=report.detail)
            await self._clock.wait_until(auction.prepare_us)
            submissions = (*_house_submissions(house), *result.submissions)
            outcome = await asyncio.to_thread(arbitrate, auction, submissions, reports)
            decided_us = self._intake.now_us()
            round_.write(
                AuctionDecided(
                    at_us=decided_us, auction=auction.auction, submissions=submissions, outcome=outcome
                )
            )
            self._post_quotes(round_, result.quotes, at_us=decided_us)
            elapsed_us = floor_div(time.monotonic_ns() - opened_ns, 1_000)
            return self._summarise(auction, outcome, decided_us=decided_us, elapsed_us=elapsed_us)

    async def serve(self) -> None:
        """Run rounds on the market's interval for ever; one that fails is logged, and the next begins."""
        while True:
            try:
                await self._clock.wait_until(self._next_cut_us())
                await self.run_round()
            except UnavailableError as error:
                _log.warning("round_void", error=str(error))
                await asyncio.sleep(TICK_S)
            except Exception:
                _log.exception("round_failed")

    async def follow_deals(self) -> None:
        """Let the world move on for ever, as long as deals are in flight."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                if self._market.engine.book.deals():
                    now_us = self._intake.now_us()
                    due_us = self._market.engine.world.next_event_us()
                    if due_us is not None and due_us <= now_us:
                        self._intake.commit([Advanced(at_us=now_us)])
            except UnavailableError as error:
                _log.warning("world_stands_still", error=str(error))
            except Exception:
                _log.exception("world_not_moved")

    async def _start_competition(self) -> tuple[SolverReport, ...]:
        failures = await self._competition.start()
        for report in failures:
            _log.error("solver_not_started", solver=report.solver, detail=report.detail)
        return failures

    async def _cut(self, round_: "_Round") -> tuple[Auction, tuple[Bid, ...]]:
        engine = self._market.engine
        round_.write(AuctionCut(at_us=self._intake.now_us(), auction=engine.next_auction_id))
        bare, not_selected, withheld = engine.auction(), engine.not_selected, engine.withheld
        auction, house = await asyncio.to_thread(with_reference, bare)
        round_.write(
            AuctionPublished(
                at_us=self._intake.now_us(), auction=auction, not_selected=not_selected, withheld=withheld
            )
        )
        return auction, house

    def _stock_by_solver(self) -> Stock:
        world = self._market.engine.world
        found: defaultdict[str, dict[str, Mapping[str, int]]] = defaultdict(dict)
        for venue, solver in world.stock_solvers.items():
            found[solver][venue] = world.stock_of(venue)
        return found

    def _post_quotes(self, round_: "_Round", sent: Sequence[tuple[str, StockQuotes]], *, at_us: int) -> None:
        """Put solvers' quotes up, as far as their stock goes now that the winners have theirs."""
        if not sent:
            return
        world = self._market.engine.world
        events = [
            StockQuoted(
                at_us=at_us,
                solver=solver,
                venue=each.venue,
                quotes=fit_quotes(each.quotes, world.stock_of(each.venue)),
            )
            for solver, each in sent
        ]
        for event, (_, each), refused in zip(events, sent, round_.write(*events), strict=True):
            if refused is not None:
                self._note(event, refused.code, refused.message)
            elif event.quotes != each.quotes:
                detail = f"{len(event.quotes)} of {len(each.quotes)} quotes stand, with fewer lots"
                self._note(event, QuotesReason.CUT, detail)

    def _note(self, event: StockQuoted, reason: str, detail: str) -> None:
        """Keep what became of quotes for their solver's next report."""
        _log.warning("stock_quotes", solver=event.solver, venue=event.venue, reason=reason, detail=detail)
        note = note_quotes(reason, f"{event.venue}, the round before: {detail}")
        self._quote_notes[event.solver] = (*self._quote_notes.get(event.solver, ()), note)[-NOTES_MAX:]

    def _with_notes(self, report: SolverReport) -> SolverReport:
        notes = self._quote_notes.pop(report.solver, ())
        said = "\n".join([*notes, report.detail] if report.detail else notes)
        return replace(report, detail=said[-DETAIL_MAX:])

    def _next_cut_us(self) -> int:
        """The next instant on the market's own grid, which does not move with restarts or late rounds."""
        genesis = self._market.engine.genesis
        passed = floor_div(self._intake.now_us() - genesis.at_us, genesis.terms.round_us)
        return genesis.at_us + (passed + 1) * genesis.terms.round_us

    def _summarise(
        self, auction: Auction, outcome: Outcome, *, decided_us: int, elapsed_us: int
    ) -> RoundSummary:
        line = self._market.records.auction(auction.auction)
        summary = RoundSummary(
            auction=auction.auction,
            cut_us=auction.cut_us,
            decided_us=decided_us,
            orders=len(auction.orders),
            not_selected=line.not_selected if line else 0,
            bids=len(outcome.bids),
            deals=len(outcome.deals),
            chains=tuple(sorted({chain for deal in outcome.deals for chain in deal.chains})),
            score=outcome.choice.score,
            bound=outcome.choice.bound,
            proved=outcome.choice.proved,
            elapsed_us=elapsed_us,
            late_us=max(0, decided_us - auction.prepare_us),
        )
        overrun = decided_us >= auction.cut_us + self._market.engine.genesis.terms.round_us
        (_log.warning if overrun else _log.info)(
            "round_overran" if overrun else "round_decided",
            auction=summary.auction,
            orders=summary.orders,
            bids=summary.bids,
            deals=summary.deals,
            score=summary.score,
            late_us=summary.late_us,
        )
        return summary


class _Round:
    """The events of one round; none is written once the market was rebuilt under it."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._generation = intake.market.generation

    def write(self, *events: Event) -> Sequence[Refused | None]:
        if self._intake.market.generation != self._generation:
            raise UnavailableError("the market was rebuilt during the round, which is void")
        return self._intake.commit(events)


def _house_submissions(house: tuple[Bid, ...]) -> Iterator[Submission]:
    for bid in house:
        yield Submission(solver=HOUSE, arrival_us=0, content=encode(bid).decode())
