"""From a winning bid to its transfers: hand-made tables, and laws over random deals."""

from collections import Counter
from collections.abc import Callable, Hashable
from random import Random

import pytest
from msgspec.structs import replace

from chains.commit import DealPlan
from chains.units import MICRO, USDC
from router.needs import cash_needs
from solvers.auction import Auction
from solvers.bid import Bid, Fee
from solvers.outcome import Deal
from solvers.problem import to_plan, to_problem
from tests.broken_bids import ASK, CASH_EAST, crossing_auction, crossing_bid
from tests.builders import CALL, HIGH, LATER, PUT, free_market, make_bid, make_offer, make_order
from tests.random_markets import random_auction, random_bids
from tests.settled_deals import plan_deals

Net = dict[tuple[str, str, str], int]
"""(chain, account, asset) -> what the account gains."""


def net_of(plan: DealPlan) -> Net:
    net: Counter[tuple[str, str, str]] = Counter()
    for leg in plan.legs:
        for transfer in leg.transfers:
            net[leg.chain, transfer.debit, transfer.asset] -= transfer.amount
            net[leg.chain, transfer.credit, transfer.asset] += transfer.amount
    return {place: amount for place, amount in sorted(net.items()) if amount}


def test_a_crossing_deal_pays_everybody_what_is_due() -> None:
    (planned,) = plan_deals(crossing_auction(), crossing_bid())
    deal, plan = planned.deal, planned.plan
    paid = 4 * 1_004_095
    assert [fill.payment for fill in deal.fills] == [paid]
    assert net_of(plan) == {
        ("east", "bridge:east-hub", CALL): 4,
        ("east", "bridge:hub-east", USDC): -CASH_EAST,
        ("east", "fees:bridge", USDC): 5_000 + 4 * 20,
        ("east", "fees:settlement", USDC): 100 + 1_000,
        ("east", "venue:east-book", CALL): -4,
        ("east", "venue:east-book", USDC): 4_000_000 + 50 + 4 * 5,
        ("hub", "bridge:east-hub", CALL): -4,
        ("hub", "bridge:hub-east", USDC): CASH_EAST,
        ("hub", "fees:bridge", USDC): 5_000 + 4_007,
        ("hub", "fees:protocol", USDC): 4 * 3 // 2,
        ("hub", "fees:settlement", USDC): 100 + 10 + 1_000,
        ("hub", "owner:owner-buyer", CALL): 4,
        ("hub", "owner:owner-buyer", USDC): -paid,
        ("hub", "reserve", USDC): 1,
        ("hub", "solver:alice", USDC): 4 * 3 // 2,
    }
    assert [(leg.chain, leg.lots) for leg in plan.legs] == [("east", ((ASK, 4),)), ("hub", ())]
    assert plan.bridges == (("hub-east", USDC, CASH_EAST), ("east-hub", CALL, 4))
    assert plan.deal == deal.deal
    assert plan.deadlines.decide_by_us == deal.decide_by_us


def test_a_deal_with_stock_trades_with_what_its_solver_has_put_up() -> None:
    auction = crossing_auction()
    stock = crossing_auction(venues=tuple(replace(venue, kind="stock") for venue in auction.venues))
    (plain,), (backed,) = plan_deals(auction, crossing_bid()), plan_deals(stock, crossing_bid())
    assert net_of(backed.plan) == {
        (chain, "stock:east-book" if account == "venue:east-book" else account, asset): amount
        for (chain, account, asset), amount in net_of(plain.plan).items()
    }
    assert ("east", "stock:east-book", CALL) in net_of(backed.plan)


def test_what_is_left_where_nothing_is_filled_goes_to_the_reserve() -> None:
    auction = free_market(
        orders=(make_order("seller", {CALL: -1}, -900_000),),
        offers=(make_offer("east-book", CALL, "buy", 1_000_000, 1),),
    )
    bid = make_bid({"seller": 1}, {f"east-book/{CALL}/buy/1000000": 1}, {
        ("hub-east", CALL): 1, ("east-hub", USDC): 950_000,
    })  # fmt: skip
    (planned,) = plan_deals(auction, bid)
    assert [fill.payment for fill in planned.deal.fills] == [-950_000]
    assert net_of(planned.plan)["east", "reserve", USDC] == 50_000


def test_the_solver_gets_its_fee_on_the_chain_it_names() -> None:
    fee = (Fee(chain="hub", amount=70), Fee(chain="east", amount=1))
    transfers = tuple(
        each if each.asset != USDC else type(each)(bridge=each.bridge, asset=USDC, amount=each.amount + 1)
        for each in crossing_bid().transfers
    )
    (planned,) = plan_deals(crossing_auction(), crossing_bid(fee=fee, transfers=transfers))
    net = net_of(planned.plan)
    assert [(part.chain, part.amount) for part in planned.deal.reward] == [("hub", 6)]
    assert (net["hub", "solver:alice", USDC], net["east", "solver:alice", USDC]) == (70 + 6, 1)


def written_market() -> tuple[Auction, Bid]:
    """A call written on the hub and a put bought, both traded there, for a credit of 30 USDC."""
    auction = free_market(
        orders=(make_order("writer", {PUT: 1, CALL: -1}, -1_000_000, units=2),),
        offers=(
            make_offer("hub-book", PUT, "sell", 20_000_000, 9),
            make_offer("hub-book", CALL, "buy", 50_000_000, 9),
        ),
    )
    trades = {f"hub-book/{PUT}/sell/20000000": 2, f"hub-book/{CALL}/buy/50000000": 2}
    return auction, make_bid({"writer": 2}, trades)


