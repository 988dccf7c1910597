"""When a deal is expected to be done: block by block, with every chain up and nobody in its way.

The same clock that carries deals (`chains.settling`): every chain has a block at each multiple of its block
time, what reaches a chain is in its first block after that instant, a block is final `finality_us` later, and
a packet takes `relay_us` between a chain and the hub. Deadlines (`chains.deadlines`) are the other end: what
no deal exceeds. `is_in_time` compares the two.
"""

from collections.abc import Collection
from dataclasses import dataclass

from chains.deadlines import Deadlines
from chains.snapshot import ChainTerms
from chains.units import floor_div


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Instants in microseconds.

    Attributes
    ----------
    locked_us : every leg has locked
    decided_us : every vote is in, and the hub decides
    released_us : every leg has released, and owners have what they paid for
    final_us : the blocks that released are final
    settled_us : the hub knows it, and nothing of the deal is reserved any more
    """

    locked_us: int
    decided_us: int
    released_us: int
    final_us: int
    settled_us: int


def next_block(chain: ChainTerms, after_us: int) -> int:
    """The first block strictly after an instant: blocks lie at the multiples of the block time."""
    return (floor_div(after_us, chain.block_us) + 1) * chain.block_us


def expect_deal(touched: Collection[ChainTerms], *, hub: ChainTerms, now_us: int) -> Expected:
    """When a deal is done that is prepared at `now_us` and touches these chains (at least one)."""

    def outward(chain: ChainTerms, left_us: int) -> int:
        return next_block(chain, left_us + chain.relay_us)

    def homeward(chain: ChainTerms, final_us: int) -> int:
        return next_block(hub, final_us + chain.relay_us)

    if len(touched) == 1:
        (chain,) = touched
        released_us = outward(chain, now_us)
        return Expected(
            locked_us=released_us,
            decided_us=released_us,
            released_us=released_us,
            final_us=released_us + chain.finality_us,
            settled_us=released_us,
        )
    written_us = next_block(hub, now_us)
    locked = {chain.id: outward(chain, written_us) for chain in touched}
    decided_us = max(homeward(chain, locked[chain.id] + chain.finality_us) for chain in touched)
    left_us = decided_us + hub.finality_us
    released = {chain.id: outward(chain, left_us) for chain in touched}
    return Expected(
        locked_us=max(locked.values()),
        decided_us=decided_us,
        released_us=max(released.values()),
        final_us=max(released[chain.id] + chain.finality_us for chain in touched),
        settled_us=max(homeward(chain, released[chain.id] + chain.finality_us) for chain in touched),
    )


def is_in_time(expected: Expected, deadlines: Deadlines) -> bool:
    """Whether a deal can be locked and decided within its deadlines, if nothing but the clock is in its way.

    A chain still locks at `lock_by`; the hub decides for the deal only before `decide_by`.
    """
    return expected.locked_us <= deadlines.lock_by_us and expected.decided_us < deadlines.decide_by_us
