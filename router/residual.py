"""What is left of a problem's offers, bridges and demands while plans are taken one after another.

The rule it keeps: plans that were all taken from one residual are jointly compatible, that is, no
offer and no bridge is over-used, no demand is filled twice, and no one-cancels-other group either.
"""

from collections import Counter

from chains.units import USDC
from router.problem import Demand, Plan, Problem


class Residual:
    """Free lots and capacities, and the demands that are still open.

    Attributes
    ----------
    offers : lots by offer id
    cash, lots : capacity by bridge id, in micro-USDC and in lots
    """

    __slots__ = ("_filled", "_groups", "_problem", "cash", "lots", "offers")

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.offers = {offer.id: offer.lots for offer in problem.offers.values()}
        self.cash = {bridge.id: bridge.capacity_cash for bridge in problem.bridges.values()}
        self.lots = {bridge.id: bridge.capacity_lots for bridge in problem.bridges.values()}
        self._filled: set[str] = set()
        self._groups: set[tuple[str, str]] = set()

    def is_open(self, demand: Demand) -> bool:
        """Whether a demand may still be filled."""
        taken = demand.group and (demand.owner, demand.group) in self._groups
        return demand.intent not in self._filled and not taken

    def has_room(self, plan: Plan) -> bool:
        """Whether a plan could be taken."""
        cash, lots = _loads(plan)
        return (
            all(self.is_open(self._problem.demands[intent]) for intent, _ in plan.fills)
            and all(amount <= self.offers[offer] for offer, amount in plan.trades)
            and all(amount <= self.cash[bridge] for bridge, amount in cash.items())
            and all(amount <= self.lots[bridge] for bridge, amount in lots.items())
        )

    def take(self, plan: Plan) -> None:
        """Use up what a plan needs; it must have room."""
        assert self.has_room(plan), "a plan was taken that no longer fits"
        cash, lots = _loads(plan)
        for offer, amount in plan.trades:
            self.offers[offer] -= amount
        for bridge, amount in cash.items():
            self.cash[bridge] -= amount
        for bridge, amount in lots.items():
            self.lots[bridge] -= amount
        for intent, _ in plan.fills:
            demand = self._problem.demands[intent]
            self._filled.add(intent)
            if demand.group:
                self._groups.add((demand.owner, demand.group))


def _loads(plan: Plan) -> tuple[Counter[str], Counter[str]]:
    cash: Counter[str] = Counter()
    lots: Counter[str] = Counter()
    for bridge, asset, amount in plan.transfers:
        (cash if asset == USDC else lots)[bridge] += amount
    return cash, lots
