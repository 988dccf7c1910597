from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import PayoffError
from chains.payoff import PICO_PER_MICRO, Payoff, from_knots, package_payoff, settlement_cash
from chains.series import LOT_SIZES, OptionKind, Series, parse_series
from chains.units import MICRO

EXPIRY = parse_series("BTC-26JUN26-100000-C").expiry
LOT = MICRO * PICO_PER_MICRO // 100
"""Pico-USDC that one lot of BTC (a hundredth of a coin) gains per dollar."""

Legs = list[tuple[Series, int]]


def option(text: str, underlying: str = "BTC") -> Series:
    return Series(underlying=underlying, expiry=EXPIRY, strike=int(text[:-1]), kind=OptionKind(text[-1]))


def payoff(**lots: int) -> Payoff:
    """`payoff(c100=1, p90=-2)`: one bought call, two written puts."""
    return package_payoff((option(name[1:] + name[0].upper()), size) for name, size in lots.items())


def worth(legs: Legs, price: int) -> Fraction:
    """The value in USDC at a price in micro-USD, straight from the definition of an option."""
    total = Fraction(0)
    for series, lots in legs:
        gain = Fraction(price, MICRO) - series.strike
        gain = gain if series.kind is OptionKind.CALL else -gain
        total += lots * max(gain, Fraction(0)) * Fraction(*series.lot_size)
    return total


series = st.builds(
    Series,
    underlying=st.just("BTC"),
    expiry=st.just(EXPIRY),
    strike=st.integers(1, 40),
    kind=st.sampled_from(OptionKind),
)
leg_lists = st.lists(st.tuples(series, st.integers(-5, 5)), max_size=8)
packages = leg_lists.map(package_payoff)
prices = st.integers(0, 60 * MICRO)


@st.composite
def drawn(draw: st.DrawFn) -> Payoff:
    knots = draw(st.lists(st.integers(1, 30), max_size=4, unique=True))
    values = draw(st.lists(st.integers(-20, 20), min_size=len(knots) + 1, max_size=len(knots) + 1))
    return from_knots((0, *sorted(knots)), values, draw(st.integers(-3, 3)))


payoffs = packages | drawn()


@given(leg_lists, prices)
def test_a_package_is_worth_the_sum_of_its_options(legs: Legs, price: int) -> None:
    assert Fraction(package_payoff(legs).value_at(price), PICO_PER_MICRO * MICRO) == worth(legs, price)


