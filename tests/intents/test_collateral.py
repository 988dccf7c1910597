"""Collateral against a brute-force account: solvent at every settlement price, and not a unit too much."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from fractions import Fraction
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.package import Legs
from chains.series import OptionKind, Series, maturity_of, parse_series
from chains.units import COIN, MICRO, USDC
from intents.collateral import Requirement, package_collateral, requirement_of

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


def test_closing_a_leg_sets_free_what_hedged_it() -> None:
    written = requirement_of(((CALL, -1), (HIGH, 1)), limit=0)
    assert (written.written[0].legs, written.bought) == (((CALL, -1), (HIGH, 1)), ())
    closed = requirement_of(((CALL, -1), (HIGH, 1)), limit=0, closing=[CALL])
    assert (closed.written, closed.bought) == ((), ((HIGH, 1),))


@pytest.mark.parametrize(
    ("legs", "written", "bought"),
    [
        # A short put of 90,000 alone: 900 USDC a lot. With the 80,000 bought: 100. It is needed.
        (((PUT, -1), (LOW, 1)), {PUT: -1, LOW: 1}, {}),
        # The owner's spread is long: nothing is owed at any price, but only while the 90,000 is there.
        (((PUT, 1), (LOW, -1)), {PUT: 1, LOW: -1}, {}),
        # The second lot of the over-hedge: with one lot, 100 USDC are behind the short put; with two, too.
        (((PUT, -1), (LOW, 2)), {PUT: -1, LOW: 1}, {LOW: 1}),
        (((PUT, -2), (LOW, 5)), {PUT: -2, LOW: 2}, {LOW: 3}),
        # Of two lots at 100,000 against one sold at 110,000, one covers the open end of the call.
        (((CALL, 2), (HIGH, -1)), {CALL: 1, HIGH: -1}, {CALL: 1}),
        # Calendars do not net: the coin behind the near call is needed with or without the far one.
        (((CALL, -1), (LATER, 1)), {CALL: -1}, {LATER: 1}),
        # A put does nothing for a short call: its coin covers the call at every price.
        (((CALL, -1), (PUT, 1)), {CALL: -1}, {PUT: 1}),
        # Either put would cover the short one whole; the lower strike is given up.
        (((LOW, -1), (PUT, 1), ("BTC-26JUN26-85000-P", 1)), {LOW: -1, PUT: 1}, {"BTC-26JUN26-85000-P": 1}),
        # A butterfly sold: width 100 USDC, and both wings are needed for it.
        ((("BTC-26JUN26-90000-C", -1), (CALL, 2), (HIGH, -1)),
         {"BTC-26JUN26-90000-C": -1, CALL: 2, HIGH: -1}, {}),
        # Nothing is written where nothing is sold.
        (((PUT, 3), (CALL, 1)), {}, {PUT: 3, CALL: 1}),
    ],
)  # fmt: skip
def test_bought_lots_are_free_unless_more_would_have_to_back_what_is_written(
    legs: Legs, written: dict[str, int], bought: dict[str, int]
) -> None:
    requirement = requirement_of(legs, limit=0)
    assert {series: lots for part in requirement.written for series, lots in part.legs} == written
    assert dict(requirement.bought) == bought


def by_maturity(requirement: Requirement) -> dict[str, Counter[str]]:
    return {part.maturity: Counter(dict(part.legs)) for part in requirement.written}


def backing_of(legs: Mapping[str, int]) -> dict[str, int]:
    return dict(package_collateral(tuple((series, lots) for series, lots in legs.items() if lots)))


@given(legs=packages)
@settings(max_examples=200, deadline=None)
def test_what_is_free_changes_nothing_behind_what_is_written(legs: Legs) -> None:
    """Safety: each maturity has exactly the collateral of all its legs, and what is kept needs no more."""
    requirement = requirement_of(legs, limit=0)
    total: Counter[str] = Counter(dict(requirement.bought))
    for part in requirement.written:
        assert dict(part.collateral) == backing_of(dict(part.legs))
        whole = {series: lots for series, lots in legs if maturity_of(series) == part.maturity}
        assert dict(part.collateral) == backing_of(whole)
        assert any(lots < 0 for _, lots in part.legs)
        total.update(dict(part.legs))
    assert total == Counter(dict(legs))
    assert all(lots > 0 for _, lots in requirement.bought)
    assert requirement.collateral_of(1) == dict(package_collateral(legs))


@given(legs=packages)
@settings(max_examples=200, deadline=None)
def test_no_lot_is_kept_that_is_not_needed(legs: Legs) -> None:
    """Minimality: without any one bought lot that is kept, some component of the requirement rises."""
    for maturity, kept in by_maturity(requirement_of(legs, limit=0)).items():
        needed = backing_of(kept)
        for series in [series for series, lots in kept.items() if lots > 0]:
            fewer = backing_of({**kept, series: kept[series] - 1})
            assert any(fewer.get(asset, 0) > needed.get(asset, 0) for asset in fewer), (maturity, series)


@given(
    legs=st.dictionaries(
        st.sampled_from([CALL, HIGH, PUT, LOW]), st.integers(-3, 3).filter(bool), min_size=1, max_size=4
    )
)
@settings(max_examples=150, deadline=None)
def test_the_rule_is_the_first_in_order_of_all_ways_to_give_up_lots(legs: dict[str, int]) -> None:
    """Brute force: of every choice that changes nothing, the one with most of the first leg, then so on."""
    bought = [series for series in (LOW, PUT, CALL, HIGH) if legs.get(series, 0) > 0]
    needed = backing_of(legs)
    ways = product(*(range(legs[series] + 1) for series in bought))
    if any(lots < 0 for lots in legs.values()):
        ways = (
            way
            for way in ways
            if backing_of({**legs, **{name: legs[name] - up for name, up in zip(bought, way, strict=True)}})
            == needed
        )
    best = max(ways)
    expected = {series: lots for series, lots in zip(bought, best, strict=True) if lots}
    assert dict(requirement_of(tuple(legs.items()), limit=0).bought) == expected


def test_the_order_of_the_legs_does_not_matter() -> None:
    legs = ((LOW, -1), (PUT, 1), ("BTC-26JUN26-85000-P", 1), (CALL, -1), (LATER, 2))
    first = requirement_of(legs, limit=3)
    for order in permutations(legs):
        assert requirement_of(order, limit=3) == first


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
