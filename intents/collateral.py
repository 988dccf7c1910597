"""What one unit of an intent can require at worst, and where its legs go when it is filled.

An intent is admitted only if all of this is free on its chain, so a user can never be over-committed
and settlement never fails for a user's funds.

* Cash: the limit, where it is positive. Premium still to be received never counts.
* Closing legs: sold legs that the owner's free lots cover in full at admission, lots for lots.
* The rest of the package stands on its own, netted only within one *maturity*, that is, one
  (underlying, expiry). What is sold there is written, with its collateral, into the owner's `written:`
  account of that maturity. Let `P(S)` be the payoff of the legs of a maturity to the owner and `m` its
  slope beyond the last strike. Where `m < 0` it needs `-m` coins, worth `-m * S` at expiry: they cover
  the open end of its calls. On top of them it needs the USDC that lifts the worst of
  `P(S) + max(0, -m) * S` over all S >= 0 to zero. So a short put needs its strike in USDC, a short
  call its coins alone, a short call spread its width in USDC and no coins, a long package nothing.
* Bought lots are *free*, that is, they arrive in `owner:` and may be sold again, unless this requirement
  would rise without them; those that make it small stay in `written:`. The long far leg of a calendar,
  a long put beside a short call and the second lot of an over-hedge are free; the long leg of a spread
  is not, whichever of its two legs was sold. Where either of two legs could be given up, the one of the
  lower strike is, a call before a put: in that order, as many lots per unit are given up as leave every
  component of the requirement of their maturity unchanged. What is kept is needed to the last lot, since
  giving up lots never lowers a requirement.

Every amount is rounded up per unit, against the writer, and `units` times the amount per unit is what
any number of units needs. That is exactly linear, in what is tied up and in what goes where: what is
reserved for a + b units is what is reserved for a and for b, so fills, cancels and aborts in any order
leave no unit short and no remainder.

Source: the corner rule of linear programming, as in `chains.payoff`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from chains.package import Legs
from chains.payoff import PICO_PER_MICRO, Payoff, package_payoff
from chains.series import KEPT_MAX, Series, maturity_of, parse_series
from chains.units import COIN, MICRO, USDC, ceil_div, floor_div

Amounts = tuple[tuple[str, int], ...]
"""(asset, positive amount), sorted by asset: USDC in micro-USDC, coins in 1e-8, series in lots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one unit of an intent writes in one maturity.

    Attributes
    ----------
    maturity : such as ``BTC-26JUN26``
    legs : what is sold there, with the bought lots that keep its collateral down
    collateral : (asset, amount) that moves with them from `owner:` into `written:`
    """

    maturity: str
    legs: Legs
    collateral: Amounts


class Requirement(Struct, frozen=True, kw_only=True, gc=False):
    """What one unit of an intent ties up; all amounts are per unit. `requirement_of` makes one.

    Attributes
    ----------
    cash : micro-USDC that the owner pays at most
    closing : (series, lots) sold out of the owner's free lots
    written : what is written, by maturity
    bought : legs, or lots of legs, that arrive free in `owner:`
    tied_up : all of it by asset, worked out once: cash, closing lots and collateral
    """

    cash: int
    closing: Amounts
    written: tuple[Written, ...]
    bought: Legs
    tied_up: Amounts

    @property
    def closing_series(self) -> frozenset[str]:
        """The series whose sold lots come from the owner's free lots."""
        return frozenset(series for series, _ in self.closing)

    def reserved(self, units: int) -> dict[str, int]:
        """Everything that so many units tie up, by asset: cash, closing lots and collateral."""
        return {asset: amount * units for asset, amount in self.tied_up} if units else {}

    def collateral_of(self, units: int) -> dict[str, int]:
        """What moves into `written:` when so many units are filled, over all maturities."""
        totals: defaultdict[str, int] = defaultdict(int)
        for written in self.written:
            for asset, amount in written.collateral:
                totals[asset] += amount * units
        return dict(sorted(totals.items()))


def requirement_of(legs: Legs, *, limit: int, closing: Collection[str] = ()) -> Requirement:
    """What one unit of a package ties up.

    `limit` is micro-USDC per unit; `closing` names the sold legs that close positions.
    """
    lots = _require_lots(legs, tuple(closing))
    if limit <= 0:
        return lots
    tied_up = dict(lots.tied_up)
    tied_up[USDC] = tied_up.get(USDC, 0) + limit
    return replace(lots, cash=limit, tied_up=tuple(sorted(tied_up.items())))


