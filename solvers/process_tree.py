"""Trees of processes, as the kernel shows them: who descends from whom, and what they use together.

Everything is read from ``/proc`` as it is at the moment: a process may end, or a new one begin, between
two lines of this module, so every reader looks again until it sees what it needs. Where there is no
``/proc`` (outside Linux) there is nothing to see, and answers are empty.

Memory is what would have to be found elsewhere if the tree were gone: anonymous and shared memory in
use, and what of it is swapped out, but no pages of files. A page that several processes share, as after
a fork, counts once: the exact sum (of proportional sizes) is costly, so it is formed only when a cheap
upper bound leaves room for doubt.

Source: proc(5), the fields of ``stat``, ``status``, ``smaps_rollup``, ``io`` and ``task/*/children``.
"""

import os
import signal
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
_KIB: Final = 1_024
_GONE: Final = (FileNotFoundError, ProcessLookupError, PermissionError)


class Process(NamedTuple):
    """One process of a tree, with the ids of its threads, of which its own is the first to be made."""

    pid: int
    parent: int
    threads: tuple[int, ...]


class Stat(NamedTuple):
    """What ``stat`` says of a process or thread; `state` is one letter, ``R`` for one that can run."""

    state: str
    parent: int
    session: int


def find_descendants(root: int) -> tuple[Process, ...]:
    """Every process below `root` that can be seen now, parents first."""
    children = _read_children if _has_lists(root) else _scan_children()
    found: list[Process] = []
    waiting = [(root, child) for child in children(root)]
    seen = {root}
    while waiting:
        parent, pid = waiting.pop()
        if pid not in seen:
            seen.add(pid)
            found.append(Process(pid=pid, parent=parent, threads=_threads(pid)))
            waiting += [(pid, child) for child in children(pid)]
    return tuple(found)


def end_process(pid: int, *, parent: int) -> None:
    """Kill a process if it still is the child of `parent`; its id is never used for another one."""
    with suppress(*_GONE):
        handle = os.pidfd_open(pid)
        try:
            if read_stat(f"{pid}").parent == parent:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def end_session(leader: int) -> None:
    """Kill every process of a session, whose leader has not been waited for."""
    for pid, stat in _scan():
        if stat.session == leader:
            with suppress(*_GONE):
                os.kill(pid, signal.SIGKILL)


def measure_memory(pids: Iterable[int], *, doubtful_bytes: int) -> int:
    """The bytes of memory in use by some processes; an upper bound where `doubtful_bytes` covers it."""
    bounds = {pid: _sum_fields(f"{pid}/status", ("RssAnon", "RssShmem", "VmSwap")) or 0 for pid in pids}
    if sum(bounds.values()) <= doubtful_bytes:
        return sum(bounds.values())
    exact = {pid: _sum_fields(f"{pid}/smaps_rollup", ("Pss_Anon", "Pss_Shmem", "SwapPss")) for pid in bounds}
    # A process can keep others from looking at its pages, but not from seeing how many there are.
    return sum(bounds[pid] if size is None else size for pid, size in exact.items())


def measure_written(pids: Iterable[int]) -> int:
    """All bytes that some processes, and those of their children that have ended, ever wrote to anything."""
    return sum(_sum_fields(f"{pid}/io", ("wchar",), unit=1) or 0 for pid in pids)


def count_tasks_of(user: int) -> int:
    """How many processes and threads belong to a user."""
    found = 0
    for pid in _all_pids():
        with suppress(*_GONE):
            if (PROC / f"{pid}").stat().st_uid == user:
                found += len(_threads(pid))
    return found


def read_stat(task: str) -> Stat:
    """The ``stat`` of a process (``"12"``) or of a thread (``"12/task/13"``).

    Raises
    ------
    FileNotFoundError, ProcessLookupError
        If it is gone.
    """
    # The name in brackets may hold anything, brackets and spaces too.
    fields = (PROC / task / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return Stat(state=fields[0], parent=int(fields[1]), session=int(fields[3]))


def count_running(processes: Collection[Process]) -> int:
    """How many of their threads are running, or would if a processor were free."""
    running = 0
    for process in processes:
        for thread in process.threads:
            with suppress(*_GONE):
                running += read_stat(f"{process.pid}/task/{thread}").state == "R"
    return running


def _has_lists(pid: int) -> bool:
    return (PROC / f"{pid}/task/{pid}/children").exists()


def _read_children(pid: int) -> list[int]:
    found: list[int] = []
    for thread in _threads(pid):
        with suppress(*_GONE):
            found += map(int, (PROC / f"{pid}/task/{thread}/children").read_text().split())
    return found


def _scan_children() -> Callable[[int], list[int]]:
    """The same from one look at every process there is: for kernels that list no children."""
    table: defaultdict[int, list[int]] = defaultdict(list)
    for pid, stat in _scan():
        table[stat.parent].append(pid)
    return table.__getitem__


def _scan() -> Iterator[tuple[int, Stat]]:
    for pid in _all_pids():
        with suppress(*_GONE):
            yield pid, read_stat(f"{pid}")


def _all_pids() -> list[int]:
    try:
        return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    except FileNotFoundError:
        return []


def _threads(pid: int) -> tuple[int, ...]:
    try:
        return tuple(sorted(int(entry.name) for entry in (PROC / f"{pid}/task").iterdir()))
    except _GONE:
        return ()


def _sum_fields(file: str, names: Collection[str], *, unit: int = _KIB) -> int | None:
    """The sum of some ``name: number`` lines of a file of a process; None if it cannot be read."""
    try:
        lines = (PROC / file).read_text(errors="replace").splitlines()
    except _GONE:
        return None
    fields = (line.partition(":") for line in lines)
    return unit * sum(int(value.split()[0]) for name, _, value in fields if name in names)
