import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.commit import DealState, LegState
from chains.deadlines import Timing, deal_deadlines
from chains.errors import ChainsError, CommitError, LedgerError, WorldFileError
from chains.ledger import OUTSIDE, bridge_account, owner_account, venue_account
from chains.reference import reference_world
from chains.series import parse_series
from chains.snapshot import Snapshot
from chains.units import USDC
from chains.venues import Flow
from chains.world import DealUpdate, World
from chains.world_file import Listing
from tests.worlds import (
    ALICE,
    CALL,
    JUNE_US,
    LATER,
    PUT,
    START_US,
    free_lots,
    make_deadlines,
    make_plan,
    make_spec,
    make_world,
    move,
    three_chain_plan,
    with_flow,
)

SECOND = 1_000_000
EAST_ASK = f"east-book/{CALL}/sell/7000000"
WEST_ASK = f"west-book/{PUT}/sell/5000000"
BUSY = Flow(mean_gap_us=400_000, lots_max=30)
GREEDY = Flow(mean_gap_us=20_000, lots_max=1_000, restore_bps=0)


def state(world: World) -> tuple[object, ...]:
    """Everything that can be seen of a world."""
    deals = {
        name: (
            record.state,
            record.decided_us,
            record.ended_us,
            record.failure,
            [(leg.state, leg.answered_us, leg.voted_us, leg.ended_us) for leg in record.legs.values()],
        )
        for name, record in world.deals.items()
    }
    ledgers = {
        name: {account: ledger.holdings(account) for account in ledger.accounts()}
        for name, ledger in world.ledgers.items()
    }
    return world.snapshot(), deals, ledgers, world.audit(), world.next_event_us()


def test_a_deal_over_three_chains_moves_everything_it_says_and_nothing_else() -> None:
    world = make_world()
    world.deposit(ALICE, "hub", USDC, 10**9)
    before = free_lots(world)
    world.prepare(three_chain_plan(lots=10))
    updates = world.advance(START_US + 60 * SECOND)
    assert [update.state for update in updates] == [DealState.COMMITTED, DealState.SETTLED]
    hub, east, west = (world.ledgers[name] for name in ("hub", "east", "west"))
    assert hub.holdings(owner_account(ALICE)) == {CALL: 10, PUT: 10, USDC: 10**9 - 120_000_000}
    assert hub.balance(bridge_account("hub-east"), USDC) == 70_000_000
    assert east.balance(bridge_account("hub-east"), USDC) == -70_000_000
    assert east.holdings(venue_account("east-book")) == {CALL: -10, USDC: 70_000_000}
    assert west.holdings(venue_account("west-book")) == {PUT: -10, USDC: 50_000_000}
    assert hub.holdings(OUTSIDE) == {USDC: -(10**9)}
    assert free_lots(world) == before | {EAST_ASK: 30, WEST_ASK: 40}
    assert world.audit() == []


def test_a_snapshot_holds_the_terms_of_the_world_file() -> None:
    world = make_world()
    snapshot = world.snapshot()
    spec = world.spec
    assert (snapshot.as_of_us, snapshot.hub) == (START_US, "hub")
    assert (snapshot.chains, snapshot.bridges) == (spec.chains, spec.bridges)
    assert [venue.id for venue in snapshot.venues] == [venue.id for venue in spec.venues]
    assert [series.id for series in snapshot.series] == [CALL, PUT, LATER]
    assert len(snapshot.offers) == 24
    assert {mark.series for mark in snapshot.marks} == {CALL, PUT, LATER}
    again = msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot)
    assert again == snapshot


def test_what_a_deal_needs_is_gone_from_the_next_snapshot_at_once_and_stays_gone_while_locked() -> None:
    world = make_world()
    world.deposit(ALICE, "hub", USDC, 10**9)
    world.prepare(three_chain_plan(lots=40))
    for at_us in range(START_US, START_US + 15 * SECOND, 250_000):
        world.advance(at_us)
        lots = free_lots(world)
        assert EAST_ASK not in lots
        assert lots[WEST_ASK] == 10
        assert {b.id: b.capacity_lots for b in world.snapshot().bridges}["east-hub"] == 60


def test_capacity_cannot_be_pledged_twice() -> None:
    world = make_world()
    world.prepare(three_chain_plan("one", lots=40))
    pledged = world.snapshot()
    with pytest.raises(CommitError, match="pledged"):
        world.prepare(make_plan("two", {"east": {EAST_ASK: 1}}))
    too_many = make_plan("three", {"hub": {}, "east": {}}, bridges=(("east-hub", CALL, 61),))
    with pytest.raises(CommitError, match="free"):
        world.prepare(too_many)
    assert world.snapshot() == pledged
    assert list(world.deals) == ["one"]


def test_two_deals_for_the_last_lots_cannot_both_have_them_when_flow_took_some() -> None:
    world = make_world(with_flow(make_spec(), GREEDY))
    world.prepare(make_plan("one", {"east": {EAST_ASK: 20}}))
    world.prepare(make_plan("two", {"east": {EAST_ASK: 20}}))
    world.advance(START_US + 3 * SECOND)
    states = [world.deals[name].state for name in ("one", "two")]
    assert states != [DealState.SETTLED, DealState.SETTLED]
    assert world.audit() == []


