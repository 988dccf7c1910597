"""What a leg does on its chain: lock its lots at the venues, hold its transfers in the ledger.

A leg locks everything or nothing. Lots come first, in the order of the plan, then the ledger's
pending batch; the first thing that cannot be had is why it refuses, and what it had goes back.
At the end it either consumes its lots and posts its batch, or unlocks and voids.
"""

from collections.abc import Mapping

from chains.commit import DealPlan, LegPlan
from chains.deals import Refusal
from chains.errors import CommitError, LedgerError
from chains.ledger import Ledger, deal_account
from chains.pledges import LotPledges
from chains.venues import Venue
from chains.venues.venue import venue_of


class Locking:
    """The ledgers and venues of all chains, as deals use them."""

    def __init__(self, *, ledgers: Mapping[str, Ledger], venues: Mapping[str, Venue]) -> None:
        self._ledgers = ledgers
        self._venues = venues
        self.pledges = LotPledges()

    def pledge(self, plan: DealPlan) -> None:
        """Pledge the lots of every leg.

        Raises
        ------
        CommitError
            If a leg's chain or an offer does not exist, if an offer could never hold all the lots
            pledged on it, or if a leg's transfers leave something in the deal's account.
        """
        needed: dict[str, int] = {}
        for leg in plan.legs:
            if leg.chain not in self._ledgers:
                raise CommitError(f"deal {plan.deal!r}: there is no chain {leg.chain!r}")
            _check_even(plan.deal, leg)
            for offer_id, lots in leg.lots:
                needed[offer_id] = needed.get(offer_id, self.pledges.pledged(offer_id)) + lots
                self._check_offer(plan.deal, leg.chain, offer_id, needed[offer_id])
        for leg in plan.legs:
            self.pledges.pledge(plan.deal, leg.chain, leg.lots)

    def lock(self, deal: str, leg: LegPlan, *, now_us: int) -> Refusal | None:
        """Turn a leg's pledges into locks, or say what could not be had."""
        self.pledges.end(deal, leg.chain)
        for index, (offer_id, lots) in enumerate(leg.lots):
            text = self._venues[venue_of(offer_id)].lock(offer_id, lots, now_us=now_us)
            if text:
                self._end_lots(leg.lots[:index], commit=False)
                return Refusal(text=text, offer=offer_id)
        refusal = self._hold(deal, leg)
        if refusal is not None:
            self._end_lots(leg.lots, commit=False)
        return refusal

    def end(self, deal: str, leg: LegPlan, *, commit: bool) -> None:
        """Carry out the decision on a leg that is locked."""
        ledger = self._ledgers[leg.chain]
        if commit:
            ledger.post(deal)
        else:
            ledger.void(deal)
        self._end_lots(leg.lots, commit=commit)

    def _hold(self, deal: str, leg: LegPlan) -> Refusal | None:
        try:
            shortfall = self._ledgers[leg.chain].pend(deal, leg.transfers)
        except LedgerError as error:
            # The plan was checked when it was handed in: only a balance at the ledger's bound is left.
            return Refusal(text=str(error))
        if shortfall is None:
            return None
        text = f"{shortfall.account} is short of {shortfall.missing} {shortfall.asset}"
        return Refusal(text=text, account=shortfall.account)

    def _end_lots(self, lots: tuple[tuple[str, int], ...], *, commit: bool) -> None:
        for offer_id, amount in lots:
            venue = self._venues[venue_of(offer_id)]
            if commit:
                venue.consume(offer_id, amount)
            else:
                venue.unlock(offer_id, amount)

    def _check_offer(self, deal: str, chain: str, offer_id: str, lots: int) -> None:
        venue = self._venues.get(venue_of(offer_id))
        if venue is None or venue.chain != chain:
            raise CommitError(f"deal {deal!r}: {offer_id!r} is on no venue of {chain!r}")
        if lots > venue.most(offer_id):
            raise CommitError(f"deal {deal!r}: {offer_id!r} never holds the {lots} lots that are pledged")


def _check_even(deal: str, leg: LegPlan) -> None:
    clearing = deal_account(deal)
    left: dict[str, int] = {}
    for transfer in leg.transfers:
        change = (transfer.credit == clearing) - (transfer.debit == clearing)
        left[transfer.asset] = left.get(transfer.asset, 0) + change * transfer.amount
    uneven = {asset: amount for asset, amount in sorted(left.items()) if amount}
    if uneven:
        raise CommitError(f"deal {deal!r} on {leg.chain!r}: its account does not come out even: {uneven}")
