"""From plans to bids worth sending: what every strategy does last.

A bid that the market would refuse (above the reference, say) is a waste of one of the few that a
solver may send, so only bids that verification accepts are proposed, the greatest score first.
"""

from collections.abc import Iterable, Iterator

from router.problem import Plan
from solvers.bid import Bid
from solvers.problem import to_bid
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import AuctionView


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
