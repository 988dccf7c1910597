"""The cut: from the book and a snapshot of the world to an auction file.

An auction holds at most `orders_max` orders. When more could take part, those whose limit lies
furthest beyond, or least short of, the best executable price of their package come first, per lot;
orders whose package nobody quotes come after them; ties go to the oldest. The rest are reported in that
order, so that their reason in the round can be `not_selected`, with their place in the line.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import UNSET

from chains.package import Legs
from chains.snapshot import Offer, Snapshot
from chains.units import floor_div
from intents.book import BookIntent
from intents.typed_data import NO_GROUP
from solvers.auction import Auction, Order, Rules

RANK_BITS: Final = 66
"""Twice the bits of a package's lots: at most 8 legs of 10**9."""


def cut_auction(
    orders: Iterable[BookIntent], snapshot: Snapshot, *, auction: str, solve_us: int, rules: Rules
) -> tuple[Auction, tuple[str, ...]]:
    """The auction file without its reference, and the ids of the orders left out, the next in line first."""
    selected, left_out = select_orders(tuple(orders), snapshot.offers, most=rules.orders_max)
    return (
        Auction(
            auction=auction,
            cut_us=snapshot.as_of_us,
            solve_us=solve_us,
            hub=snapshot.hub,
            rules=rules,
            chains=snapshot.chains,
            bridges=snapshot.bridges,
            venues=snapshot.venues,
            series=snapshot.series,
            offers=snapshot.offers,
            marks=snapshot.marks,
            orders=tuple(as_order(intent) for intent in selected),
            reference=(),
        ),
        tuple(intent.id for intent in left_out),
    )


def as_order(intent: BookIntent) -> Order:
    """One intent as solvers see it: what may be filled of it now, and its group if it has one."""
    return Order(
        intent=intent.id,
        owner=intent.owner,
        chain=intent.intent.chain,
        legs=intent.legs,
        units=intent.covered,
        min_units=intent.intent.min_units,
        limit=intent.intent.limit,
        valid_until=intent.intent.valid_until,
        immediate=intent.intent.immediate,
        group=UNSET if intent.intent.group == NO_GROUP else intent.intent.group,
    )


def select_orders(
    orders: Sequence[BookIntent], offers: Iterable[Offer], *, most: int
) -> tuple[Sequence[BookIntent], Sequence[BookIntent]]:
    """The orders that take part, in the order in which they came, and those left out, as they are ranked."""
    if len(orders) <= most:
        return orders, ()
    best = best_prices(offers)
    ranked = sorted(orders, key=lambda intent: _shortfall_rank(intent, best))
    chosen = {intent.id for intent in ranked[:most]}
    return [intent for intent in orders if intent.id in chosen], ranked[most:]


def best_prices(offers: Iterable[Offer]) -> dict[tuple[str, str], int]:
    """(series, side) -> the best price offered on any venue; `side` is what the venue does."""
    best: dict[tuple[str, str], int] = {}
    for offer in offers:
        place = (offer.series, offer.side)
        known = best.get(place)
        better = max if offer.side == "buy" else min
        best[place] = offer.price if known is None else better(known, offer.price)
    return best


def executable_price(legs: Legs, best: Mapping[tuple[str, str], int]) -> int | None:
    """What one unit costs at the best prices, micro-USDC; None where a leg has no offer."""
    total = 0
    for series, ratio in legs:
        price = best.get((series, "sell" if ratio > 0 else "buy"))
        if price is None:
            return None
        total += ratio * price
    return total


def _shortfall_rank(intent: BookIntent, best: Mapping[tuple[str, str], int]) -> tuple[bool, int, int]:
    """How far the limit is short of the executable price, per lot: the smallest come first, then the oldest.

    A package has fewer than 2**33 lots, so two different ratios differ by more than 2**-66: scaled by
    that and rounded down they are integers in the same order, equal only where the ratios are.
    """
    legs = intent.legs
    price = executable_price(legs, best)
    if price is None:
        return True, 0, intent.admitted
    lots = 0
    for _, ratio in legs:
        lots += abs(ratio)
    return False, floor_div((price - intent.intent.limit) << RANK_BITS, lots), intent.admitted
