"""A round among solvers: every one in its own process, sealed, and killed when it overstays.

A round opens for all solvers at once and closes as soon as all have ended, at the latest the window
plus a small grace. No solver sees another's bids, nor learns of them: they are handed back together
when the round has closed, ordered by arrival, then solver, then the order in which they were sent.
Whatever a solver does costs it, at most, its own bids from then on; what it had sent before stands.

An arrival is taken by the market's monotonic clock when the frame is read. It is recorded, so
replays never depend on it being repeated.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from chains.units import floor_div
from solvers.auction import Auction
from solvers.codec import digest, encode
from solvers.contestant import Contestant
from solvers.errors import SolversError, SpecError
from solvers.frames import Kind, RoundRequest, pack
from solvers.limits import Limits
from solvers.outcome import SolverReport, Submission
from solvers.plugins import check_solver_name, solver_name
from solvers.quoting import QuotesInbox
from solvers.reasons import SolverReason
from solvers.strategy import StockQuotes

Stock = Mapping[str, Mapping[str, Mapping[str, int]]]
"""What is free to quote at solvers' own stock venues, by solver, venue and asset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverSpec:
    """A solver of a competition: the name it bids under, and the SPEC of its strategy."""

    name: str
    spec: str

    def __post_init__(self) -> None:
        check_solver_name(self.name)

    @classmethod
    def of(cls, spec: str) -> "SolverSpec":
        """A SPEC under its own name (see `solvers.plugins.solver_name`)."""
        return cls(name=solver_name(spec), spec=spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """What came of a round.

    Attributes
    ----------
    submissions : by arrival, then solver, then the order in which they were sent
    reports : how each solver got through, by name
    quotes : (solver, set): the last set that counts for each of its stock venues, by solver and venue
    """

    submissions: tuple[Submission, ...]
    reports: tuple[SolverReport, ...]
    quotes: tuple[tuple[str, StockQuotes], ...] = ()


class Competition:
    """Some solvers that compete in one round after another, in their own processes.

    All methods belong to one event loop. One round runs at a time. `close` ends the processes; where it is
    never called they end with the market's process, whose end closes the sockets that their keepers read.

    Raises
    ------
    SpecError
        If two solvers have one name.
    """

    def __init__(self, specs: Sequence[SolverSpec], *, limits: Limits | None = None) -> None:
        twice = [name for name, count in Counter(spec.name for spec in specs).items() if count > 1]
        if twice:
            raise SpecError(f"the solver name {twice[0]!r} is taken twice")
        self._limits = limits or Limits()
        self._contestants = tuple(
            Contestant(name=spec.name, spec=spec.spec, limits=self._limits)
            for spec in sorted(specs, key=lambda spec: spec.name)
        )
        self._started = False
        self._closed = False
        self._running = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all solvers, sorted."""
        return tuple(each.name for each in self._contestants)

    @property
    def pids(self) -> Mapping[str, int]:
        """The process id of every solver that has a process now; each leads its own group."""
        return {each.name: each.pid for each in self._contestants if each.pid is not None}

    async def start(self) -> tuple[SolverReport, ...]:
        """Start all processes and wait until each has loaded its strategy, or cannot (`Limits.start_s`).

        Returns a report for every solver that cannot start, sorted by name. It stays in the
        competition: every round reports it, and tries once more.

        Raises
        ------
        SolversError
            If the competition was started or closed before.
        """
        if self._started or self._closed:
            raise SolversError("a competition is started once")
        self._started = True
        opened_ns = time.monotonic_ns()
        failures = await asyncio.gather(*(each.start() for each in self._contestants))
        finished_us = max(1, floor_div(time.monotonic_ns() - opened_ns, 1_000))
        return tuple(
            SolverReport(
                solver=each.name, reason=failure.reason.value, detail=failure.detail, finished_us=finished_us
            )
            for each, failure in zip(self._contestants, failures, strict=True)
            if failure is not None
        )

    async def run(
        self,
        auction: Auction,
        *,
        window_s: float,
        stock: Stock | None = None,
        benched: Mapping[str, str] | None = None,
    ) -> RoundResult:
        """Run one round.

        `window_s` is the solve window in seconds of real time: the auction's own `solve_us`, by which
        bids and quotes are judged late. Arrivals count in microseconds from its opening and are at least 1.
        `stock` is what is free at solvers' own stock venues. Solvers that are `benched` are not asked; the
        value is the detail of their reports (`bond_exhausted`).

        Raises
        ------
        SolversError
            If the competition was not started, or a round is running already.
        """
        if not self._started or self._closed or self._running:
            raise SolversError("a round needs a competition that is started, and no other round of it")
        self._running = True
        try:
            asked = [each for each in self._contestants if each.name not in (benched or {})]
            result = await self._ask(asked, auction, window_s=window_s, stock=stock or {})
        finally:
            self._running = False
        left_out = (
            SolverReport(
                solver=each.name,
                reason=SolverReason.BOND_EXHAUSTED.value,
                detail=benched[each.name],
                finished_us=0,
            )
            for each in self._contestants
            if benched and each.name in benched
        )
        reports = tuple(sorted((*result.reports, *left_out), key=lambda report: report.solver))
        return replace(result, reports=reports)

    async def close(self) -> None:
        """End every process this competition has started, and wait until they are gone."""
        self._closed = True
        await asyncio.gather(*(each.close() for each in self._contestants))

    async def _ask(
        self, asked: Sequence[Contestant], auction: Auction, *, window_s: float, stock: Stock
    ) -> RoundResult:
        content, content_hash = msgspec.Raw(encode(auction)), auction.content_hash
        opened_ns = time.monotonic_ns()
        opened_s = opened_ns / 1_000_000_000
        inboxes = {each.name: self._inbox(stock.get(each.name, {}), auction.solve_us) for each in asked}
        ended = []
        for each in asked:
            request = RoundRequest(
                deadline_s=opened_s + window_s,
                window_s=window_s,
                seed=solver_seed(content_hash, each.name),
                auction=content,
                stock=stock.get(each.name, {}),
            )
            framed = pack(Kind.ROUND, msgspec.json.encode(request))
            ended.append(each.open_round(framed, opened_ns=opened_ns, inbox=inboxes[each.name]))
        try:
            if ended:
                close_s = opened_s + window_s + self._limits.grace_s
                await asyncio.wait(ended, timeout=max(0.0, close_s - time.monotonic()))
        finally:
            # Also when the round is cancelled: nothing may go on working for a round that is over.
            results = [each.close_round() for each in asked]
        submissions = [submission for sent, _ in results for submission in sent]
        # Contestants are sorted by name and the sort is stable: ties keep name, then order of sending.
        submissions.sort(key=lambda submission: submission.arrival_us)
        return RoundResult(
            submissions=tuple(submissions),
            reports=tuple(report for _, report in results),
            quotes=tuple((name, each) for name, inbox in inboxes.items() for each in inbox.sets),
        )

    def _inbox(self, venues: Collection[str], window_us: int) -> QuotesInbox:
        return QuotesInbox(venues=venues, window_us=window_us, set_bytes=self._limits.quotes_bytes)


def solver_seed(content_hash: str, name: str) -> int:
    """The seed of a solver's context: below 2**52, the same for the same auction and name."""
    return int(digest(content_hash.encode() + name.encode())[:13], 16)
