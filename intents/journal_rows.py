"""One entry of the journal as a row of its table: how it is written, and every way it can be wrong.

The hash of an entry covers the hash before it, its number, its kind and its content. The other columns
only repeat the content, for finding and for reading without it; they must agree with it, and the way the
content is stored must be the way it would be stored now. So no column of a row can be changed unnoticed,
but for bits of a compressed frame that mean nothing.

Everything here takes any value that SQLite can hold: a damaged row is named, never a crash.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from operator import attrgetter
from typing import Any, Final, NamedTuple, get_args

import msgspec
import zstandard

from intents.errors import DamageError, JournalError
from intents.events import (
    Advanced,
    AuctionCut,
    AuctionDecided,
    AuctionPublished,
    BondPosted,
    Deposited,
    Event,
    Genesis,
    IntentPosted,
    IntentsCancelled,
    NoncesRevoked,
    StockQuoted,
)
from solvers.codec import encode

CHAIN_START: Final = "0" * 64
"""What stands for the hash before the first entry."""

COMPRESS_ABOVE: Final = 1_024
"""Bytes of content above which an entry is compressed."""

CONTENT_MAX: Final = 1 << 30
"""Bytes that the content of one entry may have; a row that claims more is damaged."""

_KINDS: Final[Mapping[type, str]] = {event: str(event.__struct_config__.tag) for event in get_args(Event)}
_SUBJECTS: Final[Mapping[type, Callable[[Any], str]]] = {
    Genesis: lambda _: "",
    Deposited: attrgetter("owner"),
    IntentPosted: attrgetter("id"),
    IntentsCancelled: attrgetter("owner"),
    NoncesRevoked: attrgetter("owner"),
    BondPosted: attrgetter("solver"),
    StockQuoted: attrgetter("solver"),
    Advanced: lambda _: "",
    AuctionCut: attrgetter("auction"),
    AuctionPublished: attrgetter("auction.auction"),
    AuctionDecided: attrgetter("auction"),
}
_DECODER: Final = msgspec.json.Decoder(Event)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the journal, verified."""

    seq: int
    event: Event
    hash: str


class Row(NamedTuple):
    """A row as the database gives it, in the order of the table's columns; nothing in it is trusted."""

    seq: int
    at_us: Any
    kind: Any
    subject: Any
    encoding: Any
    payload: Any
    prev_hash: Any
    hash: Any


def entry_hash(prev_hash: str, *, seq: int, kind: str, payload: bytes) -> str:
    """SHA-256 over the hash before, the number, the kind and the canonical content."""
    return sha256(f"{prev_hash}\n{seq}\n{kind}\n".encode() + payload).hexdigest()


def kind_of(event: Event | type[Event]) -> str:
    """The kind under which an event is filed: its tag."""
    return _KINDS[event if isinstance(event, type) else type(event)]


def subject_of(event: Event) -> str:
    """What an event is about: an intent, an auction, an owner, a solver, or nothing."""
    return _SUBJECTS[type(event)](event)


def make_row(event: Event, *, seq: int, prev_hash: str) -> Row:
    """The row of an event behind the entry with this hash.

    Raises
    ------
    JournalError
        If its content is larger than any reader would accept.
    """
    kind, content = kind_of(event), encode(event)
    if len(content) > CONTENT_MAX:
        raise JournalError(f"an event of kind {kind} has {len(content)} bytes, more than {CONTENT_MAX}")
    encoding = _encoding_of(content)
    return Row(
        seq=seq,
        at_us=event.at_us,
        kind=kind,
        subject=subject_of(event),
        encoding=encoding,
        payload=zstandard.compress(content) if encoding == "zstd" else content,
        prev_hash=prev_hash,
        hash=entry_hash(prev_hash, seq=seq, kind=kind, payload=content),
    )


