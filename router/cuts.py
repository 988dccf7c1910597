"""Cuts that make the parts of a solution pay as separate bids, or become one.

A solution of the joint model may fall into pieces: connected parts (`router.connection`) that share
nothing but a chain's fees and its purse. Let C be a piece, rep a binary of it (a fill, a bridge or a
venue that it uses), and E(C) the links that nobody uses now and that would connect C with anything
else: fills, (venue, series) and (bridge, series) pairs that share a node with C, and cash over bridges
that carry none now. Any bid that holds rep and none of E(C) lies within C. Hence

- SEPARATE, where a part is one bid and C does not hold its leader: rep <= sum E(C);
- otherwise, for pieces C_1..C_m that all touch chain c, each with its own rep on c:
  n_c >= sum rep_i - (m - 1) * sum of E(C_i) over all pieces but the largest,
  where n_c counts the leg fees paid on c, and the same for deal fees with bridges as reps.

Circles of lots or cash are cancelled in the answer, so where they would pay they are forbidden one by
one, which is valid for a part that is one bid.

A piece that is served by a cash group can also be joined by what others do, so that E holds every
unused link then. Sums of lots stand for binaries: what is used moves at least one lot.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chains.units import USDC
from router.connection import Node, fill_nodes, link_items, lots_nodes, plan_items, trade_nodes
from router.extraction import Reading
from router.model import JointModel, Kind, Part
from router.problem import Plan

Link = tuple[tuple[Node, ...], tuple[int, ...]]
"""The nodes that an unused entry would link, and the columns that are above zero once it is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One connected piece of a part.

    Attributes
    ----------
    fills : chain by intent
    venues, bridges : what it uses, bridges also for cash
    cash : the bridges that carry cash for it
    """

    nodes: set[Node] = field(default_factory=set)
    chains: set[str] = field(default_factory=set)
    fills: dict[str, str] = field(default_factory=dict)
    venues: set[str] = field(default_factory=set)
    bridges: set[str] = field(default_factory=set)
    cash: set[str] = field(default_factory=set)


def add_cuts(model: JointModel, readings: Sequence[Reading]) -> int:
    """Cut off what the pieces of the parts do not pay; how many rows that took."""
    rows_before = model.program.shape[0]
    for part, reading in zip(model.parts, readings, strict=True):
        pieces = find_pieces(model, reading.plan)
        if len(pieces) < 2:
            continue
        links = _Unused(model, part, reading.plan)
        if model.kind is Kind.SEPARATE:
            _cut_off(model, part, pieces, links)
            for asset, bridges in reading.circles:
                _forbid_circle(model, part, asset, bridges)
        else:
            _count_fees(model, part, pieces, links)
    return model.program.shape[0] - rows_before


def find_pieces(model: JointModel, plan: Plan) -> list[Piece]:
    """The connected pieces of a plan that do more than move cash, the one with the most nodes first."""
    items = plan_items(model.problem, plan)
    links = link_items(items)
    pieces: defaultdict[Node, Piece] = defaultdict(Piece)
    names = [entry[0] for entries in (plan.fills, plan.trades, plan.transfers) for entry in entries]
    for (kind, nodes, chains), name in zip(items, names, strict=True):
        piece = pieces[links.root(nodes[0])]
        piece.chains.update(chains)
        if kind == "cash":
            piece.cash.add(name)
            piece.bridges.add(name)
            continue
        piece.nodes.update(nodes)
        if kind == "fill":
            piece.fills[name] = chains[0]
        elif kind == "trade":
            piece.venues.add(model.problem.offers[name].venue)
        else:
            piece.bridges.add(name)
    real = [piece for piece in pieces.values() if piece.nodes]
    return sorted(real, key=lambda piece: (-len(piece.nodes), min(piece.nodes)))


def _forbid_circle(model: JointModel, part: Part, asset: str, bridges: Sequence[str]) -> None:
    """A part does not send an asset round these bridges: one of them carries none of it."""
    if asset == USDC:
        columns = [part.carries_cash[bridge] for bridge in bridges]
    else:
        columns = [_carries_lots(model, part, bridge, asset) for bridge in bridges]
    model.program.add_row([(column, 1) for column in columns], upper=len(columns) - 1)


def _carries_lots(model: JointModel, part: Part, bridge: str, series: str) -> int:
    if (bridge, series) not in part.carries_lots:
        column = model.program.add_binary()
        part.carries_lots[bridge, series] = column
        row = [(part.lots[bridge, series], 1.0), (column, -float(model.most_lots[series]))]
        model.program.add_row(row, upper=0)
    return part.carries_lots[bridge, series]


class _Unused:
    """The links that a part could make and does not."""

    def __init__(self, model: JointModel, part: Part, plan: Plan) -> None:
        self._lots = list(_unused_lots(model, part, plan))
        moving = {bridge for bridge, asset, _ in plan.transfers if asset == USDC}
        self._cash = [column for bridge, column in part.carries_cash.items() if bridge not in moving]

    def around(self, piece: Piece) -> list[int]:
        """The columns of which one must be above zero before `piece` is connected with anything else."""
        columns = [
            column
            for nodes, entry in self._lots
            if piece.cash or not piece.nodes.isdisjoint(nodes)
            if not piece.nodes.issuperset(nodes)
            for column in entry
        ]
        return columns + (self._cash if len(piece.chains) > 1 else [])


def _unused_lots(model: JointModel, part: Part, plan: Plan) -> Iterator[Link]:
    problem = model.problem
    filled = {intent for intent, _ in plan.fills}
    for demand in part.demands:
        if demand.intent not in filled:
            yield fill_nodes(demand), (part.filled[demand.intent],)
    traded = {(problem.offers[offer].venue, problem.offers[offer].series) for offer, _ in plan.trades}
    books: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for offer_id, column in part.trades.items():
        offer = problem.offers[offer_id]
        books[offer.venue, offer.series].append(column)
    for (venue, series), columns in books.items():
        if (venue, series) not in traded:
            yield trade_nodes(problem, venue, series), tuple(columns)
    sent = {(bridge, asset) for bridge, asset, _ in plan.transfers}
    for (bridge, series), column in part.lots.items():
        if (bridge, series) not in sent:
            yield lots_nodes(problem, bridge, series), (column,)


def _cut_off(model: JointModel, part: Part, pieces: Sequence[Piece], links: _Unused) -> None:
    for piece in pieces:
        if part.leader in piece.fills:
            continue
        around = [(column, -1.0) for column in links.around(piece)]
        reps = [part.filled[intent] for intent in piece.fills]
        for rep in reps or [part.venues[venue] for venue in sorted(piece.venues)]:
            model.program.add_row([(rep, 1.0), *around], upper=0)


def _count_fees(model: JointModel, part: Part, pieces: Sequence[Piece], links: _Unused) -> None:
    for chain, terms in model.problem.chains.items():
        if terms.settle_fee_leg:
            reps = [_any_on(model, part, piece, chain) for piece in pieces]
            _count(model, part.legs[chain], _Reps(pieces, reps), links)
        if terms.deal_fee:
            reps = [_bridge_at(model, part, piece, chain) for piece in pieces]
            _count(model, part.deals[chain], _Reps(pieces, reps), links)


class _Reps:
    """The pieces that have a rep, with it."""

    def __init__(self, pieces: Sequence[Piece], reps: Sequence[int | None]) -> None:
        self.columns = [rep for rep in reps if rep is not None]
        self.pieces = [piece for piece, rep in zip(pieces, reps, strict=True) if rep is not None]


def _count(model: JointModel, fees: int, reps: _Reps, links: _Unused) -> None:
    others = len(reps.columns) - 1
    if others < 1:
        return
    around = {column for piece in reps.pieces[1:] for column in links.around(piece)}
    row = [(fees, -1.0), *((rep, 1.0) for rep in reps.columns)]
    model.program.add_row([*row, *((column, -float(others)) for column in sorted(around))], upper=0)


def _any_on(model: JointModel, part: Part, piece: Piece, chain: str) -> int | None:
    for intent, home in piece.fills.items():
        if home == chain:
            return part.filled[intent]
    for venue in sorted(piece.venues):
        if model.problem.venues[venue].chain == chain:
            return part.venues[venue]
    return _bridge_at(model, part, piece, chain)


def _bridge_at(model: JointModel, part: Part, piece: Piece, chain: str) -> int | None:
    for bridge in sorted(piece.bridges):
        terms = model.problem.bridges[bridge]
        if chain in {terms.source, terms.target}:
            return part.bridges[bridge]
    return None
