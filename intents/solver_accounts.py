"""What solvers have put up, earned and paid: what the engine remembers of each beside the ledgers.

A deal's reward and its solver's own fee are part of its transfers, so they are earned when it settles and
never before. Where the money is now is in the ledgers: `bond:<solver>` on the hub, `solver:<name>` on
every chain. An account here only adds up how it got there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from intents.errors import EngineError
from solvers.bid import Bid
from solvers.outcome import Deal


@dataclass(slots=True, kw_only=True)
class SolverAccount:
    """One solver's deals and money (micro-USDC).

    Attributes
    ----------
    bonded : every bond it ever posted, together
    settled, aborted : how many of its deals have ended so
    fees_asked : what its winning bids have asked for its work
    fees, rewards : what settled deals have paid it
    penalties : what aborted deals have cost it
    """

    bonded: int = 0
    settled: int = 0
    aborted: int = 0
    fees_asked: int = 0
    fees: int = 0
    rewards: int = 0
    penalties: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """A deal in settlement, and what its solver asked for it."""

    deal: Deal
    fees: int


class SolverAccounts:
    """The accounts of all solvers, the house among them, and their deals in settlement."""

    def __init__(self) -> None:
        self._accounts: dict[str, SolverAccount] = {}
        self._pending: dict[str, _Pending] = {}

    @property
    def all(self) -> Mapping[str, SolverAccount]:
        """Every solver that ever posted a bond or won, in that order (a read-only view)."""
        return MappingProxyType(self._accounts)

    def of(self, solver: str) -> SolverAccount:
        """A solver's account; an empty one where it has done nothing yet."""
        return self._accounts.get(solver) or SolverAccount()

    def post_bond(self, solver: str, amount: int) -> None:
        """Note a bond, in micro-USDC."""
        self._open(solver).bonded += amount

    def begin(self, deal: Deal, bid: Bid) -> None:
        """Note a deal that goes into settlement, and the bid behind it."""
        fees = sum(fee.amount for fee in bid.fee)
        self._open(deal.solver).fees_asked += fees
        self._pending[deal.deal] = _Pending(deal=deal, fees=fees)

    def settle(self, deal: str) -> None:
        """Every leg of a deal has posted: its solver has its fees and its reward.

        Raises
        ------
        EngineError
            If no such deal is in settlement.
        """
        ended = self._end(deal)
        account = self._open(ended.deal.solver)
        account.settled += 1
        account.fees += ended.fees
        account.rewards += sum(part.amount for part in ended.deal.reward)

    def abort(self, deal: str) -> Deal:
        """Every leg of a deal is void: it is counted, and returned for its penalty.

        Raises
        ------
        EngineError
            If no such deal is in settlement.
        """
        ended = self._end(deal)
        self._open(ended.deal.solver).aborted += 1
        return ended.deal

    def penalise(self, solver: str, amount: int) -> None:
        """Note a penalty that was taken, in micro-USDC."""
        self._open(solver).penalties += amount

    def _open(self, solver: str) -> SolverAccount:
        return self._accounts.setdefault(solver, SolverAccount())

    def _end(self, deal: str) -> _Pending:
        ended = self._pending.pop(deal, None)
        if ended is None:
            raise EngineError(f"deal {deal} is not in settlement")
        return ended
