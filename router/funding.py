"""Bringing cash to where it is needed: the USDC transfers of a plan whose fills are on one chain.

Chains form a tree around the home chain. From the leaves inwards, a chain that needs cash is sent
exactly what it needs by its parent, and a chain that is left with cash sends on all that a bridge
carries. So no chain but home ends with a need above zero, each pair of chains uses one direction, and
cash flows in no cycle. Amounts are settled from the far end inwards: when a transfer is fixed,
everything that its chain must pay is known, to the micro-USDC.

Sets: chains X with tree edges (parent p(x), x), bridges B. Variables: cash c_b >= 0. Constraints: for
x other than home, need_x + sent_x + fees_x - arrived_x <= 0; c_b <= capacity_b. Objective: the least
need at home. Given the tree this is solved exactly but for splitting one edge over parallel bridges.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chains.fees import bridge_fee
from chains.snapshot import BridgeTerms
from chains.units import USDC
from router.hops import affordable_cash
from router.needs import cash_needs
from router.problem import Plan
from router.residual import Residual
from router.sourcing import Sourcing


@dataclass(frozen=True, slots=True, kw_only=True)
class Funded:
    """A plan with its cash transfers.

    Attributes
    ----------
    need : micro-USDC at home
    is_clipped : whether a bridge was too small for all the cash that should have travelled home
    """

    plan: Plan
    need: int
    is_clipped: bool = False


def fund_plan(sourcing: Sourcing, plan: Plan, *, home: str, residual: Residual, amount: int) -> Funded | None:
    """Add cash transfers to a plan that has none; None where bridges cannot carry what a chain needs.

    `amount` is about how much micro-USDC will travel; the tree is chosen for it. The cheapest ways
    out and the cheapest ways back are tried, where there is cash to go out and to come back.
    """
    problem = sourcing.problem
    needs = cash_needs(problem, plan)
    if not any(need for chain, need in needs.items() if chain != home):
        return Funded(plan=plan, need=needs[home])
    best: Funded | None = None
    for tree in _trees(sourcing, needs, home=home, residual=residual, amount=amount):
        purses = _Purses(sourcing, plan, residual, needs=needs)
        if purses.settle(tree, home):
            funded = Plan(fills=plan.fills, trades=plan.trades, transfers=plan.transfers + purses.transfers())
            need = cash_needs(problem, funded)[home]
            if best is None or need < best.need:
                best = Funded(plan=funded, need=need, is_clipped=purses.is_clipped)
    return best


def _trees(
    sourcing: Sourcing, needs: Mapping[str, int], *, home: str, residual: Residual, amount: int
) -> list[dict[str, str]]:
    """The different trees worth trying; those without bridges that are nearly used up come first."""
    remote = [need for chain, need in needs.items() if chain != home]
    short = frozenset(bridge for bridge, capacity in residual.cash.items() if capacity < amount)
    trees: list[dict[str, str]] = []
    for closed in dict.fromkeys((short, frozenset[str]())):
        for outward, is_wanted in ((True, max(remote) > 0), (False, min(remote) < 0)):
            if is_wanted:
                tree = sourcing.cash_tree(
                    home, outward=outward, amount=amount, free=frozenset(needs), closed=closed
                )
                trees += [tree] if tree not in trees else []
    return trees


class _Purses:
    """The need of every chain while cash transfers are decided one by one."""

    __slots__ = ("_cash", "_lots", "_needs", "_residual", "_sourcing", "is_clipped")

    def __init__(
        self, sourcing: Sourcing, plan: Plan, residual: Residual, *, needs: Mapping[str, int]
    ) -> None:
        self._sourcing = sourcing
        self._residual = residual
        self._needs = dict(needs)
        self._cash: dict[str, int] = {}
        self.is_clipped = False
        self._lots: Counter[str] = Counter()
        for bridge, _, lots in plan.transfers:
            self._lots[bridge] += lots

    def transfers(self) -> tuple[tuple[str, str, int], ...]:
        """The cash transfers, sorted."""
        return tuple((bridge, USDC, amount) for bridge, amount in sorted(self._cash.items()))

    def settle(self, tree: Mapping[str, str], home: str) -> bool:
        """Settle every chain but home, the farthest first; False where a need stays."""
        if any(need > 0 for chain, need in self._needs.items() if chain not in tree and chain != home):
            return False
        for chain in reversed(tuple(tree)):
            need = self._needs.get(chain, 0)
            if need > 0 and not self._pull(tree[chain], chain, need):
                return False
            if need < 0:
                self._push(chain, tree[chain], -need)
        return True

    def _pull(self, parent: str, chain: str, amount: int) -> bool:
        """Send a chain exactly what it needs over the cheapest bridge that carries it."""
        fees = [
            (self._fee(bridge, amount), bridge.id)
            for bridge in self._bridges(parent, chain)
            if amount <= self._residual.cash[bridge.id]
        ]
        if not fees:
            return False
        fee, bridge_id = min(fees)
        self._cash[bridge_id] = amount
        self._needs[parent] = self._need_of(parent) + amount + fee
        self._needs[chain] = 0
        return True

    def _push(self, chain: str, parent: str, budget: int) -> None:
        """Send on what a chain is left with, unless entering the parent costs more than that."""
        options = []
        for bridge in self._bridges(chain, parent):
            most = affordable_cash(bridge, budget, lots=self._lots[bridge.id])
            options.append((min(most, self._residual.cash[bridge.id]), most, bridge))
        options.sort(key=lambda option: (-option[0], option[2].id))
        entry = 0 if parent in self._needs else self._sourcing.tolls[parent]
        self.is_clipped |= any(most > options[0][0] for _, most, _ in options)
        if not options or options[0][0] <= entry:
            return
        amount, _, bridge = options[0]
        self._cash[bridge.id] = amount
        self._needs[parent] = self._need_of(parent) - amount
        self._needs[chain] = amount + self._fee(bridge, amount) - budget

    def _need_of(self, chain: str) -> int:
        """The need of a chain; one that is entered now must pay for its settlement."""
        return self._needs.get(chain, self._sourcing.tolls[chain])

    def _fee(self, bridge: BridgeTerms, cash: int) -> int:
        """What sending cash adds to the fees of a bridge that may carry lots already."""
        lots = self._lots[bridge.id]
        return bridge_fee(bridge, cash=cash, lots=lots) - bridge_fee(bridge, cash=0, lots=lots)

    def _bridges(self, source: str, target: str) -> Iterator[BridgeTerms]:
        for edge in (self._sourcing.graph.get_edge_data(source, target) or {}).values():
            yield edge["bridge"]
