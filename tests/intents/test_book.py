"""The laws of the book, one by one."""

from itertools import product

import pytest

from chains.series import parse_series
from chains.units import MICRO, USDC, WIRE_MAX
from intents import lifecycle
from intents.book import BookIntent
from intents.errors import BookError
from intents.lifecycle import TRANSITIONS, Input, State, Status, next_state
from intents.refusals import Code, Refused
from tests.books import ALICE, BOB, CALL, MAY, NOW, NOW_S, PUT, PUT_COLLATERAL, Market, make_intent, refusal


@pytest.fixture
def market() -> Market:
    made = Market()
    made.give(10_000)
    return made


def test_an_admitted_intent_reserves_its_worst(market: Market) -> None:
    id_ = market.post(1)
    assert market.cash() == 1_000
    assert market.see(id_).status is Status.OPEN
    assert market.book.reservations(ALICE) == {("hub", USDC): 1_000}
    assert [entry.id for entry in market.book.waiting_orders(NOW)[0]] == [id_]


def test_free_is_what_other_intents_have_left(market: Market) -> None:
    market.post(1, units=60)
    refused = market.try_post(2, units=41)
    assert refusal(refused) == (Code.UNCOLLATERALISED, "intent")
    assert isinstance(refused, Refused)
    assert refused.value == {"asset": USDC, "needed": 4_100, "available": 4_000}
    assert market.cash() == 6_000
    assert market.book.get("a2") is None
    market.post(3, units=40)


def test_funds_elsewhere_do_not_count(market: Market) -> None:
    assert refusal(market.try_post(1, chain="east"))[0] is Code.UNCOLLATERALISED
    assert refusal(market.try_post(1, owner=BOB))[0] is Code.UNCOLLATERALISED


def test_a_requirement_beyond_counting_is_out_of_range(market: Market) -> None:
    market.give(WIRE_MAX)
    far = market.try_post(1, legs={"BTC-26JUN26-9000000-P": -100_000_000}, units=10, limit=-1)
    assert refusal(far) == (Code.OUT_OF_RANGE, "units")


def test_the_same_intent_again_is_the_first_answer(market: Market) -> None:
    first = market.try_post(1)
    assert market.try_post(1) is first
    market.book.cancel(ALICE, ["a1"], now_us=NOW)
    assert market.try_post(1) is market.book.get("a1")
    assert market.cash() == 0


def test_a_nonce_belongs_to_one_intent_for_ever(market: Market) -> None:
    market.post(1)
    market.book.cancel(ALICE, ["a1"], now_us=NOW)
    answer = market.book.admit("other", make_intent(nonce=1), now_us=NOW, funds=lambda *_: 10**9)
    assert refusal(answer) == (Code.NONCE_REUSED, "nonce")
    market.give(1_000, owner=BOB)
    market.post(1, owner=BOB)


def test_a_revoked_nonce_never_comes_back(market: Market) -> None:
    market.post(4)
    market.post(5)
    cancelled = market.book.cancel_below(ALICE, 5, now_us=NOW)
    assert [entry.id for entry in cancelled] == ["a4"]
    assert refusal(market.try_post(3)) == (Code.NONCE_REVOKED, "nonce")
    market.book.cancel_below(ALICE, 2, now_us=NOW)
    assert refusal(market.try_post(3)) == (Code.NONCE_REVOKED, "nonce")
    market.post(6)
    market.book.cancel_below(ALICE, 2**256 - 1, now_us=NOW)
    assert market.cash() == 0
    assert refusal(market.try_post(WIRE_MAX)) == (Code.NONCE_REVOKED, "nonce")


def test_an_owner_may_have_so_many_intents_and_no_more() -> None:
    market = Market(open_max=2)
    market.give(10_000)
    market.give(10_000, owner=BOB)
    market.post(1)
    market.post(2)
    assert refusal(market.try_post(3)) == (Code.TOO_MANY_OPEN, "owner")
    market.post(3, owner=BOB)
    market.book.cancel(ALICE, ["a1"], now_us=NOW)
    market.post(3)


def test_a_sold_leg_closes_only_what_is_free_in_full(market: Market) -> None:
    market.give(10, CALL)
    closing = market.post(1, legs={CALL: -1}, units=6, limit=-1)
    assert market.see(closing).requirement.closing_series == {CALL}
    assert market.book.reserved(ALICE, "hub", CALL) == 6
    writing = market.try_post(2, legs={CALL: -1}, units=5, limit=-1)
    assert refusal(writing)[0] is Code.UNCOLLATERALISED
    market.give(5_000_000, "BTC")
    assert market.see(market.post(3, legs={CALL: -1}, units=5, limit=-1)).requirement.closing == ()
    assert market.book.reservations(ALICE) == {("hub", "BTC"): 5_000_000, ("hub", CALL): 6}
    assert market.see(market.post(4, legs={CALL: -1}, units=4, limit=-1)).requirement.closing == ((CALL, 1),)


