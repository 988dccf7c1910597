"""Bonds: posted once by whoever takes part, and the end of those that are used up."""

import asyncio
from pathlib import Path

import pytest

from chains.ledger import OUTSIDE, RESERVE, Transfer, bond_account
from chains.units import USDC
from intents.bonds import missing_bonds, without_bond
from intents.engine import BROUGHT_MAX, DEPOSITS_MAX
from intents.errors import EngineError
from intents.events import BondPosted
from intents.refusals import Code, Refused
from intents.service import Service
from solvers.outcome import HOUSE
from solvers.reasons import SolverReason
from tests.market_run import MarketRun, make_genesis, small_run, state_of, violations
from tests.services import events_of, give_funds, open_small_service, post_signed
from tests.worlds import START_US, make_spec

BOND = 1_000_000_000


def post_bond(run: MarketRun, solver: str, amount: int) -> Refused | None:
    return run.handle(BondPosted(at_us=run.now_us, solver=solver, amount=amount))


def spend_bond(service: Service, solver: str) -> None:
    """As if penalties had taken all of it."""
    engine = service.market.engine
    left = Transfer(debit=bond_account(solver), credit=RESERVE, asset=USDC, amount=engine.bond_of(solver))
    engine.world.transfer("hub", [left])


def test_a_bond_comes_from_outside_to_the_hub_and_adds_up() -> None:
    run = small_run()
    hub = run.engine.world.ledgers["hub"]
    given = hub.balance(OUTSIDE, USDC)
    for amount, bond in ((7, 7), (5, 12)):
        assert post_bond(run, "greedy", amount) is None
        assert run.engine.bond_of("greedy") == hub.balance("bond:greedy", USDC) == bond
        assert hub.balance(OUTSIDE, USDC) == given - bond
        assert run.engine.solvers.of("greedy").bonded == bond
    assert not violations(run)


def test_a_hub_that_is_full_of_deposits_still_takes_bonds() -> None:
    run = MarketRun(make_genesis(make_spec(), at_us=START_US, faucet_max=DEPOSITS_MAX))
    run.deposit("0x" + "a1" * 20, "hub", USDC, DEPOSITS_MAX)
    assert post_bond(run, "greedy", 10**9) is None


def test_bonds_and_deposits_together_stay_within_the_wire() -> None:
    run = MarketRun(make_genesis(make_spec(), at_us=START_US, faucet_max=DEPOSITS_MAX))
    run.deposit("0x" + "a1" * 20, "hub", USDC, DEPOSITS_MAX)
    room = BROUGHT_MAX - DEPOSITS_MAX
    before = state_of(run.engine)
    answer = post_bond(run, "greedy", room + 1)
    assert isinstance(answer, Refused)
    assert (answer.code, answer.field, answer.value) == (Code.FAUCET_LIMIT, "amount", room + 1)
    assert state_of(run.engine) == before
    assert run.engine.solvers.of("greedy").bonded == 0
    assert without_bond(run.engine, ["greedy"]) == {
        "greedy": "its bond of 1000000000 micro-USDC was refused: the hub can hold no more"
    }
    assert post_bond(run, "greedy", room) is None
    assert without_bond(run.engine, ["greedy"]) == {}


def test_the_house_puts_up_no_bond() -> None:
    with pytest.raises(EngineError, match="house puts up no bond"):
        post_bond(small_run(), HOUSE, 5)


def test_every_solver_owes_one_bond_unless_the_market_asks_for_none() -> None:
    run = small_run()
    owed = missing_bonds(run.engine, ["joint", "greedy"], at_us=run.now_us)
    assert [(each.solver, each.amount) for each in owed] == [("greedy", BOND), ("joint", BOND)]
    run.must(owed[0])
    again = missing_bonds(run.engine, ["joint", "greedy"], at_us=run.now_us)
    assert [each.solver for each in again] == ["joint"]
    assert list(without_bond(run.engine, ["joint", "greedy"])) == ["joint"]
    free = small_run(bond=0)
    assert missing_bonds(free.engine, ["greedy"], at_us=free.now_us) == []
    assert without_bond(free.engine, ["greedy"]) == {}


def bonds_in(folder: Path) -> list[tuple[str, int]]:
    return [(event.solver, event.amount) for event in events_of(folder) if isinstance(event, BondPosted)]


def test_bonds_are_posted_before_the_first_round_and_once_over_restarts(tmp_path: Path) -> None:
    async def start(*solvers: str) -> None:
        async with open_small_service(tmp_path, solvers=solvers, bond=77) as service:
            assert {service.market.engine.bond_of(solver) for solver in solvers} == {77}
            assert service.market.engine.round_number == 0

    asyncio.run(start("single"))
    assert bonds_in(tmp_path) == [("single", 77)]
    asyncio.run(start("single"))
    assert bonds_in(tmp_path) == [("single", 77)]
    asyncio.run(start("greedy", "single"))
    assert bonds_in(tmp_path) == [("single", 77), ("greedy", 77)]


def test_a_solver_whose_bond_is_used_up_is_not_asked_and_not_given_another(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_small_service(tmp_path, solvers=("greedy", "single")) as service:
            await give_funds(service)
            await post_signed(service, 1)
            spend_bond(service, "greedy")
            summary = await service.run_round()
            decided = service.find_decided(summary.auction)
            assert decided is not None
            reports = {report.solver: report for report in decided.outcome.solvers}
            assert reports["greedy"].reason == SolverReason.BOND_EXHAUSTED
            assert "of the bond of 1000000000 micro-USDC" in reports["greedy"].detail
            assert reports["single"].reason == SolverReason.FINISHED
            senders = {each.solver for each in decided.submissions}
            assert "single" in senders
            assert "greedy" not in senders

    asyncio.run(story())
    assert sorted(bonds_in(tmp_path)) == [("greedy", BOND), ("single", BOND)]
