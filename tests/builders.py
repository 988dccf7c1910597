"""Small hand-made auctions and bids, in as few words as a readable test needs.

`import tests.builders` works everywhere under pytest: `pythonpath = ["."]` puts the repository's
root on the path, where `tests` is a namespace package.

The default market: chains ``hub``, ``east`` and ``west``, a bridge ``<source>-<target>`` for every
ordered pair, one book ``<chain>-book`` on each, four series. All fees are small and different from
each other; `free_market` sets every one of them to zero.
"""

from itertools import permutations
from typing import Any

from msgspec import UNSET

from chains.series import parse_series
from chains.snapshot import BridgeTerms, ChainTerms, Mark, Offer, SeriesTerms, VenueTerms
from chains.units import MICRO
from solvers.auction import Auction, Order, ReferencePrice, Rules
from solvers.bid import Bid, Fee, Fill, Trade, Transfer

CALL = "BTC-26JUN26-100000-C"
HIGH = "BTC-26JUN26-110000-C"
PUT = "BTC-26JUN26-90000-P"
LATER = "BTC-25SEP26-100000-C"

CUT_US = 1_777_593_600 * MICRO
"""2026-05-01 00:00 UTC."""

SOLVE_US = 2 * MICRO
CHAINS = ("hub", "east", "west")


def make_chain(name: str, **changes: Any) -> ChainTerms:
    terms: dict[str, Any] = {
        "block_us": 1_000_000,
        "finality_us": 2_000_000,
        "relay_us": 500_000,
        "settle_fee_leg": 100,
        "settle_fee_fill": 10,
        "deal_fee": 1_000,
    }
    return ChainTerms(id=name, **terms | changes)


def make_bridge(source: str, target: str, **changes: Any) -> BridgeTerms:
    terms: dict[str, Any] = {
        "id": f"{source}-{target}",
        "fee_fixed": 5_000,
        "fee_cash_bps": 10,
        "fee_per_lot": 20,
        "latency_us": 10_000_000,
        "capacity_cash": 10**12,
        "capacity_lots": 10_000,
    }
    return BridgeTerms(source=source, target=target, **terms | changes)


def make_venue(chain: str, **changes: Any) -> VenueTerms:
    terms: dict[str, Any] = {
        "id": f"{chain}-book",
        "kind": "order_book",
        "fee_touch": 50,
        "fee_per_lot": 5,
        "as_of_us": CUT_US,
        "max_lock_us": 600 * MICRO,
    }
    return VenueTerms(chain=chain, **terms | changes)


def make_series(name: str) -> SeriesTerms:
    series = parse_series(name)
    return SeriesTerms(
        id=name,
        underlying=series.underlying,
        expiry=series.expiry,
        strike=series.strike,
        kind=series.kind.value,
        lot_size=series.lot_size,
    )


def make_offer(venue: str, series: str, side: str, price: int, lots: int, **changes: Any) -> Offer:
    """An offer; `side` is what the venue does: ``sell`` is an ask, ``buy`` a bid."""
    name = f"{venue}/{series}/{side}/{price}"
    terms: dict[str, Any] = {"venue": venue, "series": series, "side": side, "price": price, "lots": lots}
    return Offer(**{"id": name, **terms, **changes})


def make_mark(series: str, **changes: Any) -> Mark:
    terms: dict[str, Any] = {
        "price": 1.5,
        "iv": 0.6,
        "delta": 0.5,
        "gamma": 0.1,
        "vega": 2.0,
        "theta": -1.0,
        "oracle_round": 1,
        "oracle_as_of_us": CUT_US,
    }
    return Mark(series=series, **terms | changes)


def make_order(intent: str, legs: dict[str, int], limit: int, *, units: int = 1, **changes: Any) -> Order:
    """An order of owner ``owner-<intent>`` on ``hub``, partly fillable, valid for an hour."""
    terms: dict[str, Any] = {
        "owner": f"owner-{intent}",
        "chain": "hub",
        "legs": tuple(legs.items()) or UNSET,
        "units": units,
        "min_units": 1,
        "limit": limit,
        "valid_until": CUT_US // MICRO + 3_600,
        "immediate": False,
    }
    return Order(intent=intent, **terms | changes)


def make_reference(chain: str, legs: dict[str, int], *, units: int, price: int) -> ReferencePrice:
    return ReferencePrice(chain=chain, package=tuple(sorted(legs.items())), units=units, price=price)


def make_auction(**changes: Any) -> Auction:
    """The default market; give `orders`, `offers`, `reference` or any other field of an auction."""
    terms: dict[str, Any] = {
        "auction": "auction-1",
        "cut_us": CUT_US,
        "solve_us": SOLVE_US,
        "hub": "hub",
        "rules": Rules(fee_per_lot=3),
        "chains": tuple(make_chain(name) for name in CHAINS),
        "bridges": tuple(make_bridge(source, target) for source, target in permutations(CHAINS, 2)),
        "venues": tuple(make_venue(name) for name in CHAINS),
        "series": tuple(make_series(name) for name in (CALL, HIGH, PUT, LATER)),
        "offers": (),
        "marks": (),
        "orders": (),
        "reference": (),
    }
    return Auction(**terms | changes)


def free_market(**changes: Any) -> Auction:
    """The default market without any fee, so that scores and prices can be read off by eye."""
    terms: dict[str, Any] = {
        "rules": Rules(fee_per_lot=0),
        "chains": tuple(make_chain(name, settle_fee_leg=0, settle_fee_fill=0, deal_fee=0) for name in CHAINS),
        "bridges": tuple(
            make_bridge(source, target, fee_fixed=0, fee_cash_bps=0, fee_per_lot=0)
            for source, target in permutations(CHAINS, 2)
        ),
        "venues": tuple(make_venue(name, fee_touch=0, fee_per_lot=0) for name in CHAINS),
    }
    return make_auction(**terms | changes)


def make_bid(
    fills: dict[str, int],
    trades: dict[str, int] | None = None,
    transfers: dict[tuple[str, str], int] | None = None,
    *,
    fee: dict[str, int] | None = None,
    **changes: Any,
) -> Bid:
    """Alice's bid called ``bid-1``: units by intent, lots by offer, amounts by (bridge, asset)."""
    terms: dict[str, Any] = {
        "auction": "auction-1",
        "solver": "alice",
        "bid": "bid-1",
        "fills": tuple(Fill(intent=intent, units=units) for intent, units in fills.items()),
        "trades": tuple(Trade(offer=offer, lots=lots) for offer, lots in (trades or {}).items()),
        "transfers": tuple(
            Transfer(bridge=bridge, asset=asset, amount=amount)
            for (bridge, asset), amount in (transfers or {}).items()
        ),
        "fee": tuple(Fee(chain=chain, amount=amount) for chain, amount in (fee or {}).items()),
    }
    return Bid(**terms | changes)
