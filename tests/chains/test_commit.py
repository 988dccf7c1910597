from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, replace
from typing import Any

import pytest

from chains.commit import DealPlan, DealState, Decision, HubDeal, Leg, LegPlan, LegState, is_leg_of
from chains.commit_table import DEAL_TABLE, LEG_ENDS, LEG_TABLE, DealInput, LegInput
from chains.deadlines import Deadlines
from chains.errors import CommitError
from chains.ledger import Transfer, owner_account, venue_account

DECIDE_BY = 1_000


def make_leg(chain: str, **changes: Any) -> LegPlan:
    transfer = Transfer(debit=owner_account("0xa1"), credit=venue_account("v"), asset="USDC", amount=7)
    return LegPlan(**{"chain": chain, "transfers": (transfer,), "lots": (("v/s/sell/5", 3),), **changes})


def make_plan(*chains: str) -> DealPlan:
    return DealPlan(
        deal="d1",
        legs=tuple(make_leg(chain) for chain in chains),
        bridges=(("a-b", "USDC", 7),),
        deadlines=Deadlines(lock_by_us=900, decide_by_us=DECIDE_BY, release_by_us=2_000),
    )


BOTH = make_plan("a", "b")
ALONE = make_plan("a")


# --- every schedule of two legs, with loss, repetition, reordering and reorgs before finality -------


class Impatient(Leg):
    """Broken: a lock runs out by the leg's own clock."""

    def on_local_time_out(self) -> None:
        if self.state is LegState.LOCKED:
            self.state = LegState.REFUNDED


class Hasty(Leg):
    """Broken: votes from the head of its chain."""

    @property
    def vote(self) -> bool | None:
        return Leg(state=self.state, final_state=self.state).vote


@dataclass(slots=True)
class Forgetful(Leg):
    """Broken: an abort that comes first is taken once and leaves no tombstone."""

    aborted: bool = False

    def on_decision(self, commit: bool) -> LegState:
        if commit or self.state is not LegState.NONE:
            return self.state if self.aborted else super(Forgetful, self).on_decision(commit)
        self.aborted = True
        return self.state


class Rash(HubDeal):
    """Broken: decides from the head of the hub."""

    @property
    def decision(self) -> Decision | None:
        return HubDeal(self.plan, state=self.state, final_state=self.state).decision


@dataclass(frozen=True)
class Point:
    """Everything there is at one moment; `packets` are all that could ever have been made so far."""

    hub: HubDeal
    legs: tuple[Leg, ...]
    packets: frozenset[tuple[str, Any]]
    late: bool
    late_final: bool

    @property
    def key(self) -> tuple[Any, ...]:
        hub = (self.hub.state, self.hub.final_state, self.hub.votes, self.hub.acknowledgements)
        return hub, tuple(map(astuple, self.legs)), self.packets, self.late, self.late_final

    @property
    def has_committed(self) -> bool:
        return self.hub.final_state in {DealState.COMMITTED, DealState.SETTLED}

    @property
    def is_safe(self) -> bool:
        states = {leg.state for leg in self.legs}
        if LegState.RELEASED in states:
            return self.has_committed and not states & (LEG_ENDS - {LegState.RELEASED})
        return not (self.has_committed and states & LEG_ENDS)

    @property
    def is_resolved(self) -> bool:
        closed = self.hub.final_state in {DealState.SETTLED, DealState.CLOSED}
        return closed and all(leg.is_done for leg in self.legs)


