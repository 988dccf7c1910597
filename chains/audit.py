"""The invariants of a world, counted afresh from its ledgers, venues, bridges and deals.

1. Each asset sums to zero on every ledger, and no account that may not owe does, or has promised more
   than it has.
2. A bridge's custody at its source and what it has minted at its target cancel out, per asset; a deal
   that is committed counts as a whole, since its legs end in blocks of different chains.
3. The lots locked at venues are exactly those of legs that are locked, and no venue's own rule is broken
   (a level never holds more than its source, a maker never risks more than its lots); pledged bridge
   capacity lies within the bridge's own.
4. A ledger holds a pending batch for exactly the legs that are locked.
5. No deal has both a released and a refunded leg.
6. What stock venues have on offer and deals have pledged there is all available in their accounts.
"""

from collections.abc import Iterable, Iterator, Mapping

from chains.commit import Decision, LegState
from chains.deals import DealRecord
from chains.ledger import Ledger, Transfer, bridge_account, may_owe
from chains.settling import Settling
from chains.snapshot import BridgeTerms
from chains.stocks import Stocks
from chains.venues import Venue
from chains.world_file import WorldSpec


def audit_world(
    *,
    spec: WorldSpec,
    ledgers: Mapping[str, Ledger],
    venues: Mapping[str, Venue],
    settling: Settling,
    stocks: Stocks,
) -> list[str]:
    """Every broken invariant, one line each; none in a sound world."""
    deals = settling.deals
    return [
        *(line for ledger in ledgers.values() for line in _ledger(ledger)),
        *_custody(spec.bridges, ledgers, deals.values()),
        *_locks(venues, deals.values()),
        *_batches(ledgers, deals),
        *_decisions(deals),
        *(line for venue in venues.values() for line in venue.violations()),
        *settling.bridges.violations(),
        *stocks.violations(),
    ]


def _ledger(ledger: Ledger) -> Iterator[str]:
    for asset, total in ledger.totals().items():
        if total:
            yield f"{ledger.chain}: {asset} sums to {total}"
    for account in ledger.accounts():
        for asset, balance in ledger.holdings(account).items():
            if not may_owe(account, asset) and ledger.available(account, asset) < 0:
                held = ledger.held(account, asset)
                yield f"{ledger.chain}: {account} has {balance} {asset}, of which {held} are held"


def _custody(
    bridges: Iterable[BridgeTerms], ledgers: Mapping[str, Ledger], deals: Iterable[DealRecord]
) -> Iterator[str]:
    due: dict[tuple[str, str], int] = {}
    for transfer in _still_to_post(deals):
        for account, change in ((transfer.debit, -transfer.amount), (transfer.credit, transfer.amount)):
            due[account, transfer.asset] = due.get((account, transfer.asset), 0) + change
    for bridge in bridges:
        account = bridge_account(bridge.id)
        ends = (ledgers[bridge.source], ledgers[bridge.target])
        for asset in sorted({asset for ledger in ends for asset in ledger.holdings(account)}):
            total = sum(ledger.balance(account, asset) for ledger in ends) + due.get((account, asset), 0)
            if total:
                yield f"bridge {bridge.id}: custody and minted {asset} differ by {total}"


def _still_to_post(deals: Iterable[DealRecord]) -> Iterator[Transfer]:
    for deal in deals:
        if deal.hub.decision is Decision.COMMIT:
            for chain, leg in deal.legs.items():
                if leg.state is LegState.LOCKED:
                    yield from deal.hub.plan.leg(chain).transfers


def _locks(venues: Mapping[str, Venue], deals: Iterable[DealRecord]) -> Iterator[str]:
    expected: dict[str, int] = {}
    for deal in deals:
        for chain, leg in deal.legs.items():
            if leg.state is LegState.LOCKED:
                for offer_id, lots in deal.hub.plan.leg(chain).lots:
                    expected[offer_id] = expected.get(offer_id, 0) + lots
    found = {offer_id: lots for venue in venues.values() for offer_id, lots in venue.locked().items()}
    for offer_id in sorted(expected.keys() | found.keys()):
        if expected.get(offer_id) != found.get(offer_id):
            yield f"{offer_id}: {found.get(offer_id, 0)} lots locked, deals have {expected.get(offer_id, 0)}"


def _batches(ledgers: Mapping[str, Ledger], deals: Mapping[str, DealRecord]) -> Iterator[str]:
    for chain, ledger in ledgers.items():
        locked = {
            deal
            for deal, record in deals.items()
            if chain in record.legs and record.legs[chain].state is LegState.LOCKED
        }
        for deal in sorted(locked ^ set(ledger.pending())):
            yield f"{chain}: deal {deal} is locked or pending, but not both"


def _decisions(deals: Mapping[str, DealRecord]) -> Iterator[str]:
    for deal, record in deals.items():
        states = {leg.state for leg in record.legs.values()}
        if {LegState.RELEASED, LegState.REFUNDED} <= states:
            yield f"deal {deal}: one leg was released and another refunded"
