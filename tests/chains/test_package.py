from math import gcd

from hypothesis import given
from hypothesis import strategies as st

from chains.package import reduce_legs

ratios = st.integers(-60, 60).filter(bool)
leg_lists = st.dictionaries(st.sampled_from("abcdefgh"), ratios, min_size=1).map(
    lambda legs: list(legs.items())
)


@given(leg_lists)
def test_units_times_the_factor_are_the_same_legs(legs: list[tuple[str, int]]) -> None:
    package, factor = reduce_legs(legs)
    assert factor >= 1
    assert [(series, ratio * factor) for series, ratio in package] == sorted(legs)
    assert gcd(*(ratio for _, ratio in package)) == 1


@given(leg_lists, st.integers(1, 20), st.randoms(use_true_random=False))
def test_peers_have_one_package_whatever_their_size_and_order(
    legs: list[tuple[str, int]], times: int, random: object
) -> None:
    larger = [(series, ratio * times) for series, ratio in legs]
    random.shuffle(larger)  # type: ignore[attr-defined]
    package, factor = reduce_legs(legs)
    assert reduce_legs(larger) == (package, factor * times)


@given(leg_lists)
def test_buyers_and_sellers_of_a_package_are_not_peers(legs: list[tuple[str, int]]) -> None:
    package, factor = reduce_legs(legs)
    opposite, same_factor = reduce_legs([(series, -ratio) for series, ratio in legs])
    assert opposite == tuple((series, -ratio) for series, ratio in package)
    assert same_factor == factor
