"""Attacks by real strategies in real processes: each costs only itself, and leaves nothing behind.

Every attack competes with an honest solver, whose bids and time must be what they are without it, while
a clock in the market's loop watches that nothing holds it up.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from solvers.competition import Competition, RoundResult
from solvers.limits import TASKS_MAX
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

TICK_S = 0.02
HELD_UP_S = 1.0
"""How long the market's loop may stand still: far more than a busy machine needs, far less than a round."""

WIDENING = """
import resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
"""


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No process, zombie, file or descriptor is there that was not before."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = open_descriptors()
    yield
    assert still_running(processes_of(folder)) == []
    assert zombies() == []
    assert list(folder.iterdir()) == []
    assert open_descriptors() == before


def open_descriptors() -> dict[str, str]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        if os.path.lexists(entry):
            found[entry.name] = os.readlink(entry)  # noqa: PTH115
    return {number: leads for number, leads in found.items() if not leads.endswith("/fd")}


def processes_of(folder: Path) -> list[int]:
    """Every process that was started with the folder in its environment, whoever started it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if str(folder).encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def zombies() -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if stat[0] == "Z" and int(stat[1]) == os.getpid():
                found.append(entry.name)
    return found


@contextmanager
def watched_loop() -> Iterator[None]:
    """A clock in the running loop: it fails if it was ever held up."""
    gaps: list[float] = []

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while True:
            before_s = loop.time()
            await asyncio.sleep(TICK_S)
            gaps.append(loop.time() - before_s - TICK_S)

    task = asyncio.get_running_loop().create_task(tick())
    try:
        yield
    finally:
        task.cancel()
    assert max(gaps, default=0.0) < HELD_UP_S


async def attack(competition: Competition, *, window_s: float = WINDOW_S) -> RoundResult:
    """A round in which the honest solver is not disturbed."""
    with watched_loop():
        result = await competition.run(AUCTION, window_s=window_s)
    (honest,) = (report for report in result.reports if report.solver == "honest")
    assert honest.reason == "finished"
    assert honest.finished_us < window_s * 1_000_000 / 2
    assert bid_names(result, "honest") == ["first", "second"]
    return result


def run_attack(*specs: str, window_s: float = WINDOW_S) -> RoundResult:
    """One round of attackers, `bad-0` and so on, against the honest solver."""
    results = []

    async def script(competition: Competition) -> None:
        results.append(await attack(competition, window_s=window_s))

    play(HONEST, *(solver(f"bad-{place}", spec) for place, spec in enumerate(specs)), script=script)
    return results[0]


def check_each(result: RoundResult, expected: Iterable[tuple[SolverReason, str]]) -> None:
    for place, (reason, says) in enumerate(expected):
        assert reasons(result)[f"bad-{place}"] == reason
        assert says in detail(result, f"bad-{place}")


PRIVATE = "a process may have 1,024 MiB of private memory and 4,096 MiB of address space"
ALLOWED = "1,024 MiB are allowed"

MEMORY = [
    (("AtOnce", "InNumPy", "InMap"), PRIVATE),
    (("Slowly",), PRIVATE),
    (("InSharedMap",), ALLOWED),
    (("InForks",), ALLOWED),
]


@pytest.mark.parametrize(("names", "says"), MEMORY, ids=[names[0] for names, _ in MEMORY])
def test_no_way_to_take_memory_gets_more_than_is_allowed(names: tuple[str, ...], says: str) -> None:
    result = run_attack(*(f"hoarding.py:{name}" for name in names))
    check_each(result, [(SolverReason.SOLVER_OUT_OF_MEMORY, says)] * len(names))
    assert all(bid_names(result, f"bad-{place}") == ["before"] for place in range(len(names)))


def test_memory_that_forks_share_counts_once() -> None:
    result = run_attack("hoarding.py:ShareWithForks")
    assert reasons(result)["bad-0"] == SolverReason.FINISHED


def test_whoever_widens_the_kernels_limits_still_has_a_keeper() -> None:
    result = run_attack("hoarding.py:BeyondItsLimits")
    tried = subprocess.run([sys.executable, "-c", WIDENING], check=False, capture_output=True)
    if tried.returncode == 0:
        assert reasons(result)["bad-0"] == SolverReason.SOLVER_OUT_OF_MEMORY
        assert "in 1 processes; 1,024 MiB are allowed" in detail(result, "bad-0")
    else:
        assert reasons(result)["bad-0"] == SolverReason.SOLVER_CRASHED
        assert "not allowed to raise maximum limit" in detail(result, "bad-0")


def test_processes_and_threads_are_counted() -> None:
    result = run_attack("multiplying.py:ForkBomb", "multiplying.py:Threads")
    says = f"processes and threads; {TASKS_MAX} are allowed"
    check_each(result, [(SolverReason.SOLVER_TOO_MANY_PROCESSES, says)] * 2)


def test_what_runs_beside_the_first_thread_yields_to_rivals() -> None:
    """Four run at once, so each but the first weighs about a quarter: 1.25 ** 7 is 4.8."""
    result = run_attack("multiplying.py:Busy")
    first, *others = map(int, contents(result, "bad-0")[0].strip("[]").split(","))
    assert first == 0
    assert all(5 <= steps <= 7 for steps in others)


def test_another_session_hides_no_process() -> None:
    pids: list[int] = []

    async def script(competition: Competition) -> None:
        result = await attack(competition)
        assert reasons(result) == {"daemon": "solver_crashed", "honest": "finished", "session": "finished"}
        assert "exited with status 5" in detail(result, "daemon")
        pids.extend(int(contents(result, name)[0]) for name in ("daemon", "session"))
        assert not still_running(pids[:1])
        assert is_running(pids[1])

    play(
        HONEST,
        solver("daemon", "multiplying.py:Daemon"),
        solver("session", "multiplying.py:OpensSession"),
        script=script,
    )
    assert not still_running(pids)


def test_a_solver_without_its_keeper_is_ended_too() -> None:
    pids: list[int] = []

    async def script(competition: Competition) -> None:
        result = await attack(competition, window_s=2 * SHORT_S)
        assert reasons(result) == {
            "honest": "finished",
            "killer": "solver_crashed",
            "stopper": "solver_timeout",
        }
        assert "its keeper ended by SIGKILL" in detail(result, "killer")
        pids.extend(int(contents(result, name)[0]) for name in ("killer", "stopper"))

    play(
        HONEST,
        solver("killer", "multiplying.py:KillsKeeper"),
        solver("stopper", "multiplying.py:StopsKeeper"),
        script=script,
    )
    assert not still_running(pids)


WRITTEN = [
    ("writing.py:ToStdout", "more than 16,777,216 bytes of output"),
    ("writing.py:ToStderr", "more than 16,777,216 bytes of output"),
    ("writing.py:ToFile", "a file may be 64 MiB long"),
    ("writing.py:ToManyFiles", "256 MiB are allowed"),
]


def test_nobody_writes_a_gigabyte() -> None:
    result = run_attack(*(spec for spec, _ in WRITTEN))
    check_each(result, [(SolverReason.SOLVER_FLOODED, says) for _, says in WRITTEN])
    assert {submission.solver for submission in result.submissions} == {"honest"}


def test_a_folder_is_removed_whatever_is_in_it() -> None:
    result = run_attack("writing.py:LeavesMess")
    assert reasons(result)["bad-0"] == SolverReason.FINISHED
    folder = Path(contents(result, "bad-0")[0].strip('"'))
    assert folder.name.startswith("solvent-solver-")
    assert not folder.exists()
    assert (Path(__file__).parent / "misbehaving" / "writing.py").is_file()


def test_a_folder_that_is_moved_is_emptied_where_it_is() -> None:
    result = run_attack("writing.py:MovesItsFolder")
    moved = Path(contents(result, "bad-0")[0].strip('"'))
    other = moved.with_name(moved.name.removesuffix("-moved"))
    assert [*moved.iterdir()] == []
    moved.rmdir()
    shutil.rmtree(other, ignore_errors=True)


def test_what_cannot_be_interrupted_ends_with_the_window() -> None:
    specs = [
        solver("gil", "evading.py:HoldsInterpreter"),
        solver("halves", "evading.py:HalfFrames"),
        solver("stopped", "evading.py:StopsItself"),
    ]

    async def script(competition: Competition) -> None:
        pids = dict(competition.pids)
        result = await attack(competition, window_s=2 * SHORT_S)
        assert reasons(result) == {spec.name: "solver_timeout" for spec in specs} | {"honest": "finished"}
        assert contents(result, "halves") == contents(result, "stopped") == ['"a sign of life"']
        assert not still_running(pids[spec.name] for spec in specs)

    play(HONEST, *specs, script=script)


OWN_FAULT = [
    ("evading.py:StrangeFrames", SolverReason.SOLVER_OUT_OF_TURN, "unknown kind b'?'"),
    ("evading.py:Recurses", SolverReason.SOLVER_CRASHED, "RecursionError"),
    ("evading.py:CrashesInC", SolverReason.SOLVER_CRASHED, "ended by SIGSEGV"),
    ("evading.py:OpensEverything", SolverReason.SOLVER_CRASHED, "a process may have 256 descriptors open"),
]


def test_every_way_to_fail_has_its_reason() -> None:
    result = run_attack(*(spec for spec, *_ in OWN_FAULT))
    check_each(result, [(reason, says) for _, reason, says in OWN_FAULT])


UNLOADABLE = [
    ("broken_import.py:Mine", SolverReason.SOLVER_NOT_STARTED, "KeyError"),
    ("unloadable.py:ExitsWhenMade", SolverReason.SOLVER_NOT_STARTED, "SystemExit"),
    ("unloadable.py:EndsWhenMade", SolverReason.SOLVER_NOT_STARTED, "exited with status 9"),
    ("hoarding.py:WhenMade", SolverReason.SOLVER_OUT_OF_MEMORY, PRIVATE),
]


def test_whoever_cannot_be_loaded_is_reported_every_round_and_holds_up_nobody() -> None:
    specs = [solver(f"bad-{number}", spec) for number, (spec, *_) in enumerate(UNLOADABLE)]

    async def script() -> None:
        competition = Competition([HONEST, *specs])
        try:
            reports = await competition.start()
            rounds = [reports, (await attack(competition)).reports, (await attack(competition)).reports]
        finally:
            await competition.close()
        for found in rounds:
            by_name = {report.solver: report for report in found}
            for spec, (_, reason, says) in zip(specs, UNLOADABLE, strict=True):
                assert by_name[spec.name].reason == reason
                assert says in by_name[spec.name].detail

    asyncio.run(asyncio.wait_for(script(), STUCK_S))
