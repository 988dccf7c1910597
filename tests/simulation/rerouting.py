"""The same trades with the cash sent otherwise: so that what is left over stays on one chain.

Cash goes where it is needed, but a bid chooses whose it is. Here every other chain with fills pays first
for what is short anywhere, then the proceeds of chains without fills, and the favoured chain last; what
is left of the proceeds goes to the favoured chain.
"""

from collections import Counter
from itertools import pairwise
from typing import Final

import networkx as nx
from msgspec.structs import replace

from chains.fees import bridge_fee, settlement_fee
from chains.snapshot import BridgeTerms
from chains.units import USDC
from router.coverage import chain_ceilings
from router.needs import cash_needs
from router.problem import Problem
from solvers.auction import Auction
from solvers.bid import Bid, Transfer
from solvers.problem import to_plan, to_problem

Hop = tuple[str, str]
"""(source, target) of a bridge."""

TRIES: Final = 5
"""How often an amount is lowered until the source can pay for it with all fees."""


class Purse:
    """What each chain has beyond its need (negative: is short of), as cash is sent over bridges."""

    def __init__(self, problem: Problem, bid: Bid) -> None:
        plan = to_plan(bid)
        ceilings = chain_ceilings(problem, plan)
        self.left = {
            chain: ceilings.get(chain, 0) - need for chain, need in cash_needs(problem, plan).items()
        }
        self.cash: Counter[str] = Counter()
        self._chains = problem.chains
        self._lots: Counter[str] = Counter()
        for transfer in bid.transfers:
            self._lots[transfer.bridge] += transfer.amount
        self._graph: nx.DiGraph[str] = nx.DiGraph()
        for bridge in sorted(problem.bridges.values(), key=lambda each: each.id, reverse=True):
            self._graph.add_edge(bridge.source, bridge.target, bridge=bridge)

    def send(self, source: str, target: str, *, most: int) -> None:
        """Send as much as the source can spare, and no more than `most`, over as few bridges as it takes."""
        if source == target or not nx.has_path(self._graph, source, target):
            return
        path = list(pairwise(nx.shortest_path(self._graph, source, target)))
        amount = most
        for _ in range(TRIES):
            sent = self._amounts(path, amount)
            beyond = sent[0] + self._fee(path[0], sent[0]) - self.left[source]
            if beyond <= 0 or amount <= 0:
                break
            amount -= beyond
        if amount <= 0 or beyond > 0:
            return
        for hop, carried in zip(path, sent, strict=True):
            for chain in hop:
                self.left.setdefault(chain, -settlement_fee(self._chains[chain], fills=0, alone=False))
            self.left[hop[0]] -= carried + self._fee(hop, carried)
            self.left[hop[1]] += carried
            self.cash[self._bridge(hop).id] += carried

    def _amounts(self, path: list[Hop], amount: int) -> list[int]:
        """What each bridge of a path carries so that an amount arrives: chains on the way pay their fees."""
        carried = [amount]
        for hop in path[:0:-1]:
            new = hop[0] not in self.left
            leg = settlement_fee(self._chains[hop[0]], fills=0, alone=False) if new else 0
            carried.append(carried[-1] + self._fee(hop, carried[-1]) + leg)
        return carried[::-1]

    def _bridge(self, hop: Hop) -> BridgeTerms:
        bridge: BridgeTerms = self._graph.edges[hop]["bridge"]
        return bridge

    def _fee(self, hop: Hop, more: int) -> int:
        """What a bridge takes for so much more cash on it."""
        bridge = self._bridge(hop)
        cash, lots = self.cash[bridge.id], self._lots[bridge.id]
        return bridge_fee(bridge, cash=cash + more, lots=lots) - bridge_fee(bridge, cash=cash, lots=lots)


def keep_cash_at(auction: Auction, bid: Bid, home: str) -> Bid:
    """The bid with its cash sent anew in favour of one chain; it need not be feasible."""
    problem = to_problem(auction)
    lots = tuple(transfer for transfer in bid.transfers if transfer.asset != USDC)
    purse = Purse(problem, replace(bid, transfers=lots))
    filled = {problem.demands[fill.intent].chain for fill in bid.fills}
    others = sorted(filled - {home}, key=lambda chain: (-purse.left[chain], chain))
    proceeds = sorted(chain for chain, left in purse.left.items() if chain not in filled and left > 0)
    short = sorted(chain for chain, left in purse.left.items() if left < 0)
    for source in (*others, *proceeds, home):
        for target in short:
            if purse.left.get(source, 0) > 0:
                purse.send(source, target, most=-purse.left[target])
    for source in proceeds:
        purse.send(source, home, most=purse.left[source])
    cash = tuple(
        Transfer(bridge=bridge, asset=USDC, amount=amount) for bridge, amount in sorted(purse.cash.items())
    )
    return replace(bid, transfers=tuple(sorted((*lots, *cash), key=lambda each: (each.bridge, each.asset))))
