"""Errors of the competition.

SolversError                anything below, for one `except`
├── FormatError             bytes that are not a canonical auction, bid or outcome
└── SpecError               a solver SPEC that names nothing that can be loaded

A bid that breaks a rule of the market is refused with a `Violation`, a value, never an exception.
"""


class SolversError(Exception):
    """Root of every error that `solvers` raises."""


class FormatError(SolversError, ValueError):
    """Bytes are not a well-formed auction, bid or outcome."""


class SpecError(SolversError, ValueError):
    """A solver SPEC (entry-point name, ``path.py:Class`` or URL) cannot be loaded."""