class Explorer:
    """Walks through every point that an adversarial scheduler can bring about."""

    def __init__(
        self, *, hub_class: type[HubDeal] = HubDeal, leg_class: type[Leg] = Leg, enough: int = 0
    ) -> None:
        self.refusals = self.unsafe = 0
        start = Point(hub_class(BOTH), (leg_class(), leg_class()), frozenset(), False, False)
        self.points = {start.key: start}
        self.before: dict[Any, set[Any]] = {}
        queue = deque([start])
        while queue and not (enough and self.unsafe >= enough):
            point = queue.popleft()
            for following in self.moves(point):
                self.before.setdefault(following.key, set()).add(point.key)
                if following.key not in self.points:
                    self.points[following.key] = following
                    self.unsafe += not following.is_safe
                    queue.append(following)

    @property
    def stuck(self) -> int:
        resolvable = {key for key, point in self.points.items() if point.is_resolved}
        queue = list(resolvable)
        while queue:
            new = self.before.get(queue.pop(), set()) - resolvable
            resolvable |= new
            queue.extend(new)
        return len(self.points) - len(resolvable)

    def moves(self, point: Point) -> Iterator[Point]:
        for number in range(len(point.legs)):
            for move in (
                lambda leg: leg.on_prepare(True),
                lambda leg: leg.on_prepare(False),
                lambda leg: leg.on_final(),
                lambda leg: leg.on_reorg(),
                lambda leg: leg.on_local_time_out() if isinstance(leg, Impatient) else None,
            ):
                yield from self.with_leg(point, number, move)
            for commit in (True, False):
                if ("decision", commit) in point.packets:
                    yield from self.with_leg(point, number, lambda leg, c=commit: leg.on_decision(c))
            if ("ack", number) in point.packets:
                yield from self.with_hub(point, lambda hub, n=number: hub.on_ack(BOTH.chains[n]))
            for locked in (True, False):
                if ("vote", (number, locked)) in point.packets:
                    now = DECIDE_BY if point.late else 0
                    yield from self.with_hub(
                        point, lambda hub, n=number, v=locked, t=now: hub.on_vote(BOTH.chains[n], v, t)
                    )
        yield from self.with_hub(replace(point, late=True), lambda hub: hub.on_time(DECIDE_BY))
        yield from self.with_hub(replace(point, late_final=point.late), lambda hub: hub.on_final())
        yield from self.with_hub(replace(point, late=point.late_final), lambda hub: hub.on_reorg())

    def with_leg(self, point: Point, number: int, move: Callable[[Any], object]) -> Iterator[Point]:
        leg = type(point.legs[number])(*astuple(point.legs[number]))
        if self.does(move, leg):
            legs = list(point.legs)
            legs[number] = leg
            yield self.with_packets(replace(point, legs=tuple(legs)))

    def with_hub(self, point: Point, move: Callable[[HubDeal], object]) -> Iterator[Point]:
        old = point.hub
        hub = type(old)(old.plan, old.state, old.final_state, old.votes, old.acknowledgements)
        if self.does(move, hub):
            yield self.with_packets(replace(point, hub=hub))

    def does(self, move: Callable[[Any], object], record: Any) -> bool:
        try:
            move(record)
        except CommitError:
            self.refusals += 1
            return False
        return True

    def with_packets(self, point: Point) -> Point:
        packets = set(point.packets)
        if point.hub.decision is not None:
            packets.add(("decision", point.hub.decision is Decision.COMMIT))
        for number, leg in enumerate(point.legs):
            if leg.vote is not None:
                packets.add(("vote", (number, leg.vote)))
            if leg.is_done and any(kind == "decision" for kind, _ in packets):
                packets.add(("ack", number))
        return replace(point, packets=frozenset(packets))


@pytest.fixture(scope="module")
def explored() -> Explorer:
    return Explorer()


def test_no_schedule_leaves_a_deal_half_done(explored: Explorer) -> None:
    assert explored.unsafe == 0


def test_every_schedule_can_still_be_resolved(explored: Explorer) -> None:
    assert explored.stuck == 0


def test_no_schedule_asks_for_a_transition_outside_the_tables(explored: Explorer) -> None:
    assert explored.refusals == 0


def test_the_exploration_reaches_both_outcomes_in_full(explored: Explorer) -> None:
    ends = [tuple(leg.state for leg in p.legs) for p in explored.points.values() if p.is_resolved]
    assert (LegState.RELEASED, LegState.RELEASED) in ends
    assert (LegState.REFUNDED, LegState.REFUNDED) in ends
    assert (LegState.TOMBSTONE, LegState.REFUSED) in ends
    assert len(explored.points) > 500


def test_a_final_decision_is_never_rewritten(explored: Explorer) -> None:
    for key, point in explored.points.items():
        for before in explored.before.get(key, set()):
            decided = explored.points[before].hub.decision
            assert decided is None or point.hub.decision is decided


