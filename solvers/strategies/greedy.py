"""`greedy`: every order by its cheapest route over all chains, one order at a time.

Orders are taken in the order of surplus per lot. Each may buy and sell on many venues and cross
bridges on its own account; what it uses is gone for the next one.
"""

from collections.abc import Iterator

from router.greedy import clear_greedily
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.proposals import propose_plans
from solvers.strategy import SolveContext
from solvers.view import view_auction


class Greedy:
    """One bid per order."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        """Yield the bids that the market would accept, the greatest score first."""
        view = view_auction(auction)
        orders = [[demand] for demand in view.problem.demands.values()]
        plans = clear_greedily(view.problem, orders)
        return propose_plans(view, plans, solver=context.solver)
