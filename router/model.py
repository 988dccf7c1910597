"""The joint model: a whole batch as one mixed-integer program.

Sets
    demands j (owner, chain, legs a_js in lots per unit, units u_j, least m_j, limit l_j),
    offers o (venue, series, side, price p_o, lots), venues v, bridges b (source, target), chains c,
    series s, peers p: the demands of one package on one chain,
    parts k: bids that are designed at the same time; every variable but the shared rows is per part.

Variables (per part)
    filled z_j in {0,1}, units f_j integer          (one column where a fill is all or none)
    trades x_o, lots y_bs >= 0                      lots taken from an offer, lots of s sent over b
    cash g_b >= 0, carries_cash h_b in {0,1}        micro-USDC sent over b
    venues w_v, bridges w_b in {0,1}                used at all
    touched t_c in [0,1]; legs n_c, deals d_c >= 0  how many leg and deal fees are paid on c
    pays q_c in {0,1}                               something is filled on c, so its need counts
    need N_c, counted V_c, ceilings R_p             money

Objective
    max  sum l_j f_j - sum V_c                      the score of `solvers.verification`

Constraints
    balance (c, s)     bought - sold + arrived - sent = sum a_js f_j
    use                m_j z_j <= f_j <= u_j z_j;  x_o <= lots_o w_v;  y_bs <= most_s w_b;
                       g_b <= purse h_b;  h_b <= w_b
    touch              t_c >= z_j, w_v, w_b of everything on c;  n_c >= t_c;  d_c >= w_b at both ends
    need               N_c = prices, venue, bridge, settlement and protocol fees, cash sent - arrived
    counted            V_c >= N_c,  V_c >= -purse q_c,  q_c <= sum z_j;  N_c <= sum R_p  (0 without fills)
    ceilings           R_p <= what the lowest filled limit and the reference allow
    time, self-match   what may not be in one bid
    cash (SEPARATE)    where cash from fills reaches other fills, those need it
    shared             sum over parts: z_j <= 1, of a group <= 1; offers' lots; bridges' capacities

Which of the rules that bind one bid hold depends on the `Kind`:

Where the optimum is to be a bound the ceilings also leave room for the rounding of prices.

- RELAXED: one part holds everything, and the rules that several bids could keep where one cannot
  (one price for all peers, time, self-match, a fee for every leg) are left out. Every set of feasible
  bids is a solution of at least its value, so the optimum is an upper bound.
- POOLED: one part that keeps all rules as if it were one bid. Nearly always its connected parts are
  feasible bids, but sets of bids that treat peers differently are beyond it: no bound.
- SEPARATE: a part for every demand, led by it (parts hold their leader and later demands only), each
  exactly one bid. With the cuts of `router.cuts`, which make every part connected, the optimum is that
  of the batch. It grows with the square of the demands, so it is for small batches.

x and y are declared continuous: with everything else fixed they are a network flow, nearly always
whole; the caller checks and declares them whole where they are not. Money is scaled to floats here,
and nothing here decides: `router.extraction` recomputes every amount in integers.

Source: measured against level-by-level and per-order-hop formulations, aggregate flows with hops
shared by the whole bid were the only ones that SCIP proved at this size.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from chains.snapshot import BridgeTerms
from router.backend import Program
from router.problem import Demand, Problem


class Kind(Enum):
    """Which rules of a bid a model holds; see the module's docstring."""

    RELAXED = "relaxed"
    POOLED = "pooled"
    SEPARATE = "separate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The columns of one part, by id.

    Attributes
    ----------
    leader : the demand without which the part is empty, if it has one
    demands : the demands that it may fill
    units : intent -> (column, units per one of the column)
    lots : (bridge, series) -> column
    carries_lots : (bridge, series) -> binary column, made only where a cut needs it
    """

    leader: str | None
    demands: tuple[Demand, ...]
    filled: dict[str, int] = field(default_factory=dict)
    units: dict[str, tuple[int, int]] = field(default_factory=dict)
    trades: dict[str, int] = field(default_factory=dict)
    lots: dict[tuple[str, str], int] = field(default_factory=dict)
    carries_lots: dict[tuple[str, str], int] = field(default_factory=dict)
    cash: dict[str, int] = field(default_factory=dict)
    carries_cash: dict[str, int] = field(default_factory=dict)
    venues: dict[str, int] = field(default_factory=dict)
    bridges: dict[str, int] = field(default_factory=dict)
    touched: dict[str, int] = field(default_factory=dict)
    legs: dict[str, int] = field(default_factory=dict)
    deals: dict[str, int] = field(default_factory=dict)
    needs: dict[str, int] = field(default_factory=dict)
    pays: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JointModel:
    """A program with the meaning of its columns.

    Attributes
    ----------
    is_bound : whether its optimum bounds every answer: then ceilings are loosened by what prices round up
    unit : micro-USDC per unit of money in the program
    margin : micro-USDC per reduced unit that ceilings are lowered by, to survive roundings
    purse : more money than can ever be in one place, in that unit
    most_lots : the most lots of a series that could move
    """

    problem: Problem
    kind: Kind
    is_bound: bool
    unit: int
    margin: int
    purse: float
    most_lots: dict[str, int]
    program: Program = field(default_factory=Program)
    parts: list[Part] = field(default_factory=list)

    def money(self, micro: int) -> float:
        """Micro-USDC in the program's unit."""
        return micro / self.unit

    def cash_capacity(self, bridge: BridgeTerms) -> float:
        """What a bridge can carry, or all money where that is less: large numbers harm the back ends."""
        return min(self.purse, self.money(bridge.capacity_cash))

    def flows(self) -> Iterator[int]:
        """The columns of lots traded and sent."""
        for part in self.parts:
            yield from part.trades.values()
            yield from part.lots.values()


