"""Peers: demands on one chain for one package, and the most that some of them may pay together.

Peers pay one price per reduced unit, so a plan that fills several of them must be paid for by the
lowest filled limit, and by the reference where the market itself could serve the package cheaper.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from chains.package import Package, reduce_legs
from chains.units import ceil_div, floor_div
from router.errors import ProblemError
from router.problem import Demand, Problem, Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerGroup:
    """Demands that would pay one price.

    Attributes
    ----------
    members : each demand with its reduced units per unit, the highest limit per reduced unit first
    fee_per_unit, fee_per_fill : micro-USDC that each reduced unit, and each fill, pays at home
    reference : what the market can do for the package here, if it can
    """

    chain: str
    package: Package
    members: tuple[tuple[Demand, int], ...]
    fee_per_unit: int
    fee_per_fill: int
    reference: Reference | None

    @property
    def lots_per_unit(self) -> int:
        """Lots that a reduced unit delivers, bought and sold."""
        return sum(abs(ratio) for _, ratio in self.package)

    @property
    def units(self) -> int:
        """Reduced units asked for in all."""
        return sum(demand.units * factor for demand, factor in self.members)


def group_peers(problem: Problem, demands: Sequence[Demand]) -> PeerGroup:
    """Order some peers (at least one) by what they would pay, ties by intent.

    Raises
    ------
    ProblemError
        If there are none, or they are not peers.
    """
    reduced = [(demand, *reduce_legs(demand.legs)) for demand in demands]
    kinds = {(demand.chain, package) for demand, package, _ in reduced}
    if len(kinds) != 1:
        names = ", ".join(demand.intent for demand in demands)
        raise ProblemError(f"{names or 'no demands'} are not peers: {len(kinds)} packages and chains")
    reduced.sort(key=lambda entry: (-Fraction(entry[0].limit, entry[2]), entry[0].intent))
    ((chain, package),) = kinds
    return PeerGroup(
        chain=chain,
        package=package,
        members=tuple((demand, factor) for demand, _, factor in reduced),
        fee_per_unit=problem.fee_per_lot * sum(abs(ratio) for _, ratio in package),
        fee_per_fill=problem.chains[chain].settle_fee_fill,
        reference=problem.references.get((chain, package)),
    )


def lowest_limit(demand: Demand, factor: int) -> int:
    """A demand's limit per reduced unit, in whole micro-USDC, rounded against its owner's freedom."""
    return floor_div(demand.limit, factor)


def reference_ceiling(low: int, units: int, reference: Reference | None) -> int:
    """The most that `units` reduced units may pay each when the lowest filled limit is `low`.

    The reference's price holds for as many units as it serves and the lowest limit for the rest,
    averaged and rounded up; an order below the reference price never pays above its own limit.
    """
    if reference is None:
        return low
    served = min(units, reference.units)
    return ceil_div(min(reference.price, low) * served + low * (units - served), units)
