"""One solver over many rounds: what it said in a round, how it got through, and its replacement.

A contestant has at most one process. It is lost when it fails in whatever way; the failure is
reported in the round it happened in, or in the next one if it happened between rounds, and a new
process is started when that round closes: so every failure costs one start, a strategy that cannot
start is tried again once per round, and nothing is started while rivals are at work.
"""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from chains.units import floor_div
from solvers.errors import SpecError
from solvers.frames import FrameError, FrameReader, FrameTooLongError, Kind
from solvers.limits import Limits
from solvers.outcome import SolverReport, Submission
from solvers.process import SolverProcess
from solvers.quoting import QuotesInbox
from solvers.reasons import SolverReason

DETAIL_MAX: Final = 2_000
"""How many characters a report's detail holds: its end, where the cause is."""

_ENDED: Final = "its process ended"

FAILURES: Final = {
    Kind.CRASHED: SolverReason.SOLVER_CRASHED,
    Kind.OUT_OF_MEMORY: SolverReason.SOLVER_OUT_OF_MEMORY,
    Kind.FILE_TOO_LONG: SolverReason.SOLVER_FLOODED,
}
"""What the frames with which a worker ends mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a process was lost."""

    reason: SolverReason
    detail: str


class _Phase(Enum):
    DOWN = "no process"
    STARTING = "loading its strategy"
    IDLE = "waiting for a round"
    SOLVING = "at work"


@dataclass(slots=True, kw_only=True)
class _Round:
    """What one solver has said since a window opened."""

    request: bytes
    opened_ns: int
    ended: asyncio.Future[SolverReport]
    inbox: QuotesInbox
    submissions: list[Submission] = field(default_factory=list)
    bids_bytes: int = 0

    def elapsed_us(self) -> int:
        # At least 1: an arrival of 0 is the cut itself, before any solver could know the auction.
        return max(1, floor_div(time.monotonic_ns() - self.opened_ns, 1_000))


