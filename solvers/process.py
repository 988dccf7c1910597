"""One solver's processes as the market sees them: their start, their bytes, their end.

What is started is a keeper, which forks the worker and watches and ends whatever comes of it
(`solvers.keeper`). The worker has the three pipes; the keeper has a socket, over which the market tells
it of rounds and of the end, and hears which limit was broken and how the worker ended. Should the
market be gone, the socket's end tells the keeper.

The processes inherit no descriptor but these, and of the environment only what Python and shared
libraries need: no setting or secret of the market's. Hash seeds and thread counts are fixed. Their
working directory, and the place for temporary files, is a new folder that is removed at their end.

Should a keeper have been killed, or not end when it is told to, everything in its session is killed, by
the id that was given when it was started and before that id is given back.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, TypeVar

import msgspec

from solvers.folders import remove_folder
from solvers.keeper import ROUND
from solvers.plugins import absolute_spec
from solvers.process_tree import end_session
from solvers.reasons import SolverReason

T = TypeVar("T")

STDERR_TAIL_BYTES: Final = 2_048
"""How much of a process's latest standard error is kept for its author."""

OBEY_S: Final = 2.0
"""How long a keeper may take to end everything before it is ended with it."""

REAP_S: Final = 5.0
"""How long a killed process may take to disappear before it is left to the kernel."""

DRAIN_S: Final = 0.05
"""How long the last words on standard error are read on."""

_POLL_S: Final = 0.005
_READ_BYTES: Final = 1 << 16
_INHERITED: Final = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH")
_FIXED: Final = {
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
}


class Stopped(msgspec.Struct, frozen=True):
    """What a keeper says before it ends a tree that broke a limit."""

    stopped: SolverReason
    detail: str


class Ended(msgspec.Struct, frozen=True):
    """What a keeper says when the tree is gone: the worker's wait status, if it could be waited for."""

    ended: int | None