def test_what_is_written_moves_with_its_collateral_and_the_rest_arrives_free() -> None:
    """The put makes the call's collateral no smaller, so its owner may sell it again."""
    (planned,) = plan_deals(*written_market())
    assert net_of(planned.plan) == {
        ("hub", "owner:owner-writer", "BTC"): -2 * MICRO,
        ("hub", "owner:owner-writer", PUT): 2,
        ("hub", "owner:owner-writer", USDC): 60_000_000,
        ("hub", "venue:hub-book", CALL): 2,
        ("hub", "venue:hub-book", PUT): -2,
        ("hub", "venue:hub-book", USDC): -60_000_000,
        ("hub", "written:owner-writer/BTC-26JUN26", "BTC"): 2 * MICRO,
        ("hub", "written:owner-writer/BTC-26JUN26", CALL): -2,
    }


def test_a_spread_moves_whole_with_its_width_and_each_maturity_has_its_account() -> None:
    """Short 100,000, long 110,000: 2 * 0.01 BTC * 10,000 USD. The later short put needs its strike."""
    auction = free_market(
        orders=(
            make_order("writer", {CALL: -1, HIGH: 1, LATER: -1}, -1_000_000, units=2),
            make_order("taker", {CALL: 1, HIGH: -1, LATER: 1}, 9_000_000, units=2),
        ),
    )
    (planned,) = plan_deals(auction, make_bid({"writer": 2, "taker": 2}))
    net = net_of(planned.plan)
    june, september = "written:owner-writer/BTC-26JUN26", "written:owner-writer/BTC-25SEP26"
    assert {place[1:]: amount for place, amount in net.items() if place[1] in (june, september)} == {
        (june, CALL): -2,
        (june, HIGH): 2,
        (june, USDC): 200 * MICRO,
        (september, LATER): -2,
        (september, "BTC"): 2 * MICRO,
    }
    assert net["hub", "owner:owner-taker", LATER] == 2
    assert net["hub", "written:owner-taker/BTC-26JUN26", HIGH] == -2


def test_closing_legs_leave_the_free_account_and_bought_ones_arrive_there() -> None:
    (planned,) = plan_deals(*written_market(), closing=[("writer", CALL)])
    net = net_of(planned.plan)
    assert (net["hub", "owner:owner-writer", CALL], net["hub", "owner:owner-writer", PUT]) == (-2, 2)
    assert not [place for place in net if place[1].startswith("written:")]


def test_owners_matched_with_each_other_need_no_venue() -> None:
    auction = free_market(
        orders=(make_order("buys", {HIGH: 1}, 300), make_order("sells", {HIGH: -1}, -100)),
    )
    (planned,) = plan_deals(auction, make_bid({"buys": 1, "sells": 1}))
    deal, plan = planned.deal, planned.plan
    assert plan.is_alone
    payments = {fill.intent: fill.payment for fill in deal.fills}
    assert payments["buys"] + payments["sells"] == sum(row.amount for row in deal.reserve)
    assert net_of(plan)["hub", "written:owner-sells/BTC-26JUN26", HIGH] == -1


@pytest.mark.parametrize("seed", range(40))
def test_random_deals_move_what_was_decided_and_nothing_else(seed: int) -> None:
    rng = Random(seed)
    auction = random_auction(rng)
    problem = to_problem(auction)
    legs = [(order.intent, series) for order in auction.orders for series, _ in order.legs or ()]
    closing = [leg for leg in legs if rng.random() < 0.3]
    for planned in plan_deals(auction, *random_bids(rng, auction), closing=closing):
        deal, net = planned.deal, net_of(planned.plan)
        assert not [place for place in net if place[1].startswith("deal:")]
        assert not any(sum_up(net, lambda chain, _, asset: (chain, asset)).values())
        needs = {chain: need for chain, need in cash_needs(problem, to_plan(planned.bid)).items() if need}
        assert needs == sum_up(net, lambda chain, account, asset: chain if is_paid(account, asset) else None)
        kept = {(row.chain, "reserve", USDC): row.amount for row in deal.reserve}
        assert kept == {place: amount for place, amount in net.items() if place[1] == "reserve"}
        assert due_to_owners(auction, deal) == sum_up(net, of_owner)
        for fill in deal.fills:
            for part in planned.requirements[fill.intent].written:
                account = f"written:{fill.owner}/{part.maturity}"
                for asset, amount in part.collateral:
                    assert net[fill.chain, account, asset] >= amount * fill.units


def is_paid(account: str, asset: str) -> bool:
    """Whether cash there is part of a bid's need."""
    return asset == USDC and account.partition(":")[0] not in ("owner", "written", "reserve")


def of_owner(chain: str, account: str, asset: str) -> tuple[str, str, str] | None:
    """Where an owner's free and written accounts are taken together."""
    kind, _, name = account.partition(":")
    return (chain, name.partition("/")[0], asset) if kind in ("owner", "written") else None


def due_to_owners(auction: Auction, deal: Deal) -> dict[Hashable, int]:
    due: Counter[Hashable] = Counter()
    orders = {order.intent: order for order in auction.orders}
    for fill in deal.fills:
        due[fill.chain, fill.owner, USDC] -= fill.payment
        for series, ratio in orders[fill.intent].legs or ():
            due[fill.chain, fill.owner, series] += ratio * fill.units
    return {place: amount for place, amount in due.items() if amount}


def sum_up(net: Net, group_of: Callable[[str, str, str], Hashable]) -> dict[Hashable, int]:
    """The net sums of the groups that are not zero; places without a group are left out."""
    total: Counter[Hashable] = Counter()
    for place, amount in net.items():
        group = group_of(*place)
        if group is not None:
            total[group] += amount
    return {group: amount for group, amount in total.items() if amount}
