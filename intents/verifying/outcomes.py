"""Is an outcome what its bids make it? Which bids count, reference, deals and choice, line by line.

What is written for people alone (details, versions) is not compared here, nor the numbers of a broken rule,
nor which of several sets of equal score won: that takes the market's own code, which a replay runs.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET

from intents.errors import VerificationError
from intents.verifying.bids import Judged, judge_bid
from intents.verifying.counting import Counted, count_bids
from intents.verifying.optimum import best_total, check_compatible
from intents.verifying.sheet import Sheet, package_of, require, require_unique
from solvers.bid import Bid
from solvers.codec import encode
from solvers.outcome import HOUSE, BidRecord, Deal, Numbers, Outcome, Submission
from solvers.reasons import BidReason, SolverReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasible:
    """A feasible bid with the verifier's judgement and its record."""

    bid: Bid
    judged: Judged
    record: BidRecord


Pool = dict[str, Feasible]
"""Every feasible bid, by digest."""


def judge_all(sheet: Sheet, submissions: Sequence[Submission], outcome: Outcome) -> Pool:
    """Judge every bid again and compare with its record."""
    require(len(submissions) == len(outcome.bids), "bids_missing", len(outcome.bids))
    pool: Pool = {}
    read = count_bids(sheet, submissions)
    for submission, counted, record in zip(submissions, read, outcome.bids, strict=True):
        where = f"{record.bid!r} of {record.solver}"
        name = counted.bid.bid if counted.bid else ""
        require((record.solver, record.bid) == (submission.solver, name), "bid_order", where)
        content = encode(counted.bid) if counted.bid else submission.content.encode()
        require(record.digest == hashlib.sha256(content).hexdigest(), "digest", where)
        judged = _judge(sheet, counted, record, where)
        if judged is not None and counted.bid is not None:
            pool[record.digest] = Feasible(bid=counted.bid, judged=judged, record=record)
    return pool


def _judge(sheet: Sheet, counted: Counted, record: BidRecord, where: str) -> Judged | None:
    """The judgement of a feasible bid; None for one that the record refuses for the right reason."""
    is_feasible = record.reason in (BidReason.WON, BidReason.OUTBID)
    require((record.score is UNSET) != is_feasible, "score", f"{where}: {record.score}")
    has_numbers = isinstance(record.numbers, Numbers)
    if counted.aside is not None or counted.bid is None:
        require(record.reason == counted.aside, "reason", f"{where} is {counted.aside}, not {record.reason}")
        require(record.numbers == counted.numbers, "numbers", f"{where}: {record.numbers}")
        return None
    try:
        judged = judge_bid(sheet, counted.bid)
    except VerificationError as error:
        fits = record.reason == f"infeasible:{error.rule}"
        require(fits, "reason", f"{where} is infeasible, {error}; the record says {record.reason}")
        require(has_numbers, "numbers", where)
        return None
    require(is_feasible, "reason", f"{where} is feasible, not {record.reason}")
    require(judged.score == record.score, "score", f"{where}: {record.score}, not {judged.score}")
    require(has_numbers, "numbers", where)
    return judged


def check_reference(sheet: Sheet, pool: Pool, submissions: Sequence[Submission]) -> None:
    """Every reference price is what one house bid pays, and every house bid is a reference."""
    house = [each for each in pool.values() if each.record.solver == HOUSE]
    sent = sum(1 for each in submissions if each.solver == HOUSE)
    require(sent == len(house), "house_bids", f"{sent} were sent, {len(house)} are feasible")
    rows = [(key, row) for each in house for key, row in each.judged.prices.items()]
    require_unique((key for key, _ in rows), "reference")
    found = {key: (units, price) for key, (units, _, price) in rows}
    require(found == sheet.reference, "reference", "the reference is not what the house bids pay")
    check_compatible(sheet, [each.bid for each in house], "house_conflict")


