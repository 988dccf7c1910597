"""From plans to bids worth sending: what every strategy does last.

A bid that the market would refuse (above the reference, say) is a waste of one of the few that a
solver may send, so only bids that verification accepts are proposed, the greatest score first.

A strategy that improves its answer sends what has changed. A bid is named after the first of its
intents, so a better plan for the same order takes the place of the one before it. Only so many names
count; once they are used up, a bid takes the name of one that is no longer part of the answer. So all of
the latest answer is always in the pool; what is left of earlier answers is feasible too, and the winners
are the best set of all.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from router.problem import Plan
from solvers.bid import Bid
from solvers.problem import to_bid
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import AuctionView

RESERVE_S: Final = 0.3
"""What a strategy keeps of its time: back ends overrun their limits a little, and bids have to be verified
and sent."""


def propose_plans(view: AuctionView, plans: Iterable[Plan], *, solver: str) -> Iterator[Bid]:
    """Yield the feasible plans as bids of `solver`, the best first, no more than the rules count.

    Each bid is named after the first of its intents, so plans must not share one.
    """
    answers = [
        verify_bid(view, to_bid(plan, auction=view.auction, solver=solver, name=min(plan.fills)[0]))
        for plan in plans
    ]
    bids = [(-answer.score, answer.bid) for answer in answers if isinstance(answer, FeasibleBid)]
    bids.sort(key=lambda entry: (entry[0], entry[1].bid))
    for _, bid in bids[: view.auction.rules.bids_per_solver]:
        yield bid


def propose_answers(view: AuctionView, answers: Iterable[Iterable[Plan]], *, solver: str) -> Iterator[Bid]:
    """Yield the bids of one answer after another, each set of jointly compatible plans, as they change."""
    sent: dict[str, Bid] = {}
    for plans in answers:
        bids = list(propose_plans(view, plans, solver=solver))
        for bid in tuple(rename_bids(bids, sent, most=view.auction.rules.bids_per_solver)):
            if sent.get(bid.bid) != bid:
                sent[bid.bid] = bid
                yield bid


def rename_bids(bids: Sequence[Bid], sent: Collection[str], *, most: int) -> Iterator[Bid]:
    """The bids under names of which, with those sent before, there are no more than `most`.

    `bids` are at most `most`, with different names. A bid keeps its name where it can.
    """
    names = {bid.bid for bid in bids}
    stale = [name for name in sent if name not in names]
    unused = most - len(sent)
    for bid in bids:
        if bid.bid in sent:
            yield bid
        elif unused > 0:
            unused -= 1
            yield bid
        else:
            yield msgspec.structs.replace(bid, bid=stale.pop())
