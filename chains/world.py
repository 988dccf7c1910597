"""The world as one value: chains, ledgers, venues, bridges, listing, marks and deals in flight.

Its history is a function of its spec, its seed, its start and the calls made on it. Time moves only
through `advance`, in integer microseconds; whatever is due happens in the order of the agenda, so it
does not matter in which steps time advances. Every venue draws its outside flow from a random stream of
its own, which hangs on the seed and the venue's id alone: adding a venue or a deal disturbs no other.

A snapshot shows what can be pledged now: offers and bridge capacity without what deals in flight have
pledged or locked, and no series that has expired. The instant it expires, `chains.expiry` pays it out.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from chains.agenda import Agenda, Priority
from chains.audit import audit_world
from chains.commit import DealPlan
from chains.deals import DealRecord, DealUpdate, Packet
from chains.errors import ChainsError
from chains.expiry import pay_out
from chains.ledger import OUTSIDE, Ledger, Transfer, owner_account
from chains.listing import LiveListing
from chains.locking import Locking
from chains.oracle import Marks
from chains.pledges import BridgePledges
from chains.series import LOT_SIZES, maturity_of
from chains.settling import Settling
from chains.snapshot import Offer, Snapshot, StockQuote
from chains.stocks import Stocks
from chains.units import USDC
from chains.venues import Venue
from chains.world_file import WorldSpec, check_world

__all__ = ["DealRecord", "DealUpdate", "World"]


class _Expiry(NamedTuple):
    """Some series expire."""


class _FlowAt(NamedTuple):
    """Outside flow is due at a venue."""

    venue: str


class World:
    """A simulated world.

    Parameters
    ----------
    spec : the world file; it must not contradict itself
    seed : of all chance in it
    start_us : when it starts; series that have expired by then are not listed

    Raises
    ------
    WorldFileError
        If the spec contradicts itself, or if all its series have expired at the start.
    """

    def __init__(self, spec: WorldSpec, *, seed: int, start_us: int) -> None:
        check_world(spec)
        self._spec = spec
        self._now_us = start_us
        self._agenda: Agenda[Packet | _Expiry | _FlowAt] = Agenda()
        self._listing = LiveListing(spec, start_us=start_us)
        self._marks = Marks(self._listing, round_us=spec.oracle.round_us)
        self._ledgers = {chain.id: Ledger(chain.id) for chain in spec.chains}
        self._settled: dict[str, int] = {}
        self._venues: dict[str, Venue] = {
            venue.id: venue.open_venue(
                start_us=start_us, stream=_stream(seed, f"flow/{venue.id}"), feed=self._marks
            )
            for venue in spec.venues
        }
        self._settling = Settling(
            hub=spec.hub,
            chains={chain.id: chain for chain in spec.chains},
            locking=Locking(ledgers=self._ledgers, venues=self._venues),
            bridges=BridgePledges(spec.bridges),
            schedule=self._agenda.enter,
        )
        listed = self._listing.ids
        self._stocks = Stocks(
            venues=self._venues, ledgers=self._ledgers, pledges=self._settling.locking.pledges
        )
        self._stocks.fund(listed)
        expired = {series.id for series in spec.series} - listed
        for name, venue in self._venues.items():
            venue.delist(expired)
            self._await_flow(name)
        self._await_expiry()

    @property
    def spec(self) -> WorldSpec:
        """The world file it started from."""
        return self._spec

    @property
    def now_us(self) -> int:
        """The time, in microseconds."""
        return self._now_us

    @property
    def ledgers(self) -> Mapping[str, Ledger]:
        """The ledger of each chain, for reading; asked for at every step, so not wrapped each time."""
        return self._ledgers

    @property
    def deals(self) -> Mapping[str, DealRecord]:
        """Every deal ever prepared, by id, with the times of its legs."""
        return MappingProxyType(self._settling.deals)

    @property
    def listed(self) -> frozenset[str]:
        """The ids of the series that are listed now."""
        return self._listing.ids

    @property
    def maturities(self) -> tuple[str, ...]:
        """What is listed, by underlying and expiry, such as ``BTC-26JUN26``; in the order of the listing."""
        return tuple(dict.fromkeys(maturity_of(terms.id) for terms in self._listing.terms))

    def highest_forward(self, underlying: str) -> int:
        """The highest forward of an underlying, in micro-USD per coin; 0 where nothing of it is listed."""
        return self._listing.highest_forward(underlying)

    @property
    def settlement_prices(self) -> Mapping[str, int]:
        """At what price each maturity that has expired was paid out, in micro-USD per coin."""
        return MappingProxyType(self._settled)

    def next_event_us(self) -> int | None:
        """When something happens next; None if nothing ever will."""
        return self._agenda.next_us()

    def advance(self, until_us: int) -> tuple[DealUpdate, ...]:
        """Let everything happen that is due up to an instant, and return how deals changed, in order.

        Raises
        ------
        ChainsError
            If the instant is past: time does not run backwards.
        """
        if until_us < self._now_us:
            raise ChainsError(f"time cannot run back from {self._now_us} to {until_us}")
        while (due := self._agenda.pop_due(until_us)) is not None:
            self._now_us = due.at_us
            match due.entry:
                case Packet() as packet:
                    self._settling.carry(packet, now_us=due.at_us)
                case _FlowAt(venue):
                    self._flow(venue)
                case _Expiry():
                    self._expire()
        self._now_us = until_us
        return self._settling.take_updates()

    def snapshot(self) -> Snapshot:
        """The world as solvers see it now."""
        return Snapshot(
            as_of_us=self._now_us,
            hub=self._spec.hub,
            chains=self._spec.chains,
            bridges=self._settling.bridges.terms(),
            venues=tuple(venue.terms(self._now_us) for venue in self._venues.values()),
            series=self._listing.terms,
            offers=self._free_offers(),
            marks=self._marks.at(self._now_us),
        )

    def prepare(self, plan: DealPlan) -> None:
        """Hand in a deal: it pledges its lots and bridge capacity at once and goes its way.

        Raises
        ------
        CommitError
            If it was handed in before, names something that does not exist, or needs capacity that
            others hold. Lots that outside flow has taken meanwhile are no error: the leg refuses.
        """
        self._settling.begin(plan, now_us=self._now_us)

    def deposit(self, owner: str, chain: str, asset: str, amount: int) -> None:
        """Bring cash (micro-USDC) or coins (1e-8) from outside to an owner's account.

        Raises
        ------
        ChainsError
            If there is no such chain or asset.
        LedgerError
            If the amount is not positive, or would leave the bounds of the ledger.
        """
        if chain not in self._ledgers:
            raise ChainsError(f"there is no chain {chain!r}")
        if asset != USDC and asset not in LOT_SIZES:
            raise ChainsError(f"{asset!r} is neither {USDC} nor a coin")
        account = owner_account(owner)
        self._ledgers[chain].record([Transfer(debit=OUTSIDE, credit=account, asset=asset, amount=amount)])

    def transfer(self, chain: str, transfers: Iterable[Transfer]) -> None:
        """Move funds on a chain at once and outside any deal, whole or not at all.

        Raises
        ------
        ChainsError
            If there is no such chain.
        LedgerError
            If an account that may not owe has less available, or a balance would leave its bounds.
        """
        if chain not in self._ledgers:
            raise ChainsError(f"there is no chain {chain!r}")
        self._ledgers[chain].record(transfers)

    @property
    def stock_solvers(self) -> dict[str, str]:
        """The solver behind each venue of kind ``stock``."""
        return self._stocks.solvers

    def stock_of(self, venue: str) -> dict[str, int]:
        """What is free to quote at a stock venue: micro-USDC, and lots by series, sorted by asset.

        That is all the solver has put up and deals have neither pledged nor locked, whatever part of it
        is on offer now: a new set of quotes takes the place of the old one.

        Raises
        ------
        ChainsError
            If there is no stock venue of that name.
        """
        return self._stocks.free(venue, listed=self._listing.ids)

    def quote_stock(self, venue: str, quotes: Sequence[StockQuote]) -> str:
        """Replace the quotes of a stock venue: an empty text, or why not, and then the old ones stay.

        Call it between the decision of one round and the cut of the next. Only deals that were handed
        in before can still have the old quotes, so an auction that was cut with them and is not yet
        decided would be left with offers that nobody can pledge.
        """
        return self._stocks.quote(venue, quotes, listed=self._listing.ids)

    def audit(self) -> list[str]:
        """Every broken invariant, one line each; none in a sound world."""
        return audit_world(
            spec=self._spec,
            ledgers=self._ledgers,
            venues=self._venues,
            settling=self._settling,
            stocks=self._stocks,
        )

    def _free_offers(self) -> tuple[Offer, ...]:
        pledged = self._settling.locking.pledges.by_venue()
        return tuple(
            offer
            for name, venue in self._venues.items()
            for offer in venue.offers(self._now_us, pledged.get(name, {}))
        )

    def _flow(self, name: str) -> None:
        venue = self._venues[name]
        if venue.next_flow_us() == self._now_us:
            venue.apply_flow()
            self._await_flow(name)

    def _await_flow(self, name: str) -> None:
        at_us = self._venues[name].next_flow_us()
        if at_us is not None:
            self._agenda.enter(at_us, Priority.FLOW, _FlowAt(name))

    def _expire(self) -> None:
        expired = self._listing.expired(self._now_us)
        self._settled |= pay_out(self._ledgers.values(), expired, forward=self._listing.forward)
        self._listing.expire(self._now_us)
        for venue in self._venues.values():
            venue.delist(expired)
        self._await_expiry()

    def _await_expiry(self) -> None:
        at_us = self._listing.next_expiry_us()
        if at_us is not None:
            self._agenda.enter(at_us, Priority.EXPIRY, _Expiry())


def _stream(seed: int, name: str) -> np.random.Generator:
    """The random stream of one component: a child of the seed, told apart by the component's name."""
    words = np.frombuffer(sha256(name.encode()).digest()[:16], dtype="<u4")
    child = np.random.SeedSequence(seed, spawn_key=tuple(int(word) for word in words))
    return np.random.Generator(np.random.PCG64(child))
