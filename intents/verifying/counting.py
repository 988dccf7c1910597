"""Which submissions count? Everything else was set aside for a fact that can be seen in the record.

A bid is sealed when it is well-formed, for this auction, from its solver and on time; the house is
never late. Of the sealed bids of one name the last to arrive counts (by arrival, then by place), and
of a solver's names the first to arrive, as many as the rules allow; the house's all count.

The numbers are those of what was seen: when a bid came and when the window closed, or when the bid came
that took its place; or which of its solver's names it is, and how many count.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from intents.verifying.sheet import Sheet
from solvers.bid import Bid
from solvers.codec import decode
from solvers.errors import FormatError
from solvers.outcome import HOUSE, Numbers, Submission
from solvers.reasons import BidReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One submission as read: its bid, where it is one, and why it was set aside, where it was."""

    bid: Bid | None
    aside: BidReason | None
    numbers: Numbers | UnsetType = UNSET


def count_bids(sheet: Sheet, submissions: Sequence[Submission]) -> list[Counted]:
    """What each submission is, in their order."""
    read = [_read(sheet, submission) for submission in submissions]
    sealed = [place for place, each in enumerate(read) if each.aside is None]
    sealed.sort(key=lambda place: (submissions[place].arrival_us, place))
    names: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for place in sealed:
        bid = read[place].bid
        assert bid is not None, "a sealed bid was read"
        names[bid.solver][bid.bid] = place
    for solver, last in names.items():
        most = len(last) if solver == HOUSE else sheet.auction.rules.bids_per_solver
        counting = set(list(last.values())[:most])
        for place in sealed:
            bid = read[place].bid
            if bid is None or bid.solver != solver or place in counting:
                continue
            if last[bid.bid] == place:
                found, allowed = 1 + list(last).index(bid.bid), most
                aside = BidReason.TOO_MANY
            else:
                found, allowed = (submissions[which].arrival_us for which in (place, last[bid.bid]))
                aside = BidReason.SUPERSEDED
            numbers = Numbers(where=bid.bid, found=found, allowed=allowed)
            read[place] = Counted(bid=bid, aside=aside, numbers=numbers)
    return read


def _read(sheet: Sheet, submission: Submission) -> Counted:
    try:
        bid = decode(submission.content, Bid)
    except FormatError:
        return Counted(bid=None, aside=BidReason.MALFORMED)
    aside = None
    numbers: Numbers | UnsetType = UNSET
    if bid.auction != sheet.auction.auction:
        aside = BidReason.WRONG_AUCTION
    elif bid.solver != submission.solver:
        aside = BidReason.WRONG_SOLVER
    elif submission.arrival_us > sheet.auction.solve_us and submission.solver != HOUSE:
        aside = BidReason.LATE
        numbers = Numbers(where=bid.bid, found=submission.arrival_us, allowed=sheet.auction.solve_us)
    return Counted(bid=bid, aside=aside, numbers=numbers)
