from contextlib import suppress
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import MarketDataError
from chains.importing import rows
from chains.importing.rows import LevelRow, MarkRow, read_levels, read_marks
from tests.market_data import TAKEN_MS

LEVELS_HEADER = "instrument,timestamp_ms,side,level,price_coin,size_contracts"
LEVEL = f"BTC-20MAR26-64000-C,{TAKEN_MS},bid,0,0.0450,12.5"
MARKS_HEADER = "instrument,timestamp_ms,underlying_price_usd,index_price_usd,mark_price_coin,mark_iv_pct"
MARK = f"BTC-20MAR26-64000-C,{TAKEN_MS},64120.25,63990.5,0.0461,51.23"


def levels(*lines: str, header: str = LEVELS_HEADER) -> tuple[LevelRow, ...]:
    return read_levels("\n".join((header, *lines)).encode(), name="levels.csv")


def marks(*lines: str, header: str = MARKS_HEADER) -> tuple[MarkRow, ...]:
    return read_marks("\n".join((header, *lines)).encode(), name="marks.csv")


def test_a_level_becomes_integers_of_1e_8_coins() -> None:
    assert levels(LEVEL) == (
        LevelRow(
            row=2,
            instrument="BTC-20MAR26-64000-C",
            timestamp_ms=TAKEN_MS,
            side="bid",
            price=4_500_000,
            size=1_250_000_000,
        ),
    )


def test_a_mark_becomes_micro_usd_1e_8_coins_and_basis_points() -> None:
    assert marks(MARK) == (
        MarkRow(
            row=2,
            instrument="BTC-20MAR26-64000-C",
            timestamp_ms=TAKEN_MS,
            forward=64_120_250_000,
            index_price=63_990_500_000,
            mark_price=4_610_000,
            iv_bps=5_123,
        ),
    )


def test_columns_are_found_by_name_and_others_are_not_read() -> None:
    header = "size_contracts,colour,price_coin,side,timestamp_ms,instrument"
    assert levels(f"12.5,red,0.0450,bid,{TAKEN_MS},BTC-20MAR26-64000-C", header=header) == levels(LEVEL)


@pytest.mark.parametrize(
    "line", [f"BTC-20MAR26-64000-C,{TAKEN_MS},,,,", f"BTC-20MAR26-64000-C,{TAKEN_MS},0,0.0,0e5,0"]
)
def test_what_a_mark_leaves_open_or_says_is_zero_is_none(line: str) -> None:
    (row,) = marks(line)
    assert (row.forward, row.index_price, row.mark_price, row.iv_bps) == (None, None, None, None)


def test_marks_need_only_instrument_and_time() -> None:
    (row,) = marks(f"BTC-20MAR26-64000-C,{TAKEN_MS}", header="instrument,timestamp_ms")
    assert row.iv_bps is None


def test_rows_are_numbered_as_an_editor_numbers_lines() -> None:
    text = f"\ufeff{LEVELS_HEADER}\r\n{LEVEL}\r\n\r\n{LEVEL}\r\n".encode()
    assert [row.row for row in read_levels(text, name="levels.csv")] == [2, 4]


