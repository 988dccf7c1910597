"""Random pasts of a small market: every kind of event, in any order that a market can meet them in.

The world is that of `tests.worlds` with busy outside flow, and its first series expires on the way. What
happens is drawn from one seed; rounds are cut, published and decided in steps of their own, and some are
never decided.
"""

from collections.abc import Callable
from random import Random

from chains.units import MICRO, USDC
from chains.venues import Flow
from intents.events import BondPosted, Event, IntentsCancelled, NoncesRevoked
from intents.typed_data import NO_GROUP
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.strategies.greedy import Greedy
from tests.market_run import ALICE, BOB, UNSIGNED, MarketRun, make_genesis, make_intent
from tests.worlds import CALL, JUNE_US, LATER, PUT, make_spec, with_flow

BUSY = Flow(mean_gap_us=200_000, lots_max=20, restore_bps=4_000)
PACKAGES = ({CALL: 1}, {CALL: -1}, {PUT: 1}, {CALL: 1, PUT: 1}, {LATER: -1}, {CALL: -1, LATER: 1})
GROUPS = (NO_GROUP, NO_GROUP, "0x" + "01" * 32)
START = JUNE_US - 60 * MICRO
"""So late that the June series expire while the market runs."""


class DrawnRun(MarketRun):
    """A small market to which random things happen."""

    def __init__(self, seed: int) -> None:
        spec = with_flow(make_spec(start_us=START), BUSY)
        super().__init__(make_genesis(spec, at_us=START, seed=seed), strategies={"greedy": Greedy()})
        self._random = Random(seed)
        self._nonce = 0
        self._round: tuple[Auction, tuple[Bid, ...]] | None = None
        for owner in (ALICE, BOB):
            for asset, amount in ((USDC, 10_000 * MICRO), ("BTC", 10**8)):
                self.deposit(owner, "hub", asset, amount)

    def step(self) -> None:
        """One random thing happens."""
        happenings: list[tuple[Callable[[], object], int]] = [
            (self._post, 9),
            (self._cancel, 1),
            (self._revoke, 1),
            (self._pay_in, 1),
            (self._pass_time, 5),
            (self._bond, 1),
            (self._go_on_with_round, 5),
        ]
        things, weights = zip(*happenings, strict=True)
        self._random.choices(things, weights)[0]()

    def _post(self) -> None:
        random = self._random
        self._nonce += 1
        units = random.randint(1, 4)
        legs = random.choice(PACKAGES)
        limit = (random.randint(6, 18) if min(legs.values()) > 0 else -random.randint(1, 7)) * MICRO
        self.try_post(
            make_intent(
                random.choice((ALICE, BOB)),
                self._nonce,
                legs,
                limit,
                units=units,
                min_units=random.randint(1, units),
                valid_until=self.now_us // MICRO + random.randint(5, 200),
                immediate=random.random() < 0.2,
                reduce_only=all(ratio < 0 for ratio in legs.values()) and random.random() < 0.4,
                group=random.choice(GROUPS),
            )
        )

    def _cancel(self) -> None:
        entries = list(self.engine.book.intents())
        if entries:
            entry = self._random.choice(entries)
            self.must(
                IntentsCancelled(
                    at_us=self.now_us, owner=entry.owner, intents=(entry.id,), signature=UNSIGNED
                )
            )

    def _revoke(self) -> None:
        owner, nonce = self._random.choice((ALICE, BOB)), str(max(0, self._nonce - 6))
        self.must(NoncesRevoked(at_us=self.now_us, owner=owner, nonce=nonce, signature=UNSIGNED))

    def _pay_in(self) -> None:
        self.deposit(self._random.choice((ALICE, BOB)), "hub", USDC, self._random.randint(1, 10**9))

    def _bond(self) -> None:
        self.must(BondPosted(at_us=self.now_us, solver="greedy", amount=self._random.randint(1, 10**9)))

    def _pass_time(self) -> None:
        self.advance(self._random.randint(0, 6 * MICRO))

    def _go_on_with_round(self) -> None:
        """Cut and publish, or decide what was published; or leave it undecided for ever."""
        if self._round is None or self._random.random() < 0.1:
            self._round = self.cut()
            return
        auction, house = self._round
        self.decide(auction, self.compete(auction, house))
        self._round = None


def drawn_history(seed: int, *, steps: int) -> list[Event]:
    """The events of one random market."""
    run = DrawnRun(seed)
    for _ in range(steps):
        run.step()
    return run.events
