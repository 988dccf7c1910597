"""Every attack at once, again and again: rivals keep their bids and their time, and nothing is left."""

import asyncio
import os
import statistics
from pathlib import Path

import pytest

from solvers.competition import Competition
from solvers.outcome import SolverReport
from tests.solvers.competing import AUCTION, HONEST, bid_names, play, reasons, solver

ROUNDS = 4
WINDOW_S = 10.0
GROUPS = {
    "memory": ("AtOnce", "Slowly", "InMap", "InSharedMap", "InForks", "BeyondItsLimits"),
    "processes": ("ForkBomb", "Threads", "OpensSession", "Daemon", "KillsKeeper", "StopsKeeper"),
    "bytes": ("ToStdout", "ToStderr", "ToFile", "ToManyFiles", "LeavesMess"),
    "rules": ("HoldsInterpreter", "HalfFrames", "StrangeFrames", "Recurses", "CrashesInC", "StopsItself"),
}
FILES = {"memory": "hoarding", "processes": "multiplying", "bytes": "writing", "rules": "evading"}


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.soak
@pytest.mark.parametrize("group", sorted(GROUPS))
def test_rounds_full_of_attacks_change_nothing_for_an_honest_solver(group: str) -> None:
    attackers = [solver(name.lower(), f"{FILES[group]}.py:{name}") for name in GROUPS[group]]
    before = descriptors()

    async def script(competition: Competition) -> None:
        for _ in range(ROUNDS):
            result = await competition.run(AUCTION, window_s=WINDOW_S)
            assert reasons(result)["honest"] == "finished"
            assert bid_names(result, "honest") == ["first", "second"]
            # As between two rounds of a market: whoever was lost has time to come back.
            await asyncio.sleep(2.0)

    play(HONEST, *attackers, script=script, stuck_s=600.0)
    assert descriptors() == before


@pytest.mark.soak
def test_many_busy_processes_take_no_more_of_the_processor_than_a_few_rivals_would() -> None:
    """A rival that counts takes as long beside fifty busy processes as it would beside four others."""

    def finished(report: SolverReport) -> float:
        return report.finished_us / 1_000_000

    async def measure(competition: Competition) -> list[float]:
        found = []
        for _ in range(4):
            result = await competition.run(AUCTION, window_s=WINDOW_S)
            found += [finished(report) for report in result.reports if report.solver == "counting"]
            await asyncio.sleep(1.0)
        return found

    times: dict[str, float] = {}
    for case, rivals in (("alone", []), ("attacked", [solver("busy", "multiplying.py:BusyCrowd")])):

        async def script(competition: Competition, case: str = case) -> None:
            times[case] = statistics.median(await measure(competition))

        play(solver("counting", "honest.py:Counting"), *rivals, script=script, stuck_s=300.0)
    processors = os.cpu_count() or 1
    assert times["attacked"] < times["alone"] * (1 + 4 / processors) + 0.5, times