@given(leg_lists)
def test_the_minimum_is_that_of_a_fine_grid_and_of_the_far_end(legs: Legs) -> None:
    grid = [worth(legs, dollars * MICRO // 2) for dollars in range(200)]
    far, farther = worth(legs, 10**12), worth(legs, 10**13)
    lowest = package_payoff(legs).minimum()
    if farther < far:
        assert lowest is None
    else:
        assert lowest == min(grid) * PICO_PER_MICRO * MICRO


@given(payoffs, payoffs, prices)
def test_values_add(one: Payoff, other: Payoff, price: int) -> None:
    exact = sum((Fraction(each.value_at(price)) for each in (one, other)), Fraction(0))
    assert 0 <= (one + other).value_at(price) - exact <= 1


@given(leg_lists, leg_lists, prices)
def test_packages_add_exactly(one: Legs, other: Legs, price: int) -> None:
    together = package_payoff(one) + package_payoff(other)
    assert together == package_payoff(one + other)
    assert together.value_at(price) == package_payoff(one).value_at(price) + package_payoff(other).value_at(
        price
    )


@given(leg_lists, st.integers(-4, 4))
def test_a_multiple_is_that_many_packages(legs: Legs, times: int) -> None:
    assert package_payoff(legs) * times == package_payoff([(each, lots * times) for each, lots in legs])


@given(payoffs, payoffs)
def test_one_dominates_the_other_exactly_if_a_fine_grid_says_so(one: Payoff, other: Payoff) -> None:
    knots = {*one.prices, *other.prices}
    gaps = [exact(one, price) - exact(other, price) for price in {*knots, *range(0, 41 * MICRO, MICRO // 4)}]
    assert one.dominates(other) == (min(gaps) >= 0 and one.slope >= other.slope)


def exact(each: Payoff, price: int) -> Fraction:
    """The value without rounding, by straight lines between neighbouring knots."""
    knots = [(p, Fraction(v, each.denominator)) for p, v in zip(each.prices, each.values, strict=True)]
    for (low, at_low), (high, at_high) in pairwise(knots):
        if low <= price <= high:
            return at_low + (at_high - at_low) * Fraction(price - low, high - low)
    return knots[-1][1] + each.slope * (price - knots[-1][0])


@given(payoffs, payoffs, payoffs)
def test_dominance_is_transitive_and_reflexive(a: Payoff, b: Payoff, c: Payoff) -> None:
    assert a.dominates(a)
    if a.dominates(b) and b.dominates(c):
        assert a.dominates(c)


@given(payoffs, packages)
def test_adding_a_payoff_never_below_zero_dominates(base: Payoff, extra: Payoff) -> None:
    lowest = extra.minimum()
    assert (base + extra).dominates(base) == (lowest is not None and lowest >= 0)


@given(leg_lists, st.integers(1, 60 * MICRO))
def test_settlement_never_pays_out_more_than_it_takes_in(legs: Legs, price: int) -> None:
    paid = settlement_cash(legs, price)
    taken = settlement_cash([(each, -lots) for each, lots in legs], price)
    assert 0 <= worth(legs, price) * MICRO - paid < 1
    assert -1 <= paid + taken <= 0


@given(leg_lists, prices)
def test_netting_before_rounding_only_helps(legs: Legs, price: int) -> None:
    assert settlement_cash(legs, price) >= sum(settlement_cash([leg], price) for leg in legs)


def test_settlement_rounds_against_both_sides() -> None:
    lot = option("100C")
    assert settlement_cash([(lot, 1)], 100 * MICRO + 199) == 1
    assert settlement_cash([(lot, -1)], 100 * MICRO + 199) == -2


def test_the_worst_of_a_short_put_is_at_zero_and_a_short_call_has_none() -> None:
    assert payoff(p100=-3).minimum() == -3 * 100 * LOT
    assert payoff(p100=-3).value_at(0) == -3 * 100 * LOT
    assert payoff(c100=-1).minimum() is None
    assert payoff(c100=-1, c110=1).minimum() == -10 * LOT


def test_knots_are_zero_and_every_strike_and_the_slope_is_in_coins() -> None:
    each = payoff(c100=2, p110=1)
    assert each.prices == (0, 100 * MICRO, 110 * MICRO)
    assert each.values == (110 * LOT, 10 * LOT, 20 * LOT)
    assert each.slope == 2 * MICRO // 100
    assert each.value_at(111 * MICRO) == 22 * LOT


@pytest.mark.parametrize("underlying", sorted(LOT_SIZES))
def test_one_coin_of_calls_gains_a_dollar_per_dollar(underlying: str) -> None:
    coins, per = LOT_SIZES[underlying]
    assert settlement_cash([(option("100C", underlying), per)], 101 * MICRO) == coins * MICRO


def test_nothing_is_worth_nothing() -> None:
    assert package_payoff([]) == from_knots((0,), (0,), 0)
    assert settlement_cash([], 5) == 0


# The hand checks of cross-strike clearing: what is owed (negative) against what is held.


def test_a_lower_call_covers_a_higher_one_and_the_reverse_needs_the_width() -> None:
    assert payoff(c100=1).dominates(payoff(c110=1))
    assert payoff(c110=1, c100=-1).minimum() == -10 * LOT


def test_a_lower_put_covers_a_higher_one_up_to_the_width_seen_at_zero() -> None:
    assert payoff(p90=1, p100=-1).minimum() == payoff(p90=1, p100=-1).value_at(0) == -10 * LOT


def test_one_call_never_covers_two_however_far_up() -> None:
    assert payoff(c100=1, c110=-2).minimum() is None
    assert not payoff(c100=1).dominates(payoff(c110=2))


def test_a_box_is_cash() -> None:
    box, cash = payoff(c100=1, c110=-1, p110=1, p100=-1), from_knots((0,), (100_000,), 0)
    assert box.dominates(cash)
    assert cash.dominates(box)


def test_butterflies_even_broken_ones_are_never_below_zero() -> None:
    assert payoff(c90=1, c100=-2, c110=1).minimum() == 0
    assert payoff(c90=2, c100=-3, c120=1).minimum() == 0
    assert payoff(c90=2, c100=-3, c119=1).minimum() == 0
    assert payoff(c90=2, c100=-3, c121=1).minimum() == -1 * LOT


def test_two_unlisted_calls_are_covered_by_their_listed_neighbours() -> None:
    target = from_knots((0, 105 * MICRO), (0, 0), 2 * MICRO // 100)
    assert payoff(c100=1, c110=1).dominates(target)
    assert not payoff(c100=1, c110=1).dominates(target + from_knots((0,), (1,), 0))


def test_a_payoff_between_odd_knots_stays_exact_in_sums() -> None:
    third = from_knots((0, 3), (0, 1), 0)
    assert third.value_at(1) == PICO_PER_MICRO // 3
    other = from_knots((0, 1, 3), (0, 0, 0), 0)
    assert (third + other).denominator == 3
    assert (third + other).dominates(third)
    assert third.dominates(third + other)


@pytest.mark.parametrize(
    ("knots", "values"),
    [((), ()), ((1,), (0,)), ((0, 5, 5), (0, 0, 0)), ((0, 5, 4), (0, 0, 0)), ((0, 5), (0,))],
)
def test_knots_that_draw_no_payoff_are_refused(knots: tuple[int, ...], values: tuple[int, ...]) -> None:
    with pytest.raises(PayoffError):
        from_knots(knots, values, 0)


def test_expiries_and_underlyings_never_net() -> None:
    later = Series(
        underlying="BTC", expiry=parse_series("BTC-25SEP26-100-C").expiry, strike=100, kind=OptionKind.CALL
    )
    for other in (later, option("100C", "ETH")):
        with pytest.raises(PayoffError):
            package_payoff([(option("100C"), 1), (other, -1)])
        with pytest.raises(PayoffError):
            settlement_cash([(option("100C"), 1), (other, -1)], 0)


def test_prices_are_not_negative() -> None:
    with pytest.raises(PayoffError):
        payoff(c100=1).value_at(-1)
    with pytest.raises(PayoffError):
        settlement_cash([(option("100C"), 1)], -1)
