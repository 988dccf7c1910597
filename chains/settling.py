"""Deals in flight: the hub-decided atomic commit, carried over chains that have clocks.

`chains.commit` decides; this module carries packets, waits for blocks and finality, and has each chain
do what its leg says. Every chain has a block at each multiple of its block time. What reaches a
chain is in its first block after that instant; a block is final `finality_us` later; a packet takes
`relay_us` between a chain and the hub. So a deal over several chains runs

    hub block: PREPARE  ->  each chain's block: lock or refuse  ->  final: vote  ->  hub block: decision
    ->  final: decision packets  ->  each chain's block: release or refund  ->  final: acknowledgement
    ->  hub block: SETTLED or CLOSED

and the first hub block at or past `decide_by` aborts what is still undecided. A chain locks nothing
after `lock_by`: a refusal is always safe, and so no leg is locked past the deal's release bound, however
late it was handed in. An acknowledgement waits
for the finality of its own block, so the hub may close a deal after its release bound; the legs
themselves end within it. A deal on one chain alone is one transaction in that chain's first block after
`relay_us`: it locks and releases, or leaves no trace.
"""

from collections.abc import Callable, Mapping

from chains.agenda import Priority
from chains.commit import DealPlan, DealState, Decision, HubDeal, LegState
from chains.deals import DealRecord, DealUpdate, LegRecord, Packet, PacketKind
from chains.errors import CommitError
from chains.locking import Locking
from chains.pledges import BridgePledges
from chains.snapshot import ChainTerms
from chains.timeline import expect_deal, is_in_time, next_block
from chains.units import ceil_div


