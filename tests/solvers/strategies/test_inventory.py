"""`inventory`: quotes around the model that no set of fills can take beyond its limits.

Greeks are worked out anew by QuantLib's Black formula and differences of prices, not by the marks.
"""

from collections import Counter
from itertools import product
from math import sqrt

import pytest
import QuantLib
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.black76 import greeks, years_between
from chains.snapshot import Mark, StockQuote
from chains.units import MICRO, USDC
from solvers.auction import Auction
from solvers.strategies.inventory import Greeks, Inventory
from solvers.strategy import SolveContext, Strategy
from tests.builders import CUT_US, make_auction, make_mark, make_series

FORWARD, VOL = 100_000.0, 0.6
STRIKES = (80_000, 95_000, 100_000, 110_000, 140_000)
SERIES = tuple(f"BTC-26JUN26-{strike}-{kind}" for strike in STRIKES for kind in "CP")
LOT = 0.01
LIMIT = Inventory.LIMITS["BTC"]


def terms_of(series: str) -> tuple[float, float, bool]:
    """Strike, ACT/365 years left and whether it is a call."""
    terms = make_series(series)
    years = float(years_between(CUT_US, terms.expiry * MICRO))
    return float(terms.strike), years, terms.kind == "C"


def mark(series: str) -> Mark:
    strike, years, is_call = terms_of(series)
    found = greeks(FORWARD, strike, years, VOL, is_call)
    return make_mark(
        series,
        price=float(found.price) * LOT * MICRO,
        iv=VOL,
        delta=float(found.delta),
        gamma=float(found.gamma),
        vega=float(found.vega),
        theta=float(found.theta),
    )


def quantlib_price(series: str, *, forward: float = FORWARD, vol: float = VOL, days: float = 0.0) -> float:
    strike, years, is_call = terms_of(series)
    kind = QuantLib.Option.Call if is_call else QuantLib.Option.Put
    return float(QuantLib.blackFormula(kind, strike, forward, vol * sqrt(years - days / 365)))


def lot_greeks(series: str) -> Greeks:
    """The Greeks of one lot from prices alone."""
    up, here, down = (quantlib_price(series, forward=FORWARD + step) for step in (50.0, 0.0, -50.0))
    vega = (quantlib_price(series, vol=VOL + 0.005) - quantlib_price(series, vol=VOL - 0.005)) / 1.0
    theta = quantlib_price(series, days=0.5) - quantlib_price(series, days=-0.5)
    each = ((up - down) / 100.0, (up - 2 * here + down) / 2_500.0, vega, theta)
    return Greeks(*(LOT * value for value in each))


GREEKS = {series: lot_greeks(series) for series in SERIES}
MARKS = tuple(mark(series) for series in SERIES)


def auction(*, marks: tuple[Mark, ...] = MARKS) -> Auction:
    return make_auction(series=tuple(make_series(series) for series in SERIES), marks=marks)


def quote(
    stock: dict[str, dict[str, int]], *, strategy: Inventory | None = None
) -> dict[str, list[StockQuote]]:
    """The quotes of one round, by venue."""
    context = SolveContext(solver="inventory", deadline_s=0.0, seed=0, stock=stock)
    sets = list((strategy or Inventory()).solve(auction(), context))
    assert [each.venue for each in sets] == sorted(stock)
    return {each.venue: list(each.quotes) for each in sets}


def held_greeks(stock: dict[str, dict[str, int]]) -> Greeks:
    lots = [(asset, amount) for free in stock.values() for asset, amount in free.items() if asset != USDC]
    return Greeks(*(sum(amount * GREEKS[asset][place] for asset, amount in lots) for place in range(4)))


def test_inventory_is_a_strategy() -> None:
    assert isinstance(Inventory(), Strategy)


def test_without_stock_it_says_nothing() -> None:
    assert quote({}) == {}


def test_the_oracle_agrees_with_the_marks() -> None:
    for each in MARKS:
        shown = (each.delta * LOT, each.gamma * LOT, each.vega * LOT, each.theta * LOT)
        assert GREEKS[each.series] == pytest.approx(shown, rel=2e-3, abs=1e-9)


holdings = st.dictionaries(st.sampled_from(SERIES), st.integers(1, 4_000), max_size=6)
stocks = st.dictionaries(
    st.sampled_from(("east-stock", "west-stock")),
    st.builds(lambda lots, cash: {**lots, USDC: cash}, holdings, st.integers(0, 10**13)),
    min_size=1,
    max_size=2,
)


