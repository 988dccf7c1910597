"""A whole market driven by its events alone: no server, no processes, no clock.

`MarketRun` handles events and keeps those that were accepted. Its traders, their orders and the world
hang on one seed; solvers run in this process, and what they send arrives at fixed instants. With
`noise`, every round also has a submission for each reason for which one is set aside.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from chains.commit import DealState
from chains.ledger import is_series_asset
from chains.reference import reference_world
from chains.units import COIN, MICRO, USDC
from chains.world_file import WorldSpec
from intents.admission import SignedIntent, read_signed_intent
from intents.archive import RecordedAuction, read_archive
from intents.engine import Engine
from intents.events import (
    Advanced,
    AuctionCut,
    AuctionDecided,
    AuctionPublished,
    Deposited,
    Event,
    Genesis,
    IntentPosted,
    MarketTerms,
    StockQuoted,
)
from intents.export import export_archive
from intents.journal import open_journal
from intents.order_flow import OrderFlow, Trader, make_traders, read_screen
from intents.refusals import Refused
from intents.stock_quotes import fit_quotes
from intents.typed_data import NO_GROUP, Domain, Leg, OptionIntent, intent_digest, intent_id
from solvers.arbitration import arbitrate
from solvers.auction import Auction, Rules
from solvers.bid import Bid
from solvers.codec import decode, encode
from solvers.outcome import HOUSE, Deal, Outcome, SolverReport, Submission
from solvers.reasons import SolverReason
from solvers.reference import with_reference
from solvers.strategies.greedy import Greedy
from solvers.strategies.single import Single
from solvers.strategy import SolveContext, StockQuotes, Strategy
from tests import worlds

START_US = 1_767_571_200 * MICRO
"""2026-01-05 00:00 UTC: the start of the reference world here."""

DOMAIN = Domain(chain_id=31_337, verifying_contract="0x50117e9700000000000000000000000000000001")
PATIENCE_S = 120.0
"""More than any strategy needs here: no answer depends on how fast the machine is."""

ENDED = frozenset({DealState.SETTLED, DealState.CLOSED})
UNSIGNED = "0x" + "00" * 65
STRATEGIES: Mapping[str, Strategy] = {"greedy": Greedy(), "single": Single()}
ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20


class MarketRun:
    """A market and the events that made it; `outcomes` and `deals` are what was decided so far."""

    def __init__(self, genesis: Genesis, *, strategies: Mapping[str, Strategy] = STRATEGIES) -> None:
        self.engine = Engine(genesis)
        self.events: list[Event] = [genesis]
        self.outcomes: list[Outcome] = []
        self.deals: dict[str, Deal] = {}
        self._strategies = strategies
        self._quotes: list[tuple[str, StockQuotes]] = []

    @property
    def now_us(self) -> int:
        return self.engine.now_us

    def handle(self, event: Event) -> Refused | None:
        refused = self.engine.handle(event)
        if refused is None:
            self.events.append(event)
        return refused

    def must(self, event: Event) -> None:
        assert self.handle(event) is None, event

    def deposit(self, owner: str, chain: str, asset: str, amount: int) -> None:
        self.must(Deposited(at_us=self.now_us, owner=owner, chain=chain, asset=asset, amount=amount))

    def try_post(self, intent: OptionIntent) -> str | Refused:
        id_ = intent_id(intent_digest(DOMAIN, intent))
        event = IntentPosted(at_us=self.now_us, id=id_, intent=intent, signature=UNSIGNED)
        return self.handle(event) or id_

    def post(self, intent: OptionIntent) -> str:
        answer = self.try_post(intent)
        assert isinstance(answer, str), answer
        return answer

    def cut(self) -> tuple[Auction, tuple[Bid, ...]]:
        """Cut a round and publish it; the auction and the house bids."""
        self.must(AuctionCut(at_us=self.now_us, auction=self.engine.next_auction_id))
        auction, house = with_reference(self.engine.auction())
        left_out, withheld = self.engine.not_selected, self.engine.withheld
        self.must(
            AuctionPublished(at_us=self.now_us, auction=auction, not_selected=left_out, withheld=withheld)
        )
        return auction, house

    def compete(self, auction: Auction, house: Sequence[Bid]) -> tuple[Submission, ...]:
        """What the house and every strategy send."""
        sent = [submit(HOUSE, 0, bid) for bid in house]
        for name, strategy in self._strategies.items():
            deadline_s = time.monotonic() + PATIENCE_S
            context = SolveContext(solver=name, deadline_s=deadline_s, seed=0, stock=self.stock_of(name))
            answers = list(strategy.solve(auction, context))
            self._quotes += [(name, each) for each in answers if isinstance(each, StockQuotes)]
            bids = [each for each in answers if not isinstance(each, StockQuotes)]
            sent += (submit(name, 1_000 + place, bid) for place, bid in enumerate(bids))
        return tuple(sent)

    def decide(self, auction: Auction, submissions: tuple[Submission, ...], *, late_us: int = 0) -> Outcome:
        """Arbitrate at the end of the window (or later) and hand in the outcome."""
        outcome = arbitrate(auction, submissions, make_reports(self._strategies))
        self.must(
            AuctionDecided(
                at_us=max(self.now_us, auction.prepare_us + late_us),
                auction=auction.auction,
                submissions=submissions,
                outcome=outcome,
            )
        )
        self.outcomes.append(outcome)
        self.deals |= {deal.deal: deal for deal in outcome.deals}
        self._post_quotes()
        return outcome

    def stock_of(self, solver: str) -> dict[str, dict[str, int]]:
        """What is free at a solver's stock venues, by venue and asset."""
        world = self.engine.world
        return {venue: world.stock_of(venue) for venue, name in world.stock_solvers.items() if name == solver}

    def _post_quotes(self) -> None:
        sent, self._quotes = self._quotes, []
        for solver, each in sent:
            quotes = fit_quotes(each.quotes, self.engine.world.stock_of(each.venue))
            self.must(StockQuoted(at_us=self.now_us, solver=solver, venue=each.venue, quotes=quotes))

    def round(self, *, noise: bool = False) -> Outcome:
        auction, house = self.cut()
        submissions = self.compete(auction, house)
        return self.decide(auction, (*submissions, *(make_noise(auction, submissions) if noise else ())))

    def advance(self, span_us: int) -> None:
        self.must(Advanced(at_us=self.now_us + span_us))

    def settle_all(self) -> None:
        """Let time pass until every deal has ended."""
        for _ in range(100):
            if all(record.state in ENDED for record in self.engine.world.deals.values()):
                return
            self.advance(10 * MICRO)
        raise AssertionError("deals have not ended")

    def export(self, folder: Path) -> tuple[Path, list[RecordedAuction]]:
        """Journal everything, export it, and read the archive."""
        url, archive = f"sqlite:///{folder / 'market.db'}", folder / "rounds.parquet"
        with open_journal(url, write=True) as journal:
            journal.append(self.events)
        export_archive(url, archive)
        return archive, list(read_archive(archive))


