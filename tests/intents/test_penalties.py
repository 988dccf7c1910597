"""What aborted deals cost: the rule by itself, and in a market whose ledgers must come out even."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chains.commit import DealPlan, DealState, HubDeal, LegPlan
from chains.deadlines import Deadlines
from chains.deals import DealRecord, LegRecord, Refusal
from chains.ledger import (
    OUTSIDE,
    RESERVE,
    Transfer,
    bond_account,
    owner_account,
    solver_account,
    stock_account,
)
from chains.snapshot import StockQuote
from chains.units import MICRO, USDC
from chains.venues import Flow
from chains.venues.stock import StockSpec
from chains.world_file import WorldSpec
from intents.events import BondPosted, StockQuoted
from intents.penalties import is_own_fault, pay_penalty, penalty_due
from solvers.outcome import HOUSE, Deal, FilledOrder, Outcome
from tests.market_run import ALICE, BOB, MarketRun, make_intent, small_run, submit, violations
from tests.worlds import CALL, START_US, make_spec, with_flow

DECIDE_BY_US = 100 * MICRO
STOCKS = {"hub-stock": "ann", "east-stock": "ben"}
BOND = 1_000 * MICRO
FEE = MICRO
"""The abort fee of a market with default terms."""

GREEDY_STOCK = "hub-stock"
TAKING = Flow(mean_gap_us=1_000, lots_max=200, restore_bps=0)
"""Outside flow that has taken every offer before a deal can lock it."""


def make_deal(*fills: tuple[str, int], solver: str = "ann") -> Deal:
    """A deal of fills, as (owner, surplus)."""
    return Deal(
        deal="deal-1",
        solver=solver,
        bid="bid",
        digest="0" * 64,
        score=0,
        lock_by_us=90 * MICRO,
        decide_by_us=DECIDE_BY_US,
        release_by_us=110 * MICRO,
        chains=("east", "hub"),
        fills=tuple(
            FilledOrder(intent=f"0x{place}", owner=owner, chain="hub", units=1, payment=5, surplus=surplus)
            for place, (owner, surplus) in enumerate(fills)
        ),
        prices=(),
        reserve=(),
    )


def make_record(*refusals: tuple[Refusal, int], in_time: bool = True) -> DealRecord:
    """An aborted deal of which so many legs refused, each at its instant."""
    legs = tuple(LegPlan(chain=chain, transfers=(), lots=()) for chain in ("east", "hub"))
    deadlines = Deadlines(lock_by_us=90 * MICRO, decide_by_us=DECIDE_BY_US, release_by_us=110 * MICRO)
    plan = DealPlan(deal="deal-1", legs=legs, bridges=(), deadlines=deadlines)
    records = {chain: LegRecord() for chain in plan.chains}
    for record, (refusal, at_us) in zip(records.values(), refusals, strict=False):
        record.refusal, record.answered_us = refusal, at_us
    return DealRecord(hub=HubDeal(plan, state=DealState.CLOSED), legs=records, prepared_us=0, in_time=in_time)


OWN_OFFER = Refusal(text="gone", offer=f"hub-stock/{CALL}/sell/7000000/1")
OWN_ACCOUNT = Refusal(text="short", account=stock_account("hub-stock"))
RIVALS_OFFER = Refusal(text="gone", offer=f"east-stock/{CALL}/sell/7000000/1")
BOOK_OFFER = Refusal(text="gone", offer=f"hub-book/{CALL}/sell/7000000")
OWNER_SHORT = Refusal(text="short", account=owner_account(ALICE))


@pytest.mark.parametrize(
    ("refusals", "own"),
    [
        ([], False),
        ([(BOOK_OFFER, 1)], False),
        ([(RIVALS_OFFER, 1)], False),
        ([(OWNER_SHORT, 1)], False),
        ([(OWN_OFFER, 1)], True),
        ([(OWN_ACCOUNT, 1)], True),
        ([(BOOK_OFFER, 1), (OWN_OFFER, 2)], True),
        ([(OWN_OFFER, DECIDE_BY_US - 1)], True),
        ([(OWN_OFFER, DECIDE_BY_US)], False),
    ],
)
def test_only_stock_of_its_own_that_is_missing_in_time_is_a_solvers_fault(
    refusals: list[tuple[Refusal, int]], own: bool
) -> None:
    assert is_own_fault(make_record(*refusals), "ann", STOCKS) is own


def test_a_fault_costs_what_the_owners_lost_and_any_abort_the_fee() -> None:
    deal = make_deal((ALICE, 700), (BOB, 300))
    due = [
        penalty_due(deal, make_record(), abort_fee=fee, is_own_fault=own)
        for fee, own in ((50, False), (50, True), (5_000, True), (0, False))
    ]
    assert due == [50, 1_000, 5_000, 0]


def test_a_deal_that_the_market_handed_in_too_late_costs_nothing() -> None:
    deal = make_deal((ALICE, 700))
    for own, due in ((False, 50), (True, 700)):
        assert penalty_due(deal, make_record(), abort_fee=50, is_own_fault=own) == due
        assert penalty_due(deal, make_record(in_time=False), abort_fee=50, is_own_fault=own) == 0


def paid(deal: Deal, amount: int) -> dict[str, int]:
    transfers = pay_penalty(deal, amount)
    assert {(each.debit, each.asset) for each in transfers} <= {(bond_account("ann"), USDC)}
    return {each.credit: each.amount for each in transfers}


def test_owners_share_by_what_they_lost_and_the_reserve_gets_the_rest() -> None:
    deal = make_deal((ALICE, 2), (BOB, 1), (ALICE, 0))
    assert paid(deal, 100) == {owner_account(ALICE): 66, owner_account(BOB): 33, RESERVE: 1}
    assert paid(deal, 3) == {owner_account(ALICE): 2, owner_account(BOB): 1}
    assert paid(deal, 1) == {RESERVE: 1}
    assert paid(make_deal((ALICE, 0), (BOB, 5)), 100) == {owner_account(BOB): 100}


def test_owners_who_lost_nothing_share_alike_whatever_number_of_fills_they_had() -> None:
    deal = make_deal((ALICE, 0), (BOB, 0), (ALICE, 0))
    assert paid(deal, 101) == {owner_account(ALICE): 50, owner_account(BOB): 50, RESERVE: 1}


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 10**12)), min_size=1, max_size=8),
    st.integers(1, 10**13),
)
def test_every_penalty_is_paid_out_whole_and_in_proportion(fills: list[tuple[str, int]], amount: int) -> None:
    shares = paid(make_deal(*fills), amount)
    assert sum(shares.values()) == amount
    assert min(shares.values()) > 0
    lost: Counter[str] = Counter()
    for owner, surplus in fills:
        lost[owner] += surplus
    whole = sum(lost.values())
    assert shares.get(RESERVE, 0) < len(lost)
    for owner, surplus in lost.items():
        exact = amount * surplus / whole if whole else amount / len(lost)
        assert shares.get(owner_account(owner), 0) == pytest.approx(exact, abs=1 + 1e-9 * amount)
        assert whole == 0 or shares.get(owner_account(owner), 0) * whole <= amount * surplus


def stock_spec() -> WorldSpec:
    """The small world, with stock of `greedy` on the hub."""
    spec = make_spec()
    stock = StockSpec(
        id=GREEDY_STOCK,
        chain="hub",
        fee_touch=0,
        fee_per_lot=0,
        max_lock_us=600 * MICRO,
        solver="greedy",
        holdings=((CALL, 50), (USDC, 100 * MICRO)),
    )
    return replace(spec, venues=(*spec.venues, stock))


def bonded_run(spec: WorldSpec, *, bond: int = BOND, solver: str = "greedy", **terms: Any) -> MarketRun:
    run = small_run(spec=spec, **terms)
    run.must(BondPosted(at_us=START_US, solver=solver, amount=bond))
    return run


def trade(run: MarketRun, *, late_us: int = 0, sender: str = "greedy") -> Outcome:
    """A round of one solver that sends what the house would: Alice buys two calls, Bob three."""
    run.post(make_intent(ALICE, len(run.outcomes), {CALL: 1}, 8_000_000, units=2))
    run.post(make_intent(BOB, len(run.outcomes), {CALL: 1}, 9_000_000, units=3))
    auction, house = run.cut()
    sent = tuple(submit(sender, 1_000, replace(bid, solver=sender)) for bid in house)
    outcome = run.decide(auction, sent, late_us=late_us)
    assert {deal.solver for deal in outcome.deals} == {sender}
    return outcome


def settle(run: MarketRun, outcome: Outcome, state: DealState) -> dict[tuple[str, str], int]:
    """Let the round's deals end so; what each account of the hub has gained in USDC on the way."""
    hub = run.engine.world.ledgers["hub"]
    before = {account: hub.balance(account, USDC) for account in hub.accounts()}
    run.settle_all()
    assert {run.engine.world.deals[deal.deal].state for deal in outcome.deals} == {state}
    assert not violations(run)
    gained = {account: hub.balance(account, USDC) - before.get(account, 0) for account in hub.accounts()}
    return {account: amount for account, amount in gained.items() if amount}


