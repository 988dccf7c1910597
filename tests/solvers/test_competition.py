"""Rounds among real processes: whatever a solver does costs its own bids and nobody else's."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from solvers.bid import Bid
from solvers.codec import decode
from solvers.competition import Competition, RoundResult, SolverSpec, solver_seed
from solvers.errors import FormatError, SolversError, SpecError
from solvers.limits import Limits
from solvers.reasons import SolverReason
from tests.solvers.competing import (
    AUCTION,
    HONEST,
    SHORT_S,
    STUCK_S,
    WINDOW_S,
    bid_names,
    contents,
    detail,
    play,
    reasons,
    solver,
)
from tests.solvers.process_table import is_running, still_running


def test_rounds_return_every_bid_and_report_as_soon_as_all_have_finished() -> None:
    async def script(competition: Competition) -> None:
        pids = dict(competition.pids)
        for _ in range(2):
            before_s = time.monotonic()
            result = await competition.run(AUCTION, window_s=STUCK_S * 10)
            assert time.monotonic() - before_s < STUCK_S
            assert reasons(result) == {"alice": "finished", "bob": "finished"}
            assert bid_names(result, "alice") == bid_names(result, "bob") == ["first", "second"]
            assert all(submission.arrival_us >= 1 for submission in result.submissions)
            assert [(each.arrival_us, each.solver) for each in result.submissions] == sorted(
                (each.arrival_us, each.solver) for each in result.submissions
            )
        assert competition.pids == pids

    play(solver("bob", "honest.py:Honest"), solver("alice", "honest.py:Honest"), script=script)


def test_a_strategy_is_told_its_own_seed_and_time_and_is_kept_over_rounds() -> None:
    async def script(competition: Competition) -> None:
        for rounds in (1, 2):
            result = await competition.run(AUCTION, window_s=WINDOW_S)
            for name in ("alice", "bob"):
                told = json.loads(contents(result, name)[0])
                assert told["rounds"] == rounds
                assert told["seed"] == solver_seed(AUCTION.content_hash, name)
                assert 0 < told["remaining_s"] <= WINDOW_S

    play(solver("alice", "honest.py:Curious"), solver("bob", "honest.py:Curious"), script=script)


def test_seeds_differ_by_solver_and_auction_and_fit_the_wire() -> None:
    seeds = [solver_seed(content, name) for content in ("a" * 64, "b" * 64) for name in ("alice", "bob")]
    assert len(set(seeds)) == 4
    assert all(0 <= seed < 2**52 for seed in seeds)


def test_bids_within_the_grace_are_returned_as_late() -> None:
    async def script(competition: Competition) -> None:
        result = await competition.run(AUCTION, window_s=SHORT_S)
        assert reasons(result) == {"late": "finished"}
        assert bid_names(result, "late") == ["in-time", "late"]
        in_time, late = (submission.arrival_us for submission in result.submissions)
        assert in_time <= SHORT_S * 1_000_000 < late

    # A grace that even a busy machine keeps.
    play(solver("late", "honest.py:JustTooLate"), script=script, limits=Limits(grace_s=WINDOW_S))


def test_bids_are_ordered_by_arrival_over_solvers() -> None:
    async def script(competition: Competition) -> None:
        result = await competition.run(AUCTION, window_s=4 * SHORT_S)
        assert bid_names(result, "a-patient") == ["early", "better"]
        assert result.submissions[-1].solver == "a-patient"

    play(HONEST, solver("a-patient", "honest.py:UntilTheEnd"), script=script)


FAILURES = [
    ("failing.py:Raises", SolverReason.SOLVER_CRASHED, "ValueError: no route to the moon"),
    ("failing.py:Exits", SolverReason.SOLVER_CRASHED, "SystemExit: had enough"),
    ("failing.py:ExitsHard", SolverReason.SOLVER_CRASHED, "exited with status 7\nlast words"),
    ("failing.py:Aborts", SolverReason.SOLVER_CRASHED, "ended by SIGABRT"),
    ("failing.py:FillsMemory", SolverReason.SOLVER_OUT_OF_MEMORY, "MemoryError"),
    ("failing.py:FillsMemoryInC", SolverReason.SOLVER_CRASHED, "ended by SIGABRT"),
    ("failing.py:ClosesPipes", SolverReason.SOLVER_CRASHED, "its process ended by SIGKILL"),
    ("talking.py:TooLongFrame", SolverReason.SOLVER_FLOODED, "a frame of 2,097,15"),
    ("talking.py:TooManyBids", SolverReason.SOLVER_FLOODED, "more than 1,024 bids"),
    ("talking.py:TooManyBytes", SolverReason.SOLVER_FLOODED, "more than 4,194,304 bytes of bids"),
    ("talking.py:TooManyPrints", SolverReason.SOLVER_FLOODED, "more than 16,777,216 bytes of output"),
]


@pytest.mark.parametrize(("spec", "reason", "says"), FAILURES, ids=[spec for spec, *_ in FAILURES])
def test_a_failure_costs_only_itself_and_the_next_round_has_a_fresh_process(
    spec: str, reason: SolverReason, says: str
) -> None:
    async def script(competition: Competition) -> None:
        pids = dict(competition.pids)
        for _ in range(2):
            result = await competition.run(AUCTION, window_s=WINDOW_S)
            assert reasons(result) == {"bad": reason, "honest": "finished"}
            assert says in detail(result, "bad")
            assert bid_names(result, "honest") == ["first", "second"]
            assert decode(contents(result, "bad")[0], Bid).solver == "bad"
            assert competition.pids["honest"] == pids["honest"]
            assert competition.pids["bad"] != pids["bad"]
            assert not still_running([pids["bad"]])
            pids = dict(competition.pids)

    play(HONEST, solver("bad", spec), script=script)


def test_a_hang_ends_with_the_window_and_its_earlier_bids_stand() -> None:
    async def script(competition: Competition) -> None:
        # The fresh processes of the second round need part of its window to load.
        for window_s in (SHORT_S, 3 * SHORT_S):
            pids = dict(competition.pids)
            before_s = time.monotonic()
            result = await competition.run(AUCTION, window_s=window_s)
            assert time.monotonic() - before_s < STUCK_S / 2
            assert reasons(result) == {
                "deaf": "solver_timeout",
                "hung": "solver_timeout",
                "honest": "finished",
            }
            assert bid_names(result, "deaf") == bid_names(result, "hung") == ["before"]
            assert bid_names(result, "honest") == ["first", "second"]
            assert detail(result, "hung").endswith("thinking hard")
            assert [name for name in pids if competition.pids[name] == pids[name]] == ["honest"]
            assert not still_running([pids["deaf"], pids["hung"]])

    play(HONEST, solver("hung", "failing.py:Hangs"), solver("deaf", "failing.py:HangsDeaf"), script=script)


def test_limits_bound_what_is_read_and_what_was_read_before_stands() -> None:
    async def script(competition: Competition) -> None:
        result = await competition.run(AUCTION, window_s=WINDOW_S)
        assert reasons(result) == {"bad": "solver_flooded"}
        assert bid_names(result, "bad") == ["again"] * 3

    play(solver("bad", "talking.py:TooManyBids"), script=script, limits=Limits(bids=3))


def test_garbage_between_good_bids_is_handed_on_for_the_judge_to_refuse() -> None:
    async def script(competition: Competition) -> None:
        result = await competition.run(AUCTION, window_s=WINDOW_S)
        assert reasons(result) == {"bad": "finished"}
        first, *garbage, last = contents(result, "bad")
        assert (decode(first, Bid).bid, decode(last, Bid).bid) == ("first", "last")
        assert len(garbage) == 12
        for content in garbage:
            with pytest.raises(FormatError):
                decode(content, Bid)

    play(solver("bad", "talking.py:Garbage"), script=script)


def test_bids_under_wrong_names_are_handed_on_as_their_senders_for_the_judge_to_refuse() -> None:
    async def script(competition: Competition) -> None:
        result = await competition.run(AUCTION, window_s=WINDOW_S)
        assert bid_names(result, "honest") == ["first", "second"]
        sent = [decode(content, Bid) for content in contents(result, "bad")]
        assert [(bid.auction, bid.solver) for bid in sent] == [
            ("another-auction", "bad"),
            (AUCTION.auction, "honest"),
        ]

    play(HONEST, solver("bad", "talking.py:WrongNames"), script=script)


def test_prints_never_mix_with_bids() -> None:
    async def script(competition: Competition) -> None:
        result = await competition.run(AUCTION, window_s=WINDOW_S)
        assert reasons(result) == {"bad": "finished"}
        assert bid_names(result, "bad") == ["first", "last"]

    play(solver("bad", "talking.py:Prints"), script=script)


def test_a_result_that_cannot_be_iterated_is_a_crash() -> None:
    async def script(competition: Competition) -> None:
        result = await competition.run(AUCTION, window_s=WINDOW_S)
        assert reasons(result) == {"bad": "solver_crashed"}
        assert "TypeError" in detail(result, "bad")

    play(solver("bad", "failing.py:NoIterator"), script=script)


def test_talking_out_of_turn_costs_the_next_round_and_no_more() -> None:
    async def script(competition: Competition) -> None:
        result = await competition.run(AUCTION, window_s=WINDOW_S)
        assert reasons(result) == {"bad": "finished"}
        while "bad" in competition.pids:
            await asyncio.sleep(0.01)
        result = await competition.run(AUCTION, window_s=WINDOW_S)
        assert reasons(result) == {"bad": "solver_out_of_turn"}
        assert "sent BID while waiting for a round" in detail(result, "bad")
        result = await competition.run(AUCTION, window_s=WINDOW_S)
        assert reasons(result) == {"bad": "finished"}

    play(solver("bad", "talking.py:TalksOutOfTurn"), script=script)


def test_a_lingering_fork_holds_no_round_open_and_ends_with_its_solver() -> None:
    lingering: list[int] = []

    async def script(competition: Competition) -> None:
        for _ in range(2):
            result = await competition.run(AUCTION, window_s=WINDOW_S)
            assert reasons(result) == {"bad": "finished", "worse": "solver_crashed"}
            assert "exited with status 3" in detail(result, "worse")
            lingering.append(int(contents(result, "bad")[0]))
            assert is_running(lingering[-1])
            assert not still_running([int(contents(result, "worse")[0])])

    play(solver("bad", "forking.py:Lingers"), solver("worse", "forking.py:LingersAndDies"), script=script)
    assert not still_running(lingering)


def test_a_fork_cannot_answer_in_its_parents_place() -> None:
    async def script(competition: Competition) -> None:
        for _ in range(2):
            result = await competition.run(AUCTION, window_s=WINDOW_S)
            assert reasons(result) == {"bad": "finished"}
            assert bid_names(result, "bad") == ["first", "last"]

    play(solver("bad", "forking.py:Doubles"), script=script)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("broken_import.py:Mine", "broken_import.py:4: KeyError"),
        ("nowhere.py:Mine", "there is no such file"),
    ],
)
def test_a_solver_that_cannot_start_is_reported_and_holds_up_nobody(spec: str, says: str) -> None:
    async def script() -> None:
        competition = Competition([solver("bad", spec), HONEST])
        try:
            (report,) = await competition.start()
            assert (report.solver, report.reason) == ("bad", "solver_not_started")
            assert says in report.detail
            result = await competition.run(AUCTION, window_s=WINDOW_S)
            assert reasons(result) == {"bad": "solver_not_started", "honest": "finished"}
            assert says in detail(result, "bad")
        finally:
            await competition.close()

    asyncio.run(asyncio.wait_for(script(), STUCK_S))


def test_a_strategy_that_is_never_loaded_is_given_up() -> None:
    async def script() -> None:
        competition = Competition([solver("bad", "unloadable.py:SlowToMake")], limits=Limits(start_s=0.5))
        try:
            (report,) = await competition.start()
            assert report.reason == "solver_not_started"
            assert "not loaded within 0.5 s" in report.detail
            result = await competition.run(AUCTION, window_s=WINDOW_S)
            assert reasons(result) == {"bad": "solver_not_started"}
        finally:
            await competition.close()

    asyncio.run(asyncio.wait_for(script(), STUCK_S))


def test_a_strategy_file_that_is_mended_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"

    async def script() -> None:
        competition = Competition([SolverSpec.of(f"{path}:Mine")])
        try:
            assert len(await competition.start()) == 1
            path.write_text("class Mine:\n    def solve(self, auction, context): yield 1\n")
            result = await competition.run(AUCTION, window_s=WINDOW_S)
            assert reasons(result) == {"mine": "solver_not_started"}
            result = await competition.run(AUCTION, window_s=WINDOW_S)
            assert reasons(result) == {"mine": "finished"}
            assert contents(result, "mine") == ["1"]
        finally:
            await competition.close()

    asyncio.run(asyncio.wait_for(script(), STUCK_S))


def test_a_solver_still_starting_misses_its_round_and_is_left_to_start() -> None:
    async def script(competition: Competition) -> None:
        await competition.run(AUCTION, window_s=WINDOW_S)
        starting = competition.pids["bad"]
        result = await competition.run(AUCTION, window_s=0.001)
        assert reasons(result)["bad"] == "solver_not_started"
        assert "still being loaded" in detail(result, "bad")
        assert competition.pids["bad"] == starting
        assert reasons(await competition.run(AUCTION, window_s=WINDOW_S))["bad"] == "solver_crashed"

    play(solver("bad", "failing.py:Raises"), script=script, limits=Limits(grace_s=0.0))


def test_a_cancelled_round_leaves_nobody_at_work_and_the_next_one_runs() -> None:
    async def script(competition: Competition) -> None:
        pid = competition.pids["bad"]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(competition.run(AUCTION, window_s=WINDOW_S), 0.2)
        assert competition.pids["bad"] != pid
        result = await competition.run(AUCTION, window_s=SHORT_S)
        assert reasons(result) == {"bad": "solver_timeout", "honest": "finished"}

    play(HONEST, solver("bad", "failing.py:Hangs"), script=script)


def test_closing_ends_every_process_even_in_the_middle_of_a_round() -> None:
    async def script() -> None:
        competition = Competition([solver("bad", "failing.py:HangsDeaf")])
        await competition.start()
        pids = list(competition.pids.values())
        running = asyncio.create_task(competition.run(AUCTION, window_s=WINDOW_S))
        await asyncio.sleep(0.1)
        await competition.close()
        assert reasons(await running) == {"bad": "solver_timeout"}
        assert competition.pids == {}
        assert not still_running(pids)
        with pytest.raises(SolversError):
            await competition.run(AUCTION, window_s=WINDOW_S)

    asyncio.run(asyncio.wait_for(script(), STUCK_S))


def test_a_competition_of_nobody_has_empty_rounds() -> None:
    async def script(competition: Competition) -> None:
        assert await competition.run(AUCTION, window_s=WINDOW_S) == RoundResult(submissions=(), reports=())

    play(script=script)


def test_misuse_is_refused() -> None:
    with pytest.raises(SpecError, match="taken twice"):
        Competition([HONEST, HONEST])
    with pytest.raises(SpecError, match="reserved"):
        SolverSpec(name="house", spec="single")

    async def script(competition: Competition) -> None:
        with pytest.raises(SolversError, match="started once"):
            await competition.start()
        first = asyncio.create_task(competition.run(AUCTION, window_s=WINDOW_S))
        await asyncio.sleep(0)
        with pytest.raises(SolversError, match="no other round"):
            await competition.run(AUCTION, window_s=WINDOW_S)
        await first

    play(HONEST, script=script)
