"""Bids with one thing wrong, or several: what a careless or a hostile solver would send.

`mutate_bid` changes a bid in one to three random places: amounts off by a little or by a lot, entries
dropped, repeated or misnamed, fees, deliveries and pools that nobody asked for. `strain_auction` brings
an auction to where bids just fit, or just do not: ends that are near, limits that are vast.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from msgspec.structs import replace

from chains.units import MICRO, USDC, WIRE_MAX
from solvers.auction import Auction
from solvers.bid import Bid, Fee, Fill, Pool, Trade, Transfer

Change = Callable[[Random, Auction, Bid], Bid]


def mutate_bid(rng: Random, auction: Auction, bid: Bid) -> Bid:
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        bid = rng.choice(CHANGES)(rng, auction, bid)
    return bid


def strain_auction(rng: Random, auction: Auction) -> Auction:
    """Mostly one strain; its instants lie around the deadlines of deals over one and several chains."""
    near_us = auction.prepare_us + rng.randint(7_000_000, 24_000_000)
    match rng.choice(["none", "none", "orders", "offers", "venues", "series", "limits", "reference"]):
        case "orders":
            changes: dict[str, Any] = {"valid_until": near_us // MICRO}
            return replace(auction, orders=tuple(replace(each, **changes) for each in auction.orders))
        case "offers":
            offers = (
                replace(each, firm_until_us=near_us) if rng.random() < 0.5 else each
                for each in auction.offers
            )
            return replace(auction, offers=tuple(offers))
        case "venues":
            lock = {"max_lock_us": near_us - auction.prepare_us}
            return replace(auction, venues=tuple(replace(each, **lock) for each in auction.venues))
        case "series":
            expiry_us = min(series.expiry for series in auction.series) * MICRO
            cut_us = expiry_us - auction.solve_us - rng.randint(7_000_000, 34_000_000)
            orders = (replace(each, valid_until=2 * expiry_us // MICRO) for each in auction.orders)
            return replace(auction, cut_us=cut_us, orders=tuple(orders))
        case "limits":
            orders = (replace(each, limit=rng.choice([each.limit, 2**51, 2**52])) for each in auction.orders)
            return replace(auction, orders=tuple(orders))
        case "reference":
            rows = (replace(each, price=each.price - rng.randint(0, 900)) for each in auction.reference)
            return replace(auction, reference=tuple(rows))
        case _:
            return auction


def _amount(rng: Random, amount: int) -> int:
    off = rng.choice([1, -1, 2, -2, 10, 1_000, -1_000, amount, 10**9, WIRE_MAX])
    return min(WIRE_MAX, max(1, amount + off))


def _swap(rng: Random, items: Sequence[Any], change: Callable[[Any], Any]) -> tuple[Any, ...]:
    if not items:
        return ()
    place = rng.randrange(len(items))
    return (*items[:place], change(items[place]), *items[place + 1 :])


def _drop(rng: Random, items: Sequence[Any]) -> tuple[Any, ...]:
    place = rng.randrange(len(items)) if items else 0
    return (*items[:place], *items[place + 1 :])


def _fill_units(rng: Random, _: Auction, bid: Bid) -> Bid:
    return replace(
        bid, fills=_swap(rng, bid.fills, lambda fill: replace(fill, units=_amount(rng, fill.units)))
    )


def _fill_intent(rng: Random, auction: Auction, bid: Bid) -> Bid:
    names = [*(order.intent for order in auction.orders), "nobody"]
    return replace(bid, fills=_swap(rng, bid.fills, lambda fill: replace(fill, intent=rng.choice(names))))


def _fill_more(rng: Random, auction: Auction, bid: Bid) -> Bid:
    order = rng.choice(auction.orders)
    return replace(bid, fills=(*bid.fills, Fill(intent=order.intent, units=rng.randint(1, order.units))))


def _fill_less(rng: Random, _: Auction, bid: Bid) -> Bid:
    return replace(bid, fills=_drop(rng, bid.fills))


def _deliver(rng: Random, _: Auction, bid: Bid) -> Bid:
    delivery = rng.choice([(), ((USDC, 1),)])
    return replace(bid, fills=_swap(rng, bid.fills, lambda fill: replace(fill, delivery=delivery)))


def _trade_lots(rng: Random, _: Auction, bid: Bid) -> Bid:
    return replace(
        bid, trades=_swap(rng, bid.trades, lambda trade: replace(trade, lots=_amount(rng, trade.lots)))
    )


def _trade_more(rng: Random, auction: Auction, bid: Bid) -> Bid:
    offer = rng.choice([*(offer.id for offer in auction.offers), "nowhere"])
    return replace(bid, trades=(*bid.trades, Trade(offer=offer, lots=rng.randint(1, 3))))


def _trade_both_ways(rng: Random, auction: Auction, bid: Bid) -> Bid:
    """Lots bought and sold again: balanced, and a part of its own or not."""
    offer = rng.choice(auction.offers)
    others = [each for each in auction.offers if (each.venue, each.series) == (offer.venue, offer.series)]
    twins = [each for each in others if each.side != offer.side]
    pair = (offer, rng.choice(twins)) if twins else (offer,)
    return replace(bid, trades=(*bid.trades, *(Trade(offer=each.id, lots=1) for each in pair)))


def _trade_less(rng: Random, _: Auction, bid: Bid) -> Bid:
    return replace(bid, trades=_drop(rng, bid.trades))


def _send_amount(rng: Random, _: Auction, bid: Bid) -> Bid:
    return replace(
        bid, transfers=_swap(rng, bid.transfers, lambda each: replace(each, amount=_amount(rng, each.amount)))
    )


def _send_more(rng: Random, auction: Auction, bid: Bid) -> Bid:
    asset = rng.choice([USDC, USDC, USDC, *(series.id for series in auction.series), "BTC"])
    bridge = rng.choice([*(bridge.id for bridge in auction.bridges), "tunnel"])
    amount = rng.choice([1, 2, 100, 5_000])
    return replace(bid, transfers=(*bid.transfers, Transfer(bridge=bridge, asset=asset, amount=amount)))


def _send_less(rng: Random, _: Auction, bid: Bid) -> Bid:
    return replace(bid, transfers=_drop(rng, bid.transfers))


def _send_between_fills(rng: Random, auction: Auction, bid: Bid) -> Bid:
    """Cash from one chain with fills to another."""
    chains = {order.intent: order.chain for order in auction.orders}
    filled = sorted({chains[fill.intent] for fill in bid.fills if fill.intent in chains})
    if len(filled) < 2:
        return bid
    source, target = rng.sample(filled, 2)
    amount = rng.choice([1, 3, 100, 1_000])
    return replace(
        bid, transfers=(*bid.transfers, Transfer(bridge=f"{source}-{target}", asset=USDC, amount=amount))
    )


def _charge(rng: Random, auction: Auction, bid: Bid) -> Bid:
    chain = rng.choice([*(chain.id for chain in auction.chains), "moon"])
    amount = rng.choice([1, 7, 300, 10**9, WIRE_MAX])
    return replace(bid, fee=(*bid.fee, Fee(chain=chain, amount=amount)))


def _pool(_: Random, auction: Auction, bid: Bid) -> Bid:
    pool = Pool(chain=auction.hub, underlying="BTC", expiry=auction.series[0].expiry, assets=())
    return replace(bid, pools=(pool,))


CHANGES: Sequence[Change] = (
    _fill_units, _fill_intent, _fill_more, _fill_less, _deliver, _trade_lots, _trade_more, _trade_both_ways,
    _trade_less, _send_amount, _send_more, _send_less, _send_between_fills, _send_between_fills,
    _charge, _charge, _pool,
)  # fmt: skip
