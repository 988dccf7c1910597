"""Intake: every change of the market goes through here, in batches that are durable before they count.

Requests wait in a queue while others keep coming in, and one synchronous block handles all of them,
writes what was accepted in one transaction, and only then answers: one disk flush for many requests, and
no reader in between. A lone request waits for nobody: its batch is closed as soon as the event loop has
nothing more to read. Where the write fails, every request of the batch is told that the market is
unavailable - also those that were refused, since what they were refused on may not have lasted - and the
market is rebuilt from its journal, as soon as that can be written again, before it accepts anything.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from intents.clock import Clock
from intents.errors import DamageError, FoldError, JournalError, UnavailableError
from intents.events import Event
from intents.market import Market, rebuild_market
from intents.refusals import Refused

LINGER_S: Final = 0.01
"""How long the first request of a batch waits at most, however many others keep coming in."""

QUIET_TURNS: Final = 3
"""Turns of the event loop without a new request that close a batch: a request that can be read now is
handed in two turns later."""

QUEUE_MAX: Final = 10_000
"""Most requests that may wait; more are told that the market is unavailable."""

RETRY_S: Final = 1.0
"""How long to wait before a rebuild that failed is tried again."""

MakeEvent = Callable[[int], Event]
"""Makes the event of a request at the instant at which it is handled."""

_log = structlog.get_logger("solvent.intake")


@dataclass(frozen=True, slots=True)
class _Waiting:
    make_event: MakeEvent
    answer: "asyncio.Future[Refused | None]"


class Intake:
    """The one writer of a market. All methods belong to the running event loop."""

    def __init__(self, market: Market, clock: Clock) -> None:
        self.market = market
        self.clock = clock
        self._queue: list[_Waiting] = []
        self._gathering: asyncio.Handle | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._closed = False

    def now_us(self) -> int:
        """The time by the clock, but never before the market's newest event.

        Raises
        ------
        UnavailableError
            While the market is closed.
        """
        return max(self.clock.now_us(), self.market.engine.now_us)

    async def submit(self, make_event: MakeEvent) -> Refused | None:
        """Hand in one request; returns when it is refused, or accepted and durable.

        Raises
        ------
        UnavailableError
            If it was not handled, or it is unknown whether it will last.
        """
        if self._closed or not self.market.is_open:
            raise UnavailableError(self.market.closed_because or "the market is being stopped")
        if len(self._queue) >= QUEUE_MAX:
            raise UnavailableError(f"{QUEUE_MAX} requests are waiting; send the same request again")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(make_event, loop.create_future())
        self._queue.append(waiting)
        if self._gathering is None:
            self._gathering = loop.call_soon(self._gather, loop.time() + LINGER_S, 0, QUIET_TURNS)
        return await waiting.answer

    def commit(self, events: Sequence[Event]) -> list[Refused | None]:
        """Make events durable at once, for the service's own doings.

        Raises
        ------
        UnavailableError
            If the market is closed, or this closed it.
        """
        try:
            return self.market.commit(events)
        finally:
            self._recover_if_closed()

    async def close(self) -> None:
        """Answer what is waiting, and accept nothing more."""
        self._closed = True
        if self._gathering is not None:
            self._gathering.cancel()
            self._flush()
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)

    def _gather(self, until_s: float, seen: int, turns: int) -> None:
        """Close the batch after so many turns without a request beyond those `seen`, or at an instant."""
        loop = asyncio.get_running_loop()
        if len(self._queue) > seen:
            seen, turns = len(self._queue), QUIET_TURNS
        if turns == 0 or loop.time() >= until_s:
            self._flush()
        else:
            self._gathering = loop.call_soon(self._gather, until_s, seen, turns - 1)

    def _flush(self) -> None:
        self._gathering = None
        batch = [waiting for waiting in self._queue if not waiting.answer.done()]
        self._queue.clear()
        try:
            now_us = self.now_us()
            answers = self.commit([waiting.make_event(now_us) for waiting in batch])
        except Exception as error:
            if not isinstance(error, UnavailableError):
                _log.exception("batch_failed")
            for waiting in batch:
                waiting.answer.set_exception(UnavailableError(str(error)))
            return
        for waiting, answer in zip(batch, answers, strict=True):
            waiting.answer.set_result(answer)

    def _recover_if_closed(self) -> None:
        if self.market.is_open or self._closed:
            return
        if self._recovery is None or self._recovery.done():
            self._recovery = asyncio.get_running_loop().create_task(self._recover())

    async def _recover(self) -> None:
        """Rebuild in a thread, so that the service can go on saying that it is unavailable."""
        while True:
            try:
                fold = await asyncio.to_thread(rebuild_market, self.market.journal)
            except (DamageError, FoldError) as error:
                self.market.condemn(str(error))
                return
            except JournalError as error:
                _log.error("rebuild_failed", error=str(error), retry_s=RETRY_S)
                await asyncio.sleep(RETRY_S)
            else:
                self.market.reopen(fold)
                return
