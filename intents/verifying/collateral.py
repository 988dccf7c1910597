"""What must lie behind written legs, worked out from what their writer could owe at any price.

Each package stands alone and is netted only within one maturity, an underlying and an expiry. There,
coins cover the calls that are open at the top, one coin for each coin of negative slope; with them, USDC
lifts the worst value at any settlement price to zero. Per unit, each rounded up.

Of a maturity in which anything is sold, bought lots are kept with what is written where less could not
lie behind it; the others are the owner's to sell. Legs are tried from the lowest strike, a call before a
put, and of each as many lots are let go as change nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction
from math import ceil

from chains.snapshot import SeriesTerms
from chains.units import COIN, MICRO
from intents.verifying.sheet import Sheet

Leg = tuple[str, int]
Group = list[tuple[SeriesTerms, int]]
"""Lots of series that expire together, by strike and kind."""


def backing(sheet: Sheet, legs: Iterable[Leg]) -> Counter[str]:
    """Coins (1e-8) and micro-USDC behind one unit of written legs."""
    needed: Counter[str] = Counter()
    for group in _maturities(sheet, legs).values():
        needed.update(_behind(group))
    return needed


def places(sheet: Sheet, legs: Iterable[Leg]) -> Counter[tuple[str, str]]:
    """Where one unit of legs that close nothing goes: (account, asset) -> amount.

    The account is ``owner``, or the maturity (``BTC-26JUN26``) in which legs are written; what lies behind
    them moves there from ``owner``.
    """
    moves: Counter[tuple[str, str]] = Counter()
    for maturity, group in _maturities(sheet, legs).items():
        kept = _kept(group)
        for terms, lots in group:
            moves["owner", terms.id] += lots
        for terms, lots in kept:
            moves["owner", terms.id] -= lots
            moves[maturity, terms.id] += lots
        for asset, amount in _behind(kept).items():
            moves["owner", asset] -= amount
            moves[maturity, asset] += amount
    return Counter({place: amount for place, amount in moves.items() if amount})


def _maturities(sheet: Sheet, legs: Iterable[Leg]) -> dict[str, Group]:
    groups: defaultdict[str, Group] = defaultdict(list)
    for name, lots in legs:
        groups["-".join(name.split("-")[:2])].append((sheet.series[name], lots))
    return {
        name: sorted(group, key=lambda leg: (leg[0].strike, leg[0].kind)) for name, group in groups.items()
    }


def _behind(group: Group) -> Counter[str]:
    if not group:
        return Counter()
    owed = -sum(lots * Fraction(*terms.lot_size) for terms, lots in group if terms.kind == "C")
    cover = max(Fraction(0), owed)
    prices = [0, *(terms.strike for terms, _ in group)]
    worst = min(sum(_value(terms, lots, price) for terms, lots in group) + cover * price for price in prices)
    needed = {group[0][0].underlying: ceil(cover * COIN), "USDC": ceil(max(Fraction(0), -worst) * MICRO)}
    return Counter({asset: amount for asset, amount in needed.items() if amount})


def _kept(group: Group) -> Group:
    """What stays with what is written of a maturity: nothing where nothing is."""
    if all(lots > 0 for _, lots in group):
        return []
    needed, kept = _behind(group), list(group)
    for place, (terms, lots) in enumerate(group):
        least, most = (0, lots) if lots > 0 else (lots, lots)
        while least < most:
            fewer = (least + most) // 2
            if _behind([*kept[:place], (terms, fewer), *kept[place + 1 :]]) == needed:
                most = fewer
            else:
                least = fewer + 1
        kept[place] = (terms, least)
    return [(terms, lots) for terms, lots in kept if lots]


def _value(terms: SeriesTerms, lots: int, price: int) -> Fraction:
    """What lots of a series pay in USDC when they settle at a price in USD."""
    inside = price - terms.strike if terms.kind == "C" else terms.strike - price
    return lots * Fraction(*terms.lot_size) * max(0, inside)
