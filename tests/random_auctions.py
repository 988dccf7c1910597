"""Small random auctions with everything that can get in a router's way.

Chains that no bridge reaches, one-way bridges, capacities that run out, fees of all sizes, slow
finality, short lock limits, firm offers that end, peers, all-or-none orders, packages that are bought
and sold at once, limits on both sides of the market.
"""

from itertools import permutations
from random import Random
from typing import Any

from chains.snapshot import BridgeTerms, ChainTerms, Offer, VenueTerms
from chains.units import MICRO
from solvers.auction import Auction, Order, Rules
from tests.builders import (
    CALL,
    CUT_US,
    HIGH,
    LATER,
    PUT,
    make_auction,
    make_bridge,
    make_chain,
    make_offer,
    make_order,
    make_venue,
)

NAMES = ("hub", "east", "west", "north", "south")
SERIES = (CALL, HIGH, PUT, LATER)
FAIR = {CALL: 50_000, HIGH: 30_000, PUT: 20_000, LATER: 80_000}


def random_auction(seed: int, *, orders: int = 6, chains: int = 5) -> Auction:
    """An auction of a few orders over up to five chains; the same seed gives the same auction."""
    rng = Random(seed)
    names = NAMES[: min(chains, rng.choice([1, 2, 3, 4, 5, 5]))]
    venues = [_venue(rng, chain, number) for chain in names for number in range(rng.randint(0, 2))]
    return make_auction(
        rules=Rules(fee_per_lot=rng.choice([0, 3, 200])),
        chains=tuple(_chain(rng, name) for name in names),
        bridges=tuple(
            _bridge(rng, *ends, number)
            for ends in permutations(names, 2)
            for number in range(rng.choice([0, 1, 1, 1, 2, 2]))
        ),
        venues=tuple(venues),
        offers=tuple(offer for venue in venues for offer in _book(rng, venue)),
        orders=tuple(_orders(rng, names, rng.randint(1, orders))),
    )


def _chain(rng: Random, name: str) -> ChainTerms:
    return make_chain(
        name,
        finality_us=rng.choice([0, 2, 2, 2, 20, 1_800]) * MICRO,
        settle_fee_leg=rng.choice([0, 100, 5_000]),
        settle_fee_fill=rng.choice([0, 10]),
        deal_fee=rng.choice([0, 1_000]),
    )


def _bridge(rng: Random, source: str, target: str, number: int) -> BridgeTerms:
    return make_bridge(
        source,
        target,
        id=f"{source}-{target}-{number}",
        fee_fixed=rng.choice([0, 500, 5_000]),
        fee_cash_bps=rng.choice([0, 1, 10, 33, 33, 700]),
        fee_per_lot=rng.choice([0, 20, 900]),
        capacity_cash=rng.choice([0, 300_000, 10**12, 10**12, 10**12]),
        capacity_lots=rng.choice([0, 4, 10_000, 10_000, 10_000]),
    )


def _venue(rng: Random, chain: str, number: int) -> VenueTerms:
    return make_venue(
        chain,
        id=f"{chain}-{number}",
        fee_touch=rng.choice([0, 50, 3_000]),
        fee_per_lot=rng.choice([0, 5, 100]),
        max_lock_us=rng.choice([15, 600, 600, 600]) * MICRO,
    )


def _book(rng: Random, venue: VenueTerms) -> list[Offer]:
    offers: dict[str, Offer] = {}
    for series in SERIES:
        for side, skew in (("sell", 102), ("buy", 98)):
            for _ in range(rng.choice([0, 1, 2, 3])):
                price = FAIR[series] * (skew + rng.randint(-6, 6)) // 100
                firm: dict[str, Any] = {}
                if rng.random() < 0.1:
                    firm["firm_until_us"] = CUT_US + rng.choice([5, 60]) * MICRO
                offer = make_offer(venue.id, series, side, price, rng.randint(1, 9), **firm)
                offers[offer.id] = offer
    return list(offers.values())


def _orders(rng: Random, chains: tuple[str, ...], count: int) -> list[Order]:
    packages = [_package(rng) for _ in range(max(1, count // 2))]
    orders = []
    for number in range(count):
        package, factor = rng.choice(packages), rng.choice([1, 1, 2])
        legs = {series: ratio * factor for series, ratio in package.items()}
        fair = sum(FAIR[series] * ratio for series, ratio in legs.items())
        gross = sum(FAIR[series] * abs(ratio) for series, ratio in legs.items())
        units = rng.randint(1, 12)
        changes: dict[str, Any] = {"group": "either"} if rng.random() < 0.2 else {}
        orders.append(
            make_order(
                f"order-{number}",
                legs,
                fair + gross * rng.randint(-5, 30) // 100,
                units=units,
                owner=f"owner-{rng.randint(0, 2)}",
                chain=rng.choice(chains),
                min_units=rng.choice([1, 1, units, max(1, units // 2)]),
                valid_until=CUT_US // MICRO + rng.choice([5, 120, 3_600, 3_600]),
                **changes,
            )
        )
    return orders


def _package(rng: Random) -> dict[str, int]:
    legs = rng.sample(SERIES, rng.choice([1, 1, 2, 3]))
    return {series: rng.choice([1, -1, 2, -2]) for series in legs}
