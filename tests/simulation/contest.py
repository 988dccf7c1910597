"""Rounds with and without an adversary, and what everybody made of them.

A `Scene` is a round among honest solvers. In it the adversary, who knows everything, plays a `Move`:
it changes what it signs, adds orders of other names, leaves out a rival (where it is alone in being able
to do something), and sends bids of its own. Honest solvers answer the auction as it then is.

The adversary's utility is what its fills are worth to it less what they pay, and its solvers' rewards and
fees. A position that it really wanted is worth the limit that it would sign if it were honest; one that it
took for the sake of an attack is worth its fair price, as if it could be closed for nothing: both are
kind to the adversary.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from solvers.arbitration import arbitrate
from solvers.auction import Auction, Order
from solvers.bid import Bid
from solvers.codec import encode
from solvers.outcome import HOUSE, Deal, Outcome, Submission
from solvers.proposals import RESERVE_S
from solvers.reference import with_reference
from solvers.strategies.greedy import Greedy
from solvers.strategies.joint import Joint
from solvers.strategy import SolveContext, Strategy
from tests.simulation.slices import Slice

MALLORY: Final = "mallory"
"""What every name of the adversary begins with, of its solvers and of its further owners."""

STRATEGIES: Final[Mapping[str, Strategy]] = {"greedy": Greedy(), "joint": Joint()}
EVERYBODY: Final = ("greedy", "joint")
WEAK: Final = ("greedy",)
"""Honest solvers that cannot match orders with each other: the adversary alone can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One decided round; `bids` are all that were sent, the house's among them."""

    auction: Auction
    bids: tuple[Bid, ...]
    outcome: Outcome

    def deals(self) -> list[tuple[Deal, Bid]]:
        """Every deal with its bid."""
        by_digest = {bid.digest: bid for bid in self.bids}
        return [(deal, by_digest[deal.digest]) for deal in self.outcome.deals]


BidMaker = Callable[[Auction, tuple[Bid, ...]], Sequence[Bid]]
"""(auction with its reference, everybody else's bids) -> the adversary's."""


def send_nothing(_auction: Auction, _others: tuple[Bid, ...]) -> Sequence[Bid]:
    """The bids of an adversary that only signs orders."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What the adversary does in a round.

    Attributes
    ----------
    orders : the auction's orders as it wants them to be: only its own may differ from the scene's
    worth : micro-USDC per unit of every order of its own, by intent
    rivals : the honest solvers that compete
    make_bids : its own bids
    """

    orders: tuple[Order, ...]
    worth: Mapping[str, int] = field(default_factory=dict)
    rivals: tuple[str, ...] = EVERYBODY
    make_bids: BidMaker = send_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a round left to whom, in micro-USDC: `fees` is what all deals paid in fees of every kind."""

    adversary: int
    owners: int
    solvers: int
    reserve: int
    fees: int


class Theatre:
    """Holds rounds over one slice; what honest solvers answer to the same orders is asked once.

    `window_s` is the time that `joint` may take over an answer: on small auctions it needs less.
    """

    def __init__(self, drawn: Slice, *, window_s: float) -> None:
        self.drawn = drawn
        self.honest = drawn.auction.orders
        self.window_s = window_s
        self._auctions: dict[tuple[Order, ...], tuple[Auction, tuple[Bid, ...]]] = {}
        self._answers: dict[tuple[tuple[Order, ...], str], tuple[Bid, ...]] = {}

    def hold(self, move: Move) -> Round:
        """The round in which the adversary plays a move."""
        auction, house = self.publish(move.orders)
        others = (*house, *(bid for name in move.rivals for bid in self.ask(move.orders, name)))
        own = move.make_bids(auction, others)
        assert all(bid.solver.startswith(MALLORY) for bid in own), "the adversary bids under its own names"
        return decide(auction, (*others, *own))

    def publish(self, orders: tuple[Order, ...]) -> tuple[Auction, tuple[Bid, ...]]:
        """The auction with its reference, and the house bids."""
        if orders not in self._auctions:
            self._auctions[orders] = with_reference(replace(self.drawn.auction, orders=orders))
        return self._auctions[orders]

    def ask(self, orders: tuple[Order, ...], name: str) -> tuple[Bid, ...]:
        """What an honest solver bids."""
        if (orders, name) not in self._answers:
            self._answers[orders, name] = ask_solver(self.publish(orders)[0], name, window_s=self.window_s)
        return self._answers[orders, name]


def ask_solver(auction: Auction, name: str, *, window_s: float) -> tuple[Bid, ...]:
    """The bids of a built-in strategy that count, with so much time to think."""
    context = SolveContext(solver=name, deadline_s=time.monotonic() + window_s + RESERVE_S, seed=0)
    last = {bid.bid: bid for bid in STRATEGIES[name].solve(auction, context) if isinstance(bid, Bid)}
    return tuple(last.values())


def decide(auction: Auction, bids: Sequence[Bid]) -> Round:
    """Today's rules over some bids, heard in this order."""
    return Round(auction=auction, bids=tuple(bids), outcome=arbitrate(auction, submit(bids), versions={}))


def submit(bids: Sequence[Bid]) -> list[Submission]:
    """Bids as they are sent, in their order."""
    return [
        Submission(
            solver=bid.solver,
            arrival_us=0 if bid.solver == HOUSE else 1 + place,
            content=encode(bid).decode(),
        )
        for place, bid in enumerate(bids)
    ]


def account(held: Round, worth: Mapping[str, int]) -> Account:
    """What the round left to the adversary, whose orders are those of `worth`, and to everybody else."""
    limits = {order.intent: order.limit for order in held.auction.orders}
    gained: Counter[bool] = Counter()
    paid: Counter[bool] = Counter()
    for deal, bid in held.deals():
        for fill in deal.fills:
            is_own = fill.intent in worth
            value = worth[fill.intent] if is_own else limits[fill.intent]
            gained[is_own] += value * fill.units - fill.payment
        paid[bid.solver.startswith(MALLORY)] += sum(fee.amount for fee in bid.fee)
        paid[bid.solver.startswith(MALLORY)] += sum(part.amount for part in deal.reward)
    return Account(
        adversary=gained[True] + paid[True],
        owners=gained[False],
        solvers=paid[False],
        reserve=sum(part.amount for deal in held.outcome.deals for part in deal.reserve),
        fees=sum(fees_of(held.auction, deal, bid) for deal, bid in held.deals()),
    )


def fees_of(auction: Auction, deal: Deal, bid: Bid) -> int:
    """What a deal pays to venues, bridges, chains and the market: all its cash but the lots' prices."""
    offers = {offer.id: offer for offer in auction.offers}
    lots = sum(
        offers[trade.offer].price * trade.lots * (1 if offers[trade.offer].side == "sell" else -1)
        for trade in bid.trades
    )
    payments = sum(fill.payment for fill in deal.fills)
    reserve = sum(part.amount for part in deal.reserve)
    return payments - lots - reserve - sum(fee.amount for fee in bid.fee)