def recorded_run(folder: Path, *, rounds: int = 3, orders: int = 20, seed: int = 0) -> "Recorded":
    """Some noisy rounds on the reference world, settled, journaled and exported."""
    run = reference_run(seed=seed)
    trading = Trading(run, seed=seed)
    trading.fund()
    for _ in range(rounds):
        trading.post(orders)
        run.round(noise=True)
        run.advance(8 * MICRO)
    run.settle_all()
    return Recorded(run, *run.export(folder))


class Recorded(NamedTuple):
    """A market and its archive, as a file and as it is read."""

    run: MarketRun
    archive: Path
    records: list[RecordedAuction]


class Trading:
    """Traders with money and a flow of orders for a run on the reference world."""

    def __init__(self, run: MarketRun, *, seed: int = 0, traders: int = 12) -> None:
        self.run = run
        chains = [chain.id for chain in run.engine.world.spec.chains]
        self.traders = make_traders(seed, count=traders, chains=chains)
        self.flow = OrderFlow(seed=seed, traders=self.traders)

    def fund(self) -> None:
        for trader in self.traders:
            self.run.deposit(trader.owner, trader.chain, USDC, 5_000_000 * MICRO)
            self.run.deposit(trader.owner, trader.chain, "BTC", 200 * COIN)

    def draw(self, count: int) -> list[tuple[Trader, dict[str, Any]]]:
        now_us = self.run.now_us
        screen = read_screen(self.run.engine.world.snapshot(), now_us=now_us)
        return self.flow.draw(screen, count=count, now_us=now_us)

    def post(self, count: int) -> list[str]:
        return [self.run.post(as_intent(message)) for _, message in self.draw(count)]


