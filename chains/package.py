"""Packages: what makes two orders peers.

A package is an order's legs divided by their common factor and sorted by series. Orders on one
chain with the same package are peers, whatever their units, and pay one price per reduced unit.
"""

from collections.abc import Iterable
from math import gcd

Legs = tuple[tuple[str, int], ...]
"""(series id, lots per unit): positive buys, negative sells."""

Package = tuple[tuple[str, int], ...]
"""Legs without a common factor, sorted by series id."""


def reduce_legs(legs: Iterable[tuple[str, int]]) -> tuple[Package, int]:
    """Return the package of some legs and how many reduced units one unit holds (at least 1)."""
    ordered = sorted(legs)
    factor = gcd(*(ratio for _, ratio in ordered))
    return tuple((series, ratio // factor) for series, ratio in ordered), factor
