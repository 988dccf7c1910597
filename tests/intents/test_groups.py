"""One-cancels-other groups in the book: what they reserve, who waits for whom, and who is filled."""

from typing import Any

import pytest

from chains.units import USDC
from intents.errors import BookError
from intents.groups import Groups, pot_of
from intents.lifecycle import Status
from intents.refusals import Code
from tests.books import ALICE, BOB, CALL, NOW, PUT, PUT_COLLATERAL, Market, make_intent, refusal

GROUP, OTHER = "0x" + "01" * 32, "0x" + "02" * 32


@pytest.fixture
def market() -> Market:
    made = Market()
    made.give(10_000)
    return made


def join(market: Market, nonce: int, limit: int = 100, **fields: Any) -> str:
    return market.post(nonce, limit=limit, **{"group": GROUP} | fields)


def pledge(market: Market, id_: str, units: int, deal: str = "d") -> None:
    market.book.begin_round([entry.id for entry in market.book.waiting_orders(NOW)[0]])
    market.book.pledge(deal, id_, units=units, payment=0)
    market.book.end_round()


def offered(market: Market) -> tuple[list[str], list[str]]:
    orders, withheld = market.book.waiting_orders(NOW)
    return [entry.id for entry in orders], [entry.id for entry in withheld]


def test_a_group_reserves_its_maximum_place_by_place(market: Market) -> None:
    """10 units for 100 each, 10 for 300, and a put for 5 with 900 USDC behind it: the greatest of each.

    USDC: max(1_000, 3_000, 900_000_000) - and not the sum; the calls are there once, for the one that
    closes them.
    """
    market.give(PUT_COLLATERAL - 10_000)
    market.give(4, CALL)
    join(market, 1)
    join(market, 2, 300)
    assert market.cash() == 3_000
    join(market, 3, -5, legs={PUT: -1}, units=1)
    assert market.cash() == PUT_COLLATERAL
    join(market, 4, -5, legs={CALL: -1}, units=3)
    join(market, 5, -9, legs={CALL: -2}, units=2)
    assert market.book.reservations(ALICE) == {("hub", CALL): 4, ("hub", USDC): PUT_COLLATERAL}
    market.book.cancel(ALICE, ["a3", "a5"], now_us=NOW)
    assert market.book.reservations(ALICE) == {("hub", CALL): 3, ("hub", USDC): 3_000}


def test_members_on_several_chains_reserve_on_each(market: Market) -> None:
    market.give(2_000, chain="east")
    join(market, 1)
    join(market, 2, 200, chain="east")
    assert market.book.reservations(ALICE) == {("east", USDC): 2_000, ("hub", USDC): 1_000}


def test_a_member_needs_no_more_than_its_group_has_left_to_reserve(market: Market) -> None:
    join(market, 1, 600)
    market.post(2, limit=300)
    join(market, 3, 700)
    answer = market.try_post(4, limit=701, group=GROUP)
    assert refusal(answer) == (Code.UNCOLLATERALISED, "intent")
    assert getattr(answer, "value", None) == {"asset": USDC, "needed": 7_010, "available": 7_000}
    assert refusal(market.try_post(5, limit=1, group=OTHER)) == (Code.UNCOLLATERALISED, "intent")
    assert market.cash() == 10_000


def test_a_group_belongs_to_its_owner(market: Market) -> None:
    market.give(10_000, owner=BOB)
    mine, other = join(market, 1), join(market, 1, owner=BOB)
    pledge(market, mine, 1)
    market.book.settle("d")
    assert market.see(other).status is Status.OPEN
    join(market, 2, owner=BOB)


def test_a_group_that_is_named_like_an_intent_shares_nothing_with_it(market: Market) -> None:
    id_ = "0x" + "ab" * 32
    alone, named = make_intent(nonce=1), make_intent(nonce=2, group=id_)
    assert pot_of(id_, alone) != pot_of("0x1", named)
    for place, intent in ((id_, alone), ("0x1", named)):
        market.book.admit(place, intent, now_us=NOW, funds=lambda *_: 10_000)
    assert market.cash() == 2_000


def test_while_a_member_settles_the_others_are_withheld_and_return_on_abort(market: Market) -> None:
    first, second, free = join(market, 1), join(market, 2), market.post(3)
    assert offered(market) == ([first, second, free], [])
    pledge(market, first, 4)
    assert offered(market) == ([first, free], [second])
    third = join(market, 4)
    assert offered(market) == ([first, free], [second, third])
    with pytest.raises(BookError):
        market.book.begin_round([second])
    market.book.abort("d")
    assert offered(market) == ([first, second, free, third], [])
    assert market.units(first) == (10, 0, 0)


