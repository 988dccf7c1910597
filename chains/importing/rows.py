"""Reading market data: two CSV files with a header row, UTF-8, decimal points, no thousands separators.

**Levels**: one row for each level of a book.

    instrument       BTC-26JUN20-9000-C
    timestamp_ms     when the book was read, in milliseconds UTC
    side             bid or ask
    price_coin       in coins per coin of options
    size_contracts   in contracts of one coin

**Marks**: one row for each instrument; every field but the first two may be empty, its column missing.

    instrument, timestamp_ms
    underlying_price_usd   the forward of the instrument's expiry
    index_price_usd        the price of the coin itself
    mark_price_coin        in coins per coin of options
    mark_iv_pct            73.5 is 73.5 %

Other columns are allowed and not read. Numbers are read as exact decimals and become integers at once:
prices in 1e-8 coins (a bid rounds down, an ask up, a mark to the nearest), sizes in 1e-8 coins (down),
USD in micro-USD and volatilities in basis points (to the nearest). Anything else is refused with the
file, row, field and value; the header is row 1.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from io import StringIO
from typing import Final, NamedTuple

from chains.errors import MarketDataError
from chains.units import BPS, COIN, MICRO

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
ROWS_MAX: Final = 500_000
COLUMNS_MAX: Final = 256
FIELD_CHARS_MAX: Final = 64

TIMESTAMP_LEAST_MS: Final = 946_684_800_000
"""The year 2000, as early as series ids can say."""

TIMESTAMP_MOST_MS: Final = 4_102_444_800_000
"""The year 2100."""

PRICE_COIN_MOST: Final = 1_000
SIZE_MOST: Final = 1_000_000
USD_MOST: Final = 10_000_000
IV_PCT_MOST: Final = 1_000

_NUMBER: Final = re.compile(r"-?(\d{1,20}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?", re.ASCII)
_EXACT: Final = Context(prec=160)
"""More digits than any number that `_NUMBER` lets through has when it is scaled."""


class LevelRow(NamedTuple):
    """One level; price and size in 1e-8 coins."""

    row: int
    instrument: str
    timestamp_ms: int
    side: str
    price: int
    size: int


class MarkRow(NamedTuple):
    """One instrument's mark; None for what the file leaves open."""

    row: int
    instrument: str
    timestamp_ms: int
    forward: int | None
    index_price: int | None
    mark_price: int | None
    iv_bps: int | None


class MarketRows(NamedTuple):
    """The rows of both files."""

    levels: tuple[LevelRow, ...]
    marks: tuple[MarkRow, ...]


def read_levels(data: bytes, *, name: str) -> tuple[LevelRow, ...]:
    """Read the file of levels; `name` is what errors call it.

    Raises
    ------
    MarketDataError
        With file, row, field and value.
    """
    needed = ("instrument", "timestamp_ms", "side", "price_coin", "size_contracts")
    return tuple(_level(fields) for fields in _read_table(data, name=name, needed=needed))


def read_marks(data: bytes, *, name: str) -> tuple[MarkRow, ...]:
    """Read the file of marks; `name` is what errors call it.

    Raises
    ------
    MarketDataError
        With file, row, field and value.
    """
    return tuple(
        _mark(fields) for fields in _read_table(data, name=name, needed=("instrument", "timestamp_ms"))
    )


class _Fields:
    """The fields of one row, and how each is read."""

    def __init__(self, values: Mapping[str, str], *, name: str, row: int) -> None:
        self._values = values
        self._name = name
        self.row = row

    def refuse(self, field: str, why: str) -> MarketDataError:
        value = self._values.get(field, "")
        return MarketDataError(f"{self._name}: row {self.row}: {field}: {value!r} {why}")

    def text(self, field: str) -> str:
        value = self._values[field]
        if not value:
            raise self.refuse(field, "is empty")
        return value

    def timestamp(self) -> int:
        value = self.text("timestamp_ms")
        if not (value.isascii() and value.isdigit()):
            raise self.refuse("timestamp_ms", "is not a whole number of milliseconds")
        if not TIMESTAMP_LEAST_MS <= int(value) < TIMESTAMP_MOST_MS:
            raise self.refuse("timestamp_ms", "is not between the years 2000 and 2100 (milliseconds UTC)")
        return int(value)

    def number(self, field: str, *, scale: int, most: int, rounding: str = ROUND_HALF_EVEN) -> int:
        value = self.text(field)
        if _NUMBER.fullmatch(value) is None:
            raise self.refuse(field, "is not a decimal number")
        exact = Decimal(value)
        if exact < 0:
            raise self.refuse(field, "is negative")
        if exact > most:
            raise self.refuse(field, f"is more than {most}")
        return int(_EXACT.multiply(exact, Decimal(scale)).to_integral_value(rounding, _EXACT))

    def number_or_none(self, field: str, *, scale: int, most: int) -> int | None:
        """The number in a field; None where it is missing or empty, or says zero, which no price is."""
        if not self._values.get(field):
            return None
        return self.number(field, scale=scale, most=most) or None


