"""The keeper beside the market: what it says, what it ends, and what it removes."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from solvers.competition import Competition, SolverSpec
from solvers.reasons import SolverReason
from tests.solvers.competing import AUCTION, STRATEGIES, WINDOW_S, contents, play, solver
from tests.solvers.process_table import still_running

WAIT_S = 30.0


@contextmanager
def keeper(spec: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    own, its = socket.socketpair()
    own.settimeout(WAIT_S)
    command = [sys.executable, "-P", "-m", "solvers.keeper", spec, "mine", str(folder), str(its.fileno())]
    with (
        own,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(its.fileno(),),
            start_new_session=True,
        ) as process,
    ):
        its.close()
        yield process, own


def said(own: socket.socket) -> list[dict[str, object]]:
    """Everything that a keeper says until it ends."""
    heard = b""
    while data := own.recv(4_096):
        heard += data
    return [json.loads(line) for line in heard.splitlines()]


def test_a_keeper_says_how_its_worker_ended_and_clears_up(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "left").write_text("something")
    with keeper(f"{STRATEGIES}/broken_import.py:Mine", folder) as (process, own):
        assert said(own) == [{"ended": 1}]
        assert process.wait(WAIT_S) == 0
    assert not folder.exists()


def test_a_keeper_without_a_market_ends_everything(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    with keeper(f"{STRATEGIES}/honest.py:Honest", folder) as (process, own):
        assert process.stdout is not None
        assert process.stdout.read(5) == b"\x00\x00\x00\x01R"
        (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        own.shutdown(socket.SHUT_WR)
        assert said(own) == [{"ended": -9}]
        assert process.wait(WAIT_S) == 0
        assert not still_running([int(worker)])
    assert not folder.exists()


def test_a_keeper_stays_small_and_idle() -> None:
    """It forks its worker before anything of weight is loaded, and mostly sleeps."""

    async def look(pid: int) -> tuple[int, int]:
        before = cpu_ticks(pid)
        await asyncio.sleep(1.0)
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        (resident,) = (int(line.split()[1]) for line in status if line.startswith("RssAnon:"))
        return resident, cpu_ticks(pid) - before

    found: list[tuple[int, int]] = []

    async def script(competition: Competition) -> None:
        found.append(await look(competition.pids["honest"]))

    play(solver("honest", "honest.py:Honest"), script=script)
    ((resident_kib, ticks),) = found
    assert resident_kib < 24 << 10
    assert ticks <= 0.1 * os.sysconf("SC_CLK_TCK")


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_what_is_written_counts_anew_in_every_round(tmp_path: Path) -> None:
    """Two rounds of 200 MiB each are allowed, where 256 MiB in one are not."""
    (tmp_path / "mine.py").write_text(
        "import os\n"
        "class Mine:\n"
        "    def solve(self, auction, context):\n"
        "        with open(os.devnull, 'wb', buffering=0) as nowhere:\n"
        "            for _ in range(200):\n"
        "                nowhere.write(bytes(1 << 20))\n"
        "        yield 'done'\n"
    )

    async def script(competition: Competition) -> None:
        for _ in range(2):
            result = await competition.run(AUCTION, window_s=WINDOW_S)
            assert contents(result, "mine") == ['"done"']
            assert [report.reason for report in result.reports] == [SolverReason.FINISHED]
            await asyncio.sleep(0.1)

    play(SolverSpec(name="mine", spec=f"{tmp_path}/mine.py:Mine"), script=script)
