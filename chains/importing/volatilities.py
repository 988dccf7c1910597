"""One volatility for each series of a market, in basis points (6986 is 69.86 %).

The first of these that the data allow:

1. `given`: the one in the series' mark row;
2. `mark_price`: the one at which Black-76 gives the price in the mark row, at that row's forward and time,
   if the option is out of the money: deep in the money a price says more about the forward than about it;
3. `strike`: linear in strike between the nearest strikes of the same expiry that have one of the above,
   level beyond them. A call and a put of one strike share a volatility (put-call parity); where both have
   one, their average counts;
4. `expiry`: total variance, at the same ratio of strike to forward, linear in time between the nearest
   expiries that have one; a constant volatility beyond them.

An expiry whose mark rows say nothing takes, in place of 1 and 2, the middles of the best quotes of its
series, likewise out of the money (`middle`). Volatilities round to the nearest basis point.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np

from chains.black76 import implied_vol, years_between
from chains.calibration.market import ExpiryKey
from chains.documented import DocumentedEnum
from chains.importing.cleaning import Quotes, row_forward
from chains.importing.forwards import interpolate
from chains.series import OptionKind, Series
from chains.units import BPS, COIN, MICRO, floor_div, nearest_root
from chains.world_file import IV_BPS_MAX


class VolatilitySource(DocumentedEnum):
    """Where the volatility of a series comes from."""

    GIVEN = "given", "its mark row"
    MARK_PRICE = "mark_price", "the price in its mark row"
    MIDDLE = "middle", "the middle of its best quotes"
    STRIKE = "strike", "the strikes next to it"
    EXPIRY = "expiry", "the expiries next to its own"


class FittedVolatility(NamedTuple):
    """A volatility in basis points, and where it comes from."""

    iv_bps: int
    source: VolatilitySource


def fit_volatilities(
    quotes: Sequence[Quotes], forwards: Mapping[ExpiryKey, int], *, taken_ms: int
) -> dict[Series, FittedVolatility]:
    """The volatility of every series for which the data hold one in any of the ways above."""
    by_expiry: dict[ExpiryKey, list[Quotes]] = {}
    for each in quotes:
        by_expiry.setdefault((each.series.underlying, each.series.expiry), []).append(each)
    found: dict[Series, FittedVolatility] = {}
    smiles: dict[ExpiryKey, list[tuple[int, int]]] = {}
    for key, of_expiry in by_expiry.items():
        forward = forwards[key]
        known = _from_marks(of_expiry, forward) or _from_middles(of_expiry, forward, taken_ms=taken_ms)
        found |= known
        if known:
            smiles[key] = _smile(known)
    surface = _Surface(smiles=smiles, forwards=forwards, taken_ms=taken_ms)
    for each in quotes:
        if each.series not in found:
            fitted = surface.at(each.series)
            if fitted is not None:
                found[each.series] = fitted
    return found


def _from_marks(of_expiry: Sequence[Quotes], forward: int) -> dict[Series, FittedVolatility]:
    found = {}
    priced = []
    for each in of_expiry:
        if each.mark is None:
            continue
        if each.mark.iv_bps is not None:
            found[each.series] = FittedVolatility(each.mark.iv_bps, VolatilitySource.GIVEN)
        elif each.mark.mark_price is not None:
            own = row_forward(each, forward)
            if _is_out_of_the_money(each.series, own):
                priced.append(_Priced(each.series, own, each.mark.mark_price, each.mark.timestamp_ms))
    return found | _implied(priced, VolatilitySource.MARK_PRICE)


def _from_middles(
    of_expiry: Sequence[Quotes], forward: int, *, taken_ms: int
) -> dict[Series, FittedVolatility]:
    return _implied(
        [
            _Priced(each.series, forward, floor_div(each.bids[0].price + each.asks[0].price, 2), taken_ms)
            for each in of_expiry
            if each.bids and each.asks and _is_out_of_the_money(each.series, forward)
        ],
        VolatilitySource.MIDDLE,
    )


def _is_out_of_the_money(series: Series, forward: int) -> bool:
    strike = series.strike * MICRO
    return strike >= forward if series.kind is OptionKind.CALL else strike <= forward


class _Priced(NamedTuple):
    """A price in 1e-8 coins, with the forward in micro-USD and the instant in ms that it belongs to."""

    series: Series
    forward: int
    price: int
    at_ms: int


def _implied(priced: Sequence[_Priced], source: VolatilitySource) -> dict[Series, FittedVolatility]:
    """The volatilities of those prices that have one between 0.01 % and 1,000 %."""
    forward = np.array([each.forward for each in priced], dtype=np.float64) / MICRO
    vols = implied_vol(
        np.array([each.price for each in priced], dtype=np.float64) / COIN * forward,
        forward,
        np.array([each.series.strike for each in priced], dtype=np.float64),
        years_between(
            np.array([each.at_ms * 1_000 for each in priced], dtype=np.int64),
            np.array([each.series.expiry_us for each in priced], dtype=np.int64),
        ),
        np.array([each.series.kind is OptionKind.CALL for each in priced], dtype=np.bool_),
    )
    bps = [round(vol * BPS) if isfinite(vol) else 0 for vol in vols.tolist()]
    return {
        each.series: FittedVolatility(iv, source)
        for each, iv in zip(priced, bps, strict=True)
        if 1 <= iv <= IV_BPS_MAX
    }


def _smile(known: Mapping[Series, FittedVolatility]) -> list[tuple[int, int]]:
    """(strike, volatility) of one expiry by strike; where call and put have one, their average."""
    by_strike: dict[int, list[int]] = {}
    for series, fitted in known.items():
        by_strike.setdefault(series.strike, []).append(fitted.iv_bps)
    return [(strike, floor_div(sum(vols), len(vols))) for strike, vols in sorted(by_strike.items())]


class _Surface(NamedTuple):
    """The known volatilities of a market by expiry, and what follows for all others."""

    smiles: Mapping[ExpiryKey, Sequence[tuple[int, int]]]
    forwards: Mapping[ExpiryKey, int]
    taken_ms: int

    def at(self, series: Series) -> FittedVolatility | None:
        key = (series.underlying, series.expiry)
        if key in self.smiles:
            return FittedVolatility(interpolate(self.smiles[key], series.strike), VolatilitySource.STRIKE)
        near = self._neighbours(key)
        if not near:
            return None
        variances = [(expiry, self._variance(series, expiry)) for expiry in near]
        # Beyond the expiries that are known, the volatility of the nearest one is kept.
        at = min(max(series.expiry, near[0]), near[-1])
        iv_bps = nearest_root(interpolate(variances, at), self._lifetime_ms(at))
        return FittedVolatility(iv_bps, VolatilitySource.EXPIRY)

    def _neighbours(self, key: ExpiryKey) -> list[int]:
        """The nearest expiry with volatilities before, and the nearest after."""
        known = sorted(expiry for underlying, expiry in self.smiles if underlying == key[0])
        return [
            *[each for each in known if each < key[1]][-1:],
            *[each for each in known if each > key[1]][:1],
        ]

    def _variance(self, series: Series, expiry: int) -> int:
        """Total variance of another expiry at the same ratio of strike to forward."""
        here = self.forwards[series.underlying, series.expiry]
        there = self.forwards[series.underlying, expiry]
        iv_bps = interpolate(self.smiles[series.underlying, expiry], floor_div(series.strike * there, here))
        return iv_bps * iv_bps * self._lifetime_ms(expiry)

    def _lifetime_ms(self, expiry: int) -> int:
        return expiry * 1_000 - self.taken_ms
