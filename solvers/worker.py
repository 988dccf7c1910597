"""The process that runs one strategy for many rounds: ``python -m solvers.worker SPEC NAME``.

It reads rounds from its standard input and answers on its standard output, in the frames of
`solvers.frames`. Both pipes are moved out of the way before any strategy code is loaded, and
standard output then leads to standard error: whatever a strategy or a native library prints cannot
corrupt a frame. Everything yielded is sent at once, so it stands even if the process is then killed.

The strategy is made once and kept over the rounds. After an exception the process says so and ends:
what a half-run strategy or a full memory leaves behind is nothing to start another round with.

Memory. The limit is on private writable memory (``RLIMIT_DATA``: heap, anonymous maps, stacks of
threads), not on address space. Measured on x86-64 Linux: after importing NumPy, SciPy, networkx and
OR-Tools a process has 407 MiB of address space but 128 MiB of private writable memory; a model of
40,000 integers and 20,000 rows in SCIP and then HiGHS takes both to 667 and 374 MiB; CP-SAT with
8 workers takes them to 1,235 and 436 MiB, since each thread reserves address space that it never
touches. So 1 GiB of data is room for models of that size, while 1 GiB of address space would stop
a CP-SAT model of 2,000 Booleans with eight workers. Shared maps do not count as data: a wider limit
on address space bounds those. The limit is per process.

This is a fence against accidents, not a sandbox: a strategy runs with the rights of the market's
user. One that sets up a session of its own, or opens its rivals' memory, is not held back; run
strangers' strategies as another user or on another machine.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

import msgspec

from solvers.auction import Auction
from solvers.codec import decode, encode
from solvers.errors import SpecError
from solvers.frames import REQUEST_MAX, FrameReader, Kind, RoundRequest, pack
from solvers.plugins import load_strategy
from solvers.strategy import SolveContext, Strategy

MEMORY_BYTES: Final = 1 << 30
"""The most private writable memory of a strategy's process."""

ADDRESS_BYTES: Final = 4 << 30
"""The most address space of a strategy's process."""

REPR_MAX: Final = 1_000
"""How many characters are sent of something that was yielded and is not encodable."""

TRACEBACK_MAX: Final = 1_600
"""How many characters are sent of a traceback: its end, where the cause is."""

_PR_SET_PDEATHSIG: Final = 1
_READ_BYTES: Final = 1 << 16
_PARENT_POLL_S: Final = 0.5


def main(arguments: list[str]) -> int:
    """Run the strategy SPEC under NAME until the market closes the pipe; return the exit status."""
    spec, name = arguments
    pipes = _take_pipes()
    # Should the market be gone already, the end of the pipe says so.
    _die_with_parent(os.getppid())
    forks = _Forks(pipes=pipes)
    os.register_at_fork(before=forks.note_parent, after_in_child=forks.detach)
    _limit_resources()
    try:
        strategy = load_strategy(spec)
    except SpecError as error:
        pipes.send(Kind.CRASHED, str(error)[-TRACEBACK_MAX:].encode(errors="backslashreplace"))
        return 1
    pipes.send(Kind.READY)
    own_pid = os.getpid()
    for request in pipes.requests():
        completed = _run_round(strategy, request, name=name, pipes=pipes)
        if not completed or os.getpid() != own_pid:  # a fork that ran out of the strategy's code
            return 1
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pipes:
    """The two descriptors that lead to the market."""

    incoming: int
    outgoing: int

    def requests(self) -> Iterator[RoundRequest]:
        reader = FrameReader(REQUEST_MAX)
        while data := os.read(self.incoming, _READ_BYTES):
            for frame in reader.feed(data):
                yield msgspec.json.decode(frame.payload, type=RoundRequest)

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        rest = memoryview(pack(kind, payload))
        while rest:
            rest = rest[os.write(self.outgoing, rest) :]


def _take_pipes() -> _Pipes:
    # Duplicates are not inherited by programs that a strategy starts.
    pipes = _Pipes(incoming=os.dup(0), outgoing=os.dup(1))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return pipes


@dataclass(slots=True, kw_only=True)
class _Forks:
    """What happens to processes that a strategy forks: they answer nobody, and die with their parent."""

    pipes: _Pipes
    parent: int = 0

    def note_parent(self) -> None:
        self.parent = os.getpid()

    def detach(self) -> None:
        # A fork that held the pipes could answer in its parent's place, and would keep them open after
        # its end. Reading nothing and writing nowhere, it leaves the loop should it ever return to it.
        nothing = os.open(os.devnull, os.O_RDWR)
        for pipe in (self.pipes.incoming, self.pipes.outgoing):
            os.dup2(nothing, pipe, inheritable=False)
        os.close(nothing)
        _die_with_parent(self.parent)
        if os.getppid() != self.parent:  # it ended before the kernel was asked
            os._exit(1)


def _die_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends, however that happens."""
    try:
        done = ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) == 0
    except (AttributeError, OSError):
        done = False
    if not done:
        threading.Thread(target=_exit_without, args=(parent,), daemon=True).start()


def _exit_without(parent: int) -> None:
    """Kill this process's group as soon as its parent is another one: for systems without prctl."""
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_S)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _limit_resources() -> None:
    wanted = (
        (resource.RLIMIT_DATA, MEMORY_BYTES),
        (resource.RLIMIT_AS, ADDRESS_BYTES),
        (resource.RLIMIT_CORE, 0),
    )
    for kind, most in wanted:
        _, hard = resource.getrlimit(kind)
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (limit, limit))


def _run_round(strategy: Strategy, request: RoundRequest, *, name: str, pipes: _Pipes) -> bool:
    """Run one round; say whether the process may run another."""
    try:
        auction = decode(bytes(request.auction), Auction)
        deadline_s = min(request.deadline_s, time.monotonic() + request.window_s)
        context = SolveContext(solver=name, deadline_s=deadline_s, seed=request.seed)
        for bid in strategy.solve(auction, context):
            pipes.send(Kind.BID, answer_bytes(bid))
    except BaseException as error:  # SystemExit too: it is the strategy's failure, with its traceback
        pipes.send(Kind.CRASHED, _traceback_end(error))
        return False
    pipes.send(Kind.FINISHED)
    return True


def answer_bytes(yielded: object) -> bytes:
    """What is sent for something that a strategy yielded: never an exception, whatever it is.

    The judge reads the bytes as strictly as any stranger's bid; here nothing is checked.
    """
    with contextlib.suppress(Exception):
        return encode(yielded)
    try:
        text = repr(yielded)
    except Exception:
        text = f"<{type(yielded).__name__} that has no repr>"
    return text[:REPR_MAX].encode(errors="backslashreplace")


def _traceback_end(error: BaseException) -> bytes:
    try:
        text = "".join(traceback.format_exception(error))
    except MemoryError:
        # The frames of the traceback still hold what filled the memory.
        traceback.clear_frames(error.__traceback__)
        text = type(error).__name__
    return text[-TRACEBACK_MAX:].encode(errors="backslashreplace")


def _exit_with_main() -> NoReturn:
    # Without finalisers and without waiting for a strategy's threads: they may never end.
    status = 1
    try:
        status = main(sys.argv[1:])
    except BaseException:
        traceback.print_exc()
    os._exit(status)


if __name__ == "__main__":
    _exit_with_main()
