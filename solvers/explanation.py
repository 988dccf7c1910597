"""Why: the one reason, with its numbers, of every feasible bid and of every order of a round.

**Bids.** What is in the way of a bid that did not win is found by putting the winners back beside it one
after another, the greatest score first (ties by digest): those that no longer fit are in its way. A bid
that had scored more than they do together would have won. `where` is the first thing that the best of them
does not share: a claim (``order ...``, ``group ...``), otherwise a resource (``offer ...``, ``cash ...``,
``lots ...``), each in the order of names; `CHOICE` where nobody is in the way.

**Orders.** A filled order has the numbers of its fill. Of the feasible bids that would have filled another
one and score anything, the best (ties by digest) says what outbid it. An order without such a bid has what
stood in its way by `solvers.obstacles`.

A winner has the greatest score of a bid that it is in the way of (ties by digest), or 0.

What the numbers of each reason are is said once, in `ORDER_TEXTS`, in the words that users are shown.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET

from solvers.auction import Order
from solvers.obstacles import Obstacles
from solvers.outcome import FilledOrder, Numbers, OrderRecord, numbers
from solvers.reasons import BidReason, OrderReason
from solvers.verification import FeasibleBid
from solvers.view import AuctionView, is_payoff
from solvers.winners import Candidate

CHOICE: Final = "choice"
"""Where a bid that fits beside all winners lost: in a choice that was not proved, or by scoring nothing."""

NAMED_MAX: Final = 5
"""How many winners a detail names."""

ORDER_TEXTS: Final[Mapping[str, str]] = {
    OrderReason.FILLED: "pays {found} micro-USDC, and signed for {allowed}, in deal {where}",
    OrderReason.PARTLY_FILLED: "{found} of {allowed} units are filled, in deal {where}",
    OrderReason.OUTBID: "the best bid for it scores {found}, the winners in its way {allowed}: {where} first",
    OrderReason.SIBLING_FILLED: "{found} units of {where} are filled, which is of the same group",
    OrderReason.NO_OFFER: "no venue within reach offers {where}: {allowed} lots are needed",
    OrderReason.TOO_LATE: "a deal would take until {found} us, and {where} has only until {allowed} us",
    OrderReason.TOO_FEW: "{found} lots of {where} are within reach in time, {allowed} are needed",
    OrderReason.LIMIT_SHORT: "the best offers and the fees that no plan avoids need a limit of at least"
    " {allowed} micro-USDC per unit, not {found}",
    OrderReason.NO_ROUTE: "bridges bring {found} units together in time, and it takes at least {allowed}",
    OrderReason.COSTS_SHORT: "brought together for it alone, its units need a limit of {allowed} micro-USDC"
    " per unit, not {found}",
    OrderReason.NO_BID: "alone it could be filled from a limit of {allowed} micro-USDC per unit, and its own"
    " is {found}, but no bid did",
    OrderReason.NOT_SEARCHED: "its limit of {found} micro-USDC per unit is not below {allowed}, what the best"
    " offers and the fees that no plan avoids need",
    OrderReason.WITHHELD: "{found} units of {where}, which is of the same group, are in settlement",
    OrderReason.NOT_COVERED: "what is held covers {found} units, and it takes at least {allowed}",
    OrderReason.NOT_SELECTED: "it is number {found} in line, and the auction holds {allowed} orders",
}
"""What an order's numbers say, by reason."""

