"""`joint`: the whole batch at once, orders matched with orders and fixed fees shared.

It starts from the greedy answer, which is valid at once, and yields whatever is better as it is found.
A bid is named after the first of its intents, so a better plan for the same order takes the place of
the one before it. Only so many names count; once they are used up, a bid takes the name of one that is
no longer part of the answer. So all of the latest answer is always in the pool; what is left of earlier
answers is feasible too, and the winners are the best set of all.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec

from chains.package import Package, reduce_legs
from router.greedy import clear_greedily
from router.joint import improve_jointly
from router.problem import Demand
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.proposals import propose_plans
from solvers.strategy import SolveContext
from solvers.view import view_auction

RESERVE_S: Final = 0.3
"""Back ends overrun their limits a little, and bids have to be verified and sent."""


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
        sent: dict[str, Bid] = {}
        for answer in answers:
            bids = list(propose_plans(view, answer.plans, solver=context.solver))
            for bid in tuple(rename_bids(bids, sent, most=auction.rules.bids_per_solver)):
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
