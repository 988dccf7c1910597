"""What attacks are made of: orders under other names, and everybody's bids with something changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import UnsetType
from msgspec.structs import replace

from chains.package import Legs
from chains.units import USDC, ceil_div, floor_div
from router.greedy import clear_greedily
from solvers.auction import Auction, Order
from solvers.bid import Bid, Fee, Fill, Transfer
from solvers.outcome import Deal
from solvers.proposals import propose_plans
from solvers.view import view_auction
from tests.simulation.contest import MALLORY, WEAK, BidMaker, Move, Round, Theatre, decide

VALUE_MAX: Final = 4_000_000_000_000
"""The largest limit that admission takes, micro-USDC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A round among honest solvers; `own` is the order of the adversary, where it has one."""

    theatre: Theatre
    held: Round
    own: Order

    @property
    def orders(self) -> tuple[Order, ...]:
        """The honest orders, `own` among them."""
        return self.held.auction.orders

    @property
    def worth(self) -> dict[str, int]:
        """What the adversary's order is worth to it: the limit that it honestly signs."""
        return {self.own.intent: self.own.limit}

    def fair_value(self, legs: Legs) -> int:
        """Micro-USDC per unit of a package, by the marks."""
        return self.theatre.drawn.fair_value(legs)

    def with_own(self, limit: int) -> tuple[Order, ...]:
        """All orders, the adversary's with another limit."""
        own = replace(self.own, limit=limit)
        return tuple(own if order.intent == own.intent else order for order in self.orders)

    def shaded(self, part: int, whole: int) -> int:
        """The limit less a part of what `own` gains beyond it in the honest round."""
        fills = [
            fill for deal, _ in self.held.deals() for fill in deal.fills if fill.intent == self.own.intent
        ]
        paid = floor_div(sum(fill.payment for fill in fills), sum(fill.units for fill in fills))
        return self.own.limit - ceil_div((self.own.limit - paid) * part, whole)


def legs_of(order: Order) -> Legs:
    """The legs of an order that has some."""
    assert not isinstance(order.legs, UnsetType)
    return order.legs


def opposite(legs: Legs) -> Legs:
    """The other side of a package."""
    return tuple((series, -ratio) for series, ratio in legs)


def shill_order(scene: Scene, number: int, legs: Legs, limit: int, *, chain: str | None = None) -> Order:
    """One unit under another name of the adversary, on its own order's chain or another."""
    return replace(
        scene.own,
        intent=f"0x{10_000 + number:064x}",
        owner=f"{MALLORY}-{number}",
        chain=chain or scene.own.chain,
        legs=legs,
        units=1,
        min_units=1,
        limit=limit,
    )


def add_shill(scene: Scene, number: int, legs: Legs, limit: int) -> Move:
    """A move that adds one order; its position is worth the fair price."""
    shill = shill_order(scene, number, legs, limit)
    return Move(orders=(*scene.orders, shill), worth={**scene.worth, shill.intent: scene.fair_value(legs)})


def add_wash_pair(scene: Scene, chain: str, legs: Legs, height: int) -> Move:
    """A move that adds two orders of one unit against each other on a chain, and bids that hold both.

    The buyer pays up to `height`, the seller wants that less what the pair costs in fees and one micro-USDC,
    so that the pair makes every deal on the chain worth a little more. What the two deliver to each other
    is worth nothing in all.
    """
    auction = scene.held.auction
    (fill_fee,) = (terms.settle_fee_fill for terms in auction.chains if terms.id == chain)
    lots = 2 * sum(abs(ratio) for _, ratio in legs)
    height = min(height, VALUE_MAX)
    least = height - 2 * fill_fee - lots * auction.rules.fee_per_lot - 1
    buyer = shill_order(scene, 1, legs, height, chain=chain)
    seller = shill_order(scene, 2, opposite(legs), -least, chain=chain)
    fills = tuple(Fill(intent=order.intent, units=1) for order in (buyer, seller))

    def make_bids(auction: Auction, others: tuple[Bid, ...]) -> list[Bid]:
        return [
            copy_bid(replace(bid, fills=(*bid.fills, *fills)), f"with-{place}")
            for place, (deal, bid) in enumerate(decide(auction, others).deals())
            if chain in deal.chains
            and not {fill.intent for fill in fills} & {fill.intent for fill in bid.fills}
        ]

    return Move(
        orders=(*scene.orders, buyer, seller),
        worth={buyer.intent: 0, seller.intent: 0},
        make_bids=make_bids,
    )


