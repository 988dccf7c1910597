"""Expiry as owners live it: pay-outs, collateral that returns, and intents that are in the way.

The small world: June expires at a forward of 100,500 USD, so a lot of its call at 100,000 pays 5 USDC and
of its put nothing.
"""

import pytest
from msgspec.structs import replace

from chains.commit import DealState, LegState
from chains.ledger import RESERVE, owner_account, written_account
from chains.units import COIN, MICRO, USDC
from intents.api.accounts import show_account
from intents.lifecycle import Status
from intents.schemas import AccountView
from tests.market_run import ALICE, BOB, MarketRun, make_intent, small_run, state_of, violations
from tests.worlds import CALL, JUNE_US, PUT, make_book, make_spec

WEALTH = 10_000 * MICRO
JUNE_S = JUNE_US // MICRO


def market() -> MarketRun:
    """The small world with one book that buys calls and puts at 0.9 USDC and sells them at 1."""
    levels = [
        (name, side, price, 99) for name in (CALL, PUT) for side, price in (("sell", MICRO), ("buy", 900_000))
    ]
    return small_run(spec=replace(make_spec(), venues=(make_book("hub", levels),)))


def at_expiry(run: MarketRun, *, minus_us: int = 0) -> None:
    run.advance(JUNE_US - minus_us - run.now_us)


