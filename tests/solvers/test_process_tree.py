"""What is read of processes is what they do: descent, memory that counts once, bytes, states."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from solvers import process_tree
from solvers.process_tree import (
    count_running,
    count_tasks_of,
    end_process,
    end_session,
    find_descendants,
    measure_memory,
    measure_written,
    read_stat,
)
from tests.solvers.process_table import is_running, still_running

MIB = 1 << 20
HELD = 64 * MIB

FAMILY = f"""
import os, sys, threading, time
held = bytearray(b"x") * {HELD}
for _ in range(2):
    if os.fork() == 0:
        time.sleep(600)
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
with open(os.devnull, "wb", buffering=0) as nowhere:
    nowhere.write(held)
print("ready", flush=True)
time.sleep(600)
"""

COUNTING = "print('ready', flush=True)\nwhile True: sum(range(10_000))"


@contextmanager
def program(text: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-S", "-c", text]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            end_session(process.pid)


def test_a_family_is_found_with_its_threads_and_ended_with_its_session() -> None:
    with program(FAMILY) as parent:
        children = [each for each in find_descendants(os.getpid()) if each.parent == parent.pid]
        (found,) = (each for each in find_descendants(os.getpid()) if each.pid == parent.pid)
        assert len(children) == 2
        assert len(found.threads) == 2
        assert found.threads[0] == parent.pid
        assert {each.pid for each in find_descendants(parent.pid)} == {each.pid for each in children}
    assert not still_running([parent.pid, *(each.pid for each in children)])


def test_another_look_finds_the_same_family_where_no_children_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with program(FAMILY) as parent:
        listed = find_descendants(parent.pid)
        monkeypatch.setattr("solvers.process_tree._has_lists", lambda root: False)
        assert sorted(find_descendants(parent.pid)) == sorted(listed)


def test_pages_that_a_fork_shares_count_once() -> None:
    with program(FAMILY) as parent:
        pids = [parent.pid, *(each.pid for each in find_descendants(parent.pid))]
        assert measure_memory(pids, doubtful_bytes=1 << 40) > 3 * HELD
        assert HELD < measure_memory(pids, doubtful_bytes=0) < 2 * HELD
        assert measure_written([parent.pid]) >= HELD


def test_only_what_runs_counts_as_running() -> None:
    with program(COUNTING) as busy, program(FAMILY) as idle:
        tree = find_descendants(os.getpid())
        assert count_running([each for each in tree if each.pid == busy.pid]) == 1
        children = [each for each in tree if each.parent == idle.pid]
        assert len(children) == 2
        # They may not have come to their sleep yet when the parent says that it is ready.
        give_up_s = time.monotonic() + 30
        while count_running(children) and time.monotonic() < give_up_s:
            time.sleep(0.01)
        assert count_running(children) == 0


def test_a_process_is_ended_only_as_the_child_of_its_parent() -> None:
    with program(COUNTING) as process:
        end_process(process.pid, parent=process.pid)
        assert is_running(process.pid)
        end_process(process.pid, parent=os.getpid())
        assert process.wait(30) == -9


def test_what_is_gone_is_nothing_and_harms_nobody() -> None:
    with program(COUNTING) as process:
        pass
    gone = process.pid
    assert find_descendants(gone) == ()
    assert measure_memory([gone], doubtful_bytes=0) == measure_written([gone]) == 0
    end_process(gone, parent=os.getpid())
    with pytest.raises((FileNotFoundError, ProcessLookupError)):
        read_stat(f"{gone}")


def test_the_tasks_of_a_user_are_counted_with_their_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count_tasks_of(2**31) == 0
    with program(FAMILY) as parent:
        family = [parent.pid, *(each.pid for each in find_descendants(parent.pid))]
        assert count_tasks_of(os.getuid()) >= 4
        # Others of the same user come and go meanwhile.
        monkeypatch.setattr(process_tree, "_all_pids", lambda: family)
        assert count_tasks_of(os.getuid()) == 4
        assert count_tasks_of(2**31) == 0


def test_a_name_with_brackets_and_spaces_hides_nothing() -> None:
    renaming = "import ctypes; ctypes.CDLL(None).prctl(15, b') R 1 (', 0, 0, 0)\n" + COUNTING
    with program(renaming) as process:
        stat = read_stat(f"{process.pid}")
        assert (stat.parent, stat.session) == (os.getpid(), process.pid)
