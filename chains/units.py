"""Units of the market, their bounds, and the two integer divisions.

Cash is integer micro-USDC; coins held as collateral are integer 1e-8 units; an option's quantity
is integer lots; its price is integer micro-USDC per lot; a package's quantity is integer units;
time is integer microseconds UTC (signed deadlines are integer seconds). Settlement prices and
payoff knots are integer micro-USD. No float enters anything that decides.

Every integer on the wire is below 2**53 in size, so that any JSON reader keeps it exact.
"""

from math import isqrt
from typing import Final, NewType

SeriesId = NewType("SeriesId", str)
"""A canonical id: one that `chains.series` printed or read."""

USDC: Final = "USDC"
"""The asset name of cash; every other asset is a series id or a coin (an underlying's symbol)."""

MICRO: Final = 1_000_000
"""Micro-USDC per USDC, micro-USD per USD, microseconds per second."""

COIN: Final = 100_000_000
"""Integer units per coin of collateral."""

WIRE_MAX: Final = 2**53 - 1
"""The largest size of an integer on the wire."""

BPS: Final = 10_000
"""Basis points in one."""


def ceil_div(numerator: int, denominator: int) -> int:
    """Divide and round towards plus infinity (`denominator` > 0)."""
    return -(-numerator // denominator)


def floor_div(numerator: int, denominator: int) -> int:
    """Divide and round towards minus infinity (`denominator` > 0); the named twin of `ceil_div`."""
    return numerator // denominator


def nearest_root(numerator: int, denominator: int) -> int:
    """The integer nearest to sqrt(numerator / denominator) (`numerator` >= 0, `denominator` > 0)."""
    return (isqrt(4 * numerator // denominator) + 1) // 2
