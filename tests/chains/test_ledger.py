from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chains import ledger as accounts
from chains.errors import LedgerError
from chains.ledger import (
    OUTSIDE,
    RESERVE,
    Ledger,
    Shortfall,
    Transfer,
    bridge_account,
    deal_account,
    expiry_account,
    may_owe,
    owner_account,
    solver_account,
    venue_account,
    writer_account,
    written_account,
)
from chains.units import WIRE_MAX

SERIES = "BTC-26JUN26-100000-C"
ANN, BOB, VENUE = owner_account("0xA"), owner_account("0xB"), venue_account("v")
NAMES = (
    ANN,
    BOB,
    written_account("0xA", "BTC-26JUN26"),
    VENUE,
    bridge_account("b"),
    solver_account("s"),
    accounts.FEES_PROTOCOL,
    RESERVE,
    OUTSIDE,
)


def move(debit: str, credit: str, amount: int, asset: str = "USDC") -> Transfer:
    return Transfer(debit=debit, credit=credit, asset=asset, amount=amount)


def funded(**amounts: int) -> Ledger:
    ledger = Ledger("hub")
    ledger.record(move(OUTSIDE, owner_account(f"0x{name}"), amount) for name, amount in amounts.items())
    return ledger


def image(ledger: Ledger) -> Any:
    """Everything one can see of a ledger."""
    assets = ("USDC", SERIES)
    held = {(name, asset): ledger.held(name, asset) for name in NAMES for asset in assets}
    return {name: ledger.holdings(name) for name in ledger.accounts()}, held, dict(ledger.pending())


# --- against a naive model that recomputes everything from the history ----------------------------

transfers = st.builds(
    Transfer,
    debit=st.sampled_from(NAMES[:5]),
    credit=st.sampled_from(NAMES[5:]),
    asset=st.sampled_from(("USDC", SERIES)),
    amount=st.integers(1, 30),
) | st.builds(
    Transfer,
    debit=st.sampled_from(NAMES[5:]),
    credit=st.sampled_from(NAMES[:5]),
    asset=st.sampled_from(("USDC", SERIES)),
    amount=st.integers(1, 30),
)
batches = st.lists(transfers, max_size=6)


class LedgerAgainstHistory(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger("hub")
        self.applied: list[Transfer] = []
        self.pending: dict[str, list[Transfer]] = {}
        self.finished: list[str] = []

    def net(self, batch: list[Transfer], account: str, asset: str) -> int:
        ins = sum(t.amount for t in batch if (t.credit, t.asset) == (account, asset))
        outs = sum(t.amount for t in batch if (t.debit, t.asset) == (account, asset))
        return ins - outs

    def free(self, account: str, asset: str) -> int:
        held = sum(max(-self.net(batch, account, asset), 0) for batch in self.pending.values())
        return self.net(self.applied, account, asset) - held

    def is_covered(self, batch: list[Transfer]) -> bool:
        return all(
            self.free(name, asset) + self.net(batch, name, asset) >= 0 or self.net(batch, name, asset) >= 0
            for name in NAMES
            for asset in ("USDC", SERIES)
            if not may_owe(name, asset)
        )

    @rule(batch=batches)
    def record(self, batch: list[Transfer]) -> None:
        if self.is_covered(batch):
            self.ledger.record(batch)
            self.applied += batch
        else:
            before = image(self.ledger)
            with pytest.raises(LedgerError):
                self.ledger.record(batch)
            assert image(self.ledger) == before

    @rule(batch=batches)
    def pend(self, batch: list[Transfer]) -> None:
        key = f"k{len(self.pending) + len(self.finished)}"
        before = image(self.ledger)
        shortfall = self.ledger.pend(key, batch)
        assert (shortfall is None) == self.is_covered(batch)
        if shortfall is None:
            self.pending[key] = batch
        else:
            assert image(self.ledger) == before
            change = self.net(batch, shortfall.account, shortfall.asset)
            assert shortfall.missing == -change - self.free(shortfall.account, shortfall.asset) > 0

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), post=st.booleans())
    def finish(self, data: st.DataObject, post: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.pending)))
        batch = self.pending.pop(key)
        self.finished.append(key)
        if post:
            self.ledger.post(key)
            self.applied += batch
        else:
            self.ledger.void(key)

    @precondition(lambda self: self.finished)
    @rule(data=st.data())
    def use_a_key_again(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.finished))
        for attempt in (self.ledger.post, self.ledger.void, lambda again: self.ledger.pend(again, [])):
            with pytest.raises(LedgerError):
                attempt(key)

    @invariant()
    def balances_are_the_history(self) -> None:
        for name in NAMES:
            for asset in ("USDC", SERIES):
                assert self.ledger.balance(name, asset) == self.net(self.applied, name, asset)
                if not may_owe(name, asset):
                    assert self.ledger.available(name, asset) == self.free(name, asset) >= 0

    @invariant()
    def every_asset_sums_to_zero(self) -> None:
        assert not any(self.ledger.totals().values())


LedgerAgainstHistory.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_the_ledger_is_its_history = LedgerAgainstHistory.TestCase


# --- one rule at a time ---------------------------------------------------------------------------


def test_voided_batch_releases_every_hold() -> None:
    ledger = funded(a=10)
    before = image(ledger)
    assert ledger.pend("k", [move(ANN, VENUE, 10), move(VENUE, ANN, 3, SERIES)]) is None
    assert (ledger.held(ANN, "USDC"), ledger.available(ANN, "USDC"), ledger.balance(ANN, "USDC")) == (
        10,
        0,
        10,
    )
    ledger.void("k")
    assert image(ledger) == before