def test_lots_that_outside_flow_took_are_refused_and_the_whole_deal_is_undone() -> None:
    world = make_world(with_flow(make_spec(), GREEDY))
    world.deposit(ALICE, "hub", USDC, 10**9)
    world.prepare(three_chain_plan())
    aborted, closed = world.advance(START_US + 60 * SECOND)
    assert (aborted.state, closed.state) == (DealState.ABORTED, DealState.CLOSED)
    assert aborted.detail == f"east: {EAST_ASK} has no 10 free lots"
    legs = world.deals["deal-1"].legs
    assert legs["hub"].state is LegState.REFUNDED
    assert legs["east"].state is LegState.REFUSED
    assert world.ledgers["hub"].holdings(owner_account(ALICE)) == {USDC: 10**9}
    assert all(bridge.capacity_cash == 10**9 for bridge in world.snapshot().bridges)
    assert world.audit() == []


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    steps=st.lists(st.integers(0, 40 * SECOND), max_size=12),
    prepared=st.lists(st.integers(0, 20), min_size=1, max_size=4),
)
def test_history_does_not_depend_on_the_steps_in_which_time_advances(
    seed: int, steps: list[int], prepared: list[int]
) -> None:
    def run(stops: list[int]) -> tuple[list[DealUpdate], tuple[object, ...]]:
        world = make_world(with_flow(make_spec(), BUSY), seed=seed)
        world.deposit(ALICE, "hub", USDC, 10**9)
        updates: list[DealUpdate] = []
        deals = [START_US + second * SECOND for second in sorted(prepared)]
        for at_us in sorted({*stops, *deals, START_US + 60 * SECOND}):
            updates += world.advance(at_us)
            for number, deal_us in enumerate(deals):
                if deal_us == at_us:
                    world.prepare(three_chain_plan(f"deal-{number}", lots=5 + number))
        return updates, state(world)

    assert run([START_US + step for step in steps]) == run([])


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    def run(seed: int) -> tuple[object, ...]:
        world = make_world(with_flow(make_spec(), BUSY), seed=seed)
        world.advance(START_US + 100 * SECOND)
        return state(world)

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_further_venue_does_not_disturb_the_flow_of_the_others() -> None:
    spec = with_flow(make_spec(), BUSY)
    fewer = msgspec.structs.replace(spec, venues=spec.venues[1:])
    worlds = [make_world(each) for each in (spec, fewer)]
    for world in worlds:
        world.advance(START_US + 200 * SECOND)
    whole, part = (free_lots(world) for world in worlds)
    assert part == {offer: lots for offer, lots in whole.items() if not offer.startswith("hub-book/")}


def test_outside_flow_never_leaves_the_source_book() -> None:
    world = make_world(with_flow(make_spec(), BUSY))
    source = free_lots(world)
    seen = set()
    for second in range(1, 200):
        world.advance(START_US + second * SECOND)
        lots = free_lots(world)
        seen.add(sum(lots.values()))
        assert all(lots[offer] <= source[offer] for offer in lots)
    assert len(seen) > 50


def test_series_leave_the_snapshot_when_they_expire() -> None:
    world = make_world(with_flow(make_spec(), Flow(mean_gap_us=3_600 * SECOND)))
    world.advance(JUNE_US - 1)
    assert {offer.series for offer in world.snapshot().offers} == {CALL, PUT, LATER}
    world.advance(JUNE_US)
    snapshot = world.snapshot()
    assert {offer.series for offer in snapshot.offers} == {LATER}
    assert [series.id for series in snapshot.series] == [LATER]
    assert [mark.series for mark in snapshot.marks] == [LATER]
    world.advance(JUNE_US + 100 * 86_400 * SECOND)
    assert world.snapshot().offers == ()
    assert world.snapshot().marks == ()
    assert world.next_event_us() is None


def test_the_reference_world_runs_over_all_its_expiries() -> None:
    spec = with_flow(reference_world(start_us=START_US), Flow(mean_gap_us=6 * 3_600 * SECOND))
    world = World(spec, seed=0, start_us=START_US)
    for expiry in sorted({parse_series(each.id).expiry_us for each in spec.series}):
        world.advance(expiry)
        snapshot = world.snapshot()
        assert all(series.expiry * SECOND > expiry for series in snapshot.series)
        listed = {series.id for series in snapshot.series}
        assert {offer.series for offer in snapshot.offers} <= listed
        assert all(np.isfinite([mark.price, mark.delta, mark.vega]).all() for mark in snapshot.marks)
    assert world.snapshot().offers == ()
    assert len(world.snapshot().series) > 0
    assert world.audit() == []


def test_a_world_without_a_listing_rule_ends_with_its_last_series() -> None:
    world = make_world(make_spec(listing=Listing(roll_days=0)))
    last_us = max(terms.expiry for terms in world.snapshot().series) * SECOND
    world.advance(last_us + SECOND)
    assert world.listed == frozenset()
    assert world.snapshot().offers == ()
    assert world.highest_forward("BTC") == 0
    with pytest.raises(WorldFileError, match="all have expired"):
        World(make_spec(listing=Listing(roll_days=0)), seed=0, start_us=last_us)


