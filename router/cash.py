"""Exact cash transfers from approximate ones.

A solver says, in floats, which bridges carry cash and about how much. Here the amounts become whole
micro-USDC such that every chain is covered and no more is moved than is needed:

- a *free* chain has no fills, gets cash from free chains only, and has a way over the given bridges to
  a chain with fills: it holds proceeds that count for nothing where they are, so it sends on all;
- any other chain is sent, from chains that are not free, exactly what it lacks: nothing is left over
  at a chain without fills, and at a chain with fills the ceilings are just used up.

Where several bridges could take a change, the approximate amounts are kept on all but the largest.
Each rule fixes amounts that the other depends on, so they are applied in turn until nothing moves;
only roundings move after the first time. Bridges that end with nothing are dropped.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from chains.fees import bridge_fee
from chains.snapshot import BridgeTerms
from chains.units import USDC
from router.coverage import chain_ceilings
from router.hops import affordable_cash
from router.needs import cash_needs
from router.problem import Plan, Problem

ROUNDS_MAX = 16
"""More turns than the roundings of any sensible transfers need."""


def settle_cash(problem: Problem, plan: Plan, *, least: int = 0) -> Plan:
    """The plan with its USDC transfers made exact; they must not go round in a circle.

    `least` micro-USDC are sent even where nothing is needed. The answer is not always covered: bridges
    may lack the capacity, or chains the cash.
    """
    about = {bridge: amount for bridge, asset, amount in plan.transfers if asset == USDC}
    kept = tuple(transfer for transfer in plan.transfers if transfer[1] != USDC)
    while True:
        cash = tuple((bridge, USDC, amount) for bridge, amount in about.items())
        plan = Plan(fills=plan.fills, trades=plan.trades, transfers=kept + cash)
        if not about:
            return plan
        amounts = _Purses(problem, plan, about, least=least).settle()
        if all(amounts.values()):
            cash = tuple((bridge, USDC, amount) for bridge, amount in sorted(amounts.items()))
            return Plan(fills=plan.fills, trades=plan.trades, transfers=kept + cash)
        about = {bridge: amount for bridge, amount in about.items() if amounts[bridge]}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edge:
    """One bridge that carries cash: its lots, and about how much cash it should carry."""

    bridge: BridgeTerms
    lots: int
    about: int

    def cost(self, amount: int) -> int:
        """What sending takes from the source, beyond what the lots cost anyway."""
        fees = bridge_fee(self.bridge, cash=amount, lots=self.lots)
        return amount + fees - bridge_fee(self.bridge, cash=0, lots=self.lots)

    def most(self, budget: int) -> int:
        """The most that can be sent for `budget`."""
        affordable = affordable_cash(self.bridge, budget, lots=self.lots)
        return max(0, min(affordable, self.bridge.capacity_cash))


class _Purses:
    """The cash of every chain of a plan while amounts are settled."""

    def __init__(self, problem: Problem, plan: Plan, about: Mapping[str, int], *, least: int) -> None:
        lots: defaultdict[str, int] = defaultdict(int)
        for bridge, asset, amount in plan.transfers:
            lots[bridge] += amount if asset != USDC else 0
        self._least = least
        self._edges = [
            _Edge(bridge=problem.bridges[bridge], lots=lots[bridge], about=amount)
            for bridge, amount in sorted(about.items(), key=lambda entry: (entry[1], entry[0]))
        ]
        self._amounts = {edge.bridge.id: edge.about for edge in self._edges}
        ceilings = chain_ceilings(problem, plan)
        self._has_fills = frozenset(ceilings)
        needs = cash_needs(problem, plan)
        self._lacks = {chain: need - ceilings.get(chain, 0) for chain, need in needs.items()}
        for edge in self._edges:
            self._lacks[edge.bridge.source] -= edge.cost(edge.about)
            self._lacks[edge.bridge.target] += edge.about
        self._order = self._sort_chains()
        self._free = self._find_free()

    def settle(self) -> dict[str, int]:
        """The amounts, by bridge."""
        for _ in range(ROUNDS_MAX):
            before = dict(self._amounts)
            for chain in self._order:
                if chain in self._free:
                    self._send_on(chain)
            for chain in reversed(self._order):
                if chain not in self._free:
                    self._ask_for(chain)
            if self._amounts == before:
                break
        return self._amounts

    def _sort_chains(self) -> list[str]:
        """The chains in the direction of the cash."""
        sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(sorted(self._lacks), ()))
        for edge in self._edges:
            sorter.add(edge.bridge.target, edge.bridge.source)
        return list(sorter.static_order())

    def _find_free(self) -> frozenset[str]:
        leading: set[str] = set()
        for chain in reversed(self._order):
            if any(self._is_sink(edge.bridge.target, leading) for edge in self._out_of(chain)):
                leading.add(chain)
        free: set[str] = set()
        for chain in self._order:
            fed = all(edge.bridge.source in free for edge in self._into(chain))
            if fed and chain in leading and chain not in self._has_fills:
                free.add(chain)
        return frozenset(free)

    def _is_sink(self, chain: str, leading: Iterable[str]) -> bool:
        return chain in self._has_fills or chain in leading

    def _out_of(self, chain: str) -> list[_Edge]:
        return [edge for edge in self._edges if edge.bridge.source == chain]

    def _into(self, chain: str) -> list[_Edge]:
        return [edge for edge in self._edges if edge.bridge.target == chain]

    def _send_on(self, chain: str) -> None:
        """Send all that a free chain has beyond its other transfers over its largest way to a sink."""
        ways = [
            edge
            for edge in self._out_of(chain)
            if edge.bridge.target in self._has_fills or edge.bridge.target in self._free
        ]
        if not ways:
            return
        arrived = sum(self._amounts[edge.bridge.id] for edge in self._into(chain))
        spent = sum(self._spent(edge) for edge in self._out_of(chain) if edge is not ways[-1])
        self._amounts[ways[-1].bridge.id] = ways[-1].most(arrived - self._lacks[chain] - spent)

    def _ask_for(self, chain: str) -> None:
        """Ask for exactly what a chain lacks, from the chains that are not free."""
        arriving = self._into(chain)
        ways = [edge for edge in arriving if edge.bridge.source not in self._free]
        if not ways:
            ways = [edge for edge in arriving if chain not in self._has_fills]
        fixed = sum(self._amounts[edge.bridge.id] for edge in arriving if edge not in ways)
        spent = sum(self._spent(edge) for edge in self._out_of(chain))
        missing = max(0, self._lacks[chain] + spent - fixed)
        for edge in ways:
            amount = min(max(missing, self._least), edge.about, edge.bridge.capacity_cash)
            self._amounts[edge.bridge.id] = amount
            missing = max(0, missing - amount)
        self._top_up(ways, missing)

    def _top_up(self, ways: Sequence[_Edge], missing: int) -> None:
        for edge in reversed(ways):
            room = edge.bridge.capacity_cash - self._amounts[edge.bridge.id]
            self._amounts[edge.bridge.id] += min(missing, room)
            missing -= min(missing, room)

    def _spent(self, edge: _Edge) -> int:
        amount = self._amounts[edge.bridge.id]
        return edge.cost(amount) if amount else 0
