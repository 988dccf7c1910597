"""One solver over its rounds: what it is reported for, at what length, and what its failures are called."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn

import msgspec
import pytest

from solvers.codec import encode
from solvers.contestant import DETAIL_MAX, FAILURES, Contestant
from solvers.frames import Kind, RoundRequest, pack
from solvers.limits import Limits
from solvers.outcome import SolverReport
from solvers.quoting import QuotesInbox
from solvers.reasons import SolverReason
from tests.solvers.competing import AUCTION, STRATEGIES, STUCK_S, WINDOW_S

Story = Callable[[Contestant], Awaitable[None]]


def tell(spec: str, story: Story, *, limits: Limits | None = None) -> None:
    async def main() -> None:
        contestant = Contestant(name="mine", spec=spec, limits=limits or Limits())
        try:
            await story(contestant)
        finally:
            await contestant.close()

    asyncio.run(asyncio.wait_for(main(), STUCK_S))


async def play_round(contestant: Contestant) -> SolverReport:
    now_ns = time.monotonic_ns()
    request = RoundRequest(
        deadline_s=now_ns / 1e9 + WINDOW_S, window_s=WINDOW_S, seed=1, auction=msgspec.Raw(encode(AUCTION))
    )
    inbox = QuotesInbox(venues=(), window_us=10**7, set_bytes=1_000)
    framed = pack(Kind.ROUND, msgspec.json.encode(request))
    await contestant.open_round(framed, opened_ns=now_ns, inbox=inbox)
    submissions, report = contestant.close_round()
    assert all(submission.solver == "mine" for submission in submissions)
    return report


def test_every_frame_that_ends_a_worker_has_its_reason() -> None:
    ending = {Kind.CRASHED, Kind.OUT_OF_MEMORY, Kind.FILE_TOO_LONG}
    assert set(FAILURES) == ending
    assert set(FAILURES.values()) <= set(SolverReason)


def test_a_process_that_the_system_does_not_start_is_reported_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*arguments: object, **options: object) -> NoReturn:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    async def story(contestant: Contestant) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("solvers.contestant.SolverProcess", refuse)
            failure = await contestant.start()
            assert failure is not None
            assert failure.reason is SolverReason.SOLVER_NOT_STARTED
            assert "Resource temporarily unavailable" in failure.detail
            assert contestant.pid is None
            assert (await play_round(contestant)).reason == SolverReason.SOLVER_NOT_STARTED
        # The round that is open when the system can again is still lost; the next one is not.
        assert (await play_round(contestant)).reason == SolverReason.SOLVER_NOT_STARTED
        assert (await play_round(contestant)).reason == SolverReason.FINISHED

    tell(f"{STRATEGIES}/honest.py:Honest", story)


def test_a_spec_that_means_nothing_is_a_solver_that_cannot_start() -> None:
    async def story(contestant: Contestant) -> None:
        failure = await contestant.start()
        assert failure is not None
        assert failure.reason is SolverReason.SOLVER_NOT_STARTED
        assert "neither the name of an installed strategy nor path.py:Class" in failure.detail

    tell("no such:thing", story)


def test_a_detail_is_cut_at_its_beginning() -> None:
    async def story(contestant: Contestant) -> None:
        assert await contestant.start() is None
        report = await play_round(contestant)
        assert report.reason == SolverReason.SOLVER_CRASHED
        assert len(report.detail) <= DETAIL_MAX
        assert "RecursionError" in report.detail

    tell(f"{STRATEGIES}/evading.py:Recurses", story)


def test_bids_are_limited_by_number_and_by_size_together() -> None:
    async def story(contestant: Contestant) -> None:
        assert await contestant.start() is None
        report = await play_round(contestant)
        assert report.reason == SolverReason.SOLVER_FLOODED
        assert "more than 1,000 bytes of bids" in report.detail

    tell(f"{STRATEGIES}/talking.py:TooManyBids", story, limits=Limits(bids_bytes=1_000))
