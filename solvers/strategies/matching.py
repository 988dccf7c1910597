"""`matching`: only orders against orders, no venue; bridges where they are worth it.

The joint model on the auction without its offers: whoever buys meets whoever sells, in packages that
need not be alike, over chains where the fees allow it. What no other order answers stays open.
"""

from collections.abc import Iterator
from dataclasses import replace

from router.joint import improve_jointly
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.proposals import RESERVE_S, propose_answers
from solvers.strategy import SolveContext
from solvers.view import view_auction


class Matching:
    """One bid per group of orders that trade with each other."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        """Yield the bids that the market would accept, then each improvement."""
        view = view_auction(auction)

        def remaining_s() -> float:
            return context.remaining_s() - RESERVE_S

        orders_alone = replace(view.problem, offers={})
        answers = improve_jointly(orders_alone, time_limit_s=remaining_s(), remaining_s=remaining_s)
        return propose_answers(view, (answer.plans for answer in answers), solver=context.solver)
