"""What an aborted deal costs its solver, and whom that is paid to.

A deal that ends aborted costs a fixed `abort_fee`, whatever the reason, so that a bid on what may not be
there has a price. Where the fault is the solver's own it costs what the owners have lost: the surplus of
all fills that failed, at least the fee. It is taken from the solver's bond on the hub, never more than is
there, and paid to the owners of the failed fills on the hub, in proportion to the surplus each would have
had, in equal parts where nobody would have had any; parts round down, and the remainder goes to the
reserve.

The fault is the solver's own where a leg could not lock, by `lock_by`, for want of something that
the same solver had put up: an offer of its own stock venue, or the account behind it. That a firm quote
runs out is never the cause of an abort: a bid that uses one is feasible only if the quote is firm beyond
`decide_by` (`offer_not_firm`), and from then on time alone has aborted the deal.

Nothing is due where the deal was handed in so late that some leg could no longer be locked by `lock_by`, or
its vote not be there before `decide_by`, with every chain up: then the market was late, and not its solver.
The house has no bond and owes nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from chains.deals import DealRecord
from chains.ledger import RESERVE, Transfer, bond_account, owner_account, stock_account
from chains.units import USDC, floor_div
from chains.venues.venue import venue_of
from solvers.outcome import Deal


def is_own_fault(record: DealRecord, solver: str, stock_solvers: Mapping[str, str]) -> bool:
    """Whether an aborted deal failed for want of its own solver's stock.

    `stock_solvers` names the solver behind each stock venue.
    """
    own = {venue for venue, name in stock_solvers.items() if name == solver}
    accounts = {stock_account(venue) for venue in own}
    return any(venue_of(cause.offer) in own or cause.account in accounts for cause in record.causes)


def penalty_due(deal: Deal, record: DealRecord, *, abort_fee: int, is_own_fault: bool) -> int:
    """Micro-USDC that an aborted deal costs, whatever its solver's bond can bear."""
    if not record.in_time:
        return 0
    lost = sum(fill.surplus for fill in deal.fills) if is_own_fault else 0
    return max(abort_fee, lost)


def pay_penalty(deal: Deal, amount: int) -> tuple[Transfer, ...]:
    """The transfers on the hub that pay a penalty (micro-USDC) from the bond to those it failed."""
    return tuple(
        Transfer(debit=bond_account(deal.solver), credit=account, asset=USDC, amount=part)
        for account, part in _shares(deal, amount)
        if part
    )


def _shares(deal: Deal, amount: int) -> Iterator[tuple[str, int]]:
    lost: Counter[str] = Counter()
    for fill in deal.fills:
        lost[owner_account(fill.owner)] += fill.surplus
    weights = lost if any(lost.values()) else dict.fromkeys(lost, 1)
    whole, left = sum(weights.values()), amount
    for account, weight in sorted(weights.items()):
        part = floor_div(amount * weight, whole)
        left -= part
        yield account, part
    yield RESERVE, left