def test_a_spec_that_contradicts_itself_makes_no_world() -> None:
    with pytest.raises(WorldFileError, match="hub: 'mars'"):
        make_world(make_spec(hub="mars"))


def test_time_does_not_run_backwards() -> None:
    world = make_world()
    world.advance(START_US + 5)
    assert world.advance(START_US + 5) == ()
    with pytest.raises(ChainsError, match="back"):
        world.advance(START_US + 4)


def test_funds_move_at_once_whole_or_not_at_all() -> None:
    world = make_world()
    world.deposit(ALICE, "hub", USDC, 10)
    alice = owner_account(ALICE)
    hub = world.ledgers["hub"]
    with pytest.raises(LedgerError, match="short"):
        world.transfer("hub", [move(alice, "reserve", USDC, 4), move(alice, "fees:protocol", USDC, 7)])
    assert hub.balance(alice, USDC) == 10
    world.transfer("hub", [move(alice, "reserve", USDC, 4), move(alice, "fees:protocol", USDC, 6)])
    assert (hub.balance(alice, USDC), hub.balance("reserve", USDC)) == (0, 4)
    assert not world.audit()
    with pytest.raises(ChainsError, match="no chain 'moon'"):
        world.transfer("moon", [])


def test_deposits_come_from_outside() -> None:
    world = make_world()
    world.deposit(ALICE.upper().replace("0X", "0x"), "east", "BTC", 7)
    assert world.ledgers["east"].holdings(owner_account(ALICE)) == {"BTC": 7}
    assert world.ledgers["east"].holdings(OUTSIDE) == {"BTC": -7}


@pytest.mark.parametrize(
    ("chain", "asset", "amount", "error"),
    [
        ("mars", USDC, 1, ChainsError),
        ("hub", "DOGE", 1, ChainsError),
        ("hub", CALL, 1, ChainsError),
        ("hub", USDC, 0, LedgerError),
        ("hub", USDC, 2**53, LedgerError),
    ],
)
def test_a_deposit_of_what_does_not_exist_is_refused(
    chain: str, asset: str, amount: int, error: type[Exception]
) -> None:
    world = make_world()
    with pytest.raises(error):
        world.deposit(ALICE, chain, asset, amount)
    assert not any(ledger.accounts() for ledger in world.ledgers.values())


@pytest.mark.parametrize("seed", range(3))
def test_many_deals_under_flow_and_tight_deadlines_leave_a_sound_world(seed: int) -> None:
    world = make_world(with_flow(make_spec(), BUSY), seed=seed)
    world.deposit(ALICE, "hub", USDC, 2 * 10**9)
    stream = np.random.Generator(np.random.PCG64(seed))
    for number in range(60):
        decide_us = world.now_us - START_US + int(stream.integers(5 * SECOND, 12 * SECOND))
        deadlines = make_deadlines(decide_after_us=decide_us)
        try:
            if stream.integers(3):
                lots = int(stream.integers(1, 20))
                world.prepare(three_chain_plan(f"deal-{number}", lots=lots, deadlines=deadlines))
            else:
                lots = int(stream.integers(1, 10))
                world.prepare(make_plan(f"deal-{number}", {"east": {EAST_ASK: lots}}, deadlines=deadlines))
        except CommitError:
            assert f"deal-{number}" not in world.deals
        world.advance(world.now_us + int(stream.integers(0, 4 * SECOND)))
        assert world.audit() == []
    world.advance(world.now_us + 60 * SECOND)
    states = [record.state for record in world.deals.values()]
    assert set(states) == {DealState.SETTLED, DealState.CLOSED}
    assert all(not ledger.pending() for ledger in world.ledgers.values())
    assert all(bridge.capacity_lots == 100 for bridge in world.snapshot().bridges)
    assert world.audit() == []


def test_legs_end_within_the_release_bound_of_the_deadline_rule() -> None:
    spec = reference_world(start_us=START_US)
    world = World(spec, seed=4, start_us=START_US)
    timing = Timing(margin=(3, 2), outage_us=5 * SECOND, skew_us=SECOND // 2)
    terms = {chain.id: chain for chain in spec.chains}
    stream = np.random.Generator(np.random.PCG64(9))
    for number in range(80):
        chains = sorted(stream.choice(sorted(terms), size=int(stream.integers(1, 5)), replace=False).tolist())
        deadlines = deal_deadlines(
            [terms[name] for name in chains], hub=terms["hub"], timing=timing, now_us=world.now_us
        )
        world.prepare(make_plan(f"deal-{number}", {name: {} for name in chains}, deadlines=deadlines))
        world.advance(world.now_us + int(stream.integers(1, 3 * SECOND)))
    world.advance(world.now_us + 300 * SECOND)
    for record in world.deals.values():
        ended = [leg.ended_us for leg in record.legs.values() if leg.ended_us is not None]
        assert record.state is DealState.SETTLED
        assert len(ended) == len(record.legs)
        assert max(ended) <= record.hub.plan.deadlines.release_by_us
