"""The book beside a naive auditor, over any order of posts, cancels, rounds, deals and expiries.

The auditor keeps plain counters and a ledger of balances. After every step it adds every reservation
up from scratch, from worst cases written down by hand, and compares. Two laws make the book safe:
what it says is reserved is exactly that, and nobody's reservations exceed what they have.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chains.units import MICRO, USDC
from intents.book import Book, BookIntent
from intents.lifecycle import Status
from intents.refusals import Code, Refused
from intents.typed_data import NO_GROUP, Leg, OptionIntent

OWNERS = ("0x" + "0a" * 20, "0x" + "0b" * 20)
CHAINS = ("east", "hub")
CALL, HIGH = "BTC-26JUN26-100000-C", "BTC-26JUN26-110000-C"
PUT, LOW = "BTC-26JUN26-90000-P", "BTC-26JUN26-80000-P"
START_S = 1_777_593_600
COIN_LOT, PUT_LOT, WIDTH_LOT = 1_000_000, 900 * MICRO, 100 * MICRO

PACKAGES: dict[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]] = {
    ((CALL, 1),): (),
    ((PUT, -1),): ((USDC, PUT_LOT),),
    ((CALL, -2),): (("BTC", 2 * COIN_LOT),),
    ((CALL, -1), (HIGH, 1)): ((USDC, WIDTH_LOT),),
    ((HIGH, 1),): (),
    ((PUT, -1), (LOW, 1)): ((USDC, WIDTH_LOT),),
    ((PUT, 1), (LOW, -1)): (),
    ((LOW, 1),): (),
}
"""What writing one unit ties up where no leg closes, by hand."""


@dataclass
class Record:
    """One intent as the auditor sees it."""

    intent: OptionIntent
    closing: frozenset[str]
    open: int
    pledged: dict[str, tuple[int, int]] = field(default_factory=dict)
    filled: int = 0
    ending: str = ""
    ended: str = ""

    @property
    def legs(self) -> tuple[tuple[str, int], ...]:
        return tuple((leg.series, leg.ratio) for leg in self.intent.legs)

    @property
    def is_writing(self) -> bool:
        return any(ratio < 0 and series not in self.closing for series, ratio in self.legs)

    @property
    def settling(self) -> int:
        return sum(units for units, _ in self.pledged.values())

    def collateral(self) -> tuple[tuple[str, int], ...]:
        """Per unit; a package with one sold leg that closes has nothing left to write."""
        return PACKAGES[self.legs] if self.is_writing else ()

    def worst(self) -> dict[str, int]:
        held = self.open + self.settling
        total: defaultdict[str, int] = defaultdict(int)
        total[USDC] += max(0, self.intent.limit) * held
        for asset, amount in self.collateral():
            total[asset] += amount * held
        for series, ratio in self.legs:
            if series in self.closing:
                total[series] -= ratio * held
        return total

    def end(self, how: str) -> None:
        if not self.ended:
            self.ended, self.open = how, 0


class BookBesideAuditor(RuleBasedStateMachine):
    """Rules drive the book and the auditor alike; invariants compare them."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book(open_max=6)
        self.now = START_S * MICRO
        self.balances: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.records: dict[str, Record] = {}
        self.floors: dict[str, int] = dict.fromkeys(OWNERS, 0)
        self.round: list[str] | None = None
        self.deals = 0

    @initialize(cash=st.integers(100, 4_000), coins=st.integers(0, 6), lots=st.integers(0, 4))
    def give(self, cash: int, coins: int, lots: int) -> None:
        for owner in OWNERS:
            for chain in CHAINS:
                self.balances[owner, chain, USDC] = cash * MICRO
                self.balances[owner, chain, "BTC"] = coins * COIN_LOT
                self.balances[owner, chain, CALL] = lots
                self.balances[owner, chain, PUT] = lots

    def audited(self, owner: str, chain: str) -> defaultdict[str, int]:
        total: defaultdict[str, int] = defaultdict(int)
        for record in self.records.values():
            if (record.intent.owner, record.intent.chain) == (owner, chain):
                for asset, amount in record.worst().items():
                    total[asset] += amount
        return total

    def free(self, owner: str, chain: str, asset: str) -> int:
        return self.balances[owner, chain, asset] - self.audited(owner, chain)[asset]

    @rule(
        owner=st.sampled_from(OWNERS),
        chain=st.sampled_from(CHAINS),
        legs=st.sampled_from(sorted(PACKAGES)),
        units=st.integers(1, 3),
        limit=st.integers(-5, 60).map(lambda usd: usd * MICRO),
        nonce=st.none() | st.integers(0, 30),
        life=st.integers(1, 40),
        immediate=st.booleans(),
    )
    def post(self, legs: tuple[tuple[str, int], ...], life: int, nonce: int | None, **fields: Any) -> None:
        fields["nonce"] = self.floors[fields["owner"]] + len(self.records) if nonce is None else nonce
        signed = tuple(Leg(series=series, ratio=ratio) for series, ratio in legs)
        intent = OptionIntent(
            legs=signed, valid_from=0, valid_until=self.now // MICRO + life, min_units=1, reduce_only=False,
            group=NO_GROUP, **fields,
        )  # fmt: skip
        closing = frozenset(
            series
            for series, ratio in legs
            if ratio < 0 and self.free(intent.owner, intent.chain, series) >= -ratio * intent.units
        )
        record = Record(intent=intent, closing=closing, open=intent.units)
        id_ = f"i{len(self.records)}"
        answer = self.book.admit(
            id_, intent, now_us=self.now, funds=lambda owner, chain, asset: self.balances[owner, chain, asset]
        )
        expected = self.refusal_of(record)
        if expected is None:
            assert isinstance(answer, BookIntent), answer
            assert answer.requirement.closing_series == closing
            self.records[id_] = record
        else:
            assert isinstance(answer, Refused)
            assert answer.code is expected

    def refusal_of(self, record: Record) -> Code | None:
        intent = record.intent
        mine = [other for other in self.records.values() if other.intent.owner == intent.owner]
        if intent.nonce < self.floors[intent.owner]:
            return Code.NONCE_REVOKED
        if any(other.intent.nonce == intent.nonce for other in mine):
            return Code.NONCE_REUSED
        if sum(1 for other in mine if other.open + other.settling) >= 6:
            return Code.TOO_MANY_OPEN
        covered = all(
            amount <= self.free(intent.owner, intent.chain, asset) for asset, amount in record.worst().items()
        )
        return None if covered else Code.UNCOLLATERALISED

    def end_soon(self, id_: str, how: str) -> None:
        record = self.records[id_]
        if self.round is not None and id_ in self.round and not record.ended:
            record.ending = record.ending or how
        else:
            record.end(how)

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.records)))
        answer = self.book.cancel(self.records[id_].intent.owner, [id_], now_us=self.now)
        assert not isinstance(answer, Refused)
        self.end_soon(id_, "cancelled")

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def cancel_anothers(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.records)))
        thief = OWNERS[self.records[id_].intent.owner == OWNERS[0]]
        answer = self.book.cancel(thief, [id_], now_us=self.now)
        assert isinstance(answer, Refused)
        assert answer.code is Code.NOT_OWNER

    @rule(owner=st.sampled_from(OWNERS), nonce=st.integers(0, 8))
    def cancel_below(self, owner: str, nonce: int) -> None:
        self.book.cancel_below(owner, nonce, now_us=self.now)
        self.floors[owner] = max(nonce, self.floors[owner])
        for id_, record in self.records.items():
            if record.intent.owner == owner and record.intent.nonce < nonce:
                self.end_soon(id_, "cancelled")

    @rule(seconds=st.integers(0, 15))
    def expire(self, seconds: int) -> None:
        self.now += seconds * MICRO
        self.book.expire(self.now)
        for id_, record in self.records.items():
            if record.intent.valid_until * MICRO <= self.now:
                self.end_soon(id_, "expired")

    @precondition(lambda self: self.round is None)
    @rule(most=st.integers(1, 5))
    def begin_round(self, most: int) -> None:
        orders = [order.id for order in self.book.open_orders(self.now)]
        assert orders == [
            id_
            for id_, record in self.records.items()
            if record.open and not record.ended and record.intent.valid_until * MICRO > self.now
        ]
        self.round = orders[:most]
        self.book.begin_round(self.round)

    @precondition(lambda self: self.round is not None)
    @rule()
    def void_round(self) -> None:
        assert self.round is not None
        self.book.void_round()
        for id_ in self.round:
            record = self.records[id_]
            if record.ending:
                record.end(record.ending)
        self.round = None

    @precondition(lambda self: self.round is not None)
    @rule(data=st.data())
    def end_round(self, data: st.DataObject) -> None:
        assert self.round is not None
        for id_ in self.round:
            record = self.records[id_]
            units = record.open - data.draw(st.integers(0, record.open), label=f"left of {id_}")
            if units:
                deal = f"d{self.deals + data.draw(st.integers(0, 1), label='deal')}"
                payment = record.intent.limit * units - data.draw(st.integers(0, 5), label="improvement")
                self.book.pledge(deal, id_, units=units, payment=payment)
                record.pledged[deal] = units, payment
                record.open -= units
        self.deals += 2
        self.book.end_round()
        for id_ in self.round:
            record = self.records[id_]
            if record.ending or record.intent.immediate:
                record.end(record.ending or "cancelled")
        self.round = None

    def deals_under_way(self) -> list[str]:
        return sorted({deal for record in self.records.values() for deal in record.pledged})

    @precondition(lambda self: self.deals_under_way())
    @rule(data=st.data(), posted=st.booleans())
    def end_deal(self, data: st.DataObject, posted: bool) -> None:
        deal = data.draw(st.sampled_from(self.deals_under_way()))
        ended = self.book.settle(deal) if posted else self.book.abort(deal)
        touched = {id_ for id_, record in self.records.items() if deal in record.pledged}
        assert {entry.id for entry in ended} == touched
        for id_ in sorted(touched):
            record = self.records[id_]
            units, payment = record.pledged.pop(deal)
            if posted:
                record.filled += units
                self.move(record, units, payment)
            elif not record.ended:
                record.open += units

    def move(self, record: Record, units: int, payment: int) -> None:
        """What the ledger does to the owner's free account when a deal posts."""
        owner, chain = record.intent.owner, record.intent.chain
        self.balances[owner, chain, USDC] -= payment
        for asset, amount in record.collateral():
            self.balances[owner, chain, asset] -= amount * units
        for series, ratio in record.legs:
            if not record.is_writing or series in record.closing:
                self.balances[owner, chain, series] += ratio * units

    @invariant()
    def reservations_are_what_the_auditor_adds_up(self) -> None:
        for owner in OWNERS:
            expected = {
                (chain, asset): amount
                for chain in CHAINS
                for asset, amount in self.audited(owner, chain).items()
                if amount
            }
            assert self.book.reservations(owner) == expected
            for (chain, asset), amount in expected.items():
                assert self.book.reserved(owner, chain, asset) == amount

    @invariant()
    def nobody_is_over_committed(self) -> None:
        assert all(balance >= 0 for balance in self.balances.values())
        for owner in OWNERS:
            for (chain, asset), amount in self.book.reservations(owner).items():
                assert amount <= self.balances[owner, chain, asset]

    @invariant()
    def every_unit_is_in_one_place(self) -> None:
        for id_, record in self.records.items():
            entry = self.book.get(id_)
            assert entry is not None
            assert (entry.open, entry.settling, entry.filled) == (record.open, record.settling, record.filled)
            assert 0 <= entry.open + entry.settling + entry.filled <= record.intent.units
            assert sum(fill.units for fill in entry.fills) == entry.filled

    @invariant()
    def statuses_say_what_is_true(self) -> None:
        for id_, record in self.records.items():
            entry = self.book.get(id_)
            assert entry is not None
            is_final = record.open + record.settling == 0 and (record.ended or not record.ending)
            if record.filled == record.intent.units:
                assert entry.status is Status.FILLED
            elif is_final and record.ended:
                assert entry.status == record.ended
            elif entry.status is Status.SETTLING:
                assert record.settling
                assert not record.open


TestBookBesideAuditor = BookBesideAuditor.TestCase
TestBookBesideAuditor.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
