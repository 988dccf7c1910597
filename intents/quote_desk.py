"""The quote desk: quotes of a live market, one at a time beside the event loop, and never too many at once.

A quote is worked out on a snapshot that no longer changes (`intents.quoting`), in one thread of its own:
rounds and intake go on meanwhile. What was indexed of a snapshot serves until the market's next event.
Nothing here writes anything.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from msgspec.structs import replace

from chains.units import WIRE_MAX
from intents.admission import legs_of
from intents.collateral import requirement_of
from intents.drafts import Draft, read_draft
from intents.engine import Engine
from intents.market import Market
from intents.means import Means
from intents.quotes import Quote, QuotedReserve
from intents.quoting import Quoter
from intents.refusals import Code, Refused, refuse

WAITING_MAX: Final = 8
"""Most quotes that may be under way; more are refused as `busy`."""

SAVING_S: Final = 1.0
"""How long changes that would be cheaper are sought for one quote."""

USES_MAX: Final = 32
"""How many quotes one index serves at most: what it finds on the way takes memory."""


class QuoteDesk:
    """Quotes of one market. All methods belong to the running event loop."""

    def __init__(self, market: Market, *, now_us: Callable[[], int]) -> None:
        self._market = market
        self._now_us = now_us
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="quotes")
        self._waiting = 0
        self._index: _Index | None = None

    async def quote(self, body: bytes) -> Quote | Refused:
        """Quote an intent that is not signed, as it came.

        Raises
        ------
        UnavailableError
            While the market is closed.
        """
        engine = self._market.engine
        draft = read_draft(
            body, chains=engine.world.ledgers, series=engine.world.listed, now_us=self._now_us()
        )
        if isinstance(draft, Refused):
            return draft
        if self._waiting >= WAITING_MAX:
            message = f"{self._waiting} quotes are being worked out; ask again in a moment"
            return refuse(Code.BUSY, "quotes", self._waiting, message)
        means = None if draft.owner is None else engine.book.means_of(draft.intent, engine.funds)
        index, covered = self._open_index(), _covered(draft, means)
        self._waiting += 1
        try:
            quote = await asyncio.get_running_loop().run_in_executor(self._pool, index.quote, draft, covered)
        finally:
            self._waiting -= 1
        reserves = tuple(_reserves(draft, quote, means))
        for each in reserves:
            if each.amount > WIRE_MAX:
                message = f"{quote.units} units tie up {each.amount} of {each.asset}, above {WIRE_MAX}"
                return refuse(Code.OUT_OF_RANGE, "units", quote.units, message)
        return replace(quote, reserves=reserves)

    def close(self) -> None:
        """Work out nothing more; what is under way is dropped by whoever waits for it."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _open_index(self) -> "_Index":
        """The index of the market as it is now."""
        market = self._market
        state = market.generation, market.seq
        if self._index is None or self._index.state != state or self._index.uses >= USES_MAX:
            self._index = _Index(state, market.engine)
        self._index.uses += 1
        return self._index


class _Index:
    """One snapshot and what was found on it; `quote` runs in the desk's one thread, the rest outside."""

    def __init__(self, state: tuple[int, int], engine: Engine) -> None:
        self.state = state
        self.uses = 0
        self._snapshot = engine.world.snapshot()
        self._terms = engine.genesis.terms
        self._quoter: Quoter | None = None

    def quote(self, draft: Draft, covered: int) -> Quote:
        """Work out one quote."""
        until_s = time.monotonic() + SAVING_S
        if self._quoter is None:
            terms = self._terms
            self._quoter = Quoter(self._snapshot, rules=terms.rules, solve_us=terms.solve_us)
        return self._quoter.quote(draft, covered=covered, has_time=lambda: time.monotonic() < until_s)


def _covered(draft: Draft, means: Means | None) -> int:
    """The units that may be filled: all, or of a reduce-only intent those that its owner holds, if any."""
    units = draft.intent.units
    if means is None or not draft.intent.reduce_only:
        return units
    return min(units, means.backed(means.requirement())) or units


def _reserves(draft: Draft, quote: Quote, means: Means | None) -> Iterator[QuotedReserve]:
    """What admission would reserve, for the limit that was given or the one that is told."""
    limit = draft.limit
    if limit is None:
        limit = quote.plan.fills_from if quote.plan else 0
    closing = means.requirement().closing_series if means else ()
    requirement = requirement_of(legs_of(draft.intent), limit=limit, closing=closing)
    for asset, amount in requirement.reserved(quote.units).items():
        yield QuotedReserve(asset=asset, amount=amount, free=means.available(asset) if means else None)
