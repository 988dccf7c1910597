import pytest

from chains.errors import MarketDataError
from chains.importing.cleaning import DropLog, DropReason, clean_rows, drop_impossible, lots_of
from chains.importing.rows import LevelRow, MarketRows, MarkRow
from chains.series import parse_series
from chains.units import COIN, MICRO
from tests.market_data import TAKEN_MS

CALL = "BTC-20MAR26-64000-C"
PUT = "BTC-20MAR26-64000-P"
FORWARDS = {("BTC", 1_773_993_600): 64_000 * MICRO}


def level(
    row: int, side: str, price: float, *, size: float = 1.0, age_s: int = 0, name: str = CALL
) -> LevelRow:
    return LevelRow(
        row=row,
        instrument=name,
        timestamp_ms=TAKEN_MS - 1_000 * age_s,
        side=side,
        price=round(price * COIN),
        size=round(size * COIN),
    )


def mark(row: int, *, price: float | None = None, age_s: int = 0, name: str = CALL) -> MarkRow:
    return MarkRow(
        row=row,
        instrument=name,
        timestamp_ms=TAKEN_MS - 1_000 * age_s,
        forward=None,
        index_price=None,
        mark_price=round(price * COIN) if price is not None else None,
        iv_bps=None,
    )


def fates(
    *rows: LevelRow | MarkRow, max_age_s: int = 600, forwards: dict[tuple[str, int], int] | None = None
) -> dict[tuple[str, int], str]:
    """The reason for which each row was dropped, by file and row number; and no row is lost or invented."""
    log = DropLog()
    given = MarketRows(
        levels=tuple(row for row in rows if isinstance(row, LevelRow)),
        marks=tuple(row for row in rows if isinstance(row, MarkRow)),
    )
    market = clean_rows(given, max_age_ms=1_000 * max_age_s, log=log)
    drop_impossible(market.quotes, FORWARDS if forwards is None else forwards, log=log)
    kept = [row for quotes in market.quotes for row in quotes.rows]
    assert sorted([row.row for row in kept] + [each.row for each in log.dropped]) == sorted(
        row.row for row in rows
    )
    return {(each.file, each.row): each.reason.value for each in log.dropped}


GOOD = (level(1, "bid", 0.04), level(2, "ask", 0.05), mark(3, price=0.045))


def test_a_sound_market_loses_nothing() -> None:
    assert fates(*GOOD) == {}


@pytest.mark.parametrize(
    "name", ["BTC-PERPETUAL", "DOGE-20MAR26-1-C", "BTC-31FEB26-64000-C", "btc-20mar26-64000-c"]
)
def test_what_names_no_series_is_dropped(name: str) -> None:
    assert fates(*GOOD, level(4, "bid", 0.03, name=name), mark(5, name=name)) == {
        ("levels", 4): "not_a_series",
        ("marks", 5): "not_a_series",
    }


def test_only_the_newest_rows_of_an_instrument_count_in_each_file() -> None:
    older = (level(4, "bid", 0.03, age_s=1), mark(5, price=0.03, age_s=1))
    assert fates(*GOOD, *older) == {("levels", 4): "superseded", ("marks", 5): "superseded"}


@pytest.mark.parametrize(("age_s", "is_dropped"), [(600, False), (601, True)])
def test_a_row_is_stale_beyond_the_limit_and_not_at_it(age_s: int, is_dropped: bool) -> None:
    found = fates(*GOOD, level(4, "bid", 0.03, age_s=age_s, name=PUT))
    assert found == ({("levels", 4): "stale"} if is_dropped else {})


def test_age_is_measured_from_the_newest_row_of_either_file() -> None:
    assert fates(level(1, "bid", 0.04, age_s=700), mark(2)) == {("levels", 1): "stale"}


def test_what_expires_at_or_before_the_newest_row_is_dropped() -> None:
    name = "BTC-2MAR26-64000-C"
    assert fates(*GOOD, level(4, "bid", 0.03, name=name), mark(5, name=name)) == {
        ("levels", 4): "expired",
        ("marks", 5): "expired",
    }


