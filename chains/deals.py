"""Deals in the world: their records, the packets that move them, and what is told of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from chains.commit import DealState, HubDeal, Leg, LegState


class PacketKind(StrEnum):
    """What happens to a deal at an instant."""

    WRITE = "the hub writes the prepare"
    PREPARE = "a chain takes the prepare"
    LEG_FINAL = "a block that moved a leg is final"
    VOTE = "the hub counts a vote"
    TIME = "the hub's clock is at or past decide_by"
    HUB_FINAL = "a block that moved the deal on the hub is final"
    DECISION = "a chain takes the decision"
    ACK = "the hub counts an acknowledgement"
    ALONE = "the only chain runs the whole deal"
    RESTORE = "a bridge has brought over what the deal used"


class Packet(NamedTuple):
    """One entry of the agenda.

    Attributes
    ----------
    kind, deal : what happens to which deal
    place : the chain it concerns, or the bridge; empty for what concerns the hub alone
    state : what has become final
    """

    kind: PacketKind
    deal: str
    place: str = ""
    state: LegState | DealState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DealUpdate:
    """A deal has changed its state on the hub, or on its only chain; `detail` says why it failed."""

    deal: str
    state: DealState
    at_us: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a leg could not lock, in words, and the one thing that it could not have.

    Attributes
    ----------
    text : for people
    offer : id of the offer whose lots were not to be had; empty where it was not for want of lots
    account : the ledger account that was short; empty where it was not for want of funds
    """

    text: str
    offer: str = ""
    account: str = ""


@dataclass(slots=True, kw_only=True)
class LegRecord:
    """One leg of a deal and when things happened to it (microseconds, None: not yet).

    Attributes
    ----------
    leg : the protocol's record
    answered_us : the block that locked or refused
    voted_us : when that block was final and the vote left
    ended_us : the block that took the decision
    refusal : what it could not have, if it refused; none where the prepare came after `lock_by`
    """

    leg: Leg = field(default_factory=Leg)
    answered_us: int | None = None
    voted_us: int | None = None
    ended_us: int | None = None
    refusal: Refusal | None = None

    @property
    def state(self) -> LegState:
        """Where the leg stands at the head of its chain."""
        return self.leg.state


@dataclass(slots=True, kw_only=True)
class DealRecord:
    """A deal in the world: the hub's record, its legs by chain, and when the hub moved.

    Attributes
    ----------
    hub : the protocol's record, with the plan
    prepared_us : when it was handed in
    in_time : whether it could then still be locked everywhere and decided (`chains.timeline`)
    decided_us, ended_us : hub blocks of the decision and of the last acknowledgement
    """

    hub: HubDeal
    legs: Mapping[str, LegRecord]
    prepared_us: int
    in_time: bool
    decided_us: int | None = None
    ended_us: int | None = None

    @property
    def state(self) -> DealState:
        """Where the deal stands on the hub."""
        return self.hub.state

    @property
    def failure(self) -> str:
        """Why the deal was aborted: the first leg that refused, or those whose votes did not come."""
        if self.state not in (DealState.ABORTED, DealState.CLOSED):
            return ""
        for chain, leg in self.legs.items():
            if leg.refusal is not None:
                return f"{chain}: {leg.refusal.text}"
        missing = [chain for chain in self.legs if chain not in self.hub.votes]
        return f"not in time: {', '.join(missing)}"

    @property
    def causes(self) -> tuple[Refusal, ...]:
        """The refusals that came before `decide_by`, in the order of the legs: what kept it from settling.

        None where time alone aborted it: a leg that refuses later was late anyhow.
        """
        decide_by_us = self.hub.plan.deadlines.decide_by_us
        return tuple(
            leg.refusal
            for leg in self.legs.values()
            if leg.refusal is not None and leg.answered_us is not None and leg.answered_us < decide_by_us
        )
