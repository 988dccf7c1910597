"""A market's past for benchmarks: a journal of any length with everything in it that a real one has.

Traders, of whom each has keys of its own, bring money and post signed intents of the kinds that
`intents.order_flow` draws; some cancel; every so often there is a round, in which the house alone serves,
and the world moves on. All entries are accepted by an engine as they are made, so they replay.

Signatures are made by libsecp256k1 over the market's own digest: eth-account would take minutes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, Final

import msgspec
from _market import START_US
from coincurve import PrivateKey
from sha3 import keccak_256

from chains.units import COIN, MICRO, USDC
from intents.engine import Engine
from intents.events import (
    Advanced,
    AuctionCut,
    AuctionDecided,
    AuctionPublished,
    Deposited,
    Event,
    IntentPosted,
    IntentsCancelled,
)
from intents.genesis import found_market
from intents.journal import Journal
from intents.order_flow import OrderFlow, make_traders, read_screen
from intents.settings import Settings
from intents.typed_data import CancelIntents, Domain, OptionIntent, cancel_digest, intent_digest, intent_id
from solvers.arbitration import arbitrate
from solvers.auction import Rules
from solvers.bid import Bid
from solvers.codec import encode
from solvers.outcome import HOUSE, Submission
from solvers.reference import with_reference

ROUND_EVERY: Final = 10_000
"""Entries from one round to the next, ten seconds later: 1,000 a second, about what the intake takes."""

FIRST_ROUND: Final = 1_000
"""Entries before the first round."""

PATTERNS: Final = 400
"""Different packages that are asked for; each comes again and again, from others and at other limits."""

ORDERS_MAX: Final = 60
"""Orders of an auction: rounds are made here to be read again, and shall not take long to make."""

COMMIT: Final = 1_000
"""Events of one transaction."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key and its address."""

    key: PrivateKey
    owner: str

    def sign(self, digest: bytes) -> str:
        made = bytearray(self.key.sign_recoverable(digest, hasher=None))
        made[64] += 27
        return "0x" + made.hex()


def make_signer(seed: int, index: int) -> Signer:
    """The key of one trader: it depends on the seed and its number alone."""
    key = PrivateKey(sha256(f"solvent bench trader {seed}/{index}".encode()).digest())
    point = key.public_key.format(compressed=False)[1:]
    return Signer(key, "0x" + keccak_256(point).digest()[-20:].hex())


def write_events(journal: Journal, events: Iterator[Event], *, count: int) -> None:
    """Append the next `count` events to a journal, many in one transaction."""
    while count:
        batch = list(islice(events, min(count, COMMIT)))
        journal.append(batch)
        count -= len(batch)


class History:
    """The events of one market, drawn as they are asked for."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.genesis = found_market(self.settings(), start_us=START_US)
        self._engine = Engine(self.genesis)
        terms = self.genesis.terms
        self._domain = Domain(chain_id=terms.chain_id, verifying_contract=terms.verifying_contract)
        self._patterns = _draw_patterns(self._engine, seed)
        self._traders = 0

    def settings(self, **changes: Any) -> Settings:
        """The settings that found this market."""
        rules = Rules(orders_max=ORDERS_MAX)
        return Settings(seed=self._seed, rules=rules, solve_us=2 * MICRO, solvers=(), **changes)

    def events(self, count: int) -> Iterator[Event]:
        """The first `count` events, the founding included."""
        yield self.genesis
        made, next_round = 1, FIRST_ROUND
        while made < count:
            if made >= next_round:
                batch, next_round = list(self._round()), next_round + ROUND_EVERY
            else:
                batch = list(self._trader())
            yield from batch[: count - made]
            made += len(batch)

    def _take(self, event: Event) -> Event:
        refused = self._engine.handle(event)
        if refused is not None:
            raise ValueError(f"the benchmark's own event is refused: {refused.message}")
        return event

    def _trader(self) -> Iterator[Event]:
        """One trader comes: two deposits, three intents of which every third trader cancels one."""
        number, self._traders = self._traders, self._traders + 1
        signer = make_signer(self._seed, number)
        now_us = self._engine.now_us
        messages = [self._patterns[(3 * number + nonce) % len(self._patterns)] for nonce in range(3)]
        chain = str(messages[0]["chain"])
        for asset, amount in ((USDC, 500_000 * MICRO), ("BTC", 10 * COIN)):
            yield self._take(
                Deposited(at_us=now_us, owner=signer.owner, chain=chain, asset=asset, amount=amount)
            )
        posted = []
        for nonce, message in enumerate(messages):
            event = self._posted(signer, {**message, "chain": chain}, nonce)
            posted.append(event.id)
            yield self._take(event)
        if number % 3 == 0:
            cancel = CancelIntents(owner=signer.owner, intents=(posted[0],))
            signature = signer.sign(cancel_digest(self._domain, cancel))
            yield self._take(
                IntentsCancelled(
                    at_us=now_us, owner=signer.owner, intents=cancel.intents, signature=signature
                )
            )

    def _posted(self, signer: Signer, message: dict[str, Any], nonce: int) -> IntentPosted:
        now_us = self._engine.now_us
        changed = {
            "owner": signer.owner,
            "nonce": nonce,
            "limit": message["limit"] + self._traders % 1_000,
            "validUntil": now_us // MICRO + 5 + self._traders % 30,
        }
        intent = msgspec.convert({**message, **changed}, OptionIntent)
        digest = intent_digest(self._domain, intent)
        return IntentPosted(at_us=now_us, id=intent_id(digest), intent=intent, signature=signer.sign(digest))

    def _round(self) -> Iterator[Event]:
        """Cut, publish, decide, and let ten seconds pass in four steps."""
        engine = self._engine
        yield self._take(AuctionCut(at_us=engine.now_us, auction=engine.next_auction_id))
        auction, house = with_reference(engine.auction())
        yield self._take(
            AuctionPublished(
                at_us=engine.now_us,
                auction=auction,
                not_selected=engine.not_selected,
                withheld=engine.withheld,
            )
        )
        submissions = tuple(_submission(bid) for bid in house)
        outcome = arbitrate(auction, submissions)
        yield self._take(
            AuctionDecided(
                at_us=auction.prepare_us, auction=auction.auction, submissions=submissions, outcome=outcome
            )
        )
        for _ in range(4):
            yield self._take(Advanced(at_us=engine.now_us + 2 * MICRO))


def _draw_patterns(engine: Engine, seed: int) -> Sequence[dict[str, Any]]:
    snapshot = engine.world.snapshot()
    traders = make_traders(seed, count=18, chains=[chain.id for chain in snapshot.chains])
    screen = read_screen(snapshot, now_us=START_US)
    drawn = OrderFlow(seed=seed, traders=traders).draw(screen, count=PATTERNS, now_us=START_US)
    return [message for _, message in drawn]


def _submission(bid: Bid) -> Submission:
    return Submission(solver=HOUSE, arrival_us=0, content=encode(bid).decode())