@settings(max_examples=200, deadline=None)
@given(
    price=st.decimals(min_value=0, max_value=1_000, places=12),
    size=st.decimals(min_value=0, max_value=1_000_000, places=12),
    side=st.sampled_from(["bid", "ask"]),
)
def test_decimals_are_exact_and_round_against_whoever_would_take_the_level(
    price: object, size: object, side: str
) -> None:
    (row,) = levels(f"BTC-20MAR26-64000-C,{TAKEN_MS},{side},0,{price},{size}")
    exact = Fraction(str(price)) * 10**8
    assert row.price == (floor(exact) if side == "bid" else ceil(exact))
    assert row.size == floor(Fraction(str(size)) * 10**8)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("0.0450", "-0.0450", "row 3: price_coin: '-0.0450' is negative"),
        ("0.0450", "0,0450", "row 3: 7 fields, but the header has 6"),
        ("0.0450", "NaN", "row 3: price_coin: 'NaN' is not a decimal number"),
        ("0.0450", "Infinity", "row 3: price_coin: 'Infinity' is not a decimal number"),
        ("0.0450", "0x1p3", "row 3: price_coin: '0x1p3' is not a decimal number"),
        ("0.0450", "1e99", "row 3: price_coin: '1e99' is more than 1000"),
        ("0.0450", "", "row 3: price_coin: '' is empty"),
        ("12.5", "1000000.5", "row 3: size_contracts: '1000000.5' is more than 1000000"),
        ("12.5", "9" * 65, "row 3: size_contracts: '99999999999999999999'... is longer than 64 characters"),
        ("bid", "BUY", "row 3: side: 'BUY' is neither bid nor ask"),
        (str(TAKEN_MS), "1772445600", "row 3: timestamp_ms: '1772445600' is not between the years"),
        (str(TAKEN_MS), "1772445600000.5", "row 3: timestamp_ms: '1772445600000.5' is not a whole number"),
        (str(TAKEN_MS), "yesterday", "row 3: timestamp_ms: 'yesterday' is not a whole number"),
        ("BTC-20MAR26-64000-C", "", "row 3: instrument: '' is empty"),
    ],
)
def test_a_bad_field_is_refused_with_file_row_field_and_value(before: str, after: str, said: str) -> None:
    with pytest.raises(MarketDataError) as caught:
        levels(LEVEL, LEVEL.replace(before, after, 1))
    assert str(caught.value).startswith(f"levels.csv: {said}")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("51.23", "1000.01", "row 2: mark_iv_pct: '1000.01' is more than 1000"),
        ("64120.25", "64,120.25", "row 2: 7 fields"),
        ("64120.25", "about 64k", "row 2: underlying_price_usd: 'about 64k' is not a decimal number"),
        ("63990.5", "-1", "row 2: index_price_usd: '-1' is negative"),
    ],
)
def test_a_bad_mark_is_refused_with_file_row_field_and_value(before: str, after: str, said: str) -> None:
    with pytest.raises(MarketDataError) as caught:
        marks(MARK.replace(before, after, 1))
    assert str(caught.value).startswith(f"marks.csv: {said}")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "row 1: no column 'instrument'"),
        (b"instrument,timestamp_ms,side,price_coin\n", "row 1: no column 'size_contracts'"),
        (f"{LEVELS_HEADER},side\n".encode(), "row 1: the column 'side' is there twice"),
        (b"\xff\xfe\x00", "byte 0: not UTF-8"),
        (f'{LEVELS_HEADER}\n"BTC'.encode(), "row 2: not CSV"),
        (f"{LEVELS_HEADER}\n{'x' * 200_000}".encode(), "row 2: not CSV: field larger than field limit"),
        (b"a," * 300 + b"\n", "row 1: 301 columns are more than 256"),
    ],
)
def test_what_is_no_such_table_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(MarketDataError) as caught:
        read_levels(data, name="levels.csv")
    assert str(caught.value).startswith(f"levels.csv: {said}")


def test_a_file_has_a_limit_of_bytes_and_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "ROWS_MAX", 2)
    with pytest.raises(MarketDataError, match=r"levels.csv: row 4: more than 2 rows"):
        levels(LEVEL, LEVEL, LEVEL)
    monkeypatch.setattr(rows, "FILE_BYTES_MAX", 10)
    with pytest.raises(MarketDataError, match=r"levels.csv: \d+ bytes are more than 10"):
        levels(LEVEL)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_as_market_data(data: bytes) -> None:
    for content in (data, LEVELS_HEADER.encode() + b"\n" + data):
        with suppress(MarketDataError):
            assert all(row.price >= 0 and row.size >= 0 for row in read_levels(content, name="x"))
