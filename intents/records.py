"""What the market tells about its rounds: read models, folded from the events and nothing else.

The engine keeps what decides; this keeps what is shown: one line per auction, the reason of every order
in its latest rounds, and the standing of every solver. Folding the same events gives the same records,
so they are rebuilt with the engine and never stored.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from typing import Final

from msgspec import Struct, UnsetType, structs

from chains.units import BPS, floor_div
from intents.events import AuctionCut, AuctionDecided, AuctionPublished, Event
from solvers.explanation import describe_order
from solvers.outcome import Numbers, Outcome
from solvers.reasons import BidReason, OrderReason, SolverReason

ROUNDS_KEPT: Final = 200
"""How many of its latest rounds an order remembers; all of them are in the auctions."""

ROUNDS_KEPT_AFTER: Final = 8
"""How many of them, once it has not been in a round for `ROUNDS_KEPT` auctions."""


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


class OrderRound(Struct, frozen=True, kw_only=True, gc=False):
    """What became of an order in one round: a struct, since there is one for every order and round."""

    auction: str
    reason: str
    units: int
    numbers: Numbers | None = None

    @property
    def detail(self) -> str:
        """The same in one sentence."""
        return describe_order(self.reason, self.numbers)


@dataclass(slots=True, kw_only=True)
class Standing:
    """What one solver has done so far, by the decisions; money in micro-USDC.

    What came of its deals since is in `intents.solver_accounts`.

    Attributes
    ----------
    rounds, rounds_won : rounds in which it was asked or bid, and those in which a bid of it won
    bids, wins : what it sent, and how many bids of it won
    score : what its winning bids scored
    marginal : what it added to proved rounds, together
    rewards : what it was awarded, to be paid where its deals settle
    bid_reasons, round_reasons : how often each reason was given for a bid and for its way through a round
    """

    solver: str
    rounds: int = 0
    rounds_won: int = 0
    bids: int = 0
    wins: int = 0
    score: int = 0
    marginal: int = 0
    rewards: int = 0
    bid_reasons: Counter[str] = field(default_factory=Counter)
    round_reasons: Counter[str] = field(default_factory=Counter)

    @property
    def win_rate_bps(self) -> int:
        """Of 10,000 rounds it took part in, those it won something in; rounded down."""
        return floor_div(BPS * self.rounds_won, self.rounds) if self.rounds else 0


class Records:
    """The read models; `apply` folds one event, after it has become durable."""

    def __init__(self) -> None:
        self._auctions: dict[str, AuctionLine] = {}
        self._places: dict[str, int] = {}
        self._rounds: dict[str, list[OrderRound]] = {}
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
                self._publish(event)
            case AuctionDecided():
                self._decide(event)
            case _:
                pass

    def _void_unfinished(self) -> None:
        if self._solving is not None:
            line = self._auctions[self._solving]
            self._auctions[line.auction] = replace(line, status=AuctionStatus.VOID)
            self._solving = None

    def _publish(self, event: AuctionPublished) -> None:
        auction, not_selected = event.auction, event.not_selected
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
        room = len(auction.orders)
        for place, intent in enumerate(not_selected, start=room + 1):
            found = Numbers(where=auction.auction, found=place, allowed=room)
            self._remember(intent, _left_out(auction.auction, OrderReason.NOT_SELECTED.value, found))
        for each in event.withheld:
            self._remember(each.intent, _left_out(auction.auction, each.reason, each.numbers))
        if len(self._auctions) % ROUNDS_KEPT == 0:
            self._forget(len(self._auctions) - ROUNDS_KEPT)

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
            found = None if isinstance(record.numbers, UnsetType) else record.numbers
            round_ = OrderRound(
                auction=event.auction, reason=str(record.reason), units=record.units, numbers=found
            )
            self._remember(record.intent, round_)
        self._count(outcome)

    def _remember(self, intent: str, round_: OrderRound) -> None:
        """Add a round; an order that waits often waits for the same, so equal numbers are kept once."""
        rounds = self._rounds.get(intent)
        if rounds is None:
            self._rounds[intent] = [round_]
            return
        if rounds[-1].numbers == round_.numbers:
            round_ = structs.replace(round_, numbers=rounds[-1].numbers)
        rounds.append(round_)
        if len(rounds) > ROUNDS_KEPT:
            del rounds[0]

    def _forget(self, before: int) -> None:
        """Keep little of what has not been in a round since the auction at this place."""
        for rounds in self._rounds.values():
            if len(rounds) > ROUNDS_KEPT_AFTER and self._places[rounds[-1].auction] < before:
                del rounds[:-ROUNDS_KEPT_AFTER]

    def _count(self, outcome: Outcome) -> None:
        for report in outcome.solvers:
            self._standing(report.solver).round_reasons[report.reason] += 1
        asked = {each.solver for each in outcome.solvers if each.reason != SolverReason.BOND_EXHAUSTED}
        for solver in sorted(asked | {bid.solver for bid in outcome.bids}):
            self._standing(solver).rounds += 1
        for solver in sorted({bid.solver for bid in outcome.bids if bid.reason == BidReason.WON}):
            self._standing(solver).rounds_won += 1
        for bid in outcome.bids:
            standing = self._standing(bid.solver)
            standing.bids += 1
            standing.bid_reasons[bid.reason] += 1
            if bid.reason == BidReason.WON and not isinstance(bid.score, UnsetType):
                standing.wins += 1
                standing.score += bid.score
        for reward in outcome.rewards:
            standing = self._standing(reward.solver)
            standing.marginal += reward.marginal if reward.proved else 0
            standing.rewards += reward.amount

    def _standing(self, solver: str) -> Standing:
        return self._standings.setdefault(solver, Standing(solver=solver))


def _left_out(auction: str, reason: str, found: Numbers) -> OrderRound:
    """The round of an order that was open and is not in the auction."""
    return OrderRound(auction=auction, reason=reason, units=0, numbers=found)