class SolverProcess:
    """A running worker and its keeper. All methods belong to the thread of the running event loop.

    Parameters
    ----------
    spec, name : what the worker loads, and the name under which it bids
    on_output : called with every piece of its standard output, and with ``b""`` once at its end
    on_noise : called with the size of every piece of its standard error
    on_stop : called with a reason and its detail when a limit on the machine's use is broken, and all
        is being ended

    Raises
    ------
    OSError
        If the system cannot start another process.
    """

    def __init__(
        self,
        spec: str,
        name: str,
        *,
        on_output: Callable[[bytes], None],
        on_noise: Callable[[int], None],
        on_stop: Callable[[SolverReason, str], None],
    ) -> None:
        self._on_output = on_output
        self._on_noise = on_noise
        self._on_stop = on_stop
        self._loop = asyncio.get_running_loop()
        self._tail = bytearray()
        self._outgoing = memoryview(b"")
        self._heard = bytearray()
        self._folder = tempfile.mkdtemp(prefix="solvent-solver-")
        try:
            self._control, self._popen = _start_keeper(absolute_spec(spec), name, self._folder)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._stdin, self._stdout, self._stderr = (
            _nonblocking(self._popen.stdin),
            _nonblocking(self._popen.stdout),
            _nonblocking(self._popen.stderr),
        )
        self._listening = True
        self._loop.add_reader(self._stdout, self._read_output)
        self._loop.add_reader(self._stderr, self._read_noise)
        self._loop.add_reader(self._control, self._read_control)

    @property
    def pid(self) -> int:
        """The keeper's process id, which is also the id of the session of everything it keeps."""
        return self._popen.pid

    def send(self, data: bytes) -> None:
        """Write bytes to its standard input without waiting for it to read them."""
        self._outgoing = memoryview(bytes(self._outgoing) + data)
        self._loop.add_writer(self._stdin, self._write_more)

    def begin_round(self) -> None:
        """Tell the keeper that a round begins: what is written counts from now on."""
        self._wake_keeper()
        with suppress(OSError):
            self._control.send(ROUND)

    def kill(self) -> None:
        """End everything that was started, at once; harmless when it has ended already."""
        if not self._listening:
            return
        self._stop_listening()
        self._wake_keeper()
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)

    async def reap(self) -> str:
        """After `kill`: wait until all is gone, close the pipes, and say how the worker ended.

        A keeper that is still removing its folder after a while is left to it.
        """
        obey_s = self._loop.time() + OBEY_S
        while (ended := self._hear_end()) is None and self._loop.time() < obey_s and not self._has_ended():
            await asyncio.sleep(_POLL_S)
        ended = ended or self._hear_end()
        if ended is None:
            end_session(self._popen.pid)
        await self._do_beside(self._popen.wait)
        self._drain_noise()
        for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr, self._control):
            if pipe is not None:
                pipe.close()
        if ended is None:
            await self._do_beside(lambda: remove_folder(self._folder))
            return f"was lost: its keeper {_how_it_ended(self._popen.returncode)}"
        return _how_it_ended(ended.ended)

    def noise_tail(self) -> str:
        """The end of what it wrote to standard error (and standard output) since `forget_noise`."""
        return self._tail.decode(errors="replace").strip()

    def forget_noise(self) -> None:
        """Start a new record of its standard error."""
        self._tail.clear()

    def _wake_keeper(self) -> None:
        # A strategy may have stopped it. It was not waited for yet, so its id is nobody else's.
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self._popen.pid, signal.SIGCONT)

    def _read_output(self) -> None:
        data = _read_some(self._stdout)
        if data is None:
            return
        if not data:
            self._loop.remove_reader(self._stdout)
            self._read_control()  # why it was ended is said before it ends
        self._on_output(data)

    def _read_noise(self) -> None:
        data = _read_some(self._stderr)
        if data:
            self._keep(data)
            self._on_noise(len(data))
        elif data is not None:
            self._loop.remove_reader(self._stderr)

    def _read_control(self) -> None:
        """Take what the keeper says; only that it stops a tree is of interest before the end."""
        try:
            data = self._control.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._heard += data
        if not data:
            self._loop.remove_reader(self._control)
        stopped = self._find_heard(Stopped)
        if stopped is not None:
            self._on_stop(stopped.stopped, stopped.detail)

    def _hear_end(self) -> Ended | None:
        with suppress(OSError):
            while data := self._control.recv(_READ_BYTES):
                self._heard += data
        return self._find_heard(Ended)

    def _find_heard(self, kind: type[T]) -> T | None:
        for line in self._heard.splitlines():
            with suppress(msgspec.DecodeError):
                return msgspec.json.decode(line, type=kind)
        return None

    def _has_ended(self) -> bool:
        """Whether the keeper has ended, without waiting for it: its id stays its own until then."""
        if not hasattr(os, "waitid"):
            return self._popen.poll() is not None
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._popen.pid, flags) is not None

    async def _do_beside(self, work: Callable[[], object]) -> None:
        """Do what may take long beside the loop; after a while it goes on alone."""
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        deadline_s = self._loop.time() + REAP_S
        while thread.is_alive() and self._loop.time() < deadline_s:
            await asyncio.sleep(_POLL_S)

    def _write_more(self) -> None:
        with suppress(BlockingIOError):
            try:
                self._outgoing = self._outgoing[os.write(self._stdin, self._outgoing) :]
            except BrokenPipeError:  # it has ended: its output's end says so
                self._outgoing = memoryview(b"")
            if not self._outgoing:
                self._loop.remove_writer(self._stdin)

    def _stop_listening(self) -> None:
        # Only once: later the numbers of closed descriptors may be somebody else's.
        self._listening = False
        for descriptor in (self._stdout, self._stderr, self._control):
            self._loop.remove_reader(descriptor)
        self._loop.remove_writer(self._stdin)

    def _drain_noise(self) -> None:
        # What was written before the end is in the pipe by now; something that left the group may
        # still hold the pipe and write on, which is what the bounds are for.
        deadline_s = self._loop.time() + DRAIN_S
        while (data := _read_some(self._stderr)) and self._loop.time() < deadline_s:
            self._keep(data)

    def _keep(self, data: bytes) -> None:
        self._tail += data
        del self._tail[:-STDERR_TAIL_BYTES]


def _start_keeper(spec: str, name: str, folder: str) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    own, its = socket.socketpair()
    own.setblocking(False)
    try:
        # -P keeps the working directory off the path: a file there must not shadow a module.
        command = [sys.executable, "-P", "-m", "solvers.keeper", spec, name, folder, str(its.fileno())]
        popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=_environment() | {"TMPDIR": folder},
            pass_fds=(its.fileno(),),
            start_new_session=True,
        )
    except BaseException:
        own.close()
        raise
    finally:
        its.close()
    return own, popen


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ} | _FIXED
    if path := os.environ.get("PYTHONPATH"):
        # The processes have another working directory.
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in path.split(os.pathsep))
    return kept


def _read_some(descriptor: int) -> bytes | None:
    """What can be read now; ``b""`` at the end of the stream, nothing if it only has to wait."""
    try:
        return os.read(descriptor, _READ_BYTES)
    except BlockingIOError:
        return None


def _nonblocking(pipe: IO[bytes] | None) -> int:
    assert pipe is not None
    os.set_blocking(pipe.fileno(), False)
    return pipe.fileno()


def _how_it_ended(status: int | None) -> str:
    if status is None:
        return "did not end when killed"
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"
