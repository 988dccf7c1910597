"""Errors of the optimiser.

RouterError                 anything below, for one `except`
└── ProblemError            a problem that contradicts itself (unknown chain, venue, bridge or series)

"There is no route" and "nothing is worth filling" are ordinary answers, not errors.
"""


class RouterError(Exception):
    """Root of every error that `router` raises."""


class ProblemError(RouterError, ValueError):
    """A routing problem refers to something that it does not hold."""