def surplus_of(outcome: Outcome) -> dict[str, int]:
    found: Counter[str] = Counter()
    for deal in outcome.deals:
        for fill in deal.fills:
            found[fill.owner] += fill.surplus
    return dict(found)


def test_a_deal_whose_lots_others_took_costs_the_fee() -> None:
    run = bonded_run(with_flow(make_spec(), TAKING))
    outcome = trade(run)
    gained = settle(run, outcome, DealState.CLOSED)
    deals = len(outcome.deals)
    assert gained.pop(bond_account("greedy")) == -FEE * deals
    assert gained.pop(RESERVE, 0) < 2 * deals
    assert set(gained) <= {owner_account(ALICE), owner_account(BOB)}
    account = run.engine.solvers.of("greedy")
    assert (account.aborted, account.settled, account.penalties) == (deals, 0, FEE * deals)
    assert run.engine.bond_of("greedy") == BOND - FEE * deals


def quote_stock(run: MarketRun) -> None:
    """The best price there is, for more than anybody wants."""
    quotes = (StockQuote(series=CALL, side="sell", price=5_000_000, lots=50),)
    run.must(StockQuoted(at_us=run.now_us, solver="greedy", venue=GREEDY_STOCK, quotes=quotes))


def take_stock_away(run: MarketRun) -> None:
    """What nothing in the market can do: the stock behind the quotes is gone."""
    gone = Transfer(debit=stock_account(GREEDY_STOCK), credit=OUTSIDE, asset=CALL, amount=50)
    run.engine.world.transfer("hub", [gone])