def test_a_cancel_releases_what_is_open(market: Market) -> None:
    id_ = market.post(1)
    (entry,) = cancelled(market.book.cancel(ALICE, [id_, id_], now_us=NOW + 7))
    assert (entry.status, entry.cancelled_us, market.cash()) == (Status.CANCELLED, NOW + 7, 0)
    (again,) = cancelled(market.book.cancel(ALICE, [id_], now_us=NOW + 8))
    assert again == entry
    assert market.book.waiting_orders(NOW)[0] == []


def cancelled(answer: Refused | tuple[BookIntent, ...]) -> tuple[BookIntent, ...]:
    assert not isinstance(answer, Refused), answer
    return answer


def test_a_cancel_takes_all_or_nothing(market: Market) -> None:
    market.give(10_000, owner=BOB)
    mine, other = market.post(1), market.post(1, owner=BOB)
    assert refusal(market.book.cancel(ALICE, [mine, other], now_us=NOW)) == (Code.NOT_OWNER, "intents[1]")
    assert refusal(market.book.cancel(ALICE, [mine, "x"], now_us=NOW)) == (Code.UNKNOWN_INTENT, "intents[1]")
    assert market.see(mine).status is market.see(other).status is Status.OPEN


def test_a_round_that_was_never_decided_spends_no_immediate_order(market: Market) -> None:
    staying, leaving = market.post(1, immediate=True), market.post(2, immediate=True)
    market.book.begin_round([staying, leaving])
    market.book.cancel(ALICE, [leaving], now_us=NOW)
    market.book.void_round()
    assert market.see(staying).status is Status.OPEN
    assert market.see(leaving).status is Status.CANCELLED
    market.book.begin_round([staying])
    market.book.end_round()
    assert market.see(staying).status is Status.CANCELLED


def settle_round(market: Market, *ids: str, units: int, deal: str = "d") -> None:
    market.book.begin_round(ids)
    for id_ in ids:
        market.book.pledge(deal, id_, units=units, payment=min(0, market.see(id_).intent.limit) * units)
    market.book.end_round()


def test_fills_shrink_the_reservation_when_they_settle(market: Market) -> None:
    id_ = market.post(1)
    market.book.begin_round([id_])
    market.book.pledge("d", id_, units=4, payment=390)
    market.book.end_round()
    assert (market.units(id_), market.cash()) == ((6, 4, 0), 1_000)
    assert [entry.open for entry in market.book.waiting_orders(NOW)[0]] == [6]
    (entry,) = market.book.settle("d")
    assert (market.units(id_), market.cash()) == ((6, 0, 4), 600)
    assert [(fill.deal, fill.units, fill.payment) for fill in entry.fills] == [("d", 4, 390)]
    settle_round(market, id_, units=6, deal="e")
    assert market.see(id_).status is Status.SETTLING
    assert market.book.waiting_orders(NOW)[0] == []
    market.book.settle("e")
    assert (market.see(id_).status, market.see(id_).payment, market.cash()) == (Status.FILLED, 390, 0)


def test_an_abort_returns_the_units(market: Market) -> None:
    id_ = market.post(1)
    settle_round(market, id_, units=10)
    market.book.abort("d")
    assert (market.units(id_), market.cash(), market.see(id_).status) == ((10, 0, 0), 1_000, Status.OPEN)


def test_a_deal_ends_once(market: Market) -> None:
    id_ = market.post(1)
    settle_round(market, id_, units=10)
    market.book.settle("d")
    for end in (market.book.settle, market.book.abort):
        with pytest.raises(BookError):
            end("d")


def test_a_cancel_in_a_round_waits_for_its_end(market: Market) -> None:
    id_ = market.post(1)
    market.book.begin_round([id_])
    market.book.cancel(ALICE, [id_], now_us=NOW)
    assert (market.see(id_).status, market.cash()) == (Status.CANCELLING, 1_000)
    market.book.pledge("d", id_, units=4, payment=0)
    market.book.end_round()
    assert (market.units(id_), market.cash(), market.see(id_).status) == ((0, 4, 0), 400, Status.SETTLING)
    market.book.settle("d")
    assert (market.units(id_), market.cash(), market.see(id_).status) == ((0, 0, 4), 0, Status.CANCELLED)


def test_an_expiry_in_a_round_waits_for_its_end(market: Market) -> None:
    id_ = market.post(1)
    market.book.begin_round([id_])
    end = (NOW_S + 3_600) * MICRO
    assert market.book.expire(end - 1) == ()
    market.book.expire(end)
    market.book.pledge("d", id_, units=4, payment=0)
    market.book.end_round()
    assert market.units(id_) == (0, 4, 0)
    market.book.abort("d")
    assert (market.units(id_), market.cash(), market.see(id_).status) == ((0, 0, 0), 0, Status.EXPIRED)


