"""Solver stock: what a solver has put up on a chain, and the firm quotes it makes on it.

A solver's lots and cash lie in the ledger's account `stock:<venue>`, funded from outside when the world
begins; the account never owes. The quotes come at run time, a whole set at a time, and any bid may use
them. They are backed: a set is refused that could sell more lots, or buy for more cash, than the account
has left after all that deals have pledged and locked. Since nothing but its own trades takes from the
account, what is on offer can always be settled.

The id of an offer carries the number of its set. A new set replaces the one before: those offers are
not shown any more, but what deals have pledged on them can still be locked at the old price.

There is no outside flow: the quotes are addressed to this market.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import msgspec
import numpy as np

from chains.snapshot import Offer, StockQuote, VenueTerms
from chains.units import USDC, WIRE_MAX
from chains.venues.flow import Flow
from chains.venues.locks import Locks
from chains.venues.venue import Feed, VenueSpec
from chains.wire import Id, Positive

KIND: Final = "stock"
QUOTES_MAX: Final = 2_000
"""Quotes in one set."""


class StockSpec(VenueSpec, frozen=True, kw_only=True, tag_field="kind", tag=KIND):
    """A solver's stock in a world file; holdings are lots of series, and micro-USDC."""

    flow: Flow = Flow(mean_gap_us=0)
    solver: Id
    holdings: tuple[tuple[Id, Positive], ...]

    @property
    def size(self) -> int:
        """How many assets the solver has put up."""
        return len(self.holdings)

    def contradiction(self, listed: Collection[str]) -> tuple[str, object, str] | None:
        """See `VenueKind`."""
        if self.flow.mean_gap_us:
            return "flow.mean_gap_us", self.flow.mean_gap_us, "is not 0: nobody else trades with a stock"
        seen: set[str] = set()
        for index, (asset, _) in enumerate(self.holdings):
            field = f"holdings[{index}][0]"
            if asset != USDC and asset not in listed:
                return field, asset, f"is neither {USDC} nor a listed series"
            if asset in seen:
                return field, asset, "is there twice"
            seen.add(asset)
        return None

    def with_series(self, renamed: Mapping[str, str]) -> Self:
        """See `VenueKind`."""
        holdings = tuple((renamed.get(asset, asset), amount) for asset, amount in self.holdings)
        return msgspec.structs.replace(self, holdings=holdings)

    def open_venue(self, *, start_us: int, stream: np.random.Generator, feed: Feed) -> "StockDesk":
        """See `VenueKind`."""
        return StockDesk(self)


@dataclass(slots=True, kw_only=True)
class _Quote:
    """A quote that lives: what it began with, and how much of that deals have traded."""

    offer: str
    terms: StockQuote
    traded: int = 0
    is_listed: bool = True

    @property
    def left(self) -> int:
        return self.terms.lots - self.traded


