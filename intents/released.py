"""What legs have taken from owners before their deal has ended.

A deal settles on its chains at different instants, and the market follows it only when all of them have
acknowledged. In between, what a released leg has taken from an owner's free account is gone from the
ledger while the book still reserves it: counted as still there, it is subtracted once and not twice, and
nobody's free funds are understated. What a leg has brought is simply there.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from chains.commit import LegState
from chains.deals import DealRecord

Taken = Mapping[tuple[str, str, str], int]
"""(chain, account, asset) -> amount taken, positive."""


def taken_early(deals: Mapping[str, DealRecord], under_way: Iterable[str]) -> Taken:
    """What the released legs of deals that have not ended have taken from each owner on balance."""
    taken: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for deal in under_way:
        record = deals[deal]
        for chain, leg in record.legs.items():
            if leg.state is LegState.RELEASED:
                for (account, asset), amount in _taken_by(record, chain).items():
                    taken[chain, account, asset] += amount
    return dict(taken)


def _taken_by(record: DealRecord, chain: str) -> dict[tuple[str, str], int]:
    taken: defaultdict[tuple[str, str], int] = defaultdict(int)
    for transfer in record.hub.plan.leg(chain).transfers:
        taken[transfer.debit, transfer.asset] += transfer.amount
        taken[transfer.credit, transfer.asset] -= transfer.amount
    return {place: amount for place, amount in taken.items() if amount > 0 and place[0].startswith("owner:")}
