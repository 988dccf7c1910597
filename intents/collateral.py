"""What one unit of an intent can require at worst, and where its legs go when it is filled.

An intent is admitted only if all of this is free on its chain, so a user can never be over-committed
and settlement never fails for a user's funds.

* Cash: the limit, where it is positive. Premium still to be received never counts.
* Closing legs: sold legs that the owner's free lots cover in full at admission, lots for lots.
* The rest of the package, if it has a sold leg, is written: it stands on its own with its
  collateral in the owner's `written:` account, its bought legs too, since they are what makes the
  collateral small. If it has none, its bought legs arrive free in `owner:`.
* Collateral of a written package is netted only within one (underlying, expiry). Let `P(S)` be the
  payoff of those legs to the owner and `m` its slope beyond the last strike. Where `m < 0`, the
  package needs `-m` coins, worth `-m * S` at expiry: they cover the open end of its calls. On top of
  them it needs the USDC that lifts the worst of `P(S) + max(0, -m) * S` over all S >= 0 to zero.
  So a short put needs its strike in USDC, a short call its coins alone, a short call spread its
  width in USDC and no coins, a long package nothing.

Every amount is rounded up per unit, against the writer, and `units` times the amount per unit is what
any number of units needs. That is exactly linear: what is reserved for a + b units is what is reserved
for a and for b, so fills, cancels and aborts in any order leave no unit short and no remainder.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from chains.package import Legs
from chains.payoff import PICO_PER_MICRO, package_payoff
from chains.series import Series, parse_series
from chains.units import COIN, MICRO, USDC, ceil_div

Amounts = tuple[tuple[str, int], ...]
"""(asset, positive amount), sorted by asset: USDC in micro-USDC, coins in 1e-8, series in lots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What one unit of an intent ties up; all amounts are per unit.

    Attributes
    ----------
    cash : micro-USDC that the owner pays at most
    closing : (series, lots) sold out of the owner's free lots
    collateral : (asset, amount) that moves from `owner:` into `written:` when a unit is filled
    written : legs that go to `written:`, bought ones too; empty where nothing is written
    bought : legs that arrive free in `owner:`
    """

    cash: int
    closing: Amounts
    collateral: Amounts
    written: Legs
    bought: Legs

    @property
    def closing_series(self) -> frozenset[str]:
        """The series whose sold lots come from the owner's free lots."""
        return frozenset(series for series, _ in self.closing)

    def reserved(self, units: int) -> dict[str, int]:
        """Everything that so many units tie up, by asset: cash, closing lots and collateral."""
        totals: defaultdict[str, int] = defaultdict(int)
        for asset, amount in ((USDC, self.cash), *self.closing, *self.collateral):
            totals[asset] += amount * units
        return {asset: total for asset, total in sorted(totals.items()) if total}

    def collateral_of(self, units: int) -> dict[str, int]:
        """What moves into `written:` when so many units are filled, without the premium."""
        return {asset: amount * units for asset, amount in self.collateral}


def requirement_of(legs: Legs, *, limit: int, closing: Collection[str] = ()) -> Requirement:
    """What one unit of a package ties up.

    `limit` is micro-USDC per unit; `closing` names the sold legs that close positions.
    """
    rest = tuple((series, ratio) for series, ratio in legs if series not in closing)
    is_written = any(ratio < 0 for _, ratio in rest)
    return Requirement(
        cash=max(0, limit),
        closing=tuple(sorted((series, -ratio) for series, ratio in legs if series in closing)),
        collateral=package_collateral(rest) if is_written else (),
        written=rest if is_written else (),
        bought=() if is_written else rest,
    )


def package_collateral(legs: Legs) -> Amounts:
    """Coins and USDC that back one unit of a package, each rounded up."""
    groups: defaultdict[tuple[str, int], list[tuple[Series, int]]] = defaultdict(list)
    for text, ratio in legs:
        series = parse_series(text)
        groups[series.underlying, series.expiry].append((series, ratio))
    totals: defaultdict[str, int] = defaultdict(int)
    for (underlying, _), group in groups.items():
        for asset, amount in _group_collateral(underlying, group):
            totals[asset] += amount
    return tuple(sorted((asset, amount) for asset, amount in totals.items() if amount))


def _group_collateral(underlying: str, group: list[tuple[Series, int]]) -> Iterator[tuple[str, int]]:
    payoff = package_payoff(group)
    cover = max(0, -payoff.slope)
    yield underlying, ceil_div(cover * COIN, MICRO)
    worst = min(value + cover * price for price, value in zip(payoff.prices, payoff.values, strict=True))
    yield USDC, ceil_div(max(0, -worst), PICO_PER_MICRO)
