"""The hub-decided atomic commit: a deal settles on every chain it touches, or on none.

A pure protocol machine in two parts. `HubDeal` is the deal's record on the hub; `Leg` is its record
on one chain it touches. They know no time heap and no network: the world carries the packets, says
when blocks become final, and does the locking. All transitions are in the two tables of
`chains.commit_table`; what a table does not hold is refused with `CommitError`.

1. `PREPARE` is written on the hub with the deal and its deadlines. `DealPlan.root` commits to all legs,
   and `DealPlan.proof` lets a chain that sees its own leg alone check it; the simulated chains see the plan.
2. Each chain locks its leg, or writes `REFUSED`. An abort that arrives first leaves a `TOMBSTONE`.
3. A leg votes only once the block of its lock or refusal is final.
4. All votes in before `decide_by` on the hub's clock: `COMMITTED`. Any refusal, or time: `ABORTED`.
5. A decision leaves the hub only once its block is final; legs release or refund and acknowledge,
   and the deal is `SETTLED` or `CLOSED`.

There is no time-lock on a leg: only the hub's clock decides. Since every vote after `decide_by`
writes `ABORTED`, a final hub block at or past `decide_by` without `COMMITTED` proves the abort, also
where a reorg of the hub has removed the `PREPARE` that legs already follow.
Packets may be lost, repeated and reordered: every record ignores what it has already seen. A reorg
takes back what is not final, and what was lost with it is carried again. A deal on one chain alone
needs no votes: that chain's own transaction locks, decides and releases.

Honest limits: while the hub is down, locked legs wait for it; a reorg past finality is a safety fault.

Source: Herlihy, Liskov, Shrira, "Cross-chain Deals and Adversarial Commerce" (VLDB 2019), the certified
blockchain protocol; Zakhary et al., AC3WN (VLDB 2020); packets after IBC ICS-04.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from chains.commit_table import (
    DEAL_TABLE,
    LEG_ENDS,
    LEG_TABLE,
    DealInput,
    DealState,
    Decision,
    LegInput,
    LegState,
)
from chains.deadlines import Deadlines
from chains.errors import CommitError
from chains.ledger import Transfer
from chains.merkle import is_proved, merkle_proof, merkle_root

__all__ = ["DealPlan", "DealState", "Decision", "HubDeal", "Leg", "LegPlan", "LegState", "is_leg_of"]

_VOTES: Final[Mapping[LegState, bool]] = {
    LegState.LOCKED: True,
    LegState.RELEASED: True,
    LegState.REFUNDED: True,
    LegState.REFUSED: False,
}
_DECISIONS: Final[Mapping[DealState, Decision]] = {
    DealState.COMMITTED: Decision.COMMIT,
    DealState.SETTLED: Decision.COMMIT,
    DealState.ABORTED: Decision.ABORT,
    DealState.CLOSED: Decision.ABORT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LegPlan:
    """What one chain does if the deal commits.

    Attributes
    ----------
    chain : the chain
    transfers : the batch to hold at prepare and to post at release
    lots : (offer id, lots) to lock at the chain's venues
    """

    chain: str
    transfers: tuple[Transfer, ...]
    lots: tuple[tuple[str, int], ...]

    def content(self, deal: str) -> bytes:
        """The bytes that stand for this leg of a deal in the Merkle tree: canonical JSON."""
        transfers = [(t.debit, t.credit, t.asset, t.amount) for t in self.transfers]
        return msgspec.json.encode((deal, self.chain, transfers, self.lots))


@dataclass(frozen=True, slots=True, kw_only=True)
class DealPlan:
    """A deal to settle: one leg per chain, what its bridges carry, and its deadlines.

    Attributes
    ----------
    deal : deal id
    legs : at least one, each on another chain
    bridges : (bridge id, asset, amount) the deal needs of the bridges' capacities
    deadlines : instants on the hub's clock

    Raises
    ------
    CommitError
        If there is no leg, if two are on one chain, or if lots or amounts are not positive.
    """

    deal: str
    legs: tuple[LegPlan, ...]
    bridges: tuple[tuple[str, str, int], ...]
    deadlines: Deadlines

    def __post_init__(self) -> None:
        if not self.legs or len(set(self.chains)) != len(self.legs):
            raise CommitError(f"deal {self.deal}: needs one leg on each of its chains, has {self.chains}")
        lots = [lots for leg in self.legs for _, lots in leg.lots]
        if any(size <= 0 for size in (*lots, *(amount for _, _, amount in self.bridges))):
            raise CommitError(f"deal {self.deal}: lots and amounts must be positive")

    @property
    def chains(self) -> tuple[str, ...]:
        """The chains the deal touches, in the order of its legs."""
        return tuple(leg.chain for leg in self.legs)

    @property
    def is_alone(self) -> bool:
        """Whether the deal touches one chain alone, and so is one transaction there."""
        return len(self.legs) == 1

    @property
    def root(self) -> bytes:
        """The Merkle root over the legs (32 bytes); it does not depend on their order."""
        return merkle_root(self._contents())

    def proof(self, chain: str) -> tuple[bytes, ...]:
        """What a prepare carries to a chain beside its leg: the proof that the root holds the leg."""
        return merkle_proof(self._contents(), self.leg(chain).content(self.deal))

    def leg(self, chain: str) -> LegPlan:
        """The leg on a chain.

        Raises
        ------
        CommitError
            If the deal does not touch the chain.
        """
        for leg in self.legs:
            if leg.chain == chain:
                return leg
        raise CommitError(f"deal {self.deal} has no leg on {chain!r}")

    def _contents(self) -> list[bytes]:
        return [leg.content(self.deal) for leg in self.legs]


def is_leg_of(root: bytes, deal: str, leg: LegPlan, proof: tuple[bytes, ...]) -> bool:
    """Whether a prepare packet is genuine: the root written on the hub holds exactly this leg."""
    return is_proved(root, leg.content(deal), proof)


@dataclass(slots=True)
class Leg:
    """A deal's record on one chain: its state at the head of the chain, and in its final blocks.

    Attributes
    ----------
    state : at the head
    final_state : in the newest final block; a reorg takes the record back to it
    """

    state: LegState = LegState.NONE
    final_state: LegState = LegState.NONE

    @property
    def vote(self) -> bool | None:
        """The leg's vote: True (locked) or False (refused), None until its block is final."""
        return _VOTES.get(self.final_state)

    @property
    def is_done(self) -> bool:
        """Whether the leg is over for good; with the decision at hand it may acknowledge."""
        return self.final_state in LEG_ENDS

    def on_prepare(self, can_lock: bool) -> LegState:
        """Take a prepare; `can_lock` counts only for the first one (`state` is then ``NONE``)."""
        return self._step(LegInput.PREPARE_LOCKS if can_lock else LegInput.PREPARE_FAILS)

    def on_decision(self, commit: bool) -> LegState:
        """Take the hub's decision.

        Raises
        ------
        CommitError
            If a commit comes to a leg that has not locked, or contradicts an earlier decision.
        """
        return self._step(LegInput.RELEASE if commit else LegInput.REFUND)

    def on_final(self, state: LegState | None = None) -> LegState:
        """Note that the block which wrote `state` (default: the state at the head) is final.

        If the head has moved on from that state, nothing changes: its own block comes later.
        """
        if state is None or state is self.state:
            self.final_state = self.state
        return self.state

    def on_reorg(self) -> LegState:
        """Forget what is not final; its packets can be carried again."""
        self.state = self.final_state
        return self.state

    def _step(self, happened: LegInput) -> LegState:
        following = LEG_TABLE[self.state].get(happened)
        if following is None:
            raise CommitError(f"a leg that is {self.state} takes no {happened.name}")
        self.state = following
        return following