def copy_bid(bid: Bid, name: str, *, number: int | None = None) -> Bid:
    """Anybody's bid under a name of the adversary."""
    solver = MALLORY if number is None else f"{MALLORY}-{number}"
    return replace(bid, solver=solver, bid=name)


def send_cash(bid: Bid, bridge: str, amount: int) -> Bid:
    """A bid that sends more cash over a bridge."""
    sent = {(transfer.bridge, transfer.asset): transfer.amount for transfer in bid.transfers}
    sent[bridge, USDC] = sent.get((bridge, USDC), 0) + amount
    transfers = tuple(
        Transfer(bridge=name, asset=asset, amount=carried) for (name, asset), carried in sorted(sent.items())
    )
    return replace(bid, transfers=transfers)


def bid_alone(auction: Auction, intents: Sequence[str], *, whole: bool) -> Iterator[Bid]:
    """The cheapest way to fill each of some orders by itself, in whole or with its least units."""
    for order in auction.orders:
        if order.intent in intents:
            wanted = order if whole else replace(order, units=order.least_units)
            view = view_auction(replace(auction, orders=(wanted,)))
            plans = clear_greedily(view.problem, [list(view.problem.demands.values())])
            for bid in propose_plans(view, plans, solver=MALLORY):
                yield copy_bid(bid, f"alone-{order.intent[-8:]}")


def be_capable(scene: Scene) -> BidMaker:
    """The adversary as a solver that can match orders, and is honest."""

    def make_bids(auction: Auction, _: tuple[Bid, ...]) -> list[Bid]:
        return [copy_bid(bid, bid.bid) for bid in scene.theatre.ask(auction.orders, "joint")]

    return make_bids


def charge(scene: Scene, part: int, whole: int) -> BidMaker:
    """The same, asking for a part of what its bids are ahead of those of solvers that cannot match.

    The fee is taken where owners improve most; it never makes a bid infeasible.
    """

    def make_bids(auction: Auction, others: tuple[Bid, ...]) -> list[Bid]:
        weak = tuple(bid for bid in others if bid.solver != "joint")
        held = decide(auction, (*weak, *be_capable(scene)(auction, others)))
        ahead = sum(row.marginal for row in held.outcome.rewards if row.solver == MALLORY)
        left = floor_div(max(0, ahead - 1) * part, whole)
        bids = []
        for deal, bid in held.deals():
            if bid.solver == MALLORY:
                fees = []
                for chain, most in sorted(improvements(deal).items()):
                    amount = min(left, most)
                    left -= amount
                    fees += [Fee(chain=chain, amount=amount)] if amount else []
                bids.append(replace(bid, fee=tuple(fees)))
        return bids

    return make_bids


def improvements(deal: Deal) -> dict[str, int]:
    """What owners are spared below their ceilings, by chain with fills, in micro-USDC."""
    found: dict[str, int] = {}
    for row in deal.prices:
        found[row.chain] = found.get(row.chain, 0) + (row.ceiling - row.price) * row.units
    return found


def weights(deal: Deal) -> dict[str, int]:
    """The size of all ceilings by chain with fills, in micro-USDC."""
    found: dict[str, int] = {}
    for row in deal.prices:
        found[row.chain] = found.get(row.chain, 0) + abs(row.ceiling) * row.units
    return found


def against_weak(scene: Scene, make_bids: BidMaker) -> Move:
    """A move of a solver without orders whose honest rivals cannot match orders."""
    return Move(orders=scene.orders, rivals=WEAK, make_bids=make_bids)