class Settling:
    """Carries deals from prepare to their end.

    Attributes
    ----------
    deals : every deal ever handed in, by id
    bridges : what deals have in use of the bridges' capacities
    locking : what deals do at ledgers and venues
    """

    def __init__(
        self,
        *,
        hub: str,
        chains: Mapping[str, ChainTerms],
        locking: Locking,
        bridges: BridgePledges,
        schedule: Callable[[int, Priority, Packet], None],
    ) -> None:
        self._hub = chains[hub]
        self._chains = chains
        self._schedule = schedule
        self.locking = locking
        self.bridges = bridges
        self.deals: dict[str, DealRecord] = {}
        self._updates: list[DealUpdate] = []
        self._handlers = {
            PacketKind.WRITE: self._write,
            PacketKind.PREPARE: self._prepare,
            PacketKind.LEG_FINAL: self._leg_final,
            PacketKind.VOTE: self._vote,
            PacketKind.TIME: self._time,
            PacketKind.HUB_FINAL: self._hub_final,
            PacketKind.DECISION: self._decision,
            PacketKind.ACK: self._ack,
            PacketKind.ALONE: self._alone,
            PacketKind.RESTORE: self._restore,
        }

    def begin(self, plan: DealPlan, *, now_us: int) -> None:
        """Hand in a deal: what it needs is pledged at once, and its first packet goes out.

        Raises
        ------
        CommitError
            If the deal is known already, names something that does not exist, or needs what other
            deals hold of a bridge. Nothing changes then.
        """
        if plan.deal in self.deals:
            raise CommitError(f"deal {plan.deal!r} was handed in before")
        for name, _, _ in plan.bridges:
            bridge = self.bridges.bridge(name)
            if not {bridge.source, bridge.target} <= set(plan.chains):
                raise CommitError(f"deal {plan.deal!r} has no leg at both ends of bridge {name!r}")
        self.bridges.check(plan.bridges)
        self.locking.pledge(plan)
        if now_us > plan.deadlines.lock_by_us:
            for chain in plan.chains:
                self.locking.pledges.end(plan.deal, chain)
        self.bridges.pledge(plan.bridges)
        legs = {chain: LegRecord() for chain in plan.chains}
        touched = [self._chains[chain] for chain in plan.chains]
        expected = expect_deal(touched, hub=self._hub, now_us=now_us)
        self.deals[plan.deal] = DealRecord(
            hub=HubDeal(plan),
            legs=legs,
            prepared_us=now_us,
            in_time=is_in_time(expected, plan.deadlines),
        )
        if plan.is_alone:
            self._send_out(PacketKind.ALONE, plan.deal, plan.chains[0], now_us)
            return
        written_us = next_block(self._hub, now_us)
        decide_by = ceil_div(plan.deadlines.decide_by_us, self._hub.block_us) * self._hub.block_us
        self._enter(written_us, Packet(PacketKind.WRITE, plan.deal))
        self._enter(max(decide_by, written_us), Packet(PacketKind.TIME, plan.deal))

    def carry(self, packet: Packet, *, now_us: int) -> None:
        """Do what a packet says; it is due now."""
        self._handlers[packet.kind](packet, self.deals[packet.deal], now_us)

    def take_updates(self) -> tuple[DealUpdate, ...]:
        """The changes since the last call, in order."""
        updates = tuple(self._updates)
        self._updates.clear()
        return updates

    def _write(self, packet: Packet, record: DealRecord, now_us: int) -> None:
        for chain in record.legs:
            self._send_out(PacketKind.PREPARE, packet.deal, chain, now_us)

    def _prepare(self, packet: Packet, record: DealRecord, now_us: int) -> None:
        leg = record.legs[packet.place]
        if leg.state is LegState.NONE:
            self._answer(packet, record, now_us)
        else:
            leg.leg.on_prepare(can_lock=False)
        self._await_finality(packet, leg.state, now_us)

    def _answer(self, packet: Packet, record: DealRecord, now_us: int) -> None:
        leg, plan = record.legs[packet.place], record.hub.plan
        in_time = now_us <= plan.deadlines.lock_by_us
        if in_time:
            leg.refusal = self.locking.lock(packet.deal, plan.leg(packet.place), now_us=now_us)
        else:
            self.locking.pledges.end(packet.deal, packet.place)
        leg.leg.on_prepare(can_lock=in_time and leg.refusal is None)
        leg.answered_us = now_us

    def _leg_final(self, packet: Packet, record: DealRecord, now_us: int) -> None:
        leg = record.legs[packet.place]
        assert isinstance(packet.state, LegState)
        leg.leg.on_final(packet.state)
        if leg.ended_us is not None:
            if leg.leg.is_done:
                self._send_back(PacketKind.ACK, packet.deal, packet.place, now_us)
        elif leg.leg.vote is not None:
            if leg.voted_us is None:
                leg.voted_us = now_us
            self._send_back(PacketKind.VOTE, packet.deal, packet.place, now_us)

    def _vote(self, packet: Packet, record: DealRecord, now_us: int) -> None:
        vote = record.legs[packet.place].leg.vote
        assert vote is not None
        before = record.state
        record.hub.on_vote(packet.place, vote, now_us)
        self._follow(record, before, now_us)

    def _time(self, packet: Packet, record: DealRecord, now_us: int) -> None:
        before = record.state
        record.hub.on_time(now_us)
        self._follow(record, before, now_us)

    def _hub_final(self, packet: Packet, record: DealRecord, now_us: int) -> None:
        assert isinstance(packet.state, DealState)
        record.hub.on_final(packet.state)
        if packet.state in (DealState.COMMITTED, DealState.ABORTED):
            for chain in record.legs:
                self._send_out(PacketKind.DECISION, packet.deal, chain, now_us)

    def _decision(self, packet: Packet, record: DealRecord, now_us: int) -> None:
        self._carry_out(packet, record, now_us)
        self._await_finality(packet, record.legs[packet.place].state, now_us)

    def _carry_out(self, packet: Packet, record: DealRecord, now_us: int) -> None:
        leg = record.legs[packet.place]
        commit = record.hub.decision is Decision.COMMIT
        was_locked = leg.state is LegState.LOCKED
        leg.leg.on_decision(commit)
        if leg.ended_us is None:
            leg.ended_us = now_us
        self.locking.pledges.end(packet.deal, packet.place)
        if was_locked:
            self.locking.end(packet.deal, record.hub.plan.leg(packet.place), commit=commit)

    def _ack(self, packet: Packet, record: DealRecord, now_us: int) -> None:
        before = record.state
        record.hub.on_ack(packet.place)
        self._follow(record, before, now_us)

    def _alone(self, packet: Packet, record: DealRecord, now_us: int) -> None:
        self._answer(packet, record, now_us)
        before = record.state
        locked = record.legs[packet.place].state is LegState.LOCKED
        record.hub.on_vote(packet.place, locked, now_us)
        self._carry_out(packet, record, now_us)
        self._follow(record, before, now_us)

    def _restore(self, packet: Packet, record: DealRecord, now_us: int) -> None:
        self.bridges.give_back(load for load in record.hub.plan.bridges if load[0] == packet.place)

    def _follow(self, record: DealRecord, before: DealState, now_us: int) -> None:
        """Follow up a change on the hub: the update, its finality, and the bridges' capacity."""
        state, plan = record.state, record.hub.plan
        if state is before:
            return
        self._updates.append(DealUpdate(deal=plan.deal, state=state, at_us=now_us, detail=record.failure))
        if record.decided_us is None:
            record.decided_us = now_us
        if not plan.is_alone:
            final_us = now_us + self._hub.finality_us
            self._enter(final_us, Packet(PacketKind.HUB_FINAL, plan.deal, state=state))
        if state in (DealState.SETTLED, DealState.CLOSED):
            record.ended_us = now_us
            self._free_bridges(record, now_us)

    def _free_bridges(self, record: DealRecord, now_us: int) -> None:
        plan = record.hub.plan
        if record.state is DealState.CLOSED:
            self.bridges.give_back(plan.bridges)
            return
        for name in sorted({name for name, _, _ in plan.bridges}):
            ready_us = now_us + self.bridges.bridge(name).latency_us
            self._schedule(ready_us, Priority.RESTORE, Packet(PacketKind.RESTORE, plan.deal, name))

    def _await_finality(self, packet: Packet, state: LegState, now_us: int) -> None:
        final_us = now_us + self._chains[packet.place].finality_us
        self._enter(final_us, Packet(PacketKind.LEG_FINAL, packet.deal, packet.place, state))

    def _send_out(self, kind: PacketKind, deal: str, chain: str, now_us: int) -> None:
        """Relay a packet from the hub to a chain, into its next block."""
        terms = self._chains[chain]
        self._enter(next_block(terms, now_us + terms.relay_us), Packet(kind, deal, chain))

    def _send_back(self, kind: PacketKind, deal: str, chain: str, now_us: int) -> None:
        """Relay a packet from a chain to the hub, into its next block."""
        arrival_us = now_us + self._chains[chain].relay_us
        self._enter(next_block(self._hub, arrival_us), Packet(kind, deal, chain))

    def _enter(self, at_us: int, packet: Packet) -> None:
        self._schedule(at_us, Priority.PROTOCOL, packet)
