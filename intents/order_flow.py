"""Synthetic order flow over a real book: what the demo's traders and the studies post.

Traders want packages near the money, on both sides, priced from the best quotes over all venues and
the model's marks, as a trader with a screen would price them. The limit lies somewhere between the fair
value and a little beyond what the screen shows, but never more than a few vol points away, however wide
the quotes are: some orders cross the books, some only cross each other, some never fill. A part of the
flow answers earlier orders from the other side, as two-sided interest in one package does. Everything
is drawn from one seeded generator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import numpy as np

from chains.package import Legs
from chains.series import OptionKind, Series, parse_series
from chains.snapshot import Snapshot
from chains.units import MICRO
from intents.signing import address_of
from intents.typed_data import NO_GROUP
from solvers.auction import Auction

DELTA_MIN: Final = 0.11
"""Series whose delta is smaller than this in size, or larger than one less this, are not asked for."""

SHAPES: Final = {"single": 0.40, "vertical": 0.25, "butterfly": 0.12, "strangle": 0.13, "calendar": 0.10}
EDGE_POINTS: Final = 4.0
"""Vol points: however wide the quotes are, nobody pays for more than this over the fair value."""

ANSWER_SHARE: Final = 0.30
"""Part of the flow that takes the other side of a package asked for before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trader:
    """A synthetic trader: a private key derived from the seed, and a home chain."""

    key: bytes
    owner: str
    chain: str