@pytest.mark.parametrize("ended_by", ["cancel", "expiry"])
def test_units_of_an_ended_intent_finish_but_do_not_return(market: Market, ended_by: str) -> None:
    id_ = market.post(1)
    settle_round(market, id_, units=3, deal="first")
    settle_round(market, id_, units=4, deal="second")
    if ended_by == "cancel":
        market.book.cancel(ALICE, [id_], now_us=NOW)
    else:
        market.book.expire(10**18)
    assert (market.units(id_), market.cash()) == ((0, 7, 0), 700)
    market.book.settle("first")
    market.book.abort("second")
    assert (market.units(id_), market.cash()) == ((0, 0, 3), 0)
    assert market.see(id_).status is (Status.CANCELLED if ended_by == "cancel" else Status.EXPIRED)


def test_an_immediate_order_is_in_one_round_only(market: Market) -> None:
    unfilled, part = market.post(1, immediate=True), market.post(2, immediate=True)
    market.book.begin_round([unfilled, part])
    market.book.pledge("d", part, units=4, payment=0)
    market.book.end_round()
    assert (market.see(unfilled).status, market.units(unfilled)) == (Status.CANCELLED, (0, 0, 0))
    assert (market.see(part).status, market.units(part)) == (Status.SETTLING, (0, 4, 0))
    market.book.abort("d")
    assert (market.see(part).status, market.units(part)) == (Status.CANCELLED, (0, 0, 0))
    assert market.cash() == 0


def test_an_immediate_order_that_was_left_out_waits_for_its_round(market: Market) -> None:
    id_ = market.post(1, immediate=True)
    market.book.begin_round([])
    market.book.end_round()
    assert [entry.id for entry in market.book.waiting_orders(NOW)[0]] == [id_]


def test_an_intent_that_arrives_in_a_round_waits_for_the_next(market: Market) -> None:
    first = market.post(1)
    market.book.begin_round([first])
    second = market.post(2)
    with pytest.raises(BookError):
        market.book.pledge("d", second, units=1, payment=0)
    market.book.end_round()
    assert [entry.id for entry in market.book.waiting_orders(NOW)[0]] == [first, second]


def test_an_intent_ends_with_its_first_leg(market: Market) -> None:
    id_ = market.post(1, legs={CALL: 1, MAY: 1}, valid_until=NOW_S + 2_592_000)
    end = parse_series(MAY).expiry_us
    assert [entry.id for entry in market.book.waiting_orders(end - 1)[0]] == [id_]
    assert market.book.waiting_orders(end)[0] == []
    assert [entry.id for entry in market.book.expire(end)] == [id_]
    assert market.see(id_).status is Status.EXPIRED


def test_collateral_stays_reserved_while_it_settles(market: Market) -> None:
    market.give(10 * PUT_COLLATERAL)
    id_ = market.post(1, legs={PUT: -1}, limit=-5)
    settle_round(market, id_, units=10)
    market.book.expire(10**18)
    assert market.cash() == 10 * PUT_COLLATERAL
    market.book.settle("d")
    assert market.book.reservations(ALICE) == {}


@pytest.mark.parametrize("units", [0, -1, 11])
def test_only_open_units_can_be_pledged(market: Market, units: int) -> None:
    id_ = market.post(1)
    market.book.begin_round([id_])
    with pytest.raises(BookError):
        market.book.pledge("d", id_, units=units, payment=0)
    assert market.units(id_) == (10, 0, 0)


def test_a_pledge_never_pays_above_the_limit(market: Market) -> None:
    id_ = market.post(1)
    market.book.begin_round([id_])
    with pytest.raises(BookError):
        market.book.pledge("d", id_, units=2, payment=201)
    market.book.pledge("d", id_, units=2, payment=200)
    with pytest.raises(BookError):
        market.book.pledge("d", id_, units=2, payment=200)


def test_rounds_do_not_overlap(market: Market) -> None:
    id_ = market.post(1)
    with pytest.raises(BookError):
        market.book.end_round()
    with pytest.raises(BookError):
        market.book.begin_round([id_, "unknown"])
    market.book.begin_round([id_])
    with pytest.raises(BookError):
        market.book.begin_round([])


def test_the_documented_table_is_the_table() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (lifecycle.__doc__ or "").splitlines()
        if line.startswith("|") and "-----" not in line
    ]
    documented = {
        (State(row[0]), Input(event)): State(cell)
        for row in rows[1:]
        for event, cell in zip(rows[0][1:], row[1:], strict=True)
        if cell
    }
    assert documented == TRANSITIONS
    assert {row[0] for row in rows[1:]} == set(State)
    for state, event in product(State, Input):
        if (state, event) not in TRANSITIONS:
            with pytest.raises(BookError):
                next_state(state, event)
