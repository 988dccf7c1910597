"""Quotes are cut down to the stock that is free: exactly as far, in their order, and never beyond."""

from hypothesis import given
from hypothesis import strategies as st

from chains.snapshot import StockQuote
from chains.units import USDC
from intents.stock_quotes import fit_quotes
from tests.builders import CALL, PUT
from tests.venue_specs import make_quote

quotes = st.lists(
    st.builds(
        make_quote,
        st.sampled_from((CALL, PUT)),
        st.sampled_from(("buy", "sell")),
        st.integers(0, 50),
        st.integers(1, 30),
    ),
    max_size=8,
)
stocks = st.dictionaries(st.sampled_from((CALL, PUT, USDC)), st.integers(0, 400))


def test_what_is_covered_stays_as_it_is() -> None:
    sent = (make_quote(CALL, "sell", 900, 5), make_quote(PUT, "buy", 100, 7))
    assert fit_quotes(sent, {CALL: 5, USDC: 700}) == sent


def test_the_first_quotes_are_served_first_and_lots_round_down() -> None:
    sent = (
        make_quote(CALL, "sell", 900, 4),
        make_quote(CALL, "sell", 950, 4),
        make_quote(PUT, "buy", 100, 7),
        make_quote(CALL, "buy", 60, 9),
        make_quote(PUT, "sell", 500, 1),
    )
    assert fit_quotes(sent, {CALL: 5, USDC: 799}) == (
        make_quote(CALL, "sell", 900, 4),
        make_quote(CALL, "sell", 950, 1),
        make_quote(PUT, "buy", 100, 7),
        make_quote(CALL, "buy", 60, 1),
    )


@given(quotes, stocks)
def test_lots_are_the_most_that_is_covered(sent: list[StockQuote], free: dict[str, int]) -> None:
    """One lot at a time, in the order of the set, as long as there is stock for one more."""
    left, expected = dict(free), []
    for quote in sent:
        asset, each = (quote.series, 1) if quote.side == "sell" else (USDC, quote.price)
        lots = 0
        while lots < quote.lots and left.get(asset, 0) >= each:
            left[asset] = left.get(asset, 0) - each
            lots += 1
        if lots:
            expected.append(make_quote(quote.series, quote.side, quote.price, lots))
    assert fit_quotes(sent, free) == tuple(expected)
