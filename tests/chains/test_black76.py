from typing import Any

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from chains.black76 import POINT, YEAR_US, Floats, Greeks, greeks, implied_vol, price, years_between

TOLERANCE = 1e-9


def kind(is_call: bool) -> int:
    return int(QuantLib.Option.Call if is_call else QuantLib.Option.Put)


def random_options(size: int, *, seed: int) -> tuple[Floats, ...]:
    """Options near and far from the money, minutes to years away, calm to wild, on 1 to 200,000."""
    rng = np.random.default_rng(seed)
    forward = 10 ** rng.uniform(0, 5.3, size)
    years = 10 ** rng.uniform(-5, 1, size)
    vol = 10 ** rng.uniform(-2, 0.7, size)
    strike = forward * np.exp(np.clip(rng.normal(size=size) * vol * np.sqrt(years) * 2, -1.5, 1.5))
    return forward, strike, years, vol, rng.random(size) < 0.5


def rows(*columns: Any) -> list[tuple[Any, ...]]:
    return list(zip(*(np.asarray(column).tolist() for column in columns), strict=True))


def quantlib_prices(options: tuple[Floats, ...]) -> Floats:
    return np.array(
        [
            QuantLib.blackFormula(kind(call), k, f, vol * years**0.5)
            for f, k, years, vol, call in rows(*options)
        ]
    )


def quantlib_greeks(options: tuple[Floats, ...]) -> Greeks:
    found = []
    for forward, strike, years, vol, call in rows(*options):
        payoff = QuantLib.PlainVanillaPayoff(kind(call), strike)
        black = QuantLib.BlackCalculator(payoff, forward, vol * years**0.5, 1.0)
        delta, gamma = black.deltaForward(), black.gammaForward()
        vega, theta = black.vega(years), black.theta(forward, years)
        vanna = black.vanna(forward, years)
        found.append((black.value(), delta, gamma, vega * POINT, theta / 365, vanna * POINT))
    return Greeks(*np.array(found).T)


def assert_close(ours: Floats, theirs: Floats, *, scale: Floats | float = 1.0) -> None:
    """Equal to 1e-9, measured against the larger of one, the value and the scale of its terms."""
    allowed = TOLERANCE * np.maximum(1.0, np.maximum(np.abs(theirs), scale))
    assert np.all(np.abs(ours - theirs) <= allowed)


@pytest.mark.parametrize("seed", range(3))
def test_prices_are_quantlibs(seed: int) -> None:
    options = random_options(5_000, seed=seed)
    np.testing.assert_allclose(price(*options), quantlib_prices(options), rtol=0, atol=TOLERANCE)


def test_greeks_are_quantlibs() -> None:
    options = random_options(3_000, seed=3)
    ours, theirs = greeks(*options), quantlib_greeks(options)
    for name in Greeks._fields:
        assert_close(getattr(ours, name), getattr(theirs, name))


def test_the_price_among_the_greeks_is_the_price() -> None:
    options = random_options(1_000, seed=4)
    assert np.array_equal(greeks(*options).price, price(*options))


@pytest.mark.parametrize("seed", range(5, 8))
def test_implied_vols_return_the_volatility_of_quantlibs_prices(seed: int) -> None:
    options = random_options(20_000, seed=seed)
    forward, strike, years, vol, call = options
    found = implied_vol(quantlib_prices(options), forward, strike, years, call)
    known = ~np.isnan(found)
    assert known.mean() > 0.95
    np.testing.assert_allclose(found[known], vol[known], rtol=0, atol=TOLERANCE)


def test_implied_vols_are_quantlibs() -> None:
    options = random_options(2_000, seed=8)
    forward, strike, years, vol, call = options
    paid = quantlib_prices(options)
    found = implied_vol(paid, forward, strike, years, call)
    checked = 0
    for ours, p, f, k, t, v, is_call in rows(found, paid, forward, strike, years, vol, call):
        if np.isnan(ours):
            continue
        guess = 1.1 * v * t**0.5
        theirs = (
            QuantLib.blackFormulaImpliedStdDev(kind(is_call), k, f, p, 1.0, 0.0, guess, 1e-15, 1_000) / t**0.5
        )
        assert abs(theirs - ours) <= TOLERANCE
        checked += 1
    assert checked > 1_900