def as_intent(message: Mapping[str, Any]) -> OptionIntent:
    """A drawn message as the market reads it."""
    body = json.dumps({"kind": "OptionIntent", "intent": message, "signature": UNSIGNED}).encode()
    read = read_signed_intent(body)
    assert isinstance(read, SignedIntent), read
    return read.intent


def make_genesis(spec: WorldSpec, *, at_us: int, seed: int = 0, **terms: Any) -> Genesis:
    defaults: dict[str, Any] = {
        "chain_id": DOMAIN.chain_id,
        "verifying_contract": DOMAIN.verifying_contract,
        "round_us": 10 * MICRO,
        "solve_us": 2 * MICRO,
        "faucet_max": 10**13,
        "rules": Rules(),
    }
    return Genesis(at_us=at_us, seed=seed, spec=spec, terms=MarketTerms(**defaults | terms))


def reference_run(*, seed: int = 0, **options: Any) -> MarketRun:
    spec = reference_world(seed=seed, start_us=START_US)
    return MarketRun(make_genesis(spec, at_us=START_US, seed=seed), **options)


def small_run(*, spec: WorldSpec | None = None, **terms: Any) -> MarketRun:
    """The world of `tests.worlds`; Alice and Bob have cash and coins on the hub."""
    run = MarketRun(make_genesis(spec or worlds.make_spec(), at_us=worlds.START_US, **terms))
    for owner in (ALICE, BOB):
        run.deposit(owner, "hub", USDC, 10_000 * MICRO)
        run.deposit(owner, "hub", "BTC", COIN)
    return run


def make_intent(owner: str, nonce: int, legs: Mapping[str, int], limit: int, **changes: Any) -> OptionIntent:
    """An intent of one unit on the hub of the small world, for an hour."""
    terms: dict[str, Any] = {
        "valid_from": 0,
        "valid_until": worlds.START_US // MICRO + 3_600,
        "chain": "hub",
        "units": 1,
        "min_units": 1,
        "immediate": False,
        "reduce_only": False,
        "group": NO_GROUP,
    }
    signed = tuple(Leg(series=series, ratio=ratio) for series, ratio in legs.items())
    return OptionIntent(owner=owner, nonce=nonce, legs=signed, limit=limit, **terms | changes)


def submit(solver: str, arrival_us: int, bid: Bid) -> Submission:
    return Submission(solver=solver, arrival_us=arrival_us, content=encode(bid).decode())


def make_reports(solvers: Iterable[str]) -> tuple[SolverReport, ...]:
    reason = SolverReason.FINISHED.value
    return tuple(
        SolverReport(solver=name, reason=reason, detail="", finished_us=5_000) for name in sorted(solvers)
    )


def make_noise(auction: Auction, submissions: Sequence[Submission]) -> tuple[Submission, ...]:
    """One submission for each reason for which one is set aside, and one that breaks a rule."""
    sent = [decode(each.content, Bid) for each in submissions]
    good = replace(sent[-1], solver="noise", bid="good")
    over = replace(good, bid="over", fills=(replace(good.fills[0], units=2**40),))
    return (
        Submission(solver="noise", arrival_us=10, content="no bid at all"),
        submit("noise", 11, replace(good, auction="auction-0")),
        submit("noise", 12, replace(good, solver="greedy")),
        submit("noise", 13, replace(good, fills=())),
        submit("noise", 14, good),
        submit("noise", 15, over),
        submit("noise", auction.solve_us + 1, good),
    )


