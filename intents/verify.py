"""`solvent verify`: an archive checked from the file alone, by code that the engine does not use.

Per auction: the hash chain, the canonical bytes and the content hash; that the auction does not
contradict itself; which bids count, their feasibility, their score and the exact reason of every other;
the reference against the house bids; every price, payment, deadline and reserve of every deal; that no
other compatible bids score more than the record says; what every solver that won is rewarded with; every
order's reason; and that each deal settled whole or not at all, with nothing created or lost and every
written position collateralised. The first broken rule ends it.

An archive cannot show what it leaves out: a bid that was never recorded, a row cut off together with the
hashes behind it, or that an order was signed (signatures stay in the journal). Marks are information and
may say anything, as long as the file is canonical.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from intents.archive import RecordedAuction, read_archive
from intents.errors import VerificationError
from intents.verifying.outcomes import (
    check_choice,
    check_deals,
    check_reference,
    check_solvers,
    judge_all,
)
from intents.verifying.reasons import check_fates
from intents.verifying.rewards import check_rewards
from intents.verifying.sheet import Sheet, check_auction, fail, require, require_unique
from intents.verifying.transfers import check_settlement
from solvers.auction import Auction
from solvers.codec import encode
from solvers.errors import FormatError
from solvers.outcome import Outcome


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
    seen: set[str] = set()
    latest_us = 0
    for record in read_archive(path):
        auction = record.auction
        try:
            in_order = auction.auction not in seen and auction.cut_us >= latest_us
            require(in_order, "auction_order", f"cut at {auction.cut_us}, after one at {latest_us}")
            counts.update(verify_auction(record))
        except VerificationError as error:
            raise VerificationError(f"{auction.auction}: {error}", rule=error.rule) from error
        seen.add(auction.auction)
        latest_us = auction.cut_us
        progress(auction.auction)
    return Verified(**{name: counts[name] for name in ("auctions", "bids", "deals", "transfers")})


def verify_auction(record: RecordedAuction) -> dict[str, int]:
    """Check one recorded auction and count what was checked.

    Raises
    ------
    VerificationError
        With the first rule that is broken.
    """
    try:
        auction, outcome = record.auction, record.decided
    except FormatError as error:
        fail("canonical", error)
    _check_bytes(record, auction, outcome)
    sheet = Sheet(auction)
    check_auction(sheet)
    _check_left_out(record, auction)
    pool = judge_all(sheet, record.submissions, outcome)
    check_reference(sheet, pool, record.submissions)
    check_deals(sheet, outcome, pool)
    check_choice(sheet, outcome, pool)
    check_rewards(sheet, outcome, pool)
    check_fates(sheet, outcome, pool)
    check_solvers(outcome)
    names = [each.deal for each in record.settlement]
    require(names == [deal.deal for deal in outcome.deals], "settlement_missing", names)
    for deal, settled in zip(outcome.deals, record.settlement, strict=True):
        check_settlement(sheet, deal, pool[deal.digest].judged, settled)
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


def _check_left_out(record: RecordedAuction, auction: Auction) -> None:
    """Orders are left out only of an auction that is full, and none is both in it and left out."""
    require_unique((*record.not_selected, *(order.intent for order in auction.orders)), "not_selected")
    full = len(auction.orders) == auction.rules.orders_max
    require(
        full or not record.not_selected, "not_selected", f"{len(record.not_selected)} left out, with room"
    )
