"""The deadlines of a deal: one definition for feasibility, settlement and replay.

With `now` the end of the solve window, a deal over several chains has

    lock_by    = now + margin * max over its chains (inclusion + finality + relay) + outage budget
    decide_by  = lock_by + hub finality + largest clock skew
    release_by = decide_by + hub finality + margin * max over its chains (inclusion + relay) + outage budget

where inclusion is one block of the hub and one of the chain, and relay is counted both ways, since
the prepare travels out and the vote travels back. A deal on one chain alone needs no votes: it is
one transaction, so finality and the way back drop out and the three instants are one.
Every division rounds up: a deadline is never earlier than the rule says.
"""

from collections.abc import Collection
from dataclasses import dataclass

from chains.snapshot import ChainTerms
from chains.units import ceil_div


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The timing rules: the safety margin as a ratio, and two budgets in microseconds."""

    margin: tuple[int, int]
    outage_us: int
    skew_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Instants in microseconds, read on the hub's clock."""

    lock_by_us: int
    decide_by_us: int
    release_by_us: int


def deal_deadlines(
    touched: Collection[ChainTerms], *, hub: ChainTerms, timing: Timing, now_us: int
) -> Deadlines:
    """The deadlines of a deal that is prepared at `now_us` and touches these chains (at least one)."""

    def padded(span_us: int) -> int:
        return ceil_div(span_us * timing.margin[0], timing.margin[1]) + timing.outage_us

    if len(touched) == 1:
        (chain,) = touched
        instant = now_us + padded(chain.block_us + chain.relay_us) + timing.skew_us
        return Deadlines(lock_by_us=instant, decide_by_us=instant, release_by_us=instant)
    include = {chain.id: hub.block_us + chain.block_us + 2 * chain.relay_us for chain in touched}
    lock_by = now_us + padded(max(include[chain.id] + chain.finality_us for chain in touched))
    decide_by = lock_by + hub.finality_us + timing.skew_us
    release_by = decide_by + hub.finality_us + padded(max(include.values()))
    return Deadlines(lock_by_us=lock_by, decide_by_us=decide_by, release_by_us=release_by)
