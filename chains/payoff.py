"""Piecewise-linear payoffs at expiry: the one kernel for collateral, dominance and settlement value.

A payoff is its value at price 0, at every strike (or knot), and its slope beyond the last one. Between
knots it is linear, so it is at or above zero everywhere exactly when it is so at every knot and the
slope is not negative. Forgetting the price 0 or the slope is the classic mistake; here both are part
of the type.

Prices are micro-USD. Values are pico-USDC (1e-6 micro-USDC), because then every package of options has
whole values at every whole price: a lot is a whole number of 1e-6 coins. A payoff drawn through
arbitrary knots need not have whole values between them; adding two such payoffs keeps the sum exact
by a common `denominator`, which is 1 for every package. Arithmetic is on Python integers, which cannot
overflow.

Source: the corner rule of linear programming (a linear function on an interval takes its minimum at
an end), as the margin rules of on-chain option venues use it: value at zero, at the strikes, and the
slope at the end.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import Final

from chains.errors import PayoffError
from chains.series import OptionKind, Series
from chains.units import MICRO, floor_div

PICO_PER_MICRO: Final = 1_000_000
"""Pico-USDC per micro-USDC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payoff:
    """A piecewise-linear function of the settlement price.

    Attributes
    ----------
    prices : knots in micro-USD, strictly rising from 0
    values : value at each knot, in pico-USDC times `denominator`
    slope : beyond the last knot, in micro-USDC per USD (which is pico-USDC per micro-USD)
    denominator : 1 for every package of options

    Raises
    ------
    PayoffError
        If the prices do not rise strictly from 0, or if the values are not as many.
    """

    prices: tuple[int, ...]
    values: tuple[int, ...]
    slope: int
    denominator: int = 1

    def __post_init__(self) -> None:
        if not self.prices or self.prices[0] != 0:
            raise PayoffError("the first knot of a payoff is at price 0")
        if any(low >= high for low, high in pairwise(self.prices)):
            raise PayoffError("the knots of a payoff rise strictly")
        if len(self.values) != len(self.prices) or self.denominator < 1:
            raise PayoffError(f"{len(self.prices)} knots cannot have {len(self.values)} values")

    def value_at(self, price: int) -> int:
        """The value at a settlement price (micro-USD), in pico-USDC, rounded down; exact for packages.

        Raises
        ------
        PayoffError
            If the price is negative.
        """
        exact = self._exact(price)
        return floor_div(exact.numerator, exact.denominator)

    def minimum(self) -> int | None:
        """The lowest value over all prices in pico-USDC, rounded down; None if it is unbounded below."""
        return None if self.slope < 0 else floor_div(min(self.values), self.denominator)

    def dominates(self, other: "Payoff") -> bool:
        """Whether this payoff is worth at least the other at every price."""
        difference = self + other * -1
        return difference.slope >= 0 and min(difference.values) >= 0

    def __add__(self, other: "Payoff") -> "Payoff":
        """The payoff of holding both, exactly, with the knots of both."""
        prices = tuple(sorted({*self.prices, *other.prices}))
        values = [self._exact(price) + other._exact(price) for price in prices]
        denominator = lcm(*(value.denominator for value in values))
        return Payoff(
            prices=prices,
            values=tuple(int(value * denominator) for value in values),
            slope=self.slope + other.slope,
            denominator=denominator,
        )

    def __mul__(self, times: int) -> "Payoff":
        """The payoff of holding it several times; negative: of owing it."""
        return Payoff(
            prices=self.prices,
            values=tuple(value * times for value in self.values),
            slope=self.slope * times,
            denominator=self.denominator,
        )

    __rmul__ = __mul__

    def _exact(self, price: int) -> Fraction:
        if price < 0:
            raise PayoffError(f"a settlement price is not negative, {price} is")
        left = bisect_right(self.prices, price) - 1
        start, value = self.prices[left], Fraction(self.values[left], self.denominator)
        if left == len(self.prices) - 1:
            return value + self.slope * (price - start)
        rise = Fraction(self.values[left + 1], self.denominator) - value
        return value + Fraction(rise * (price - start), self.prices[left + 1] - start)


def package_payoff(legs: Iterable[tuple[Series, int]], *, knots: Iterable[int] = ()) -> Payoff:
    """The payoff of holding lots of series that expire together; negative lots are owed.

    Its knots are price 0, every strike, flat ones included, and `knots` (micro-USD). No legs make the
    payoff that is always zero.

    Raises
    ------
    PayoffError
        If the legs differ in underlying or expiry: such values never net.
    """
    held = _expiring_together(legs)
    prices = sorted({0, *knots, *(series.strike * MICRO for series, _ in held)})
    return Payoff(
        prices=tuple(prices),
        values=tuple(_pico_value(held, price) for price in prices),
        slope=sum(lots * _slope_per_lot(series) for series, lots in held if series.kind is OptionKind.CALL),
    )


def from_knots(prices: Sequence[int], values: Sequence[int], slope: int) -> Payoff:
    """A payoff drawn through knots, such as a signed payoff target.

    The prices are micro-USD and rise strictly from 0, the values micro-USDC at each of them, and the
    slope, beyond the last price, is micro-USDC per USD.

    Raises
    ------
    PayoffError
        If the prices do not rise strictly from 0, or if the values are not as many.
    """
    return Payoff(prices=tuple(prices), values=tuple(v * PICO_PER_MICRO for v in values), slope=slope)


def settlement_cash(legs: Iterable[tuple[Series, int]], price: int) -> int:
    """What lots are worth in cash at a settlement price (micro-USD), in micro-USDC, rounded down.

    Down is against whoever holds the lots: a holder receives no more, and a writer (negative lots)
    owes no less, than the exact value. So the two sides of a series never pay out more than they
    bring in, and any netting of lots before rounding only helps the account.

    Raises
    ------
    PayoffError
        If the legs differ in underlying or expiry, or if the price is negative.
    """
    if price < 0:
        raise PayoffError(f"a settlement price is not negative, {price} is")
    return floor_div(_pico_value(_expiring_together(legs), price), PICO_PER_MICRO)


def _expiring_together(legs: Iterable[tuple[Series, int]]) -> list[tuple[Series, int]]:
    held = list(legs)
    if len({(series.underlying, series.expiry) for series, _ in held}) > 1:
        raise PayoffError(f"{', '.join(series.id for series, _ in held)} do not expire together")
    return held


def _pico_value(held: list[tuple[Series, int]], price: int) -> int:
    total = 0
    for series, lots in held:
        above = price - series.strike * MICRO
        total += lots * _slope_per_lot(series) * max(above if series.kind is OptionKind.CALL else -above, 0)
    return total


def _slope_per_lot(series: Series) -> int:
    """Micro-USDC per USD, which is pico-USDC per micro-USD: the coins of a lot times a million."""
    coins, per = series.lot_size
    slope, rest = divmod(coins * MICRO, per)
    if rest:
        raise PayoffError(f"{series.underlying}: a lot is no whole number of 1e-6 coins")
    return slope
