"""What solvers sent, read strictly: which bids are sealed, which of them count, and their keys.

A bid is sealed when it is well-formed, for this auction, from its solver and on time; the house's own
bids are never late and as many as it needs. Of the sealed bids of one name the one that came last
counts (by arrival, then by submission); of more names than the rules allow, the first ones count.

The numbers of what falls out here, `where` being the bid's name: `late` has its arrival and the length of the
window; `superseded` its arrival and that of the bid that took its place; `too_many` the place of its name
among the solver's names, by their first arrival, and how many count. The other reasons are about names, and
have none.

The key that breaks ties is the first 32 bits (0 is read as 1) of the SHA-256 of the canonical JSON of
``[content hash of the auction, sorted digests of all sealed bids, the bid without its name]``, sealed
bids that do not count included, every list of the bid in the order of its entries' canonical JSON: their
order decides nothing. So no key is known before the window has closed, and neither another name for the same
bid nor its lists in another order is another ticket in the draw.

What remains: bids that do different things for the same score have a ticket each, up to the number of
bids that count. Where a solver can split its fee over several chains otherwise, take equally dear lots from
another offer or send cash another way, it can send many. Identical bids of two solvers have a ticket each.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from solvers.bid import Bid
from solvers.codec import decode, digest, encode
from solvers.errors import FormatError
from solvers.outcome import HOUSE, Numbers, Submission
from solvers.reasons import BidReason
from solvers.view import AuctionView

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBid:
    """A well-formed bid for this auction, from its solver and on time."""

    submission: Submission
    bid: Bid
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A submission that fell out, with its one public reason; no `bid` name if it cannot be read."""

    bid: str
    digest: str
    reason: str
    detail: str
    numbers: Numbers | UnsetType = UNSET


def read_submission(view: AuctionView, submission: Submission) -> SealedBid | Refused:
    """Read one submission strictly, and refuse what is not a bid for this auction, or late."""
    content = submission.content.encode("utf-8", "surrogatepass")
    try:
        bid = decode(content, Bid)
    except FormatError as error:
        return Refused(bid="", digest=digest(content), reason=BidReason.MALFORMED, detail=str(error))
    auction = view.auction
    reason, detail = None, ""
    numbers: Numbers | UnsetType = UNSET
    if bid.auction != auction.auction:
        reason, detail = BidReason.WRONG_AUCTION, f"is for auction {bid.auction!r}, not {auction.auction!r}"
    elif bid.solver != submission.solver:
        reason, detail = BidReason.WRONG_SOLVER, f"names {bid.solver!r}, but {submission.solver!r} sent it"
    elif submission.arrival_us > auction.solve_us and submission.solver != HOUSE:
        reason = BidReason.LATE
        detail = (
            f"came {submission.arrival_us} us after the cut; the window closed after {auction.solve_us} us"
        )
        numbers = Numbers(where=bid.bid, found=submission.arrival_us, allowed=auction.solve_us)
    if reason is not None:
        return Refused(bid=bid.bid, digest=bid.digest, reason=reason, detail=detail, numbers=numbers)
    return SealedBid(submission=submission, bid=bid, digest=bid.digest)


def set_aside(read: Sequence[SealedBid | Refused], *, names_max: int) -> list[SealedBid | Refused]:
    """Refuse the sealed bids that do not count: earlier ones of a name, and names beyond `names_max`."""
    arrivals = sorted(
        (each.submission.arrival_us, place, each)
        for place, each in enumerate(read)
        if isinstance(each, SealedBid)
    )
    last: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for _, place, each in arrivals:
        last[each.bid.solver][each.bid.bid] = place
    counted = {place for solver, names in last.items() for place in _first(names, solver, names_max)}
    return [
        _set_aside_one(each, read, last[each.bid.solver], names_max)
        if isinstance(each, SealedBid) and place not in counted
        else each
        for place, each in enumerate(read)
    ]


def _first(names: Mapping[str, int], solver: str, names_max: int) -> list[int]:
    """The places of a solver's last bids of each name, for as many names as count."""
    return list(names.values())[: None if solver == HOUSE else names_max]


def _set_aside_one(
    each: SealedBid, read: Sequence[SealedBid | Refused], last: Mapping[str, int], names_max: int
) -> Refused:
    """Refuse a bid that does not count; `last` holds the places of its solver's last bids by name."""
    name, arrival_us = each.bid.bid, each.submission.arrival_us
    later = read[last[name]]
    if isinstance(later, SealedBid) and later is not each:
        reason, detail = BidReason.SUPERSEDED, f"a later bid {name!r} took its place"
        numbers = Numbers(where=name, found=arrival_us, allowed=later.submission.arrival_us)
    else:
        rank = list(last).index(name) + 1
        reason = BidReason.TOO_MANY
        detail = f"its name is number {rank}, and only the first {names_max} of a solver count"
        numbers = Numbers(where=name, found=rank, allowed=names_max)
    return Refused(bid=name, digest=each.digest, reason=reason, detail=detail, numbers=numbers)


def bid_keys(view: AuctionView, read: Sequence[SealedBid | Refused]) -> dict[str, int]:
    """The key of every sealed bid, by digest."""
    sealed = {each.digest: each.bid for each in read if isinstance(each, SealedBid)}
    digests = sorted(each.digest for each in read if isinstance(each, SealedBid))
    # All keys hash the same long beginning of one JSON list: it is hashed once, and continued for each bid.
    beginning = hashlib.sha256(encode([view.content_hash, digests])[:-1])
    return {digest: _bid_key(beginning.copy(), bid) for digest, bid in sealed.items()}


def _bid_key(beginning: "hashlib._Hash", bid: Bid) -> int:
    content = msgspec.to_builtins(_in_order(bid))
    del content["bid"]
    beginning.update(b"," + encode(content) + b"]")
    return max(1, int(beginning.hexdigest()[:8], 16))


def _in_order(bid: Bid) -> Bid:
    """The same bid with each of its lists in order."""
    fills = (
        each if each.delivery is UNSET else msgspec.structs.replace(each, delivery=_sorted(each.delivery))
        for each in bid.fills
    )
    pools = (msgspec.structs.replace(each, assets=_sorted(each.assets)) for each in bid.pools)
    return msgspec.structs.replace(
        bid,
        fills=_sorted(fills),
        trades=_sorted(bid.trades),
        transfers=_sorted(bid.transfers),
        pools=_sorted(pools),
        fee=_sorted(bid.fee),
    )


def _sorted(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=encode))
