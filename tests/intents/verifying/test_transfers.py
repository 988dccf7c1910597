"""Settlement checked a second time: true transfers pass, and no single one can be changed unnoticed."""

from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import pytest

from chains.commit import DealState, LegState
from intents.archive import SettledDeal
from intents.errors import VerificationError
from intents.verifying import transfers as module
from intents.verifying.bids import judge_bid
from intents.verifying.sheet import Sheet
from intents.verifying.transfers import LEG_STATES, check_settlement
from solvers.auction import Auction
from solvers.codec import encode
from tests.builders import CALL, HIGH, PUT, free_market, make_bid, make_order
from tests.random_markets import random_auction, random_bids
from tests.settled_deals import Planned, plan_deals

STRANGER = "owner:somebody-else"


def random_deals(seed: int) -> Iterator[tuple[Sheet, Planned]]:
    """Deals of a random auction, in which some sold legs close positions."""
    rng = Random(seed)
    auction = random_auction(rng)
    legs = [(order.intent, series) for order in auction.orders for series, _ in order.legs or ()]
    closing = [leg for leg in legs if rng.random() < 0.4]
    for planned in plan_deals(auction, *random_bids(rng, auction), closing=closing):
        yield Sheet(auction), planned


def check(sheet: Sheet, planned: Planned, settled: SettledDeal) -> None:
    check_settlement(sheet, planned.deal, judge_bid(sheet, planned.bid), settled)


def test_what_the_market_plans_passes() -> None:
    checked = 0
    for seed in range(80):
        for sheet, planned in random_deals(seed):
            check(sheet, planned, planned.settled)
            checked += 1
    assert checked > 100


def changed_transfers(settled: SettledDeal) -> Iterator[Any]:
    """Every transfer with one thing changed, dropped, or made twice."""
    for at, leg in enumerate(settled.legs):
        for place, transfer in enumerate(leg.transfers):
            true = msgspec.json.decode(encode(transfer))
            for lie in (
                [true | {"amount": true["amount"] + 1}],
                [true | {"credit": STRANGER}],
                [true | {"debit": STRANGER}],
                [true | {"credit": true["debit"], "debit": true["credit"]}],
                [true | {"asset": "ETH"}],
                [true, true],
                [],
            ):
                parts = msgspec.json.decode(encode(settled))
                parts["legs"][at]["transfers"][place : place + 1] = lie
                yield msgspec.convert(parts, SettledDeal)


def test_no_transfer_can_be_changed() -> None:
    rules = set()
    lies = 0
    for seed in range(12):
        for sheet, planned in random_deals(seed):
            for lie in changed_transfers(planned.settled):
                with pytest.raises(VerificationError) as caught:
                    check(sheet, planned, lie)
                rules.add(caught.value.rule)
                lies += 1
    assert lies > 500
    assert rules == {"not_paid", "conservation", "stranger_paid", "collateral"}


def written_deal() -> tuple[Auction, Planned]:
    """Ann writes a put and sells a call that she holds, Ben takes both; nothing costs anything."""
    auction = free_market(
        orders=(
            make_order("ann", {PUT: -1, CALL: -2}, -300, units=3),
            make_order("ben", {PUT: 1, CALL: 2}, 500, units=3),
        )
    )
    (planned,) = plan_deals(auction, make_bid({"ann": 3, "ben": 3}), closing=[("ann", CALL)])
    return auction, planned


def many_sales(count: int) -> tuple[Auction, Planned]:
    """Ann sells one call by many orders, of which the first closes a position; Ben buys all of them."""
    names = [f"sale-{place}" for place in range(count)]
    sales = [make_order(name, {CALL: -1}, -300, units=1, owner="ann") for name in names]
    auction = free_market(orders=(*sales, make_order("buys", {CALL: 1}, 900, units=count)))
    bid = make_bid({**dict.fromkeys(names, 1), "buys": count})
    (planned,) = plan_deals(auction, bid, closing=[(names[0], CALL)])
    return auction, planned