@settings(max_examples=150, deadline=None)
@given(stocks)
def test_whatever_is_filled_every_greek_stays_within_its_limit(stock: dict[str, dict[str, int]]) -> None:
    """Two sets may be filled in one round: this one, and the one before, made on the same stock."""
    quotes = [each for per_venue in quote(stock).values() for each in per_venue]
    held = held_greeks(stock)
    for place in range(4):
        moves = [
            (1 if each.side == "buy" else -1) * each.lots * GREEKS[each.series][place] for each in quotes
        ]
        highest = held[place] + 2 * sum(move for move in moves if move > 0)
        lowest = held[place] + 2 * sum(move for move in moves if move < 0)
        slack = 0.01 * LIMIT[place]
        assert highest <= max(LIMIT[place], held[place]) + slack
        assert lowest >= min(-LIMIT[place], held[place]) - slack


@settings(max_examples=150, deadline=None)
@given(stocks)
def test_quotes_are_funded_and_never_cross(stock: dict[str, dict[str, int]]) -> None:
    for venue, quotes in quote(stock).items():
        used: Counter[str] = Counter()
        for each in quotes:
            used[each.series if each.side == "sell" else USDC] += each.lots * (
                1 if each.side == "sell" else each.price
            )
            assert each.lots <= Inventory.LOTS_MAX
        assert all(amount <= stock[venue].get(asset, 0) for asset, amount in used.items())
        asks = {each.series: each.price for each in quotes if each.side == "sell"}
        assert all(each.price < asks.get(each.series, 2**53) for each in quotes if each.side == "buy")


def prices(stock: dict[str, int], series: str, *, strategy: Inventory | None = None) -> dict[str, int]:
    (quotes,) = quote({"hub-stock": stock}, strategy=strategy).values()
    return {each.side: each.price for each in quotes if each.series == series}


def test_a_balanced_book_quotes_the_model_with_the_spread_on_either_side() -> None:
    """Half the spread is two vol points of vega: here, of about 0.16 USD per point and lot."""
    series = SERIES[4]
    assert terms_of(series)[0] == FORWARD
    half = 2 * GREEKS[series].vega * MICRO
    stock = {series: 1, USDC: 10**10}
    found = prices(stock, series)
    model = quantlib_price(series) * LOT * MICRO
    assert found["sell"] == pytest.approx(model + half, abs=0.02 * half)
    assert found["buy"] == pytest.approx(model - half, abs=0.02 * half)


def test_the_more_it_holds_the_lower_it_quotes_and_after_a_sale_the_higher() -> None:
    series = SERIES[4]
    asked = [prices({series: lots, USDC: 10**10}, series)["sell"] for lots in (150, 100, 50, 1)]
    assert asked == sorted(asked)
    assert len(set(asked)) == len(asked)
    bought = [prices({series: lots, USDC: 10**10}, series)["buy"] for lots in (150, 100, 50, 1)]
    assert bought == sorted(bought)
    assert len(set(bought)) == len(bought)


def test_a_lot_that_takes_from_what_it_holds_is_worth_more_to_it() -> None:
    """A book that is long calls is long delta: puts take some of that away, and more is bid for them."""
    call, put = SERIES[4], SERIES[5]
    balanced, long = {USDC: 10**10}, {call: 40, USDC: 10**10}

    def moved(series: str) -> int:
        return prices(long, series)["buy"] - prices(balanced, series)["buy"]

    assert moved(call) < moved(put)


def test_what_is_beyond_a_limit_is_only_sold() -> None:
    call = SERIES[4]
    stock = {call: 30_000, USDC: 10**13}
    assert held_greeks({"hub-stock": stock}).vega > LIMIT.vega
    (quotes,) = quote({"hub-stock": stock}).values()
    assert {(each.series, each.side) for each in quotes} == {(call, "sell")}


def test_a_subclass_changes_a_number() -> None:
    class Careful(Inventory):
        LOTS_MAX = 3

    series = SERIES[4]
    (quotes,) = quote({"hub-stock": {series: 100, USDC: 10**12}}, strategy=Careful()).values()
    assert {each.lots for each in quotes} == {3}


def test_marks_that_say_nothing_are_not_quoted() -> None:
    silent = [make_mark(series, price=price) for series, price in product(SERIES[:1], (0.0, float("nan")))]
    for each in silent:
        context = SolveContext(
            solver="inventory", deadline_s=0.0, seed=0, stock={"hub-stock": {SERIES[0]: 5, USDC: 10**12}}
        )
        (found,) = Inventory().solve(auction(marks=(each,)), context)
        assert found.quotes == ()
