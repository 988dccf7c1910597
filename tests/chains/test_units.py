from fractions import Fraction
from math import ceil, floor

from hypothesis import given
from hypothesis import strategies as st

from chains.units import WIRE_MAX, ceil_div, floor_div, nearest_root

whole = st.integers(-(10**40), 10**40)
positive = st.integers(1, 10**20)


@given(whole, positive)
def test_ceil_div_is_the_least_integer_not_below_the_quotient(numerator: int, denominator: int) -> None:
    assert ceil_div(numerator, denominator) == ceil(Fraction(numerator, denominator))


@given(whole, positive)
def test_floor_div_is_the_greatest_integer_not_above_the_quotient(numerator: int, denominator: int) -> None:
    assert floor_div(numerator, denominator) == floor(Fraction(numerator, denominator))


@given(whole, positive)
def test_the_two_divisions_differ_only_where_something_is_left(numerator: int, denominator: int) -> None:
    left = ceil_div(numerator, denominator) - floor_div(numerator, denominator)
    assert left == (numerator % denominator != 0)


@given(st.integers(0, 10**40), positive)
def test_nearest_root_is_within_a_half_of_the_root(numerator: int, denominator: int) -> None:
    root, square = nearest_root(numerator, denominator), Fraction(numerator, denominator)
    assert square < (root + Fraction(1, 2)) ** 2
    assert root == 0 or square >= (root - Fraction(1, 2)) ** 2


def test_every_wire_integer_survives_a_double() -> None:
    assert int(float(WIRE_MAX)) == WIRE_MAX
    assert int(float(WIRE_MAX + 2)) != WIRE_MAX + 2
