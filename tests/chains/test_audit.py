"""Each invariant of `chains.audit` broken alone, behind the world's back, and found."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from chains.audit import audit_world
from chains.commit import LegState
from chains.ledger import OUTSIDE, bridge_account, owner_account, stock_account
from chains.units import USDC
from chains.world import World
from tests.venue_specs import make_maker, make_pool, make_quote, make_stock
from tests.worlds import ALICE, CALL, START_US, make_spec, make_world, move, three_chain_plan

ASK = f"east-book/{CALL}/sell/7000000"


def busy() -> World:
    """One deal settled, another locked on every chain; stock on offer."""
    spec = make_spec()
    others = (
        make_pool("east", [(CALL, 400, 20, 10)]),
        make_maker("west", [(CALL, 50, 30)]),
        make_stock("hub", {CALL: 7}),
    )
    world = make_world(replace(spec, venues=(*spec.venues, *others)))
    assert world.quote_stock("hub-stock", [make_quote(CALL, "sell", 5, 7)]) == ""
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
    assert world._venues["east-book"].lock(ASK, 1, now_us=world.now_us) == ""


def forget_batch(world: World) -> None:
    world.ledgers["east"].void("deal-2")


def split_decision(world: World) -> None:
    world.deals["deal-1"].legs["east"].leg.state = LegState.REFUNDED


def lock_of_a_pool(world: World) -> None:
    offer = next(each for each in world.snapshot().offers if each.venue == "east-pool")
    assert world._venues["east-pool"].lock(offer.id, 1, now_us=world.now_us) == ""


def spend_stock(world: World) -> None:
    world.ledgers["hub"].record([move(stock_account("hub-stock"), OUTSIDE, CALL, 1)])


def oversell_a_cell(world: World) -> None:
    world._venues["east-pool"]._pools[CALL].cells[3].sold = 11


def risk_too_much(world: World) -> None:
    world._venues["west-rfq"]._sides[CALL, "buy"].traded = 31


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
        (lock_of_a_pool, f"east-pool/{CALL}/buy/1/"),
        (oversell_a_cell, f"east-pool/{CALL}/sell/3/"),
        (risk_too_much, f"west-rfq/{CALL}/buy/0: 30 lots, 31 traded"),
        (spend_stock, "stock:hub-stock: 7 BTC-26JUN26-100000-C promised, 6 available"),
    ],
)
def test_each_broken_invariant_is_reported(damage: Callable[[World], None], found: str) -> None:
    world = busy()
    sound = audit_world(
        spec=world.spec,
        ledgers=world.ledgers,
        venues=world._venues,
        settling=world._settling,
        stocks=world._stocks,
    )
    assert sound == []
    damage(world)
    assert any(line.startswith(found) for line in world.audit()), world.audit()
