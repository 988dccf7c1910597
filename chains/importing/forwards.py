"""One forward for each expiry of a market, in micro-USD per coin.

The first of these that the data allow:

1. `given`: the lower median of the forwards in the expiry's mark rows, which are read some moments apart;
2. `parity`: put-call parity. A call less a put of one strike K is worth F - K, hence 1 - K/F in coins, so
   F = K / (1 - (C - P)) with the middles C and P of their best quotes; the lower median of the
   `STRIKES_MAX` strikes whose four quotes lie closest together, the lower strike first;
3. `interpolated`: linear in time between the nearest expiries that have one, level beyond them;
4. `index`: the lower median of the underlying's index prices.

Divisions round down.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from chains.calibration.market import ExpiryKey, lower_median
from chains.documented import DocumentedEnum
from chains.importing.cleaning import Quotes
from chains.importing.rows import USD_MOST
from chains.series import OptionKind
from chains.units import COIN, MICRO, floor_div

STRIKES_MAX: Final = 3


class ForwardSource(DocumentedEnum):
    """Where the forward of an expiry comes from."""

    GIVEN = "given", "the median of the forwards in its mark rows"
    PARITY = "parity", "put-call parity between its best quotes"
    INTERPOLATED = "interpolated", "the forwards of the expiries next to it"
    INDEX = "index", "the index price"


class FittedForward(NamedTuple):
    """A forward in micro-USD per coin, and where it comes from."""

    price: int
    source: ForwardSource


def fit_forwards(quotes: Sequence[Quotes]) -> dict[ExpiryKey, FittedForward]:
    """The forward of every expiry for which the data hold one in any of the ways above."""
    by_expiry: dict[ExpiryKey, list[Quotes]] = {}
    for each in quotes:
        by_expiry.setdefault((each.series.underlying, each.series.expiry), []).append(each)
    found: dict[ExpiryKey, FittedForward] = {}
    for key, of_expiry in by_expiry.items():
        given = [each.mark.forward for each in of_expiry if each.mark and each.mark.forward is not None]
        parity = _parity_forwards(of_expiry)
        if given:
            found[key] = FittedForward(lower_median(given), ForwardSource.GIVEN)
        elif parity:
            found[key] = FittedForward(lower_median(parity), ForwardSource.PARITY)
    fitted = {key: found.get(key) or _from_others(key, found, quotes) for key in by_expiry}
    return {key: forward for key, forward in fitted.items() if forward is not None}


def _from_others(
    key: ExpiryKey, found: Mapping[ExpiryKey, FittedForward], quotes: Iterable[Quotes]
) -> FittedForward | None:
    underlying, expiry = key
    known = sorted((other, forward.price) for (name, other), forward in found.items() if name == underlying)
    if known:
        return FittedForward(interpolate(known, expiry), ForwardSource.INTERPOLATED)
    marks = [each.mark for each in quotes if each.mark and each.series.underlying == underlying]
    index = [mark.index_price for mark in marks if mark.index_price is not None]
    return FittedForward(lower_median(index), ForwardSource.INDEX) if index else None


def interpolate(known: Sequence[tuple[int, int]], at: int) -> int:
    """Linear between the nearest of some (place, value), sorted by place, level beyond; rounded down."""
    before = [each for each in known if each[0] <= at]
    after = [each for each in known if each[0] >= at]
    if not before or not after:
        return (before[-1] if before else after[0])[1]
    (left, low), (right, high) = before[-1], after[0]
    if left == right:
        return low
    return floor_div(low * (right - at) + high * (at - left), right - left)


def _parity_forwards(of_expiry: Sequence[Quotes]) -> list[int]:
    """The forwards of the strikes whose four quotes lie closest together."""
    sides: dict[int, dict[OptionKind, Quotes]] = {}
    for each in of_expiry:
        if each.bids and each.asks and each.bids[0].price < each.asks[0].price:
            sides.setdefault(each.series.strike, {})[each.series.kind] = each
    found = []
    for strike, pair in sides.items():
        if len(pair) == 2:
            call, put = pair[OptionKind.CALL], pair[OptionKind.PUT]
            twice = call.bids[0].price + call.asks[0].price - put.bids[0].price - put.asks[0].price
            width = call.asks[0].price - call.bids[0].price + put.asks[0].price - put.bids[0].price
            if twice >= 2 * COIN:
                continue
            forward = floor_div(2 * COIN * strike * MICRO, 2 * COIN - twice)
            if 0 < forward <= USD_MOST * MICRO:
                found.append((width, strike, forward))
    return [forward for _, _, forward in sorted(found)[:STRIKES_MAX]]
