"""What an owner can back: closing in full or not at all, and reduce-only intents unit by unit."""

from typing import Any

import pytest

from chains.units import COIN, MICRO, USDC
from intents.errors import BookError
from intents.groups import pot_of
from intents.instance import as_order
from intents.lifecycle import Status
from intents.means import Means
from intents.refusals import Code, Refused
from intents.reservations import Reservations
from tests.books import ALICE, CALL, NOW, PUT, Market, make_intent, refusal

LOW = "BTC-26JUN26-80000-P"
WIDTH = 100 * MICRO
"""One lot of a put spread 90,000 to 80,000: 0.01 BTC at 10,000 USD."""


@pytest.fixture
def market() -> Market:
    return Market()


def reduce(market: Market, nonce: int, lots: int = 1, **fields: Any) -> str:
    return market.post(nonce, **{"legs": {CALL: -lots}, "limit": -1, "reduce_only": True} | fields)


def fill(market: Market, id_: str, units: int, *, lots: int = 1) -> None:
    """A round in which the intent is filled at its limit, and its deal settled."""
    market.book.begin_round([id_])
    market.book.pledge("d", id_, units=units, payment=-units)
    market.book.end_round()
    market.give(-units * lots, CALL)
    market.book.settle("d")


def offered(market: Market) -> tuple[list[str], list[str]]:
    funds = market.balances
    market.book.extend_cover(lambda owner, chain, asset: funds.get((owner, chain, asset), 0))
    orders, withheld = market.book.waiting_orders(NOW)
    return [entry.id for entry in orders], [entry.id for entry in withheld]


def means(reservations: Reservations, balances: dict[str, int], **fields: Any) -> Means:
    intent = make_intent(nonce=1, **fields)
    return Means(
        intent=intent,
        pot=pot_of("new", intent),
        reservations=reservations,
        funds=lambda owner, chain, asset: balances.get(asset, 0),
    )


def test_what_others_hold_is_not_available_but_what_the_pot_holds_is() -> None:
    reservations = Reservations()
    reservations.hold((ALICE, "intent other"), "other", {("hub", USDC): 30})
    reservations.hold((ALICE, "group 0x" + "01" * 32), "member", {("hub", USDC): 50})
    assert means(reservations, {USDC: 100}).available(USDC) == 20
    assert means(reservations, {USDC: 100}, group="0x" + "01" * 32).available(USDC) == 70


def test_closing_the_long_leg_of_a_put_spread_needs_fresh_collateral(market: Market) -> None:
    """Long 90,000, short 80,000 was bought for 5 a unit: its long lot stays with the short one.

    Selling a 90,000 put afterwards writes it: 0.01 BTC at 90,000 USD, 900 USDC, of which 899.99 are there.
    """
    market.give(10)
    spread = market.post(1, legs={PUT: 1, LOW: -1}, limit=5, units=1)
    requirement = market.see(spread).requirement
    assert [part.legs for part in requirement.written] == [((LOW, -1), (PUT, 1))]
    assert (requirement.bought, requirement.collateral_of(1)) == ((), {})
    market.book.begin_round([spread])
    market.book.pledge("d", spread, units=1, payment=5)
    market.book.end_round()
    market.book.settle("d")
    market.give(900 * MICRO - 10_000 - 10)
    answer = market.try_post(2, legs={PUT: -1}, limit=-1, units=1)
    assert refusal(answer) == (Code.UNCOLLATERALISED, "intent")
    assert isinstance(answer, Refused)
    assert answer.value == {"asset": USDC, "needed": 900 * MICRO, "available": 900 * MICRO - 10_000}
    reducing = market.try_post(3, legs={PUT: -1}, limit=-1, units=1, reduce_only=True)
    assert refusal(reducing) == (Code.NOT_COVERED, "intent")
    assert isinstance(reducing, Refused)
    assert reducing.value == {"asset": PUT, "needed": 1, "available": 0}
    market.give(10_000)
    assert market.see(market.post(4, legs={PUT: -1}, limit=-1, units=1)).requirement.collateral_of(1) == {
        USDC: 900 * MICRO
    }


