"""Two readings of what lies behind a written package: one by payoff kernel, one by hand at each strike."""

from collections import Counter
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from chains.units import COIN, MICRO
from intents.collateral import package_collateral, requirement_of
from intents.verifying.collateral import backing, places
from intents.verifying.sheet import Sheet
from tests.builders import make_auction, make_series

NAMES = [
    f"{underlying}-{day}-{strike}-{kind}"
    for underlying in ("BTC", "ETH")
    for day in ("26JUN26", "25SEP26")
    for strike in (90_000, 100_000, 110_001)
    for kind in ("C", "P")
]
SHEET = Sheet(make_auction(series=tuple(make_series(name) for name in NAMES)))
RATIOS = st.integers(-50, 50).filter(bool)
PACKAGES = st.dictionaries(st.sampled_from(NAMES), RATIOS, min_size=1, max_size=8)


@settings(max_examples=200, deadline=None)
@given(PACKAGES)
def test_both_readings_ask_for_the_same(legs: dict[str, int]) -> None:
    assert tuple(sorted(backing(SHEET, legs.items()).items())) == package_collateral(tuple(legs.items()))


@settings(max_examples=150, deadline=None)
@given(PACKAGES)
def test_both_readings_put_every_lot_in_the_same_place(legs: dict[str, int]) -> None:
    requirement = requirement_of(tuple(legs.items()), limit=0)
    expected: Counter[tuple[str, str]] = Counter()
    for series, lots in requirement.bought:
        expected["owner", series] += lots
    for part in requirement.written:
        for series, lots in part.legs:
            expected[part.maturity, series] += lots
        for asset, amount in part.collateral:
            expected[part.maturity, asset] += amount
            expected["owner", asset] -= amount
    assert dict(places(SHEET, legs.items())) == {
        place: amount for place, amount in expected.items() if amount
    }


@settings(max_examples=100, deadline=None)
@given(PACKAGES, st.integers(0, 300_000))
def test_with_it_no_package_owes_anything_at_any_price(legs: dict[str, int], price: int) -> None:
    """All series of one expiry settle at one price; coins are worth that price."""
    behind = backing(SHEET, legs.items())
    worth = Fraction(behind["USDC"], MICRO)
    for name, ratio in legs.items():
        terms = SHEET.series[name]
        inside = price - terms.strike if terms.kind == "C" else terms.strike - price
        worth += ratio * Fraction(*terms.lot_size) * max(0, inside)
    coins = behind["BTC"] + behind["ETH"]
    assert worth + Fraction(coins, COIN) * price >= 0


def test_by_hand() -> None:
    put, call, high = NAMES[1], NAMES[2], NAMES[4]
    assert backing(SHEET, [(put, -1)]) == {"USDC": 900 * MICRO}
    assert backing(SHEET, [(call, -3)]) == {"BTC": 3 * COIN // 100}
    assert backing(SHEET, [(call, -1), (high, 1)]) == {"USDC": 10_001 * MICRO // 100}
    assert backing(SHEET, [(call, 1), (high, -1)]) == {}


def test_places_by_hand() -> None:
    """A call spread written twice over with one lot too many bought, and a calendar's far leg."""
    call, high, far = NAMES[2], NAMES[4], NAMES[8]
    assert places(SHEET, [(call, -1), (high, 2), (far, 1)]) == {
        ("BTC-26JUN26", call): -1,
        ("BTC-26JUN26", high): 1,
        ("BTC-26JUN26", "USDC"): 10_001 * MICRO // 100,
        ("owner", "USDC"): -10_001 * MICRO // 100,
        ("owner", high): 1,
        ("owner", far): 1,
    }
