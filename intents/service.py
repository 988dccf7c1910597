"""The service: one market, live - its journal, its engine, its intake, its solvers and its clock.

This is the shell's only door to the market: HTTP, the command line and the demo call it, and it calls
the pure parts. What a request's bytes and signature alone decide is checked before it waits for a batch.
"""

import asyncio
from dataclasses import dataclass
from typing import Self

from chains.units import MICRO, floor_div
from intents.admission import read_signed_cancel, read_signed_intent, verify_cancel, verify_intent
from intents.book import Book, BookIntent
from intents.checkpointing import Checkpointing
from intents.clock import Clock, SimulatedClock, WallClock
from intents.deposits import Deposit
from intents.events import (
    AuctionDecided,
    AuctionPublished,
    Deposited,
    Event,
    IntentPosted,
    IntentsCancelled,
    NoncesRevoked,
)
from intents.genesis import check_same_market, found_market
from intents.intake import Intake, MakeEvent
from intents.journal import Journal, open_journal
from intents.lifecycle import Status
from intents.market import Market, open_market
from intents.quote_desk import QuoteDesk
from intents.quotes import Quote
from intents.refusals import Refused
from intents.rounds import Rounds, RoundSummary
from intents.settings import Settings
from intents.typed_data import Cancel, CancelIntents, Domain
from solvers.competition import Competition, SolverSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """The answer to an accepted intent, the same however often it is posted."""

    id: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """What a cancel did: the intents it concerned, as they stand, and the lowest nonce still to be used."""

    owner: str
    nonce_floor: int
    intents: tuple[BookIntent, ...]


class Service:
    """A running market. Open it with `open_service`; all methods belong to one event loop."""

    def __init__(
        self, market: Market, *, clock: Clock, competition: Competition, checkpoint_entries: int = 0
    ) -> None:
        terms = market.engine.genesis.terms
        self.market = market
        self.domain = Domain(chain_id=terms.chain_id, verifying_contract=terms.verifying_contract)
        self._clock = clock
        self._intake = Intake(market, clock)
        self._rounds = Rounds(self._intake, competition)
        self._quotes = QuoteDesk(market, now_us=self.now_us)
        self._checkpointing = Checkpointing(market, every=checkpoint_entries)
        self._tasks: list[asyncio.Task[None]] = []
        self._started = False
        self._closed = False

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def is_simulated(self) -> bool:
        """Whether time moves only by `advance_to` and `run_round`."""
        return isinstance(self._clock, SimulatedClock)

    def now_us(self) -> int:
        """The market's time.

        Raises
        ------
        UnavailableError
            While the market is closed.
        """
        return self._intake.now_us()

    def start(self) -> None:
        """Post missing bonds, start the solvers, the checkpoints and, with a wall clock, the rounds; once.

        Raises
        ------
        UnavailableError
            If the bonds cannot be written.
        """
        if self._started:
            return
        self._started = True
        self._rounds.post_bonds()
        self._rounds.start_competition()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._checkpointing.serve())]
        if not self.is_simulated:
            self._tasks += [
                loop.create_task(self._rounds.serve()),
                loop.create_task(self._rounds.follow_deals()),
            ]

    async def close(self) -> None:
        """Stop rounds, answer what waits, end the solvers, leave a checkpoint and close the journal; once."""
        if self._closed:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._quotes.close()
        await self._checkpointing.close()
        await self._intake.close()
        await self._rounds.close()
        self._checkpointing.make_last()
        self.market.journal.close()

    async def run_round(self) -> RoundSummary:
        """Run one round now; see `Rounds.run_round`."""
        return await self._rounds.run_round()

    def advance_to(self, at_us: int) -> None:
        """Move simulated time on; see `Rounds.advance_to`."""
        self._rounds.advance_to(at_us)

    async def post_intent(self, body: bytes) -> Posted | Refused:
        """Post a signed intent as it came; returns once it is refused, or accepted and durable.

        Raises
        ------
        UnavailableError
            If it is unknown whether it will last: post it again.
        """
        signed = read_signed_intent(body)
        if isinstance(signed, Refused):
            return signed
        id_ = verify_intent(self.domain, signed)
        if isinstance(id_, Refused):
            return id_
        refused = await self._intake.submit(
            lambda at_us: IntentPosted(at_us=at_us, id=id_, intent=signed.intent, signature=signed.signature)
        )
        return refused or Posted(id=id_, status=Status.OPEN)

    async def post_cancel(self, body: bytes) -> Cancelled | Refused:
        """Post a signed cancel as it came.

        Raises
        ------
        UnavailableError
            If it is unknown whether it will last: post it again.
        """
        signed = read_signed_cancel(body)
        if isinstance(signed, Refused):
            return signed
        cancel = signed.cancel
        refused = verify_cancel(self.domain, signed)
        if refused is not None:
            return refused
        concerned = _concerned(cancel, self.market.engine.book)
        refused = await self._intake.submit(_cancel_event(cancel, signed.signature))
        if refused is not None:
            return refused
        book = self.market.engine.book
        found = (book.get(id_) for id_ in concerned)
        return Cancelled(
            owner=cancel.owner,
            nonce_floor=book.nonce_floor(cancel.owner),
            intents=tuple(entry for entry in found if entry is not None),
        )

    async def quote(self, body: bytes) -> Quote | Refused:
        """Quote an intent that is not signed; changes nothing.

        Raises
        ------
        UnavailableError
            While the market is closed.
        """
        return await self._quotes.quote(body)

    async def deposit(self, deposit: Deposit) -> Refused | None:
        """Make a simulated deposit.

        Raises
        ------
        UnavailableError
            If it is unknown whether it will last.
        """
        return await self._intake.submit(
            lambda at_us: Deposited(
                at_us=at_us,
                owner=deposit.owner,
                chain=deposit.chain,
                asset=deposit.asset,
                amount=deposit.amount,
            )
        )

    def find_published(self, auction: str) -> AuctionPublished | None:
        """The file of an auction, from the journal.

        Raises
        ------
        UnavailableError
            While the market is closed.
        JournalError
            If the journal cannot be read, or the entry is damaged.
        """
        if self.market.records.auction(auction) is None:
            return None
        event = _newest(self.market.journal, AuctionPublished, auction)
        return event if isinstance(event, AuctionPublished) else None

    def find_decided(self, auction: str) -> AuctionDecided | None:
        """The bids and the outcome of an auction that is decided, from the journal.

        Raises
        ------
        JournalError
            If the journal cannot be read, or the entry is damaged.
        """
        event = _newest(self.market.journal, AuctionDecided, auction)
        return event if isinstance(event, AuctionDecided) else None


