"""The whole mechanism of a round: from what solvers sent to the outcome, as one pure function.

The states of a submission are types, so that a bid cannot be judged before it is read, nor win before
it is found feasible:

    Submission -> SealedBid -> FeasibleBid -> Deal

Whatever falls out on the way is `Refused` with its one public reason, and what stays in is judged by
the same rules whoever sent it.

Source: the shape is that of the `winner-selection` crate of CoW Protocol's services.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Final

from chains.units import USDC
from router.problem import Problem
from solvers.auction import Auction
from solvers.codec import digest
from solvers.explanation import Fate, Pool, explain_bids, explain_orders
from solvers.outcome import (
    BidRecord,
    ChainAmount,
    Choice,
    Deal,
    Outcome,
    SolverReport,
    Submission,
)
from solvers.rewards import Contest, reward_winners
from solvers.sealing import Refused, SealedBid, bid_keys, read_submission, set_aside
from solvers.verification import FeasibleBid, Violation, verify_bid
from solvers.view import AuctionView, view_auction
from solvers.winners import Candidate, choose_winners

DETAIL_MAX: Final = 500
"""The longest detail of a record, in characters."""


def arbitrate(
    auction: Auction,
    submissions: Sequence[Submission],
    reports: Iterable[SolverReport] = (),
    *,
    versions: Mapping[str, str] | None = None,
) -> Outcome:
    """Judge a round. Pure, but for looking up the installed `versions` when they are not given.

    Raises
    ------
    ProblemError
        If the auction contradicts itself; no submission ever causes that.
    """
    view = view_auction(auction)
    read = [read_submission(view, submission) for submission in submissions]
    counted = set_aside(read, names_max=auction.rules.bids_per_solver)
    judged = [judge_bid(view, each) for each in counted]
    feasible = [each for each in judged if isinstance(each, FeasibleBid)]
    candidates = list_candidates(view.problem, feasible, bid_keys(view, read))
    capacities = joint_capacities(view.problem)
    selection = choose_winners(candidates.values(), capacities, budget=auction.rules.choice_budget)
    won = frozenset(selection.winners)
    winners = sorted(
        (each for each in feasible if each.digest in won),
        key=lambda each: (-each.score, each.digest),
    )
    pool = Pool(
        bids={each.digest: each for each in feasible},
        candidates=candidates,
        winners={winner.digest: _deal_id(auction, winner) for winner in winners},
        capacities=capacities,
    )
    fates = explain_bids(pool)
    contest = Contest(
        candidates=candidates,
        solvers={each.digest: each.bid.solver for each in feasible},
        capacities=capacities,
        selection=selection,
    )
    rewards = reward_winners(view.problem, contest, winners, rules=auction.rules)
    return Outcome(
        auction=auction.auction,
        content_hash=view.content_hash,
        versions=dict(installed_versions() if versions is None else versions),
        choice=Choice(score=selection.score, bound=selection.bound, proved=selection.proved),
        deals=tuple(
            to_deal(auction, winner, reward=rewards.parts.get(winner.digest, ())) for winner in winners
        ),
        bids=tuple(
            _record(submission, each, fates) for submission, each in zip(submissions, judged, strict=True)
        ),
        orders=explain_orders(view, pool, fates),
        solvers=tuple(sorted(reports, key=lambda report: report.solver)),
        rewards=rewards.rows,
    )


def installed_versions() -> dict[str, str]:
    """The versions that a record names: of OR-Tools, whose choice it is, and of Solvent."""
    return {name: version(name) for name in ("ortools", "solvent")}


def judge_bid(view: AuctionView, counted: SealedBid | Refused) -> FeasibleBid | Refused:
    """Verify a bid that counts; its own claims are never used."""
    if isinstance(counted, Refused):
        return counted
    verdict = verify_bid(view, counted.bid)
    if isinstance(verdict, Violation):
        return Refused(
            bid=counted.bid.bid,
            digest=counted.digest,
            reason=f"infeasible:{verdict.rule}",
            detail=verdict.text,
            numbers=verdict.numbers,
        )
    return verdict


def list_candidates(
    problem: Problem, feasible: Iterable[FeasibleBid], keys: Mapping[str, int]
) -> dict[str, Candidate]:
    """What feasible bids mean for the choice of winners, by digest."""
    return {
        each.digest: Candidate(
            digest=each.digest,
            key=keys[each.digest],
            score=each.score,
            claims=_claims(problem, each),
            uses=_uses(each),
        )
        for each in feasible
    }


def joint_capacities(problem: Problem) -> dict[str, int]:
    """What all winners together may use: the lots of offers, and the cash and lots that bridges take."""
    capacities = {f"offer {name}": offer.lots for name, offer in problem.offers.items()}
    for name, bridge in problem.bridges.items():
        capacities[f"cash {name}"] = bridge.capacity_cash
        capacities[f"lots {name}"] = bridge.capacity_lots
    return capacities


def to_deal(auction: Auction, winner: FeasibleBid, *, reward: tuple[ChainAmount, ...] = ()) -> Deal:
    """A winning bid as the deal that will be settled."""
    return Deal(
        deal=_deal_id(auction, winner),
        solver=winner.bid.solver,
        bid=winner.bid.bid,
        digest=winner.digest,
        score=winner.score,
        lock_by_us=winner.deadlines.lock_by_us,
        decide_by_us=winner.deadlines.decide_by_us,
        release_by_us=winner.deadlines.release_by_us,
        chains=winner.chains,
        fills=winner.fills,
        prices=winner.prices,
        reserve=winner.reserve,
        reward=reward,
    )


def _deal_id(auction: Auction, winner: FeasibleBid) -> str:
    return digest(f"{auction.auction}{winner.digest}".encode())[:32]


def _claims(problem: Problem, feasible: FeasibleBid) -> frozenset[str]:
    demands = [problem.demands[intent] for intent, _ in feasible.plan.fills]
    orders = {f"order {demand.intent}" for demand in demands}
    return frozenset(orders | {f"group {demand.group}" for demand in demands if demand.group})


def _uses(feasible: FeasibleBid) -> dict[str, int]:
    uses: Counter[str] = Counter()
    for offer, lots in feasible.plan.trades:
        uses[f"offer {offer}"] += lots
    for bridge, asset, amount in feasible.plan.transfers:
        uses[f"{'cash' if asset == USDC else 'lots'} {bridge}"] += amount
    return dict(uses)


def _record(submission: Submission, judged: FeasibleBid | Refused, fates: Mapping[str, Fate]) -> BidRecord:
    if isinstance(judged, Refused):
        return BidRecord(
            solver=submission.solver,
            bid=judged.bid,
            digest=judged.digest,
            reason=judged.reason,
            detail=judged.detail[:DETAIL_MAX],
            numbers=judged.numbers,
        )
    fate = fates[judged.digest]
    return BidRecord(
        solver=submission.solver,
        bid=judged.bid.bid,
        digest=judged.digest,
        reason=fate.reason,
        detail=fate.detail[:DETAIL_MAX],
        score=judged.score,
        numbers=fate.numbers,
    )
