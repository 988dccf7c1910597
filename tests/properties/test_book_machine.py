"""A whole market beside a naive auditor, over any order of posts, cancels, rounds, deals and expiries.

Rules drive the engine by events. The auditor (`tests.naive_auditor`) works everything out again from those
events alone, and after every step the two are compared: who has what in which account, what is reserved,
where every unit of every intent is, who was withheld from a round, and why a post was refused. Beside
that, laws that need no auditor: nobody's free funds are ever negative, of a group at most one member is
filled, every asset sums to zero, and a market that is rebuilt from its journal is the same market.
"""

import time
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from chains.units import MICRO, USDC
from chains.world_file import Forward, Listing, SeriesListing, WorldSpec
from intents.events import (
    Advanced,
    AuctionCut,
    AuctionDecided,
    AuctionPublished,
    Event,
    IntentPosted,
    IntentsCancelled,
    NoncesRevoked,
)
from intents.refusals import Refused
from intents.typed_data import NO_GROUP, intent_digest, intent_id
from solvers.arbitration import arbitrate
from solvers.auction import Auction
from solvers.codec import encode
from solvers.outcome import Submission
from solvers.strategies.greedy import Greedy
from solvers.strategy import SolveContext
from tests import worlds
from tests.market_run import DOMAIN, UNSIGNED, MarketRun, make_genesis, make_intent, state_of, submit
from tests.naive_auditor import Auditor, expiry_us, maturity

START_US = 1_782_460_200 * MICRO
"""26 June 2026 07:50 UTC, ten minutes before the first expiry."""

OWNERS = ("0x" + "0a" * 20, "0x" + "0b" * 20)
CHAINS = ("hub", "east")
GROUPS = (NO_GROUP, "0x" + "01" * 32, "0x" + "02" * 32)
CALL, HIGH, PUT, LOW = "100000-C", "110000-C", "100000-P", "90000-P"
DAYS = ("BTC-26JUN26", "BTC-27JUN26", "BTC-28JUN26")
NAMES = tuple(f"{day}-{kind}" for day in DAYS for kind in (CALL, HIGH, PUT, LOW))
ASK, BID = 12 * MICRO, 10 * MICRO
"""Every series is sold at 12 USDC a lot and bought at 10, on both chains."""

PACKAGES: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "long call": ({HIGH: 1}, {}),
    "long put": ({LOW: 1}, {}),
    "sell call": ({HIGH: -1}, {}),
    "sell put": ({LOW: -1}, {}),
    "short put": ({PUT: -1}, {}),
    "covered call": ({CALL: -2}, {}),
    "call spread": ({CALL: -1, HIGH: 1}, {}),
    "long put spread": ({PUT: 1, LOW: -1}, {}),
    "over-hedge": ({PUT: -1, LOW: 3}, {}),
    "straddle": ({CALL: -1, PUT: -1}, {}),
    "risk reversal": ({HIGH: 1, LOW: -1}, {}),
    "calendar": ({PUT: -1}, {PUT: 1}),
    "far calendar": ({CALL: 1}, {CALL: -1}),
    "close both": ({HIGH: -1, LOW: -2}, {}),
    "sell far": ({}, {LOW: -1}),
}
"""Legs in the nearer and in the farther of two maturities."""


