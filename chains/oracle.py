"""Marks: what a series is worth by the model, for everybody's information.

The oracle has a round at every multiple of its interval. A mark is the Black-76 price of one lot at the
instant of its round, from the world's forward and volatility; it carries the round's number and instant,
so that its age is known. Nothing that decides uses a mark.
"""

import numpy as np

from chains.black76 import greeks, years_between
from chains.listing import LiveListing
from chains.series import OptionKind
from chains.snapshot import Mark
from chains.units import BPS, MICRO, floor_div


class Marks:
    """The marks of the newest round, computed once per round and listing."""

    def __init__(self, listing: LiveListing, *, round_us: int) -> None:
        self._listing = listing
        self._round_us = round_us
        self._made: tuple[int, tuple[str, ...]] | None = None
        self._marks: tuple[Mark, ...] = ()

    def at(self, now_us: int) -> tuple[Mark, ...]:
        """One mark for each listed series, in the order of the listing."""
        number = floor_div(now_us, self._round_us)
        ids = tuple(terms.id for terms in self._listing.terms)
        if self._made != (number, ids):
            self._made = (number, ids)
            self._marks = self._compute(number)
        return self._marks

    def _compute(self, number: int) -> tuple[Mark, ...]:
        as_of_us = number * self._round_us
        listed = list(self._listing.iv_bps.items())
        iv = np.array([bps for _, bps in listed], dtype=np.float64) / BPS
        answer = greeks(
            np.array([self._listing.forward(series) for series, _ in listed], dtype=np.float64) / MICRO,
            np.array([series.strike for series, _ in listed], dtype=np.float64),
            years_between(as_of_us, np.array([series.expiry_us for series, _ in listed], dtype=np.int64)),
            iv,
            np.array([series.kind is OptionKind.CALL for series, _ in listed], dtype=np.bool_),
        )
        columns = (answer.price, iv, answer.delta, answer.gamma, answer.vega, answer.theta)
        return tuple(
            Mark(
                series=series.id,
                price=price * MICRO * series.lot_size[0] / series.lot_size[1],
                iv=vol,
                delta=delta,
                gamma=gamma,
                vega=vega,
                theta=theta,
                oracle_round=number,
                oracle_as_of_us=as_of_us,
            )
            for (series, _), (price, vol, delta, gamma, vega, theta) in zip(
                listed, zip(*(column.tolist() for column in columns), strict=True), strict=True
            )
        )
