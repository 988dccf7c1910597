"""Strategies that start processes and threads, and do not want to be found."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from solvers.auction import Auction
from solvers.strategy import SolveContext

SLEEP_S = 3_600
GENERATIONS = 8


class ForkBomb:
    """Doubles eight times: 256 processes, if it is left alone."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        for _ in range(GENERATIONS):
            os.fork()
        time.sleep(SLEEP_S)
        yield "never"


class Threads:
    """Two hundred threads with stacks too small to break the limit on memory."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        threading.stack_size(1 << 16)
        for _ in range(200):
            threading.Thread(target=time.sleep, args=(SLEEP_S,), daemon=True).start()
        time.sleep(SLEEP_S)
        yield "never"


class OpensSession:
    """A program in a session of its own, without anything that would tell where it comes from."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        program = [sys.executable, "-S", "-c", f"import time; time.sleep({SLEEP_S})"]
        yield subprocess.Popen(program, env={}, cwd="/", start_new_session=True, close_fds=True).pid


class Daemon:
    """What daemons do: fork, open a session, fork again, ask not to die; its parents end at once."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
                for number in (signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.SIG_IGN)
                os.write(writing, str(os.getpid()).encode())
                time.sleep(SLEEP_S)
            time.sleep(0.2)
            os._exit(0)
        yield int(os.read(reading, 16))
        time.sleep(0.4)
        os._exit(5)


class Busy:
    """Says how its three processes that do nothing but count stand, after a while."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                while True:
                    sum(range(10_000))
            children.append(child)
        time.sleep(0.5)
        yield [os.getpriority(os.PRIO_PROCESS, pid) for pid in (0, *children)]


class BusyCrowd:
    """Fifty processes that do nothing but count, half of them in sessions of their own."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        for number in range(50):
            if os.fork() == 0:
                if number % 2:
                    os.setsid()
                while True:
                    sum(range(10_000))
        time.sleep(SLEEP_S)
        yield "never"


class KillsKeeper:
    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        yield os.getpid()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(SLEEP_S)


class StopsKeeper:
    """Has its keeper sleep, then sleeps too."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        yield os.getpid()
        os.kill(os.getppid(), signal.SIGSTOP)
        time.sleep(SLEEP_S)
