"""What the market tells about its rounds: read models, folded from the events and nothing else.

The engine keeps what decides; this keeps what is shown: one line per auction, the reason of every order
in its latest rounds, and the standing of every solver. Folding the same events gives the same records,
so they are rebuilt with the engine and never stored.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from typing import Final

from msgspec import UnsetType

from intents.events import AuctionCut, AuctionDecided, AuctionPublished, Event
from solvers.auction import Auction
from solvers.outcome import Outcome
from solvers.reasons import BidReason, OrderReason

ROUNDS_KEPT: Final = 200
"""How many of its latest rounds an order remembers; all of them are in the auctions."""


class AuctionStatus(StrEnum):
    """Where a published auction stands."""

    SOLVING = "solving"
    DECIDED = "decided"
    VOID = "void"
    """Never decided: the service stopped in between, and a later round took its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuctionLine:
    """One auction in a list; score and bound in micro-USDC, zero before it is decided."""

    auction: str
    cut_us: int
    solve_us: int
    content_hash: str
    orders: int
    not_selected: int
    status: AuctionStatus = AuctionStatus.SOLVING
    bids: int = 0
    deals: int = 0
    score: int = 0
    bound: int = 0
    proved: bool = False
    decided_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRound:
    """What became of an order in one round."""

    auction: str
    reason: str
    units: int


@dataclass(slots=True, kw_only=True)
class Standing:
    """What one solver has done so far; `score` is the micro-USDC that its winning bids brought."""

    solver: str
    rounds: int = 0
    bids: int = 0
    wins: int = 0
    score: int = 0
    bid_reasons: Counter[str] = field(default_factory=Counter)
    round_reasons: Counter[str] = field(default_factory=Counter)


class Records:
    """The read models; `apply` folds one event, after it has become durable."""

    def __init__(self) -> None:
        self._auctions: dict[str, AuctionLine] = {}
        self._places: dict[str, int] = {}
        self._rounds: dict[str, deque[OrderRound]] = {}
        self._standings: dict[str, Standing] = {}
        self._solving: str | None = None

    @property
    def standings(self) -> Mapping[str, Standing]:
        """Every solver that ever bid or took part, the house included."""
        return self._standings

    def auction(self, auction: str) -> AuctionLine | None:
        """One published auction."""
        return self._auctions.get(auction)

    def auctions(self, *, after: str | None, limit: int) -> list[AuctionLine]:
        """Published auctions in order, behind one of them.

        Raises
        ------
        KeyError
            If there is no auction `after`.
        """
        start = 0 if after is None else self._places[after] + 1
        return list(islice(self._auctions.values(), start, start + limit))

    def rounds_of(self, intent: str) -> tuple[OrderRound, ...]:
        """The latest rounds an order was in, oldest first, at most `ROUNDS_KEPT`."""
        return tuple(self._rounds.get(intent, ()))

    def apply(self, event: Event) -> None:
        """Fold one event."""
        match event:
            case AuctionCut():
                self._void_unfinished()
            case AuctionPublished():
                self._publish(event.auction, event.not_selected)
            case AuctionDecided():
                self._decide(event)
            case _:
                pass

    def _void_unfinished(self) -> None:
        if self._solving is not None:
            line = self._auctions[self._solving]
            self._auctions[line.auction] = replace(line, status=AuctionStatus.VOID)
            self._solving = None

    def _publish(self, auction: Auction, not_selected: tuple[str, ...]) -> None:
        self._solving = auction.auction
        self._places[auction.auction] = len(self._auctions)
        self._auctions[auction.auction] = AuctionLine(
            auction=auction.auction,
            cut_us=auction.cut_us,
            solve_us=auction.solve_us,
            content_hash=auction.content_hash,
            orders=len(auction.orders),
            not_selected=len(not_selected),
        )
        for intent in not_selected:
            self._remember(intent, auction=auction.auction, reason=OrderReason.NOT_SELECTED, units=0)

    def _decide(self, event: AuctionDecided) -> None:
        outcome = event.outcome
        self._solving = None
        self._auctions[event.auction] = replace(
            self._auctions[event.auction],
            status=AuctionStatus.DECIDED,
            bids=len(outcome.bids),
            deals=len(outcome.deals),
            score=outcome.choice.score,
            bound=outcome.choice.bound,
            proved=outcome.choice.proved,
            decided_us=event.at_us,
        )
        for record in outcome.orders:
            self._remember(record.intent, auction=event.auction, reason=record.reason, units=record.units)
        self._count(outcome)

    def _remember(self, intent: str, *, auction: str, reason: str, units: int) -> None:
        rounds = self._rounds.setdefault(intent, deque(maxlen=ROUNDS_KEPT))
        rounds.append(OrderRound(auction=auction, reason=str(reason), units=units))

    def _count(self, outcome: Outcome) -> None:
        for report in outcome.solvers:
            self._standing(report.solver).round_reasons[report.reason] += 1
        solvers = {report.solver for report in outcome.solvers} | {bid.solver for bid in outcome.bids}
        for solver in sorted(solvers):
            self._standing(solver).rounds += 1
        for bid in outcome.bids:
            standing = self._standing(bid.solver)
            standing.bids += 1
            standing.bid_reasons[bid.reason] += 1
            if bid.reason == BidReason.WON and not isinstance(bid.score, UnsetType):
                standing.wins += 1
                standing.score += bid.score

    def _standing(self, solver: str) -> Standing:
        return self._standings.setdefault(solver, Standing(solver=solver))
