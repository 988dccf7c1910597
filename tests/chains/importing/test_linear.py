from fractions import Fraction
from math import ceil, floor

from hypothesis import given, settings
from hypothesis import strategies as st

from chains.importing.cleaning import CleanMarket, DropLog, DropReason, Quotes
from chains.importing.linear import to_linear
from chains.importing.rows import LevelRow, MarkRow
from chains.importing.volatilities import FittedVolatility, VolatilitySource
from chains.series import parse_series
from chains.units import COIN, MICRO
from tests.market_data import MARCH_S, TAKEN_MS

CALL = parse_series("BTC-20MAR26-64000-C")
ETH = parse_series("ETH-20MAR26-3000-P")
FORWARDS = {("BTC", MARCH_S): 64_000 * MICRO, ("ETH", MARCH_S): 2_900 * MICRO}
VOLATILITIES = {each: FittedVolatility(5_000, VolatilitySource.GIVEN) for each in (CALL, ETH)}


def level(side: str, price: int, size: int, *, row: int = 2) -> LevelRow:
    return LevelRow(row=row, instrument="x", timestamp_ms=TAKEN_MS, side=side, price=price, size=size)


def mark(forward: int | None) -> MarkRow:
    return MarkRow(
        row=2,
        instrument="x",
        timestamp_ms=TAKEN_MS,
        forward=forward,
        index_price=None,
        mark_price=None,
        iv_bps=None,
    )


@settings(max_examples=300, deadline=None)
@given(
    price=st.integers(1, 2 * COIN),
    size=st.integers(COIN // 10, 10_000 * COIN),
    own=st.integers(1_000 * MICRO, 200_000 * MICRO) | st.none(),
)
def test_prices_and_sizes_are_those_of_exact_fractions(price: int, size: int, own: int | None) -> None:
    for series, lot in ((CALL, Fraction(1, 100)), (ETH, Fraction(1, 10))):
        quotes = Quotes(
            series=series,
            mark=mark(own),
            bids=[level("bid", price, size)],
            asks=[level("ask", price, size)],
        )
        log = DropLog()
        market = CleanMarket(taken_ms=TAKEN_MS, quotes=(quotes,))
        (book,) = to_linear(market, FORWARDS, VOLATILITIES, log=log).books
        forward = own if own is not None else FORWARDS[series.underlying, MARCH_S]
        exact = Fraction(price, COIN) * forward * lot
        lots = floor(Fraction(size, COIN) / lot)
        assert book.sells == ((ceil(exact), lots),)
        assert book.buys == (((floor(exact), lots),) if floor(exact) else ())
        assert [each.reason for each in log.dropped] == ([] if floor(exact) else [DropReason.EMPTY])


def test_levels_that_come_to_one_price_are_one_level() -> None:
    quotes = Quotes(series=CALL, bids=[level("bid", 1_001, COIN), level("bid", 1_000, 2 * COIN)])
    forwards = {("BTC", MARCH_S): 1_000 * MICRO}
    market = CleanMarket(taken_ms=TAKEN_MS, quotes=(quotes,))
    (book,) = to_linear(market, forwards, VOLATILITIES, log=DropLog()).books
    assert book.buys == ((100, 300),)


def test_a_level_beyond_the_integers_of_the_market_is_dropped() -> None:
    log = DropLog()
    quotes = Quotes(
        series=CALL,
        asks=[level("ask", COIN, 1_000_000 * COIN), level("ask", 1_000 * COIN, 10**6 * COIN, row=9)],
    )
    market = CleanMarket(taken_ms=TAKEN_MS, quotes=(quotes,))
    forwards = {("BTC", MARCH_S): 64 * MICRO}
    (book,) = to_linear(market, forwards, VOLATILITIES, log=log).books
    assert book.sells == ((640_000, 10**8),)
    assert [(each.reason, each.row) for each in log.dropped] == [(DropReason.TOO_LARGE, 9)]


def test_only_series_with_a_volatility_and_their_expiries_are_in_the_market() -> None:
    market = CleanMarket(taken_ms=TAKEN_MS, quotes=(Quotes(series=CALL), Quotes(series=ETH)))
    book = to_linear(market, FORWARDS, {CALL: VOLATILITIES[CALL]}, log=DropLog())
    assert [each.series for each in book.books] == [CALL]
    assert book.forwards == {("BTC", MARCH_S): 64_000 * MICRO}
    assert book.taken_us == TAKEN_MS * 1_000
