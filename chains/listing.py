"""What is listed: live series with the inputs of their marks, and the rule that lists new ones.

A series is listed until the instant it expires. With a listing rule of `roll_days`, the strikes of an
expiry that passes are listed again that many days later, unless they are there already: each keeps its
volatility, and the new expiry takes over the forward of the old one unless it has its own.
"""

from collections.abc import Mapping

from chains.errors import WorldFileError
from chains.series import Series, parse_series
from chains.snapshot import SeriesTerms
from chains.world_file import WorldSpec

_DAY_S = 86_400


class LiveListing:
    """The listed series of a world."""

    def __init__(self, spec: WorldSpec, *, start_us: int) -> None:
        self._roll_days = spec.listing.roll_days
        self._forwards = {(each.underlying, each.expiry): each.price for each in spec.forwards}
        parsed = [(parse_series(each.id), each.iv_bps) for each in spec.series]
        alive = {series: iv_bps for series, iv_bps in parsed if series.expiry_us > start_us}
        if parsed and not alive:
            raise WorldFileError(f"series: all have expired at {start_us}; shift the world's expiries")
        self._list(alive)

    @property
    def iv_bps(self) -> Mapping[Series, int]:
        """The listed series by underlying, expiry, strike and kind, with the volatility of each mark."""
        return self._iv_bps

    @property
    def terms(self) -> tuple[SeriesTerms, ...]:
        """The listed series as solvers see them, in the same order."""
        return self._terms

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the listed series."""
        return self._ids

    def forward(self, series: Series) -> int:
        """The forward of a series' expiry, in micro-USD per coin."""
        return self._forwards[series.underlying, series.expiry]

    def highest_forward(self, underlying: str) -> int:
        """The highest forward of an underlying, in micro-USD per coin; 0 where it has none."""
        return self._highest_forwards.get(underlying, 0)

    def next_expiry_us(self) -> int | None:
        """When the next series expires."""
        return min((series.expiry_us for series in self._iv_bps), default=None)

    def expired(self, now_us: int) -> tuple[str, ...]:
        """The ids of the listed series that have expired by now, in the order of the listing."""
        return tuple(str(series.id) for series in self._iv_bps if series.expiry_us <= now_us)

    def expire(self, now_us: int) -> None:
        """Drop what has expired, with the forwards that nothing listed needs, and list what the rule says."""
        kept = {series: iv for series, iv in self._iv_bps.items() if series.expiry_us > now_us}
        if self._roll_days:
            for series in [each for each in self._iv_bps if each not in kept]:
                later = _later(series, days=self._roll_days)
                if later is not None:
                    kept.setdefault(later, self._iv_bps[series])
                    self._forwards.setdefault((later.underlying, later.expiry), self.forward(series))
        self._list(kept)

    def _list(self, listed: Mapping[Series, int]) -> None:
        self._iv_bps = dict(sorted(listed.items()))
        needed = {(series.underlying, series.expiry) for series in self._iv_bps}
        self._forwards = {place: price for place, price in self._forwards.items() if place in needed}
        self._highest_forwards = _highest(self._forwards)
        self._terms = _terms_of(self._iv_bps)
        self._ids = frozenset(terms.id for terms in self._terms)


def _later(series: Series, *, days: int) -> Series | None:
    """The same strike so many days later; None beyond the years that an id can name."""
    expiry = series.expiry + days * _DAY_S
    later = Series(underlying=series.underlying, expiry=expiry, strike=series.strike, kind=series.kind)
    return later if parse_series(later.id) == later else None


def _highest(forwards: Mapping[tuple[str, int], int]) -> dict[str, int]:
    highest: dict[str, int] = {}
    for (underlying, _), price in forwards.items():
        highest[underlying] = max(price, highest.get(underlying, 0))
    return highest


def _terms_of(listed: Mapping[Series, int]) -> tuple[SeriesTerms, ...]:
    return tuple(
        SeriesTerms(
            id=series.id,
            underlying=series.underlying,
            expiry=series.expiry,
            strike=series.strike,
            kind=series.kind.value,
            lot_size=series.lot_size,
        )
        for series in listed
    )
