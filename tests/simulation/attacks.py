"""What an adversary may try, each as the moves that it chooses between.

Every attack answers a scene with a `Try`: *fair* moves, what the adversary would do if it were honest (a
further order at the fair price is no attack), and *foul* ones, variants of the attack. An attack that
makes no sense in a scene answers None.

The adversary knows every order, every bid and every rule. Where an attack needs an order of its own,
it is the owner of one that is filled in the honest round, `Scene.own`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from chains.units import floor_div
from solvers.auction import Auction, Order
from solvers.bid import Bid
from solvers.outcome import HOUSE
from solvers.reasons import BidReason
from tests.simulation.contest import WEAK, BidMaker, Move, ask_solver, decide
from tests.simulation.moves import (
    Scene,
    add_shill,
    add_wash_pair,
    against_weak,
    be_capable,
    bid_alone,
    charge,
    copy_bid,
    improvements,
    legs_of,
    opposite,
    send_cash,
    weights,
)
from tests.simulation.rerouting import keep_cash_at

FEASIBLE: Final = {BidReason.WON, BidReason.OUTBID}

Part = tuple[int, int]
"""(part, whole): a share."""

SHADES: Final[tuple[Part, ...]] = ((1, 2), (9, 10), (1, 1))
"""What an order may keep back of its gain beyond its limit."""

LOW: Final[tuple[Part, ...]] = ((1, 2), (1, 1))
GENEROUS: Final[Part] = (2, 1)
SUBSIDY: Final[Part] = (3, 10)
"""Shares of a package's gross value that a shill gives away."""

WEIGHTS: Final = (10, 1_000)
"""How much heavier a wash pair is than everything else on its chain."""

WING_LOTS: Final = 1_000
NAMES: Final = 3
CASH: Final = (1, 100_000, 1_000_000)
"""Micro-USDC sent without need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """What the adversary may do honestly, and what it may do instead."""

    fair: tuple[Move, ...]
    foul: tuple[Move, ...]


Attack = Callable[[Scene], Try | None]


def shading(scene: Scene) -> Try:
    """Its order with a lower limit than it would sign if it were honest."""
    moves = (Move(orders=scene.with_own(scene.shaded(*shade)), worth=scene.worth) for shade in SHADES)
    return Try(fair=(_honest(scene),), foul=tuple(moves))


def low_shill(scene: Scene) -> Try:
    """A peer of its order, of one unit and with a low limit, which lowers the ceiling of all its peers."""
    legs = legs_of(scene.own)
    foul = tuple(add_shill(scene, 1, legs, scene.shaded(*shade)) for shade in LOW)
    return Try(fair=(_honest(scene), add_shill(scene, 1, legs, scene.fair_value(legs))), foul=foul)


def high_shill(scene: Scene) -> Try:
    """A shill with a generous limit: as a peer of its order, or to take the other side of it."""
    legs = legs_of(scene.own)
    gross = scene.fair_value(tuple((series, abs(ratio)) for series, ratio in legs))
    fair, foul = [_honest(scene)], []
    for number, side, (part, whole) in ((1, legs, GENEROUS), (2, opposite(legs), SUBSIDY)):
        value = scene.fair_value(side)
        fair.append(add_shill(scene, number, side, value))
        foul.append(add_shill(scene, number, side, value + gross * part // whole))
    return Try(fair=tuple(fair), foul=tuple(foul))


def worthless_lots(scene: Scene) -> Try | None:
    """A wash pair of its order's series with very many lots that are worth nothing, at the fair price."""
    wing, series = scene.theatre.drawn.wing, legs_of(scene.own)[0][0]
    if series == wing:
        return None
    legs = tuple(sorted(((series, 1), (wing, WING_LOTS))))
    move = add_wash_pair(scene, scene.own.chain, legs, max(1, scene.fair_value(legs)))
    return Try(fair=(_honest(scene),), foul=(replace_worth(move, scene),))


