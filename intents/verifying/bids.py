"""Is a bid feasible, what does it need, and what does each of its fills pay? Asked a second time.

The bid is played through as movements of lots and cash, one chain at a time, with exact fractions
where a formula divides. `judge_bid` answers with a `Judged` or with the name of a broken rule; which
of several broken rules is named first is the engine's business, not compared here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd

import networkx as nx

from chains.units import WIRE_MAX
from intents.errors import VerificationError
from solvers.auction import Auction, Order
from solvers.bid import Bid

PackageKey = tuple[str, tuple[tuple[str, int], ...]]
"""(chain, reduced legs)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A feasible bid, in the verifier's words; amounts in micro-USDC, prices per reduced unit."""

    score: int
    chains: tuple[str, ...]
    prices: dict[PackageKey, tuple[int, int, int]]
    payments: dict[str, int]
    reserve: dict[str, int]
    deadlines: tuple[int, int, int]


class Sheet:
    """An auction laid out by id."""

    def __init__(self, auction: Auction) -> None:
        self.auction = auction
        self.orders = {order.intent: order for order in auction.orders}
        self.offers = {offer.id: offer for offer in auction.offers}
        self.venues = {venue.id: venue for venue in auction.venues}
        self.bridges = {bridge.id: bridge for bridge in auction.bridges}
        self.chains = {chain.id: chain for chain in auction.chains}
        self.series = {series.id: series for series in auction.series}
        self.reference = {(row.chain, row.package): (row.units, row.price) for row in auction.reference}


def require(holds: bool, rule: str, found: object) -> None:
    """Break off with the rule where it does not hold."""
    if not holds:
        raise VerificationError(f"{rule}: {found}")


