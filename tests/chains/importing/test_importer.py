from collections import Counter

import pytest

from chains.calibration.market import MarketBook
from chains.errors import MarketDataError
from chains.importing.cleaning import DropReason
from chains.importing.forwards import ForwardSource
from chains.importing.importer import ImportReport, import_market
from chains.importing.rows import MarketRows, read_levels, read_marks
from chains.importing.volatilities import VolatilitySource
from chains.reference import read_source, reference_world, source_rows
from tests.market_data import TAKEN_MS, Sheets, make_sheets, to_csv


def run(sheets: Sheets, **options: int) -> tuple[MarketBook, ImportReport]:
    levels, marks = sheets.files()
    rows = MarketRows(read_levels(levels, name="levels"), read_marks(marks, name="marks"))
    return import_market(rows, **options)


@pytest.mark.parametrize("seed", range(3))
def test_a_sound_market_is_imported_whole(seed: int) -> None:
    sheets = make_sheets(seed=seed)
    book, report = run(sheets)
    assert report.dropped == ()
    assert (report.level_rows, report.mark_rows) == (len(sheets.levels), len(sheets.marks))
    assert (report.levels, report.series) == (len(sheets.levels), len(sheets.marks))
    assert report.forwards == {ForwardSource.GIVEN: 2}
    assert report.volatilities == {VolatilitySource.GIVEN: 20}
    assert list(book.books) == sorted(book.books, key=lambda each: each.series)
    for each in book.books:
        assert list(each.buys) == sorted(each.buys, key=lambda step: -step.price)
        assert list(each.sells) == sorted(each.sells, key=lambda step: step.price)
        assert not each.buys or not each.sells or each.buys[0].price < each.sells[0].price


def test_every_fault_in_a_market_has_its_known_fate() -> None:
    sheets = make_sheets()
    sound, _ = run(sheets)
    best_bid = next(row for row in sheets.levels if row["instrument"] == "BTC-20MAR26-64000-C")
    old, past = {"timestamp_ms": str(TAKEN_MS - 700_000)}, {"timestamp_ms": str(TAKEN_MS - 1_000)}
    expected = [
        (DropReason.NOT_A_SERIES, "levels", sheets.level("BTC-PERPETUAL", "bid", 0.1, 1)),
        (DropReason.SUPERSEDED, "levels", sheets.level("BTC-20MAR26-64000-C", "bid", 0.001, 1, **past)),
        (DropReason.STALE, "levels", sheets.level("BTC-20MAR26-90000-C", "ask", 0.01, 1, **old)),
        (DropReason.EXPIRED, "levels", sheets.level("BTC-1MAR26-64000-C", "ask", 0.01, 1)),
        (DropReason.EMPTY, "levels", sheets.level("BTC-20MAR26-64000-C", "bid", 0.0002, 0.009)),
        (
            DropReason.DUPLICATE,
            "levels",
            sheets.level("BTC-20MAR26-64000-C", "bid", best_bid["price_coin"], 9),
        ),
        (DropReason.BEYOND_BOUNDS, "levels", sheets.level("BTC-26JUN26-52000-C", "ask", 0.2, 1)),
        (DropReason.CROSSED, "levels", sheets.level("BTC-26JUN26-64000-P", "ask", 0.05, 1)),
        (DropReason.SUPERSEDED, "marks", sheets.mark("BTC-20MAR26-64000-C", mark_iv_pct="99", **past)),
        (DropReason.NO_FORWARD, "marks", sheets.mark("ETH-20MAR26-3000-C", mark_iv_pct="60")),
    ]
    book, report = run(sheets)
    assert Counter(each[:3] for each in report.dropped) == Counter(expected)
    assert book == sound
    assert {reason: count for reason, (count, _) in report.drops().items()} == Counter(
        reason for reason, _, _ in expected
    )
    assert report.drops()[DropReason.SUPERSEDED][1][1:] == ("marks", expected[8][2], "BTC-20MAR26-64000-C")


def test_an_underlying_without_any_volatility_is_left_out_with_its_reason() -> None:
    sheets = make_sheets()
    row = sheets.mark("ETH-20MAR26-3000-C", underlying_price_usd="2900")
    _, report = run(sheets)
    assert [each[:3] for each in report.dropped] == [(DropReason.NO_VOLATILITY, "marks", row)]


def test_the_age_limit_is_the_callers() -> None:
    sheets = make_sheets()
    sheets.level("BTC-20MAR26-90000-C", "ask", 0.01, 1, timestamp_ms=str(TAKEN_MS - 700_000))
    assert run(sheets)[1].drops().keys() == {DropReason.STALE}
    book, report = run(sheets, max_age_s=700)
    assert report.dropped == ()
    assert report.volatilities[VolatilitySource.STRIKE] == 1
    assert report.series == 21 == len(book.books)


def test_a_market_that_is_nothing_but_one_series_without_marks_has_no_volatility() -> None:
    sheets = Sheets()
    sheets.level("BTC-20MAR26-64000-C", "bid", 0.04, 1)
    sheets.mark("BTC-20MAR26-64000-C", underlying_price_usd="64000")
    with pytest.raises(MarketDataError, match="no series is left of the market: no_volatility 2"):
        run(sheets)


def test_the_reference_world_is_what_the_importer_makes_of_its_source_as_files() -> None:
    source = read_source()
    sheets = Sheets()
    at = {"timestamp_ms": str(source.taken_us // 1_000)}
    for each in reversed(source.rows):
        sheets.mark(
            each.series,
            underlying_price_usd=f"{each.forward_cents / 100:.2f}",
            mark_iv_pct=f"{each.iv_bps / 100:.2f}",
            **at,
        )
        for side, steps in (("ask", each.sells), ("bid", each.buys)):
            for price, tenths in steps:
                sheets.level(each.series, side, f"{price / 10_000:.4f}", f"{tenths / 10:.1f}", **at)
    book, report = run(sheets)
    from_source, of_source = import_market(source_rows(source))
    assert book == from_source
    assert report.dropped == of_source.dropped == ()
    assert (report.levels, report.series) == (2_927, 326)
    spec = reference_world(start_us=source.taken_us)
    assert [listing.id for listing in spec.series] == [each.series.id for each in book.books]
    assert to_csv(sheets.levels).count(b"\n") == 2_928
