"""Dutch auctions: lots of a series at a price that falls step by step, until somebody takes them.

A sale begins anew at every multiple of `steps * step_us` and asks, in its step 0, 1, ... steps - 1,

    price = last + ceil((first - last) * (steps - 1 - step) / (steps - 1))        micro-USDC per lot

so it begins at `first` and ends at `last`. The id of an offer names the price. A deal that arrives later
still gets its price while the sale asks no more than that; once a new sale has begun higher, the leg is
refused. What was sold stays sold until outside flow restores it: the seller has found more.

This is a whole venue kind. To use it, put this file into ``chains/venues/`` as ``dutch_auction.py``,
import `DutchAuctionSpec` in ``chains/venues/__init__.py`` and add it to the union `AnyVenueSpec` there.
A world file can then hold

    {"kind": "dutch_auction", "id": "harbour", "chain": "hub", "fee_touch": 50, "fee_per_lot": 5,
     "max_lock_us": 600000000, "step_us": 2000000, "steps": 10,
     "sales": [["BTC-26JUN26-100000-C", 12000000, 9000000, 40]]}

and solvers find its offers in the next auction: neither they nor the router know kinds of venues.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Final, Self

import msgspec
import numpy as np
from msgspec import Meta, Struct

from chains.snapshot import Offer, VenueTerms
from chains.units import WIRE_MAX, ceil_div, floor_div
from chains.venues.flow import FlowClock
from chains.venues.locks import Locks
from chains.venues.venue import Feed, VenueSpec
from chains.wire import Id, Positive

KIND: Final = "dutch_auction"


class Sale(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """``[series, first, last, lots]``; prices in micro-USDC per lot."""

    series: Id
    first: Positive
    last: Positive
    lots: Positive


class DutchAuctionSpec(VenueSpec, frozen=True, kw_only=True, tag_field="kind", tag=KIND):
    """A house for Dutch auctions in a world file."""

    sales: tuple[Sale, ...]
    step_us: Positive
    steps: Annotated[int, Meta(ge=2, le=1_000)]

    @property
    def size(self) -> int:
        """How many sales it holds."""
        return len(self.sales)

    def contradiction(self, listed: Collection[str]) -> tuple[str, object, str] | None:
        """See `VenueKind`."""
        seen: set[str] = set()
        for index, sale in enumerate(self.sales):
            field = f"sales[{index}]"
            if sale.series not in listed:
                return f"{field}.series", sale.series, "is not a listed series"
            if sale.series in seen:
                return f"{field}.series", sale.series, "is for sale already"
            if sale.first < sale.last:
                return f"{field}.first", sale.first, f"is less than the last price ({sale.last})"
            if sale.first * sale.lots > WIRE_MAX:
                return f"{field}.lots", sale.lots, f"makes a sale worth more than {WIRE_MAX} micro-USDC"
            seen.add(sale.series)
        return None

    def with_series(self, renamed: Mapping[str, str]) -> Self:
        """See `VenueKind`."""
        sales = tuple(msgspec.structs.replace(sale, series=renamed[sale.series]) for sale in self.sales)
        return msgspec.structs.replace(self, sales=sales)

    def open_venue(self, *, start_us: int, stream: np.random.Generator, feed: Feed) -> "DutchAuction":
        """See `VenueKind`."""
        return DutchAuction(self, start_us=start_us, stream=stream)


class DutchAuction:
    """A live house; see `Venue` for what each method promises."""

    def __init__(self, spec: DutchAuctionSpec, *, start_us: int, stream: np.random.Generator) -> None:
        self._spec = spec
        self._sales = {sale.series: sale for sale in sorted(spec.sales, key=lambda sale: sale.series)}
        self._open = dict(self._sales)
        self._sold = dict.fromkeys(self._sales, 0)
        self._locks = Locks()
        self._flow = FlowClock(spec.flow, start_us=start_us, stream=stream)
        self.delist(())

    @property
    def chain(self) -> str:
        """The chain the house is on."""
        return self._spec.chain

    def terms(self, now_us: int) -> VenueTerms:
        """The house as solvers see it now, as of the step that has begun last."""
        as_of_us = floor_div(now_us, self._spec.step_us) * self._spec.step_us
        return self._spec.terms(kind=KIND, as_of_us=as_of_us)

    def offers(self, now_us: int, pledged: Mapping[str, int]) -> tuple[Offer, ...]:
        """What is left of each sale at its price of now, by series."""
        promised = self._by_series(pledged)
        return tuple(
            Offer(
                id=self._offer_id(series, self._price(sale, now_us)),
                venue=self._spec.id,
                series=series,
                side="sell",
                price=self._price(sale, now_us),
                lots=lots,
            )
            for series, sale in self._open.items()
            if (lots := self._free(series) - promised.get(series, 0)) > 0
        )

    def most(self, offer_id: str) -> int:
        """The lots of the sale; 0 for what was never on offer."""
        read = self._read(offer_id)
        return read[0].lots if read is not None else 0

    def lock(self, offer_id: str, lots: int, *, now_us: int) -> str:
        """Set lots aside at the price of the offer, unless the sale asks more by now."""
        read = self._read(offer_id)
        if read is None or read[0].series not in self._open:
            return f"{offer_id} is not for sale"
        sale, price = read
        if self._price(sale, now_us) > price:
            return f"{offer_id} is over: {self._price(sale, now_us)} is asked now"
        if self._free(sale.series) < lots:
            return f"{offer_id} has no {lots} free lots"
        self._locks.add(offer_id, lots)
        return ""

    def unlock(self, offer_id: str, lots: int) -> None:
        """Give locked lots back."""
        self._locks.end(offer_id, lots)

    def consume(self, offer_id: str, lots: int) -> None:
        """Trade locked lots."""
        self._locks.end(offer_id, lots)
        self._sold[_series_of(offer_id)] += lots

    def next_flow_us(self) -> int | None:
        """When outside flow comes next."""
        return self._flow.next_us

    def apply_flow(self) -> None:
        """Let the outside take lots of a random sale, or bring back what was sold of it."""
        event = self._flow.take()
        series = list(self._open)[event.pick(len(self._open))]
        if event.restores:
            self._sold[series] = 0
        else:
            self._sold[series] += min(event.lots, self._free(series))

    def delist(self, series: Collection[str]) -> None:
        """End sales for good: what is locked can still be traded."""
        self._open = {name: sale for name, sale in self._open.items() if name not in series}
        if not self._open:
            self._flow.stop()

    def locked(self) -> Mapping[str, int]:
        """Lots locked for deals, by offer."""
        return self._locks.by_offer

    def violations(self) -> list[str]:
        """Sales of which more is sold and locked than there is."""
        return [
            f"{self._spec.id}/{series}: {self._sold[series]} sold, {self._free(series)} free of {sale.lots}"
            for series, sale in self._sales.items()
            if self._sold[series] < 0 or self._free(series) < 0
        ]

    def _price(self, sale: Sale, now_us: int) -> int:
        last_step = self._spec.steps - 1
        step = floor_div(now_us, self._spec.step_us) % self._spec.steps
        return sale.last + ceil_div((sale.first - sale.last) * (last_step - step), last_step)

    def _free(self, series: str) -> int:
        locked = self._by_series(self._locks.by_offer).get(series, 0)
        return self._sales[series].lots - self._sold[series] - locked

    def _by_series(self, lots_by_offer: Mapping[str, int]) -> dict[str, int]:
        """Lots of offers at any price, by series."""
        found: dict[str, int] = {}
        for offer_id, lots in lots_by_offer.items():
            series = _series_of(offer_id)
            found[series] = found.get(series, 0) + lots
        return found

    def _offer_id(self, series: str, price: int) -> str:
        return f"{self._spec.id}/{series}/sell/{price}"

    def _read(self, offer_id: str) -> tuple[Sale, int] | None:
        """The sale and the price that an offer's id names."""
        sale = self._sales.get(_series_of(offer_id))
        price = offer_id.rpartition("/")[2]
        if sale is None or not price.isdecimal() or offer_id != self._offer_id(sale.series, int(price)):
            return None
        return (sale, int(price)) if sale.last <= int(price) <= sale.first else None


def _series_of(offer_id: str) -> str:
    return (*offer_id.split("/"), "")[1]