def open_service(settings: Settings, *, simulated_start_us: int | None = None) -> Service:
    """The service of the settings' journal, which is made if it is not there yet.

    With `simulated_start_us`, a new market starts at that instant, in simulated time; one that is
    reopened goes on where its journal ends.

    Raises
    ------
    SettingsError, WorldFileError, SpecError
        If the world or a solver's SPEC cannot be used.
    JournalError
        If the journal cannot be opened, is damaged, or another process writes to it.
    TermsError
        If the journal is that of a market with other terms.
    """
    competition = Competition([SolverSpec.of(spec) for spec in settings.solvers])
    wall = WallClock()
    start_us = _second(wall.now_us()) if simulated_start_us is None else simulated_start_us
    journal = open_journal(settings.database, write=True)
    try:
        market = open_market(journal, lambda: found_market(settings, start_us=start_us))
        check_same_market(market.engine.genesis, settings)
    except BaseException:
        journal.close()
        raise
    clock = wall if simulated_start_us is None else SimulatedClock(market.engine.now_us)
    return Service(
        market, clock=clock, competition=competition, checkpoint_entries=settings.checkpoint_entries
    )


def _second(at_us: int) -> int:
    return floor_div(at_us, MICRO) * MICRO


def _concerned(cancel: Cancel, book: Book) -> tuple[str, ...]:
    """The intents a cancel is about: those it names, or the active ones with a lower nonce."""
    if isinstance(cancel, CancelIntents):
        return tuple(dict.fromkeys(cancel.intents))
    return tuple(entry.id for entry in book.active_of(cancel.owner) if entry.intent.nonce < cancel.nonce)


def _cancel_event(cancel: Cancel, signature: str) -> MakeEvent:
    if isinstance(cancel, CancelIntents):
        return lambda at_us: IntentsCancelled(
            at_us=at_us, owner=cancel.owner, intents=cancel.intents, signature=signature
        )
    return lambda at_us: NoncesRevoked(
        at_us=at_us, owner=cancel.owner, nonce=str(cancel.nonce), signature=signature
    )


def _newest(journal: Journal, kind: type[Event], subject: str) -> Event | None:
    entries = journal.find(kind, subject)
    return entries[-1].event if entries else None