@pytest.mark.parametrize(
    ("classes", "harm"),
    [
        ({"leg_class": Impatient}, "unsafe"),
        ({"leg_class": Hasty}, "unsafe"),
        ({"hub_class": Rash}, "unsafe"),
        ({"leg_class": Forgetful}, "stuck"),
    ],
    ids=[
        "local time-lock refund",
        "votes before leg finality",
        "decisions before hub finality",
        "no tombstone",
    ],
)
def test_each_broken_variant_is_caught(classes: dict[str, Any], harm: str) -> None:
    found = Explorer(**classes, enough=1 if harm == "unsafe" else 0)
    assert getattr(found, harm) > 0


def test_every_row_of_the_tables_is_used() -> None:
    used: set[tuple[Any, Any]] = set()

    class WatchedLeg(Leg):
        def _step(self, happened: LegInput) -> LegState:
            used.add((self.state, happened))
            return super()._step(happened)

    class WatchedHub(HubDeal):
        def _step(self, happened: DealInput) -> DealState:
            used.add((self.state, happened))
            return super()._step(happened)

    Explorer(hub_class=WatchedHub, leg_class=WatchedLeg)
    alone = {DealInput.ALONE_LOCKED, DealInput.ALONE_REFUSED}
    rows = {
        (state, each) for table in (DEAL_TABLE, LEG_TABLE) for state, row in table.items() for each in row
    }
    assert {row for row in rows if row[1] not in alone} == used


# --- one record at a time -------------------------------------------------------------------------


def test_a_vote_needs_the_block_of_the_lock_to_be_final() -> None:
    leg = Leg()
    assert leg.on_prepare(True) is LegState.LOCKED
    assert leg.vote is None
    leg.on_final()
    assert leg.vote is True


def test_finality_of_an_older_block_does_not_finalise_the_head() -> None:
    leg = Leg()
    leg.on_prepare(True)
    leg.on_decision(False)
    leg.on_final(LegState.LOCKED)
    assert (leg.state, leg.is_done) == (LegState.REFUNDED, False)
    leg.on_final(LegState.REFUNDED)
    assert leg.is_done


def test_an_abort_before_the_prepare_leaves_a_tombstone() -> None:
    leg = Leg()
    assert leg.on_decision(False) is LegState.TOMBSTONE
    assert leg.on_prepare(True) is LegState.TOMBSTONE


@pytest.mark.parametrize("state", sorted(LegState))
def test_repeated_packets_change_no_leg(state: LegState) -> None:
    for happened, following in LEG_TABLE[state].items():
        assert LEG_TABLE[following].get(happened) is following


@pytest.mark.parametrize("state", sorted(set(LegState) - {LegState.LOCKED, LegState.RELEASED}))
def test_only_a_locked_leg_is_released(state: LegState) -> None:
    with pytest.raises(CommitError):
        Leg(state, state).on_decision(True)


def test_votes_at_decide_by_are_too_late() -> None:
    deal = HubDeal(BOTH)
    deal.on_vote("a", True, DECIDE_BY - 1)
    assert deal.on_vote("b", True, DECIDE_BY) is DealState.ABORTED
    in_time = HubDeal(BOTH)
    in_time.on_vote("a", True, 0)
    assert in_time.on_vote("b", True, DECIDE_BY - 1) is DealState.COMMITTED
    assert in_time.on_time(DECIDE_BY) is DealState.COMMITTED


def test_one_vote_twice_is_not_two_votes() -> None:
    deal = HubDeal(BOTH)
    deal.on_vote("a", True, 0)
    assert deal.on_vote("a", True, 0) is DealState.PREPARING


def test_one_refusal_aborts() -> None:
    deal = HubDeal(BOTH)
    deal.on_vote("a", True, 0)
    assert deal.on_vote("b", False, 0) is DealState.ABORTED


def test_a_decision_leaves_only_from_a_final_block() -> None:
    deal = HubDeal(BOTH)
    deal.on_vote("a", False, 0)
    assert deal.decision is None
    deal.on_final()
    assert deal.decision == "abort"