def test_what_is_held_cannot_be_promised_again() -> None:
    ledger = funded(a=10)
    assert ledger.pend("k1", [move(ANN, VENUE, 6)]) is None
    assert ledger.pend("k2", [move(ANN, VENUE, 6)]) == Shortfall(account=ANN, asset="USDC", missing=2)
    with pytest.raises(LedgerError):
        ledger.record([move(ANN, VENUE, 5)])


def test_what_is_promised_to_an_account_cannot_be_spent_yet() -> None:
    ledger = funded(a=10)
    assert ledger.pend("k1", [move(ANN, BOB, 10)]) is None
    assert ledger.pend("k2", [move(BOB, VENUE, 1)]) == Shortfall(account=BOB, asset="USDC", missing=1)
    ledger.post("k1")
    assert ledger.pend("k2", [move(BOB, VENUE, 1)]) is None


def test_only_the_net_of_a_batch_must_be_there() -> None:
    ledger = funded(a=1)
    assert ledger.pend("k", [move(BOB, VENUE, 5), move(VENUE, BOB, 5), move(ANN, BOB, 1)]) is None
    assert ledger.held(BOB, "USDC") == 0


def test_a_refused_batch_leaves_its_key_free() -> None:
    ledger = Ledger("hub")
    assert ledger.pend("k", [move(ANN, VENUE, 1)]) is not None
    assert ledger.pend("k", [move(VENUE, ANN, 1)]) is None


def test_the_first_account_in_order_is_named_short() -> None:
    batch = [move(BOB, VENUE, 4), move(ANN, VENUE, 3)]
    assert Ledger("hub").pend("k", batch) == Shortfall(account=ANN, asset="USDC", missing=3)


def test_what_is_written_owes_series_of_its_maturity_but_never_collateral() -> None:
    written = written_account("0xA", "BTC-26JUN26")
    assert may_owe(written, SERIES)
    assert not may_owe(written, "BTC-25JUN26-100000-C")
    assert not may_owe(written, "ETH-26JUN26-100000-C")
    assert not may_owe("written:0xa", SERIES)
    assert not may_owe(written, "USDC")
    assert not may_owe(written, "BTC")
    ledger = Ledger("hub")
    assert ledger.pend("k1", [move(written, VENUE, 2, SERIES)]) is None
    ledger.post("k1")
    assert ledger.holdings(written) == {SERIES: -2}
    assert ledger.pend("k2", [move(written, VENUE, 2)]) is not None


@pytest.mark.parametrize("deal", [deal_account("d1"), expiry_account("BTC-26JUN26")])
def test_what_is_passed_through_keeps_nothing(deal: str) -> None:
    ledger = funded(a=10)
    ledger.record([move(ANN, deal, 7), move(deal, VENUE, 7)])
    assert ledger.balance(deal, "USDC") == 0
    for batch in ([move(ANN, deal, 3), move(deal, VENUE, 2)], [move(deal, VENUE, 1)]):
        with pytest.raises(LedgerError, match="would keep"):
            ledger.pend("k", batch)


def test_addresses_of_either_case_are_one_account() -> None:
    assert owner_account("0xAbC") == owner_account("0xabc")
    assert written_account("0xAbC", "BTC-26JUN26") == written_account("0xabc", "BTC-26JUN26")


def test_the_writer_is_found_from_where_it_wrote() -> None:
    assert writer_account(written_account("0xAbC", "BTC-26JUN26")) == owner_account("0xabc")


def test_holders_are_those_that_have_or_owe_any_of_the_assets() -> None:
    ledger = funded(a=10)
    ledger.record([move(VENUE, ANN, 3, SERIES), move(VENUE, BOB, 2, "BTC-26JUN26-9-P")])
    assert ledger.holders({SERIES, "ETH"}) == {ANN: {SERIES: 3}, VENUE: {SERIES: -3}}
    assert ledger.holders({"ETH"}) == {}


@pytest.mark.parametrize("amount", [0, -1, WIRE_MAX + 1])
def test_amounts_are_positive_and_bounded(amount: int) -> None:
    with pytest.raises(LedgerError):
        move(ANN, BOB, amount)


@pytest.mark.parametrize("name", ["", "owner", "owner:", "thief:x", "reserve:x", "outside:", ANN])
def test_a_transfer_needs_two_known_accounts(name: str) -> None:
    with pytest.raises(LedgerError):
        move(ANN, name, 1)


def test_no_balance_leaves_its_bounds_even_with_all_that_is_pending() -> None:
    ledger = funded(a=WIRE_MAX)
    with pytest.raises(LedgerError, match="bounds"):
        ledger.record([move(OUTSIDE, BOB, 1)])
    assert ledger.pend("k", [move(VENUE, BOB, WIRE_MAX)]) is None
    with pytest.raises(LedgerError, match="bounds"):
        ledger.pend("k2", [move(RESERVE, VENUE, 1), move(VENUE, BOB, 1)])
    ledger.post("k")
    assert ledger.balance(VENUE, "USDC") == -WIRE_MAX


def test_unknown_keys_finish_nothing() -> None:
    ledger = Ledger("hub")
    for attempt in (ledger.post, ledger.void):
        with pytest.raises(LedgerError, match="unknown"):
            attempt("k")


def test_a_pending_key_is_taken() -> None:
    ledger = funded(a=10)
    ledger.pend("k", [move(ANN, BOB, 1)])
    with pytest.raises(LedgerError, match="already used"):
        ledger.pend("k", [move(ANN, BOB, 1)])
