"""What the market could do for one demand alone: on everything there is, whatever others take.

Sets, variables, constraints: those of one group of peers (`router.venue_choice`), the group being the one
demand. Objective: the least need per unit,

    min  need(u) / u   over the plans that fill u units, least <= u <= most.

Source: Dinkelbach (1967). The plan of the greatest surplus at a limit of the ratio found so far has a
smaller ratio, as long as there is a surplus; the first ratio is that of the least units, whatever they cost.
It is found by the same search as the market's reference, so it is a price that could really have been had,
and no proof that there is none better.
"""

from dataclasses import replace
from functools import cached_property
from typing import Final

from chains.package import Legs
from chains.units import ceil_div
from router.measuring import Quote
from router.peers import group_peers
from router.problem import Demand, Problem
from router.reach import covering_limit
from router.residual import Residual
from router.sourcing import Sourcing
from router.venue_choice import quote_group

ANY_LIMIT: Final = 1 << 100
"""A limit that pays for everything: far beyond any price times any number of lots."""


class Alone:
    """A world searched for one demand at a time as if it were the only one, without any reference.

    The demands need not be those of the problem: of it, only the world counts.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = replace(problem, references={})

    @cached_property
    def _sourcing(self) -> Sourcing:
        return Sourcing(self._problem)

    @cached_property
    def _residual(self) -> Residual:
        return Residual(self._problem)

    def fill(self, demand: Demand) -> Quote | None:
        """What fills most to the owner's advantage at the demand's own limit; None where nothing does."""
        known = self._sourcing.problem.demands.get(demand.intent)
        if known is None or _place(known) != _place(demand):
            self._sourcing = self._sourcing.with_demands({demand.intent: demand})
        group = group_peers(self._sourcing.problem, [demand])
        return quote_group(self._sourcing, self._residual, group)

    def cheapest(self, demand: Demand) -> Quote | None:
        """The plan with the least need per unit, whatever the limit; None where no plan is found."""
        best = self.fill(replace(demand, units=demand.min_units, limit=ANY_LIMIT))
        while best is not None and demand.min_units < demand.units:
            better = self.fill(replace(demand, limit=ceil_div(best.need, units_of(best))))
            if better is None or better.need * units_of(best) >= best.need * units_of(better):
                break
            best = better
        return best

    def most_units(self, demand: Demand) -> int:
        """As many units as one plan is found for, whatever they cost and however few."""
        found = self.fill(replace(demand, min_units=1, limit=ANY_LIMIT))
        return 0 if found is None else units_of(found)


def _place(demand: Demand) -> tuple[str, Legs, int]:
    """What plans depend on that are looked up by their intents; limit and units are not."""
    return demand.chain, demand.legs, demand.valid_until_us


def units_of(quote: Quote) -> int:
    """The units of the one demand that a quote fills."""
    ((_, units),) = quote.plan.fills
    return units


def filling_limit(demand: Demand, quote: Quote) -> int:
    """The lowest limit per unit at which the units of a quote pay for it, in micro-USDC."""
    return covering_limit(demand, need=quote.need, units=units_of(quote))