@pytest.mark.parametrize(("price", "size"), [(0.0, 1.0), (0.03, 0.0), (0.03, 0.00999999)])
def test_a_level_of_which_no_lot_can_be_traded_is_dropped(price: float, size: float) -> None:
    assert fates(*GOOD, level(4, "bid", price, size=size)) == {("levels", 4): "empty"}


def test_a_price_or_a_mark_that_is_there_already_is_dropped() -> None:
    repeated = (level(4, "bid", 0.04, size=2.0), level(5, "ask", 0.05), mark(6, price=0.07))
    assert fates(*GOOD, *repeated) == {
        ("levels", 4): "duplicate",
        ("levels", 5): "duplicate",
        ("marks", 6): "duplicate",
    }


@pytest.mark.parametrize(
    ("side", "name", "price", "is_dropped"),
    [
        ("ask", "BTC-20MAR26-48000-C", 0.2499, True),
        ("ask", "BTC-20MAR26-48000-C", 0.2500, False),
        ("ask", "BTC-20MAR26-80000-P", 0.2499, True),
        ("ask", "BTC-20MAR26-80000-P", 0.2500, False),
        ("bid", "BTC-20MAR26-48000-C", 1.0, False),
        ("bid", "BTC-20MAR26-48000-C", 1.0001, True),
        ("bid", "BTC-20MAR26-80000-P", 1.25, False),
        ("bid", "BTC-20MAR26-80000-P", 1.2501, True),
        ("bid", "BTC-20MAR26-48000-C", 0.0001, False),
        ("ask", "BTC-20MAR26-48000-C", 3.0, False),
    ],
)
def test_only_a_level_that_gives_money_away_is_beyond_the_bounds(
    side: str, name: str, price: float, is_dropped: bool
) -> None:
    found = fates(*GOOD, level(4, side, price, name=name))
    assert found == ({("levels", 4): "beyond_bounds"} if is_dropped else {})


def test_of_a_crossed_pair_the_one_further_from_the_mark_is_dropped_until_nothing_crosses() -> None:
    found = fates(
        level(1, "bid", 0.040),
        level(2, "bid", 0.060),
        level(3, "bid", 0.046),
        level(4, "ask", 0.045),
        level(5, "ask", 0.030),
        level(6, "ask", 0.050),
        mark(7, price=0.0455),
    )
    # 60 against 30: 14.5 and 15.5 off. 60 against 45: 14.5 and 0.5. 46 against 45: equally far.
    assert found == {("levels", row): "crossed" for row in (5, 2, 3, 4)}


def test_without_a_mark_both_sides_of_a_crossed_pair_are_dropped() -> None:
    assert fates(level(1, "bid", 0.05), level(2, "ask", 0.05), level(3, "ask", 0.06)) == {
        ("levels", 1): "crossed",
        ("levels", 2): "crossed",
    }


def test_series_without_a_forward_are_left_out_whole() -> None:
    assert fates(*GOOD, forwards={}) == {
        ("marks", 3): "no_forward",
        ("levels", 1): "no_forward",
        ("levels", 2): "no_forward",
    }


def test_a_market_of_which_nothing_is_left_is_an_error_that_says_why() -> None:
    rows = MarketRows(levels=(level(1, "bid", 0.04, name="GOLD"),), marks=())
    with pytest.raises(MarketDataError, match=r"no row is left of the market: not_a_series 1"):
        clean_rows(rows, max_age_ms=1, log=DropLog())
    with pytest.raises(MarketDataError, match=r"no row is left of the market: none"):
        clean_rows(MarketRows((), ()), max_age_ms=1, log=DropLog())


def test_lots_are_whole_lots_of_the_underlying() -> None:
    assert lots_of(parse_series(CALL), round(0.125 * COIN)) == 12
    assert lots_of(parse_series("ETH-20MAR26-3000-C"), round(2.55 * COIN)) == 25


def test_every_reason_has_a_meaning_of_one_line() -> None:
    assert all(reason.meaning and "\n" not in reason.meaning for reason in DropReason)