def wash_pair(scene: Scene) -> Try | None:
    """Two orders of a package that nobody else can serve, against each other, at a huge price.

    Its solver adds the pair to the best deals of a chain. Improvements are shared by the size of what is
    paid, so nearly all of them go to the pair. It owns no other order.
    """
    found = max(
        (
            (improvement, weights(deal)[chain], chain, deal.digest)
            for deal, _ in scene.held.deals()
            for chain, improvement in improvements(deal).items()
        ),
        default=None,
    )
    if found is None or found[0] == 0:
        return None
    _, weight, chain, digest = found
    (deal,) = (deal for deal in scene.held.outcome.deals if deal.digest == digest)
    series = min(row.package[0][0] for row in deal.prices if row.chain == chain)
    legs = tuple(sorted(((series, 1), (scene.theatre.drawn.dark, 1))))
    foul = tuple(add_wash_pair(scene, chain, legs, weight * heavy) for heavy in WEIGHTS)
    return Try(fair=(Move(orders=scene.orders),), foul=foul)


def moved_cash(scene: Scene) -> Try:
    """The best deals again, with cash sent from other chains with fills to the one where its order is.

    Once with its honest limit, and once with one so low that the cash is needed there.
    """

    def send(amount: int) -> BidMaker:
        def make_bids(auction: Auction, others: tuple[Bid, ...]) -> list[Bid]:
            homes = {order.intent: order.chain for order in auction.orders}
            return [
                copy_bid(send_cash(bid, bridge.id, amount), f"{place}-{bridge.id}")
                for place, bid in enumerate(_winning(auction, others))
                for bridge in auction.bridges
                if bridge.target == scene.own.chain
                and {bridge.source, bridge.target} <= {homes[fill.intent] for fill in bid.fills}
            ]

        return make_bids

    low = scene.with_own(scene.shaded(1, 1))
    foul = tuple(
        Move(orders=orders, worth=scene.worth, make_bids=send(amount))
        for orders in (scene.orders, low)
        for amount in CASH
    )
    return Try(fair=(_honest(scene), Move(orders=low, worth=scene.worth)), foul=foul)


def kept_cash(scene: Scene) -> Try:
    """The only solver that can match orders has other chains pay first, so that its own keeps the rest."""

    def make_bids(auction: Auction, others: tuple[Bid, ...]) -> list[Bid]:
        best = be_capable(scene)(auction, others)
        kept = [keep_cash_at(auction, bid, scene.own.chain) for bid in best]
        held = decide(auction, kept)
        feasible = {record.bid for record in held.outcome.bids if record.reason in FEASIBLE}
        return [new if new.bid in feasible else bid for bid, new in zip(best, kept, strict=True)]

    return Try(fair=(_solve(scene, scene.orders),), foul=(_solve(scene, scene.orders, make_bids),))


def tiny_bids(scene: Scene) -> Try:
    """Small bids against the batch: its own order alone, and the least of every other one."""

    def alone(auction: Auction, _: tuple[Bid, ...]) -> list[Bid]:
        return list(bid_alone(auction, [scene.own.intent], whole=True))

    def everyone(auction: Auction, others: tuple[Bid, ...]) -> list[Bid]:
        rest = [order.intent for order in auction.orders if order.intent != scene.own.intent]
        return [*alone(auction, others), *bid_alone(auction, rest, whole=False)]

    makers = (alone, everyone)
    foul = tuple(Move(orders=scene.orders, worth=scene.worth, make_bids=make) for make in makers)
    return Try(fair=(_honest(scene),), foul=foul)


def copied_bids(scene: Scene) -> Try:
    """Everybody's bids again, under several solver names and with other bid names."""

    def copy_all(_: Auction, others: tuple[Bid, ...]) -> list[Bid]:
        return [
            copy_bid(bid, f"copy-{place}", number=number)
            for number in range(NAMES)
            for place, bid in enumerate(others)
            if bid.solver != HOUSE
        ]

    return Try(fair=(Move(orders=scene.orders),), foul=(Move(orders=scene.orders, make_bids=copy_all),))


def false_names(scene: Scene) -> Try:
    """The only solver that can match orders sends each of its bids under a name of its own."""

    def scatter(auction: Auction, others: tuple[Bid, ...]) -> list[Bid]:
        bids = be_capable(scene)(auction, others)
        return [copy_bid(bid, bid.bid, number=place) for place, bid in enumerate(bids)]

    return Try(fair=(against_weak(scene, be_capable(scene)),), foul=(against_weak(scene, scatter),))