def test_the_free_lots_of_a_package_can_be_closed_and_no_more(market: Market) -> None:
    """Short one 90,000, long two 80,000: one of them may be sold again, the other keeps 100 USDC enough."""
    market.give(WIDTH)
    id_ = market.post(1, legs={PUT: -1, LOW: 2}, limit=0, units=1)
    requirement = market.see(id_).requirement
    assert (requirement.collateral_of(1), requirement.bought) == ({USDC: WIDTH}, ((LOW, 1),))
    market.give(1, LOW)
    market.give(-WIDTH)
    market.book.cancel(ALICE, [id_], now_us=NOW)
    assert market.see(market.post(2, legs={LOW: -1}, units=1, limit=-1)).requirement.closing == ((LOW, 1),)
    assert refusal(market.try_post(3, legs={LOW: -1}, units=1, limit=-1))[0] is Code.UNCOLLATERALISED


def test_a_covered_call_needs_its_coin_and_no_cash(market: Market) -> None:
    market.give(COIN // 100)
    assert refusal(market.try_post(1, legs={CALL: -1}, units=1, limit=-1))[0] is Code.UNCOLLATERALISED
    market.give(COIN // 100, "BTC")
    market.post(1, legs={CALL: -1}, units=1, limit=-1)
    assert market.book.reservations(ALICE) == {("hub", "BTC"): COIN // 100}


def test_premium_to_be_received_backs_nothing(market: Market) -> None:
    """900 USDC are needed for the put; that 800 would come in for it does not help."""
    market.give(100 * MICRO)
    answer = market.try_post(1, legs={PUT: -1}, units=1, limit=-800 * MICRO)
    assert isinstance(answer, Refused)
    assert answer.value == {"asset": USDC, "needed": 900 * MICRO, "available": 100 * MICRO}


def test_calendars_do_not_net(market: Market) -> None:
    """Short June, long September, same strike: the June put needs its 900 USDC whole."""
    market.give(900 * MICRO)
    far = "BTC-25SEP26-90000-P"
    requirement = market.see(market.post(1, legs={PUT: -1, far: 1}, units=1, limit=-1)).requirement
    assert (requirement.collateral_of(1), requirement.bought) == ({USDC: 900 * MICRO}, ((far, 1),))


def test_a_reduce_only_intent_enters_with_the_units_that_are_covered(market: Market) -> None:
    market.give(7, CALL)
    id_ = reduce(market, 1, lots=2, units=10)
    entry = market.see(id_)
    assert (entry.open, entry.covered, entry.status) == (10, 3, Status.OPEN)
    assert market.book.reservations(ALICE) == {("hub", CALL): 6}
    assert (as_order(entry).units, as_order(entry).least_units) == (3, 1)
    answer = market.try_post(2, legs={CALL: -2}, limit=-1, reduce_only=True)
    assert refusal(answer) == (Code.NOT_COVERED, "intent")
    assert isinstance(answer, Refused)
    assert answer.value == {"asset": CALL, "needed": 2, "available": 1}


def test_every_leg_of_a_unit_must_be_covered(market: Market) -> None:
    market.give(9, CALL)
    assert refusal(market.try_post(1, legs={CALL: -1, PUT: -2}, limit=-1, reduce_only=True)) == (
        Code.NOT_COVERED,
        "intent",
    )
    market.give(5, PUT)
    id_ = reduce(market, 1, legs={CALL: -1, PUT: -2})
    assert market.see(id_).covered == 2
    assert market.book.reservations(ALICE) == {("hub", CALL): 2, ("hub", PUT): 4}


def test_a_unit_that_its_owner_pays_for_is_covered_by_cash_too(market: Market) -> None:
    market.give(9, CALL)
    market.give(250)
    id_ = reduce(market, 1, limit=100)
    assert market.see(id_).covered == 2
    assert market.book.reservations(ALICE) == {("hub", CALL): 2, ("hub", USDC): 200}


def test_no_more_than_what_is_covered_is_ever_pledged(market: Market) -> None:
    market.give(3, CALL)
    id_ = reduce(market, 1)
    market.book.begin_round([id_])
    with pytest.raises(BookError, match="cannot pledge 4 of 3 units"):
        market.book.pledge("d", id_, units=4, payment=-4)
    market.book.pledge("d", id_, units=3, payment=-3)
    market.book.end_round()
    assert (market.units(id_), offered(market)) == ((7, 3, 0), ([], [id_]))
    market.book.abort("d")
    assert (market.see(id_).covered, offered(market)) == (3, ([id_], []))


def test_cover_grows_at_a_cut_when_the_owner_has_bought_more_the_oldest_first(market: Market) -> None:
    market.give(4, CALL)
    older = reduce(market, 1, units=5)
    market.give(2, CALL)
    younger = reduce(market, 2, units=4)
    assert (market.see(older).covered, market.see(younger).covered) == (4, 2)
    assert offered(market) == ([older, younger], [])
    assert (market.see(older).covered, market.see(younger).covered) == (4, 2)
    market.give(2, CALL)
    assert offered(market) == ([older, younger], [])
    assert (market.see(older).covered, market.see(younger).covered) == (5, 3)
    assert market.book.reservations(ALICE) == {("hub", CALL): 8}


def test_what_another_intent_closes_covers_nothing(market: Market) -> None:
    market.give(5, CALL)
    closing = market.post(1, legs={CALL: -1}, units=4, limit=-1)
    id_ = reduce(market, 2, units=5)
    assert market.see(id_).covered == 1
    market.book.cancel(ALICE, [closing], now_us=NOW)
    assert offered(market) == ([id_], [])
    assert market.see(id_).covered == 5


def test_fewer_covered_units_than_the_owner_accepts_are_withheld(market: Market) -> None:
    """minUnits 4 of 10: three covered lots may not be filled, nor may they be called "all that is left"."""
    market.give(3, CALL)
    id_ = reduce(market, 1, min_units=4)
    assert offered(market) == ([], [id_])
    market.give(6, CALL)
    assert offered(market) == ([id_], [])
    assert (market.see(id_).covered, as_order(market.see(id_)).least_units) == (9, 4)
    fill(market, id_, 8)
    assert (market.see(id_).open, market.see(id_).covered) == (2, 1)
    assert offered(market) == ([], [id_])
    market.give(1, CALL)
    assert offered(market) == ([id_], [])
    assert as_order(market.see(id_)).least_units == 2
    fill(market, id_, 2)
    assert market.see(id_).status is Status.FILLED
    assert market.book.reservations(ALICE) == {}


def test_all_or_none_waits_until_all_is_covered(market: Market) -> None:
    market.give(9, CALL)
    id_ = reduce(market, 1, min_units=10)
    assert offered(market) == ([], [id_])
    market.give(1, CALL)
    assert offered(market) == ([id_], [])
    order = as_order(market.see(id_))
    assert (order.units, order.least_units) == (10, 10)


def test_an_immediate_one_that_is_withheld_keeps_its_round(market: Market) -> None:
    market.give(1, CALL)
    id_ = reduce(market, 1, min_units=2, immediate=True)
    market.book.begin_round([])
    market.book.end_round()
    market.give(1, CALL)
    assert offered(market) == ([id_], [])


def test_what_ends_holds_no_cover(market: Market) -> None:
    market.give(3, CALL)
    id_ = reduce(market, 1)
    market.book.cancel(ALICE, [id_], now_us=NOW)
    assert market.book.reservations(ALICE) == {}
    market.give(9, CALL)
    assert offered(market) == ([], [])
    assert market.see(id_).covered == 0


def test_take_profit_and_stop_share_the_lots_that_they_close(market: Market) -> None:
    """Two reduce-only members of a group cover the same ten lots; the one that is filled takes them."""
    market.give(10, CALL)
    group = "0x" + "01" * 32
    profit, stop = reduce(market, 1, group=group), reduce(market, 2, group=group, limit=-9)
    assert (market.see(profit).covered, market.see(stop).covered) == (10, 10)
    assert market.book.reservations(ALICE) == {("hub", CALL): 10}
    fill(market, profit, 4)
    assert market.see(stop).status is Status.CANCELLED
    assert market.book.reservations(ALICE) == {("hub", CALL): 6}
