"""A checkpoint: the fold of a journal up to one entry, as a file that says what it is good for.

It holds the engine and the records (`intents.pickled_state`), compressed, behind a header that binds them:

- to one entry of one journal, by its number and hash;
- to the code that made them: a digest of this project's sources, and the versions of Python, NumPy and
  msgspec. Other code may fold the same entries to something else, so it must fold them itself.

The file ends with the SHA-256 of all before it. So it can be told, before any of it is used, whether it
is whole; which entry it belongs to can be told even where its state is of no use to this code.
"""

import platform
from collections.abc import Mapping
from hashlib import sha256
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, Final

import msgspec
import numpy as np
import scipy
import zstandard

from chains.wire import Count, Wire
from intents.engine import Engine
from intents.errors import CheckpointError
from intents.fold import Fold
from intents.pickled_state import PACKAGES, dump_state, load_state
from intents.records import Records

FORMAT: Final = b"solvent.checkpoint/1\n"
"""What the file of a checkpoint begins with."""

STATE_MAX: Final = 1 << 36
"""Bytes that a state may have when it is unpacked."""

LEVEL: Final = 1
"""How hard to compress: more costs several times the time for few bytes less."""

_LENGTH_BYTES: Final = 4
_DIGEST_BYTES: Final = 32
_BUFFER: Final = 1 << 20


class Header(Wire, frozen=True, kw_only=True):
    """Which entry a checkpoint belongs to, by number and hash, and what made it."""

    seq: Count
    hash: str
    versions: dict[str, str]


def _read_versions() -> Mapping[str, str]:
    sources = sha256()
    root = Path(__file__).resolve().parent.parent
    for package in sorted(PACKAGES):
        for path in sorted((root / package).rglob("*.py")):
            content = path.read_bytes()
            sources.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "msgspec": msgspec.__version__,
        "sources": sources.hexdigest(),
    }


CODE_VERSIONS: Final = _read_versions()
"""What a state depends on beside the journal, as it was when this code was loaded."""


def write_fold(fold: Fold, file: IO[bytes]) -> None:
    """Write the checkpoint of a fold to a file.

    Raises
    ------
    CheckpointError
        If something in the state could not be read back.
    OSError
        If the file cannot be written.
    """
    hashed = _HashedFile(file)
    header = msgspec.json.encode(Header(seq=fold.seq, hash=fold.hash, versions=dict(CODE_VERSIONS)))
    hashed.write(FORMAT + len(header).to_bytes(_LENGTH_BYTES, "big") + header)
    with zstandard.ZstdCompressor(level=LEVEL).stream_writer(hashed, closefd=False) as packed:  # type: ignore[arg-type]
        dump_state((fold.engine, fold.records), packed)
    file.write(hashed.digest())


def read_header(content: bytes) -> Header:
    """Which entry the checkpoint with this content belongs to, and what made it.

    Raises
    ------
    CheckpointError
        If it is not a whole checkpoint.
    """
    return _split(content)[0]


def read_fold(content: bytes) -> Fold:
    """The fold that a checkpoint holds.

    Raises
    ------
    CheckpointError
        If it is not a whole checkpoint, was made by other code, or holds what no state may hold.
    """
    header, packed = _split(content)
    for name, version in CODE_VERSIONS.items():
        made_by = header.versions.get(name)
        if made_by != version:
            raise CheckpointError(f"was made with {name} {made_by}, this is {version}")
    try:
        with zstandard.ZstdDecompressor().stream_reader(packed) as stream:
            state = load_state(BufferedReader(_LimitedReader(stream), _BUFFER))
    except zstandard.ZstdError as error:
        raise CheckpointError(f"cannot be unpacked: {error}") from error
    match state:
        case (Engine() as engine, Records() as records):
            return Fold(engine=engine, records=records, seq=header.seq, hash=header.hash)
        case _:
            raise CheckpointError("holds something else than an engine and records")


def _split(content: bytes) -> tuple[Header, memoryview]:
    """The header and the packed state of a checkpoint that is whole."""
    view = memoryview(content)
    begin = len(FORMAT) + _LENGTH_BYTES
    end = len(content) - _DIGEST_BYTES
    if not content.startswith(FORMAT):
        raise CheckpointError(f"does not begin with {FORMAT.decode().strip()}")
    if end < begin or sha256(view[:end]).digest() != view[end:]:
        raise CheckpointError("is damaged: its hash differs")
    state = begin + int.from_bytes(view[len(FORMAT) : begin], "big")
    try:
        return msgspec.json.decode(view[begin:state], type=Header), view[state:end]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"its header cannot be read: {error}") from error


class _HashedFile:
    """A file that hashes what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = sha256()

    def write(self, content: bytes) -> int:
        self._hash.update(content)
        return self._file.write(content)

    def flush(self) -> None:
        self._file.flush()

    def digest(self) -> bytes:
        return self._hash.digest()


class _LimitedReader(RawIOBase):
    """A stream that may have `STATE_MAX` bytes."""

    def __init__(self, stream: zstandard.ZstdDecompressionReader) -> None:
        self._stream = stream
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._stream.readinto(buffer)
        self._read += count
        if self._read > STATE_MAX:
            raise CheckpointError(f"unpacks to more than {STATE_MAX} bytes")
        return count
