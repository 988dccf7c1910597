"""The worker process: frames in, frames out, and nothing it prints or forks gets between."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from solvers.bid import Bid
from solvers.codec import decode, encode
from solvers.frames import Frame, FrameReader, Kind, RoundRequest, pack
from solvers.limits import MEMORY_BYTES
from solvers.worker import REPR_MAX, answer_bytes
from tests.builders import make_auction, make_bid
from tests.solvers.process_table import is_running, still_running

STRATEGIES = Path(__file__).parent / "misbehaving"
WAIT_S = 30.0


@contextmanager
def worker(spec: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-P", "-m", "solvers.worker", spec, "mine"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def next_frame(process: subprocess.Popen[bytes]) -> Frame:
    assert process.stdout is not None
    length = int.from_bytes(process.stdout.read(4), "big")
    body = b""
    while len(body) < length:
        body += process.stdout.read(length - len(body))
    (frame,) = FrameReader(1 << 20).feed(length.to_bytes(4, "big") + body)
    return frame


def send_round(process: subprocess.Popen[bytes], *, deadline_s: float, window_s: float) -> None:
    assert process.stdin is not None
    request = RoundRequest(
        deadline_s=deadline_s, window_s=window_s, seed=7, auction=msgspec.Raw(encode(make_auction()))
    )
    process.stdin.write(pack(Kind.ROUND, msgspec.json.encode(request)))


def test_one_process_answers_many_rounds_and_ends_with_its_pipe() -> None:
    with worker(f"{STRATEGIES}/honest.py:Honest") as process:
        assert next_frame(process).kind is Kind.READY
        for _ in range(2):
            send_round(process, deadline_s=time.monotonic() + 60, window_s=60)
            answers = [next_frame(process) for _ in range(3)]
            assert [answer.kind for answer in answers] == [Kind.BID, Kind.BID, Kind.FINISHED]
            assert [decode(answer.payload, Bid).bid for answer in answers[:2]] == ["first", "second"]
            assert decode(answers[0].payload, Bid).solver == "mine"
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(WAIT_S) == 0


def test_a_window_bounds_a_deadline_on_a_foreign_clock() -> None:
    with worker(f"{STRATEGIES}/honest.py:Curious") as process:
        next_frame(process)
        send_round(process, deadline_s=time.monotonic() + 10**9, window_s=5)
        assert 0 <= json.loads(next_frame(process).payload)["remaining_s"] <= 5


def test_a_strategy_that_cannot_be_loaded_is_said_in_one_frame() -> None:
    with worker(f"{STRATEGIES}/broken_import.py:Mine") as process:
        frame = next_frame(process)
        assert frame.kind is Kind.CRASHED
        assert b"broken_import.py:4: KeyError" in frame.payload
        assert process.wait(WAIT_S) == 1


def test_memory_is_limited_where_a_large_optimisation_still_fits(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import resource\n"
        "import networkx, numpy, scipy.sparse\n"
        "from ortools.linear_solver.python import model_builder\n"
        "from ortools.sat.python import cp_model\n"
        "class Mine:\n"
        "    def solve(self, auction, context):\n"
        "        yield resource.getrlimit(resource.RLIMIT_DATA)[0]\n"
        "        model = cp_model.CpModel()\n"
        "        chosen = [model.new_bool_var(str(i)) for i in range(500)]\n"
        "        model.add(sum(chosen) <= 100)\n"
        "        model.maximize(sum(chosen))\n"
        "        solver = cp_model.CpSolver()\n"
        "        solver.parameters.num_workers = 8\n"
        "        yield solver.status_name(solver.solve(model))\n"
        "        yield len(numpy.ones(500 << 17))\n"
    )
    with worker(f"{tmp_path}/mine.py:Mine") as process:
        next_frame(process)
        send_round(process, deadline_s=time.monotonic() + 60, window_s=60)
        answers = [next_frame(process) for _ in range(4)]
    assert [answer.payload for answer in answers] == [b"%d" % MEMORY_BYTES, b'"OPTIMAL"', b"65536000", b""]


@pytest.mark.parametrize(
    ("yielded", "sent"),
    [
        (1.5, b"1.5"),
        (None, b"null"),
        ("\ud800", rb"'\ud800'"),
        (10**400, str(10**400).encode()),
        (type, b"<class 'type'>"),
    ],
)
def test_anything_yielded_can_be_sent(yielded: object, sent: bytes) -> None:
    assert answer_bytes(yielded) == sent


def test_a_bid_is_sent_as_its_canonical_bytes() -> None:
    assert answer_bytes(make_bid({"intent-1": 1})) == encode(make_bid({"intent-1": 1}))


def test_what_cannot_be_encoded_is_cut_short_and_never_raises() -> None:
    class Unprintable:
        def __repr__(self) -> str:
            raise RuntimeError("not even a name")

    assert len(answer_bytes([object()] * 10_000)) == REPR_MAX
    assert answer_bytes(Unprintable()) == b"<Unprintable that has no repr>"


SERVICE = """
import asyncio, sys, time
from solvers.competition import Competition, SolverSpec
from tests.builders import make_auction

async def main():
    competition = Competition([SolverSpec(name="mine", spec=sys.argv[1])])
    await competition.start()
    sent = (await competition.run(make_auction(), window_s=30)).submissions
    print(competition.pids["mine"], *(each.content for each in sent), flush=True)
    time.sleep(3600)

asyncio.run(main())
"""

WATCHED = """
import subprocess, sys, time
watching = (
    "import os; from solvers.worker import _exit_without as watch; parent = os.getppid(); "
    "print(os.getpid(), flush=True); watch(parent)"
)
subprocess.Popen([sys.executable, "-c", watching], start_new_session=True)
time.sleep(3600)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-c", SERVICE, f"{STRATEGIES}/forking.py:Lingers"], id="kernel"),
        pytest.param(["-c", WATCHED], id="watch"),
    ],
)
def test_workers_and_their_forks_end_with_a_market_that_is_killed(arguments: list[str]) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, cwd=root) as market:
        assert market.stdout is not None
        pids = [int(pid) for pid in market.stdout.readline().split()]
        assert pids
        assert all(map(is_running, pids))
        market.kill()
    assert not still_running(pids)
