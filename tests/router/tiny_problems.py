"""Random problems that are small enough to be solved by trying everything.

Sizes: 1 to 3 chains, 1 to 3 orders of 1 or 2 units with 1 or 2 legs, 2 to 4 offers of 1 or 2 lots on up
to 3 venues, up to 4 directed bridges, 2 series. All fees may be above zero, capacities may bind,
chains may be slow, offers and orders impatient, and there are references, one-cancels-other groups,
all-or-none orders, owners on both sides, and chains without orders.
"""

from dataclasses import replace
from itertools import permutations
from random import Random

from chains.deadlines import Timing
from chains.package import Legs, reduce_legs
from chains.snapshot import BridgeTerms, ChainTerms, Offer, VenueTerms
from router.problem import Demand, Problem, Reference

FAIR = 40_000
"""Micro-USDC per lot, around which everything is priced."""

LATE_US = 10**9
SOON_US = 1_200_000
"""Earlier than a deal with a slow chain is decided, later than any other."""

PACKAGES: tuple[Legs, ...] = (
    (("one", 1),),
    (("one", 1),),
    (("one", -1),),
    (("one", -1),),
    (("one", 2),),
    (("two", 1),),
    (("two", -1),),
    (("one", 1), ("two", -1)),
    (("one", -1), ("two", 1)),
    (("one", 2), ("two", 1)),
)


def tiny_problem(seed: int) -> Problem:
    """The problem of a seed."""
    rng = Random(seed)
    names = ("a", "b", "c")[: rng.choice((1, 2, 2, 3, 3, 3))]
    orders = rng.choice((1, 2, 3, 3, 3))
    problem = Problem(
        prepare_us=0,
        hub="a",
        timing=Timing(margin=(3, 2), outage_us=1_000, skew_us=10),
        fee_per_lot=rng.choice((0, 30)),
        chains={name: _chain(rng, name) for name in names},
        bridges={bridge.id: bridge for bridge in _bridges(rng, names, alone=orders == 1)},
        venues={venue.id: venue for venue in _venues(rng, names)},
        offers={},
        series_expiry_us={"one": rng.choice((*[LATE_US] * 5, 2_000_000)), "two": LATE_US},
        demands={demand.intent: demand for demand in _demands(rng, names, orders)},
    )
    offers = {offer.id: offer for offer in _offers(rng, tuple(problem.venues))}
    return replace(problem, offers=offers, references=_references(rng, problem))


def _chain(rng: Random, name: str) -> ChainTerms:
    return ChainTerms(
        id=name,
        block_us=1_000,
        finality_us=rng.choice((1_000, 1_000_000)),
        relay_us=100,
        settle_fee_leg=rng.choice((0, 700, 2_000)),
        settle_fee_fill=rng.choice((0, 100)),
        deal_fee=rng.choice((0, 300, 1_000)),
    )


def _bridges(rng: Random, names: tuple[str, ...], *, alone: bool) -> list[BridgeTerms]:
    """Cash capacities that bind only where one order is alone: the oracle does not share them out."""
    capacities = (0, 15_000, *[LATE_US] * 4) if alone else (0, *[LATE_US] * 5)
    pairs = list(permutations(names, 2))
    return [
        BridgeTerms(
            id=f"{source}-{target}",
            source=source,
            target=target,
            fee_fixed=rng.choice((0, 500, 1_500)),
            fee_cash_bps=rng.choice((0, 10, 50)),
            fee_per_lot=rng.choice((0, 50)),
            latency_us=1,
            capacity_cash=rng.choice(capacities),
            capacity_lots=rng.choice((0, 1, 2, 100, 100)),
        )
        for source, target in rng.sample(pairs, min(len(pairs), rng.randint(2, 4)))
    ]


def _venues(rng: Random, names: tuple[str, ...]) -> list[VenueTerms]:
    return [
        VenueTerms(
            id=f"venue-{number}",
            chain=rng.choice(names),
            kind="order_book",
            fee_touch=rng.choice((0, 300)),
            fee_per_lot=rng.choice((0, 20)),
            as_of_us=0,
            max_lock_us=rng.choice((*[LATE_US] * 5, SOON_US, SOON_US)),
        )
        for number in range(rng.randint(1, 3))
    ]


def _offers(rng: Random, venues: tuple[str, ...]) -> list[Offer]:
    offers = []
    for number in range(rng.randint(2, 4)):
        side = rng.choice(("sell", "sell", "buy"))
        distance = rng.choice((rng.randint(0, 12), rng.randint(-8, 12)))
        offers.append(
            Offer(
                id=f"offer-{number}",
                venue=rng.choice(venues),
                series=rng.choice(("one", "one", "two")),
                side=side,
                price=FAIR + distance * 1_000 * (1 if side == "sell" else -1),
                lots=rng.randint(1, 2),
            )
        )
    return offers


def _demands(rng: Random, names: tuple[str, ...], count: int) -> list[Demand]:
    demands: list[Demand] = []
    for number in range(count):
        legs, chain, units = rng.choice(PACKAGES), rng.choice(names), rng.randint(1, 2)
        if demands and rng.random() < 0.35:
            legs, chain = demands[0].legs, demands[0].chain
        generosity = rng.randint(0, 30) * 1_000
        demands.append(
            Demand(
                intent=f"order-{number}",
                owner=f"owner-{rng.randint(0, 3)}",
                chain=chain,
                legs=legs,
                units=units,
                min_units=rng.choice((1, units)),
                limit=sum(ratio * FAIR + abs(ratio) * generosity for _, ratio in legs),
                valid_until_us=rng.choice((*[LATE_US] * 5, SOON_US, SOON_US)),
                group=rng.choice(("", "", "", "group")),
            )
        )
    return demands


def _references(rng: Random, problem: Problem) -> dict[tuple[str, Legs], Reference]:
    references = {}
    for demand in problem.demands.values():
        if rng.random() < 0.3:
            package, factor = reduce_legs(demand.legs)
            price = demand.limit // factor - rng.randint(-5, 15) * 1_000
            references[demand.chain, package] = Reference(units=rng.randint(1, 2), price=price)
    return references