def make_machine_spec() -> WorldSpec:
    """Two chains, slow to be final on the hub, a bridge each way, one deep book on each."""
    spec = worlds.make_spec()
    clocks = {"hub": {"finality_us": 5 * MICRO}, "east": {"finality_us": 2 * MICRO}}
    levels = [(name, side, price, 500) for name in NAMES for side, price in (("sell", ASK), ("buy", BID))]
    return replace(
        spec,
        start_us=START_US,
        chains=tuple(replace(chain, **clocks[chain.id]) for chain in spec.chains if chain.id in clocks),
        bridges=tuple(each for each in spec.bridges if {each.source, each.target} == set(CHAINS)),
        venues=tuple(worlds.make_book(chain, levels) for chain in CHAINS),
        series=tuple(SeriesListing(id=name, iv_bps=6_000) for name in NAMES),
        forwards=tuple(
            Forward(underlying="BTC", expiry=expiry_us(day) // MICRO, price=price)
            for day, price in zip(DAYS, (104_321_987_654, 98_765_432_150, 87_654_321_049), strict=True)
        ),
        listing=Listing(roll_days=0),
    )


SPEC = make_machine_spec()
ANY: dict[str, Any] = {
    "package": st.sampled_from(sorted(PACKAGES)),
    "day": st.sampled_from([0, 0, 0, 1, -1]),
    "eager": st.sampled_from([True, True, True, False]),
    "nonce": st.sampled_from([None] * 29 + [0]),
    "life": st.sampled_from([5, 60, 3_600, 200_000]),
    "min_units": st.sampled_from([1, 1, 2, 4]),
    "units": st.integers(1, 4),
    "owner": st.sampled_from(OWNERS),
    "chain": st.sampled_from(CHAINS),
    "group": st.sampled_from((NO_GROUP, NO_GROUP, *GROUPS)),
    "immediate": st.sampled_from([False, False, False, True]),
    "reduce_only": st.booleans(),
}
PLAIN: dict[str, Any] = {
    "day": 0, "eager": True, "nonce": None, "life": 3_600, "min_units": 1, "units": 1, "group": NO_GROUP,
    "immediate": False, "reduce_only": False,
}  # fmt: skip
REDUCING = ANY | {
    "package": st.sampled_from(["sell call", "sell call", "close both"]),
    "chain": st.just("hub"),
    "day": st.just(0),
    "eager": st.booleans(),
    "life": st.just(200_000),
    "units": st.integers(2, 6),
    "group": st.sampled_from((NO_GROUP, NO_GROUP, NO_GROUP, GROUPS[1])),
    "reduce_only": st.just(True),
}
BUYING = ANY | {
    "package": st.sampled_from(["long call", "long call", "long put"]),
    "chain": st.just("hub"),
    "day": st.just(0),
}
"""What they buy is what the others close, so that the cover of reduce-only intents grows."""
orders = st.one_of(*(st.fixed_dictionaries(each) for each in (ANY, ANY, REDUCING, BUYING)))


def make_bids(auction: Auction) -> tuple[Submission, ...]:
    """What greedy sends."""
    context = SolveContext(solver="some", deadline_s=time.monotonic() + 120, seed=0)
    return tuple(submit("some", place, bid) for place, bid in enumerate(Greedy().solve(auction, context)))


class MarketBesideAuditor(RuleBasedStateMachine):
    """Events go to the engine and, once it has taken them, to the auditor."""

    def __init__(self) -> None:
        super().__init__()
        genesis = make_genesis(SPEC, at_us=START_US, bond=0, abort_fee=0)
        self.run = MarketRun(genesis)
        self.auditor = Auditor(genesis)
        self.nonce = 0

    @initialize(cash=st.integers(500, 30_000), coins=st.integers(0, 40))
    def begin(self, cash: int, coins: int) -> None:
        for owner in OWNERS:
            for chain in CHAINS:
                self.deposit(owner, chain, USDC, cash * MICRO)
                if coins:
                    self.deposit(owner, chain, "BTC", coins * 1_000_000 + 7)
        self.take_positions()

    def take_positions(self) -> None:
        """Everybody starts with some lots to close, and with something written."""
        for owner in OWNERS:
            for chain in CHAINS:
                for package, units in (
                    ("long call", 3),
                    ("long put", 3),
                    ("covered call", 2),
                    ("over-hedge", 1),
                ):
                    self.post_one(
                        **PLAIN | {"package": package, "units": units, "owner": owner, "chain": chain}
                    )
        self.cut()
        auction = self.run.engine.running
        assert auction is not None
        self.settle_round(auction, make_bids(auction), late=False)
        self.advance(40 * MICRO)

    def handle(self, event: Event) -> Refused | None:
        refused = self.run.handle(event)
        if refused is None:
            self.auditor.apply(event)
        return refused

    def must(self, event: Event) -> None:
        assert self.handle(event) is None

    def deposit(self, owner: str, chain: str, asset: str, amount: int) -> None:
        self.run.deposit(owner, chain, asset, amount)
        self.auditor.apply(self.run.events[-1])

    @rule(
        owner=st.sampled_from(OWNERS),
        chain=st.sampled_from(CHAINS),
        asset=st.sampled_from([USDC, "BTC"]),
        amount=st.integers(1, 900 * MICRO),
    )
    def give(self, owner: str, chain: str, asset: str, amount: int) -> None:
        self.deposit(owner, chain, asset, amount)

    @rule(drawn=st.lists(orders, min_size=1, max_size=4))
    def post(self, drawn: list[dict[str, Any]]) -> None:
        for each in drawn:
            self.post_one(**each)

    def post_one(
        self, package: str, day: int, eager: bool, nonce: int | None, life: int, **fields: Any
    ) -> None:
        """An eager order pays what the books ask and some fees; the others wait for a better day.

        Its maturities are counted from the first that is alive; the one before that has expired.
        """
        first = max(0, min(len(DAYS) - len(self.auditor.alive) + day, len(DAYS) - 2))
        legs = {
            f"{DAYS[first + place]}-{name}": ratio
            for place, part in enumerate(PACKAGES[package])
            for name, ratio in part.items()
        }
        fields["reduce_only"] &= all(ratio < 0 for ratio in legs.values())
        fields["min_units"] = min(fields["min_units"], fields["units"])
        cost = sum(ratio * (ASK if ratio > 0 else BID) for ratio in legs.values())
        limit = cost + (MICRO // 2 if eager else -6 * MICRO)
        self.nonce += 1
        intent = make_intent(
            fields.pop("owner"), 10 + self.nonce if nonce is None else nonce, legs, limit,
            valid_until=self.run.now_us // MICRO + life, **fields,
        )  # fmt: skip
        id_ = intent_id(intent_digest(DOMAIN, intent))
        if id_ in self.auditor.intents:
            return
        event = IntentPosted(at_us=self.run.now_us, id=id_, intent=intent, signature=UNSIGNED)
        _, expected = self.auditor.admission(event)
        refused = self.handle(event)
        assert (refused.code if refused else None) == expected, refused

    @precondition(lambda self: self.auditor.intents)
    @rule(data=st.data(), thief=st.sampled_from([False, False, False, True]))
    def cancel(self, data: st.DataObject, thief: bool) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.auditor.intents)), min_size=1, max_size=3))
        owner = self.auditor.intents[ids[0]].intent.owner
        owner = OWNERS[owner == OWNERS[0]] if thief else owner
        event = IntentsCancelled(at_us=self.run.now_us, owner=owner, intents=tuple(ids), signature=UNSIGNED)
        are_own = all(self.auditor.intents[id_].intent.owner == owner for id_ in ids)
        refused = self.handle(event)
        assert (refused.code if refused else None) == (None if are_own else "not_owner")

    def cancel_one(self, id_: str) -> None:
        owner = self.auditor.intents[id_].intent.owner
        self.must(IntentsCancelled(at_us=self.run.now_us, owner=owner, intents=(id_,), signature=UNSIGNED))

    @rule(owner=st.sampled_from(OWNERS), nonce=st.sampled_from([0, 11, 14, 17]))
    def revoke(self, owner: str, nonce: int) -> None:
        self.must(NoncesRevoked(at_us=self.run.now_us, owner=owner, nonce=str(nonce), signature=UNSIGNED))

    @rule(span_us=st.sampled_from([0, MICRO // 2, MICRO, 3 * MICRO, 7 * MICRO, 20 * MICRO, 20 * MICRO]))
    def advance(self, span_us: int) -> None:
        self.must(Advanced(at_us=self.run.now_us + span_us))

    @rule(
        owner=st.sampled_from(OWNERS),
        kind=st.sampled_from(["call", "put"]),
        units=st.integers(2, 6),
        least=st.integers(1, 4),
        bought=st.integers(1, 4),
    )
    def close_more_than_is_held(self, owner: str, kind: str, units: int, least: int, bought: int) -> None:
        """What is bought in the round covers more of what is to be closed at the next cut."""
        terms = PLAIN | {"owner": owner, "chain": "hub", "life": 200_000}
        self.post_one(
            **terms
            | {
                "package": f"sell {kind}",
                "units": units,
                "min_units": least,
                "reduce_only": True,
                "eager": False,
            }
        )
        self.post_one(**terms | {"package": f"long {kind}", "units": bought})
        self.cut()
        auction = self.run.engine.running
        assert auction is not None
        self.settle_round(auction, make_bids(auction), late=False)
        self.advance(12 * MICRO)
        self.cut()

    @precondition(lambda self: self.auditor.alive and self.has_lots_of(min(self.auditor.alive)))
    @rule(before_us=st.sampled_from([60 * MICRO, 20 * MICRO, 1, 0, 0, -5 * MICRO]))
    def go_to_expiry(self, before_us: int) -> None:
        at_us = min(self.auditor.alive.values()) - before_us
        self.must(Advanced(at_us=max(at_us, self.run.now_us)))

    def has_lots_of(self, name: str) -> bool:
        return any(
            amount and "-" in asset and maturity(asset) == name
            for (_, _, asset), amount in self.auditor.balances.items()
        )

    @rule()
    def cut(self) -> None:
        """Cut a round; one that is running is void then."""
        engine = self.run.engine
        self.must(AuctionCut(at_us=self.run.now_us, auction=engine.next_auction_id))
        auction = engine.auction()
        assert [order.intent for order in auction.orders] == self.auditor.offered
        assert [each.intent for each in engine.withheld] == self.auditor.withheld
        for order in auction.orders:
            seen = self.auditor.intents[order.intent]
            assert order.units == seen.open - seen.uncovered
            assert order.least_units == min(seen.intent.min_units, seen.open)
            assert (order.group or NO_GROUP) == seen.intent.group
        self.must(AuctionPublished(at_us=self.run.now_us, auction=auction, withheld=engine.withheld))

    @precondition(lambda self: self.run.engine.running is not None)
    @rule(data=st.data(), late=st.sampled_from([False, False, False, True]))
    def decide(self, data: st.DataObject, late: bool) -> None:
        auction = self.run.engine.running
        assert auction is not None
        self.settle_round(auction, self.bid(auction, data), late=late)

    def settle_round(self, auction: Auction, submissions: tuple[Submission, ...], *, late: bool) -> None:
        """Decide at the end of the window, or so late that nothing can lock any more."""
        outcome = arbitrate(auction, submissions)
        at_us = max(self.run.now_us, auction.prepare_us)
        locks = min((deal.lock_by_us for deal in outcome.deals), default=at_us)
        if late or at_us > locks:
            at_us = max([at_us, *(deal.decide_by_us + 1 for deal in outcome.deals)])
        self.must(
            AuctionDecided(at_us=at_us, auction=auction.auction, submissions=submissions, outcome=outcome)
        )

    @rule(
        drawn=st.lists(orders, max_size=4),
        meanwhile=st.lists(orders, max_size=1),
        cancels=st.sampled_from([0, 0, 1]),
        data=st.data(),
        span_us=st.sampled_from([0, 5 * MICRO, 12 * MICRO, 40 * MICRO]),
        late=st.sampled_from([False] * 5 + [True]),
    )
    def trade(
        self,
        drawn: list[Any],
        meanwhile: list[Any],
        cancels: int,
        data: st.DataObject,
        span_us: int,
        late: bool,
    ) -> None:
        """A whole round in one step, so that runs get far; something may happen in it."""
        self.post(drawn)
        self.cut()
        if cancels and self.auditor.offered:
            self.cancel_one(data.draw(st.sampled_from(self.auditor.offered)))
        self.post(meanwhile)
        self.decide(data, late=late)
        self.advance(span_us)

    def bid(self, auction: Auction, data: st.DataObject) -> tuple[Submission, ...]:
        """What greedy does for some of the orders, in part, perhaps only with the books of one chain."""
        orders = []
        for order in auction.orders:
            most = data.draw(st.sampled_from([0, order.least_units, order.units, order.units]))
            if most:
                orders.append(replace(order, units=max(most, order.least_units)))
        chains = data.draw(st.sampled_from([("hub",), ("east",), ("east",), CHAINS]))
        offers = tuple(offer for offer in auction.offers if offer.venue.removesuffix("-book") in chains)
        return make_bids(replace(auction, orders=tuple(orders), offers=offers))

    @precondition(lambda self: len(self.run.events) > 8)
    @rule()
    def restart(self) -> None:
        """The process ends; a market and an auditor are made from the journal's bytes."""
        before = state_of(self.run.engine)
        journal = [encode(event) for event in self.run.events]
        events = [msgspec.json.decode(entry, type=Event) for entry in journal]
        self.run, self.auditor = MarketRun(events[0]), Auditor(events[0])
        for event in events[1:]:
            assert self.handle(event) is None
        assert state_of(self.run.engine) == before

    def teardown(self) -> None:
        """Every run goes on until the last series has expired, when nobody holds or owes anything more."""
        for at_us in sorted(self.auditor.alive.values()):
            self.must(Advanced(at_us=max(at_us, self.run.now_us)))
            self.accounts_hold_what_the_auditor_adds_up()
            self.reservations_are_what_the_auditor_adds_up_and_nobody_is_over_committed()
            self.every_unit_is_where_the_auditor_sees_it()
            self.the_world_is_sound()
        for ledger in self.run.engine.world.ledgers.values():
            for account in ledger.accounts():
                assert not account.startswith("written:")
                assert not any("-" in asset for asset in ledger.holdings(account))

    # --- what must agree ---------------------------------------------------------------------------

    @invariant()
    def accounts_hold_what_the_auditor_adds_up(self) -> None:
        found = {
            (chain, account, asset): amount
            for chain, ledger in self.run.engine.world.ledgers.items()
            for account in ledger.accounts()
            if account.startswith(("owner:", "written:"))
            for asset, amount in ledger.holdings(account).items()
        }
        assert found == {place: amount for place, amount in self.auditor.balances.items() if amount}

    @invariant()
    def reservations_are_what_the_auditor_adds_up_and_nobody_is_over_committed(self) -> None:
        engine = self.run.engine
        for owner in OWNERS:
            reserved = self.auditor.reserved(owner)
            assert engine.book.reservations(owner) == dict(sorted(reserved.items()))
            for (chain, asset), amount in reserved.items():
                funds = engine.funds(owner, chain, asset)
                assert funds == self.auditor.funds(owner, chain, asset)
                assert funds >= amount or ("-" in asset and maturity(asset) not in self.auditor.alive)

    @invariant()
    def every_unit_is_where_the_auditor_sees_it(self) -> None:
        entries = list(self.run.engine.book.intents())
        assert [entry.id for entry in entries] == list(self.auditor.intents)
        for entry in entries:
            seen = self.auditor.intents[entry.id]
            assert (entry.open, entry.covered) == (seen.open, seen.open - seen.uncovered)
            assert (entry.settling, entry.filled, entry.payment) == (seen.settling, seen.filled, seen.paid)
            assert entry.requirement.closing_series == set(seen.closing)
            assert (str(entry.status), entry.cancelled_by) == (seen.status, seen.ended_by)

    @invariant()
    def of_a_group_at_most_one_is_filled(self) -> None:
        taken: dict[tuple[str, str], str] = {}
        for entry in self.run.engine.book.intents():
            if entry.intent.group != NO_GROUP and entry.filled + entry.settling:
                assert taken.setdefault((entry.owner, entry.intent.group), entry.id) == entry.id

    @invariant()
    def the_world_is_sound(self) -> None:
        assert self.run.engine.world.audit() == []


TestMarketBesideAuditor = MarketBesideAuditor.TestCase
TestMarketBesideAuditor.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


@pytest.mark.soak
class TestMarketBesideAuditorForLong(MarketBesideAuditor.TestCase):  # type: ignore[name-defined, misc]
    """The same, many more times and for longer."""

    settings = settings(max_examples=1_500, stateful_step_count=80, deadline=None)
