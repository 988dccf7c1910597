"""The whole market from one seed, watched after every event: nothing is created, lost or promised twice.

Traders deposit, post, cancel and revoke at random, on the reference world; rounds overlap settlements.
In busy markets other traders take lots away, and a round is decided too late, so deals abort. One market
has `joint` among its solvers, which matches orders with each other.
"""

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from chains.commit import DealState
from chains.ledger import FEES_BRIDGE, FEES_PROTOCOL, FEES_SETTLEMENT, RESERVE
from chains.reference import reference_world
from chains.units import MICRO, USDC
from chains.venues import Flow
from intents.events import Event, IntentsCancelled, NoncesRevoked
from intents.lifecycle import Status
from intents.refusals import Refused
from intents.replay import replay_all
from intents.verify import verify_archive
from solvers.outcome import HOUSE, Deal, Outcome
from solvers.reasons import BidReason, OrderReason
from solvers.strategies.joint import Joint
from tests.market_run import (
    START_US,
    STRATEGIES,
    UNSIGNED,
    MarketRun,
    Trading,
    make_genesis,
    owned,
    owned_by_the_record,
    state_of,
    violations,
)

ROUNDS = 3
LATE = 1
"""The round of a busy market that is decided too late."""

BUSY = Flow(mean_gap_us=20_000, lots_max=200, restore_bps=2_000)
"""Outside flow that takes far more than it brings: offers are often gone when a deal comes for them."""

MARKETS = ("calm", "busy", "joint")


class WatchedRun(MarketRun):
    """A market whose invariants are looked at after every event."""

    def handle(self, event: Event) -> Refused | None:
        refused = super().handle(event)
        assert violations(self) == [], event
        return refused


def run_market(seed: int, market: str, *, kind: type[MarketRun] = WatchedRun) -> MarketRun:
    """A market until all its deals have ended; the same seed gives the same events."""
    spec = reference_world(seed=seed, start_us=START_US)
    is_busy = market == "busy"
    if is_busy:
        spec = replace(spec, venues=tuple(replace(venue, flow=BUSY) for venue in spec.venues))
    strategies = STRATEGIES | ({"joint": Joint()} if market == "joint" else {})
    run = kind(make_genesis(spec, at_us=START_US, seed=seed), strategies=strategies)
    rng = Random(seed)
    trading = Trading(run, seed=seed)
    trading.fund()
    for round_ in range(ROUNDS):
        posted = trading.post(14)
        auction, house = run.cut()
        change_minds(rng, run, posted)
        submissions = run.compete(auction, house)
        run.decide(auction, submissions, late_us=90 * MICRO if is_busy and round_ == LATE else 0)
        for _ in range(4):
            run.advance(rng.randint(1, 3 * MICRO))
        change_minds(rng, run, posted)
    run.settle_all()
    return run


def change_minds(rng: Random, run: MarketRun, posted: list[str]) -> None:
    """Somebody cancels two intents, or all below a nonce, or comes with more money."""
    entry = run.engine.book.get(rng.choice(posted))
    assert entry is not None
    mine = tuple(each.id for each in run.engine.book.intents(owner=entry.owner))[-2:]
    match rng.randint(0, 2):
        case 0:
            run.must(IntentsCancelled(at_us=run.now_us, owner=entry.owner, intents=mine, signature=UNSIGNED))
        case 1:
            nonce = str(entry.intent.nonce)
            run.must(NoncesRevoked(at_us=run.now_us, owner=entry.owner, nonce=nonce, signature=UNSIGNED))
        case _:
            run.deposit(entry.owner, entry.intent.chain, USDC, rng.randint(1, 10**9))


