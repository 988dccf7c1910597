"""Marks: what a series is worth by the model, and the oracle that venues read it from.

The oracle has a round at every multiple of its interval. A mark is the Black-76 price of one lot at the
instant of its round, from the world's forward and volatility; it carries the round's number and instant,
so that its age is known.

Solvers see marks as floats, for information. Venues that follow the oracle see the same marks as whole
micro-USDC (`Marks.mark`), and that is all that decides there: a mark is a function of time and of what
is listed, so a venue's prices do not depend on who looked at them when.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from chains.black76 import greeks, price, years_between
from chains.listing import LiveListing
from chains.series import OptionKind
from chains.snapshot import Mark, SeriesTerms
from chains.units import BPS, MICRO, floor_div

_KEPT: Final = 8
"""Rounds whose whole marks are kept: venues look back to the instants at which they quoted."""


class _Columns(NamedTuple):
    """What the marks of the listed series are made from, as arrays in the order of the listing."""

    forward: npt.NDArray[np.float64]
    strike: npt.NDArray[np.float64]
    expiry_us: npt.NDArray[np.int64]
    iv: npt.NDArray[np.float64]
    is_call: npt.NDArray[np.bool_]
    lot: npt.NDArray[np.int64]


class Marks:
    """The marks of a world, computed once per round and listing; a `Feed` for its venues."""

    def __init__(self, listing: LiveListing, *, round_us: int) -> None:
        self._listing = listing
        self._round_us = round_us
        self._terms: tuple[SeriesTerms, ...] | None = None
        self._columns = _columns_of(listing)
        self._number: int | None = None
        self._marks: tuple[Mark, ...] = ()
        self._whole: dict[int, dict[str, int]] = {}

    @property
    def round_us(self) -> int:
        """A new round begins at every multiple of this, in microseconds."""
        return self._round_us

    def at(self, now_us: int) -> tuple[Mark, ...]:
        """One mark for each listed series, in the order of the listing."""
        self._follow_listing()
        number = floor_div(now_us, self._round_us)
        if self._number != number:
            self._marks = self._compute(number)
            self._number = number
        return self._marks

    def mark(self, series: str, *, now_us: int) -> int | None:
        """The mark of the newest round at an instant, past or present, in whole micro-USDC per lot.

        Rounded to nearest, a half to even. None for a series that is not listed now.
        """
        self._follow_listing()
        number = floor_div(now_us, self._round_us)
        whole = self._whole.get(number)
        if whole is None:
            if len(self._whole) >= _KEPT:
                del self._whole[next(iter(self._whole))]
            whole = self._whole[number] = self._compute_whole(number)
        return whole.get(series)

    def _follow_listing(self) -> None:
        if self._terms is not self._listing.terms:
            self._terms = self._listing.terms
            self._columns = _columns_of(self._listing)
            self._number = None
            self._whole.clear()

    def _compute_whole(self, number: int) -> dict[str, int]:
        forward, strike, expiry_us, iv, is_call, lot = self._columns
        per_coin = price(forward, strike, years_between(number * self._round_us, expiry_us), iv, is_call)
        per_lot = np.rint(per_coin * MICRO * lot[:, 0] / lot[:, 1]).astype(np.int64)
        ids = (terms.id for terms in self._listing.terms)
        return dict(zip(ids, per_lot.tolist(), strict=True))

    def _compute(self, number: int) -> tuple[Mark, ...]:
        as_of_us = number * self._round_us
        forward, strike, expiry_us, iv, is_call, _ = self._columns
        answer = greeks(forward, strike, years_between(as_of_us, expiry_us), iv, is_call)
        columns = (answer.price, iv, answer.delta, answer.gamma, answer.vega, answer.theta)
        return tuple(
            Mark(
                series=terms.id,
                price=price_per_coin * MICRO * terms.lot_size[0] / terms.lot_size[1],
                iv=vol,
                delta=delta,
                gamma=gamma,
                vega=vega,
                theta=theta,
                oracle_round=number,
                oracle_as_of_us=as_of_us,
            )
            for terms, (price_per_coin, vol, delta, gamma, vega, theta) in zip(
                self._listing.terms, zip(*(column.tolist() for column in columns), strict=True), strict=True
            )
        )


def _columns_of(listing: LiveListing) -> _Columns:
    listed = list(listing.iv_bps.items())
    return _Columns(
        forward=np.array([listing.forward(series) for series, _ in listed], dtype=np.float64) / MICRO,
        strike=np.array([series.strike for series, _ in listed], dtype=np.float64),
        expiry_us=np.array([series.expiry_us for series, _ in listed], dtype=np.int64),
        iv=np.array([bps for _, bps in listed], dtype=np.float64) / BPS,
        is_call=np.array([series.kind is OptionKind.CALL for series, _ in listed], dtype=np.bool_),
        lot=np.array([series.lot_size for series, _ in listed], dtype=np.int64).reshape(-1, 2),
    )
