"""Judging plans from outside the router: by the market's own rules, and by adding up what they use."""

from collections import Counter
from collections.abc import Iterable

from chains.units import USDC
from router.problem import Plan
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.problem import to_bid, to_plan
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import view_auction


def check_bids(auction: Auction, bids: Iterable[Bid]) -> list[FeasibleBid]:
    """Every bid keeps every rule, and together they use no order, offer or bridge too much."""
    view = view_auction(auction)
    answers = [verify_bid(view, bid) for bid in bids]
    feasible = [answer for answer in answers if isinstance(answer, FeasibleBid)]
    assert len(feasible) == len(answers), [answer for answer in answers if answer not in feasible]
    _check_together(auction, [to_plan(answer.bid) for answer in feasible])
    return feasible


def check_plans(auction: Auction, plans: Iterable[Plan]) -> list[FeasibleBid]:
    """`check_bids` for plans."""
    return check_bids(auction, [to_bid(plan, auction=auction, solver="judge", name="plan") for plan in plans])


def _check_together(auction: Auction, plans: list[Plan]) -> None:
    lots: Counter[str] = Counter()
    sent: Counter[tuple[str, bool]] = Counter()
    filled: Counter[str] = Counter()
    groups: Counter[tuple[str, object]] = Counter()
    orders = {order.intent: order for order in auction.orders}
    for plan in plans:
        filled.update(intent for intent, _ in plan.fills)
        for intent, _ in plan.fills:
            if orders[intent].group:
                groups[orders[intent].owner, orders[intent].group] += 1
        for offer, amount in plan.trades:
            lots[offer] += amount
        for bridge, asset, amount in plan.transfers:
            sent[bridge, asset == USDC] += amount
    assert all(count == 1 for count in (filled + groups).values())
    assert all(lots[offer.id] <= offer.lots for offer in auction.offers)
    assert all(sent[bridge.id, True] <= bridge.capacity_cash for bridge in auction.bridges)
    assert all(sent[bridge.id, False] <= bridge.capacity_lots for bridge in auction.bridges)
