"""`joint`: the whole batch at once, orders matched with orders and fixed fees shared.

It starts from the greedy answer, which is valid at once, and yields whatever is better as it is found.
"""

from collections import defaultdict
from collections.abc import Iterator

from chains.package import Package, reduce_legs
from router.greedy import clear_greedily
from router.joint import improve_jointly
from router.problem import Demand
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.proposals import RESERVE_S, propose_answers
from solvers.strategy import SolveContext
from solvers.view import view_auction


class Joint:
    """One bid per connected part of the best answer so far."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        """Yield the greedy bids, then each improvement."""
        view = view_auction(auction)
        peers: defaultdict[tuple[str, Package], list[Demand]] = defaultdict(list)
        for demand in view.problem.demands.values():
            peers[demand.chain, reduce_legs(demand.legs)[0]].append(demand)

        def remaining_s() -> float:
            return context.remaining_s() - RESERVE_S

        answers = improve_jointly(
            view.problem,
            time_limit_s=remaining_s(),
            seed_plans=clear_greedily(view.problem, list(peers.values())),
            remaining_s=remaining_s,
        )
        return propose_answers(view, (answer.plans for answer in answers), solver=context.solver)
