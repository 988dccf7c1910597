"""The archive: what goes in comes out, and whatever was changed in between is noticed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intents import archive as module
from intents.archive import ARCHIVE_FORMAT, RecordedAuction, count_archive, read_archive, write_archive
from intents.errors import ArchiveError
from intents.replay import replay_all
from intents.verify import Verified, verify_archive
from tests.market_run import Recorded, recorded_run

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded_run(tmp_path_factory.mktemp("archive"), orders=8)


def rewrite(source: Path, target: Path, change: Callable[[Rows], Rows]) -> Path:
    """The same file with other rows: as if somebody had edited it without knowing of the hashes."""
    table = pq.read_table(source)
    schema = table.schema.with_metadata(pq.read_metadata(source).metadata)
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), schema=schema), target)
    return target


def test_an_archive_of_no_auctions_is_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    assert write_archive(path, []) == 0
    assert count_archive(path) == 0
    assert list(read_archive(path)) == []
    assert verify_archive(path) == Verified(auctions=0, bids=0, deals=0, transfers=0)
    assert list(replay_all(read_archive(path))) == []


def test_what_was_written_is_read(recorded: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "again.parquet"
    assert write_archive(path, recorded.records) == 3
    assert count_archive(path) == 3
    assert list(read_archive(path)) == recorded.records
    assert pq.read_table(path).equals(pq.read_table(recorded.archive))
    assert pq.read_metadata(path).metadata == pq.read_metadata(recorded.archive).metadata


def test_the_columns_can_be_queried_without_this_package(recorded: Recorded) -> None:
    rows = pq.read_table(recorded.archive).to_pylist()
    assert [row["auction"] for row in rows] == [each.auction.auction for each in recorded.records]
    for row, each in zip(rows, recorded.records, strict=True):
        assert row["content_hash"] == each.auction.content_hash
        assert [bid["reason"] for bid in row["bids"]] == [bid.reason for bid in each.decided.bids]


def change_cell(column: str) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        value = rows[1][column]
        if isinstance(value, int):
            rows[1][column] = value + 1
        elif isinstance(value, bytes):
            rows[1][column] = value.replace(b"1", b"2", 1)
        elif isinstance(value, str):
            rows[1][column] = "0" + value[1:] if value[0] != "0" else "1" + value[1:]
        else:
            rows[1][column] = [*value, value[0] if value else "0x1"]
        return rows

    return change


def change_bid(field: str) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        bid = rows[1]["bids"][0]
        bid[field] = bid[field] + (1 if isinstance(bid[field], int) else "x")
        return rows

    return change


def add_space(column: str) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        rows[1][column] += b" "
        return rows

    return change


def empty_cell(column: str) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        rows[1][column] = None
        return rows

    return change


COLUMNS = (
    "auction", "cut_us", "solve_us", "content_hash", "file", "bids", "outcome", "not_selected", "settlement",
    "hash",
)  # fmt: skip
CHANGES: dict[str, Callable[[Rows], Rows]] = {
    **{f"{column} changed": change_cell(column) for column in COLUMNS},
    **{f"{column} emptied": empty_cell(column) for column in COLUMNS},
    **{f"{column} with a space": add_space(column) for column in ("file", "outcome", "settlement")},
    **{f"bid {field}": change_bid(field) for field in ("solver", "bid", "arrival_us", "reason", "content")},
    "a bid dropped": lambda rows: [{**row, "bids": row["bids"][1:]} for row in rows],
    "rows swapped": lambda rows: [rows[1], rows[0], rows[2]],
    "first row missing": lambda rows: rows[1:],
    "middle row missing": lambda rows: [rows[0], rows[2]],
    "last row missing": lambda rows: rows[:2],
    "all rows missing": lambda _: [],
    "row twice": lambda rows: [*rows, rows[2]],
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_changed_breaks_the_chain(recorded: Recorded, tmp_path: Path, change: str) -> None:
    path = rewrite(recorded.archive, tmp_path / "changed.parquet", CHANGES[change])
    with pytest.raises(ArchiveError, match=r"match its hash|rows are missing|cannot read"):
        list(read_archive(path))


def test_a_file_rewritten_without_a_change_is_the_same_archive(recorded: Recorded, tmp_path: Path) -> None:
    path = rewrite(recorded.archive, tmp_path / "same.parquet", lambda rows: rows)
    assert list(read_archive(path)) == recorded.records


def test_every_row_hangs_on_all_its_parts_and_on_the_row_before(recorded: Recorded) -> None:
    record = recorded.records[0]
    parts = {
        "file": record.file + b" ",
        "submissions": record.submissions[1:],
        "outcome": record.outcome + b" ",
        "not_selected": ("0x1",),
        "settlement": record.settlement[1:],
    }
    hashes = {record.chained("0"), record.chained("1")}
    for name, value in parts.items():
        fields = {field: getattr(record, field) for field in parts} | {name: value}
        hashes.add(RecordedAuction(**fields).chained("0"))
    assert len(hashes) == 2 + len(parts)


def not_parquet(path: Path) -> None:
    path.write_bytes(b"auction,score\n")


def cut_short(path: Path) -> None:
    write_archive(path, [])
    path.write_bytes(path.read_bytes()[:-9])


def other_parquet(path: Path) -> None:
    pq.write_table(pa.table({"auction": ["a"]}), path)


def other_format(path: Path) -> None:
    table = pa.table({"auction": ["a"]}).replace_schema_metadata({"format": "solvent.archive/9"})
    pq.write_table(table, path)


def binary_metadata(path: Path) -> None:
    table = pa.table({"auction": ["a"]}).replace_schema_metadata({b"format": b"\xff\xfe"})
    pq.write_table(table, path)


def other_columns(path: Path) -> None:
    table = pa.table({"auction": ["a"]}).replace_schema_metadata({"format": ARCHIVE_FORMAT})
    pq.write_table(table, path)


NO_ARCHIVES: dict[str, Callable[[Path], object]] = {
    "missing": lambda _: None,
    "a folder": Path.mkdir,
    "empty": Path.touch,
    "not parquet": not_parquet,
    "cut short": cut_short,
    "other parquet": other_parquet,
    "other format": other_format,
    "binary metadata": binary_metadata,
    "other columns": other_columns,
}


@pytest.mark.parametrize("make", NO_ARCHIVES)
def test_a_file_that_is_no_archive_is_one_clear_error(tmp_path: Path, make: str) -> None:
    path = tmp_path / "no.parquet"
    NO_ARCHIVES[make](path)
    with pytest.raises(ArchiveError, match=r"no\.parquet"):
        list(read_archive(path))
    if make != "other columns":
        with pytest.raises(ArchiveError, match=r"no\.parquet"):
            count_archive(path)


def test_more_rows_than_are_read_are_refused(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_MAX", 2)
    with pytest.raises(ArchiveError, match="3 auctions; at most 2"):
        list(read_archive(recorded.archive))


def test_a_write_that_fails_leaves_the_old_archive_and_nothing_else(
    recorded: Recorded, tmp_path: Path
) -> None:
    path = tmp_path / "rounds.parquet"
    write_archive(path, recorded.records[:1])

    def failing() -> Iterator[RecordedAuction]:
        yield recorded.records[0]
        raise LookupError("the journal is gone")

    with pytest.raises(LookupError):
        write_archive(path, failing())
    assert [each.name for each in tmp_path.iterdir()] == ["rounds.parquet"]
    assert list(read_archive(path)) == recorded.records[:1]


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArchiveError, match="cannot write the archive"):
        write_archive(tmp_path / "file" / "rounds.parquet", [])
    (tmp_path / "folder").mkdir()
    with pytest.raises(ArchiveError, match="cannot write the archive"):
        write_archive(tmp_path / "folder", [])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]