def _level(fields: _Fields) -> LevelRow:
    side = fields.text("side")
    if side not in ("bid", "ask"):
        raise fields.refuse("side", "is neither bid nor ask")
    rounding = ROUND_FLOOR if side == "bid" else ROUND_CEILING
    return LevelRow(
        row=fields.row,
        instrument=fields.text("instrument"),
        timestamp_ms=fields.timestamp(),
        side=side,
        price=fields.number("price_coin", scale=COIN, most=PRICE_COIN_MOST, rounding=rounding),
        size=fields.number("size_contracts", scale=COIN, most=SIZE_MOST, rounding=ROUND_FLOOR),
    )


def _mark(fields: _Fields) -> MarkRow:
    return MarkRow(
        row=fields.row,
        instrument=fields.text("instrument"),
        timestamp_ms=fields.timestamp(),
        forward=fields.number_or_none("underlying_price_usd", scale=MICRO, most=USD_MOST),
        index_price=fields.number_or_none("index_price_usd", scale=MICRO, most=USD_MOST),
        mark_price=fields.number_or_none("mark_price_coin", scale=COIN, most=PRICE_COIN_MOST),
        iv_bps=fields.number_or_none("mark_iv_pct", scale=BPS // 100, most=IV_PCT_MOST),
    )


def _read_table(data: bytes, *, name: str, needed: Sequence[str]) -> Iterator[_Fields]:
    """Every row that is not blank, with its fields by the names in the header."""
    if len(data) > FILE_BYTES_MAX:
        raise MarketDataError(f"{name}: {len(data)} bytes are more than {FILE_BYTES_MAX}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MarketDataError(f"{name}: byte {error.start}: not UTF-8") from None
    table = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        header = [column.strip() for column in next(table, [])]
        _check_header(header, name=name, needed=needed)
        count = 0
        for row in table:
            if not row:
                continue
            count += 1
            if count > ROWS_MAX:
                raise MarketDataError(f"{name}: row {table.line_num}: more than {ROWS_MAX} rows")
            yield _fields(row, header, name=name, number=table.line_num)
    except csv.Error as error:
        raise MarketDataError(f"{name}: row {table.line_num}: not CSV: {error}") from None


def _check_header(header: Sequence[str], *, name: str, needed: Sequence[str]) -> None:
    if len(header) > COLUMNS_MAX:
        raise MarketDataError(f"{name}: row 1: {len(header)} columns are more than {COLUMNS_MAX}")
    for column in needed:
        if column not in header:
            raise MarketDataError(f"{name}: row 1: no column {column!r} ({', '.join(needed)} are needed)")
    for column in header:
        if header.count(column) > 1:
            raise MarketDataError(f"{name}: row 1: the column {column[:FIELD_CHARS_MAX]!r} is there twice")


def _fields(row: Sequence[str], header: Sequence[str], *, name: str, number: int) -> _Fields:
    if len(row) != len(header):
        raise MarketDataError(f"{name}: row {number}: {len(row)} fields, but the header has {len(header)}")
    for column, value in zip(header, row, strict=True):
        if len(value) > FIELD_CHARS_MAX:
            raise MarketDataError(
                f"{name}: row {number}: {column[:FIELD_CHARS_MAX]}: {value[:20]!r}... is longer than "
                f"{FIELD_CHARS_MAX} characters"
            )
    values = {column: value.strip() for column, value in zip(header, row, strict=True)}
    return _Fields(values, name=name, row=number)
