"""The process that runs one strategy for many rounds: ``python -m solvers.worker SPEC NAME``.

It reads rounds from its standard input and answers on its standard output, in the frames of
`solvers.frames`. Both pipes are moved out of the way before any strategy code is loaded, and
standard output then leads to standard error: whatever a strategy or a native library prints cannot
corrupt a frame. Everything yielded is sent at once, so it stands even if the process is then killed.

The strategy is made once and kept over the rounds. After an exception the process says so and ends:
what a half-run strategy or a full memory leaves behind is nothing to start another round with.

It works in a folder of its own, which is also where temporary files go, and which is removed when the
process ends. What a strategy may use of the machine is said in `solvers.limits`; an exception that
comes of such a limit is told apart, with the number. Its processes are ended by `solvers.keeper`.

This is a fence against accidents and floods, not a sandbox: a strategy runs with the rights of the
market's user. Not held back are:

- what it writes and deletes outside its folder: all that the market's user may, the market's database too; a
  folder of its own that it renames is emptied, but stays;
- what it reads: files, the network, the memory of rivals (Linux lets a user's processes trace each
  other unless ``kernel.yama.ptrace_scope`` forbids it);
- signals that it sends on purpose to the market, to rivals or to its own keeper; if it kills its keeper
  it is killed with it, but a program that it had started in another session may stay behind;
- memory that belongs to no process's map: files in ``/dev/shm``, memory files that are not mapped,
  buffers of pipes and sockets; each file is as limited as any other;
- bytes that reach a file through a shared map or from a process that hides its doings, and how many
  files there are;
- the processor: its first thread takes as large a share as a rival's, also between rounds;
- for the superuser, widening its own kernel limits: the keeper's looks are then the only ones.

Run strangers' strategies as another user, or on another machine.
"""

import contextlib
import ctypes
import errno
import os
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
from solvers.limits import ADDRESS_BYTES, DESCRIPTORS_MAX, FILE_BYTES, MEMORY_BYTES, MIB, limit_process
from solvers.plugins import load_strategy
from solvers.strategy import SolveContext, StockQuotes, Strategy

REPR_MAX: Final = 1_000
"""How many characters are sent of something that was yielded and is not encodable."""

TRACEBACK_MAX: Final = 1_600
"""How many characters are sent of a traceback: its end, where the cause is."""

_MEMORY_TEXT: Final = (
    f"a process may have {MEMORY_BYTES // MIB:,} MiB of private memory"
    f" and {ADDRESS_BYTES // MIB:,} MiB of address space"
)
_FILE_TEXT: Final = f"a file may be {FILE_BYTES // MIB:,} MiB long"
_DESCRIPTORS_TEXT: Final = f"a process may have {DESCRIPTORS_MAX} descriptors open"

LIMITS_HIT: Final = {
    errno.ENOMEM: (Kind.OUT_OF_MEMORY, _MEMORY_TEXT),
    errno.EFBIG: (Kind.FILE_TOO_LONG, _FILE_TEXT),
    errno.EMFILE: (Kind.CRASHED, _DESCRIPTORS_TEXT),
}
"""Which errors of the system come of a limit: what is sent for them, and what the limit is."""

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
    limit_process()
    try:
        strategy = load_strategy(spec)
    except SpecError as error:
        kind, limit = _find_limit(error)
        pipes.send(kind, _end_of(str(error), limit))
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


def _run_round(strategy: Strategy, request: RoundRequest, *, name: str, pipes: _Pipes) -> bool:
    """Run one round; say whether the process may run another."""
    try:
        auction = decode(bytes(request.auction), Auction)
        deadline_s = min(request.deadline_s, time.monotonic() + request.window_s)
        context = SolveContext(solver=name, deadline_s=deadline_s, seed=request.seed, stock=request.stock)
        for answer in strategy.solve(auction, context):
            kind = Kind.QUOTES if isinstance(answer, StockQuotes) else Kind.BID
            pipes.send(kind, answer_bytes(answer))
    except BaseException as error:  # SystemExit too: it is the strategy's failure, with its traceback
        kind, limit = _find_limit(error)
        pipes.send(kind, _traceback_end(error, limit))
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


def _find_limit(error: BaseException) -> tuple[Kind, str]:
    """What to send for an error, and the limit that it came of, if of any; causes are looked through."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, MemoryError):
            return Kind.OUT_OF_MEMORY, _MEMORY_TEXT
        if isinstance(cause, OSError) and cause.errno in LIMITS_HIT:
            return LIMITS_HIT[cause.errno]
        cause = cause.__cause__ or cause.__context__
    return Kind.CRASHED, ""


def _traceback_end(error: BaseException, limit: str) -> bytes:
    try:
        text = "".join(traceback.format_exception(error))
    except MemoryError:
        # The frames of the traceback still hold what filled the memory.
        traceback.clear_frames(error.__traceback__)
        text = type(error).__name__
    return _end_of(text, limit)


def _end_of(text: str, limit: str) -> bytes:
    said = f"{text.rstrip()}\n{limit}" if limit else text
    return said[-TRACEBACK_MAX:].encode(errors="backslashreplace")


def run_and_exit(arguments: list[str]) -> NoReturn:
    """Run `main` as the whole of this process.

    It ends without finalisers and without waiting for a strategy's threads: they may never end.
    """
    status = 1
    try:
        status = main(arguments)
    except BaseException:
        traceback.print_exc()
    os._exit(status)


if __name__ == "__main__":
    run_and_exit(sys.argv[1:])
