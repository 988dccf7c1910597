"""An auction laid out by id, and whether it makes sense by itself.

Everything that the other checks look up is looked up here first, so that a file which contradicts
itself is told apart from a bid or an outcome which breaks a rule.
"""

from collections import Counter
from collections.abc import Iterable
from math import gcd
from typing import NoReturn

from chains.errors import SeriesError
from chains.series import parse_series
from chains.snapshot import SeriesTerms
from intents.errors import VerificationError
from solvers.auction import Auction, Order

PackageKey = tuple[str, tuple[tuple[str, int], ...]]
"""(chain, reduced legs)."""


class Sheet:
    """An auction laid out by id; `reference` is (units, price) by package."""

    def __init__(self, auction: Auction) -> None:
        self.auction = auction
        self.orders = {order.intent: order for order in auction.orders}
        self.offers = {offer.id: offer for offer in auction.offers}
        self.venues = {venue.id: venue for venue in auction.venues}
        self.bridges = {bridge.id: bridge for bridge in auction.bridges}
        self.chains = {chain.id: chain for chain in auction.chains}
        self.series = {series.id: series for series in auction.series}
        self.reference = {(row.chain, row.package): (row.units, row.price) for row in auction.reference}


def require(holds: bool, rule: str, found: object) -> None:
    """Break off with the rule where it does not hold."""
    if not holds:
        fail(rule, found)


def fail(rule: str, found: object) -> NoReturn:
    """Break off with a rule and what was found."""
    raise VerificationError(f"{rule}: {found}", rule=rule)


def require_unique(names: Iterable[object], rule: str) -> None:
    """Break off where a name comes twice."""
    doubled = [name for name, count in Counter(names).items() if count > 1]
    require(not doubled, rule, doubled)


def package_of(order: Order) -> tuple[PackageKey, int]:
    """The chain and reduced package of an order, and the common factor."""
    legs = sorted(order.legs or ())
    factor = gcd(*(ratio for _, ratio in legs))
    return (order.chain, tuple((series, ratio // factor) for series, ratio in legs)), factor


def check_auction(sheet: Sheet) -> None:
    """Refuse an auction with an id that comes twice, or a name of something that is not there."""
    auction = sheet.auction
    ids: dict[str, Iterable[object]] = {
        "chains": (chain.id for chain in auction.chains),
        "bridges": (bridge.id for bridge in auction.bridges),
        "venues": (venue.id for venue in auction.venues),
        "series": (series.id for series in auction.series),
        "offers": (offer.id for offer in auction.offers),
        "orders": (order.intent for order in auction.orders),
        "reference": ((row.chain, row.package) for row in auction.reference),
    }
    for what, names in ids.items():
        require_unique(((what, name) for name in names), "auction_ids")
    most = auction.rules.orders_max
    require(len(auction.orders) <= most, "orders_max", f"{len(auction.orders)} orders, at most {most}")
    ends = {auction.hub, *(row.chain for row in auction.reference)}
    ends |= {chain for bridge in auction.bridges for chain in (bridge.source, bridge.target)}
    ends |= {venue.chain for venue in auction.venues} | {order.chain for order in auction.orders}
    require(ends <= set(sheet.chains), "auction_names", sorted(ends - set(sheet.chains)))
    venues = {offer.venue for offer in auction.offers}
    require(venues <= set(sheet.venues), "auction_names", sorted(venues - set(sheet.venues)))
    legs = [(order.intent, order.legs or ()) for order in auction.orders]
    traded = {offer.series for offer in auction.offers} | {name for _, each in legs for name, _ in each}
    require(traded <= set(sheet.series), "auction_names", sorted(traded - set(sheet.series)))
    for intent, each in legs:
        sound = all(ratio for _, ratio in each) and len(dict(each)) == len(each)
        require(sound, "auction_legs", f"{intent}: {each}")
    for terms in auction.series:
        _check_series(terms)


def _check_series(terms: SeriesTerms) -> None:
    try:
        series = parse_series(terms.id)
    except SeriesError as error:
        fail("auction_series", error)
    meant = (series.underlying, series.expiry, series.strike, series.kind.value, series.lot_size)
    written = (terms.underlying, terms.expiry, terms.strike, terms.kind, terms.lot_size)
    require(written == meant, "auction_series", f"{terms.id}: {written}")
