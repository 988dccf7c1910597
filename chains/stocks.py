"""Solver stock as the world sees it: ledgers hold it, desks quote it, deals pledge it.

The ledger is the authority on what a solver has put up. What is free to quote is what the account of a
stock venue has available on the ledger, which leaves out what locked legs hold, less what legs that are
still on their way have pledged, each quote counted for itself. A desk never offers more than that, so
the audit can check that no account of a stock venue is promised twice.
"""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from chains.errors import ChainsError
from chains.ledger import OUTSIDE, Ledger, Transfer, stock_account, venue_account
from chains.pledges import LotPledges
from chains.snapshot import StockQuote, VenueTerms
from chains.units import USDC
from chains.venues import Venue
from chains.venues.stock import KIND, StockDesk

_NONE: Final[Mapping[str, int]] = MappingProxyType({})


def trading_account(venue: VenueTerms) -> str:
    """The other side of every trade at a venue: at a stock venue, what its solver has put up."""
    return stock_account(venue.id) if venue.kind == KIND else venue_account(venue.id)


class Stocks:
    """All solver stock of a world."""

    def __init__(
        self, *, venues: Mapping[str, Venue], ledgers: Mapping[str, Ledger], pledges: LotPledges
    ) -> None:
        self._desks = {name: venue for name, venue in venues.items() if isinstance(venue, StockDesk)}
        self._ledgers = ledgers
        self._pledges = pledges

    @property
    def solvers(self) -> dict[str, str]:
        """The solver behind each stock venue."""
        return {name: desk.spec.solver for name, desk in self._desks.items()}

    def fund(self, listed: Collection[str]) -> None:
        """Bring every holding from outside, except in series that are not listed."""
        for name, desk in self._desks.items():
            for asset, amount in desk.spec.holdings:
                if asset == USDC or asset in listed:
                    put_up = Transfer(debit=OUTSIDE, credit=stock_account(name), asset=asset, amount=amount)
                    self._ledgers[desk.chain].record([put_up])

    def free(self, venue: str, *, listed: Collection[str]) -> dict[str, int]:
        """What a stock venue may quote, in micro-USDC and lots of listed series, sorted by asset.

        Raises
        ------
        ChainsError
            If there is no stock venue of that name.
        """
        desk = self._desks.get(venue)
        if desk is None:
            raise ChainsError(f"there is no stock venue {venue!r}")
        ledger, account = self._ledgers[desk.chain], stock_account(venue)
        promised = desk.promised(self._pledged(venue), shown=False)
        amounts = {
            asset: ledger.available(account, asset) - promised.get(asset, 0)
            for asset in ledger.holdings(account)
            if asset == USDC or asset in listed
        }
        return {asset: amount for asset, amount in amounts.items() if amount > 0}

    def quote(self, venue: str, quotes: Sequence[StockQuote], *, listed: Collection[str]) -> str:
        """Replace the quotes of a stock venue: an empty text, or why not, and then nothing changes."""
        desk = self._desks.get(venue)
        if desk is None:
            return f"there is no stock venue {venue!r}"
        free = self.free(venue, listed=listed)
        return desk.quote(quotes, free=free, listed=listed, pledged=self._pledged(venue))

    def violations(self) -> list[str]:
        """Stock that is promised twice: more pledged and on offer than the ledger has available."""
        found: list[str] = []
        for name, desk in self._desks.items():
            ledger, account = self._ledgers[desk.chain], stock_account(name)
            promised = desk.promised(self._pledged(name), shown=True)
            for asset, amount in sorted(promised.items()):
                available = ledger.available(account, asset)
                if amount > available:
                    found.append(f"{account}: {amount} {asset} promised, {available} available")
        return found

    def _pledged(self, venue: str) -> Mapping[str, int]:
        return self._pledges.by_venue().get(venue, _NONE)