def read_page(
    rows: Sequence[Sequence[Any]], *, after: int, prev_hash: str
) -> tuple[list[Entry], DamageError | None]:
    """The entries of some rows, which must follow entry `after`; up to the first that is damaged, and why."""
    entries: list[Entry] = []
    for seq, values in enumerate(rows, start=after + 1):
        entry = _read_plain(values, seq, prev_hash)
        if entry is None:
            row = Row._make(values)
            try:
                entry = read_entry(row, check_chain(row, seq=seq, prev_hash=prev_hash))
            except DamageError as error:
                return entries, error
        entries.append(entry)
        prev_hash = entry.hash
    return entries, None


def _read_plain(values: Sequence[Any], seq: int, prev_hash: str) -> Entry | None:
    """The entry of a small row with which nothing is wrong; None for any other.

    What `check_chain` and `read_entry` ask of a row one by one, and can name, is asked here in one go: a
    journal has many rows, and hardly ever one that fails.
    """
    found, at_us, kind, subject, encoding, payload, before, hash_ = values
    if encoding != "json" or type(payload) is not bytes or len(payload) > COMPRESS_ABOVE:
        return None
    digest = sha256(f"{prev_hash}\n{seq}\n{kind}\n".encode() + payload).hexdigest()
    if digest != hash_ or before != prev_hash or found != seq:
        return None
    try:
        event: Event = _DECODER.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    type_ = type(event)
    if kind != _KINDS[type_] or subject != _SUBJECTS[type_](event) or at_us != event.at_us:
        return None
    return Entry(seq=seq, event=event, hash=hash_)


def check_chain(row: Row, *, seq: int, prev_hash: str) -> bytes:
    """The content of the row that must have number `seq` and follow the entry with hash `prev_hash`.

    This is all that a chain of hashes can show; what the content says is for `read_entry`.

    Raises
    ------
    DamageError
        If the row is another, does not follow, or is damaged; its `seq` is the entry's number.
    """
    if row.seq != seq:
        raise DamageError(f"entry {seq} of the journal is missing", seq=seq)
    if row.prev_hash != prev_hash:
        raise DamageError(f"entry {seq} does not follow the one before", seq=seq)
    return check_content(row)


def check_content(row: Row) -> bytes:
    """The content of a row, whose hash covers it.

    Raises
    ------
    DamageError
        If it is damaged; its `seq` is the entry's number.
    """
    if not isinstance(row.payload, bytes):
        raise DamageError(f"entry {row.seq} of the journal is damaged: it holds no bytes", seq=row.seq)
    content = _unpack(row) if row.encoding == "zstd" else row.payload
    if entry_hash(row.prev_hash, seq=row.seq, kind=row.kind, payload=content) != row.hash:
        raise DamageError(f"entry {row.seq} of the journal is damaged: its hash differs", seq=row.seq)
    if row.encoding != _encoding_of(content):
        message = f"entry {row.seq} of the journal is damaged: its encoding is {row.encoding!r}"
        raise DamageError(message, seq=row.seq)
    return content


def read_entry(row: Row, content: bytes) -> Entry:
    """The entry of a row with checked content.

    Raises
    ------
    DamageError
        If the content is no event of this version, or a column contradicts it.
    """
    try:
        event: Event = _DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DamageError(f"entry {row.seq} is no event of this version: {error}", seq=row.seq) from error
    if (row.kind, row.subject, row.at_us) != (kind_of(event), subject_of(event), event.at_us):
        raise DamageError(f"entry {row.seq} is filed under what it does not say", seq=row.seq)
    return Entry(seq=row.seq, event=event, hash=row.hash)


def _encoding_of(content: bytes) -> str:
    return "zstd" if len(content) > COMPRESS_ABOVE else "json"


def _unpack(row: Row) -> bytes:
    try:
        size = zstandard.get_frame_parameters(row.payload).content_size
        if size > CONTENT_MAX:
            message = f"entry {row.seq} of the journal is damaged: it claims {size} bytes"
            raise DamageError(message, seq=row.seq)
        return zstandard.ZstdDecompressor().decompress(row.payload, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise DamageError(f"entry {row.seq} of the journal is damaged: {error}", seq=row.seq) from error