def package_of(order: Order) -> tuple[PackageKey, int]:
    """The chain and reduced package of an order, and the common factor."""
    legs = sorted(order.legs or ())
    factor = gcd(*(ratio for _, ratio in legs))
    return (order.chain, tuple((series, ratio // factor) for series, ratio in legs)), factor


def judge_bid(sheet: Sheet, bid: Bid) -> Judged:
    """Everything that follows from a feasible bid.

    Raises
    ------
    VerificationError
        If the bid breaks a rule, with the rule and what was found.
    """
    _check_form(sheet, bid)
    lots, cash, fill_chains, touched = _play(sheet, bid)
    for place, left in lots.items():
        require(left == 0, "imbalance", f"{place}: {left} lots over")
    _check_connected(sheet, bid)
    prices, spare = _prices(sheet, bid, cash, fill_chains)
    _check_cash(sheet, bid, spare=spare, fill_chains=fill_chains)
    payments: dict[str, int] = {}
    for fill in bid.fills:
        key, factor = package_of(sheet.orders[fill.intent])
        payments[fill.intent] = prices[key][2] * factor * fill.units
    reserve = {chain: -need for chain, need in cash.items()}
    for intent, payment in payments.items():
        reserve[sheet.orders[intent].chain] += payment
    score = sum(sheet.orders[fill.intent].limit * fill.units for fill in bid.fills)
    score -= sum(cash[chain] for chain in fill_chains)
    amounts = [score, *cash.values(), *payments.values(), *spare.values()]
    require(all(abs(amount) <= WIRE_MAX for amount in amounts), "amount_out_of_range", max(map(abs, amounts)))
    return Judged(
        score=score,
        chains=tuple(sorted(touched)),
        prices=prices,
        payments=payments,
        reserve={chain: amount for chain, amount in reserve.items() if amount},
        deadlines=_deadlines(sheet, bid, touched),
    )


def _unique(names: Iterable[object], rule: str) -> None:
    doubled = [name for name, count in Counter(names).items() if count > 1]
    require(not doubled, rule, doubled)


def _check_form(sheet: Sheet, bid: Bid) -> None:
    """Rules 1 and 2: names, units, lots and capacities."""
    require(
        not bid.pools and all(not fill.delivery for fill in bid.fills), "unsupported", "pools or delivery"
    )
    require(bool(bid.fills), "disconnected", "a bid that fills nothing")
    _unique((fill.intent for fill in bid.fills), "duplicate_fill")
    _unique((trade.offer for trade in bid.trades), "duplicate_trade")
    _unique(((transfer.bridge, transfer.asset) for transfer in bid.transfers), "duplicate_transfer")
    _unique((fee.chain for fee in bid.fee), "duplicate_fee")
    wanted: defaultdict[str, defaultdict[str, set[bool]]] = defaultdict(lambda: defaultdict(set))
    groups = []
    for fill in bid.fills:
        require(fill.intent in sheet.orders, "unknown_intent", fill.intent)
        order = sheet.orders[fill.intent]
        require(bool(order.legs), "unsupported", f"{fill.intent} is a payoff order")
        least = min(order.min_units, order.units)
        require(least <= fill.units <= order.units, "units_not_allowed", f"{fill.intent}: {fill.units}")
        if order.group:
            groups.append((order.owner, order.group))
        for series, ratio in order.legs or ():
            wanted[order.owner][series].add(ratio > 0)
    _unique(groups, "group_conflict")
    for owner, sides in wanted.items():
        for series, signs in sides.items():
            require(len(signs) == 1, "self_match", f"{owner} on both sides of {series}")
    for trade in bid.trades:
        require(trade.offer in sheet.offers, "unknown_offer", trade.offer)
        require(trade.lots <= sheet.offers[trade.offer].lots, "offer_exceeded", trade.offer)
    _check_transfers(sheet, bid)


def _check_transfers(sheet: Sheet, bid: Bid) -> None:
    loads: Counter[tuple[str, bool]] = Counter()
    roads: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for transfer in bid.transfers:
        require(transfer.bridge in sheet.bridges, "unknown_bridge", transfer.bridge)
        require(transfer.asset == "USDC" or transfer.asset in sheet.series, "unknown_asset", transfer.asset)
        bridge = sheet.bridges[transfer.bridge]
        loads[bridge.id, transfer.asset == "USDC"] += transfer.amount
        roads[transfer.asset].append((bridge.source, bridge.target))
    for (name, is_cash), amount in loads.items():
        bridge = sheet.bridges[name]
        capacity = bridge.capacity_cash if is_cash else bridge.capacity_lots
        require(amount <= capacity, "bridge_capacity", f"{name}: {amount} over {capacity}")
    for asset, edges in roads.items():
        require(nx.is_directed_acyclic_graph(nx.DiGraph(edges)), "transfer_cycle", asset)


def _play(sheet: Sheet, bid: Bid) -> tuple[Counter[tuple[str, str]], dict[str, int], set[str], set[str]]:
    """Move every lot and every micro-USDC: (lots left over, cash need, chains with fills, touched)."""
    lots: Counter[tuple[str, str]] = Counter()
    need: defaultdict[str, int] = defaultdict(int)
    for fill in bid.fills:
        order = sheet.orders[fill.intent]
        for series, ratio in order.legs or ():
            lots[order.chain, series] -= ratio * fill.units
            need[order.chain] += abs(ratio) * fill.units * sheet.auction.rules.fee_per_lot
        need[order.chain] += sheet.chains[order.chain].settle_fee_fill
    fill_chains = {sheet.orders[fill.intent].chain for fill in bid.fills}
    for chain, amount in _venue_costs(sheet, bid, lots):
        need[chain] += amount
    for chain, amount in _bridge_costs(sheet, bid, lots):
        need[chain] += amount
    touched = set(need)
    for fee in bid.fee:
        require(fee.chain in touched, "unknown_chain", fee.chain)
        need[fee.chain] += fee.amount
    for chain in touched:
        terms = sheet.chains[chain]
        need[chain] += terms.settle_fee_leg + (terms.deal_fee if len(touched) > 1 else 0)
    return lots, dict(need), fill_chains, touched


def _venue_costs(sheet: Sheet, bid: Bid, lots: Counter[tuple[str, str]]) -> Iterator[tuple[str, int]]:
    volume: Counter[str] = Counter()
    for trade in bid.trades:
        offer = sheet.offers[trade.offer]
        chain = sheet.venues[offer.venue].chain
        sign = {"sell": 1, "buy": -1}[offer.side]
        lots[chain, offer.series] += sign * trade.lots
        volume[offer.venue] += trade.lots
        yield chain, sign * trade.lots * offer.price
    for name, amount in volume.items():
        venue = sheet.venues[name]
        yield venue.chain, venue.fee_touch + venue.fee_per_lot * amount


def _bridge_costs(sheet: Sheet, bid: Bid, lots: Counter[tuple[str, str]]) -> Iterator[tuple[str, int]]:
    variable: defaultdict[str, Fraction] = defaultdict(Fraction)
    for transfer in bid.transfers:
        bridge = sheet.bridges[transfer.bridge]
        if transfer.asset == "USDC":
            yield bridge.source, transfer.amount
            yield bridge.target, -transfer.amount
            variable[bridge.id] += Fraction(transfer.amount * bridge.fee_cash_bps, 10_000)
        else:
            lots[bridge.source, transfer.asset] -= transfer.amount
            lots[bridge.target, transfer.asset] += transfer.amount
            variable[bridge.id] += transfer.amount * bridge.fee_per_lot
            yield bridge.target, 0
    for name, fee in variable.items():
        yield sheet.bridges[name].source, sheet.bridges[name].fee_fixed + ceil(fee)


def _prices(
    sheet: Sheet, bid: Bid, need: dict[str, int], fill_chains: set[str]
) -> tuple[dict[PackageKey, tuple[int, int, int]], dict[str, int]]:
    """Per package (reduced units, ceiling, price), and what the ceilings leave over on each chain."""
    units: Counter[PackageKey] = Counter()
    low: dict[PackageKey, int] = {}
    for fill in bid.fills:
        order = sheet.orders[fill.intent]
        key, factor = package_of(order)
        units[key] += fill.units * factor
        low[key] = min(low.get(key, WIRE_MAX), floor(Fraction(order.limit, factor)))
    ceilings: dict[PackageKey, int] = {}
    for key, amount in units.items():
        held, price = sheet.reference.get(key, (0, 0))
        inside = min(held, amount)
        ceilings[key] = ceil(Fraction(min(price, low[key]) * inside + low[key] * (amount - inside), amount))
    spare, prices = {}, {}
    for chain in sorted(fill_chains):
        here = [key for key in units if key[0] == chain]
        spare[chain] = sum(ceilings[key] * units[key] for key in here) - need[chain]
        if spare[chain] < 0:
            free = sum(low[key] * units[key] for key in here) - need[chain]
            require(free >= 0, "limit_exceeded", f"{chain}: short of {-free}")
            require(False, "above_reference", f"{chain}: short of {-spare[chain]}")
        size = sum(abs(ceilings[key]) * units[key] for key in here)
        for key in here:
            weight = Fraction(abs(ceilings[key]), size) if size else Fraction(1, sum(units[k] for k in here))
            prices[key] = (units[key], ceilings[key], ceilings[key] - floor(spare[chain] * weight))
    return prices, spare


def _check_cash(sheet: Sheet, bid: Bid, *, spare: dict[str, int], fill_chains: set[str]) -> None:
    """Where nothing is filled nothing is needed; cash from other fills is needed where it goes."""
    _, need, _, touched = _play(sheet, bid)
    for chain in sorted(touched - fill_chains):
        require(need[chain] <= 0, "unfunded", f"{chain}: {need[chain]}")
    roads: nx.DiGraph[str] = nx.DiGraph()
    for transfer in bid.transfers:
        if transfer.asset == "USDC":
            bridge = sheet.bridges[transfer.bridge]
            roads.add_edge(bridge.source, bridge.target)
    units: Counter[str] = Counter()
    for fill in bid.fills:
        order = sheet.orders[fill.intent]
        units[order.chain] += fill.units * package_of(order)[1]
    for chain in sorted(fill_chains & set(roads)):
        if nx.ancestors(roads, chain) & fill_chains:
            require(spare[chain] < units[chain], "cash_misplaced", f"{chain}: {spare[chain]} over")


def _check_connected(sheet: Sheet, bid: Bid) -> None:
    """One part: joined by series on a chain, venues, bridges of lots, and cash that serves them."""
    graph: nx.Graph[tuple[str, ...]] = nx.Graph()
    for fill in bid.fills:
        order = sheet.orders[fill.intent]
        nx.add_path(
            graph, [("part", order.intent), *(("at", order.chain, series) for series, _ in order.legs or ())]
        )
    for trade in bid.trades:
        offer = sheet.offers[trade.offer]
        graph.add_edge(("venue", offer.venue), ("at", sheet.venues[offer.venue].chain, offer.series))
    cash: nx.Graph[str] = nx.Graph()
    for transfer in bid.transfers:
        bridge = sheet.bridges[transfer.bridge]
        if transfer.asset == "USDC":
            cash.add_edge(bridge.source, bridge.target)
        else:
            ends = (("at", bridge.source, transfer.asset), ("at", bridge.target, transfer.asset))
            nx.add_path(graph, [ends[0], ("bridge", bridge.id), ends[1]])
    while _join_by_cash(sheet, graph, cash):
        pass
    require(nx.number_connected_components(graph) == 1, "disconnected", "several parts")
    (part,) = nx.connected_components(graph)
    for group in nx.connected_components(cash):
        require(
            len(_chains_of(sheet, part) & group) > 1,
            "disconnected",
            f"cash over {sorted(group)} serves nothing",
        )


def _chains_of(sheet: Sheet, part: Iterable[tuple[str, ...]]) -> set[str]:
    return {node[1] for node in part if node[0] == "at"}


def _join_by_cash(sheet: Sheet, graph: "nx.Graph[tuple[str, ...]]", cash: "nx.Graph[str]") -> bool:
    """Join the first two parts that one group of cash transfers serves; False where there are none."""
    parts = list(nx.connected_components(graph))
    for group in nx.connected_components(cash):
        served = [part for part in parts if len(_chains_of(sheet, part) & group) > 1]
        if len(served) > 1:
            graph.add_edge(min(served[0]), min(served[1]))
            return True
    return False


def _deadlines(sheet: Sheet, bid: Bid, touched: set[str]) -> tuple[int, int, int]:
    """(lock by, decide by, release by), and rule 5 about them."""
    rules, hub = sheet.auction.rules, sheet.chains[sheet.auction.hub]
    margin = Fraction(*rules.lock_margin)
    now = sheet.auction.cut_us + sheet.auction.solve_us
    chains = [sheet.chains[name] for name in touched]
    if len(chains) == 1:
        span = chains[0].block_us + chains[0].relay_us
        lock_by = now + ceil(margin * span) + rules.outage_us + rules.skew_us
        decide_by = release_by = lock_by
    else:
        include = {chain.id: hub.block_us + chain.block_us + 2 * chain.relay_us for chain in chains}
        slowest = max(include[chain.id] + chain.finality_us for chain in chains)
        lock_by = now + ceil(margin * slowest) + rules.outage_us
        decide_by = lock_by + hub.finality_us + rules.skew_us
        release_by = decide_by + hub.finality_us + ceil(margin * max(include.values())) + rules.outage_us
    used = {series for fill in bid.fills for series, _ in sheet.orders[fill.intent].legs or ()}
    for fill in bid.fills:
        ends = sheet.orders[fill.intent].valid_until * 1_000_000
        require(decide_by < ends, "decided_too_late", f"{fill.intent} ends at {ends}")
    for trade in bid.trades:
        offer = sheet.offers[trade.offer]
        used.add(offer.series)
        firm = offer.firm_until_us
        require(not firm or decide_by < firm, "offer_not_firm", f"{offer.id} is firm until {firm}")
        lock = sheet.venues[offer.venue].max_lock_us
        require(decide_by - now < lock, "offer_not_firm", f"{offer.id} locks for {lock}")
    used |= {transfer.asset for transfer in bid.transfers if transfer.asset != "USDC"}
    for name in sorted(used):
        ends = sheet.series[name].expiry * 1_000_000
        require(release_by < ends, "released_too_late", f"{name} expires at {ends}")
    return lock_by, decide_by, release_by
