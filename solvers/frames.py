"""The frames between the market and its worker processes.

A frame is four bytes of length (big-endian, counting what follows), one byte of kind, and the
payload. The market sends `ROUND`; a worker answers `READY` once, then for every round any number of
`BID` and `QUOTES` and one `FINISHED`, or at any time `CRASHED`, `OUT_OF_MEMORY` or `FILE_TOO_LONG` and
nothing more.

Parsing is free of pipes and clocks: bytes in, frames out, the same code on both ends.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final, NamedTuple

import msgspec

from solvers.errors import SolversError

LENGTH_BYTES: Final = 4

REQUEST_MAX: Final = 2 ** (8 * LENGTH_BYTES) - 1
"""The longest frame that the length can say; the market's own requests have no other limit."""


class FrameError(SolversError):
    """What was received is no frame: it is of no known kind."""


class FrameTooLongError(FrameError):
    """A frame is longer than its reader allows."""


class Kind(Enum):
    """What a frame is, as its first byte."""

    ROUND = b"A"
    """Market to worker: a `RoundRequest` as JSON."""
    READY = b"R"
    """Worker to market: the strategy is loaded."""
    BID = b"B"
    """Worker to market: what the strategy yielded, as JSON, or its repr where it is not encodable."""
    QUOTES = b"Q"
    """Worker to market: stock quotes that the strategy yielded, as JSON, or their repr."""
    FINISHED = b"F"
    """Worker to market: the strategy has nothing more to say in this round."""
    CRASHED = b"C"
    """Worker to market: the end of the traceback, as text; the worker exits."""
    OUT_OF_MEMORY = b"M"
    """As `CRASHED`, where the exception came of the limit on memory."""
    FILE_TOO_LONG = b"W"
    """As `CRASHED`, where the exception came of the limit on the length of a file."""


class Frame(NamedTuple):
    """One frame as it was received."""

    kind: Kind
    payload: bytes


class RoundRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One round as a worker is told it.

    `deadline_s` is on the clock of ``time.monotonic()``, which all processes of a machine share on
    Linux and macOS; `window_s` bounds it where they do not. `stock` is what is free at the solver's own
    venues, by venue and asset.
    """

    deadline_s: float
    window_s: float
    seed: int
    auction: msgspec.Raw
    stock: Mapping[str, Mapping[str, int]] = {}


def pack(kind: Kind, payload: bytes = b"") -> bytes:
    """The bytes of one frame."""
    return (len(payload) + 1).to_bytes(LENGTH_BYTES, "big") + kind.value + payload


class FrameReader:
    """Cuts a stream of bytes into frames of at most `limit` bytes (kind and payload)."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take some bytes, yield every frame that is now complete.

        Raises
        ------
        FrameTooLongError
            If a frame announces more than the limit, before any of it is kept.
        FrameError
            If a frame is of no known kind. The stream has no meaning after that.
        """
        self._buffer += data
        while len(self._buffer) >= LENGTH_BYTES:
            length = int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
            if length > self._limit:
                raise FrameTooLongError(f"a frame of {length:,} bytes; at most {self._limit:,} are allowed")
            end = LENGTH_BYTES + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[LENGTH_BYTES:end])
            del self._buffer[:end]
            yield _frame(body)


def _frame(body: bytes) -> Frame:
    try:
        return Frame(Kind(body[:1]), body[1:])
    except ValueError as error:
        raise FrameError(f"a frame of the unknown kind {body[:1]!r}") from error
