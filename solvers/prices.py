"""What every fill of a bid pays.

On each chain, a bid's fills of one package (*peers*) pay one price per reduced unit, in whole
micro-USDC. With U the reduced units filled,

    low      = min over the fills of floor(limit / reduced units per unit)
    ceiling  = low where the reference does not serve the package; otherwise, for r units at price p,
               ceil((min(p, low) * min(U, r) + low * (U - min(U, r))) / U)
    S        = sum of ceiling * U over the chain's packages - the chain's cash need, never negative
    price    = ceiling - floor(S * |ceiling| / sum of |ceiling| * U)

so everyone on the chain improves by the same percentage of the ceiling. Where all ceilings are zero,
S is shared equally over the reduced units instead. Limits round down, reference ceilings up and
improvements down; what the payments bring beyond the need, less than one micro-USDC per reduced unit,
goes to the reserve.

An order below the reference price never pays above its own limit, hence min(p, low). A package
filled within its reference units never pays above its reference price.
"""

from collections.abc import Iterable, Mapping, Sequence

from chains.package import Package, reduce_legs
from chains.units import floor_div
from router.coverage import Peers
from router.problem import Problem


def set_prices(peers: Sequence[Peers], need: int) -> tuple[int, ...]:
    """The price of each of one chain's peers, in micro-USDC per reduced unit.

    `need` is the chain's cash need; the ceilings must cover it.
    """
    surplus = sum(group.ceiling_total for group in peers) - need
    assert surplus >= 0, "a bid whose ceilings do not cover its need has no prices"
    weight = sum(abs(group.ceiling_total) for group in peers)
    if weight == 0:
        share = floor_div(surplus, sum(group.units for group in peers))
        return tuple(group.ceiling - share for group in peers)
    return tuple(group.ceiling - floor_div(surplus * abs(group.ceiling), weight) for group in peers)


def fill_payments(
    problem: Problem, fills: Iterable[tuple[str, int]], prices: Mapping[tuple[str, Package], int]
) -> dict[str, int]:
    """What each filled intent pays in micro-USDC (negative: receives), given prices per reduced unit."""
    paid = {}
    for intent, units in fills:
        demand = problem.demands[intent]
        package, factor = reduce_legs(demand.legs)
        paid[intent] = prices[demand.chain, package] * factor * units
    return paid
