from math import isclose
from statistics import median_low

import pytest

from chains.importing.cleaning import CleanMarket, DropLog, clean_rows
from chains.importing.forwards import ForwardSource, fit_forwards, interpolate
from chains.importing.rows import MarketRows, read_levels, read_marks
from chains.units import MICRO
from tests.market_data import EXPIRIES, JUNE_S, MARCH_S, Sheets, make_sheets

MARCH, JUNE = ("BTC", MARCH_S), ("BTC", JUNE_S)


def clean(sheets: Sheets) -> CleanMarket:
    levels, marks = sheets.files()
    rows = MarketRows(read_levels(levels, name="levels"), read_marks(marks, name="marks"))
    return clean_rows(rows, max_age_ms=600_000, log=DropLog())


def without(sheets: Sheets, *fields: str, expiry: str = "") -> Sheets:
    for row in sheets.marks:
        if expiry in row["instrument"]:
            row.update(dict.fromkeys(fields, ""))
    return sheets


def test_a_given_forward_is_the_lower_median_of_its_rows() -> None:
    sheets = make_sheets()
    given = [64_000 + 7 * place for place in range(10)]
    for row, forward in zip(sheets.marks, given, strict=False):
        row["underlying_price_usd"] = f"{forward}.5"
    fitted = fit_forwards(clean(sheets).quotes)
    assert fitted[MARCH] == (median_low(given) * MICRO + MICRO // 2, ForwardSource.GIVEN)
    assert fitted[JUNE].price == 65_300 * MICRO


@pytest.mark.parametrize("seed", range(5))
def test_put_call_parity_finds_the_forward_that_the_market_was_made_with(seed: int) -> None:
    fitted = fit_forwards(clean(without(make_sheets(seed=seed), "underlying_price_usd")).quotes)
    for name, (expiry, forward) in EXPIRIES.items():
        price, source = fitted["BTC", expiry]
        assert source is ForwardSource.PARITY, name
        assert isclose(price / MICRO, forward, rel_tol=0.002)


def test_parity_is_exact_where_the_quotes_are() -> None:
    sheets = Sheets()
    # With F = 80,000 and K = 64,000, a call less a put is worth 1 - K/F = 0.2 coins.
    for side, call, put in (("bid", 0.21, 0.01), ("ask", 0.25, 0.05)):
        sheets.level("BTC-20MAR26-64000-C", side, call, 1)
        sheets.level("BTC-20MAR26-64000-P", side, put, 1)
    sheets.mark("BTC-20MAR26-64000-C")
    assert fit_forwards(clean(sheets).quotes) == {MARCH: (80_000 * MICRO, ForwardSource.PARITY)}


def test_parity_takes_the_strikes_whose_quotes_are_closest() -> None:
    sheets = Sheets()
    for strike, middle, half in (
        (40_000, 0.1, 0.09),
        (50_000, 0.4, 0.01),
        (60_000, 0.9, 0.05),
        (64_000, 0.2, 0.01),
    ):
        for side, sign in (("bid", -1), ("ask", 1)):
            sheets.level(f"BTC-20MAR26-{strike}-C", side, round(1 + sign * half, 4), 1)
            sheets.level(f"BTC-20MAR26-{strike}-P", side, round(1 - middle + sign * half, 4), 1)
    sheets.mark("BTC-20MAR26-64000-C")
    # The three closest give K / (1 - middle): 83,333.3 of 50,000; 80,000 of 64,000; 600,000 of 60,000.
    assert fit_forwards(clean(sheets).quotes)[MARCH].price == 50_000 * MICRO * 10 // 6


def test_quotes_that_would_mean_an_absurd_forward_say_nothing() -> None:
    """A call that is nearly worth a coin beside a put worth nothing: K / (1 - 0.99999999) and beyond."""
    sheets = Sheets()
    for side, call, put in (("bid", 0.99999999, 0.00000001), ("ask", 1.00000001, 0.00000002)):
        sheets.level("BTC-20MAR26-10000-C", side, call, 1)
        sheets.level("BTC-20MAR26-10000-P", side, put, 1)
    sheets.mark("BTC-20MAR26-10000-C")
    assert MARCH not in fit_forwards(clean(sheets).quotes)


def test_an_expiry_without_any_forward_lies_between_its_neighbours() -> None:
    sheets = make_sheets()
    sheets.mark("BTC-24APR26-64000-C", mark_iv_pct="50")
    middle = ("BTC", 1_777_017_600)
    share = (middle[1] - MARCH_S) / (JUNE_S - MARCH_S)
    fitted = fit_forwards(clean(sheets).quotes)[middle]
    assert fitted.source is ForwardSource.INTERPOLATED
    assert isclose(fitted.price / MICRO, 64_120 + share * (65_300 - 64_120), abs_tol=1e-6)


def test_beyond_the_known_expiries_the_forward_is_level() -> None:
    sheets = make_sheets()
    sheets.mark("BTC-25SEP26-64000-C", mark_iv_pct="50")
    assert fit_forwards(clean(sheets).quotes)["BTC", 1_790_323_200].price == 65_300 * MICRO


def test_with_nothing_else_the_forward_is_the_index() -> None:
    sheets = without(make_sheets(), "underlying_price_usd")
    sheets.levels = sheets.levels[:1]
    assert fit_forwards(clean(sheets).quotes)[JUNE] == (63_990_500_000, ForwardSource.INDEX)


def test_without_even_an_index_there_is_no_forward() -> None:
    sheets = without(make_sheets(), "underlying_price_usd", "index_price_usd")
    sheets.levels = sheets.levels[:1]
    assert fit_forwards(clean(sheets).quotes) == {}


@pytest.mark.parametrize(("at", "value"), [(0, 10), (5, 10), (6, 12), (7, 15), (9, 20), (20, 20)])
def test_interpolation_is_linear_between_and_level_beyond_and_rounds_down(at: int, value: int) -> None:
    assert interpolate([(5, 10), (9, 20)], at) == value