@dataclass(slots=True)
class HubDeal:
    """A deal's record on the hub: its state at the head and in the final blocks, votes and acknowledgements.

    Attributes
    ----------
    plan : what is to be settled
    state : at the head
    final_state : in the newest final block; a reorg takes the record back to it
    votes : chains whose lock was voted
    acknowledgements : chains that have carried out the decision
    """

    plan: DealPlan
    state: DealState = DealState.PREPARING
    final_state: DealState = DealState.PREPARING
    votes: frozenset[str] = field(default=frozenset())
    acknowledgements: frozenset[str] = field(default=frozenset())

    @property
    def decision(self) -> Decision | None:
        """The decision that may leave the hub: None until its block is final.

        A deal on one chain alone is decided within its own transaction, so at the head.
        """
        return _DECISIONS.get(self.state if self.plan.is_alone else self.final_state)

    def on_vote(self, chain: str, locked: bool, now_us: int) -> DealState:
        """Take the vote of a leg in a hub block of time `now_us` (microseconds).

        The votes must all be in before `decide_by`; one that comes at or past it writes the abort.

        Raises
        ------
        CommitError
            If the deal has no leg on the chain, or if a leg goes back on its vote.
        """
        self.plan.leg(chain)
        in_time = now_us < self.plan.deadlines.decide_by_us
        if self.plan.is_alone:
            return self._step(DealInput.ALONE_LOCKED if locked and in_time else DealInput.ALONE_REFUSED)
        if not in_time:
            return self._step(DealInput.TIME_OUT)
        if not locked:
            return self._step(DealInput.REFUSED)
        self.votes |= {chain}
        complete = self.votes == frozenset(self.plan.chains)
        return self._step(DealInput.ALL_LOCKED if complete else DealInput.LOCKED)

    def on_time(self, now_us: int) -> DealState:
        """Note a hub block of time `now_us` (microseconds): at or past `decide_by` it aborts."""
        if now_us < self.plan.deadlines.decide_by_us:
            return self.state
        return self._step(DealInput.ALONE_REFUSED if self.plan.is_alone else DealInput.TIME_OUT)

    def on_ack(self, chain: str) -> DealState:
        """Take a leg's word that it has carried out the decision.

        Raises
        ------
        CommitError
            If the deal has no leg on the chain, or if nothing was decided yet.
        """
        self.plan.leg(chain)
        acknowledgements = self.acknowledgements | {chain}
        complete = acknowledgements == frozenset(self.plan.chains)
        self._step(DealInput.ALL_ACKNOWLEDGED if complete else DealInput.ACKNOWLEDGED)
        self.acknowledgements = acknowledgements
        return self.state

    def on_final(self, state: DealState | None = None) -> DealState:
        """Note that the hub block which wrote `state` (default: the state at the head) is final.

        If the head has moved on from that state, nothing changes: its own block comes later.
        """
        if state is None or state is self.state:
            self.final_state = self.state
        return self.state

    def on_reorg(self) -> DealState:
        """Forget what is not final, and all votes and acknowledgements: they can be carried again."""
        self.state = self.final_state
        self.votes = self.acknowledgements = frozenset()
        return self.state

    def _step(self, happened: DealInput) -> DealState:
        following = DEAL_TABLE[self.state].get(happened)
        if following is None:
            raise CommitError(f"deal {self.plan.deal}, {self.state}, takes no {happened.name}")
        self.state = following
        return following
