"""What peers bring at most, as rows of the joint model.

For the peers of one package on one chain let q_j be the reduced units filled of demand j, l_j its
limit per reduced unit, U = sum q_j, and (r, p) the reference, where there is one. In one bid all of
them pay one price, at most the lowest filled limit, and at most p for the first r units, so with
L = the lowest filled limit

    R = L U                                    without a reference, or where p >= L
    R = p min(U, r) + L max(U - r, 0)          where p < L

Rows: R <= sum l_j q_j; for every i that is not the highest limit, once filled,
R <= sum min(l_j, l_i) q_j. With a reference, units are split into U = U1 + U2 by a binary B, with
U2 <= most B, r B <= U1 <= r, and R <= p U1 + l_i U2 for every filled i with l_i > p.

Prices round the average of the reference and the lowest limit up to whole micro-USDC, and the rows do not:
they may fall short by less than one micro-USDC per reduced unit. Where the optimum is to be a bound, each
reduced unit brings a micro-USDC more in the rows with U1 and U2.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chains.package import Package, reduce_legs
from router.model import JointModel, Kind, Part
from router.peers import group_peers, lowest_limit
from router.problem import Demand, Reference

Term = tuple[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peer:
    """One demand among its peers: its columns, its limit (micro-USDC) and its most reduced units."""

    filled: int
    units: int
    reduced: int
    limit: int
    most: int


def add_ceilings(model: JointModel, part: Part) -> Mapping[str, Sequence[int]]:
    """Add the columns R with their rows, and return the columns by chain."""
    peers: defaultdict[tuple[str, Package], list[Demand]] = defaultdict(list)
    for demand in part.demands:
        peers[demand.chain, reduce_legs(demand.legs)[0]].append(demand)
    ceilings: defaultdict[str, list[int]] = defaultdict(list)
    for (chain, package), demands in peers.items():
        column = model.program.add_column(lower=-model.purse, upper=model.purse)
        ceilings[chain].append(column)
        group = _read_peers(model, part, demands)
        _limit_by_lowest(model, group, column)
        reference = model.problem.references.get((chain, package))
        if reference is not None and reference.price < group[0].limit:
            _limit_by_reference(model, group, column, reference)
    return ceilings


def least_ceilings(model: JointModel, part: Part) -> Mapping[str, Sequence[Term]]:
    """By chain, minus less than what its fills bring at their ceilings, whichever of them are filled."""
    lows: defaultdict[tuple[str, Package], list[int]] = defaultdict(list)
    for demand in part.demands:
        package, factor = reduce_legs(demand.legs)
        lows[demand.chain, package].append(lowest_limit(demand, factor))
    terms: defaultdict[str, list[Term]] = defaultdict(list)
    for demand in part.demands:
        package, factor = reduce_legs(demand.legs)
        reference = model.problem.references.get((demand.chain, package))
        low = min(lows[demand.chain, package])
        least = low if reference is None else min(low, reference.price)
        column, units = part.units[demand.intent]
        terms[demand.chain].append((column, -model.money((least - 1) * units * factor)))
    return terms


def _read_peers(model: JointModel, part: Part, demands: Sequence[Demand]) -> list[_Peer]:
    """The peers, the highest limit first."""
    group = []
    for demand, factor in group_peers(model.problem, demands).members:
        column, units = part.units[demand.intent]
        group.append(
            _Peer(
                filled=part.filled[demand.intent],
                units=column,
                reduced=units * factor,
                limit=lowest_limit(demand, factor),
                most=demand.units * factor,
            )
        )
    return group


def _lower_peers(model: JointModel, group: Sequence[_Peer]) -> list[_Peer]:
    """The peers that lower the price of others once they are filled."""
    return [] if model.kind is Kind.RELAXED else [peer for peer in group if peer.limit < group[0].limit]


def _limit_by_lowest(model: JointModel, group: Sequence[_Peer], column: int) -> None:
    program = model.program
    limits = [(peer.units, -model.money(peer.limit * peer.reduced)) for peer in group]
    program.add_row([(column, 1.0), *limits], upper=0)
    for low in _lower_peers(model, group):
        row = [(column, 1.0)]
        row += [(peer.units, -model.money(min(peer.limit, low.limit) * peer.reduced)) for peer in group]
        slack = model.money(sum(max(0, peer.limit - low.limit) * peer.most for peer in group))
        program.add_row([*row, (low.filled, slack)], upper=slack)


def _limit_by_reference(model: JointModel, group: Sequence[_Peer], column: int, reference: Reference) -> None:
    program, rounding = model.program, int(model.is_bound)
    beyond = sum(peer.most for peer in group) - reference.units
    if beyond <= 0:
        units = [(peer.units, -model.money(reference.price * peer.reduced)) for peer in group]
        program.add_row([(column, 1.0), *units], upper=0)
        return
    within = program.add_column(upper=reference.units)
    further = program.add_column(upper=beyond)
    exhausted = program.add_binary()
    units = [(peer.units, -float(peer.reduced)) for peer in group]
    program.add_row([(within, 1.0), (further, 1.0), *units], lower=0, upper=0)
    program.add_row([(further, 1.0), (exhausted, -float(beyond))], upper=0)
    program.add_row([(within, 1.0), (exhausted, -float(reference.units))], lower=0)
    highest = group[0].limit
    row = [(column, 1.0), (within, -model.money(reference.price + rounding))]
    program.add_row([*row, (further, -model.money(highest + rounding))], upper=0)
    for low in _lower_peers(model, group):
        if low.limit > reference.price:
            slack = model.money((highest - low.limit) * beyond)
            terms = [(further, -model.money(low.limit + rounding)), (low.filled, slack)]
            program.add_row([*row, *terms], upper=slack)
