"""From an auction to the optimiser's problem, and between plans and bids.

The optimiser (`router`) knows nothing of auctions and bids; this is the one place where the two
vocabularies meet, so what a strategy optimises is what verification will measure. Payoff orders are
left out of the problem: a plan cannot fill them, and verification refuses their fills as
``unsupported``.
"""

from msgspec import UNSET, UnsetType

from chains.package import Package
from chains.units import MICRO
from router.problem import Demand, Plan, Problem, Reference
from solvers.auction import Auction, Order
from solvers.bid import Bid, Fill, Trade, Transfer


def to_problem(auction: Auction) -> Problem:
    """The routing problem of an auction: its leg orders, its world and its reference.

    Raises
    ------
    router.errors.ProblemError
        If the auction contradicts itself, for example an order on a chain that is not listed.
    """
    return Problem(
        prepare_us=auction.prepare_us,
        hub=auction.hub,
        timing=auction.rules.timing,
        fee_per_lot=auction.rules.fee_per_lot,
        chains={chain.id: chain for chain in auction.chains},
        bridges={bridge.id: bridge for bridge in auction.bridges},
        venues={venue.id: venue for venue in auction.venues},
        offers={offer.id: offer for offer in auction.offers},
        series_expiry_us={series.id: series.expiry * MICRO for series in auction.series},
        demands={order.intent: _demand(order) for order in auction.orders if order.legs is not UNSET},
        references=_references(auction),
    )


def group_key(order: Order) -> str:
    """The one-cancels-other group of an order: the pair (owner, group), empty for none."""
    if isinstance(order.group, UnsetType) or not order.group:
        return ""
    return f"{order.owner}/{order.group}"


def to_plan(bid: Bid) -> Plan:
    """What a bid does, as a plan; delivery, pools and the solver's fee are not part of it."""
    return Plan(
        fills=tuple((fill.intent, fill.units) for fill in bid.fills),
        trades=tuple((trade.offer, trade.lots) for trade in bid.trades),
        transfers=tuple((transfer.bridge, transfer.asset, transfer.amount) for transfer in bid.transfers),
    )


def to_bid(plan: Plan, *, auction: Auction, solver: str, name: str) -> Bid:
    """A plan as a bid of `solver` called `name`; everything sorted, so equal plans give equal bids."""
    return Bid(
        auction=auction.auction,
        solver=solver,
        bid=name,
        fills=tuple(Fill(intent=intent, units=units) for intent, units in sorted(plan.fills)),
        trades=tuple(Trade(offer=offer, lots=lots) for offer, lots in sorted(plan.trades)),
        transfers=tuple(
            Transfer(bridge=bridge, asset=asset, amount=amount)
            for bridge, asset, amount in sorted(plan.transfers)
        ),
    )


def _demand(order: Order) -> Demand:
    assert not isinstance(order.legs, UnsetType)
    return Demand(
        intent=order.intent,
        owner=order.owner,
        chain=order.chain,
        legs=order.legs,
        units=order.units,
        min_units=order.least_units,
        limit=order.limit,
        valid_until_us=order.valid_until * MICRO,
        group=group_key(order),
    )


def _references(auction: Auction) -> dict[tuple[str, Package], Reference]:
    return {
        (entry.chain, entry.package): Reference(units=entry.units, price=entry.price)
        for entry in auction.reference
    }