def test_stock_that_is_missing_costs_what_the_owners_lost() -> None:
    run = bonded_run(stock_spec())
    quote_stock(run)
    outcome = trade(run)
    lost = surplus_of(outcome)
    assert sum(lost.values()) > FEE * len(outcome.deals)
    take_stock_away(run)
    hub = run.engine.world.ledgers["hub"]
    before = {owner: hub.balance(owner_account(owner), USDC) for owner in lost}
    run.settle_all()
    assert {record.state for record in run.engine.world.deals.values()} == {DealState.CLOSED}
    gained = {owner: hub.balance(owner_account(owner), USDC) - was for owner, was in before.items()}
    assert gained == lost
    assert run.engine.bond_of("greedy") == BOND - sum(lost.values())
    assert run.engine.solvers.of("greedy").penalties == sum(lost.values())


def test_a_bond_is_never_taken_beyond_what_is_there() -> None:
    run = bonded_run(stock_spec(), bond=FEE // 2)
    quote_stock(run)
    outcome = trade(run)
    take_stock_away(run)
    run.settle_all()
    assert sum(surplus_of(outcome).values()) > FEE
    assert run.engine.bond_of("greedy") == 0
    assert run.engine.solvers.of("greedy").penalties == FEE // 2


def test_a_solver_without_a_bond_and_the_house_pay_nothing() -> None:
    for sender in ("single", HOUSE):
        run = bonded_run(with_flow(make_spec(), TAKING))
        outcome = trade(run, sender=sender)
        assert settle(run, outcome, DealState.CLOSED) == {}
        assert run.engine.solvers.of(sender).aborted == len(outcome.deals)
        assert run.engine.solvers.of(sender).penalties == 0


@pytest.mark.parametrize("away", [False, True])
def test_however_late_the_market_hands_a_deal_in_an_honest_solver_pays_nothing(away: bool) -> None:
    """Nothing is missing anywhere: a deal settles, or it fails for the market's delay alone."""
    spec = make_spec()
    if away:
        spec = replace(spec, venues=tuple(venue for venue in spec.venues if venue.chain == "east"))
    states = []
    for late_us in range(0, 20 * MICRO, MICRO // 2):
        run = bonded_run(spec)
        outcome = trade(run, late_us=late_us)
        assert {len(deal.chains) for deal in outcome.deals} == {1 + away}
        run.settle_all()
        assert run.engine.bond_of("greedy") == BOND, late_us
        for deal in outcome.deals:
            record = run.engine.world.deals[deal.deal]
            states.append((record.state, record.prepared_us < deal.lock_by_us))
    assert set(states) == {(DealState.SETTLED, True), (DealState.CLOSED, True), (DealState.CLOSED, False)}


def test_a_market_without_an_abort_fee_takes_it_from_nobody() -> None:
    run = bonded_run(with_flow(make_spec(), TAKING), abort_fee=0)
    assert settle(run, trade(run), DealState.CLOSED) == {}


def test_a_settled_deal_pays_its_reward_and_costs_nothing() -> None:
    run = bonded_run(make_spec())
    outcome = trade(run)
    gained = settle(run, outcome, DealState.SETTLED)
    (row,) = outcome.rewards
    assert row.amount > 0
    assert gained[solver_account("greedy")] == row.amount
    account = run.engine.solvers.of("greedy")
    assert (account.settled, account.aborted, account.rewards) == (len(outcome.deals), 0, row.amount)
    assert run.engine.bond_of("greedy") == BOND
