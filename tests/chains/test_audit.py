"""Each invariant of `chains.audit` broken alone, behind the world's back, and found."""

from collections.abc import Callable

import pytest

from chains.audit import audit_world
from chains.commit import LegState
from chains.ledger import bridge_account, owner_account
from chains.units import USDC
from chains.world import World
from tests.worlds import ALICE, CALL, START_US, make_world, move, three_chain_plan

ASK = f"east-book/{CALL}/sell/7000000"


def busy() -> World:
    """One deal settled, another locked on every chain."""
    world = make_world()
    world.deposit(ALICE, "hub", USDC, 10**9)
    world.prepare(three_chain_plan("deal-1"))
    world.advance(START_US + 20_000_000)
    world.prepare(three_chain_plan("deal-2"))
    world.advance(START_US + 24_000_000)
    assert {leg.state for leg in world.deals["deal-2"].legs.values()} == {LegState.LOCKED}
    return world


def test_a_sound_world_has_nothing_to_report_at_any_instant() -> None:
    world = make_world()
    world.deposit(ALICE, "hub", USDC, 10**9)
    world.prepare(three_chain_plan())
    for step in range(1, 130):
        world.advance(START_US + step * 250_000)
        assert world.audit() == []


def owe(world: World) -> None:
    world.ledgers["hub"]._balances[owner_account(ALICE)][USDC] -= 10**10


def mint(world: World) -> None:
    world.ledgers["hub"].record([move(bridge_account("east-hub"), owner_account(ALICE), CALL, 1)])


def lock_twice(world: World) -> None:
    assert world._venues["east-book"].lock(ASK, 1)


def forget_batch(world: World) -> None:
    world.ledgers["east"].void("deal-2")


def split_decision(world: World) -> None:
    world.deals["deal-1"].legs["east"].leg.state = LegState.REFUNDED


def overuse_bridge(world: World) -> None:
    world._settling.bridges.pledge([("hub-west", USDC, 10**9)])


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (owe, "hub: USDC sums to -10000000000"),
        (owe, f"hub: owner:{ALICE} has -"),
        (mint, f"bridge east-hub: custody and minted {CALL} differ by -1"),
        (lock_twice, f"{ASK}: 11 lots locked, deals have 10"),
        (forget_batch, "east: deal deal-2 is locked or pending, but not both"),
        (split_decision, "deal deal-1: one leg was released and another refunded"),
        (overuse_bridge, "bridge hub-west:"),
    ],
)
def test_each_broken_invariant_is_reported(damage: Callable[[World], None], found: str) -> None:
    world = busy()
    assert (
        audit_world(spec=world.spec, ledgers=world.ledgers, venues=world._venues, settling=world._settling)
        == []
    )
    damage(world)
    assert any(line.startswith(found) for line in world.audit()), world.audit()
