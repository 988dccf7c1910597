from itertools import pairwise
from math import sqrt

import pytest
import QuantLib

from chains.calibration.market import ExpiryKey
from chains.importing.cleaning import CleanMarket, DropLog, clean_rows
from chains.importing.forwards import fit_forwards
from chains.importing.rows import MarketRows, read_levels, read_marks
from chains.importing.volatilities import FittedVolatility, VolatilitySource, fit_volatilities
from chains.series import Series, parse_series
from tests.market_data import (
    EXPIRIES,
    JUNE_S,
    MARCH_S,
    STRIKES,
    TAKEN_MS,
    Sheets,
    make_sheets,
    smile,
    years_to,
)


def fit(sheets: Sheets) -> dict[str, FittedVolatility]:
    levels, marks = sheets.files()
    rows = MarketRows(read_levels(levels, name="levels"), read_marks(marks, name="marks"))
    market: CleanMarket = clean_rows(rows, max_age_ms=600_000, log=DropLog())
    forwards: dict[ExpiryKey, int] = {key: fit.price for key, fit in fit_forwards(market.quotes).items()}
    found = fit_volatilities(market.quotes, forwards, taken_ms=market.taken_ms)
    return {str(series.id): fitted for series, fitted in found.items()}


def made_with(series: Series) -> float:
    """The volatility of the synthetic market, in basis points."""
    return 10_000 * smile(series.strike, dict(EXPIRIES.values())[series.expiry])


def test_a_given_volatility_is_kept_to_the_basis_point() -> None:
    sheets = make_sheets()
    fitted = fit(sheets)
    assert {name: each.iv_bps for name, each in fitted.items()} == {
        row["instrument"]: round(float(row["mark_iv_pct"]) * 100) for row in sheets.marks
    }
    assert {each.source for each in fitted.values()} == {VolatilitySource.GIVEN}


def test_a_missing_volatility_is_implied_by_the_mark_price() -> None:
    sheets = make_sheets()
    for row in sheets.marks:
        row["mark_iv_pct"] = ""
    fitted = fit(sheets)
    for name, each in fitted.items():
        series = parse_series(name)
        assert abs(each.iv_bps - made_with(series)) <= 1, name
        is_out = (series.kind == "C") == (series.strike > dict(EXPIRIES.values())[series.expiry])
        assert each.source is (VolatilitySource.MARK_PRICE if is_out else VolatilitySource.STRIKE)


def test_an_implied_volatility_is_that_of_quantlib_at_the_rows_own_forward_and_time() -> None:
    sheets = make_sheets()
    name = "BTC-20MAR26-70000-C"
    at_ms = TAKEN_MS - 500_000
    sheets.mark_of(name).update(
        mark_iv_pct="", underlying_price_usd="64050", mark_price_coin="0.0213", timestamp_ms=str(at_ms)
    )
    years = years_to(MARCH_S, at_ms=at_ms)
    deviation = QuantLib.blackFormulaImpliedStdDev(QuantLib.Option.Call, 70_000, 64_050, 0.0213 * 64_050)
    assert fit(sheets)[name] == (round(10_000 * deviation / sqrt(years)), VolatilitySource.MARK_PRICE)


@pytest.mark.parametrize("price", ["1", "1.5", "0", ""])
def test_a_price_that_no_volatility_gives_is_as_good_as_none(price: str) -> None:
    sheets = make_sheets()
    name = "BTC-20MAR26-70000-C"
    sheets.mark_of(name).update(mark_iv_pct="", mark_price_coin=price)
    assert fit(sheets)[name].source is VolatilitySource.STRIKE


def test_a_call_without_a_mark_takes_the_volatility_of_its_put() -> None:
    sheets = make_sheets()
    sheets.mark_of("BTC-20MAR26-64000-C").update(mark_iv_pct="", mark_price_coin="")
    fitted = fit(sheets)
    assert fitted["BTC-20MAR26-64000-C"] == (
        fitted["BTC-20MAR26-64000-P"].iv_bps,
        VolatilitySource.STRIKE,
    )


