"""The clockwork of `chains.settling`, instant by instant.

Every time here was worked out by hand from the block times, finality and relay times of `tests.worlds`.
"""

from dataclasses import replace

import pytest

from chains.agenda import Priority
from chains.commit import DealState, LegState
from chains.deals import DealRecord, DealUpdate, Packet, PacketKind
from chains.errors import CommitError
from chains.units import USDC
from chains.world import World
from tests.worlds import (
    ALICE,
    CALL,
    START_US,
    free_lots,
    make_deadlines,
    make_plan,
    make_world,
    three_chain_plan,
)

ASK = f"sell/{7_000_000}"
EAST_ASK = f"east-book/{CALL}/{ASK}"
WEST_ASK = f"west-book/{CALL}/{ASK}"
SLOW_ASK = f"slow-book/{CALL}/{ASK}"


def after(seconds: float) -> int:
    return START_US + round(seconds * 1_000_000)


def funded() -> World:
    world = make_world()
    world.deposit(ALICE, "hub", USDC, 10**9)
    return world


def told(updates: tuple[DealUpdate, ...]) -> list[tuple[DealState, int]]:
    return [(update.state, update.at_us) for update in updates]


def times(record: DealRecord, chain: str) -> tuple[int | None, int | None, int | None]:
    leg = record.legs[chain]
    return leg.answered_us, leg.voted_us, leg.ended_us


def test_a_deal_over_three_chains_waits_for_blocks_finality_and_relays() -> None:
    world = funded()
    world.prepare(three_chain_plan())
    assert told(world.advance(after(100))) == [
        (DealState.COMMITTED, after(7)),
        (DealState.SETTLED, after(15)),
    ]
    record = world.deals["deal-1"]
    assert times(record, "hub") == (after(2), after(3), after(9))
    assert times(record, "east") == (after(2), after(6), after(10))
    assert times(record, "west") == (after(1.5), after(2.5), after(8.5))
    assert (record.prepared_us, record.decided_us, record.ended_us) == (START_US, after(7), after(15))
    assert record.failure == ""


def test_what_arrives_with_a_block_is_in_the_next_one() -> None:
    world = make_world()
    world.advance(after(1.5))
    world.prepare(make_plan("deal-1", {"east": {EAST_ASK: 1}}))
    assert told(world.advance(after(10))) == [(DealState.SETTLED, after(4))]


def test_a_deal_on_one_chain_is_one_transaction_in_its_next_block() -> None:
    world = make_world()
    world.prepare(make_plan("deal-1", {"east": {EAST_ASK: 15}}))
    assert told(world.advance(after(2) - 1)) == []
    assert told(world.advance(after(2))) == [(DealState.SETTLED, after(2))]
    assert free_lots(world)[EAST_ASK] == 25
    assert world.deals["deal-1"].legs["east"].state is LegState.RELEASED


def test_a_deal_on_one_chain_that_comes_too_late_leaves_no_trace() -> None:
    world = make_world()
    before = free_lots(world)
    world.prepare(
        make_plan("deal-1", {"slow": {SLOW_ASK: 15}}, deadlines=make_deadlines(decide_after_us=60_000_000))
    )
    (update,) = world.advance(after(100))
    assert (update.state, update.at_us, update.detail) == (DealState.CLOSED, after(60), "not in time: slow")
    assert free_lots(world) == before
    assert world.audit() == []


