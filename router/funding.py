"""Bringing cash to where it is needed: the USDC transfers of a plan whose fills are on one chain.

Chains form a tree around the home chain. From the leaves inwards, a chain that needs cash is sent
exactly what it needs by its parent, and a chain that is left with cash sends on all that a bridge
carries. So no chain but home ends with a need above zero, each pair of chains uses one direction, and
cash flows in no cycle. Amounts are settled from the far end inwards: when a transfer is fixed,
everything that its chain must pay is known, to the micro-USDC.

Sets: chains X with tree edges (parent p(x), x), bridges B. Variables: cash c_b >= 0. Constraints: for
x other than home, need_x + sent_x + fees_x - arrived_x <= 0; c_b <= capacity_b. Objective: the least
need at home. Given the tree this is solved exactly but for splitting one edge over parallel bridges;
the tree is searched: the cheapest ways out and back, and, for a plan worth the time, chains moved to
other parents one at a time as long as that helps.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from chains.fees import bridge_fee
from chains.snapshot import BridgeTerms
from chains.units import USDC
from router.hops import affordable_cash
from router.needs import cash_needs
from router.problem import Plan
from router.residual import Residual
from router.sourcing import Sourcing

Tree = Mapping[str, str]
"""The parent of every chain but home; parents come first."""


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


def fund_plan(
    sourcing: Sourcing, plan: Plan, *, home: str, residual: Residual, amount: int, thorough: bool = False
) -> Funded | None:
    """Add cash transfers to a plan that has none; None where bridges cannot carry what a chain needs.

    `amount` is about how much micro-USDC will travel: the first trees are chosen for it. If `thorough`,
    chains that the plan touches are then moved to other parents as long as that helps.
    """
    task = _Task(sourcing=sourcing, residual=residual, plan=plan, home=home)
    needs = cash_needs(sourcing.problem, plan)
    if not any(need for chain, need in needs.items() if chain != home):
        return Funded(plan=plan, need=needs[home])
    best, trees = None, _cheapest_trees(task, needs, amount)
    while trees:
        better = task.best_of(needs, trees)
        if better is None or (best is not None and better.rank >= best.rank):
            break
        best = better
        trees = list(_moved(task, best.tree, set(needs))) if thorough else []
    return task.fund(best) if best else None


def _cheapest_trees(task: "_Task", needs: Mapping[str, int], amount: int) -> list[Tree]:
    """The different trees to begin with; those without bridges that are nearly used up come first."""
    remote = [need for chain, need in needs.items() if chain != task.home]
    short = frozenset(bridge for bridge, capacity in task.residual.cash.items() if capacity < amount)
    trees: list[Tree] = []
    for closed in dict.fromkeys((short, frozenset[str]())):
        for outward, is_wanted in ((True, max(remote) > 0), (False, min(remote) < 0)):
            if is_wanted:
                tree = task.sourcing.cash_tree(
                    task.home, outward=outward, amount=amount, free=frozenset(needs), closed=closed
                )
                trees += [tree] if tree not in trees else []
    return trees


def _moved(task: "_Task", tree: Tree, touched: set[str]) -> Iterator[Tree]:
    """The trees in which one touched chain has another touched chain for its parent."""
    graph = task.sourcing.graph
    for chain in sorted(touched - {task.home}):
        near = {*graph.successors(chain), *graph.predecessors(chain)} & touched
        for parent in sorted(near - {tree.get(chain, chain)}):
            moved = _rooted({**tree, chain: parent}, task.home)
            if chain in moved:
                yield moved


def _rooted(parents: Mapping[str, str], home: str) -> Tree:
    """The same tree with parents first, without what does not hang on home."""
    children: defaultdict[str, list[str]] = defaultdict(list)
    for chain, parent in parents.items():
        children[parent].append(chain)
    tree: dict[str, str] = {}
    reached = [home]
    for parent in reached:
        tree |= dict.fromkeys(children[parent], parent)
        reached += children[parent]
    return tree


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A plan without cash, and what its cash may use."""

    sourcing: Sourcing
    residual: Residual
    plan: Plan
    home: str

    def best_of(self, needs: Mapping[str, int], trees: Iterable[Tree]) -> "_Purses | None":
        """The purses with the least need at home over some trees, if any can be settled."""
        purses = (_Purses(self, needs, tree) for tree in trees)
        return min((each for each in purses if each.settle()), key=lambda each: each.rank, default=None)

    def fund(self, purses: "_Purses") -> Funded:
        """The plan with the transfers of the purses, measured."""
        transfers = (*self.plan.transfers, *purses.transfers())
        plan = Plan(fills=self.plan.fills, trades=self.plan.trades, transfers=transfers)
        need = cash_needs(self.sourcing.problem, plan)[self.home]
        return Funded(plan=plan, need=need, is_clipped=purses.is_clipped)


