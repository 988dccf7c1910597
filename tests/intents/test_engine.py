"""The engine, event by event: on the small world, with numbers that can be checked by hand."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from chains.commit import DealState
from chains.ledger import owner_account, written_account
from chains.units import MICRO, USDC
from chains.venues import Flow
from intents.engine import DEPOSITS_MAX, Engine
from intents.errors import EngineError
from intents.events import (
    Advanced,
    AuctionCut,
    AuctionDecided,
    AuctionPublished,
    Deposited,
    Event,
    IntentPosted,
    IntentsCancelled,
    NoncesRevoked,
    Withheld,
)
from intents.lifecycle import Status
from intents.records import Records
from intents.refusals import Code, Refused
from solvers.arbitration import arbitrate
from solvers.auction import Rules
from solvers.outcome import Numbers
from solvers.reasons import OrderReason
from solvers.reference import with_reference
from tests.market_run import (
    ALICE,
    BOB,
    UNSIGNED,
    MarketRun,
    make_genesis,
    make_intent,
    owned,
    owned_by_the_record,
    small_run,
    state_of,
    violations,
)
from tests.worlds import CALL, LATER, PUT, START_US, make_spec, with_flow

NEED_CALLS = 2 * 7_000_000 + 50 + 2 * 5 + 100 + 10 + 2 * 500
"""Two calls at the hub's book: the price, the venue, the settlement of one leg and one fill, the protocol."""

NEED_PUT = -4_000_000 + 50 + 5 + 100 + 10 + 500
"""One put sold there: what its owner gets is the rest of its price."""

PUT_COLLATERAL = 1_000 * MICRO
"""0.01 BTC at 100,000 USD."""

WEALTH = 10_000 * MICRO
JUNE = "BTC-26JUN26"


@pytest.fixture
def run() -> MarketRun:
    return small_run()


def buy_calls(run: MarketRun, owner: str = ALICE, nonce: int = 1, **changes: Any) -> str:
    return run.post(make_intent(owner, nonce, {CALL: 1}, 8_000_000, **{"units": 2} | changes))


def units_of(run: MarketRun, intent: str) -> tuple[int, int, int]:
    entry = run.engine.book.get(intent)
    assert entry is not None
    return entry.open, entry.settling, entry.filled


def status_of(run: MarketRun, intent: str) -> Status:
    entry = run.engine.book.get(intent)
    assert entry is not None
    return entry.status


def test_a_fill_moves_exactly_what_was_decided(run: MarketRun) -> None:
    intent = buy_calls(run)
    outcome = run.round()
    assert [fill.payment for deal in outcome.deals for fill in deal.fills] == [NEED_CALLS]
    assert units_of(run, intent) == (0, 2, 0)
    assert run.engine.book.reserved(ALICE, "hub", USDC) == 2 * 8_000_000
    run.settle_all()
    assert units_of(run, intent) == (0, 0, 2)
    assert run.engine.book.reservations(ALICE) == {}
    assert run.engine.funds(ALICE, "hub", USDC) == WEALTH - NEED_CALLS
    assert run.engine.funds(ALICE, "hub", CALL) == 2
    assert owned(run) == owned_by_the_record(run)


def test_a_written_package_moves_with_its_collateral(run: MarketRun) -> None:
    run.post(make_intent(BOB, 1, {PUT: -1}, -3_900_000))
    run.round()
    run.settle_all()
    hub = run.engine.world.ledgers["hub"]
    assert hub.holdings(written_account(BOB, JUNE)) == {PUT: -1, USDC: PUT_COLLATERAL}
    assert hub.balance(owner_account(BOB), USDC) == WEALTH - PUT_COLLATERAL - NEED_PUT


def test_a_closing_sale_takes_the_free_lots_and_no_collateral(run: MarketRun) -> None:
    buy_calls(run)
    run.round()
    run.settle_all()
    run.post(make_intent(ALICE, 2, {CALL: -1}, -6_000_000))
    assert run.engine.book.reservations(ALICE) == {("hub", CALL): 1}
    run.round()
    run.settle_all()
    hub = run.engine.world.ledgers["hub"]
    assert hub.balance(owner_account(ALICE), CALL) == 1
    assert hub.holdings(written_account(ALICE, JUNE)) == {}