@pytest.mark.parametrize(
    ("decide_s", "aborted_s", "refunded_s", "closed_s"),
    [
        # Prepare and abort wait for the same block of the slow chain: it locks and refunds at once.
        (30.3, 31, 60, 161),
        # The abort comes after that block: the leg waits for the next one, and for its finality.
        (60.0, 60, 120, 221),
    ],
)
def test_a_chain_slower_than_the_deadline_aborts_the_deal_at_the_first_hub_block_past_it(
    decide_s: float, aborted_s: int, refunded_s: int, closed_s: int
) -> None:
    world = make_world()
    before = free_lots(world)
    deadlines = make_deadlines(decide_after_us=round(decide_s * 1_000_000))
    deadlines = replace(deadlines, lock_by_us=after(60))
    world.prepare(make_plan("deal-1", {"east": {EAST_ASK: 5}, "slow": {SLOW_ASK: 5}}, deadlines=deadlines))
    assert [(u.state, u.at_us, u.detail) for u in world.advance(after(300))] == [
        (DealState.ABORTED, after(aborted_s), "not in time: slow"),
        (DealState.CLOSED, after(closed_s), "not in time: slow"),
    ]
    record = world.deals["deal-1"]
    assert times(record, "slow") == (after(60), None, after(refunded_s))
    assert {leg.state for leg in record.legs.values()} == {LegState.REFUNDED}
    assert free_lots(world) == before
    assert world.audit() == []


@pytest.mark.parametrize("late_us", [0, 1])
def test_a_chain_locks_nothing_after_lock_by(late_us: int) -> None:
    """East takes the prepare in its block 2 s after the start, in time or one microsecond late."""
    world = make_world()
    before = free_lots(world)
    deadlines = replace(make_deadlines(), lock_by_us=after(2) - late_us)
    plan = make_plan("deal-1", {"east": {EAST_ASK: 5}, "west": {WEST_ASK: 5}}, deadlines=deadlines)
    world.prepare(plan)
    updates = world.advance(after(100))
    record = world.deals["deal-1"]
    if late_us:
        assert [update.state for update in updates] == [DealState.ABORTED, DealState.CLOSED]
        assert {chain: leg.state for chain, leg in record.legs.items()} == {
            "east": LegState.REFUSED,
            "west": LegState.REFUNDED,
        }
        assert (record.causes, updates[0].detail) == ((), "not in time: east")
        assert free_lots(world) == before
    else:
        assert updates[-1].state is DealState.SETTLED
    assert world.audit() == []


def test_a_deal_that_is_handed_in_after_its_lock_by_pledges_no_lots_and_settles_nowhere() -> None:
    world = make_world()
    before = free_lots(world)
    world.advance(after(60))
    world.prepare(make_plan("deal-1", {"east": {EAST_ASK: 5}, "west": {WEST_ASK: 5}}))
    assert free_lots(world) == before
    updates = world.advance(after(200))
    assert [update.state for update in updates] == [DealState.ABORTED, DealState.CLOSED]
    states = {leg.state for leg in world.deals["deal-1"].legs.values()}
    assert states <= {LegState.REFUSED, LegState.TOMBSTONE}
    assert free_lots(world) == before
    assert world.audit() == []


def test_a_refusal_aborts_at_once_and_refunds_the_other_legs() -> None:
    world = make_world()
    plan = three_chain_plan()
    before = free_lots(world)
    world.prepare(plan)
    updates = world.advance(after(100))
    # The hub's own refusal is final at 3 s and counted at 4 s; that is final at 5 s, east refunds at 6 s,
    # and that is final at 10 s.
    assert told(updates) == [(DealState.ABORTED, after(4)), (DealState.CLOSED, after(11))]
    assert updates[0].detail == f"hub: owner:{ALICE} is short of 120000000 USDC"
    record = world.deals["deal-1"]
    assert [leg.state for leg in record.legs.values()] == [
        LegState.REFUSED,
        LegState.REFUNDED,
        LegState.REFUNDED,
    ]
    assert free_lots(world) == before
    assert world.audit() == []


def test_a_vote_counted_at_the_deadline_is_too_late() -> None:
    world = funded()
    # East's vote is counted at 7 s, the deadline is 7 s: one microsecond more would have committed.
    world.prepare(three_chain_plan("late", deadlines=make_deadlines(decide_after_us=7_000_000)))
    world.prepare(three_chain_plan("just", deadlines=make_deadlines(decide_after_us=7_000_001)))
    world.advance(after(100))
    assert world.deals["late"].state is DealState.CLOSED
    assert world.deals["late"].failure == "not in time: east"
    assert world.deals["just"].state is DealState.SETTLED
    assert world.audit() == []