def trade(run: MarketRun, series: str, lots: int) -> None:
    """Alice buys so many lots from the book, and Bob writes as many to it."""
    nonce, until = len(list(run.engine.book.intents())), run.now_us // MICRO + 3_600
    run.post(make_intent(ALICE, nonce, {series: 1}, 2 * MICRO, units=lots, valid_until=until))
    run.post(make_intent(BOB, nonce, {series: -1}, -MICRO // 2, units=lots, valid_until=until))
    run.round()
    run.settle_all()


def seen(run: MarketRun, owner: str) -> AccountView:
    return show_account(run.engine, owner)


def balances(run: MarketRun, owner: str) -> dict[str, tuple[int, int]]:
    """(balance, reserved) on the hub, by asset."""
    (hub,) = seen(run, owner).chains
    assert all(each.free == each.balance - each.reserved >= 0 for each in hub.balances)
    return {each.asset: (each.balance, each.reserved) for each in hub.balances}


def test_a_long_is_paid_and_a_covered_call_delivers_coins() -> None:
    """Three lots at 5 USDC; a 1e-8 coin brings 1,005 micro-USDC, so 14,926 of 3,000,000 are delivered."""
    run = market()
    trade(run, CALL, 3)
    before = balances(run, ALICE)[USDC][0], balances(run, BOB)[USDC][0]
    at_expiry(run, minus_us=1)
    (hub,) = seen(run, BOB).chains
    assert [(part.maturity, part.positions[0].amount, part.collateral[0].amount) for part in hub.written] == [
        ("BTC-26JUN26", -3, 3 * COIN // 100)
    ]
    at_expiry(run)
    assert balances(run, ALICE) == {"BTC": (COIN, 0), USDC: (before[0] + 15 * MICRO, 0)}
    assert balances(run, BOB) == {"BTC": (COIN - 14_926, 0), USDC: (before[1], 0)}
    assert seen(run, BOB).chains[0].written == []
    assert 14_926 * 1_005 - 15 * MICRO == 630
    assert run.engine.world.ledgers["hub"].balance(RESERVE, USDC) >= 630
    assert not violations(run)


def test_collateral_that_nothing_was_owed_on_returns_whole() -> None:
    run = market()
    trade(run, PUT, 1)
    cash = balances(run, BOB)[USDC][0]
    assert run.engine.world.ledgers["hub"].balance(written_account(BOB, "BTC-26JUN26"), USDC) == 1_000 * MICRO
    at_expiry(run)
    assert balances(run, BOB) == {"BTC": (COIN, 0), USDC: (cash + 1_000 * MICRO, 0)}
    assert PUT not in balances(run, ALICE)


def test_what_returns_backs_new_intents_at_once() -> None:
    run = market()
    trade(run, PUT, 9)
    june = make_intent(BOB, 90, {"BTC-25SEP26-110000-C": 1}, 2_000 * MICRO, valid_until=JUNE_S + 3_600)
    assert not isinstance(run.try_post(june), str)
    at_expiry(run)
    run.post(june)


def test_an_intent_that_would_close_what_expires_in_its_round_is_short_of_nothing() -> None:
    run = market()
    trade(run, CALL, 3)
    at_expiry(run, minus_us=MICRO)
    closing = run.post(make_intent(ALICE, 9, {CALL: -1}, -MICRO, units=3, valid_until=JUNE_S + 60))
    auction, house = run.cut()
    at_expiry(run)
    assert run.engine.book.reservations(ALICE) == {("hub", CALL): 3}
    assert CALL not in balances(run, ALICE)
    assert not violations(run)
    run.decide(auction, run.compete(auction, house))
    entry = run.engine.book.get(closing)
    assert entry is not None
    assert entry.status is Status.EXPIRED
    assert run.engine.book.reservations(ALICE) == {}


@pytest.mark.parametrize("away", [False, True])
def test_a_deal_that_is_decided_after_the_expiry_is_refunded(away: bool) -> None:
    """A round cut in good time, whose market slept over the expiry: its deal locks nothing any more."""
    chain = "east" if away else "hub"
    run = small_run(spec=replace(make_spec(), venues=(make_book(chain, [(CALL, "sell", MICRO, 9)]),)))
    at_expiry(run, minus_us=300 * MICRO)
    intent = run.post(make_intent(ALICE, 1, {CALL: 1}, 8 * MICRO, units=2, valid_until=JUNE_S + 60))
    auction, house = run.cut()
    submissions = run.compete(auction, house)
    at_expiry(run, minus_us=-30 * MICRO)
    run.decide(auction, submissions)
    (record,) = run.engine.world.deals.values()
    assert not violations(run)
    run.settle_all()
    assert record.state is DealState.CLOSED
    assert {leg.state for leg in record.legs.values()} <= {LegState.REFUSED, LegState.TOMBSTONE}
    entry = run.engine.book.get(intent)
    assert entry is not None
    assert (entry.status, entry.filled) == (Status.EXPIRED, 0)
    assert balances(run, ALICE)[USDC] == (WEALTH, 0)
    assert not violations(run)


def test_a_deal_that_is_still_closing_its_books_at_the_expiry_is_paid_like_any_other() -> None:
    """East is final after 100 s: the legs end in time, and the hub has their word long after the expiry."""
    spec = make_spec(venues=(make_book("east", [(CALL, "sell", MICRO, 9)]),))
    chains = tuple(
        replace(chain, finality_us=100 * MICRO) if chain.id == "east" else chain for chain in spec.chains
    )
    run = small_run(spec=replace(spec, chains=chains))
    at_expiry(run, minus_us=185 * MICRO)
    intent = run.post(make_intent(ALICE, 1, {CALL: 1}, 8 * MICRO, units=2, valid_until=JUNE_S + 60))
    (deal,) = run.round().deals
    assert deal.release_by_us < JUNE_US < deal.release_by_us + 10 * MICRO
    (record,) = run.engine.world.deals.values()
    at_expiry(run, minus_us=1)
    assert {leg.state for leg in record.legs.values()} == {LegState.RELEASED}
    assert balances(run, ALICE)[CALL] == (2, 0)
    at_expiry(run)
    assert record.state is DealState.COMMITTED
    assert not violations(run)
    assert balances(run, ALICE) == {"BTC": (COIN, 0), USDC: (WEALTH + 10 * MICRO, 2 * 8 * MICRO)}
    run.settle_all()
    assert record.state is DealState.SETTLED
    (fill,) = deal.fills
    assert balances(run, ALICE)[USDC] == (WEALTH + 10 * MICRO - fill.payment, 0)
    entry = run.engine.book.get(intent)
    assert entry is not None
    assert (entry.status, entry.filled) == (Status.FILLED, 2)
    assert not violations(run)


def test_pay_outs_replay_with_the_market() -> None:
    run = market()
    trade(run, CALL, 1)
    trade(run, PUT, 2)
    at_expiry(run, minus_us=-5 * MICRO)
    twin = MarketRun(run.events[0])  # type: ignore[arg-type]
    for event in run.events[1:]:
        assert twin.handle(event) is None
    assert state_of(twin.engine) == state_of(run.engine)
    assert twin.engine.world.settlement_prices == {"BTC-26JUN26": 100_500 * MICRO}
    hub = run.engine.world.ledgers["hub"]
    assert hub.holdings(written_account(ALICE, "BTC-26JUN26")) == {}
    assert CALL not in hub.holdings(owner_account(ALICE))
