"""Deals of hand-made or random auctions, planned for settlement without a market around them."""

from collections.abc import Collection
from dataclasses import dataclass

from chains.commit import DealPlan
from intents.archive import SettledDeal, SettledLeg, SettledTransfer
from intents.collateral import Requirement, requirement_of
from intents.settlement import plan_settlement
from solvers.arbitration import arbitrate
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.outcome import Deal
from solvers.problem import to_problem
from tests.market_run import submit


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A deal with its bid, what each of its intents ties up, and its plan."""

    bid: Bid
    deal: Deal
    requirements: dict[str, Requirement]
    plan: DealPlan

    @property
    def settled(self) -> SettledDeal:
        """The deal as an archive holds it once every leg is released."""
        legs = tuple(
            SettledLeg(
                chain=leg.chain,
                state="released",
                transfers=tuple(
                    SettledTransfer(
                        debit=each.debit, credit=each.credit, asset=each.asset, amount=each.amount
                    )
                    for each in leg.transfers
                ),
            )
            for leg in self.plan.legs
        )
        return SettledDeal(deal=self.deal.deal, state="settled", at_us=self.deal.decide_by_us, legs=legs)


def plan_deals(auction: Auction, *bids: Bid, closing: Collection[tuple[str, str]] = ()) -> list[Planned]:
    """Every deal of a round; the sold legs in `closing`, as (intent, series), close positions."""
    contents = {bid.digest: bid for bid in bids}
    problem = to_problem(auction)
    planned = []
    for deal in arbitrate(auction, [submit(bid.solver, 0, bid) for bid in bids]).deals:
        requirements = {}
        for fill in deal.fills:
            demand = problem.demands[fill.intent]
            sold = [series for series, ratio in demand.legs if ratio < 0 and (fill.intent, series) in closing]
            requirements[fill.intent] = requirement_of(demand.legs, limit=demand.limit, closing=sold)
        bid = contents[deal.digest]
        plan = plan_settlement(problem, bid=bid, deal=deal, requirements=requirements)
        planned.append(Planned(bid=bid, deal=deal, requirements=requirements, plan=plan))
    return planned
