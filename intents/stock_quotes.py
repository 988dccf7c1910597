"""From what solvers quote to what their stock covers, once a round is decided.

A set was made while the round ran, from the stock as it was at the cut. The round's winners have pledged
some of it since, most likely where the solver was cheapest, so a set that took all of it for granted
would be refused just when the solver wants its old quotes gone. Instead it is cut down to what is free:
quotes are served in the order of the set, each with as many lots as are left for it, rounded down.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from chains.snapshot import StockQuote
from chains.units import USDC, floor_div

PRICE_MAX: Final = 10**12
"""The highest price of a quote, micro-USDC per lot: a million USDC, more than any listed lot can pay. One
that is far beyond all others would spoil the numerics of every solver's models."""


def fit_quotes(quotes: Sequence[StockQuote], free: Mapping[str, int]) -> tuple[StockQuote, ...]:
    """The quotes, in order, with no more lots than the free stock covers; those left with none fall out.

    `free` is micro-USDC and lots by asset. Sales take lots of their series, purchases price times lots
    of the cash.
    """
    left = dict(free)
    fitted = []
    for quote in quotes:
        asset, each = (quote.series, 1) if quote.side == "sell" else (USDC, quote.price)
        lots = min(quote.lots, floor_div(left.get(asset, 0), each)) if each else quote.lots
        if lots:
            left[asset] = left.get(asset, 0) - each * lots
            fitted.append(msgspec.structs.replace(quote, lots=lots))
    return tuple(fitted)
