"""Servers for benchmarks: processes of their own on one core, while the benchmark itself keeps to another."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
from _harness import note

START_S: Final = 60.0
STOP_S: Final = 10.0
NOOP: Final = (str(Path(__file__).with_name("_noop.py")),)
SERVE: Final = ("-m", "intents.command_line", "serve")


@contextmanager
def running(
    program: Sequence[str], *, core: int | None, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A Python program that prints the URL it serves at; it is pinned to a core, and ended at the end.

    Raises
    ------
    RuntimeError
        If it ends or says nothing; the message holds the end of its log.
    """
    command = [sys.executable, *program]
    with log.open("ab") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **(environment or {})}
        )
    try:
        if core is not None:
            # Threads and worker processes that it starts later inherit the core.
            os.sched_setaffinity(process.pid, {core})
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        if "http" not in line:
            raise RuntimeError(f"{' '.join(program)} did not start: {log.read_text()[-2_000:]}")
        url = "http" + line.rsplit("http", 1)[1].strip()
        _wait_until_it_answers(url)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def share_cores() -> int | None:
    """Keep this process to one core and return another for its servers; None where that cannot be done."""
    if not hasattr(os, "sched_setaffinity"):
        note("  processes cannot be pinned on this system")
        return None
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        note("  there is one core only: server and load share it")
        return cores[0]
    os.sched_setaffinity(0, {cores[1]})
    return cores[0]


def _wait_until_it_answers(url: str) -> None:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        try:
            httpx.get(url, timeout=START_S)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{url} did not answer within {START_S} s")