def fee_alone(scene: Scene) -> Try:
    """The only solver that can match orders asks for a fee, up to what it is ahead of the others."""
    foul = tuple(against_weak(scene, charge(scene, *part)) for part in ((1, 2), (999, 1_000)))
    return Try(fair=(against_weak(scene, be_capable(scene)),), foul=foul)


def fee_with_rival(scene: Scene) -> Try:
    """The same where an honest solver can do as much, down to a hundredth of that fee."""
    parts = ((1, 100), (999, 1_000))
    foul = tuple(Move(orders=scene.orders, make_bids=charge(scene, *part)) for part in parts)
    return Try(fair=(Move(orders=scene.orders, make_bids=be_capable(scene)),), foul=foul)


def own_first(scene: Scene) -> Try:
    """The only solver that can match orders serves its own order first, and the others from what is left."""

    def make_bids(auction: Auction, _: tuple[Bid, ...]) -> list[Bid]:
        first = list(bid_alone(auction, [scene.own.intent], whole=True))
        used = {trade.offer: trade.lots for bid in first for trade in bid.trades}
        rest = replace(
            auction,
            orders=tuple(order for order in auction.orders if order.intent != scene.own.intent),
            offers=tuple(
                replace(offer, lots=offer.lots - used.get(offer.id, 0))
                for offer in auction.offers
                if offer.lots > used.get(offer.id, 0)
            ),
        )
        bids = ask_solver(rest, "joint", window_s=scene.theatre.window_s)
        return [*first, *(copy_bid(bid, bid.bid) for bid in bids)]

    return Try(fair=(_solve(scene, scene.orders),), foul=(_solve(scene, scene.orders, make_bids),))


def riding_along(scene: Scene) -> Try:
    """The only solver that can match orders fills its own as before, at a limit that the others make up for.

    What a chain needs is covered by all its fills together, so the rest of a batch can pay for one of them.
    """
    spared, units = 0, 1
    for deal, _ in scene.held.deals():
        for fill in deal.fills:
            if fill.intent == scene.own.intent:
                spared, units = improvements(deal)[fill.chain], fill.units
    foul = []
    for part, whole in ((1, 2), (9, 10)):
        limit = scene.shaded(1, 1) - floor_div(spared * part, whole * units)
        foul.append(_solve(scene, scene.with_own(limit), _answer_to(scene, scene.orders)))
    return Try(fair=(_solve(scene, scene.orders),), foul=tuple(foul))


def replace_worth(move: Move, scene: Scene) -> Move:
    """A move of an adversary that owns its order too."""
    return Move(
        orders=move.orders, worth={**scene.worth, **move.worth}, rivals=move.rivals, make_bids=move.make_bids
    )


def _solve(scene: Scene, orders: tuple[Order, ...], make_bids: BidMaker | None = None) -> Move:
    """A move of a capable solver that has an order, against rivals that cannot match orders."""
    make = make_bids or be_capable(scene)
    return Move(orders=orders, worth=scene.worth, rivals=WEAK, make_bids=make)


def _answer_to(scene: Scene, orders: tuple[Order, ...]) -> BidMaker:
    """The bids that a capable solver would send if the orders were these."""
    return lambda _auction, _others: [copy_bid(bid, bid.bid) for bid in scene.theatre.ask(orders, "joint")]


def _honest(scene: Scene) -> Move:
    return Move(orders=scene.orders, worth=scene.worth)


def _winning(auction: Auction, bids: tuple[Bid, ...]) -> list[Bid]:
    return [bid for _, bid in decide(auction, bids).deals()]


ATTACKS: Final[Mapping[str, Attack]] = {
    "a lower limit than honest": shading,
    "shill with a low limit": low_shill,
    "shill with a high limit": high_shill,
    "many worthless lots": worthless_lots,
    "wash pair in a batch": wash_pair,
    "cash moved without need": moved_cash,
    "cash of others spent first": kept_cash,
    "tiny bids against a batch": tiny_bids,
    "copied and renamed bids": copied_bids,
    "one solver, many names": false_names,
    "fee of the only capable solver": fee_alone,
    "fee with a capable rival": fee_with_rival,
    "own order served first": own_first,
    "own order at the batch's expense": riding_along,
}
"""Every attack by the name under which the study reports it."""
