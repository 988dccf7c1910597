"""The keeper of one strategy's processes: ``python -m solvers.keeper SPEC NAME FOLDER DESCRIPTOR``.

The market starts a keeper, and the keeper forks the worker (`solvers.worker`) before it has loaded
anything of weight. What the worker, or anything it starts, leaves behind becomes the keeper's child
(it is a child subreaper): so nothing that a strategy starts is out of its reach, whatever session or
group it moves to, and whoever ends first. The keeper

- looks at the tree every few hundredths of a second, and ends it where it holds more memory, runs more
  processes and threads, or has written more in a round than `solvers.limits` allows;
- gives threads and processes that run beside the worker's first a lower priority, the lower the more of
  them run, so that all together weigh about as much as one when rivals compete for a processor;
- ends the tree when the worker ends, when the market says so, and when the market is gone;
- removes the worker's folder, and ends.

It speaks with the market over one socket, which its worker does not have. The market sends a byte
when a round begins, and ends its side when all is to end. The keeper sends lines of JSON: `Stopped`
before it ends a tree that broke a limit, `Ended` with the worker's status when the tree is gone.

Where the kernel shows no tree and reaps nothing (outside Linux) only the worker's group is ended, and
only the limits of a process hold.
"""

import ctypes
import json
import math
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from chains.units import ceil_div
from solvers.folders import empty_folder, open_folder
from solvers.limits import MEMORY_BYTES, MIB, TASKS_MAX, WRITTEN_BYTES
from solvers.process_tree import (
    PROC,
    Process,
    count_running,
    end_process,
    find_descendants,
    measure_memory,
    measure_written,
    read_stat,
)
from solvers.reasons import SolverReason

ROUND: Final = b"r"
"""What the market sends when a round begins."""

LOOK_S: Final = 0.04
"""How long the keeper waits between two looks at the tree."""

SWEEP_S: Final = 10.0
"""How long it tries to end what does not end."""

LOWEST: Final = 19
"""The lowest priority there is; each step weighs a fifth less than the one before."""

SEES_TREES: Final = PROC.exists()
"""Whether the kernel shows which process descends from which."""

_PR_SET_CHILD_SUBREAPER: Final = 36
_STEP: Final = 1.25
_POLL_S: Final = 0.002
_IGNORED: Final = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGALRM, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGXFSZ,
)  # fmt: skip