def test_the_first_settled_fill_cancels_the_others_and_closes_the_group(market: Market) -> None:
    first, second, free = join(market, 1), join(market, 2, 500), market.post(3)
    pledge(market, first, 4)
    assert market.cash() == 6_000
    (settled,) = market.book.settle("d")
    assert settled.id == first
    gone = market.see(second)
    assert (gone.status, gone.cancelled_by, gone.cancelled_us) == (Status.CANCELLED, first, None)
    assert market.cash() == 600 + 1_000
    assert offered(market) == ([first, free], [])
    assert refusal(market.try_post(4, group=GROUP)) == (Code.GROUP_FILLED, "group")
    assert market.try_post(2, limit=500, group=GROUP) is gone
    pledge(market, first, 6)
    market.book.settle("d")
    assert market.see(first).status is Status.FILLED
    assert refusal(market.try_post(5, group=GROUP)) == (Code.GROUP_FILLED, "group")
    market.post(6, group=OTHER)


def test_a_group_whose_members_all_ended_unfilled_may_be_joined_again(market: Market) -> None:
    first = join(market, 1, immediate=True)
    market.book.begin_round([first])
    market.book.end_round()
    assert market.see(first).status is Status.CANCELLED
    second = join(market, 2)
    assert offered(market) == ([second], [])


@pytest.mark.parametrize("ended_by", ["cancel", "expiry"])
def test_a_member_that_ended_in_settlement_still_withholds_the_others(market: Market, ended_by: str) -> None:
    long = NOW // 1_000_000 + 7_200
    first, second = join(market, 1), join(market, 2, valid_until=long)
    pledge(market, first, 4)
    if ended_by == "cancel":
        market.book.cancel(ALICE, [first], now_us=NOW)
    else:
        market.book.expire(NOW + 3_600_000_000)
    assert offered(market) == ([], [second])
    market.book.abort("d")
    assert offered(market) == ([second], [])
    assert (market.units(first), market.cash()) == ((0, 0, 0), 1_000)


def test_a_withheld_member_can_be_cancelled_and_an_immediate_one_keeps_its_round(market: Market) -> None:
    first, second, waiting = join(market, 1), join(market, 2), join(market, 3, immediate=True)
    market.book.cancel(ALICE, [waiting], now_us=NOW)
    pledge(market, first, 1)
    waiting = join(market, 4, immediate=True)
    market.book.begin_round([first])
    market.book.end_round()
    market.book.cancel(ALICE, [second], now_us=NOW)
    assert market.see(second).status is Status.CANCELLED
    market.book.abort("d")
    assert offered(market) == ([first, waiting], [])


def test_two_members_are_never_pledged_together(market: Market) -> None:
    first, second = join(market, 1), join(market, 2)
    market.book.begin_round([first, second])
    market.book.pledge("d", first, units=1, payment=0)
    with pytest.raises(BookError, match="group"):
        market.book.pledge("e", second, units=1, payment=0)
    market.book.end_round()


def test_what_a_member_takes_never_leaves_the_others_short(market: Market) -> None:
    """Balances 10,000; one for 6,000 and one for 9,000 in a group, 1,000 beside them: nothing is free."""
    first, _ = join(market, 1, 600), join(market, 2, 900)
    market.post(3)
    pledge(market, first, 7)
    assert market.cash() == 10_000
    market.give(-7 * 600)
    market.book.settle("d")
    assert market.cash() == 3 * 600 + 1_000
    assert market.balances[ALICE, "hub", USDC] - market.cash() == 3_000


def test_the_keeper_of_groups_forgets_nobody_and_nothing() -> None:
    groups, pot = Groups(), ("ann", "group 1")
    groups.note(pot, "a", active=True, settling=True)
    groups.note(pot, "b", active=True, settling=False)
    assert (groups.excludes(pot, "a"), groups.excludes(pot, "b")) == (False, True)
    assert groups.others(pot, "a") == ("b",)
    groups.note(pot, "a", active=False, settling=False)
    assert (groups.excludes(pot, "b"), groups.others(pot, "b")) == (False, ())
    groups.note_fill(pot, "a")
    groups.note_fill(pot, "b")
    assert (groups.filled_by(pot), groups.excludes(pot, "b")) == ("a", True)
