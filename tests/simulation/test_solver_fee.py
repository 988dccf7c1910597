"""A solver's fee from the bid to its account: paid by the owners, only where the bid still wins."""

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

import msgspec
import pytest

from chains.commit import DealState
from chains.ledger import solver_account
from chains.units import MICRO, USDC
from solvers.auction import Auction
from solvers.bid import Bid, Fee
from solvers.outcome import Deal, Outcome
from solvers.reasons import BidReason
from solvers.reference import with_reference
from solvers.strategies.greedy import Greedy
from solvers.strategies.joint import Joint
from solvers.strategies.matching import Matching
from solvers.strategies.single import Single
from solvers.strategy import SolveContext, Strategy
from tests.market_run import ALICE, BOB, MarketRun, make_genesis, make_intent
from tests.random_auctions import random_auction
from tests.venue_specs import make_stock
from tests.worlds import CALL, START_US, make_spec

SURPLUS = 2 * 1_000_000
"""Alice would pay 6 USDC a lot, Bob takes 5: two units leave this much, less what settlement costs."""


class Charging:
    """`matching`, for a fee."""

    FEE: ClassVar[dict[str, int]] = {"hub": 300_000}

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
        fee = tuple(Fee(chain=chain, amount=amount) for chain, amount in self.FEE.items())
        for bid in Matching().solve(auction, context):
            yield msgspec.structs.replace(bid, fee=fee)


class Greedier(Charging):
    FEE: ClassVar[dict[str, int]] = {"hub": SURPLUS}


class Elsewhere(Charging):
    FEE: ClassVar[dict[str, int]] = {"west": 1}


def run_market(*, bob_on: str = "hub", **strategies: Strategy) -> MarketRun:
    """One round in which Alice buys what Bob sells; no venue offers anything."""
    run = MarketRun(
        make_genesis(make_spec(venues=(make_stock("hub", {USDC: 1}),)), at_us=START_US), strategies=strategies
    )
    for owner, chain in ((ALICE, "hub"), (BOB, bob_on)):
        run.deposit(owner, chain, USDC, 10_000 * MICRO)
        run.deposit(owner, chain, "BTC", 10**8)
    run.post(make_intent(ALICE, 1, {CALL: 1}, 6_000_000, units=2))
    run.post(make_intent(BOB, 1, {CALL: -1}, -5_000_000, units=2, chain=bob_on))
    run.round()
    run.settle_all()
    return run


def earned(run: MarketRun, solver: str) -> dict[str, int]:
    """What a solver's account has on each chain where it has anything."""
    found = {
        name: each.balance(solver_account(solver), USDC) for name, each in run.engine.world.ledgers.items()
    }
    return {chain: amount for chain, amount in found.items() if amount}


def fate(outcome: Outcome, solver: str) -> str:
    (record,) = (each for each in outcome.bids if each.solver == solver)
    return record.reason


def only_deal(run: MarketRun) -> Deal:
    (deal,) = run.deals.values()
    assert run.engine.world.deals[deal.deal].state is DealState.SETTLED
    return deal


def test_a_fee_arrives_whole_and_is_what_the_owners_pay_more() -> None:
    free, charged = run_market(solver=Matching()), run_market(solver=Charging())
    assert (only_deal(free).solver, only_deal(charged).solver) == ("solver", "solver")
    assert earned(charged, "solver") == {"hub": 300_000 + rewarded(charged)}
    assert only_deal(free).score - only_deal(charged).score == 300_000
    paid = {
        run: sum(fill.payment for fill in only_deal(run).fills)
        - sum(each.amount for each in only_deal(run).reserve)
        for run in (free, charged)
    }
    assert paid[charged] - paid[free] == 300_000


def rewarded(run: MarketRun) -> int:
    return sum(each.amount for each in only_deal(run).reward)


@pytest.mark.parametrize("bob_on", ["hub", "east"])
def test_no_money_is_made_or_lost(bob_on: str) -> None:
    run = run_market(bob_on=bob_on, solver=Charging())
    assert set(only_deal(run).chains) == {"hub", bob_on}
    got: Counter[str] = Counter()
    for ledger in run.engine.world.ledgers.values():
        for account in ledger.accounts():
            got[account.partition(":")[0]] += ledger.balance(account, USDC)
    assert sum(earned(run, "solver").values()) == 300_000 + rewarded(run)
    paid = sum(fill.payment for fill in only_deal(run).fills)
    assert got["fees"] + got["reserve"] + got["solver"] == paid
    assert (got["bridge"], got["deal"], sum(got.values())) == (0, 0, 0)
    assert run.engine.world.audit() == []


def test_a_rival_that_asks_less_wins_and_a_fee_that_is_not_earned_is_not_paid() -> None:
    run = run_market(charging=Charging(), modest=Matching())
    assert only_deal(run).solver == "modest"
    assert fate(run.outcomes[0], "charging") == BidReason.OUTBID
    assert earned(run, "charging") == {}


def test_a_fee_that_leaves_nothing_for_the_owners_is_infeasible() -> None:
    run = run_market(solver=Greedier())
    assert run.deals == {}
    assert fate(run.outcomes[0], "solver") == "infeasible:limit_exceeded"


def test_a_fee_where_nothing_happens_is_infeasible() -> None:
    run = run_market(solver=Elsewhere())
    assert fate(run.outcomes[0], "solver") == "infeasible:unknown_chain"


def test_a_fee_for_what_the_market_does_by_itself_is_above_the_reference() -> None:
    class Selling(Greedy):
        def solve(self, auction: Auction, context: SolveContext) -> Iterator[Bid]:
            for bid in super().solve(auction, context):
                yield msgspec.structs.replace(bid, fee=(Fee(chain="hub", amount=1_000),))

    run = MarketRun(make_genesis(make_spec(), at_us=START_US), strategies={"solver": Selling()})
    run.deposit(ALICE, "hub", USDC, 10_000 * MICRO)
    run.post(make_intent(ALICE, 1, {CALL: 1}, 8_000_000, units=2))
    run.round()
    assert fate(run.outcomes[0], "solver") == "infeasible:above_reference"
    assert [deal.solver for deal in run.deals.values()] == ["house"]


def test_no_built_in_strategy_asks_a_fee() -> None:
    strategies: dict[str, Strategy] = {
        "greedy": Greedy(),
        "joint": Joint(),
        "matching": Matching(),
        "single": Single(),
    }
    asked = 0
    for seed in range(6):
        auction, house = with_reference(random_auction(seed))
        assert not any(bid.fee for bid in house)
        for name, strategy in strategies.items():
            bids = list(strategy.solve(auction, SolveContext(solver=name, deadline_s=0.0, seed=0)))
            assert not any(bid.fee for bid in bids if isinstance(bid, Bid))
            asked += len(bids)
    assert asked > 0