def open_model(problem: Problem, kind: Kind, *, margin: int = 0, is_bound: bool = False) -> JointModel:
    """The columns and the objective of a model; `router.constraints` adds the rows."""
    unit = _money_unit(problem)
    model = JointModel(
        problem=problem,
        kind=kind,
        is_bound=is_bound,
        unit=unit,
        margin=margin,
        purse=(1 + most_cash(problem)) / unit,
        most_lots=_most_lots(problem),
    )
    demands = tuple(problem.demands[intent] for intent in sorted(problem.demands))
    if kind is Kind.SEPARATE:
        for index, demand in enumerate(demands):
            model.parts.append(_add_part(model, demands[index:], demand.intent))
    else:
        model.parts.append(_add_part(model, demands, None))
    return model


def most_cash(problem: Problem) -> int:
    """More micro-USDC than any answer can bring together: every limit, and every lot sold."""
    limits = sum(max(0, demand.limit) * demand.units for demand in problem.demands.values())
    sales = sum(offer.price * offer.lots for offer in problem.offers.values() if offer.side == "buy")
    return limits + sales


def _money_unit(problem: Problem) -> int:
    """A power of ten that brings the largest price per lot or limit to about a hundred."""
    sizes = [offer.price for offer in problem.offers.values()]
    sizes += [abs(demand.limit) for demand in problem.demands.values()]
    return int(10 ** max(0, len(str(max(sizes, default=1))) - 3))


def _most_lots(problem: Problem) -> dict[str, int]:
    sources: defaultdict[str, int] = defaultdict(int)
    sinks: defaultdict[str, int] = defaultdict(int)
    for offer in problem.offers.values():
        (sources if offer.side == "sell" else sinks)[offer.series] += offer.lots
    for demand in problem.demands.values():
        for series, ratio in demand.legs:
            (sinks if ratio > 0 else sources)[series] += abs(ratio) * demand.units
    return {series: min(sources[series], sinks[series]) for series in sorted(sources.keys() & sinks.keys())}


def _add_part(model: JointModel, demands: Sequence[Demand], leader: str | None) -> Part:
    part = Part(leader=leader, demands=tuple(demands))
    _add_fill_columns(model, part)
    _add_flow_columns(model, part)
    _add_chain_columns(model, part)
    return part


def _add_fill_columns(model: JointModel, part: Part) -> None:
    program = model.program
    for demand in part.demands:
        limit = model.money(demand.limit)
        if demand.min_units == demand.units:
            column = program.add_column(upper=1, whole=True, gain=limit * demand.units)
            part.filled[demand.intent] = column
            part.units[demand.intent] = column, demand.units
        else:
            part.filled[demand.intent] = program.add_binary()
            column = program.add_column(upper=demand.units, whole=True, gain=limit)
            part.units[demand.intent] = column, 1


def _add_flow_columns(model: JointModel, part: Part) -> None:
    problem, program = model.problem, model.program
    for offer in problem.offers.values():
        part.trades[offer.id] = program.add_column(upper=offer.lots)
        if offer.venue not in part.venues:
            part.venues[offer.venue] = program.add_binary()
    for bridge in problem.bridges.values():
        part.bridges[bridge.id] = program.add_binary()
        if bridge.capacity_cash:
            part.cash[bridge.id] = program.add_column(upper=model.cash_capacity(bridge))
            part.carries_cash[bridge.id] = program.add_binary()
        if bridge.capacity_lots:
            for series, most in model.most_lots.items():
                column = program.add_column(upper=min(most, bridge.capacity_lots))
                part.lots[bridge.id, series] = column


def _add_chain_columns(model: JointModel, part: Part) -> None:
    """Columns of chains; what is counted is the one that costs."""
    program = model.program
    fees_max = 1 if model.kind is Kind.SEPARATE else max(1, len(part.demands))
    for chain in model.problem.chains:
        part.touched[chain] = program.add_column(upper=1)
        part.legs[chain] = program.add_column(upper=fees_max)
        part.deals[chain] = program.add_column(upper=fees_max)
        part.needs[chain] = program.add_column(lower=-model.purse, upper=model.purse)
    for chain in sorted({demand.chain for demand in part.demands}):
        part.pays[chain] = program.add_binary()
        counted = program.add_column(lower=-model.purse, upper=model.purse, gain=-1)
        program.add_row([(counted, 1), (part.needs[chain], -1)], lower=0)
        program.add_row([(counted, 1), (part.pays[chain], model.purse)], lower=0)
