"""What must lie behind a written package, worked out from what its writer could owe at any price.

Each package stands alone and is netted only within one (underlying, expiry). There, coins cover the
calls that are open at the top, one coin for each coin of negative slope; with them, USDC lifts the
worst value at any settlement price to zero. Per unit, each rounded up.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction
from math import ceil

from chains.snapshot import SeriesTerms
from chains.units import COIN, MICRO
from intents.verifying.sheet import Sheet

Leg = tuple[str, int]


def backing(sheet: Sheet, legs: Iterable[Leg]) -> Counter[str]:
    """Coins (1e-8) and micro-USDC behind one unit of a written package."""
    groups: defaultdict[tuple[str, int], list[tuple[SeriesTerms, int]]] = defaultdict(list)
    for name, ratio in legs:
        terms = sheet.series[name]
        groups[terms.underlying, terms.expiry].append((terms, ratio))
    needed: Counter[str] = Counter()
    for (underlying, _), group in groups.items():
        owed = -sum(ratio * Fraction(*terms.lot_size) for terms, ratio in group if terms.kind == "C")
        cover = max(Fraction(0), owed)
        prices = [0, *(terms.strike for terms, _ in group)]
        worst = min(
            sum(_value(terms, ratio, price) for terms, ratio in group) + cover * price for price in prices
        )
        needed[underlying] += ceil(cover * COIN)
        needed["USDC"] += ceil(max(Fraction(0), -worst) * MICRO)
    return Counter({asset: amount for asset, amount in needed.items() if amount})


def _value(terms: SeriesTerms, ratio: int, price: int) -> Fraction:
    """What lots of a series pay in USDC when they settle at a price in USD."""
    inside = price - terms.strike if terms.kind == "C" else terms.strike - price
    return ratio * Fraction(*terms.lot_size) * max(0, inside)