def state_of(engine: Engine) -> dict[str, Any]:
    """Everything that can be seen of an engine, as values that no later event changes."""
    world, book = engine.world, engine.book
    owners = sorted({entry.owner for entry in book.intents()})
    return {
        "now_us": (engine.now_us, world.now_us, world.next_event_us()),
        "round": (engine.round_number, engine.not_selected, engine.withheld, engine.running),
        "snapshot": world.snapshot(),
        "ledgers": {
            chain: (
                {account: ledger.holdings(account) for account in ledger.accounts()},
                dict(ledger.pending()),
            )
            for chain, ledger in world.ledgers.items()
        },
        "deals": {deal: deepcopy(record) for deal, record in world.deals.items()},
        "solvers": {name: repr(account) for name, account in engine.solvers.all.items()},
        "intents": tuple(book.intents()),
        "reserved": {owner: (book.reservations(owner), book.nonce_floor(owner)) for owner in owners},
    }


def violations(run: MarketRun) -> list[str]:
    """What must never be, whatever happened: one line for each thing that is."""
    world, book = run.engine.world, run.engine.book
    found = world.audit()
    for chain, ledger in world.ledgers.items():
        for account in ledger.accounts():
            kind = account.partition(":")[0]
            for asset in ledger.holdings(account):
                owed = kind == "owner" or (kind == "written" and "-" not in asset)
                if owed and ledger.available(account, asset) < 0:
                    found.append(f"{chain}: {account} is short of {asset}")
    for owner in sorted({entry.owner for entry in book.intents()}):
        for (chain, asset), reserved in book.reservations(owner).items():
            have = run.engine.funds(owner, chain, asset)
            is_gone = is_series_asset(asset) and asset not in world.listed
            if reserved > have and not is_gone:
                found.append(f"{chain}: {owner} has {have} {asset}, of which {reserved} are reserved")
    for entry in book.intents():
        if (
            min(entry.open, entry.settling) < 0
            or entry.open + entry.settling + entry.filled > entry.intent.units
        ):
            found.append(f"{entry.id}: {entry.open} open, {entry.settling} settling, {entry.filled} filled")
    return found


def owned(run: MarketRun) -> dict[tuple[str, str, str], int]:
    """What every owner has, free and written together, by (chain, owner, asset)."""
    found: Counter[tuple[str, str, str]] = Counter()
    for chain, ledger in run.engine.world.ledgers.items():
        for account in ledger.accounts():
            kind, _, name = account.partition(":")
            if kind in ("owner", "written"):
                for asset, amount in ledger.holdings(account).items():
                    found[chain, name.partition("/")[0], asset] += amount
    return {place: amount for place, amount in sorted(found.items()) if amount}


def owned_by_the_record(run: MarketRun) -> dict[tuple[str, str, str], int]:
    """The same, added up from nothing but the deposits, the decided fills and which deals settled."""
    due: Counter[tuple[str, str, str]] = Counter()
    for event in run.events:
        if isinstance(event, Deposited):
            due[event.chain, event.owner, event.asset] += event.amount
    for deal in run.deals.values():
        if run.engine.world.deals[deal.deal].state is DealState.SETTLED:
            for fill in deal.fills:
                due[fill.chain, fill.owner, USDC] -= fill.payment
                for leg in _signed(run, fill.intent).legs:
                    due[fill.chain, fill.owner, leg.series] += leg.ratio * fill.units
    return {place: amount for place, amount in sorted(due.items()) if amount}


def _signed(run: MarketRun, intent: str) -> OptionIntent:
    entry = run.engine.book.get(intent)
    assert entry is not None
    return entry.intent