def test_a_strike_without_marks_lies_on_the_line_between_its_neighbours() -> None:
    sheets = make_sheets()
    for kind in "CP":
        sheets.mark_of(f"BTC-20MAR26-64000-{kind}").update(mark_iv_pct="", mark_price_coin="")
    fitted = fit(sheets)
    low, high = (fitted[f"BTC-20MAR26-{strike}-C"].iv_bps for strike in (58_000, 70_000))
    assert abs(fitted["BTC-20MAR26-64000-C"].iv_bps - (low + high) / 2) < 1
    assert fitted["BTC-20MAR26-64000-C"] == fitted["BTC-20MAR26-64000-P"]


def test_beyond_the_last_strike_the_volatility_is_level() -> None:
    sheets = make_sheets()
    sheets.mark("BTC-20MAR26-99000-C")
    fitted = fit(sheets)
    assert fitted["BTC-20MAR26-99000-C"].iv_bps == fitted["BTC-20MAR26-78000-C"].iv_bps


def add_bare_expiry(name: str) -> tuple[Sheets, list[str]]:
    """A market with a third expiry whose mark rows hold nothing but a forward."""
    sheets = make_sheets()
    names = [f"BTC-{name}-{strike}-{kind}" for strike in STRIKES for kind in "CP"]
    for each in names:
        sheets.mark(each, underlying_price_usd="64700")
    return sheets, names


def test_between_expiries_total_variance_is_linear_in_time() -> None:
    sheets, names = add_bare_expiry("24APR26")
    april_s = 1_777_017_600
    fitted = fit(sheets)
    for name in names:
        series = parse_series(name)
        variance = {}
        for expiry, forward in EXPIRIES.values():
            strike = series.strike * forward / 64_700
            known = [
                (strike, fitted[f"BTC-{day}-{strike}-C"].iv_bps)
                for day, (s, _) in EXPIRIES.items()
                if s == expiry
                for strike in STRIKES
            ]
            variance[expiry] = _on_line(known, strike) ** 2 * years_to(expiry)
        share = (april_s - MARCH_S) / (JUNE_S - MARCH_S)
        total = variance[MARCH_S] + share * (variance[JUNE_S] - variance[MARCH_S])
        assert fitted[name].source is VolatilitySource.EXPIRY
        assert abs(fitted[name].iv_bps - sqrt(total / years_to(april_s))) < 2


def _on_line(known: list[tuple[int, int]], strike: float) -> float:
    if not known[0][0] <= strike <= known[-1][0]:
        return known[0][1] if strike < known[0][0] else known[-1][1]
    (low, before), (high, after) = next((a, b) for a, b in pairwise(known) if a[0] <= strike <= b[0])
    return before + (after - before) * (strike - low) / (high - low)


@pytest.mark.parametrize(("day", "nearest"), [("25SEP26", "26JUN26"), ("6MAR26", "20MAR26")])
def test_beyond_the_known_expiries_the_volatility_is_constant(day: str, nearest: str) -> None:
    sheets, _ = add_bare_expiry(day)
    for row in sheets.marks:
        row["underlying_price_usd"] = "64000"
    fitted = fit(sheets)
    for strike in STRIKES:
        assert fitted[f"BTC-{day}-{strike}-C"] == (
            fitted[f"BTC-{nearest}-{strike}-C"].iv_bps,
            VolatilitySource.EXPIRY,
        )


def test_an_expiry_without_marks_is_read_off_the_middles_of_its_quotes() -> None:
    sheets = make_sheets()
    sheets.marks = [row for row in sheets.marks if "20MAR26" not in row["instrument"]]
    fitted = fit(sheets)
    out = [name for name, each in fitted.items() if each.source is VolatilitySource.MIDDLE]
    assert {name[-7:] for name in out} == {"64000-P", "58000-P", "52000-P", "70000-C", "78000-C"}
    for name in out:
        if "52000" not in name and "78000" not in name:
            assert abs(fitted[name].iv_bps - made_with(parse_series(name))) < 400
    assert fitted["BTC-20MAR26-58000-C"] == (fitted["BTC-20MAR26-58000-P"].iv_bps, VolatilitySource.STRIKE)


def test_an_underlying_of_which_no_volatility_is_known_has_none() -> None:
    sheets = make_sheets()
    sheets.mark("ETH-20MAR26-3000-C", underlying_price_usd="2900")
    assert "ETH-20MAR26-3000-C" not in fit(sheets)
