"""A closed-loop HTTP load on one core: each connection sends its next request when it has its answer.

Requests are whole and ready, answers are only counted, so that the generator costs a few per cent of
what it measures; `Load.busy` says how much of its core it took. Sockets are non-blocking and watched by
one selector; nothing but loopback is ever reached.
"""

import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

ANSWER_S: Final = 30.0
"""How long a load waits for any answer before it gives up."""

RECEIVE_BYTES: Final = 65_536
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How a load went.

    Attributes
    ----------
    rate : answers per second
    latencies : seconds from a request to its whole answer, sorted
    busy : share of the time for which the generator itself was at work
    """

    rate: float
    latencies: tuple[float, ...]
    busy: float

    def percentile(self, percent: int) -> float:
        """Seconds within which so many per cent of the answers came."""
        return self.latencies[min(len(self.latencies) - 1, len(self.latencies) * percent // 100)]


def http_post(path: str, body: bytes) -> bytes:
    """A whole request that posts JSON and keeps its connection."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def drive(port: int, requests: Sequence[bytes], *, connections: int, status: int) -> Load:
    """Send every request once over keep-alive connections to a server on this machine.

    Raises
    ------
    RuntimeError
        At the first answer of another status, with its text, or when no answer comes.
    """
    waiting = iter(requests)
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        clients = [_Client(port, b"HTTP/1.1 %d " % status) for _ in range(connections)]
        for client in clients:
            stack.enter_context(client.socket)
            selector.register(client.socket, selectors.EVENT_READ, client)
        began, worked = time.perf_counter(), time.process_time()
        left = sum(client.send(waiting) for client in clients)
        while left:
            ready = selector.select(ANSWER_S)
            if not ready:
                raise RuntimeError(f"{left} requests have no answer after {ANSWER_S} s")
            for key, _ in ready:
                if key.data.receive() and not key.data.send(waiting):
                    left -= 1
        seconds, work = time.perf_counter() - began, time.process_time() - worked
    latencies = sorted(latency for client in clients for latency in client.latencies)
    assert len(latencies) == len(requests), "every request has its answer"
    return Load(rate=len(requests) / seconds, latencies=tuple(latencies), busy=work / seconds)


class _Client:
    """One connection with at most one request under way."""

    __slots__ = ("_expected", "_received", "_sent_s", "latencies", "socket")

    def __init__(self, port: int, expected: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.latencies: list[float] = []
        self._expected = expected
        self._received = b""
        self._sent_s = 0.0

    def send(self, waiting: Iterator[bytes]) -> bool:
        """Send the next request that waits; False if none does."""
        request = next(waiting, None)
        if request is None:
            return False
        self._sent_s = time.perf_counter()
        self.socket.sendall(request)
        return True

    def receive(self) -> bool:
        """Take what has come; whether the answer is whole."""
        part = self.socket.recv(RECEIVE_BYTES)
        if not part:
            raise RuntimeError("the server closed a connection before it had answered")
        self._received += part
        head, end, content = self._received.partition(_HEAD_END)
        if not end or len(content) < _content_length(head):
            return False
        if not self._received.startswith(self._expected):
            raise RuntimeError(f"unexpected answer: {self._received.decode(errors='replace')[:500]}")
        self.latencies.append(time.perf_counter() - self._sent_s)
        self._received = b""
        return True


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(_LENGTH)
    return int(rest.split(b"\r\n", 1)[0]) if found else 0
