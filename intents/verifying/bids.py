"""Is a bid feasible, what does it need, and what does each of its fills pay? Asked a second time.

The bid is played through as movements of lots and cash, with exact fractions where a formula divides.
`judge_bid` answers with a `Judged`, or with the first rule that is broken in the order of the closed
list in `solvers.reasons`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import networkx as nx

from chains.units import WIRE_MAX
from intents.verifying.flows import Flows, play_bid
from intents.verifying.names import check_names
from intents.verifying.parts import check_connected
from intents.verifying.sheet import PackageKey, Sheet, package_of, require
from intents.verifying.timing import Instants, check_in_time, deal_instants
from solvers.bid import Bid


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A feasible bid, in the verifier's words; amounts in micro-USDC.

    `prices` holds (reduced units, ceiling, price), the last two per reduced unit; `reserve` leaves
    out chains where nothing is left.
    """

    score: int
    prices: dict[PackageKey, tuple[int, int, int]]
    payments: dict[str, int]
    reserve: dict[str, int]
    deadlines: Instants
    flows: Flows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peers:
    """All fills of one package on one chain; `low` and `ceiling` per reduced unit."""

    units: int
    low: int
    ceiling: int


def judge_bid(sheet: Sheet, bid: Bid) -> Judged:
    """Everything that follows from a feasible bid.

    Raises
    ------
    VerificationError
        If the bid breaks a rule: the first one in the order of the closed list, as `rule`.
    """
    check_names(sheet, bid)
    check_connected(sheet, bid)
    flows = play_bid(sheet, bid)
    over = flows.lots_over()
    require(not over, "imbalance", f"{over} lots over")
    peers = _gather(sheet, bid)
    spare = _check_cash(sheet, bid, flows=flows, peers=peers)
    deadlines = deal_instants(sheet, bid)
    check_in_time(sheet, bid, deadlines)
    prices = _prices(peers, spare)
    payments: dict[str, int] = {}
    reserve = Counter({chain: -flows.need(chain) for chain in sorted(flows.touched)})
    for fill in bid.fills:
        key, factor = package_of(sheet.orders[fill.intent])
        payments[fill.intent] = prices[key][2] * factor * fill.units
        reserve[key[0]] += payments[fill.intent]
    limits = sum(sheet.orders[fill.intent].limit * fill.units for fill in bid.fills)
    judged = Judged(
        score=limits - sum(flows.need(chain) for chain in flows.filled),
        prices=prices,
        payments=payments,
        reserve={chain: amount for chain, amount in reserve.items() if amount},
        deadlines=deadlines,
        flows=flows,
    )
    for amount in _amounts(sheet, bid, judged, peers):
        require(abs(amount) <= WIRE_MAX, "amount_out_of_range", amount)
    return judged


def _gather(sheet: Sheet, bid: Bid) -> dict[PackageKey, _Peers]:
    units: Counter[PackageKey] = Counter()
    low: dict[PackageKey, int] = {}
    for fill in bid.fills:
        order = sheet.orders[fill.intent]
        key, factor = package_of(order)
        units[key] += fill.units * factor
        low[key] = min(low.get(key, WIRE_MAX), floor(Fraction(order.limit, factor)))
    peers = {}
    for key, amount in sorted(units.items()):
        held, price = sheet.reference.get(key, (0, 0))
        inside = min(held, amount)
        ceiling = ceil(Fraction(min(price, low[key]) * inside + low[key] * (amount - inside), amount))
        peers[key] = _Peers(units=amount, low=low[key], ceiling=ceiling)
    return peers


def _check_cash(sheet: Sheet, bid: Bid, *, flows: Flows, peers: dict[PackageKey, _Peers]) -> dict[str, int]:
    """The rules on cash; what the ceilings leave over on each chain with fills."""
    spare, units = {}, {}
    for chain in sorted(flows.filled):
        here = [group for (at, _), group in peers.items() if at == chain]
        free = sum(group.low * group.units for group in here) - flows.need(chain)
        require(free >= 0, "limit_exceeded", f"{chain}: short of {-free}")
        spare[chain] = sum(group.ceiling * group.units for group in here) - flows.need(chain)
        units[chain] = sum(group.units for group in here)
    for chain, left in spare.items():
        require(left >= 0, "above_reference", f"{chain}: short of {-left}")
    for chain in sorted(flows.touched - flows.filled):
        require(flows.need(chain) <= 0, "unfunded", f"{chain}: {flows.need(chain)}")
    roads: nx.DiGraph[str] = nx.DiGraph()
    for transfer in bid.transfers:
        if transfer.asset == "USDC":
            roads.add_edge(sheet.bridges[transfer.bridge].source, sheet.bridges[transfer.bridge].target)
    for chain in sorted(flows.filled & set(roads)):
        if nx.ancestors(roads, chain) & flows.filled:
            require(spare[chain] < units[chain], "cash_misplaced", f"{chain}: {spare[chain]} over")
    return spare


def _prices(peers: dict[PackageKey, _Peers], spare: dict[str, int]) -> dict[PackageKey, tuple[int, int, int]]:
    """One equal percentage of every ceiling for all on a chain, improvements rounded down."""
    prices = {}
    for key, group in peers.items():
        here = [other for (at, _), other in peers.items() if at == key[0]]
        size = sum(abs(other.ceiling) * other.units for other in here)
        share = Fraction(abs(group.ceiling), size) if size else Fraction(1, sum(each.units for each in here))
        prices[key] = group.units, group.ceiling, group.ceiling - floor(spare[key[0]] * share)
    return prices


def _amounts(sheet: Sheet, bid: Bid, judged: Judged, peers: dict[PackageKey, _Peers]) -> Iterator[int]:
    """Sums that bound every number which the bid leads to: none may leave the wire's integers."""
    flows = judged.flows
    lots = sum(
        abs(ratio) * fill.units for fill in bid.fills for _, ratio in sheet.orders[fill.intent].legs or ()
    )
    sent = sum(transfer.amount for transfer in bid.transfers if transfer.asset != "USDC")
    yield lots + sent + sum(trade.lots for trade in bid.trades)
    for chain in sorted(flows.touched):
        yield from flows.gross(chain)
    for chain in sorted(flows.filled):
        here = [group for (at, _), group in peers.items() if at == chain]
        yield sum(abs(group.low) * group.units for group in here)
        yield sum(abs(group.ceiling) * group.units for group in here)
    limits = {fill.intent: sheet.orders[fill.intent].limit * fill.units for fill in bid.fills}
    yield sum(abs(limit) for limit in limits.values())
    yield sum(abs(payment) for payment in judged.payments.values())
    yield sum(limits.values()) - sum(judged.payments.values())
    yield judged.score
    yield judged.deadlines[2]
