"""Whole rounds over every kind of venue: solved, arbitrated, settled, audited, verified.

The router and the strategies know offers and no kinds, so all of this holds without a word about kinds
in either of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from chains.commit import DealState
from chains.deadlines import deal_deadlines
from chains.ledger import stock_account, venue_account
from chains.reference import reference_world
from chains.units import MICRO, USDC
from chains.venues import VenueSpec
from intents.events import StockQuoted
from intents.verify import verify_archive
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.codec import decode
from solvers.outcome import Outcome
from solvers.reasons import BidReason
from solvers.strategies.greedy import Greedy
from solvers.strategies.joint import Joint
from solvers.strategy import Strategy
from tests.market_run import (
    ALICE,
    BOB,
    MarketRun,
    Trading,
    make_genesis,
    make_intent,
    owned,
    owned_by_the_record,
    violations,
)
from tests.market_run import START_US as REFERENCE_US
from tests.venue_specs import make_maker, make_pool, make_quote, make_stock
from tests.worlds import CALL, LATER, PUT, START_US, make_spec

STRATEGIES: Mapping[str, Strategy] = {"greedy": Greedy(), "joint": Joint()}
STOCK_QUOTES = (make_quote(PUT, "sell", 85_000_000, 20), make_quote(LATER, "buy", 100_000_000, 5))


def market(*venues: VenueSpec, strategies: Iterable[str] = ("greedy",)) -> MarketRun:
    """A market over these venues alone; Alice and Bob have cash on the hub."""
    genesis = make_genesis(make_spec(venues=venues), at_us=START_US)
    run = MarketRun(genesis, strategies={name: STRATEGIES[name] for name in strategies})
    for owner in (ALICE, BOB):
        run.deposit(owner, "hub", USDC, 10**10)
    return run


def needed_on_the_hub_us() -> int:
    """From the end of the window until a deal on the hub alone is decided at the latest."""
    genesis = make_genesis(make_spec(), at_us=START_US)
    (hub,) = [chain for chain in genesis.spec.chains if chain.id == "hub"]
    return deal_deadlines([hub], hub=hub, timing=genesis.terms.rules.timing, now_us=0).decide_by_us


def used_kinds(auction: Auction, outcome: Outcome, sent: Mapping[str, str]) -> Counter[str]:
    """Lots that the winning bids trade, by kind of venue."""
    kinds = {venue.id: venue.kind for venue in auction.venues}
    venues = {offer.id: offer.venue for offer in auction.offers}
    found: Counter[str] = Counter()
    for deal in outcome.deals:
        for trade in decode(sent[deal.digest], Bid).trades:
            found[kinds[venues[trade.offer]]] += trade.lots
    return found


def play(run: MarketRun) -> tuple[Auction, Outcome, Counter[str]]:
    auction, house = run.cut()
    submissions = run.compete(auction, house)
    outcome = run.decide(auction, submissions)
    contents = {
        record.digest: submission.content
        for record, submission in zip(outcome.bids, submissions, strict=True)
    }
    return auction, outcome, used_kinds(auction, outcome, contents)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_one_round_takes_from_a_pool_a_maker_and_stock_and_settles(name: str, tmp_path: Path) -> None:
    run = market(
        make_pool("hub", [(CALL, 2_000_000, 40, 500_000)]),
        make_maker("east", [(LATER, 800_000, 30)]),
        make_stock("hub", {PUT: 40, USDC: 10**9}),
        strategies=[name],
    )
    run.must(StockQuoted(at_us=run.now_us, solver="maker", venue="hub-stock", quotes=STOCK_QUOTES))
    run.post(make_intent(ALICE, 1, {CALL: 3, PUT: 2}, 600_000_000, units=6, min_units=6))
    run.post(make_intent(BOB, 1, {LATER: 3}, 600_000_000, units=2))
    auction, outcome, lots = play(run)
    assert lots == {"range_amm": 18, "stock": 12, "rfq": 6}
    assert BidReason.WON.value in {record.reason for record in outcome.bids}
    assert violations(run) == []
    run.settle_all()
    assert {record.state for record in run.engine.world.deals.values()} == {DealState.SETTLED}
    assert owned(run) == owned_by_the_record(run)
    assert violations(run) == []
    hub = run.engine.world.ledgers["hub"]
    fees = 50 + 12 * 5
    assert hub.holdings(stock_account("hub-stock")) == {
        PUT: 28,
        USDC: 10**9 + 12 * 85_000_000 + fees,
    }
    assert hub.holdings(venue_account("hub-stock")) == {}
    archive, _ = run.export(tmp_path)
    assert verify_archive(archive).auctions == 1
    firm = {each.venue for each in auction.offers if isinstance(each.firm_until_us, int)}
    assert firm == {"east-rfq"}


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("spare_us", [0, 1])
def test_a_quote_is_used_only_if_its_deal_is_decided_while_it_is_firm(name: str, spare_us: int) -> None:
    solve_us = make_genesis(make_spec(), at_us=START_US).terms.solve_us
    firm_us = solve_us + needed_on_the_hub_us() + spare_us
    run = market(make_maker("hub", [(CALL, 800_000, 30)], firm_us=firm_us), strategies=[name])
    run.post(make_intent(ALICE, 1, {CALL: 3}, 600_000_000))
    _, outcome, lots = play(run)
    assert lots == ({"rfq": 3} if spare_us else {})
    assert bool(outcome.deals) == bool(spare_us)
    run.settle_all()
    assert {record.state for record in run.engine.world.deals.values()} <= {DealState.SETTLED}


@pytest.mark.parametrize("spare_us", [0, 1])
def test_a_venue_is_used_only_if_it_locks_for_as_long_as_the_deal_needs(spare_us: int) -> None:
    longest_us = needed_on_the_hub_us() + spare_us
    run = market(make_pool("hub", [(CALL, 2_000_000, 40, 500_000)], max_lock_us=longest_us))
    run.post(make_intent(ALICE, 1, {CALL: 3}, 600_000_000))
    _, _, lots = play(run)
    assert lots == ({"range_amm": 3} if spare_us else {})


def test_a_pool_that_has_moved_on_refuses_the_leg_and_the_order_is_open_again() -> None:
    """The pool follows every second, marks fall with time, so it buys at its old price no more."""
    pool = make_pool("east", [(CALL, 0, 40, 500_000)], heartbeat_us=MICRO, deviation_bps=0)
    run = market(pool)
    run.deposit(ALICE, "east", "BTC", 10**10)
    id_ = run.post(make_intent(ALICE, 1, {CALL: -3}, -1, chain="east"))
    _, outcome, lots = play(run)
    assert lots == {"range_amm": 3}
    run.settle_all()
    (record,) = run.engine.world.deals.values()
    assert record.state is DealState.CLOSED
    assert "is stale: the pool bids" in record.failure
    entry = run.engine.book.get(id_)
    assert entry is not None
    assert (entry.open, entry.settling, entry.filled) == (1, 0, 0)
    assert violations(run) == []
    assert len(outcome.deals) == 1


def test_two_rounds_never_promise_the_lots_of_a_pool_or_maker_twice_though_their_offers_are_new() -> None:
    """The second auction is cut while the first deals are on their way, at other prices and rounds."""
    run = market(
        make_pool("slow", [(CALL, 0, 20, 500_000)], heartbeat_us=MICRO, deviation_bps=0),
        make_maker("slow", [(PUT, 800_000, 30)], firm_us=1_000 * MICRO),
    )
    run.deposit(ALICE, "slow", USDC, 10**11)
    later = run.now_us // MICRO + 86_400
    for nonce in (1, 2):
        legs = {CALL: 5, PUT: 10}
        run.post(make_intent(ALICE, nonce, legs, 10**10, chain="slow", valid_until=later))
    first, _, lots = play(run)
    assert lots == {"range_amm": 10, "rfq": 20}
    run.advance(8 * MICRO)
    second, _ = run.cut()
    sells = [
        {offer.id: offer for offer in auction.offers if offer.side == "sell"} for auction in (first, second)
    ]
    assert not sells[0].keys() & sells[1].keys()
    assert [sum(each.lots for each in found.values() if each.venue == "slow-pool") for found in sells] == [
        20,
        10,
    ]
    assert [sum(each.lots for each in found.values() if each.venue == "slow-rfq") for found in sells] == [
        30,
        10,
    ]


def test_rounds_on_the_reference_world_use_every_kind_it_has_and_leave_it_sound() -> None:
    run = reference_with_stock()
    trading = Trading(run, seed=3)
    trading.fund()
    found: Counter[str] = Counter()
    for _ in range(3):
        trading.post(40)
        found += play(run)[2]
        run.advance(8 * MICRO)
        assert violations(run) == []
    run.settle_all()
    assert found.keys() == {"order_book", "range_amm", "rfq", "stock"}
    states = Counter(record.state for record in run.engine.world.deals.values())
    assert states[DealState.SETTLED] > 10
    assert violations(run) == []
    assert owned(run) == owned_by_the_record(run)


def reference_with_stock() -> MarketRun:
    """The reference world, and one solver's stock on it that undercuts every order book."""
    spec = reference_world(start_us=REFERENCE_US)
    series = [each.id for each in spec.series]
    stock = make_stock("arbitrum", dict.fromkeys(series, 20))
    venues = (*spec.venues, stock)
    genesis = make_genesis(replace(spec, venues=venues), at_us=REFERENCE_US)
    run = MarketRun(genesis, strategies={"greedy": Greedy()})
    quotes = tuple(
        make_quote(mark.series, "sell", round(mark.price), 20) for mark in run.engine.world.snapshot().marks
    )
    run.must(StockQuoted(at_us=run.now_us, solver="maker", venue=stock.id, quotes=quotes))
    return run
