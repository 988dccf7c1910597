"""The archive: recorded auctions as one Parquet file that needs nothing else to be read or replayed.

One row per decided auction, in the order of the rounds: the auction file, every submission with its
arrival time and reason, the outcome, and how each deal settled. Rows are hash-chained: a row's hash
is SHA-256 over the hash before it and the SHA-256 of each of its canonical parts, so a changed byte
breaks every hash from there on. The columns that only repeat what those parts hold, for whoever queries
the file, must repeat it exactly. The file's metadata names the format and the last hash.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from chains.wire import Count, Id, Positive, Wire
from intents.errors import ArchiveError
from solvers.auction import Auction
from solvers.codec import decode, encode
from solvers.outcome import Outcome, Submission

ARCHIVE_FORMAT: Final = "solvent.archive/1"
ROWS_MAX: Final = 1_000_000
_EMPTY_HASH: Final = "0" * 64

_BIDS = pa.list_(
    pa.struct(
        [
            ("solver", pa.string()),
            ("bid", pa.string()),
            ("arrival_us", pa.int64()),
            ("reason", pa.string()),
            ("content", pa.string()),
        ]
    )
)
_SCHEMA = pa.schema(
    [
        ("auction", pa.string()),
        ("cut_us", pa.int64()),
        ("solve_us", pa.int64()),
        ("content_hash", pa.string()),
        ("file", pa.binary()),
        ("bids", _BIDS),
        ("outcome", pa.binary()),
        ("not_selected", pa.list_(pa.string())),
        ("settlement", pa.binary()),
        ("hash", pa.string()),
    ]
)


class SettledTransfer(Wire, frozen=True, kw_only=True):
    """One double-entry transfer of a deal's leg."""

    debit: Id
    credit: Id
    asset: Id
    amount: Positive


class SettledLeg(Wire, frozen=True, kw_only=True):
    """What became of a deal on one chain: its leg's state and the transfers planned there."""

    chain: Id
    state: str
    transfers: tuple[SettledTransfer, ...]


class SettledDeal(Wire, frozen=True, kw_only=True):
    """What became of a deal by the time of the export; `at_us` is its last change of state."""

    deal: Id
    state: str
    at_us: Count
    legs: tuple[SettledLeg, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAuction:
    """One row of an archive.

    `file` and `outcome` are the canonical bytes as recorded; `auction` and `decided` their values.
    """

    file: bytes
    submissions: tuple[Submission, ...]
    outcome: bytes
    not_selected: tuple[str, ...] = ()
    settlement: tuple[SettledDeal, ...] = ()

    @property
    def auction(self) -> Auction:
        """The auction file as a value."""
        return decode(self.file, Auction)

    @property
    def decided(self) -> Outcome:
        """The outcome as a value."""
        return decode(self.outcome, Outcome)

    def chained(self, previous: str) -> str:
        """The row's hash, given the hash of the row before it."""
        parts = (
            self.file,
            encode(self.submissions),
            self.outcome,
            encode(self.not_selected),
            encode(self.settlement),
        )
        chain = hashlib.sha256(previous.encode())
        for part in parts:
            chain.update(hashlib.sha256(part).digest())
        return chain.hexdigest()


def write_archive(path: Path, records: Iterable[RecordedAuction]) -> int:
    """Write an archive (also of no auctions) and return how many rows it holds.

    The file appears under its name only once it is complete; whatever goes wrong leaves nothing behind.

    Raises
    ------
    ArchiveError
        If the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        count = _write_rows(partial, records)
        partial.replace(path)
    except OSError as error:
        raise ArchiveError(f"cannot write the archive {path}: {error}") from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return count


def _write_rows(path: Path, records: Iterable[RecordedAuction]) -> int:
    count, last = 0, _EMPTY_HASH
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
        for record in records:
            last = record.chained(last)
            writer.write_batch(pa.RecordBatch.from_pylist([_row(record, last)], schema=_SCHEMA))
            count += 1
        writer.add_key_value_metadata({"format": ARCHIVE_FORMAT, "rows": str(count), "last_hash": last})
    return count


def _row(record: RecordedAuction, chained: str) -> dict[str, object]:
    auction, decided = record.auction, record.decided
    bids = [
        {
            "solver": submission.solver,
            "bid": known.bid,
            "arrival_us": submission.arrival_us,
            "reason": known.reason,
            "content": submission.content,
        }
        for submission, known in zip(record.submissions, decided.bids, strict=True)
    ]
    return {
        "auction": auction.auction,
        "cut_us": auction.cut_us,
        "solve_us": auction.solve_us,
        "content_hash": auction.content_hash,
        "file": record.file,
        "bids": bids,
        "outcome": record.outcome,
        "not_selected": list(record.not_selected),
        "settlement": encode(record.settlement),
        "hash": chained,
    }


def count_archive(path: Path) -> int:
    """How many auctions an archive holds, by its own account.

    Raises
    ------
    ArchiveError
        If the file is missing or is no archive.
    """
    with _reading(path), pq.ParquetFile(path) as file:
        _check_format(path, file)
        return int(file.metadata.num_rows)


def read_archive(path: Path) -> Iterator[RecordedAuction]:
    """Read an archive row by row and check its hash chain on the way.

    Raises
    ------
    ArchiveError
        If the file is missing, is no archive, is cut short, or a row does not fit its hash.
    """
    with _reading(path), pq.ParquetFile(path) as file:
        metadata = _check_format(path, file)
        last = _EMPTY_HASH
        for batch in file.iter_batches(batch_size=8):
            for row in batch.to_pylist():
                record = _record(row)
                last = record.chained(last)
                if row != _row(record, last):
                    raise ArchiveError(f"{path}: auction {row['auction']!r} does not match its hash")
                yield record
    if last != metadata.get("last_hash"):
        raise ArchiveError(f"{path}: its last hash does not match, rows are missing")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Whatever a file that is no archive can cause is one error."""
    try:
        yield
    except (OSError, pa.ArrowException, LookupError, TypeError, ValueError, RecursionError) as error:
        raise ArchiveError(f"cannot read the archive {path}: {error}") from error


def _check_format(path: Path, file: pq.ParquetFile) -> dict[str, str]:
    metadata = {key.decode(): value.decode() for key, value in (file.metadata.metadata or {}).items()}
    if metadata.get("format") != ARCHIVE_FORMAT:
        raise ArchiveError(f"{path} is not an archive of format {ARCHIVE_FORMAT}")
    if file.metadata.num_rows > ROWS_MAX:
        raise ArchiveError(f"{path} holds {file.metadata.num_rows} auctions; at most {ROWS_MAX} are read")
    return metadata


def _record(row: dict[str, Any]) -> RecordedAuction:
    return msgspec.convert(
        {
            "file": row["file"],
            "submissions": [
                {key: bid[key] for key in ("solver", "arrival_us", "content")} for bid in row["bids"]
            ],
            "outcome": row["outcome"],
            "not_selected": row["not_selected"],
            "settlement": msgspec.json.decode(row["settlement"]),
        },
        RecordedAuction,
    )