def make_traders(seed: int, *, count: int, chains: Sequence[str]) -> tuple[Trader, ...]:
    """Traders with keys that depend on the seed alone, spread over the chains in turn."""
    traders = []
    for index in range(count):
        key = sha256(f"solvent demo trader {seed}/{index}".encode()).digest()
        owner = address_of(key)
        traders.append(Trader(key=key, owner=owner, chain=chains[index % len(chains)]))
    return tuple(traders)


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What a trader sees of each series: fair value, best bid, best ask and vega, micro-USDC per lot."""

    series: tuple[Series, ...]
    fair: Mapping[str, float]
    bid: Mapping[str, float]
    ask: Mapping[str, float]
    vega: Mapping[str, float]

    def price(self, legs: Legs) -> tuple[float, float]:
        """Fair value of a package, and what the best quotes would make one pay for it."""
        fair = sum(ratio * self.fair[series] for series, ratio in legs)
        paid = sum(ratio * (self.ask if ratio > 0 else self.bid)[series] for series, ratio in legs)
        return fair, paid

    def most_edge(self, legs: Legs) -> float:
        """The most that a trader gives away over the fair value: `EDGE_POINTS` of volatility on each leg."""
        return EDGE_POINTS * sum(abs(ratio) * self.vega[series] for series, ratio in legs)


def read_screen(seen: Snapshot | Auction, *, now_us: int) -> Screen:
    """The composite book over all venues: only series with a mark and quotes on both sides."""
    bid: dict[str, float] = {}
    ask: dict[str, float] = {}
    for offer in seen.offers:
        if offer.side == "sell":
            ask[offer.series] = min(ask.get(offer.series, float("inf")), offer.price)
        else:
            bid[offer.series] = max(bid.get(offer.series, 0.0), offer.price)
    fair = {mark.series: mark.price for mark in seen.marks}
    delta = {mark.series: mark.delta for mark in seen.marks}
    kept = [
        parse_series(terms.id)
        for terms in seen.series
        if terms.id in fair
        and terms.id in bid
        and terms.id in ask
        and terms.expiry * MICRO > now_us + 3_600 * MICRO
        and DELTA_MIN < abs(delta[terms.id]) < 1 - DELTA_MIN
    ]
    size = {terms.id: terms.lot_size[0] / terms.lot_size[1] for terms in seen.series}
    vega = {mark.series: mark.vega * MICRO * size[mark.series] for mark in seen.marks}
    return Screen(series=tuple(kept), fair=fair, bid=bid, ask=ask, vega=vega)


class OrderFlow:
    """A stream of unsigned `OptionIntent` messages for some traders."""

    def __init__(self, *, seed: int, traders: Sequence[Trader]) -> None:
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._traders = tuple(traders)
        self._asked: list[tuple[Legs, int, Trader]] = []
        self._nonce = 0

    def draw(self, screen: Screen, *, count: int, now_us: int) -> list[tuple[Trader, dict[str, Any]]]:
        """The next `count` orders: (trader, EIP-712 message), priced from the screen.

        Raises
        ------
        ValueError
            If the screen shows no series: nobody can want anything then.
        """
        if count and not screen.series:
            raise ValueError("the screen shows no series with quotes on both sides near the money")
        return [self._draw_one(screen, now_us=now_us) for _ in range(count)]

    def _draw_one(self, screen: Screen, *, now_us: int) -> tuple[Trader, dict[str, Any]]:
        random = self._random
        trader = self._traders[int(random.integers(len(self._traders)))]
        others = [asked for asked in self._asked if asked[2].owner != trader.owner]
        listed = {series.id for series in screen.series}
        others = [asked for asked in others if all(series in listed for series, _ in asked[0])]
        if others and random.random() < ANSWER_SHARE:
            legs, units, _ = others[int(random.integers(len(others)))]
            legs = tuple((series, -ratio) for series, ratio in legs)
        else:
            legs, units = self._draw_package(screen), max(1, round(float(random.lognormal(2.7, 0.8))))
            if random.random() < 0.45:
                legs = tuple((series, -ratio) for series, ratio in legs)
        self._asked.append((legs, units, trader))
        fair, paid = screen.price(legs)
        edge = min(paid - fair, screen.most_edge(legs))
        limit = fair + edge * float(random.uniform(0.5, 1.6)) + 0.004 * abs(fair)
        self._nonce += 1
        now = now_us // MICRO
        return trader, {
            "owner": trader.owner,
            "nonce": self._nonce,
            "validFrom": now,
            "validUntil": now + int(random.integers(3_600, 86_400)),
            "chain": trader.chain,
            "legs": [{"series": series, "ratio": ratio} for series, ratio in legs],
            "units": units,
            "minUnits": units if random.random() < 0.25 else 1,
            "limit": round(limit),
            "immediate": bool(random.random() < 0.08),
            "reduceOnly": False,
            "group": NO_GROUP,
        }

    def _draw_package(self, screen: Screen) -> Legs:
        random = self._random
        while True:
            shape = str(random.choice(list(SHAPES), p=list(SHAPES.values())))
            first = screen.series[int(random.integers(len(screen.series)))]
            legs = _build_package(shape, first, screen.series, step=int(random.integers(1, 3)))
            if legs is not None:
                return legs


def _build_package(shape: str, first: Series, series: Sequence[Series], *, step: int) -> Legs | None:
    """The package of a shape that starts at one series, or None where the strikes are not there."""
    if shape == "single":
        return ((first.id, 1),)
    if shape == "calendar":
        later = [
            other
            for other in series
            if (other.underlying, other.strike, other.kind) == (first.underlying, first.strike, first.kind)
            and other.expiry > first.expiry
        ]
        return ((first.id, -1), (min(later).id, 1)) if later else None
    if shape == "strangle":
        calls = [
            other
            for other in series
            if _is_sibling(other, first) and other.kind is OptionKind.CALL and other.strike >= first.strike
        ]
        return ((first.id, 1), (min(calls).id, 1)) if first.kind is OptionKind.PUT and calls else None
    ladder = sorted(other for other in series if _is_sibling(other, first) and other.kind is first.kind)
    start = ladder.index(first)
    if shape == "vertical":
        return ((first.id, 1), (ladder[start + step].id, -1)) if start + step < len(ladder) else None
    if start + 2 * step >= len(ladder):
        return None
    return ((first.id, 1), (ladder[start + step].id, -2), (ladder[start + 2 * step].id, 1))


def _is_sibling(one: Series, other: Series) -> bool:
    return (one.underlying, one.expiry) == (other.underlying, other.expiry)
