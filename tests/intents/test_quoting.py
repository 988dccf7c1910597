"""Quotes are what the house would do: held against its own bids, the market's records, and themselves."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from chains.snapshot import Snapshot
from chains.units import MICRO
from intents.drafts import Draft
from intents.quotes import Quote, QuotedCosts, QuotedTrade, Saving
from intents.quoting import NAME, Quoter
from intents.typed_data import ATTRIBUTES, OptionIntent
from solvers.arbitration import arbitrate
from solvers.auction import Auction, Order
from solvers.outcome import Numbers
from solvers.reasons import OrderReason
from solvers.reference import with_reference
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import view_auction
from tests.builders import (
    CALL,
    CUT_US,
    HIGH,
    SOLVE_US,
    make_auction,
    make_bridge,
    make_chain,
    make_offer,
    make_venue,
)
from tests.market_run import make_intent
from tests.random_auctions import random_auction
from tests.rounds import draw_auction

OWNER = "0x" + "a1" * 20
LATEST_S = CUT_US // MICRO + 3_600


def quoter_of(auction: Auction) -> Quoter:
    """A quoter of the world that an auction file shows."""
    snapshot = Snapshot(
        as_of_us=auction.cut_us,
        hub=auction.hub,
        chains=auction.chains,
        bridges=auction.bridges,
        venues=auction.venues,
        series=auction.series,
        offers=auction.offers,
        marks=(),
    )
    return Quoter(snapshot, rules=auction.rules, solve_us=auction.solve_us)


def draft_of(intent: OptionIntent, *, limit: bool = True) -> Draft:
    given = frozenset(ATTRIBUTES) if limit else frozenset(ATTRIBUTES) - {"limit"}
    return Draft(intent=intent if limit else msgspec.structs.replace(intent, limit=0), given=given)


def draft(legs: dict[str, int], limit: int | None = None, **changes: Any) -> Draft:
    terms = {"valid_until": LATEST_S} | changes
    return draft_of(make_intent(OWNER, 1, legs, limit or 0, **terms), limit=limit is not None)


def ask(auction: Auction, wanted: Draft) -> Quote:
    return quoter_of(auction).quote(wanted, covered=wanted.intent.units)


def intent_of(order: Order) -> OptionIntent:
    changes = {
        "chain": order.chain,
        "units": order.units,
        "min_units": order.min_units,
        "valid_until": order.valid_until,
    }
    return make_intent(OWNER, 1, dict(order.legs), order.limit, **changes)


def order_of(intent: OptionIntent, limit: int) -> Order:
    return Order(
        intent=NAME,
        owner=intent.owner,
        chain=intent.chain,
        legs=tuple((leg.series, leg.ratio) for leg in intent.legs),
        units=intent.units,
        min_units=intent.min_units,
        limit=limit,
        valid_until=intent.valid_until,
        immediate=False,
    )


def house_bid(auction: Auction, intent: OptionIntent, limit: int) -> FeasibleBid | None:
    """What the house does for an intent that is alone in the auction, at its reference price."""
    alone = msgspec.structs.replace(auction, orders=(order_of(intent, limit),), reference=())
    published, house = with_reference(alone)
    if not house:
        return None
    (bid,) = house
    answer = verify_bid(view_auction(published), bid)
    assert isinstance(answer, FeasibleBid)
    return answer


def quoted_orders(seeds: range) -> Iterator[tuple[Auction, Quoter, Order]]:
    for seed in seeds:
        auction = random_auction(seed)
        quoter = quoter_of(auction)
        for order in auction.orders:
            yield auction, quoter, order


BOOK = (make_offer("hub-book", CALL, "sell", 700, 3), make_offer("hub-book", CALL, "sell", 800, 9))


def test_a_purchase_at_home_is_itemised_to_the_micro_usdc() -> None:
    quote = ask(make_auction(offers=BOOK), draft({CALL: 1}, units=5))
    plan = quote.plan
    assert plan is not None
    assert plan.costs == QuotedCosts(
        premium=3 * 700 + 2 * 800,
        venue_fees=50 + 5 * 5,
        bridge_fees=0,
        settlement_fees=110,
        deal_fees=0,
        protocol_fee=5 * 3,
        left_over=0,
    )
    assert (plan.units, plan.payment, plan.per_unit) == (5, 3_900, 780)
    assert plan.fills_from == 808, "the last unit costs 808 without what is paid once"
    assert plan.trades[0] == QuotedTrade(
        venue="hub-book", chain="hub", offer=BOOK[0].id, series=CALL, side="sell", lots=3, price=700
    )
    assert (quote.units, quote.obstacle, quote.limit, quote.as_of_us) == (5, None, None, CUT_US)


def test_times_are_spans_from_the_snapshot() -> None:
    away = (make_offer("east-book", HIGH, "sell", 600, 3),)
    times = ask(make_auction(offers=away), draft({HIGH: 1})).plan.times
    assert times.solve_us == SOLVE_US
    # Prepared at 2 s, written at 3, locked at 4, final at 6, decided at 7, final at 9, released at 10.
    assert (times.delivered_us, times.final_us) == (10 * MICRO, 12 * MICRO)
    span = 3 * (1 + 1 + 1 + 2) * MICRO // 2 + 5 * MICRO
    assert times.decide_by_us == SOLVE_US + span + 2 * MICRO + MICRO // 2
    assert times.release_by_us == times.decide_by_us + 2 * MICRO + 3 * 3 * MICRO // 2 + 5 * MICRO


def test_every_quote_is_the_house_bid_of_the_intent_alone() -> None:
    """With and without a limit, on random chains, fees, capacities and deadlines."""
    seen = {"limit": 0, "market": 0, "chains": 0, "partial": 0, "sale": 0}
    for auction, quoter, order in quoted_orders(range(70)):
        intent = intent_of(order)
        for with_limit in (True, False):
            wanted = draft_of(intent, limit=with_limit)
            quote = quoter.quote(wanted, covered=intent.units, has_time=lambda: False)
            plan = quote.plan
            if plan is None:
                assert house_bid(auction, intent, order.limit) is None
                continue
            bid = house_bid(auction, intent, plan.fills_from)
            assert bid is not None
            (fill,) = bid.fills
            assert (fill.units, fill.payment) == (plan.units, plan.payment)
            assert {(each.offer, each.lots) for each in plan.trades} == set(bid.plan.trades)
            assert {(each.bridge, each.asset, each.amount) for each in plan.transfers} == set(
                bid.plan.transfers
            )
            assert plan.chains == bid.chains
            assert plan.per_unit * plan.units == plan.payment <= plan.fills_from * plan.units
            assert plan.times.decide_by_us == bid.deadlines.decide_by_us - auction.cut_us
            assert plan.times.release_by_us == bid.deadlines.release_by_us - auction.cut_us
            check_costs(plan.costs, plan.payment, bid)
            seen["limit" if quote.limit and quote.limit.fills else "market"] += 1
            seen["chains"] += len(plan.chains) > 1
            seen["partial"] += plan.units < intent.units
            seen["sale"] += plan.payment < 0
    assert min(seen.values()) > 10, seen


def check_costs(costs: QuotedCosts, payment: int, bid: FeasibleBid) -> None:
    assert sum(msgspec.structs.astuple(costs)) == payment
    assert costs.left_over == sum(row.amount for row in bid.reserve)


def test_the_demos_orders_are_quoted_as_the_house_fills_them() -> None:
    auction = draw_auction(seed=3, orders=10)
    quoter = quoter_of(auction)
    several = 0
    for order in auction.orders:
        quote = quoter.quote(draft_of(intent_of(order)), covered=order.units)
        assert quote.plan is not None
        bid = house_bid(auction, intent_of(order), quote.plan.fills_from)
        assert bid is not None
        assert (bid.fills[0].units, bid.fills[0].payment) == (quote.plan.units, quote.plan.payment)
        several += len(bid.chains) > 1
    assert several


def test_a_limit_is_judged_as_the_market_would() -> None:
    missed = 0
    for auction, quoter, order in quoted_orders(range(40)):
        intent = intent_of(order)
        quote = quoter.quote(draft_of(intent), covered=intent.units, has_time=lambda: False)
        limit = quote.limit
        assert limit is not None
        assert limit.given == order.limit
        assert limit.fills == (house_bid(auction, intent, order.limit) is not None)
        if limit.fills:
            assert limit.misses_by == 0
            assert quote.plan.fills_from == order.limit
        if limit.lowest is not None:
            assert house_bid(auction, intent, limit.lowest) is not None
            assert limit.lowest <= order.limit or limit.misses_by == limit.lowest - order.limit
            missed += limit.misses_by > 0
    assert missed > 10


def test_the_obstacle_is_the_reason_that_the_order_would_have() -> None:
    seen = set()
    for auction, quoter, order in quoted_orders(range(60)):
        intent = intent_of(order)
        quote = quoter.quote(draft_of(intent), covered=intent.units, has_time=lambda: False)
        if quote.limit.fills:
            continue
        alone = msgspec.structs.replace(auction, orders=(order_of(intent, order.limit),), reference=())
        (record,) = arbitrate(alone, (), versions={}).orders
        assert (quote.obstacle.reason, quote.obstacle.detail) == (record.reason, record.detail)
        assert quote.obstacle.numbers == record.numbers
        seen.add(record.reason)
    assert len(seen) >= 5


def test_units_beyond_the_limit_or_beyond_what_is_there_are_explained() -> None:
    auction = make_auction(offers=BOOK)
    at_limit = ask(auction, draft({CALL: 1}, 790, units=5))
    assert at_limit.plan.units == 3
    assert at_limit.obstacle.reason == OrderReason.COSTS_SHORT
    assert at_limit.obstacle.numbers == Numbers(where=NAME, found=790, allowed=808)
    too_many = ask(auction, draft({CALL: 1}, units=20))
    assert too_many.plan.units == 12
    assert too_many.obstacle.reason == OrderReason.TOO_FEW
    assert too_many.obstacle.numbers == Numbers(where=CALL, found=12, allowed=20)
    nothing = ask(auction, draft({HIGH: 1}, units=2, min_units=2))
    assert (nothing.plan, nothing.obstacle.reason) == (None, OrderReason.NO_OFFER)
    assert nothing.obstacle.numbers == Numbers(where=HIGH, found=0, allowed=2)


def test_every_saving_is_quoted_as_it_is_told() -> None:
    kinds = dict.fromkeys(Saving, 0)
    for _, quoter, order in quoted_orders(range(22)):
        for with_limit in (True, False):
            wanted = draft_of(intent_of(order), limit=with_limit)
            quote = quoter.quote(wanted, covered=order.units)
            assert quote.is_complete
            saves = [saving.saves or 0 for saving in quote.savings]
            assert saves == sorted(saves, reverse=True)
            for saving in quote.savings:
                fields = {ATTRIBUTES[name]: value for name, value in saving.changes.items()}
                intent = msgspec.structs.replace(wanted.intent, **fields)
                again = quoter.quote(replace(wanted, intent=intent), covered=intent.units).plan
                assert (again.units, again.payment, again.per_unit) == (
                    saving.units,
                    saving.payment,
                    saving.per_unit,
                )
                if quote.plan is None:
                    assert saving.saves is None
                else:
                    assert saving.saves == quote.plan.per_unit * saving.units - saving.payment > 0
                kinds[Saving(saving.kind)] += 1
    assert min(kinds.values()) > 0, kinds


def test_more_units_share_a_bridge_and_fewer_are_enough_for_the_best_offers() -> None:
    away = (make_offer("east-book", HIGH, "sell", 600, 8),)
    more = ask(make_auction(offers=away), draft({HIGH: 1})).savings
    assert [(saving.kind, saving.changes) for saving in more if "units" in saving.changes] == [
        ("more_units", {"units": 8})
    ]
    (fewer,) = ask(make_auction(offers=BOOK), draft({CALL: 1}, units=9, min_units=9)).savings
    assert (fewer.kind, fewer.changes) == ("fewer_units", {"units": 3, "minUnits": 3})
    assert fewer.saves == 3 * (793 - 762), "nine cost 7,132, so 793 each; three cost 2,284, so 762 each"


def test_delivery_where_the_offer_is_saves_bridges_and_deal() -> None:
    away = (make_offer("east-book", HIGH, "sell", 600, 1),)
    quote = ask(make_auction(offers=away), draft({HIGH: 1}))
    best = quote.savings[0]
    assert (best.kind, best.changes) == ("other_chain", {"chain": "east"})
    assert best.payment == 600 + 5 + 3 + 50 + 100 + 10
    assert best.saves == quote.plan.payment - best.payment


def test_time_for_a_slower_route_is_told_where_it_is_cheaper() -> None:
    """East is cheaper and its finality slow; the intent ends before a deal with it would be decided."""
    chains = (make_chain("hub"), make_chain("east", finality_us=600 * MICRO))
    market = make_auction(
        chains=chains,
        bridges=(make_bridge("hub", "east"), make_bridge("east", "hub")),
        venues=(make_venue("hub"), make_venue("east", max_lock_us=10**10)),
        offers=(
            make_offer("hub-book", CALL, "sell", 90_000, 3),
            make_offer("east-book", CALL, "sell", 700, 3),
        ),
    )
    quote = ask(market, draft({CALL: 1}, valid_until=CUT_US // MICRO + 60))
    longer = next(saving for saving in quote.savings if saving.kind == Saving.LONGER_VALIDITY)
    assert quote.plan.chains == ("hub",)
    until_us = int(longer.changes["validUntil"]) * MICRO
    patient = ask(market, draft({CALL: 1}, valid_until=until_us // MICRO)).plan
    assert patient.chains == ("east", "hub")
    assert CUT_US + patient.times.decide_by_us < until_us
    assert longer.saves == quote.plan.payment - patient.payment
    relaxed = ask(market, draft({CALL: 1}, valid_until=until_us // MICRO))
    assert Saving.LONGER_VALIDITY not in {saving.kind for saving in relaxed.savings}


def test_changes_that_make_it_possible_at_all_save_nothing_but_are_told() -> None:
    bridges = (make_bridge("hub", "east"),)
    away = (make_offer("east-book", HIGH, "sell", 600, 1),)
    quote = ask(make_auction(offers=away, bridges=bridges), draft({HIGH: 1}))
    assert quote.plan is None
    assert [(each.kind, each.changes, each.saves) for each in quote.savings] == [
        ("other_chain", {"chain": "east"}, None)
    ]


def test_only_so_many_units_as_are_covered_are_quoted() -> None:
    wanted = draft({CALL: -1}, units=9, reduce_only=True)
    sale = (make_offer("hub-book", CALL, "buy", 700, 9), make_offer("east-book", CALL, "buy", 900_000, 9))
    quote = quoter_of(make_auction(offers=sale)).quote(wanted, covered=2)
    assert (quote.units, quote.plan.units, quote.obstacle) == (2, 2, None)
    assert not [saving for saving in quote.savings if saving.kind in ("more_units", "other_chain")]


def test_without_time_savings_are_left_out_and_that_is_said() -> None:
    quoter, wanted = quoter_of(make_auction(offers=BOOK)), draft({CALL: 1}, units=9)
    quote = quoter.quote(wanted, covered=9, has_time=lambda: False)
    assert not quote.is_complete
    full = quoter.quote(wanted, covered=9)
    assert (full.is_complete, full.plan) == (True, quote.plan)
    assert len(quote.savings) <= len(full.savings)


def test_quotes_of_one_quoter_do_not_depend_on_those_before() -> None:
    auction = random_auction(7)
    drafts = [draft_of(intent_of(order)) for order in auction.orders]
    shared = quoter_of(auction)
    for wanted in (*drafts, *reversed(drafts)):
        assert shared.quote(wanted, covered=wanted.intent.units) == ask(auction, wanted)
