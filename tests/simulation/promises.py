"""What a round owes to everybody who was honest, whatever an adversary does: checked deal by deal."""

from collections import Counter

from chains.ledger import RESERVE, deal_account, owner_account, solver_account
from chains.units import USDC
from intents.collateral import requirement_of
from intents.settlement import plan_settlement
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.outcome import Deal
from solvers.problem import to_problem
from tests.simulation.contest import Round
from tests.simulation.moves import legs_of


def check_promises(held: Round) -> None:
    """Limits, reference prices, one fill per order, rewards within fees, and no micro-USDC lost or made."""
    auction = held.auction
    filled = Counter(fill.intent for deal in held.outcome.deals for fill in deal.fills)
    assert all(count == 1 for count in filled.values()), "an order is in at most one deal"
    for deal, bid in held.deals():
        _check_prices(auction, deal)
        _check_settlement(auction, deal, bid)
    protocol = sum(
        abs(ratio) * fill.units * auction.rules.fee_per_lot
        for deal in held.outcome.deals
        for fill in deal.fills
        for order in auction.orders
        if order.intent == fill.intent
        for _, ratio in legs_of(order)
    )
    assert 0 <= sum(row.amount for row in held.outcome.rewards) <= protocol


def _check_prices(auction: Auction, deal: Deal) -> None:
    orders = {order.intent: order for order in auction.orders}
    references = {(row.chain, row.package): row for row in auction.reference}
    prices = {(row.chain, row.package): row for row in deal.prices}
    for fill in deal.fills:
        order = orders[fill.intent]
        package, factor = order.package
        row = prices[fill.chain, package]
        assert fill.payment == row.price * factor * fill.units, "peers pay one price"
        assert fill.payment <= order.limit * fill.units, "nobody pays more than the limit"
        reference = references.get((fill.chain, package))
        if reference is not None and row.units <= reference.units:
            assert row.price <= reference.price, "nobody pays more than the reference within its units"


def _check_settlement(auction: Auction, deal: Deal, bid: Bid) -> None:
    """The transfers that settle a deal: its clearing account is left with nothing, and all get their due."""
    orders = {order.intent: order for order in auction.orders}
    requirements = {
        fill.intent: requirement_of(legs_of(orders[fill.intent]), limit=orders[fill.intent].limit)
        for fill in deal.fills
    }
    plan = plan_settlement(to_problem(auction), bid=bid, deal=deal, requirements=requirements)
    clearing = deal_account(deal.deal)
    cash: Counter[str] = Counter()
    bridges: Counter[tuple[str, str]] = Counter()
    for leg in plan.legs:
        left: Counter[str] = Counter()
        for each in leg.transfers:
            assert each.amount > 0
            for name, sign in ((each.debit, -1), (each.credit, 1)):
                left[each.asset] += sign * each.amount if name == clearing else 0
                cash[name] += (
                    sign * each.amount if each.asset == USDC and clearing in (each.debit, each.credit) else 0
                )
                bridges[name, each.asset] += sign * each.amount if name.startswith("bridge:") else 0
        assert not any(left.values()), f"on {leg.chain} the clearing account is left with {left}"
    assert not any(bridges.values()), "what goes into a bridge comes out of it"
    paid: Counter[str] = Counter()
    for fill in deal.fills:
        paid[owner_account(fill.owner)] -= fill.payment
    paid[solver_account(bid.solver)] += sum(fee.amount for fee in bid.fee)
    paid[solver_account(bid.solver)] += sum(part.amount for part in deal.reward)
    paid[RESERVE] += sum(part.amount for part in deal.reserve)
    assert {name: cash[name] for name in paid} == dict(paid)
    assert all(part.amount > 0 for part in deal.reserve), "the reserve only ever gains"