def test_bridge_capacity_comes_back_a_latency_after_a_settled_deal_and_at_once_after_an_aborted_one() -> None:
    def free(world: World) -> tuple[int, int]:
        terms = {bridge.id: bridge for bridge in world.snapshot().bridges}
        return terms["hub-east"].capacity_cash, terms["east-hub"].capacity_lots

    settles, aborts = funded(), make_world()
    whole = free(settles)
    for world in (settles, aborts):
        world.prepare(three_chain_plan())
        assert free(world) == (whole[0] - 70_000_000, whole[1] - 10)
    settles.advance(after(25) - 1)
    assert free(settles) == (whole[0] - 70_000_000, whole[1] - 10)
    settles.advance(after(25))
    assert free(settles) == whole
    aborts.advance(after(11) - 1)
    assert free(aborts) == (whole[0] - 70_000_000, whole[1] - 10)
    aborts.advance(after(11))
    assert free(aborts) == whole


@pytest.mark.parametrize("is_funded", [True, False])
def test_packets_that_come_twice_change_nothing(is_funded: bool) -> None:
    once, twice = (funded() if is_funded else make_world() for _ in range(2))
    enter = twice._settling._schedule

    def enter_twice(at_us: int, priority: Priority, packet: Packet) -> None:
        enter(at_us, priority, packet)
        if packet.kind in {PacketKind.PREPARE, PacketKind.VOTE, PacketKind.DECISION, PacketKind.ACK}:
            enter(at_us, priority, packet)
            enter(at_us + 3_000_000, priority, packet)

    twice._settling._schedule = enter_twice
    for world in (once, twice):
        world.prepare(three_chain_plan())
    assert once.advance(after(100)) == twice.advance(after(100))
    assert once.snapshot() == twice.snapshot()
    assert times(once.deals["deal-1"], "east") == times(twice.deals["deal-1"], "east")
    assert twice.audit() == []


def test_a_prepare_that_comes_after_the_abort_finds_a_tombstone_and_locks_nothing() -> None:
    world = funded()
    enter = world._settling._schedule

    def delay_prepare(at_us: int, priority: Priority, packet: Packet) -> None:
        is_delayed = packet.kind is PacketKind.PREPARE and packet.place == "east"
        enter(at_us + 200_000_000 * is_delayed, priority, packet)

    world._settling._schedule = delay_prepare
    before = free_lots(world)
    world.prepare(three_chain_plan())
    assert [state for state, _ in told(world.advance(after(150)))] == [DealState.ABORTED, DealState.CLOSED]
    assert free_lots(world) == before
    world.advance(after(300))
    assert world.deals["deal-1"].legs["east"].state is LegState.TOMBSTONE
    assert free_lots(world) == before
    assert world.audit() == []


def test_a_deal_is_handed_in_once() -> None:
    world = funded()
    world.prepare(three_chain_plan())
    with pytest.raises(CommitError, match="before"):
        world.prepare(three_chain_plan())


@pytest.mark.parametrize(
    "bridges",
    [
        (("hub-mars", USDC, 1),),
        (("west-east", USDC, 1),),
        (("hub-east", USDC, 10**9 + 1),),
        (("hub-east", CALL, 101),),
    ],
)
def test_a_deal_with_bridges_it_cannot_use_is_refused_whole(
    bridges: tuple[tuple[str, str, int], ...],
) -> None:
    world = make_world()
    plan = make_plan("deal-1", {"hub": {}, "east": {EAST_ASK: 5}}, bridges=bridges)
    before = world.snapshot()
    with pytest.raises(CommitError):
        world.prepare(plan)
    assert world.snapshot() == before
    assert not world.deals
