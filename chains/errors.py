"""Errors of the simulated world.

ChainsError                 anything below, for one `except`
├── SeriesError             a text that is not a series id, or terms that make no series
├── PayoffError             legs or knots that make no payoff
├── WorldFileError          a world file that breaks its schema or contradicts itself
├── MarketDataError         market data that cannot be read, or that make no market
├── LedgerError             a transfer that the ledger must not accept
└── CommitError             a packet or a plan that the commit protocol has no transition for

Refusals that are part of normal business (a venue that no longer has the lots, a leg that
cannot be locked) are values, not exceptions.
"""


class ChainsError(Exception):
    """Root of every error that `chains` raises."""


class SeriesError(ChainsError, ValueError):
    """A text is not a series id, or the terms of a series are impossible."""


class PayoffError(ChainsError, ValueError):
    """Legs do not expire together, or knots do not describe a payoff."""


class WorldFileError(ChainsError, ValueError):
    """A world file breaks its schema or contradicts itself."""


class MarketDataError(ChainsError, ValueError):
    """Market data cannot be read, or hold no market."""


class LedgerError(ChainsError):
    """A transfer breaks an invariant of the ledger: a bug in the caller, never bad user input."""


class CommitError(ChainsError):
    """The commit protocol was asked for a transition that its table does not hold."""