def check_deals(sheet: Sheet, outcome: Outcome, pool: Pool) -> None:
    """The deals are the winning bids, one each, with everything that follows from them."""
    digests = [deal.digest for deal in outcome.deals]
    won = {digest for digest, each in pool.items() if each.record.reason == BidReason.WON}
    require_unique(digests, "winners")
    require(won == set(digests), "winners", "deals and winning bids differ")
    order = sorted(digests, key=lambda digest: (-pool[digest].judged.score, digest))
    require(digests == order, "deal_order", digests)
    check_compatible(sheet, [pool[digest].bid for digest in digests], "winners_conflict")
    for deal in outcome.deals:
        _check_deal(sheet, deal, pool[deal.digest])


def _check_deal(sheet: Sheet, deal: Deal, won: Feasible) -> None:
    where, bid, judged = f"deal {deal.deal}", won.bid, won.judged
    name = hashlib.sha256(f"{sheet.auction.auction}{deal.digest}".encode()).hexdigest()[:32]
    require((deal.deal, deal.solver, deal.bid) == (name, bid.solver, bid.bid), "deal_name", where)
    require(deal.score == judged.score, "score", f"{where}: {deal.score}, not {judged.score}")
    require(deal.chains == tuple(sorted(judged.flows.touched)), "chains", f"{where}: {deal.chains}")
    instants = (deal.lock_by_us, deal.decide_by_us, deal.release_by_us)
    require(instants == judged.deadlines, "deadlines", f"{where}: {instants}, not {judged.deadlines}")
    rows = [(row.chain, row.package, row.units, row.ceiling, row.price) for row in deal.prices]
    meant = [(*key, *row) for key, row in sorted(judged.prices.items())]
    require(rows == meant, "prices", f"{where}: {rows}, not {meant}")
    reserve = [(row.chain, row.amount) for row in deal.reserve]
    require(reserve == sorted(judged.reserve.items()), "reserve", f"{where}: {reserve}")
    _check_fills(sheet, deal, won)


def _check_fills(sheet: Sheet, deal: Deal, won: Feasible) -> None:
    fills = [(fill.intent, fill.units) for fill in deal.fills]
    meant = [(fill.intent, fill.units) for fill in won.bid.fills]
    require(fills == meant, "fills", f"deal {deal.deal}: {fills}")
    for fill in deal.fills:
        order, due = sheet.orders[fill.intent], won.judged.payments[fill.intent]
        require((fill.owner, fill.chain) == (order.owner, order.chain), "fills", fill.intent)
        require(fill.payment == due, "payments", f"{fill.intent} pays {fill.payment}, not {due}")
        most = order.limit * fill.units
        require(fill.payment <= most, "above_limit", f"{fill.intent} pays {fill.payment} of {most}")
        require(fill.surplus == most - fill.payment, "surplus", f"{fill.intent}: {fill.surplus}")
        key, factor = package_of(order)
        units, price = sheet.reference.get(key, (0, 0))
        if won.judged.prices[key][0] <= units:
            found = f"{fill.intent} pays {fill.payment}, the reference {price} per reduced unit"
            require(fill.payment <= price * factor * fill.units, "above_reference", found)


def check_choice(sheet: Sheet, outcome: Outcome, pool: Pool) -> None:
    """The choice is worth what it says, and nothing better fits below its bound."""
    choice = outcome.choice
    require(choice.score == sum(deal.score for deal in outcome.deals), "choice_score", choice.score)
    require(choice.bound >= choice.score, "bound", f"{choice.bound} is below the score {choice.score}")
    proved = choice.bound == choice.score
    require(choice.proved == proved, "proved", f"{choice.proved}, with {choice.score} of {choice.bound}")
    best = best_total(sheet, [(each.bid, each.judged.score) for each in pool.values()])
    require(best <= choice.bound, "optimality", f"bids worth {best} fit, the bound is {choice.bound}")


def check_solvers(outcome: Outcome) -> None:
    """Every solver has at most one report, with a reason from the closed list."""
    names = [report.solver for report in outcome.solvers]
    require(names == sorted(set(names)), "solver_reports", names)
    for report in outcome.solvers:
        require(report.reason in set(SolverReason), "solver_reports", f"{report.solver}: {report.reason}")
