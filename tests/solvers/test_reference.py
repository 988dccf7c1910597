import msgspec
import pytest

from solvers.auction import ReferencePrice
from solvers.bid import Fill, Trade
from solvers.outcome import HOUSE
from solvers.reference import with_reference
from tests.builders import CALL, HIGH, make_auction, make_offer, make_order, make_reference
from tests.plan_checks import check_bids
from tests.random_auctions import random_auction

ASK = make_offer("hub-book", CALL, "sell", 700, 9)


def test_no_orders_have_no_reference() -> None:
    auction = make_auction(offers=(ASK,))
    assert with_reference(auction) == (auction, ())


def test_reference_is_the_price_and_units_of_the_house_bid() -> None:
    """Nine reduced units cost 9 * 700, the venue 50 and 5 a lot, a leg, two fills and 3 a lot: 6542."""
    orders = (
        make_order("pair", {CALL: 2}, 1_600, units=2),
        make_order("one", {CALL: 1}, 790, units=9),
    )
    auction, bids = with_reference(make_auction(offers=(ASK,), orders=orders))
    (bid,) = bids
    assert (bid.solver, bid.auction) == (HOUSE, auction.auction)
    assert bid.fills == (Fill(intent="one", units=5), Fill(intent="pair", units=2))
    assert bid.trades == (Trade(offer=ASK.id, lots=9),)
    # 790 is the lowest limit; 9 * 790 - 6542 = 568 to share, 63 each
    assert auction.reference == (ReferencePrice(chain="hub", package=((CALL, 1),), units=9, price=790 - 63),)


def test_packages_are_served_one_at_a_time_by_surplus_per_lot() -> None:
    orders = (make_order("dull", {CALL: 1}, 1_000, units=9), make_order("keen", {CALL: 1, HIGH: 1}, 9_000))
    offers = (ASK, make_offer("hub-book", HIGH, "sell", 700, 9))
    auction, bids = with_reference(make_auction(offers=offers, orders=orders))
    assert [bid.fills[0].intent for bid in bids] == ["keen", "dull"]
    assert bids[1].fills[0].units == 8
    assert [entry.units for entry in auction.reference] == [8, 1]


def test_the_reference_is_sorted_and_everything_else_as_it_was() -> None:
    for seed in range(60):
        before = random_auction(seed)
        after, _ = with_reference(before)
        keys = [(entry.chain, entry.package) for entry in after.reference]
        assert keys == sorted(set(keys))
        assert msgspec.structs.replace(after, reference=()) == before


def test_a_reference_that_is_there_is_replaced() -> None:
    for seed in range(20):
        auction = random_auction(seed)
        stale = (make_reference("hub", {CALL: 1}, units=1, price=1),)
        assert with_reference(msgspec.structs.replace(auction, reference=stale)) == with_reference(auction)


@pytest.mark.parametrize("first", [0, 200])
def test_house_bids_are_feasible_in_the_auction_that_publishes_them(first: int) -> None:
    """And jointly compatible, one for each entry of the reference, at exactly its price and units."""
    served = 0
    for seed in range(first, first + 200):
        auction, bids = with_reference(random_auction(seed, orders=8))
        rows = [row for answer in check_bids(auction, bids) for row in answer.prices]
        assert len({bid.bid for bid in bids}) == len(bids) == len(rows)
        priced = {(row.chain, row.package): (row.units, row.price) for row in rows}
        published = {(entry.chain, entry.package): (entry.units, entry.price) for entry in auction.reference}
        assert priced == published
        served += len(bids)
    assert served > 150


def test_names_of_house_bids_say_their_chain_and_depend_on_content_alone() -> None:
    names = set()
    for units in (1, 3):
        orders = (make_order("a", {CALL: 1}, 2_000, units=units, chain="hub"),)
        _, (bid,) = with_reference(make_auction(offers=(ASK,), orders=orders))
        names.add(bid.bid)
        assert bid.bid.startswith("hub-")
    assert len(names) == 1


def test_amounts_that_no_bid_may_hold_are_left_out() -> None:
    """Two legs whose sizes cancel: the limit is small, what is paid and received is beyond the wire."""
    huge = 2**52
    offers = (make_offer("hub-book", CALL, "sell", huge, 9), make_offer("hub-book", HIGH, "buy", huge, 9))
    order = make_order("a", {CALL: 1, HIGH: -1}, 9_000, units=9, min_units=9)
    auction, bids = with_reference(make_auction(offers=offers, orders=(order,)))
    assert (auction.reference, bids) == ((), ())
