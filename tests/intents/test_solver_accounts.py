import pytest

from intents.errors import EngineError
from intents.solver_accounts import SolverAccount, SolverAccounts
from solvers.bid import Bid
from solvers.outcome import ChainAmount, Deal
from tests.builders import make_bid


def make_deal(deal: str, *, solver: str = "ann", reward: tuple[int, ...] = ()) -> Deal:
    chains = ("east", "hub")
    return Deal(
        deal=deal,
        solver=solver,
        bid="bid",
        digest="0" * 64,
        score=0,
        lock_by_us=1,
        decide_by_us=2,
        release_by_us=3,
        chains=chains,
        fills=(),
        prices=(),
        reserve=(),
        reward=tuple(
            ChainAmount(chain=chain, amount=amount) for chain, amount in zip(chains, reward, strict=False)
        ),
    )


def with_fees(**fees: int) -> Bid:
    return make_bid({"order": 1}, fee=fees)


def test_fees_and_rewards_are_earned_when_a_deal_settles_and_not_before() -> None:
    accounts = SolverAccounts()
    accounts.begin(make_deal("one", reward=(3, 4)), with_fees(hub=10, east=20))
    accounts.begin(make_deal("two", reward=(50,)), with_fees(hub=100))
    assert accounts.of("ann") == SolverAccount(fees_asked=130)
    accounts.settle("one")
    assert accounts.of("ann") == SolverAccount(settled=1, fees_asked=130, fees=30, rewards=7)
    accounts.settle("two")
    assert accounts.of("ann") == SolverAccount(settled=2, fees_asked=130, fees=130, rewards=57)


def test_an_aborted_deal_earns_nothing_and_is_handed_back_for_its_penalty() -> None:
    accounts = SolverAccounts()
    deal = make_deal("one", reward=(3,))
    accounts.begin(deal, with_fees(hub=10))
    assert accounts.abort("one") == deal
    accounts.penalise("ann", 5)
    accounts.penalise("ann", 6)
    assert accounts.of("ann") == SolverAccount(aborted=1, fees_asked=10, penalties=11)


def test_bonds_add_up_and_every_solver_has_its_own_account() -> None:
    accounts = SolverAccounts()
    accounts.post_bond("ben", 7)
    accounts.begin(make_deal("one", solver="ann"), with_fees())
    accounts.post_bond("ben", 1)
    accounts.settle("one")
    assert list(accounts.all) == ["ben", "ann"]
    assert accounts.of("ben") == SolverAccount(bonded=8)
    assert accounts.of("ann") == SolverAccount(settled=1)
    assert accounts.of("zoe") == SolverAccount()
    assert "zoe" not in accounts.all


def test_a_deal_ends_once() -> None:
    accounts = SolverAccounts()
    accounts.begin(make_deal("one"), with_fees())
    accounts.settle("one")
    for end in (accounts.settle, accounts.abort):
        with pytest.raises(EngineError, match="one is not in settlement"):
            end("one")