class Keeper:
    """What watches and ends the tree that begins with one worker.

    Parameters
    ----------
    worker : the process id of the worker, a child of this process that leads a group
    control : the socket that leads to the market
    """

    def __init__(self, *, worker: int, control: socket.socket) -> None:
        self._worker = worker
        control.settimeout(LOOK_S)
        self._control = control
        self._status: int | None = None
        self._written_before = 0

    def watch(self) -> None:
        """Watch until the worker has ended, a limit is broken, or the market wants an end or is gone."""
        while self._hear():
            self._reap()
            if self._status is not None:
                return
            tree = find_descendants(os.getpid())
            broken = self._find_broken_limit(tree)
            if broken is not None:
                # Before anything is ended: so the market knows the cause when it sees the effect.
                self._say({"stopped": broken[0].value, "detail": broken[1]})
                return
            self._yield_to_rivals(tree)

    def end_all(self) -> None:
        """End every process of the tree, and tell the market how the worker ended."""
        give_up_s = time.monotonic() + SWEEP_S
        while time.monotonic() < give_up_s:
            if self._status is None or not SEES_TREES:
                # The id of a group that has ended is nobody else's so soon after.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._worker, signal.SIGKILL)
            for process in find_descendants(os.getpid()):
                end_process(process.pid, parent=process.parent)
            if not self._reap():
                break
            time.sleep(_POLL_S)
        self._say({"ended": self._status})

    def _hear(self) -> bool:
        """Listen to the market for one interval; whether it wants to go on."""
        try:
            heard = self._control.recv(64)
        except TimeoutError:
            return True
        except OSError:
            return False
        if heard:
            self._written_before = self._written(find_descendants(os.getpid()))
        return bool(heard)

    def _reap(self) -> bool:
        """Wait for children that have ended; whether any are left."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self._worker:
                    self._status = os.waitstatus_to_exitcode(status)
        return False

    def _find_broken_limit(self, tree: tuple[Process, ...]) -> tuple[SolverReason, str] | None:
        tasks = sum(len(process.threads) for process in tree)
        if tasks > TASKS_MAX:
            detail = f"ran {tasks} processes and threads; {TASKS_MAX} are allowed"
            return SolverReason.SOLVER_TOO_MANY_PROCESSES, detail
        held = measure_memory((process.pid for process in tree), doubtful_bytes=MEMORY_BYTES)
        if held > MEMORY_BYTES:
            detail = f"held {_mib(held)} of memory in {len(tree)} processes; {_mib(MEMORY_BYTES)} are allowed"
            return SolverReason.SOLVER_OUT_OF_MEMORY, detail
        written = self._written(tree) - self._written_before
        if written > WRITTEN_BYTES:
            detail = f"wrote {_mib(written)} in a round; {_mib(WRITTEN_BYTES)} are allowed"
            return SolverReason.SOLVER_FLOODED, detail
        return None

    def _written(self, tree: tuple[Process, ...]) -> int:
        # What an orphan wrote is added to the keeper's own when it is waited for.
        return measure_written([os.getpid(), *(process.pid for process in tree)])

    def _yield_to_rivals(self, tree: tuple[Process, ...]) -> None:
        if sum(len(process.threads) for process in tree) == 1:
            return
        steps = min(LOWEST, math.ceil(math.log(max(1, count_running(tree)), _STEP)))
        session = os.getsid(0)
        for process in tree:
            for thread in process.threads:
                with suppress(OSError):
                    if thread != self._worker and os.getpriority(os.PRIO_PROCESS, thread) < steps:
                        os.setpriority(os.PRIO_PROCESS, thread, steps)
            with suppress(OSError, ValueError):
                if steps and read_stat(f"{process.pid}").session != session:
                    _lower_session(process.pid)

    def _say(self, message: dict[str, Any]) -> None:
        with suppress(OSError):
            self._control.sendall(json.dumps(message).encode() + b"\n")


def _lower_session(pid: int) -> None:
    """Lower the weight of a session that a strategy has opened: kernels may weigh sessions, not tasks."""
    file = PROC / f"{pid}/autogroup"
    if file.read_text().split()[-1] != str(LOWEST):
        file.write_text(str(LOWEST))


def _mib(size: int) -> str:
    return f"{ceil_div(size, MIB):,} MiB"


def main(arguments: list[str]) -> int:
    """Fork a worker, keep it until its end, and clear up."""
    spec, name, folder, descriptor = arguments
    control = socket.socket(fileno=int(descriptor))
    os.chdir(folder)
    # The worker may rename its folder, and put another in its place.
    top = open_folder(folder)
    _adopt_orphans()
    worker = os.fork()
    if worker == 0:
        control.close()
        os.close(top)
        os.setpgid(0, 0)
        _become_worker(spec, name)
    _stand_aside(worker)
    keeper = Keeper(worker=worker, control=control)
    try:
        keeper.watch()
    finally:
        keeper.end_all()
        os.chdir("/")
        empty_folder(top)
        with suppress(OSError):
            Path(folder).rmdir()
    return 0


def _become_worker(spec: str, name: str) -> NoReturn:
    # Only now, so that the keeper stays small.
    from solvers.worker import run_and_exit

    run_and_exit([spec, name])


def _stand_aside(worker: int) -> None:
    """Leave the pipes to the worker, and let no signal but the kernel's last disturb the watch."""
    with suppress(OSError):  # the worker does the same, and may be gone
        os.setpgid(worker, worker)
    nothing = os.open(os.devnull, os.O_RDWR)
    for pipe in (0, 1):
        os.dup2(nothing, pipe)
    os.close(nothing)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)


def _adopt_orphans() -> None:
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
