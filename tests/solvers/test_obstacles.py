"""What stands in the way of an order: one reason each, in the stated order, and nothing that others do."""

import pytest
from msgspec.structs import replace

from chains.units import WIRE_MAX
from solvers.arbitration import arbitrate
from solvers.auction import Auction
from solvers.obstacles import Obstacles
from solvers.outcome import Numbers, numbers
from solvers.problem import to_problem
from solvers.reasons import OrderReason
from solvers.reference import with_reference
from tests.builders import CALL, HIGH, PUT, make_auction, make_bridge, make_offer, make_order
from tests.random_auctions import random_auction
from tests.reason_cases import ASK, AWAY, Case, reason_cases

CASES = reason_cases()


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_every_order_has_its_reason_and_its_numbers(case: Case) -> None:
    record = arbitrate(case.auction, case.submissions, versions={}).orders[0]
    assert (record.intent, record.reason, record.numbers) == ("a", case.reason, case.numbers)


def test_every_reason_of_an_order_in_an_auction_has_a_case() -> None:
    outside = {OrderReason.NOT_SELECTED, OrderReason.WITHHELD, OrderReason.NOT_COVERED}
    assert {case.reason for case in CASES.values()} == set(OrderReason) - outside


def find(auction: Auction, **filled: int) -> tuple[OrderReason, Numbers]:
    problem = to_problem(auction)
    return Obstacles(problem, searches_max=1).find(problem.demands["a"], filled=filled)


def test_the_first_that_holds_is_the_answer() -> None:
    """An order with everything in its way, which is taken out of it piece by piece."""
    sibling = make_order("b", {CALL: 1}, 1, owner="ann", group="g")
    order = make_order("a", {HIGH: 1, PUT: 1}, 1, units=4, min_units=4, owner="ann", group="g", valid_until=1)
    closed = (make_bridge("hub", "east", capacity_cash=0), make_bridge("east", "hub"))
    auction = make_auction(orders=(order, sibling), offers=(AWAY,), bridges=closed)
    put = make_offer("hub-book", PUT, "sell", 100, 9)
    steps = [
        ({"filled": {"b": 1}}, OrderReason.SIBLING_FILLED),
        ({}, OrderReason.NO_OFFER),
        ({"offers": (AWAY, put)}, OrderReason.TOO_LATE),
        ({"order": {"valid_until": 2_000_000_000}}, OrderReason.TOO_FEW),
        ({"order": {"min_units": 3}}, OrderReason.LIMIT_SHORT),
        ({"order": {"limit": 3_500}}, OrderReason.NO_ROUTE),
        ({"bridges": (make_bridge("hub", "east"), closed[1])}, OrderReason.COSTS_SHORT),
        ({"order": {"limit": 90_000}}, OrderReason.NO_BID),
    ]
    for change, reason in steps:
        order = replace(order, **change.get("order", {}))
        rest = {name: change[name] for name in ("offers", "bridges") if name in change}
        auction = replace(auction, orders=(order, sibling), **rest)
        assert find(auction, **change.get("filled", {}))[0] is reason


def test_what_others_take_changes_nothing_but_a_sibling_that_is_filled() -> None:
    rival = make_order("b", {CALL: 1}, 10**6, units=3, min_units=3)
    alone = make_auction(orders=(make_order("a", {CALL: 1}, 1_000),), offers=(ASK,))
    assert find(alone) == find(replace(alone, orders=(*alone.orders, rival)), b=3)


def test_an_order_without_an_obstacle_can_be_filled_alone() -> None:
    """The house bids for it alone where nothing but rivals was in the way, and for no other.

    Its search is greedy: of an order that can be filled in parts it may miss the few units that fit.
    """
    seen = set()
    missed = 0
    for seed in range(150):
        auction = random_auction(seed)
        for order in auction.orders:
            single = replace(auction, orders=(order,))
            outcome = arbitrate(single, (), versions={})
            (record,) = outcome.orders
            seen.add(record.reason)
            least = replace(single, orders=(replace(order, units=order.least_units),))
            _, whole_bids = with_reference(single)
            _, least_bids = with_reference(least)
            can_be_filled = record.reason is OrderReason.NO_BID
            assert bool(whole_bids or least_bids) == can_be_filled, f"seed {seed}: {record}"
            missed += can_be_filled and not whole_bids
            if record.reason in (OrderReason.LIMIT_SHORT, OrderReason.COSTS_SHORT):
                assert isinstance(record.numbers, Numbers)
                raised = replace(single, orders=(replace(order, limit=record.numbers.allowed - 1),))
                again = arbitrate(raised, (), versions={}).orders[0]
                assert again.reason in (OrderReason.LIMIT_SHORT, OrderReason.COSTS_SHORT)
                raised = replace(single, orders=(replace(order, limit=record.numbers.allowed),))
                again = arbitrate(raised, (), versions={}).orders[0]
                assert again.reason is not OrderReason.LIMIT_SHORT
                if record.reason is OrderReason.COSTS_SHORT:
                    assert again.reason is OrderReason.NO_BID
    assert len(seen) >= 6
    assert missed <= 3


def test_numbers_never_leave_the_wire() -> None:
    assert numbers("x", 2**70, -(2**70)) == Numbers(where="x", found=WIRE_MAX, allowed=-WIRE_MAX)
    huge = make_offer("hub-book", CALL, "sell", WIRE_MAX, 2**40)
    order = make_order("a", {CALL: 2**20}, 1)
    _, found = find(make_auction(orders=(order,), offers=(huge,)))
    assert found.allowed == WIRE_MAX
