"""One worker process: what it is given, and that it ends when it is told to."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from solvers.competition import Competition, SolverSpec
from solvers.process import STDERR_TAIL_BYTES, SolverProcess
from tests.builders import make_auction
from tests.solvers.process_table import still_running

WAIT_S = 30.0

INSPECTOR = """
import os
class Inspector:
    def solve(self, auction, context):
        open_ = []
        for descriptor in range(64):
            try:
                os.fstat(descriptor)
            except OSError:
                continue
            open_.append(descriptor)
        leads = os.getpgrp() == os.getpid() and os.getsid(0) == os.getppid()
        yield {"environment": dict(os.environ), "open": open_, "leads": leads, "folder": os.getcwd()}
"""

NOISY = """
import sys, time
sys.stderr.write("x" * 10_000 + "the end")
time.sleep(3600)
"""


def test_a_worker_is_given_no_descriptors_no_secrets_and_its_own_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(INSPECTOR)
    monkeypatch.setenv("DATABASE_URL", "postgresql://market:secret@localhost/market")

    async def inspect() -> dict[str, object]:
        competition = Competition([SolverSpec.of(f"{tmp_path}/mine.py:Inspector")])
        await competition.start()
        try:
            (submission,) = (await competition.run(make_auction(), window_s=WAIT_S)).submissions
        finally:
            await competition.close()
        told: dict[str, object] = json.loads(submission.content)
        return told

    leaking = os.open(tmp_path / "mine.py", os.O_RDONLY)
    os.set_inheritable(leaking, True)
    try:
        told = asyncio.run(inspect())
    finally:
        os.close(leaking)
    environment = told["environment"]
    assert isinstance(environment, dict)
    assert "DATABASE_URL" not in environment
    assert (environment["PYTHONHASHSEED"], environment["OMP_NUM_THREADS"]) == ("0", "1")
    # The three standard streams and the two ends of its own pipes.
    assert told["open"] == [0, 1, 2, 3, 4]
    assert told["leads"] is True
    assert environment["TMPDIR"] == told["folder"] != str(Path.cwd())
    assert not Path(environment["TMPDIR"]).exists()


def test_a_killed_process_is_gone_and_only_the_end_of_its_noise_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(NOISY)

    async def end() -> None:
        sizes: list[int] = []
        process = SolverProcess(
            f"{tmp_path}/mine.py:Mine",
            "mine",
            on_output=lambda data: None,
            on_noise=sizes.append,
            on_stop=lambda reason, detail: None,
        )
        while sum(sizes) < 10_000:
            await asyncio.sleep(0.01)
        process.kill()
        process.kill()
        assert await process.reap() == "ended by SIGKILL"
        process.kill()
        assert not still_running([process.pid])
        assert process.noise_tail().endswith("the end")
        assert len(process.noise_tail()) == STDERR_TAIL_BYTES

    asyncio.run(asyncio.wait_for(end(), WAIT_S))