_MEANINGS: Final[Mapping[str, str]] = {each.value: each.meaning for each in OrderReason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of a feasible bid; `blocking` are the digests of the winners in its way, best first."""

    reason: BidReason
    detail: str
    numbers: Numbers
    blocking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The feasible bids of a round as the choice of winners saw them, and whom it chose.

    Attributes
    ----------
    bids, candidates : by digest
    winners : deal ids of the winning bids, by digest, the greatest score first
    capacities : of every resource
    """

    bids: Mapping[str, FeasibleBid]
    candidates: Mapping[str, Candidate]
    winners: Mapping[str, str]
    capacities: Mapping[str, int]

    def name(self, digest: str) -> str:
        """How a bid is called where people read of it."""
        bid = self.bids[digest].bid
        return f"{bid.solver}/{bid.bid}"

    def score(self, digests: Iterable[str]) -> int:
        """What bids score together."""
        return sum(self.candidates[digest].score for digest in digests)


def explain_bids(pool: Pool) -> dict[str, Fate]:
    """The fate of every feasible bid, by digest."""
    near = _Near(pool)
    fates: dict[str, Fate] = {}
    runners_up: dict[str, str] = {}
    for digest, candidate in pool.candidates.items():
        if digest in pool.winners:
            continue
        where, blocking = _in_the_way(pool, candidate, near.winners(candidate))
        fates[digest] = _outbid(pool, candidate, where, blocking)
        for winner in blocking:
            other = runners_up.get(winner)
            if other is None or _rank(candidate) < _rank(pool.candidates[other]):
                runners_up[winner] = digest
    return fates | {winner: _won(pool, winner, runners_up.get(winner)) for winner in pool.winners}


def explain_orders(view: AuctionView, pool: Pool, fates: Mapping[str, Fate]) -> tuple[OrderRecord, ...]:
    """The record of every order of the auction, in its order."""
    fills = {
        fill.intent: (deal, fill) for digest, deal in pool.winners.items() for fill in pool.bids[digest].fills
    }
    filled = {intent: fill.units for intent, (_, fill) in fills.items()}
    best = _best_bids(pool)
    obstacles = Obstacles(view.problem, searches_max=view.auction.rules.searches_max)
    records = []
    for intent, order in view.orders.items():
        found: Numbers | None = None
        if intent in fills:
            reason, found = _filled(order, *fills[intent])
        elif intent in best:
            reason, found = OrderReason.OUTBID, _order_outbid(pool, fates[best[intent]])
        elif is_payoff(order):
            reason = OrderReason.NO_BID
        else:
            reason, found = obstacles.find(view.problem.demands[intent], filled=filled)
        records.append(
            OrderRecord(
                intent=intent,
                reason=reason,
                units=filled.get(intent, 0),
                detail=describe_order(reason, found),
                numbers=UNSET if found is None else found,
            )
        )
    return tuple(records)


def describe_order(reason: str, found: Numbers | None) -> str:
    """What became of an order, in one sentence; the meaning of the reason where it has no numbers."""
    if found is None:
        return _MEANINGS[reason]
    return ORDER_TEXTS[reason].format(where=found.where, found=found.found, allowed=found.allowed)


class _Near:
    """The winners by what they hold and use."""

    def __init__(self, pool: Pool) -> None:
        self._places = {digest: place for place, digest in enumerate(pool.winners)}
        self._users: defaultdict[str, set[str]] = defaultdict(set)
        for digest in pool.winners:
            for name in _names(pool.candidates[digest]):
                self._users[name].add(digest)

    def winners(self, candidate: Candidate) -> list[str]:
        """The winners that share anything with a bid, the greatest score first."""
        near = set[str]().union(*(self._users.get(name, ()) for name in _names(candidate)))
        return sorted(near, key=self._places.__getitem__)


def _names(candidate: Candidate) -> tuple[str, ...]:
    return (*candidate.claims, *candidate.uses)


def _in_the_way(pool: Pool, candidate: Candidate, winners: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """What a bid lacks first, and the winners that do not fit beside it."""
    left = {name: pool.capacities[name] - amount for name, amount in candidate.uses.items()}
    where = CHOICE
    blocking: list[str] = []
    for digest in winners:
        winner = pool.candidates[digest]
        shared = left.keys() & winner.uses.keys()
        lacking = sorted(candidate.claims & winner.claims) or sorted(
            name for name in shared if winner.uses[name] > left[name]
        )
        if lacking:
            where = where if blocking else lacking[0]
            blocking.append(digest)
        else:
            left |= {name: left[name] - winner.uses[name] for name in shared}
    return where, tuple(blocking)


def _outbid(pool: Pool, candidate: Candidate, where: str, blocking: tuple[str, ...]) -> Fate:
    needed = pool.score(blocking)
    if candidate.score == 0:
        detail = "scores 0: its cash need takes all that the owners would pay, and such a bid never wins"
    elif not blocking:
        detail = f"scores {candidate.score}, and is not in the best set found"
    else:
        names = ", ".join(f"{pool.name(each)} ({pool.score([each])})" for each in blocking[:NAMED_MAX])
        detail = f"scores {candidate.score}, the winners in its way {needed}: {names}; it lacks {where}"
    return Fate(
        reason=BidReason.OUTBID,
        detail=detail,
        numbers=numbers(where, candidate.score, needed),
        blocking=blocking,
    )


def _won(pool: Pool, digest: str, runner_up: str | None) -> Fate:
    score = pool.score([digest])
    detail = f"scores {score}"
    next_best = 0
    if runner_up is not None:
        next_best = pool.score([runner_up])
        detail += f"; the best that it is in the way of is {pool.name(runner_up)} ({next_best})"
    return Fate(reason=BidReason.WON, detail=detail, numbers=numbers(pool.winners[digest], score, next_best))


def _filled(order: Order, deal: str, fill: FilledOrder) -> tuple[OrderReason, Numbers]:
    if fill.units < order.units:
        return OrderReason.PARTLY_FILLED, numbers(deal, fill.units, order.units)
    return OrderReason.FILLED, numbers(deal, fill.payment, order.limit * fill.units)


def _best_bids(pool: Pool) -> dict[str, str]:
    """The digest of the best bid that scores anything for every order that has one."""
    best: dict[str, str] = {}
    for digest, candidate in pool.candidates.items():
        for intent, _ in pool.bids[digest].plan.fills if candidate.score else ():
            other = best.get(intent)
            if other is None or _rank(candidate) < _rank(pool.candidates[other]):
                best[intent] = digest
    return best


def _rank(candidate: Candidate) -> tuple[int, str]:
    return -candidate.score, candidate.digest


def _order_outbid(pool: Pool, fate: Fate) -> Numbers:
    """The numbers of the best bid, with the best winner in its way for a place."""
    where = pool.name(fate.blocking[0]) if fate.blocking else CHOICE
    return numbers(where, fate.numbers.found, fate.numbers.allowed)