@lru_cache(maxsize=KEPT_MAX)
def _require_lots(legs: Legs, closing: tuple[str, ...]) -> Requirement:
    """What a package ties up beside cash; the same packages are asked for again and again."""
    rest = tuple((series, ratio) for series, ratio in legs if series not in closing)
    written, bought = _divide(rest)
    closed = tuple(sorted((series, -ratio) for series, ratio in legs if series in closing))
    totals = dict(closed)
    for part in written:
        for asset, amount in part.collateral:
            totals[asset] = totals.get(asset, 0) + amount
    return Requirement(
        cash=0, closing=closed, written=written, bought=bought, tied_up=tuple(sorted(totals.items()))
    )


def package_collateral(legs: Legs) -> Amounts:
    """Coins and USDC that back one unit of a package, each rounded up."""
    totals: defaultdict[str, int] = defaultdict(int)
    for group in _by_maturity(legs).values():
        for asset, amount in _collateral(group, package_payoff(group)):
            totals[asset] += amount
    return tuple(sorted(totals.items()))


_Group = list[tuple[Series, int]]
"""Legs of one maturity, by strike and kind."""


def _by_maturity(legs: Legs) -> dict[str, _Group]:
    groups: defaultdict[str, _Group] = defaultdict(list)
    for text, ratio in legs:
        groups[maturity_of(text)].append((parse_series(text), ratio))
    return {maturity: sorted(group) for maturity, group in sorted(groups.items())}


def _divide(legs: Legs) -> tuple[tuple[Written, ...], Legs]:
    """What is written, and what arrives free; both in the order of maturities, strikes and kinds."""
    if all(ratio > 0 for _, ratio in legs):
        return (), legs
    parts: list[Written] = []
    bought: list[tuple[str, int]] = []
    for maturity, group in _by_maturity(legs).items():
        if all(ratio > 0 for _, ratio in group):
            bought += [(series.id, ratio) for series, ratio in group]
            continue
        payoff = package_payoff(group)
        collateral = _collateral(group, payoff)
        free = dict(_free_lots(group, payoff, dict(collateral)))
        kept = [(series.id, ratio - free.get(series, 0)) for series, ratio in group]
        bought += [(series.id, lots) for series, lots in free.items() if lots]
        written = tuple((series, ratio) for series, ratio in kept if ratio)
        parts.append(Written(maturity=maturity, legs=written, collateral=collateral))
    return tuple(parts), tuple(bought)


def _collateral(group: _Group, payoff: Payoff) -> Amounts:
    cover = max(0, -payoff.slope)
    worst = min(value + cover * price for price, value in zip(payoff.prices, payoff.values, strict=True))
    amounts = (
        (group[0][0].underlying, ceil_div(cover * COIN, MICRO)),
        (USDC, ceil_div(max(0, -worst), PICO_PER_MICRO)),
    )
    return tuple(sorted((asset, amount) for asset, amount in amounts if amount))


def _free_lots(group: _Group, payoff: Payoff, backing: Mapping[str, int]) -> Iterator[tuple[Series, int]]:
    """Lots of each bought leg that can be given up, one leg after the other.

    `room` is how far the payoff, with its collateral, is above zero at each knot, and `slope` beyond the
    last one: with both at or above zero, the same collateral is enough for what is left.
    """
    cover = max(0, -payoff.slope)
    usdc = backing.get(USDC, 0) * PICO_PER_MICRO
    room = [value + cover * price + usdc for price, value in zip(payoff.prices, payoff.values, strict=True)]
    slope = payoff.slope + cover
    for series, ratio in group:
        if ratio < 0:
            continue
        lot = package_payoff([(series, 1)], knots=payoff.prices)
        bounds = [floor_div(left, worth) for left, worth in zip(room, lot.values, strict=True) if worth > 0]
        lots = min(ratio, *bounds, *([floor_div(slope, lot.slope)] if lot.slope else []))
        room = [left - lots * worth for left, worth in zip(room, lot.values, strict=True)]
        slope -= lots * lot.slope
        yield series, lots
