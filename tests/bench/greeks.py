"""Options priced and implied vols solved per second, as arrays.

`greeks`: price, delta, gamma, vega, theta and vanna of 1,000,000 options in one call. The baseline is
one pass of the bare Black-76 price formula over the same arrays, written out below: the ratio is what is
left of that speed with the five Greeks on top.

`implied-vol`: the vols that give 1,000,000 prices back, good to 1e-9. The baseline is a loop over
QuantLib's `blackFormulaImpliedStdDev`, asked for the same accuracy, on 10,000 of the prices.

Options are drawn once: calls and puts, a week to a year away, 30 to 150 vol points, strikes within two
deviations of the forward. With --quick there are fewer runs, of 100,000 options and 2,000 for QuantLib.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import QuantLib
from _harness import Result, note, run_bench, sample_rate, take_turns
from scipy.special import ndtr

from chains.black76 import Floats, greeks, implied_vol, price

SEED: Final = 76
ACCURACY: Final = 1e-10
"""In total deviation, which for a week is 1e-9 in vol."""


class Options(NamedTuple):
    """(n,) arrays: forward and strike in USD, years, vol as a fraction, call or put."""

    forward: Floats
    strike: Floats
    years: Floats
    vol: Floats
    is_call: npt.NDArray[np.bool_]

    def first(self, count: int) -> "Options":
        return Options(*(each[:count] for each in self))


def draw_options(count: int) -> Options:
    random = np.random.Generator(np.random.PCG64(SEED))
    forward = random.uniform(20_000, 120_000, count)
    years = random.uniform(7 / 365, 1, count)
    vol = random.uniform(0.3, 1.5, count)
    strike = forward * np.exp(random.uniform(-2, 2, count) * vol * np.sqrt(years))
    return Options(forward, strike, years, vol, random.random(count) < 0.5)


def bare_price(options: Options) -> Floats:
    """Black (1976) without interest, and without any care for the edges."""
    forward, strike, years, vol, is_call = options
    sign = np.where(is_call, 1.0, -1.0)
    deviation = vol * np.sqrt(years)
    d1 = np.log(forward / strike) / deviation + 0.5 * deviation
    return sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - deviation)))


def measure_greeks(case: str, *, quick: bool) -> Iterator[Result]:
    """Price and five Greeks against the price alone."""
    count, runs = (100_000, 3) if quick else (1_000_000, 9)
    options = draw_options(count)
    note(f"  {count:,} options; {runs} runs")
    np.testing.assert_allclose(greeks(*options).price, bare_price(options), rtol=0, atol=1e-9)
    rates = take_turns(
        {
            "ours": sample_rate(count, lambda: greeks(*options)),
            "bare": sample_rate(count, lambda: bare_price(options)),
        },
        runs=runs,
    )
    yield Result(
        case=case, metric="price-and-greeks", value=rates["ours"], unit="options/s", baseline=rates["bare"]
    )


def measure_implied_vol(case: str, *, quick: bool) -> Iterator[Result]:
    """Implied vols against QuantLib's, one at a time."""
    count, few, runs = (100_000, 2_000, 3) if quick else (1_000_000, 10_000, 9)
    options = draw_options(count)
    paid = price(*options)
    note(f"  {count:,} prices, {few:,} of them for QuantLib; {runs} runs")
    rows = _rows(options.first(few), paid[:few])
    ours = implied_vol(paid, *_without_vol(options))
    np.testing.assert_allclose(ours, options.vol, rtol=0, atol=1e-9)
    np.testing.assert_allclose(quantlib_vols(rows), options.vol[:few], rtol=0, atol=1e-8)
    rates = take_turns(
        {
            "ours": sample_rate(count, lambda: implied_vol(paid, *_without_vol(options))),
            "QuantLib": sample_rate(few, lambda: quantlib_vols(rows)),
        },
        runs=runs,
    )
    yield Result(
        case=case, metric="implied-vol", value=rates["ours"], unit="options/s", baseline=rates["QuantLib"]
    )


Row = tuple[int, float, float, float, float]


def quantlib_vols(rows: list[Row]) -> list[float]:
    """A loop over prices; each starts from QuantLib's own guess."""
    solve, own_guess = QuantLib.blackFormulaImpliedStdDev, QuantLib.nullDouble()
    return [
        solve(kind, strike, forward, paid, 1.0, 0.0, own_guess, ACCURACY, 100) / root_years
        for kind, strike, forward, paid, root_years in rows
    ]


def _rows(options: Options, paid: Floats) -> list[Row]:
    kind = np.where(options.is_call, QuantLib.Option.Call, QuantLib.Option.Put)
    columns = (kind, options.strike, options.forward, paid, np.sqrt(options.years))
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _without_vol(options: Options) -> tuple[Floats, Floats, Floats, npt.NDArray[np.bool_]]:
    return options.forward, options.strike, options.years, options.is_call


if __name__ == "__main__":
    run_bench("greeks", __doc__, {"greeks": measure_greeks, "implied-vol": measure_implied_vol})
