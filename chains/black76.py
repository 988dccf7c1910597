"""Black-76: prices, Greeks and implied volatilities of European options on a forward, as arrays.

Interest is zero and time is ACT/365 in seconds, the convention that reproduces published marks of
the venues modelled here. Prices are per coin of underlying in the currency of forward and strike;
volatility is a fraction (0.5 is 50 vol points); time is in years. Arguments broadcast like any NumPy
operands, and the answers have the broadcast shape. Where an argument makes no sense (a forward or
strike that is not positive, a negative time or volatility) the answer is NaN.

What it computes is information: whoever quotes by it, such as a pool or a maker, rounds to whole micro-USDC
once, and only that integer is traded, verified and settled.

Source: Black (1976), "The pricing of commodity contracts"; the implied volatility works on the time
value of the out-of-the-money option with the change of variable of Jaeckel, "Let's be rational" (2015).
"""

from collections.abc import Callable
from math import pi, sqrt
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx, ndtr

from chains.units import MICRO

Floats: TypeAlias = npt.NDArray[np.float64]

DAYS_PER_YEAR: Final = 365
YEAR_US: Final = DAYS_PER_YEAR * 86_400 * MICRO
"""Microseconds per ACT/365 year."""

POINT: Final = 0.01
"""One vol point."""

_ROOT_TWO: Final = sqrt(2.0)
_ROOT_TWO_PI: Final = sqrt(2.0 * pi)
_RESOLUTION: Final = 2e-10
"""The most by which one rounding step may move an implied volatility that is returned."""

_STEPS_MAX: Final = 100
_CLOSE: Final = 1e-9
"""A relative step after which the next one would change nothing."""

_SATURATED: Final = 8.5
"""Beyond this many deviations the normal distribution is 0 or 1 in double precision."""

_Objective: TypeAlias = Callable[[Floats, Floats], tuple[Floats, Floats]]


class Greeks(NamedTuple):
    """A price and its five sensitivities, per coin of underlying.

    Attributes
    ----------
    price : in the currency of the forward
    delta : per unit of the forward, not premium-adjusted
    gamma : change of delta per unit of the forward
    vega : change of price per vol point
    theta : change of price per day that passes (negative)
    vanna : change of delta per vol point
    """

    price: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    vanna: Floats


def years_between(now_us: npt.ArrayLike, expiry_us: npt.ArrayLike) -> Floats:
    """The ACT/365 years from one instant to another (microseconds); zero if that is past."""
    span = np.subtract(expiry_us, now_us, dtype=np.int64)
    return np.asarray(np.maximum(span, 0) / YEAR_US)


def price(
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    vol: npt.ArrayLike,
    is_call: npt.ArrayLike,
) -> Floats:
    """The undiscounted Black-76 price; without time or volatility, the intrinsic value."""
    return _terms(forward, strike, years, vol, is_call).price()


def greeks(
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    vol: npt.ArrayLike,
    is_call: npt.ArrayLike,
) -> Greeks:
    """The price and its Greeks, in one pass over the terms that they share.

    Without time or volatility an option has the delta of its intrinsic value (a half at the strike),
    and neither gamma, theta nor vanna.
    """
    terms = _terms(forward, strike, years, vol, is_call)
    with np.errstate(all="ignore"):
        density = np.exp(-0.5 * terms.d1 * terms.d1) / _ROOT_TWO_PI
        gamma = density / (terms.forward * terms.deviation)
        slope = terms.forward * density
        vega = slope * np.sqrt(terms.years) * POINT
        theta = slope * terms.deviation / (-2.0 * DAYS_PER_YEAR * terms.years)
        vanna = density * (terms.deviation - terms.d1) * (POINT / terms.vol)
    still = terms.deviation == 0.0
    if still.any():
        gamma, theta, vanna = (np.where(still, 0.0, each) for each in (gamma, theta, vanna))
    return Greeks(
        price=terms.price(),
        delta=terms.sign * terms.cdf1,
        gamma=gamma,
        vega=vega,
        theta=theta,
        vanna=vanna,
    )


def implied_vol(
    price: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    is_call: npt.ArrayLike,
) -> Floats:
    """The volatility at which Black-76 gives the price.

    NaN where the price is not strictly between the intrinsic value and the highest value an option
    can have, where no time is left, and where the price holds no recoverable time value: where the
    last binary digit of forward and strike, taken as the noise of the price, would by itself move the
    volatility by more than 2e-10. What is returned is good to 1e-9 for any carefully computed price.
    """
    paid, ahead, level, time, _ = np.broadcast_arrays(
        *(np.asarray(each, dtype=np.float64) for each in (price, forward, strike, years, is_call))
    )
    with np.errstate(all="ignore"):
        intrinsic = np.maximum(np.where(is_call, ahead - level, level - ahead), 0.0)
        scale = np.sqrt(ahead * level)
        moneyness = -np.abs(np.log(ahead / level))
        value = (paid - intrinsic) / scale
        solvable = (ahead > 0) & (level > 0) & (time > 0) & (value > 0) & (value < np.exp(0.5 * moneyness))
    largest, scale, root_time, moneyness, value = (
        each[solvable] for each in (np.maximum(ahead, level), scale, np.sqrt(np.abs(time)), moneyness, value)
    )
    deviation = _solve_deviation(value, moneyness)
    with np.errstate(all="ignore"):
        vega = scale * root_time * _normal_slope(deviation, moneyness)
        found = np.where(np.spacing(largest) <= _RESOLUTION * vega, deviation / root_time, np.nan)
    answer = np.full(solvable.shape, np.nan)
    answer[solvable] = found
    return answer