class StockDesk:
    """A live stock venue; see `Venue` for what each of its methods promises.

    Attributes
    ----------
    spec : the stock in the world file
    """

    def __init__(self, spec: StockSpec) -> None:
        self.spec = spec
        self._sets = 0
        self._shown: dict[str, _Quote] = {}
        self._old: dict[str, _Quote] = {}
        self._locks = Locks()

    @property
    def chain(self) -> str:
        """The chain the stock lies on."""
        return self.spec.chain

    def quote(
        self,
        quotes: Sequence[StockQuote],
        *,
        free: Mapping[str, int],
        listed: Collection[str],
        pledged: Mapping[str, int],
    ) -> str:
        """Replace all quotes (none takes back every one): an empty text, or why not, and the old ones stay.

        `free` is what the account has left by asset, in lots and micro-USDC; `pledged` is what deals
        are on their way to lock, in lots by offer.
        """
        refusal = _contradiction(quotes, listed) or _shortage(quotes, free)
        if refusal:
            return refusal
        old = self._old | self._shown
        self._old = {
            offer: quote for offer, quote in old.items() if offer in pledged or self._locks.of(offer)
        }
        self._sets += 1
        self._shown = {}
        for each in sorted(quotes, key=_priority):
            offer = f"{self.spec.id}/{each.series}/{each.side}/{each.price}/{self._sets}"
            self._shown[offer] = _Quote(offer=offer, terms=each)
        return ""

    def promised(self, pledged: Mapping[str, int], *, shown: bool) -> dict[str, int]:
        """What pledged lots would take from the account, by asset; with what is on offer, if `shown`."""
        lots_by_offer = dict(pledged)
        if shown:
            for offer, quote in self._shown.items():
                lots_by_offer[offer] = max(quote.left - self._locks.of(offer), pledged.get(offer, 0))
        promised: dict[str, int] = {}
        for offer, lots in lots_by_offer.items():
            pledged_on = self._find(offer)
            if pledged_on is not None:
                asset, amount = _cost(pledged_on.terms, lots)
                promised[asset] = promised.get(asset, 0) + amount
        return promised

    def terms(self, now_us: int) -> VenueTerms:
        """The stock as solvers see it now."""
        return self.spec.terms(kind=KIND, as_of_us=now_us)

    def offers(self, now_us: int, pledged: Mapping[str, int]) -> tuple[Offer, ...]:
        """What is left of the newest set: by series, buys first, best price first."""
        return tuple(
            Offer(
                id=offer,
                venue=self.spec.id,
                series=quote.terms.series,
                side=quote.terms.side,
                price=quote.terms.price,
                lots=lots,
            )
            for offer, quote in self._shown.items()
            if (lots := quote.left - self._locks.of(offer) - pledged.get(offer, 0)) > 0
        )

    def most(self, offer_id: str) -> int:
        """The lots that the quote began with; 0 for one that never was, or that was taken back."""
        quote = self._find(offer_id)
        return quote.terms.lots if quote is not None else 0

    def lock(self, offer_id: str, lots: int, *, now_us: int) -> str:
        """Set lots of a quote aside, on offer still or pledged before it was replaced."""
        quote = self._find(offer_id)
        if quote is None or not quote.is_listed:
            return f"{offer_id} is not quoted any more"
        if quote.left - self._locks.of(offer_id) < lots:
            return f"{offer_id} has no {lots} free lots"
        self._locks.add(offer_id, lots)
        return ""

    def unlock(self, offer_id: str, lots: int) -> None:
        """Give locked lots back."""
        self._locks.end(offer_id, lots)

    def consume(self, offer_id: str, lots: int) -> None:
        """Trade locked lots: the quote has so many fewer."""
        self._locks.end(offer_id, lots)
        quote = self._find(offer_id)
        assert quote is not None, "what is locked was quoted"
        quote.traded += lots

    def next_flow_us(self) -> int | None:
        """Never: there is no outside flow."""
        return None

    def apply_flow(self) -> None:
        """Do nothing: there is no outside flow."""

    def delist(self, series: Collection[str]) -> None:
        """Take back the quotes of series for good; what is locked can still end."""
        for quote in (*self._shown.values(), *self._old.values()):
            quote.is_listed = quote.is_listed and quote.terms.series not in series
        self._old |= {offer: quote for offer, quote in self._shown.items() if not quote.is_listed}
        self._shown = {offer: quote for offer, quote in self._shown.items() if quote.is_listed}

    def locked(self) -> Mapping[str, int]:
        """Lots locked for deals, by offer."""
        return self._locks.by_offer

    def violations(self) -> list[str]:
        """Quotes of which more is locked than is left, and locks that belong to no quote."""
        quotes = self._old | self._shown
        return [
            f"{offer}: {lots} lots locked, {quotes[offer].left if offer in quotes else 'none'} left"
            for offer, lots in self._locks.by_offer.items()
            if offer not in quotes or lots > quotes[offer].left
        ]

    def _find(self, offer_id: str) -> _Quote | None:
        return self._shown.get(offer_id) or self._old.get(offer_id)


def _cost(quote: StockQuote, lots: int) -> tuple[str, int]:
    """(asset, amount) that so many lots of a quote take from the stock."""
    return (quote.series, lots) if quote.side == "sell" else (USDC, lots * quote.price)


def _contradiction(quotes: Sequence[StockQuote], listed: Collection[str]) -> str:
    if len(quotes) > QUOTES_MAX:
        return f"{len(quotes)} quotes are more than {QUOTES_MAX}"
    seen: set[tuple[str, str, int]] = set()
    bids: dict[str, int] = {}
    asks: dict[str, int] = {}
    for index, quote in enumerate(quotes):
        field = f"quotes[{index}]"
        if quote.series not in listed:
            return f"{field}.series: {quote.series!r} is not a listed series"
        if quote.price * quote.lots > WIRE_MAX:
            return f"{field}.lots: {quote.lots} make a quote worth more than {WIRE_MAX} micro-USDC"
        if (quote.series, quote.side, quote.price) in seen:
            return f"{field}.price: {quote.price} appears twice ({quote.side} {quote.series})"
        seen.add((quote.series, quote.side, quote.price))
        if quote.side == "buy":
            bids[quote.series] = max(quote.price, bids.get(quote.series, quote.price))
        else:
            asks[quote.series] = min(quote.price, asks.get(quote.series, quote.price))
    for series, bid in bids.items():
        if series in asks and bid >= asks[series]:
            return f"quotes: {series} is bought at {bid}, at or above the {asks[series]} it is sold at"
    return ""


def _shortage(quotes: Sequence[StockQuote], free: Mapping[str, int]) -> str:
    wanted: dict[str, int] = {}
    for quote in quotes:
        asset, amount = _cost(quote, quote.lots)
        wanted[asset] = wanted.get(asset, 0) + amount
    for asset, amount in sorted(wanted.items()):
        if amount > free.get(asset, 0):
            unit = "micro-USDC are bid" if asset == USDC else f"lots of {asset} are offered"
            return f"quotes: {amount} {unit}, of which {free.get(asset, 0)} are free"
    return ""


def _priority(quote: StockQuote) -> tuple[str, str, int]:
    return quote.series, quote.side, quote.price if quote.side == "sell" else -quote.price