def test_only_prices_without_recoverable_time_value_have_no_implied_vol() -> None:
    options = random_options(20_000, seed=9)
    forward, strike, years, _, call = options
    both = greeks(*options)
    lost = np.isnan(implied_vol(both.price, forward, strike, years, call))
    digit = np.spacing(np.maximum(forward, strike))
    assert 0 < lost.mean() < 0.05
    assert np.all(both.vega[lost] / POINT <= 5.01e9 * digit[lost])


@given(
    st.floats(1e-3, 1e7),
    st.floats(-3, 3),
    st.floats(1e-6, 30),
    st.floats(1e-3, 10),
    st.booleans(),
)
def test_what_is_returned_reprices_to_the_price(
    forward: float, moneyness: float, years: float, vol: float, is_call: bool
) -> None:
    strike = forward * float(np.exp(moneyness))
    paid = price(forward, strike, years, vol, is_call)
    found = implied_vol(paid, forward, strike, years, is_call)
    if not np.isnan(found):
        again = price(forward, strike, years, found, is_call)
        assert abs(again - paid) <= 1e-12 * max(forward, strike)
        assert abs(found - vol) <= TOLERANCE * max(1.0, vol)


@pytest.mark.parametrize("seed", range(10, 12))
def test_calls_and_puts_keep_parity(seed: int) -> None:
    forward, strike, years, vol, _ = random_options(5_000, seed=seed)
    call, put = greeks(forward, strike, years, vol, True), greeks(forward, strike, years, vol, False)
    np.testing.assert_allclose(call.price - put.price, forward - strike, rtol=0, atol=1e-9)
    np.testing.assert_allclose(call.delta - put.delta, 1.0, rtol=0, atol=1e-12)
    for name in ("gamma", "vega", "theta", "vanna"):
        assert np.array_equal(getattr(call, name), getattr(put, name))


@pytest.mark.parametrize(("years", "vol"), [(0.0, 0.5), (0.5, 0.0), (0.0, 0.0)])
def test_without_time_or_volatility_only_the_intrinsic_value_is_left(years: float, vol: float) -> None:
    each = greeks([90.0, 100.0, 110.0], 100.0, years, vol, [[True], [False]])
    assert each.price.tolist() == [[0, 0, 10], [10, 0, 0]]
    assert each.delta.tolist() == [[0, 0.5, 1], [-1, -0.5, 0]]
    for name in ("gamma", "theta", "vanna"):
        assert not getattr(each, name).any()
    assert np.isnan(implied_vol(each.price, [90.0, 100.0, 110.0], 100.0, years, [[True], [False]])).all()


@pytest.mark.parametrize(
    "option", [(-1.0, 100, 1, 0.5), (100, 0, 1, 0.5), (100, 100, -1, 0.5), (100, 100, 1, -0.5)]
)
def test_senseless_terms_give_nan_and_no_warning(option: tuple[float, ...]) -> None:
    assert all(np.isnan(each) for each in greeks(*option, is_call=True))


@pytest.mark.parametrize("paid", [-1.0, 0.0, 10.0, 110.0, 200.0, float("nan"), float("inf")])
def test_prices_outside_the_bounds_have_no_implied_vol(paid: float) -> None:
    assert np.isnan(implied_vol(paid, 110.0, 100.0, 1.0, True))


def test_arguments_broadcast_and_may_be_empty() -> None:
    found = implied_vol([[5.0], [6.0]], 100.0, 101.0, 0.1, [True, False, True])
    assert found.shape == (2, 3)
    assert found[0, 0] == found[0, 2] == implied_vol(5.0, 100.0, 101.0, 0.1, True)
    assert implied_vol([], 100.0, 100.0, 1.0, True).shape == (0,)
    assert greeks([], 100.0, 1.0, 0.5, True).vega.shape == (0,)


@given(st.floats(0.05, 3), st.floats(0.01, 2))
def test_at_the_money_the_closed_form_holds(vol: float, years: float) -> None:
    # An option at the money is worth erf(s / sqrt(8)) of its forward.
    from math import erf

    assert price(1.0, 1.0, years, vol, True) == pytest.approx(erf(vol * years**0.5 / 8**0.5), abs=1e-15)


def test_years_are_act_365_and_never_negative() -> None:
    assert years_between(0, YEAR_US) == 1.0
    assert years_between([0, 5], [YEAR_US // 365, 0]).tolist() == [1 / 365, 0.0]