class _Purses:
    """The need of every chain while cash transfers are decided one by one along a tree."""

    __slots__ = ("_cash", "_lots", "_needs", "_task", "is_clipped", "tree")

    def __init__(self, task: _Task, needs: Mapping[str, int], tree: Tree) -> None:
        self.tree = tree
        self.is_clipped = False
        self._task = task
        self._needs = dict(needs)
        self._cash: dict[str, int] = {}
        self._lots: Counter[str] = Counter()
        for bridge, _, lots in task.plan.transfers:
            self._lots[bridge] += lots

    @property
    def rank(self) -> int:
        """The need at home, in micro-USDC: the smaller, the better."""
        return self._needs[self._task.home]

    def transfers(self) -> tuple[tuple[str, str, int], ...]:
        """The cash transfers, sorted."""
        return tuple((bridge, USDC, amount) for bridge, amount in sorted(self._cash.items()))

    def settle(self) -> bool:
        """Settle every chain but home, the farthest first; False where a need stays."""
        reached = {*self.tree, self._task.home}
        if any(need > 0 for chain, need in self._needs.items() if chain not in reached):
            return False
        for chain in reversed(tuple(self.tree)):
            need = self._needs.get(chain, 0)
            if need > 0 and not self._pull(self.tree[chain], chain, need):
                return False
            if need < 0:
                self._push(chain, self.tree[chain], -need)
        return True

    def _pull(self, parent: str, chain: str, amount: int) -> bool:
        """Send a chain exactly what it needs over the cheapest bridge that carries it."""
        fees = [
            (self._fee(bridge, amount), bridge.id)
            for bridge in self._bridges(parent, chain)
            if amount <= self._task.residual.cash[bridge.id]
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
            options.append((min(most, self._task.residual.cash[bridge.id]), most, bridge))
        options.sort(key=lambda option: (-option[0], option[2].id))
        entry = 0 if parent in self._needs else self._task.sourcing.tolls[parent]
        self.is_clipped |= any(most > options[0][0] for _, most, _ in options)
        if not options or options[0][0] <= entry:
            return
        amount, _, bridge = options[0]
        self._cash[bridge.id] = amount
        self._needs[parent] = self._need_of(parent) - amount
        self._needs[chain] = amount + self._fee(bridge, amount) - budget

    def _need_of(self, chain: str) -> int:
        """The need of a chain; one that is entered now must pay for its settlement."""
        return self._needs.get(chain, self._task.sourcing.tolls[chain])

    def _fee(self, bridge: BridgeTerms, cash: int) -> int:
        """What sending cash adds to the fees of a bridge that may carry lots already."""
        lots = self._lots[bridge.id]
        return bridge_fee(bridge, cash=cash, lots=lots) - bridge_fee(bridge, cash=0, lots=lots)

    def _bridges(self, source: str, target: str) -> Iterator[BridgeTerms]:
        for edge in (self._task.sourcing.graph.get_edge_data(source, target) or {}).values():
            yield edge["bridge"]