class _Terms(NamedTuple):
    """What prices and Greeks share; `deviation` is volatility times the root of time."""

    forward: Floats
    strike: Floats
    years: Floats
    vol: Floats
    sign: Floats
    deviation: Floats
    d1: Floats
    cdf1: Floats
    cdf2: Floats

    def price(self) -> Floats:
        return self.sign * (self.forward * self.cdf1 - self.strike * self.cdf2)


def _terms(
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    vol: npt.ArrayLike,
    is_call: npt.ArrayLike,
) -> _Terms:
    ahead, level, time, sigma = (np.asarray(each, dtype=np.float64) for each in (forward, strike, years, vol))
    sign = np.where(is_call, 1.0, -1.0)
    with np.errstate(all="ignore"):
        deviation = np.where(sigma >= 0.0, sigma, np.nan) * np.sqrt(time)
        ratio = ahead / level
        log_moneyness = np.log(np.where((ahead > 0.0) & (level > 0.0), ratio, np.nan))
        d1 = log_moneyness / deviation + 0.5 * deviation
        d1 = np.where((deviation == 0.0) & (log_moneyness == 0.0), 0.0, d1)
        d2 = d1 - deviation
    return _Terms(
        forward=ahead,
        strike=level,
        years=time,
        vol=sigma,
        sign=sign,
        deviation=deviation,
        d1=d1,
        cdf1=ndtr(sign * d1),
        cdf2=ndtr(sign * d2),
    )


def _solve_deviation(value: Floats, moneyness: Floats) -> Floats:
    """The total deviation s at which a normalised out-of-the-money option has its value, or NaN.

    With x = log-moneyness <= 0, the value over sqrt(forward*strike) rises in s from 0 to exp(x/2), with
    its turn at sqrt(-2x). Below the turn 1/sqrt(-log(value)), above it the logarithm of what is missing
    to exp(x/2), is nearly linear in s, so that Newton needs few steps; a bracket guards each of them.
    """
    turn = np.sqrt(-2.0 * moneyness)
    answer = np.empty_like(value)
    with np.errstate(all="ignore"):
        lower = value < np.exp(-1.0 / _lower(turn, moneyness)[0] ** 2)
        v, x, middle = value[lower], moneyness[lower], turn[lower]
        answer[lower] = _newton(
            _lower,
            x,
            target=1.0 / np.sqrt(-np.log(v)),
            start=np.minimum(middle, -x / np.sqrt(-2.0 * np.log(v))),
            bracket=(np.zeros_like(x), 1.01 * middle),
        )
        v, x, middle = value[~lower], moneyness[~lower], turn[~lower]
        answer[~lower] = _newton(
            _upper,
            x,
            target=-np.log(np.exp(0.5 * x) - v),
            start=np.sqrt(middle * middle + 2.0 * pi * v * v),
            bracket=(0.99 * middle, _SATURATED + np.sqrt(_SATURATED**2 + middle * middle)),
        )
    return answer


def _newton(
    objective: _Objective, x: Floats, *, target: Floats, start: Floats, bracket: tuple[Floats, Floats]
) -> Floats:
    answer = np.full_like(x, np.nan)
    low, high = bracket
    place: npt.NDArray[np.intp] = np.arange(x.size)
    s = start
    for _ in range(_STEPS_MAX):
        if not place.size:
            break
        reached, slope = objective(s, x)
        low, high = np.where(reached < target, s, low), np.where(reached < target, high, s)
        step = s - (reached - target) / slope
        step = np.where((low <= step) & (step <= high), step, 0.5 * (low + high))
        open_still = np.abs(step - s) > _CLOSE * step
        answer[place[~open_still]] = step[~open_still]
        place = place[open_still]
        x, target, s, low, high = (each[open_still] for each in (x, target, step, low, high))
    return answer


def _lower(s: Floats, x: Floats) -> tuple[Floats, Floats]:
    """1/sqrt(-log(value)) and its slope in s."""
    h, t = x / s, 0.5 * s
    scaled = 0.5 * (erfcx(-(h + t) / _ROOT_TWO) - erfcx((t - h) / _ROOT_TWO))
    reached = 1.0 / np.sqrt(0.5 * (h * h + t * t) - np.log(scaled))
    return reached, 0.5 * reached**3 / (_ROOT_TWO_PI * scaled)


def _upper(s: Floats, x: Floats) -> tuple[Floats, Floats]:
    """-log(exp(x/2) - value) and its slope in s."""
    h, t = x / s, 0.5 * s
    scaled = 0.5 * (erfcx((h + t) / _ROOT_TWO) + erfcx((t - h) / _ROOT_TWO))
    return 0.5 * (h * h + t * t) - np.log(scaled), 1.0 / (_ROOT_TWO_PI * scaled)


def _normal_slope(s: Floats, x: Floats) -> Floats:
    """How the normalised value rises in s."""
    h, t = x / s, 0.5 * s
    return np.exp(-0.5 * (h * h + t * t)) / _ROOT_TWO_PI
