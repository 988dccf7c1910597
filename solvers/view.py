"""An auction with its indexes, computed once per round, and the shape of a rule's finding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from router.errors import ProblemError
from router.problem import Problem
from solvers.auction import Auction, Order
from solvers.bid import Bid
from solvers.problem import to_problem


@dataclass(frozen=True, slots=True, kw_only=True)
class AuctionView:
    """An auction, the problem it poses, its orders by intent, and the hash that every bid key holds."""

    auction: Auction
    problem: Problem
    orders: Mapping[str, Order]
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Where a bid breaks a rule, what was found there and what is allowed, in the rule's own unit."""

    where: str
    found: int
    allowed: int
    text: str


Check = Callable[[AuctionView, Bid], Finding | None]
"""A rule that needs nothing but what the bid says; None when it is kept."""


def view_auction(auction: Auction) -> AuctionView:
    """Index an auction.

    Raises
    ------
    ProblemError
        If the auction contradicts itself; a bid never causes that.
    """
    problem = to_problem(auction)
    for order in auction.orders:
        for series, _ in () if isinstance(order.legs, UnsetType) else order.legs:
            if series not in problem.series_expiry_us:
                raise ProblemError(f"intent {order.intent!r} has a leg in {series!r}, which is not listed")
    return AuctionView(
        auction=auction,
        problem=problem,
        orders={order.intent: order for order in auction.orders},
        content_hash=auction.content_hash,
    )


def is_payoff(order: Order) -> bool:
    """Whether an order asks for a payoff rather than for legs."""
    return order.legs is UNSET
