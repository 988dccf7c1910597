"""`single`: every order at the one best venue that lists all its legs.

What a person would do by hand: look at each venue, add the bridges to the order's chain, take the best
one, and move on to the next order with what is left.
"""

from collections.abc import Iterator

from router.greedy import clear_greedily
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.proposals import propose_plans
from solvers.strategy import SolveContext
from solvers.view import view_auction


class Single:
    """One bid per order, all its trades on one venue."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        """Yield the bids that the market would accept, the greatest score first."""
        view = view_auction(auction)
        orders = [[demand] for demand in view.problem.demands.values()]
        plans = clear_greedily(view.problem, orders, one_venue=True)
        return propose_plans(view, plans, solver=context.solver)