def test_units_in_settlement_are_not_offered_again(run: MarketRun) -> None:
    buy_calls(run, units=600)
    first = run.round()
    filled = sum(record.units for record in first.orders)
    second, _ = run.cut()
    assert 0 < filled < 600
    assert [order.units for order in second.orders] == [600 - filled]


def test_a_cancel_in_a_round_waits_for_its_end(run: MarketRun) -> None:
    intent = buy_calls(run, units=600)
    auction, house = run.cut()
    run.must(IntentsCancelled(at_us=run.now_us, owner=ALICE, intents=(intent,), signature=UNSIGNED))
    assert status_of(run, intent) is Status.CANCELLING
    outcome = run.decide(auction, run.compete(auction, house))
    filled = outcome.orders[0].units
    assert filled > 0
    assert units_of(run, intent) == (0, filled, 0)
    run.settle_all()
    assert units_of(run, intent) == (0, 0, filled)
    assert status_of(run, intent) is Status.CANCELLED
    assert run.engine.book.reservations(ALICE) == {}


def test_an_intent_that_ends_in_a_round_ends_after_it(run: MarketRun) -> None:
    intent = buy_calls(run, valid_until=START_US // MICRO + 1)
    auction, house = run.cut()
    outcome = run.decide(auction, run.compete(auction, house))
    assert [record.reason for record in outcome.orders] == [OrderReason.TOO_LATE]
    assert units_of(run, intent) == (0, 0, 0)
    assert status_of(run, intent) is Status.EXPIRED


def test_revoked_nonces_cancel_what_is_open_and_refuse_what_comes(run: MarketRun) -> None:
    low, high = buy_calls(run, nonce=1), buy_calls(run, nonce=2)
    run.must(NoncesRevoked(at_us=run.now_us, owner=ALICE, nonce=str(2), signature=UNSIGNED))
    assert (status_of(run, low), status_of(run, high)) == (Status.CANCELLED, Status.OPEN)
    answer = run.try_post(make_intent(ALICE, 0, {CALL: 1}, 8_000_000))
    assert isinstance(answer, Refused)
    assert answer.code is Code.NONCE_REVOKED


def test_a_round_that_is_never_decided_is_replaced(run: MarketRun) -> None:
    intent = buy_calls(run)
    lost, house = run.cut()
    submissions = run.compete(lost, house)
    run.advance(10 * MICRO)
    again, house = run.cut()
    assert [order.intent for order in again.orders] == [intent]
    assert again.auction != lost.auction
    late = AuctionDecided(
        at_us=run.now_us, auction=lost.auction, submissions=submissions, outcome=arbitrate(lost, submissions)
    )
    with pytest.raises(EngineError, match="is not the running round"):
        run.handle(late)
    run.decide(again, run.compete(again, house))
    assert units_of(run, intent) == (0, 2, 0)


def test_a_round_that_is_cut_and_never_published_is_replaced(run: MarketRun) -> None:
    intent = buy_calls(run)
    run.must(AuctionCut(at_us=run.now_us, auction="auction-000001"))
    auction, _ = run.cut()
    assert auction.auction == "auction-000002"
    assert [order.intent for order in auction.orders] == [intent]


def test_an_aborted_deal_gives_the_units_back(run: MarketRun) -> None:
    intent = buy_calls(run)
    auction, house = run.cut()
    run.decide(auction, run.compete(auction, house), late_us=60 * MICRO)
    run.settle_all()
    assert {record.state for record in run.engine.world.deals.values()} == {DealState.CLOSED}
    assert units_of(run, intent) == (2, 0, 0)
    assert run.engine.funds(ALICE, "hub", USDC) == WEALTH
    run.round()
    assert units_of(run, intent) == (0, 2, 0)


def test_an_aborted_deal_over_chains_gives_everything_back() -> None:
    away = make_spec()
    books = tuple(book for book in away.venues if book.chain == "east")
    run = small_run(spec=replace(away, venues=books))
    intent = buy_calls(run)
    before = run.engine.world.snapshot()
    auction, house = run.cut()
    outcome = run.decide(auction, run.compete(auction, house), late_us=60 * MICRO)
    assert [deal.chains for deal in outcome.deals] == [("east", "hub")]
    run.settle_all()
    after = run.engine.world.snapshot()
    assert units_of(run, intent) == (2, 0, 0)
    assert (after.offers, after.bridges) == (before.offers, before.bridges)
    assert owned(run) == owned_by_the_record(run)


def test_a_deal_whose_lots_others_took_aborts_and_its_reason_is_kept() -> None:
    taking = Flow(mean_gap_us=1_000, lots_max=200, restore_bps=0)
    run = small_run(spec=with_flow(make_spec(), taking))
    intent = buy_calls(run, units=10)
    run.round()
    assert units_of(run, intent) == (0, 10, 0)
    run.settle_all()
    (record,) = run.engine.world.deals.values()
    assert (record.state, "has no 10 free lots" in record.failure) == (DealState.CLOSED, True)
    assert units_of(run, intent) == (10, 0, 0)
    assert owned(run) == owned_by_the_record(run)


def test_an_immediate_order_takes_part_once_whatever_becomes_of_its_deal(run: MarketRun) -> None:
    intent = buy_calls(run, immediate=True)
    auction, house = run.cut()
    run.decide(auction, run.compete(auction, house), late_us=60 * MICRO)
    run.settle_all()
    assert units_of(run, intent) == (0, 0, 0)
    assert run.engine.book.reservations(ALICE) == {}
    assert not run.cut()[0].orders


def test_the_same_intent_again_is_no_second_one(run: MarketRun) -> None:
    intent = buy_calls(run)
    before = state_of(run.engine)
    assert buy_calls(run) == intent
    assert state_of(run.engine) == before


def test_equal_events_give_equal_engines(run: MarketRun) -> None:
    buy_calls(run)
    run.post(make_intent(BOB, 1, {PUT: -1}, -3_900_000))
    run.round()
    run.advance(3 * MICRO)
    twin = MarketRun(run.events[0])  # type: ignore[arg-type]
    for event in run.events[1:]:
        assert twin.handle(event) is None
    assert state_of(twin.engine) == state_of(run.engine)


def test_it_does_not_matter_in_which_steps_time_passes(run: MarketRun) -> None:
    other = small_run()
    for each in (run, other):
        buy_calls(each, valid_until=START_US // MICRO + 20)
        each.round()
    run.advance(30 * MICRO)
    for _ in range(30):
        other.advance(MICRO)
    assert state_of(run.engine) == state_of(other.engine)


MakeEvent = Callable[[MarketRun], Event]


def deposit(**changes: Any) -> MakeEvent:
    terms: dict[str, Any] = {"owner": ALICE, "chain": "hub", "asset": USDC, "amount": 5}
    return lambda run: Deposited(at_us=run.now_us + 1, **terms | changes)


def post(nonce: int = 9, legs: dict[str, int] | None = None, limit: int = 1, **changes: Any) -> MakeEvent:
    intent = make_intent(ALICE, nonce, legs or {CALL: 1}, limit, **changes)
    return lambda run: IntentPosted(
        at_us=run.now_us + 1, id="0x" + "cd" * 32, intent=intent, signature=UNSIGNED
    )


def cancel(owner: str, *others: str) -> MakeEvent:
    def make_event(run: MarketRun) -> Event:
        known = next(run.engine.book.intents()).id
        return IntentsCancelled(
            at_us=run.now_us + 1, owner=owner, intents=(known, *others), signature=UNSIGNED
        )

    return make_event


REFUSED: dict[str, tuple[MakeEvent, Code]] = {
    "deposit, chain": (deposit(chain="moon"), Code.UNKNOWN_CHAIN),
    "deposit, series": (deposit(asset=CALL), Code.UNKNOWN_ASSET),
    "deposit, asset": (deposit(asset="DOGE"), Code.UNKNOWN_ASSET),
    "deposit, faucet": (deposit(amount=10**13 + 1), Code.FAUCET_LIMIT),
    "post, chain": (post(chain="moon"), Code.UNKNOWN_CHAIN),
    "post, series": (post(legs={"BTC-26JUN26-1-C": 1}), Code.UNKNOWN_SERIES),
    "post, expired": (post(valid_until=START_US // MICRO), Code.EXPIRED),
    "post, funds": (post(limit=WEALTH + 1), Code.UNCOLLATERALISED),
    "post, calls short": (post(legs={CALL: -1_000}), Code.UNCOLLATERALISED),
    "post, nonce": (post(nonce=1), Code.NONCE_REUSED),
    "cancel, nobody's": (cancel(ALICE, "0x" + "00" * 32), Code.UNKNOWN_INTENT),
    "cancel, another's": (cancel(BOB), Code.NOT_OWNER),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_event_changes_nothing(run: MarketRun, case: str) -> None:
    buy_calls(run)
    before = state_of(run.engine)
    make_event, code = REFUSED[case]
    answer = run.handle(make_event(run))
    assert isinstance(answer, Refused)
    assert answer.code is code
    assert state_of(run.engine) == before


def test_all_deposits_together_stay_within_half_the_wire() -> None:
    run = MarketRun(make_genesis(make_spec(), at_us=START_US, faucet_max=DEPOSITS_MAX))
    run.deposit(ALICE, "hub", USDC, DEPOSITS_MAX - 5)
    one_more = Deposited(at_us=START_US, owner=BOB, chain="hub", asset=USDC, amount=6)
    answer = run.handle(one_more)
    assert isinstance(answer, Refused)
    assert answer.code is Code.FAUCET_LIMIT
    run.must(replace(one_more, amount=5))
    run.must(replace(one_more, chain="east"))
    run.must(replace(one_more, asset="ETH", amount=DEPOSITS_MAX))
    assert isinstance(run.handle(replace(one_more, asset="ETH", amount=1)), Refused)


def test_coins_count_for_what_they_may_be_sold_for() -> None:
    """The highest forward is 102,000 USD: 1e-8 coins are worth 1,020 micro-USDC and fill the chain sooner."""
    run = MarketRun(make_genesis(make_spec(), at_us=START_US, faucet_max=DEPOSITS_MAX))
    most = (DEPOSITS_MAX - 7_000) // 1_020
    run.deposit(ALICE, "hub", USDC, 7_000)
    coins = Deposited(at_us=START_US, owner=BOB, chain="hub", asset="BTC", amount=most + 1)
    answer = run.handle(coins)
    assert isinstance(answer, Refused)
    assert answer.code is Code.FAUCET_LIMIT
    run.must(replace(coins, amount=most))
    assert isinstance(run.handle(replace(coins, asset=USDC, amount=1_020)), Refused)
    run.must(replace(coins, chain="east"))


def test_a_closed_faucet_gives_nothing() -> None:
    run = MarketRun(make_genesis(make_spec(), at_us=START_US, faucet_max=0))
    answer = run.handle(Deposited(at_us=START_US, owner=ALICE, chain="hub", asset=USDC, amount=1))
    assert isinstance(answer, Refused)
    assert answer.code is Code.FAUCET_LIMIT


def _publish(run: MarketRun, **changes: Any) -> AuctionPublished:
    auction, _ = with_reference(run.engine.auction())
    others = {
        "not_selected": changes.pop("not_selected", run.engine.not_selected),
        "withheld": changes.pop("withheld", run.engine.withheld),
    }
    return AuctionPublished(at_us=run.now_us, auction=replace(auction, **changes), **others)


def _decide(run: MarketRun, **changes: Any) -> AuctionDecided:
    auction = run.engine.running or with_reference(run.engine.auction())[0]
    decided = AuctionDecided(
        at_us=auction.prepare_us, auction=auction.auction, submissions=(), outcome=arbitrate(auction, ())
    )
    return replace(decided, **changes)


CUT_ONLY: dict[str, tuple[str, MakeEvent]] = {
    "another id": ("not the round that was cut", lambda run: _publish(run, auction="auction-7")),
    "another order": ("another content", lambda run: _publish(run, orders=())),
    "another rule": ("another content", lambda run: _publish(run, rules=Rules(fee_per_lot=0))),
    "others left out": ("other orders left out", lambda run: _publish(run, not_selected=("0x1",))),
    "too early": ("not the running round", _decide),
    "another cut": ("the next auction is", lambda run: AuctionCut(at_us=run.now_us, auction="auction-9")),
    "back in time": ("comes before", lambda run: Advanced(at_us=run.now_us - 1)),
    "founded again": ("cannot handle Genesis", lambda run: run.events[0]),
}


@pytest.mark.parametrize("case", CUT_ONLY)
def test_an_event_that_does_not_belong_is_an_error_and_changes_nothing(run: MarketRun, case: str) -> None:
    buy_calls(run)
    run.must(AuctionCut(at_us=run.now_us, auction=run.engine.next_auction_id))
    before = state_of(run.engine)
    message, make_event = CUT_ONLY[case]
    with pytest.raises(EngineError, match=message):
        run.handle(make_event(run))
    assert state_of(run.engine) == before
    run.must(_publish(run))


@pytest.mark.parametrize(
    ("message", "changes"),
    [
        ("not the running round", {"auction": "auction-9"}),
        ("0 submissions have 1 records", {"submissions": ()}),
        ("that of another auction", {"outcome": "other"}),
    ],
)
def test_an_outcome_that_does_not_belong_is_an_error_and_changes_nothing(
    run: MarketRun, message: str, changes: dict[str, Any]
) -> None:
    buy_calls(run)
    auction, house = run.cut()
    submissions = run.compete(auction, house)[:1]
    outcome = arbitrate(auction, submissions)
    if "outcome" in changes:
        changes = {"outcome": replace(outcome, content_hash="0" * 64)}
    before = state_of(run.engine)
    decided = AuctionDecided(
        at_us=auction.prepare_us, auction=auction.auction, submissions=submissions, outcome=outcome
    )
    with pytest.raises(EngineError, match=message):
        run.handle(replace(decided, **changes))
    assert state_of(run.engine) == before


def test_there_is_no_auction_without_a_cut(run: MarketRun) -> None:
    with pytest.raises(EngineError, match="no round is cut"):
        run.engine.auction()
    run.cut()
    with pytest.raises(EngineError, match="no round is cut"):
        run.engine.auction()


def test_deals_that_contend_for_nothing_run_side_by_side(run: MarketRun) -> None:
    buy_calls(run, ALICE)
    run.post(make_intent(BOB, 1, {LATER: -1}, -8_000_000))
    run.round()
    buy_calls(run, BOB, nonce=2)
    run.round()
    assert len(run.engine.world.deals) == 3
    assert not violations(run)
    run.settle_all()
    assert owned(run) == owned_by_the_record(run)


def test_an_engine_starts_where_its_genesis_says() -> None:
    genesis = make_genesis(make_spec(), at_us=START_US)
    engine = Engine(genesis)
    assert (engine.now_us, engine.round_number, engine.running) == (START_US, 0, None)
    assert engine.next_auction_id == "auction-000001"


GROUP = "0x" + "01" * 32


def test_of_a_group_one_member_is_filled_and_the_others_are_withheld_then_cancelled(run: MarketRun) -> None:
    """Calls or puts, one of the two: whichever is filled first ends the other."""
    calls = buy_calls(run, group=GROUP, units=600)
    puts = run.post(make_intent(ALICE, 2, {PUT: 1}, 5_500_000, group=GROUP))
    auction, house = run.cut()
    assert [order.group for order in auction.orders] == [GROUP, GROUP]
    outcome = run.decide(auction, run.compete(auction, house))
    (fill,) = [fill for deal in outcome.deals for fill in deal.fills]
    assert fill.intent == calls
    again, _ = run.cut()
    assert [order.intent for order in again.orders] == [calls]
    numbers = Numbers(where=calls, found=fill.units, allowed=0)
    assert run.engine.withheld == (Withheld(intent=puts, reason="withheld", numbers=numbers),)
    late = run.try_post(make_intent(ALICE, 3, {PUT: 1}, 5_500_000, group=GROUP))
    assert isinstance(late, str), "nothing has settled yet"
    run.settle_all()
    assert [status_of(run, each) for each in (puts, late)] == [Status.CANCELLED] * 2
    refused = run.try_post(make_intent(ALICE, 4, {PUT: 1}, 5_500_000, group=GROUP))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == (Code.GROUP_FILLED, "group")
    assert not violations(run)


def test_a_withheld_member_returns_when_the_deal_is_aborted(run: MarketRun) -> None:
    calls = buy_calls(run, group=GROUP)
    puts = run.post(make_intent(ALICE, 2, {PUT: 1}, 5_500_000, group=GROUP))
    auction, house = run.cut()
    run.decide(auction, run.compete(auction, house), late_us=60 * MICRO)
    run.settle_all()
    again, _ = run.cut()
    assert [order.intent for order in again.orders] == [calls, puts]
    assert run.engine.withheld == ()


def test_who_was_withheld_is_published_and_remembered(run: MarketRun) -> None:
    buy_calls(run, group=GROUP, units=600)
    puts = run.post(make_intent(ALICE, 2, {PUT: 1}, 5_500_000, group=GROUP))
    run.round()
    run.must(AuctionCut(at_us=run.now_us, auction=run.engine.next_auction_id))
    before = state_of(run.engine)
    with pytest.raises(EngineError, match="other orders withheld"):
        run.handle(_publish(run, withheld=()))
    assert state_of(run.engine) == before
    published = _publish(run)
    assert [each.intent for each in published.withheld] == [puts]
    records = Records()
    records.apply(published)
    (left_out,) = records.rounds_of(puts)
    assert (left_out.reason, left_out.units) == ("withheld", 0)
    assert left_out.detail.endswith(
        f"{published.withheld[0].numbers.where}, which is of the same group, are in settlement"
    )
    run.must(published)


def test_a_reduce_only_sale_that_is_not_covered_is_told_by_how_much(run: MarketRun) -> None:
    buy_calls(run, units=2)
    run.round()
    run.settle_all()
    sale = make_intent(ALICE, 2, {CALL: -1}, -1_000_000, units=5, min_units=4, reduce_only=True)
    closing = run.post(sale)
    run.cut()
    numbers = Numbers(where=closing, found=2, allowed=4)
    assert run.engine.withheld == (Withheld(intent=closing, reason="not_covered", numbers=numbers),)


def test_a_reduce_only_sale_grows_with_what_its_owner_buys(run: MarketRun) -> None:
    buy_calls(run, units=2)
    run.round()
    run.settle_all()
    closing = run.post(make_intent(ALICE, 2, {CALL: -1}, -1_000_000, units=5, reduce_only=True))
    assert run.engine.book.reservations(ALICE) == {("hub", CALL): 2}
    buy_calls(run, nonce=3, units=2)
    auction, house = run.cut()
    assert {order.intent: order.units for order in auction.orders}[closing] == 2
    run.decide(auction, run.compete(auction, house))
    run.settle_all()
    auction, _ = run.cut()
    held = run.engine.funds(ALICE, "hub", CALL)
    assert {order.intent: order.units for order in auction.orders}[closing] == min(
        held, 5 - units_of(run, closing)[2]
    )
    assert run.engine.world.ledgers["hub"].holdings(written_account(ALICE, JUNE)) == {}
    assert not violations(run)