@pytest.fixture(scope="module", params=MARKETS)
def market(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def run(market: str) -> MarketRun:
    return run_market(3, market)


def states(run: MarketRun) -> Counter[DealState]:
    return Counter(record.state for record in run.engine.world.deals.values())


def test_a_market_does_something(run: MarketRun) -> None:
    """The laws below hold of markets where much happens, not of idle ones."""
    assert states(run)[DealState.SETTLED] >= 3
    assert any(len(record.hub.plan.legs) > 1 for record in run.engine.world.deals.values())
    assert states(run).total() == len(run.deals) == sum(len(each.deals) for each in run.outcomes)


def test_a_round_that_is_decided_too_late_aborts_and_the_market_goes_on() -> None:
    run = run_market(1, "busy")
    records = run.engine.world.deals
    late = [records[deal.deal] for deal in run.outcomes[LATE].deals]
    assert late
    assert {record.state for record in late} == {DealState.CLOSED}
    assert any("not in time" in record.failure for record in late)
    assert states(run)[DealState.SETTLED] >= 3


def test_orders_are_matched_with_each_other(market: str, run: MarketRun) -> None:
    """Where `joint` competes, some deal delivers what another of its fills gives."""
    if market == "joint":
        assert any(is_matched(run, deal) for deal in run.deals.values())


def is_matched(run: MarketRun, deal: Deal) -> bool:
    sides = set()
    for fill in deal.fills:
        entry = run.engine.book.get(fill.intent)
        assert entry is not None
        sides |= {(leg.series, leg.ratio > 0) for leg in entry.intent.legs}
    return any((series, not buys) in sides for series, buys in sides)


def test_owners_have_what_was_decided_and_nothing_else(run: MarketRun) -> None:
    assert owned(run) == owned_by_the_record(run)


def test_no_deal_ever_fails_for_an_owners_funds(run: MarketRun) -> None:
    for record in run.engine.world.deals.values():
        assert "owner:" not in record.failure
        assert "written:" not in record.failure


def test_everybody_else_gets_exactly_what_owners_pay(run: MarketRun) -> None:
    """Over all chains: what owners paid is what venues, fees, solvers and the reserve have got."""
    paid = 0
    for deal in run.deals.values():
        if run.engine.world.deals[deal.deal].state is DealState.SETTLED:
            paid += sum(fill.payment for fill in deal.fills)
    got: Counter[str] = Counter()
    for ledger in run.engine.world.ledgers.values():
        for account in ledger.accounts():
            got[account.partition(":")[0]] += ledger.balance(account, USDC)
    assert got["venue"] + got["fees"] + got["solver"] + got["reserve"] == paid
    assert (got["bridge"], got["deal"]) == (0, 0)
    ledgers = run.engine.world.ledgers.values()
    for account in (FEES_BRIDGE, FEES_PROTOCOL, FEES_SETTLEMENT, RESERVE):
        assert all(ledger.balance(account, USDC) >= 0 for ledger in ledgers)


def test_protocol_fees_and_rewards_are_the_fees_of_the_lots_delivered(run: MarketRun) -> None:
    lots = rewards = 0
    for deal in run.deals.values():
        if run.engine.world.deals[deal.deal].state is DealState.SETTLED:
            rewards += sum(part.amount for part in deal.reward)
            for fill in deal.fills:
                entry = run.engine.book.get(fill.intent)
                assert entry is not None
                lots += fill.units * sum(abs(leg.ratio) for leg in entry.intent.legs)
    ledgers = run.engine.world.ledgers.values()
    fees = sum(ledger.balance(FEES_PROTOCOL, USDC) for ledger in ledgers)
    paid = sum(
        ledger.balance(account, USDC)
        for ledger in ledgers
        for account in ledger.accounts()
        if account.startswith("solver:")
    )
    assert paid == rewards == sum(account.rewards for account in run.engine.solvers.all.values())
    assert fees + rewards == lots * run.engine.genesis.terms.rules.fee_per_lot


def test_every_fill_is_within_its_limit_and_every_intent_within_its_units(run: MarketRun) -> None:
    for entry in run.engine.book.intents():
        assert entry.settling == 0
        assert entry.filled == sum(fill.units for fill in entry.fills) <= entry.intent.units
        for fill in entry.fills:
            assert fill.payment <= entry.intent.limit * fill.units
        if entry.intent.min_units == entry.intent.units:
            assert entry.filled in (0, entry.intent.units)


def test_what_has_ended_holds_nothing(run: MarketRun) -> None:
    for owner in sorted({entry.owner for entry in run.engine.book.intents()}):
        reserved: Counter[tuple[str, str]] = Counter()
        for entry in run.engine.book.intents(owner=owner):
            if entry.status is not Status.OPEN:
                assert entry.open == 0
            for asset, amount in entry.requirement.reserved(entry.open).items():
                reserved[entry.intent.chain, asset] += amount
        assert run.engine.book.reservations(owner) == dict(sorted(reserved.items()))


def test_every_order_and_bid_has_one_public_reason(run: MarketRun) -> None:
    for outcome in run.outcomes:
        assert {order.reason for order in outcome.orders} <= set(OrderReason)
        for bid in outcome.bids:
            assert bid.reason in set(BidReason) or bid.reason.startswith("infeasible:")


def house_score(outcome: Outcome) -> int:
    return sum(bid.score for bid in outcome.bids if bid.solver == HOUSE and isinstance(bid.score, int))


def test_competition_is_never_worse_than_the_house_alone(run: MarketRun) -> None:
    for outcome in run.outcomes:
        assert outcome.choice.proved
        assert outcome.choice.score >= house_score(outcome)


def test_equal_seeds_give_equal_markets() -> None:
    one, other = (run_market(2, "calm", kind=MarketRun) for _ in range(2))
    assert one.events == other.events
    assert state_of(one.engine) == state_of(other.engine)


def test_the_events_alone_give_the_market(run: MarketRun) -> None:
    genesis, *rest = run.events
    twin = MarketRun(genesis)  # type: ignore[arg-type]
    for event in rest:
        assert twin.handle(event) is None
    assert state_of(twin.engine) == state_of(run.engine)


def test_its_record_verifies_and_replays(run: MarketRun, tmp_path: Path) -> None:
    archive, records = run.export(tmp_path)
    verified = verify_archive(archive)
    assert (verified.auctions, verified.deals) == (ROUNDS, len(run.deals))
    assert all(replayed.is_match for replayed in replay_all(records))
