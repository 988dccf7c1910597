"""Slices of the reference world: auctions as real as the market's own, and small enough to solve at once.

A slice keeps every chain, bridge, venue and fee of the world and a few neighbouring series of one
expiry with the best levels of each book. Its orders come from three packages on three chains, from both
sides, priced as the demo's traders price theirs: so there are peers, matches and fixed fees to share.
Two more series are in it for those who look for them: the cheapest one that is offered anywhere (the
*wing*), and one without any offer (the *dark* series).
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Final

from chains.package import Legs
from chains.reference import reference_world
from chains.snapshot import Offer, Snapshot
from chains.units import MICRO
from chains.world import World
from intents.order_flow import Screen, read_screen
from solvers.auction import Auction, Order, Rules

START_US: Final = 1_767_571_200 * MICRO
WORLDS: Final = 10
"""Seeds of worlds that slices are cut from."""

LEVELS: Final = 3
PACKAGES: Final = 3
CHAINS: Final = 3
ORDERS: Final = (3, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """An auction without a reference.

    Attributes
    ----------
    auction : every order is another owner's
    fair : micro-USDC per lot by the world's own marks, rounded
    wing, dark : the cheapest series on offer, and one that nobody offers
    """

    auction: Auction
    fair: Mapping[str, int]
    wing: str
    dark: str

    def fair_value(self, legs: Legs) -> int:
        """What one unit of a package is worth by the marks, in micro-USDC."""
        return sum(ratio * self.fair[series] for series, ratio in legs)


def draw_slice(seed: int, *, orders: tuple[int, int] = ORDERS) -> Slice:
    """A slice with between so many orders; the same seed gives the same slice."""
    rng = Random(seed)
    seen, screen = _open_world(seed % WORLDS)
    ladder = _draw_ladder(rng, screen)
    wing, dark = _find_wing(seen), _find_dark(seen)
    drawn = _draw_orders(rng, screen, ladder, [chain.id for chain in seen.chains], rng.randint(*orders))
    return Slice(
        auction=Auction(
            auction=f"auction-{seed + 1:06d}",
            cut_us=START_US,
            solve_us=2 * MICRO,
            hub=seen.hub,
            rules=Rules(),
            chains=seen.chains,
            bridges=seen.bridges,
            venues=seen.venues,
            series=tuple(terms for terms in seen.series if terms.id in {*ladder, wing, dark}),
            offers=_best_levels(seen, {*ladder, wing}),
            marks=tuple(mark for mark in seen.marks if mark.series in {*ladder, wing, dark}),
            orders=tuple(drawn),
            reference=(),
        ),
        fair={mark.series: round(mark.price) for mark in seen.marks},
        wing=wing,
        dark=dark,
    )


@lru_cache(maxsize=WORLDS)
def _open_world(seed: int) -> tuple[Snapshot, Screen]:
    world = World(reference_world(seed=seed, start_us=START_US), seed=seed, start_us=START_US)
    seen = world.snapshot()
    return seen, read_screen(seen, now_us=START_US)


def _draw_ladder(rng: Random, screen: Screen) -> list[str]:
    """Up to five neighbouring strikes of one expiry and kind, all quoted on both sides."""
    first = rng.choice(screen.series)
    ladder = sorted(
        series for series in screen.series if (series.expiry, series.kind) == (first.expiry, first.kind)
    )
    place = ladder.index(first)
    return [series.id for series in ladder[max(0, place - 2) : place + 3]]


def _best_levels(seen: Snapshot, series: set[str]) -> tuple[Offer, ...]:
    books: defaultdict[tuple[str, str, str], list[Offer]] = defaultdict(list)
    for offer in seen.offers:
        if offer.series in series:
            books[offer.venue, offer.series, offer.side].append(offer)
    kept: list[Offer] = []
    for (_, _, side), offers in sorted(books.items()):
        sign = 1 if side == "sell" else -1
        kept += sorted(offers, key=lambda offer: (sign * offer.price, offer.id))[:LEVELS]
    return tuple(kept)


def _find_wing(seen: Snapshot) -> str:
    asked = [(offer.price, offer.series) for offer in seen.offers if offer.side == "sell"]
    return min(asked)[1]


def _find_dark(seen: Snapshot) -> str:
    offered = {offer.series for offer in seen.offers}
    marked = {mark.series for mark in seen.marks}
    return min(terms.id for terms in seen.series if terms.id not in offered and terms.id in marked)


def _draw_orders(
    rng: Random, screen: Screen, ladder: list[str], chains: list[str], count: int
) -> list[Order]:
    at = rng.sample(chains, CHAINS)
    packages = [_draw_package(rng, ladder) for _ in range(PACKAGES)]
    orders = []
    for number in range(count):
        sign = rng.choice([1, -1])
        legs = tuple((series, sign * ratio) for series, ratio in rng.choice(packages))
        fair, paid = screen.price(legs)
        edge = min(paid - fair, screen.most_edge(legs))
        units = max(1, round(rng.lognormvariate(2.0, 0.8)))
        orders.append(
            Order(
                intent=f"0x{number:064x}",
                owner=f"0x{number + 1:040x}",
                chain=rng.choice(at),
                legs=legs,
                units=units,
                min_units=units if rng.random() < 0.25 else 1,
                limit=round(fair + edge * rng.uniform(0.5, 1.6) + 0.004 * abs(fair)),
                valid_until=START_US // MICRO + 7_200,
                immediate=False,
            )
        )
    return orders


def _draw_package(rng: Random, ladder: list[str]) -> Legs:
    legs = rng.sample(ladder, min(len(ladder), rng.choice([1, 1, 2])))
    return tuple((series, rng.choice([1, -1])) for series in sorted(legs))
