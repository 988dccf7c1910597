"""Collateral against a brute-force account: solvent at every settlement price, and not a unit too much."""

from collections import defaultdict
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.package import Legs
from chains.series import OptionKind, Series, parse_series
from chains.units import COIN, MICRO, USDC
from intents.collateral import package_collateral, requirement_of

EXPIRIES = ("26JUN26", "25SEP26")
STRIKES = (1, 90_000, 100_000, 100_001, 110_000, 10_000_000)
NAMES = [
    f"{underlying}-{day}-{strike}-{kind}"
    for underlying in ("BTC", "ETH")
    for day in EXPIRIES
    for strike in STRIKES
    for kind in "CP"
]
ratios = st.integers(-30, 30).filter(bool)
packages = st.dictionaries(st.sampled_from(NAMES), ratios, min_size=1, max_size=8).map(
    lambda legs: tuple(legs.items())
)
one_group = st.dictionaries(
    st.sampled_from([name for name in NAMES if name.startswith("BTC-26JUN26")]),
    ratios,
    min_size=1,
    max_size=8,
).map(lambda legs: tuple(legs.items()))

CALL, HIGH = "BTC-26JUN26-100000-C", "BTC-26JUN26-110000-C"
PUT, LOW = "BTC-26JUN26-90000-P", "BTC-26JUN26-80000-P"
LATER = "BTC-25SEP26-110000-C"
LOT = Fraction(1, 100)


def intrinsic(series: Series, price: Fraction) -> Fraction:
    """USD per coin at expiry."""
    gain = price - series.strike if series.kind is OptionKind.CALL else series.strike - price
    return max(gain, Fraction(0))


def worth(legs: Legs, price: Fraction, coins: int, usdc: int) -> Fraction:
    """USD of an account that holds lots, coins (1e-8) and micro-USDC when BTC settles at a price."""
    total = Fraction(coins, COIN) * price + Fraction(usdc, MICRO)
    for text, ratio in legs:
        series = parse_series(text)
        total += ratio * Fraction(*series.lot_size) * intrinsic(series, price)
    return total


def telling_prices() -> list[Fraction]:
    near = [Fraction(strike) + step for strike in STRIKES for step in (Fraction(-1, 2), 0, Fraction(1, 3))]
    return [Fraction(0), *near, Fraction(10**9), Fraction(10**12)]


PRICES = telling_prices()


@given(legs=one_group)
@settings(max_examples=300, deadline=None)
def test_a_written_package_with_its_collateral_is_solvent_at_every_price(legs: Legs) -> None:
    held = dict(package_collateral(legs))
    for price in PRICES:
        assert worth(legs, price, held.get("BTC", 0), held.get(USDC, 0)) >= 0


@given(legs=one_group)
@settings(max_examples=300, deadline=None)
def test_no_unit_of_collateral_is_too_much(legs: Legs) -> None:
    held = dict(package_collateral(legs))
    coins, usdc = held.get("BTC", 0), held.get(USDC, 0)
    if coins:
        assert worth(legs, Fraction(10**18), coins - 1, usdc) < 0
    if usdc:
        assert min(worth(legs, price, coins, usdc - 1) for price in PRICES) < 0


@given(legs=packages)
@settings(max_examples=100, deadline=None)
def test_nothing_is_netted_between_underlyings_or_expiries(legs: Legs) -> None:
    apart: defaultdict[str, int] = defaultdict(int)
    for underlying in ("BTC", "ETH"):
        for day in EXPIRIES:
            group = tuple(leg for leg in legs if leg[0].startswith(f"{underlying}-{day}"))
            for asset, amount in package_collateral(group):
                apart[asset] += amount
    assert dict(package_collateral(legs)) == dict(apart)


@pytest.mark.parametrize(
    ("legs", "collateral"),
    [
        (((PUT, -1),), {USDC: 90_000 * LOT * MICRO}),
        (((CALL, -1),), {"BTC": LOT * COIN}),
        (((CALL, -3), (PUT, -2)), {"BTC": 3 * LOT * COIN, USDC: 2 * 90_000 * LOT * MICRO}),
        (((CALL, -1), (HIGH, 1)), {USDC: 10_000 * LOT * MICRO}),
        (((CALL, 1), (HIGH, -1)), {}),
        (((CALL, 1), (HIGH, -2)), {"BTC": LOT * COIN}),
        (((PUT, -1), (LOW, 1)), {USDC: 10_000 * LOT * MICRO}),
        (((PUT, 1), (LOW, -1)), {}),
        (((CALL, -1), (LATER, 1)), {"BTC": LOT * COIN}),
        (((CALL, 1), (PUT, 1)), {}),
    ],
)
def test_the_packages_that_people_know(legs: Legs, collateral: dict[str, Fraction]) -> None:
    assert dict(package_collateral(legs)) == collateral


def test_premium_to_be_received_never_counts() -> None:
    assert requirement_of(((CALL, -1),), limit=-500).reserved(3) == {"BTC": 3 * LOT * COIN}
    assert requirement_of(((CALL, 1),), limit=-500).reserved(3) == {}


def test_a_debit_and_its_collateral_add_up() -> None:
    requirement = requirement_of(((PUT, -1), (CALL, 1)), limit=7)
    assert requirement.reserved(2) == {USDC: 2 * (7 + 90_000 * LOT * MICRO)}
    assert requirement.collateral_of(2) == {USDC: 2 * 90_000 * LOT * MICRO}


def test_a_closing_leg_ties_up_its_lots_and_nothing_else() -> None:
    requirement = requirement_of(((PUT, -2), (CALL, 1)), limit=7, closing=[PUT])
    assert requirement.reserved(3) == {PUT: 6, USDC: 21}
    assert requirement.collateral_of(3) == {}
    assert (requirement.closing, requirement.written, requirement.bought) == (((PUT, 2),), (), ((CALL, 1),))
    assert requirement.closing_series == {PUT}


def test_the_bought_legs_of_a_written_package_stay_with_it() -> None:
    written = requirement_of(((CALL, -1), (HIGH, 1)), limit=0)
    assert (written.written, written.bought) == (((CALL, -1), (HIGH, 1)), ())
    closed = requirement_of(((CALL, -1), (HIGH, 1)), limit=0, closing=[CALL])
    assert (closed.written, closed.bought) == ((), ((HIGH, 1),))


@given(legs=packages, limit=st.integers(-(10**6), 10**6), data=st.data())
@settings(max_examples=150, deadline=None)
def test_what_is_tied_up_is_linear_in_units(legs: Legs, limit: int, data: st.DataObject) -> None:
    sold = [series for series, ratio in legs if ratio < 0]
    closing = data.draw(st.lists(st.sampled_from(sold), unique=True)) if sold else []
    first, second = data.draw(st.integers(0, 10**6)), data.draw(st.integers(0, 10**6))
    requirement = requirement_of(legs, limit=limit, closing=closing)
    for amounts in (requirement.reserved, requirement.collateral_of):
        whole, one, other = amounts(first + second), amounts(first), amounts(second)
        assert whole.keys() >= one.keys() | other.keys()
        assert all(whole[asset] == one.get(asset, 0) + other.get(asset, 0) for asset in whole)
