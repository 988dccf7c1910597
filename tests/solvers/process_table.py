"""Which processes are still there: read from outside, not from what the code under test says."""

import os
import time
from collections.abc import Iterable
from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether a process exists and has not ended (one that waits to be reaped has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self").exists():
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def still_running(pids: Iterable[int], *, wait_s: float = 30.0) -> list[int]:
    """Those that have not ended after a while; returns as soon as none is left."""
    give_up_s = time.monotonic() + wait_s
    left = [pid for pid in pids if is_running(pid)]
    while left and time.monotonic() < give_up_s:
        time.sleep(0.01)
        left = [pid for pid in left if is_running(pid)]
    return left
