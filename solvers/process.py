"""One worker process as the market sees it: its start, its bytes, its end.

Every process leads a session and a process group of its own, so that it and whatever it forked are
ended together, by the id that was given when it was started and never after that id was given back.
It inherits no descriptor but its three pipes, and of the environment only what Python and shared
libraries need: no setting or secret of the market's. Hash seeds and thread counts are fixed.

The process asks the kernel to be killed with the thread that started it, which must therefore be the
thread of the event loop and live as long as the loop.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Final

STDERR_TAIL_BYTES: Final = 2_048
"""How much of a process's latest standard error is kept for its author."""

REAP_S: Final = 5.0
"""How long a killed process may take to disappear before it is left to the kernel."""

DRAIN_S: Final = 0.05
"""How long the last words on standard error are read on."""

_POLL_S: Final = 0.005
_READ_BYTES: Final = 1 << 16
_INHERITED: Final = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR")
_FIXED: Final = {
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
}


class SolverProcess:
    """A running worker. All methods belong to the thread of the running event loop.

    Parameters
    ----------
    spec, name : what the worker loads, and the name under which it bids
    on_output : called with every piece of its standard output, and with ``b""`` once at its end
    on_noise : called with the size of every piece of its standard error

    Raises
    ------
    OSError
        If the system cannot start another process.
    """

    def __init__(
        self, spec: str, name: str, *, on_output: Callable[[bytes], None], on_noise: Callable[[int], None]
    ) -> None:
        self._on_output = on_output
        self._on_noise = on_noise
        self._loop = asyncio.get_running_loop()
        self._tail = bytearray()
        self._outgoing = memoryview(b"")
        # -P keeps the working directory off the path: a file there must not shadow a module.
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "solvers.worker", spec, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=_environment(),
            start_new_session=True,
        )
        self._stdin, self._stdout, self._stderr = (
            _nonblocking(self._popen.stdin),
            _nonblocking(self._popen.stdout),
            _nonblocking(self._popen.stderr),
        )
        self._loop.add_reader(self._stdout, self._read_output)
        self._loop.add_reader(self._stderr, self._read_noise)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._popen.pid

    def send(self, data: bytes) -> None:
        """Write bytes to its standard input without waiting for it to read them."""
        self._outgoing = memoryview(bytes(self._outgoing) + data)
        self._loop.add_writer(self._stdin, self._write_more)

    def kill(self) -> None:
        """End the process and everything in its group, at once; harmless when it has ended already."""
        self._stop_listening()
        # Until it is reaped its id cannot belong to anybody else; after that it is never used.
        if self._popen.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._popen.pid, signal.SIGKILL)

    async def reap(self) -> str:
        """After `kill`: wait until it is gone, close the pipes, and say how it ended."""
        deadline_s = self._loop.time() + REAP_S
        while self._popen.poll() is None and self._loop.time() < deadline_s:
            await asyncio.sleep(_POLL_S)
        self._drain_noise()
        for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                pipe.close()
        return _how_it_ended(self._popen.returncode)

    def noise_tail(self) -> str:
        """The end of what it wrote to standard error (and standard output) since `forget_noise`."""
        return self._tail.decode(errors="replace").strip()

    def forget_noise(self) -> None:
        """Start a new record of its standard error."""
        self._tail.clear()

    def _read_output(self) -> None:
        data = _read_some(self._stdout)
        if data is None:
            return
        if not data:
            self._loop.remove_reader(self._stdout)
        self._on_output(data)

    def _read_noise(self) -> None:
        data = _read_some(self._stderr)
        if data:
            self._keep(data)
            self._on_noise(len(data))
        elif data is not None:
            self._loop.remove_reader(self._stderr)

    def _write_more(self) -> None:
        with suppress(BlockingIOError):
            try:
                self._outgoing = self._outgoing[os.write(self._stdin, self._outgoing) :]
            except BrokenPipeError:  # it has ended: its output's end says so
                self._outgoing = memoryview(b"")
            if not self._outgoing:
                self._loop.remove_writer(self._stdin)

    def _stop_listening(self) -> None:
        for descriptor in (self._stdout, self._stderr):
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


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | _FIXED


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
