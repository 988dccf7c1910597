"""`solvent verify`: an archive checked from the file alone, by code that the engine does not use.

Per auction: the hash chain, the canonical bytes and the content hash; every bid's feasibility, score
and reason; the reference against the house bids; every price, payment, deadline and reserve of every
deal; that no other compatible bids score more than the record says; every order's reason; and that
each deal settled whole or not at all with nothing created or lost. The first broken rule ends it.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from intents.archive import RecordedAuction, read_archive
from intents.errors import VerificationError
from intents.verifying.bids import Judged, Sheet, judge_bid, package_of, require
from intents.verifying.optimum import best_total, check_compatible
from intents.verifying.transfers import check_settlement
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.codec import decode, encode
from solvers.errors import FormatError
from solvers.outcome import HOUSE, BidRecord, Deal, Outcome, Submission
from solvers.reasons import BidReason, OrderReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was checked, none of it broken."""

    auctions: int
    bids: int
    deals: int
    transfers: int


def verify_archive(path: Path, *, progress: Callable[[str], None] = lambda _: None) -> Verified:
    """Check an archive; `progress` is told each auction's id when it is done.

    Raises
    ------
    ArchiveError
        If the file is no archive or its hash chain is broken.
    VerificationError
        With the auction and the first rule that is broken.
    """
    counts: Counter[str] = Counter()
    for record in read_archive(path):
        auction = record.auction
        try:
            counts.update(verify_auction(record))
        except VerificationError as error:
            raise VerificationError(f"{auction.auction}: {error}") from error
        progress(auction.auction)
    return Verified(**{name: counts[name] for name in ("auctions", "bids", "deals", "transfers")})


def verify_auction(record: RecordedAuction) -> dict[str, int]:
    """Check one recorded auction and count what was checked.

    Raises
    ------
    VerificationError
        With the first rule that is broken.
    """
    auction, outcome = record.auction, record.decided
    _check_bytes(record, auction, outcome)
    sheet = Sheet(auction)
    require(len(record.submissions) == len(outcome.bids), "bids_missing", len(outcome.bids))
    judged = _judge_all(sheet, record.submissions, outcome)
    _check_reference(sheet, record.submissions, judged)
    _check_deals(sheet, outcome, judged)
    _check_choice(sheet, outcome, judged)
    _check_orders(outcome, judged)
    settled = {each.deal: each for each in record.settlement}
    require(set(settled) == {deal.deal for deal in outcome.deals}, "settlement_missing", sorted(settled))
    for deal in outcome.deals:
        check_settlement(sheet, deal, settled[deal.deal])
    transfers = sum(len(leg.transfers) for each in record.settlement for leg in each.legs)
    return {"auctions": 1, "bids": len(outcome.bids), "deals": len(outcome.deals), "transfers": transfers}


def _check_bytes(record: RecordedAuction, auction: Auction, outcome: Outcome) -> None:
    require(encode(auction) == record.file, "canonical", "the auction file is not canonical")
    require(encode(outcome) == record.outcome, "canonical", "the outcome is not canonical")
    plain = msgspec.json.decode(record.file)
    plain["marks"] = []
    found = hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()
    require(found == outcome.content_hash, "content_hash", found)
    require(auction.auction == outcome.auction, "auction_id", outcome.auction)


Judgements = dict[str, tuple[Bid, Judged, BidRecord]]
"""Every feasible bid in the pool, by digest."""


def _judge_all(sheet: Sheet, submissions: Iterable[Submission], outcome: Outcome) -> Judgements:
    """Judge every bid again and compare with its recorded reason and score."""
    judged: Judgements = {}
    last: dict[tuple[str, str], int] = {}
    pairs = list(zip(submissions, outcome.bids, strict=True))
    for place, (submission, record) in enumerate(pairs):
        require(submission.solver == record.solver, "bid_order", record.solver)
        last[record.solver, record.bid] = place
    for submission, record in pairs:
        bid = _read(submission)
        if record.reason in _UNJUDGED:
            _check_unjudged(sheet, submission, record, bid)
            continue
        if bid is None:
            raise VerificationError(f"malformed: {record.bid} of {record.solver} is not a bid")
        require(bid.digest == record.digest, "digest", f"{record.bid} of {record.solver}")
        try:
            verdict = judge_bid(sheet, bid)
        except VerificationError as error:
            if not record.reason.startswith("infeasible:"):
                raise VerificationError(
                    f"{record.reason} bid {record.bid} of {record.solver}: {error}"
                ) from error
            continue
        feasible = record.reason in (BidReason.WON, BidReason.OUTBID)
        require(feasible, "wrongly_refused", f"{record.bid} of {record.solver}: {record.reason}")
        require(verdict.score == record.score, "score", f"{record.bid}: {record.score}, not {verdict.score}")
        judged[record.digest] = (bid, verdict, record)
    return judged