def without_collateral(settled: SettledDeal, asset: str) -> SettledDeal:
    parts = msgspec.json.decode(encode(settled))
    for leg in parts["legs"]:
        leg["transfers"] = [
            each
            for each in leg["transfers"]
            if each["asset"] != asset or not each["credit"].startswith("written:")
        ]
    return msgspec.convert(parts, SettledDeal)


def with_transfer(settled: SettledDeal, debit: str, credit: str, asset: str, amount: int) -> SettledDeal:
    parts = msgspec.json.decode(encode(settled))
    parts["legs"][0]["transfers"].append({"debit": debit, "credit": credit, "asset": asset, "amount": amount})
    return msgspec.convert(parts, SettledDeal)


@pytest.mark.parametrize(
    ("debit", "credit", "asset", "rule"),
    [
        ("owner:owner-ann", "written:owner-ann/BTC-26JUN26", "USDC", "collateral"),
        ("written:owner-ann/BTC-26JUN26", "owner:owner-ann", "USDC", "collateral"),
        ("owner:owner-ann", "written:owner-ann/BTC-26JUN26", "BTC", "collateral"),
        ("owner:owner-ann", "written:owner-ann/BTC-26JUN26", CALL, "collateral"),
        ("written:owner-ann/BTC-26JUN26", "owner:owner-ann", PUT, "collateral"),
        ("owner:owner-ben", "written:owner-ben/BTC-26JUN26", PUT, "collateral"),
        ("owner:owner-ann", "owner:owner-ben", "USDC", "not_delivered"),
        ("written:owner-ann/BTC-26JUN26", "written:owner-ben/BTC-26JUN26", CALL, "not_delivered"),
        ("owner:owner-ben", "owner:owner-cem", "USDC", "stranger_paid"),
        ("owner:owner-ben", "reserve", "USDC", "not_paid"),
        ("fees:protocol", "solver:alice", "USDC", "not_paid"),
        ("venue:hub-book", "deal:another", HIGH, "conservation"),
    ],
)
def test_nothing_can_be_moved_beside_the_deal(debit: str, credit: str, asset: str, rule: str) -> None:
    auction, planned = written_deal()
    sheet = Sheet(auction)
    check(sheet, planned, planned.settled)
    with pytest.raises(VerificationError) as caught:
        check(sheet, planned, with_transfer(planned.settled, debit, credit, asset, 1))
    assert caught.value.rule == rule


def test_the_leg_that_closes_is_found_among_the_fills_of_one_owner() -> None:
    """Ann sells the same series by two orders: one closes a position, the other writes."""
    auction = free_market(
        orders=(
            make_order("closes", {CALL: -1}, -300, units=2, owner="ann"),
            make_order("writes", {CALL: -1, PUT: -1}, -300, units=2, owner="ann"),
            make_order("buys", {CALL: 1}, 900, units=4),
            make_order("puts", {PUT: 1}, 900, units=2),
        )
    )
    bid = make_bid({"closes": 2, "writes": 2, "buys": 4, "puts": 2})
    for closing in ([("closes", CALL)], [("writes", CALL)], [], [("closes", CALL), ("writes", CALL)]):
        (planned,) = plan_deals(auction, bid, closing=closing)
        check(Sheet(auction), planned, planned.settled)


def test_what_has_too_many_ways_to_be_told_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    auction, planned = written_deal()
    monkeypatch.setattr(module, "WAYS_MAX", 0)
    with pytest.raises(VerificationError, match="collateral_untold"):
        check(Sheet(auction), planned, planned.settled)


def test_collateral_that_was_not_moved_is_missed_among_many_sales_of_one_owner() -> None:
    """Fourteen one-leg sales, one of which closes: 2^14 choices, but only fifteen different sums."""
    auction, planned = many_sales(14)
    check(Sheet(auction), planned, planned.settled)
    with pytest.raises(VerificationError, match="collateral"):
        check(Sheet(auction), planned, without_collateral(planned.settled, "BTC"))


def test_every_state_of_the_protocol_has_its_place() -> None:
    assert set(LEG_STATES) == {state.value for state in DealState}
    assert set().union(*LEG_STATES.values()) == {state.value for state in LegState}
    assert not LEG_STATES["settled"] & LEG_STATES["closed"]
