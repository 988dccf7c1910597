"""From lots taken to an exact plan: transfers, cash, need, and whether its fills pay for it.

The search orders sources by cost per lot; here a stopping point of it becomes a plan with every
transfer, is measured by `router.needs`, and is held against the rules of a feasible bid.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

import networkx as nx

from router.filling import Stop, Take
from router.funding import fund_plan
from router.peers import PeerGroup, reference_ceiling
from router.problem import Plan
from router.residual import Residual
from router.sourcing import Sourcing
from router.timing import is_in_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A plan for a group; one that is not allowed may still lead a search to one that is.

    Attributes
    ----------
    stop : what is filled from where
    need, surplus : micro-USDC at home, and by which the limits exceed it
    lots : delivered, bought and sold
    is_clipped : whether cash stays behind because bridges are too small for it
    is_covered : whether there is a surplus and the lowest filled limit pays for all
    is_allowed : whether it is covered and the reference lets the fills pay as much
    """

    plan: Plan
    stop: Stop
    need: int
    surplus: int
    lots: int
    is_clipped: bool
    is_covered: bool
    is_allowed: bool

    @property
    def surplus_per_lot(self) -> Fraction:
        """Micro-USDC per lot, exact."""
        return Fraction(self.surplus, self.lots)


class Misfit(Enum):
    """Why a stopping point is no plan at all."""

    UNFUNDED = "a chain's need cannot be met over the bridges that are left"
    LATE = "something that it uses ends too early"
    CYCLE = "lots of a series would travel in a circle"


def measure_stop(
    sourcing: Sourcing,
    residual: Residual,
    group: PeerGroup,
    stop: Stop,
    *,
    cash_about: int,
    thorough: bool = False,
) -> Quote | Misfit:
    """Make a plan of a stopping point; `cash_about` is the cash (micro-USDC) that routes are chosen for.

    `thorough` looks longer for the best ways of the cash.
    """
    if any(source.way.relieves for source, _ in stop.takes) and not _is_acyclic(stop.takes):
        return Misfit.CYCLE
    lots = _plan_lots(stop)
    funded = fund_plan(
        sourcing, lots, home=group.chain, residual=residual, amount=cash_about, thorough=thorough
    )
    if funded is None:
        return Misfit.UNFUNDED
    if not is_in_time(sourcing.problem, funded.plan):
        return Misfit.LATE
    is_covered = funded.need < stop.value and funded.need <= stop.low * stop.units
    ceiling = reference_ceiling(stop.low, stop.units, group.reference)
    return Quote(
        plan=funded.plan,
        stop=stop,
        need=funded.need,
        surplus=stop.value - funded.need,
        lots=stop.units * group.lots_per_unit,
        is_clipped=funded.is_clipped,
        is_covered=is_covered,
        is_allowed=is_covered and funded.need <= ceiling * stop.units,
    )


def _plan_lots(stop: Stop) -> Plan:
    """The plan without its cash: everything sorted, one entry per offer and per bridge and series."""
    trades: Counter[str] = Counter()
    transfers: Counter[tuple[str, str]] = Counter()
    for source, lots in stop.takes:
        trades[source.offer] += lots
        for bridge in source.way.bridges:
            transfers[bridge, source.series] += lots
    return Plan(
        fills=tuple(sorted(stop.fills)),
        trades=tuple(sorted(trades.items())),
        transfers=tuple((bridge, series, lots) for (bridge, series), lots in sorted(transfers.items())),
    )


def _is_acyclic(takes: Sequence[Take]) -> bool:
    """Whether the lots of every series flow without a directed cycle."""
    hops: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for source, _ in takes:
        hops[source.series] += zip(source.way.chains, source.way.chains[1:], strict=False)
    return all(nx.is_directed_acyclic_graph(nx.DiGraph(edges)) for edges in hops.values())