def test_a_hub_reorg_takes_the_decision_and_the_votes_back() -> None:
    deal = HubDeal(BOTH)
    for _ in range(2):
        deal.on_vote("a", True, 0)
        assert deal.on_vote("b", True, 0) is DealState.COMMITTED
        assert deal.on_reorg() is DealState.PREPARING
    assert deal.on_time(DECIDE_BY) is DealState.ABORTED


def test_a_deal_closes_once_every_leg_has_acknowledged() -> None:
    for locked, end in ((True, DealState.SETTLED), (False, DealState.CLOSED)):
        deal = HubDeal(BOTH)
        deal.on_vote("a", True, 0)
        deal.on_vote("b", locked, 0)
        deal.on_final()
        assert deal.on_ack("a") is not end
        assert deal.on_ack("a") is not end
        assert deal.on_ack("b") is end


def test_an_undecided_deal_takes_no_acknowledgement() -> None:
    deal = HubDeal(BOTH)
    with pytest.raises(CommitError):
        deal.on_ack("a")
    assert deal.acknowledgements == frozenset()


def test_a_strange_chain_has_no_say() -> None:
    with pytest.raises(CommitError):
        HubDeal(BOTH).on_vote("c", True, 0)
    with pytest.raises(CommitError):
        HubDeal(BOTH).on_ack("c")


@pytest.mark.parametrize(
    ("can_lock", "now", "state", "leg_state"),
    [
        (True, DECIDE_BY - 1, DealState.SETTLED, LegState.RELEASED),
        (True, DECIDE_BY, DealState.CLOSED, LegState.REFUNDED),
        (False, 0, DealState.CLOSED, LegState.REFUSED),
    ],
)
def test_a_deal_on_one_chain_is_one_transaction(
    can_lock: bool, now: int, state: DealState, leg_state: LegState
) -> None:
    deal, leg = HubDeal(ALONE), Leg()
    for _ in range(2):
        leg.on_prepare(can_lock)
        assert deal.on_vote("a", can_lock, now) is state
        assert leg.on_decision(deal.decision is Decision.COMMIT) is leg_state
        assert deal.on_time(DECIDE_BY) is state


def test_a_deal_on_one_chain_that_never_arrives_closes_in_time() -> None:
    deal = HubDeal(ALONE)
    assert deal.on_time(DECIDE_BY - 1) is DealState.PREPARING
    assert deal.on_time(DECIDE_BY) is DealState.CLOSED
    assert deal.decision is Decision.ABORT


# --- plans ----------------------------------------------------------------------------------------


def test_the_root_binds_every_part_of_every_leg() -> None:
    other = Transfer(debit=owner_account("0xa1"), credit=venue_account("v"), asset="USDC", amount=8)
    changes: list[dict[str, Any]] = [{"chain": "c"}, {"transfers": (other,)}, {"lots": (("v/s/sell/5", 4),)}]
    plans = [replace(BOTH, legs=(replace(BOTH.legs[0], **change), BOTH.legs[1])) for change in changes]
    roots = {plan.root for plan in (*plans, BOTH, replace(BOTH, deal="d2"))}
    assert len(roots) == 5


def test_the_root_does_not_depend_on_the_order_of_legs() -> None:
    assert make_plan("a", "b", "c").root == make_plan("c", "a", "b").root


def test_each_leg_is_proved_to_its_chain_and_a_changed_one_is_not() -> None:
    plan = make_plan("a", "b", "c", "d", "e")
    for leg in plan.legs:
        proof = plan.proof(leg.chain)
        assert is_leg_of(plan.root, "d1", leg, proof)
        assert not is_leg_of(plan.root, "d2", leg, proof)
        assert not is_leg_of(plan.root, "d1", make_leg(leg.chain, lots=()), proof)


@pytest.mark.parametrize(
    "changes",
    [{"legs": ()}, {"legs": (make_leg("a"), make_leg("a"))}, {"bridges": (("a-b", "USDC", 0),)}],
)
def test_an_impossible_plan_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(CommitError):
        replace(BOTH, **changes)
