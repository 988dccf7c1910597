"""`joint`: the whole batch at once, orders matched with orders and fixed fees shared.

It starts from the greedy answer, which is valid at once, and yields whatever is better as it is found.
A plan is named after the first of its intents, so a better plan for the same order takes the place of
the one before it.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from chains.package import Package, reduce_legs
from router.greedy import clear_greedily
from router.joint import improve_jointly
from router.problem import Demand
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.proposals import propose_plans
from solvers.strategy import SolveContext
from solvers.view import view_auction

SHARE_OF_WINDOW: Final = 0.8
"""Back ends overrun their limits a little, and bids have to be verified and sent."""


class Joint:
    """One bid per connected part of the best answer so far."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        """Yield the greedy bids, then each improvement."""
        view = view_auction(auction)
        peers: defaultdict[tuple[str, Package], list[Demand]] = defaultdict(list)
        for demand in view.problem.demands.values():
            peers[demand.chain, reduce_legs(demand.legs)[0]].append(demand)
        seed = clear_greedily(view.problem, list(peers.values()))
        sent: dict[str, Bid] = {}
        limit_s = SHARE_OF_WINDOW * context.remaining_s()
        for answer in improve_jointly(view.problem, time_limit_s=limit_s, seed_plans=seed):
            for bid in propose_plans(view, answer.plans, solver=context.solver):
                if sent.get(bid.bid) != bid and (
                    bid.bid in sent or len(sent) < auction.rules.bids_per_solver
                ):
                    sent[bid.bid] = bid
                    yield bid