class Contestant:
    """One solver and its process. All methods belong to the thread of the running event loop."""

    def __init__(self, *, name: str, spec: str, limits: Limits) -> None:
        self.name = name
        self._spec = spec
        self._limits = limits
        self._phase = _Phase.DOWN
        self._process: SolverProcess | None = None
        self._frames = FrameReader(limits.frame_bytes)
        self._output_bytes = 0
        self._round: _Round | None = None
        self._failure: Failure | None = None
        self._settled = asyncio.Event()
        self._start_timer: asyncio.TimerHandle | None = None
        self._burials: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The id of its process, if it has one."""
        return None if self._process is None else self._process.pid

    async def start(self) -> Failure | None:
        """Start the process and wait until its strategy is loaded, or say why it cannot be."""
        self._launch()
        await self._settled.wait()
        return self._failure

    def open_round(
        self, request: bytes, *, opened_ns: int, inbox: QuotesInbox
    ) -> asyncio.Future[SolverReport]:
        """Hand the round to the process; the future is the report of a solver that ended in time.

        A process that is still starting gets the round as soon as it is ready. `inbox` takes the
        stock quotes that it sends.
        """
        ended: asyncio.Future[SolverReport] = asyncio.get_running_loop().create_future()
        self._round = _Round(request=request, opened_ns=opened_ns, ended=ended, inbox=inbox)
        self._output_bytes = 0
        if self._phase is _Phase.IDLE:
            self._begin_solving()
        elif self._phase is _Phase.DOWN:
            self._report_failure()
        return ended

    def close_round(self) -> tuple[tuple[Submission, ...], SolverReport]:
        """End the round: kill a process that is still at work, start a new one where one was lost."""
        round_ = self._round
        assert round_ is not None, "no round is open"
        if not round_.ended.done():
            self._end_unfinished()
        self._round = None
        if self._phase is _Phase.DOWN and not self._closed:
            self._launch()
        return tuple(round_.submissions), round_.ended.result()

    async def close(self) -> None:
        """End the process, and wait until it and all earlier ones are gone."""
        self._closed = True
        if self._process is not None:
            self._fail(SolverReason.SOLVER_TIMEOUT, "the competition was closed")
        await asyncio.gather(*self._burials)

    def _launch(self) -> None:
        self._failure = None
        self._settled.clear()
        self._frames = FrameReader(self._limits.frame_bytes)
        self._phase = _Phase.STARTING
        try:
            self._process = SolverProcess(
                self._spec,
                self.name,
                on_output=self._on_output,
                on_noise=self._count_output,
                on_stop=self._on_stop,
            )
        except (OSError, SpecError) as error:
            self._fail(SolverReason.SOLVER_NOT_STARTED, f"its process could not be started: {error}")
            return
        self._start_timer = asyncio.get_running_loop().call_later(
            self._limits.start_s,
            self._fail,
            SolverReason.SOLVER_NOT_STARTED,
            f"its strategy was not loaded within {self._limits.start_s:g} s",
        )

    def _begin_solving(self) -> None:
        assert self._process is not None
        assert self._round is not None
        self._phase = _Phase.SOLVING
        self._process.forget_noise()
        self._process.begin_round()
        self._process.send(self._round.request)

    def _on_output(self, data: bytes) -> None:
        if not data:
            self._fail(SolverReason.SOLVER_CRASHED, _ENDED)
            return
        self._count_output(len(data))
        try:
            for kind, payload in self._frames.feed(data):
                # Lost by the count of bytes or by an earlier frame: the rest is not listened to.
                if self._process is not None:
                    self._on_frame(kind, payload)
        except FrameTooLongError as error:
            self._fail(SolverReason.SOLVER_FLOODED, str(error))
        except FrameError as error:
            self._fail(SolverReason.SOLVER_OUT_OF_TURN, str(error))

    def _on_stop(self, reason: SolverReason, detail: str) -> None:
        self._fail(reason, detail)

    def _count_output(self, size: int) -> None:
        self._output_bytes += size
        if self._output_bytes > self._limits.output_bytes:
            self._fail(
                SolverReason.SOLVER_FLOODED, f"more than {self._limits.output_bytes:,} bytes of output"
            )

    def _on_frame(self, kind: Kind, payload: bytes) -> None:
        match kind, self._phase:
            case Kind.READY, _Phase.STARTING:
                self._become_ready()
            case Kind.BID, _Phase.SOLVING:
                self._take_bid(payload)
            case Kind.QUOTES, _Phase.SOLVING:
                self._take_quotes(payload)
            case Kind.FINISHED, _Phase.SOLVING:
                self._phase = _Phase.IDLE
                self._report(SolverReason.FINISHED, "")
            case _ if kind in FAILURES:
                self._fail(FAILURES[kind], payload.decode(errors="replace"))
            case _:
                self._fail(SolverReason.SOLVER_OUT_OF_TURN, f"sent {kind.name} while {self._phase.value}")

    def _become_ready(self) -> None:
        self._cancel_start_timer()
        self._phase = _Phase.IDLE
        self._settled.set()
        if self._round is not None and not self._round.ended.done():
            self._begin_solving()

    def _take_bid(self, payload: bytes) -> None:
        assert self._round is not None
        if len(self._round.submissions) == self._limits.bids:
            self._fail(SolverReason.SOLVER_FLOODED, f"more than {self._limits.bids:,} bids")
            return
        self._round.bids_bytes += len(payload)
        if self._round.bids_bytes > self._limits.bids_bytes:
            self._fail(SolverReason.SOLVER_FLOODED, f"more than {self._limits.bids_bytes:,} bytes of bids")
            return
        content = payload.decode(errors="replace")
        arrival_us = self._round.elapsed_us()
        self._round.submissions.append(Submission(solver=self.name, arrival_us=arrival_us, content=content))

    def _take_quotes(self, payload: bytes) -> None:
        assert self._round is not None
        if self._round.inbox.received == self._limits.quote_sets:
            self._fail(SolverReason.SOLVER_FLOODED, f"more than {self._limits.quote_sets:,} sets of quotes")
            return
        self._round.inbox.take(payload, arrival_us=self._round.elapsed_us())

    def _fail(self, reason: SolverReason, detail: str) -> None:
        """The one way in which a process is lost: it is killed at once, then buried and reported."""
        if self._phase is _Phase.DOWN:
            return
        if self._phase is _Phase.STARTING and reason is SolverReason.SOLVER_CRASHED:
            reason = SolverReason.SOLVER_NOT_STARTED
        self._cancel_start_timer()
        process, self._process = self._process, None
        self._phase = _Phase.DOWN
        self._failure = Failure(reason=reason, detail=detail[-DETAIL_MAX:])
        if process is None:
            self._report_failure()
            return
        process.kill()
        self._spawn(self._bury(process, self._failure))

    async def _bury(self, process: SolverProcess, failure: Failure) -> None:
        ending = await process.reap()
        if self._failure is failure:  # no newer process has been started meanwhile
            self._failure = _with_last_words(failure, ending=ending, tail=process.noise_tail())
            self._report_failure()

    def _report_failure(self) -> None:
        assert self._failure is not None
        self._settled.set()
        self._report(self._failure.reason, self._failure.detail)

    def _report(self, reason: SolverReason, detail: str) -> None:
        if self._round is not None and not self._round.ended.done():
            said = "\n".join([*self._round.inbox.notes, detail] if detail else self._round.inbox.notes)
            self._round.ended.set_result(
                SolverReport(
                    solver=self.name,
                    reason=reason.value,
                    detail=said[-DETAIL_MAX:],
                    finished_us=self._round.elapsed_us(),
                )
            )

    def _end_unfinished(self) -> None:
        if self._phase is _Phase.SOLVING:
            assert self._process is not None
            assert self._round is not None
            taken_ms = floor_div(self._round.elapsed_us(), 1_000)
            said = f"still at work when the round closed, {taken_ms:,} ms after it opened"
            self._fail(SolverReason.SOLVER_TIMEOUT, _joined(said, self._process.noise_tail()))
        if self._failure is None:  # still starting: it goes on, for the next round
            self._report(SolverReason.SOLVER_NOT_STARTED, "its strategy was still being loaded")
        else:
            self._report_failure()

    def _cancel_start_timer(self) -> None:
        if self._start_timer is not None:
            self._start_timer.cancel()
            self._start_timer = None

    def _spawn(self, burial: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(burial)
        self._burials.add(task)
        task.add_done_callback(self._burials.discard)


def _with_last_words(failure: Failure, *, ending: str, tail: str) -> Failure:
    # Where the market ended it, how it ended says nothing.
    known = f"its process {ending}" if failure.detail == _ENDED else failure.detail
    return Failure(reason=failure.reason, detail=_joined(known, tail))


def _joined(detail: str, tail: str) -> str:
    """A detail with what was printed last, as far as that has room beside it."""
    room = DETAIL_MAX - len(detail) - 1
    return f"{detail}\n{tail[-room:]}" if tail and room > 0 else detail