_UNJUDGED = frozenset(
    {BidReason.SUPERSEDED, BidReason.LATE, BidReason.MALFORMED, BidReason.WRONG_AUCTION}
    | {BidReason.WRONG_SOLVER, BidReason.TOO_MANY}
)


def _read(submission: Submission) -> Bid | None:
    try:
        return decode(submission.content, Bid)
    except FormatError:
        return None


def _check_unjudged(sheet: Sheet, submission: Submission, record: BidRecord, bid: Bid | None) -> None:
    """A bid that was set aside was set aside for a fact that can be seen."""
    where = f"{record.reason} bid of {record.solver}"
    seen = {
        BidReason.LATE: submission.arrival_us > sheet.auction.solve_us,
        BidReason.MALFORMED: bid is None,
        BidReason.WRONG_AUCTION: bid is not None and bid.auction != sheet.auction.auction,
        BidReason.WRONG_SOLVER: bid is not None and bid.solver != submission.solver,
    }
    require(seen.get(BidReason(record.reason), True), "wrongly_refused", where)


def _check_reference(sheet: Sheet, submissions: Iterable[Submission], judged: Judgements) -> None:
    """Every reference price is what one house bid pays, and every house bid is a reference."""
    house = [bid for bid in map(_read, (each for each in submissions if each.solver == HOUSE)) if bid]
    found: dict[tuple[str, tuple[tuple[str, int], ...]], tuple[int, int]] = {}
    for bid in house:
        require(bid.digest in judged, "house_infeasible", bid.bid)
        for key, (units, _, price) in judged[bid.digest][1].prices.items():
            found[key] = (units, price)
    require(found == sheet.reference, "reference", "the reference is not what the house bids pay")
    check_compatible(sheet, house)


def _check_deals(sheet: Sheet, outcome: Outcome, judged: Judgements) -> None:
    won = {digest for digest, (_, _, record) in judged.items() if record.reason == BidReason.WON}
    require(won == {deal.digest for deal in outcome.deals}, "winners", "deals and winning bids differ")
    check_compatible(sheet, [judged[deal.digest][0] for deal in outcome.deals])
    for deal in outcome.deals:
        _check_deal(deal, judged[deal.digest][1], sheet)


def _check_deal(deal: Deal, verdict: Judged, sheet: Sheet) -> None:
    where = f"deal {deal.deal}"
    require(deal.score == verdict.score, "score", where)
    require(deal.chains == verdict.chains, "chains", where)
    instants = (deal.lock_by_us, deal.decide_by_us, deal.release_by_us)
    require(instants == verdict.deadlines, "deadlines", f"{where}: {instants}")
    prices = {(row.chain, row.package): (row.units, row.ceiling, row.price) for row in deal.prices}
    require(prices == verdict.prices, "prices", where)
    require({fill.intent: fill.payment for fill in deal.fills} == verdict.payments, "payments", where)
    require({row.chain: row.amount for row in deal.reserve} == verdict.reserve, "reserve", where)
    for fill in deal.fills:
        order = sheet.orders[fill.intent]
        require(fill.payment <= order.limit * fill.units, "above_limit", fill.intent)
        require(fill.surplus == order.limit * fill.units - fill.payment, "surplus", fill.intent)
        key, factor = package_of(order)
        units, price = sheet.reference.get(key, (0, 0))
        if prices[key][0] <= units:
            require(fill.payment <= price * factor * fill.units, "above_reference", fill.intent)


def _check_choice(sheet: Sheet, outcome: Outcome, judged: Judgements) -> None:
    choice = outcome.choice
    require(choice.score == sum(deal.score for deal in outcome.deals), "choice_score", choice.score)
    require(choice.bound >= choice.score, "bound", f"{choice.bound} below {choice.score}")
    best = best_total(sheet, [(bid, verdict.score) for bid, verdict, _ in judged.values()])
    if choice.proved:
        require(choice.bound == choice.score, "bound", f"proved, but {choice.bound} is not {choice.score}")
    require(
        best <= choice.bound, "optimality", f"bids worth {best} fit, the recorded bound is {choice.bound}"
    )


def _check_orders(outcome: Outcome, judged: Judgements) -> None:
    filled: Counter[str] = Counter()
    offered: defaultdict[str, int] = defaultdict(int)
    for bid, _, record in judged.values():
        for fill in bid.fills:
            offered[fill.intent] += 1
            filled[fill.intent] += fill.units if record.reason == BidReason.WON else 0
    for row in outcome.orders:
        require(row.units == filled[row.intent], "order_units", f"{row.intent}: {row.units}")
        if row.units:
            fits = row.reason in (OrderReason.FILLED, OrderReason.PARTLY_FILLED)
        else:
            fits = row.reason == (OrderReason.OUTBID if offered[row.intent] else OrderReason.NO_BID)
        require(fits, "order_reason", f"{row.intent}: {row.reason}")
