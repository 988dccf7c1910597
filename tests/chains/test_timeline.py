"""What is expected of a deal is what the world's own clockwork does when nothing is in the way."""

import pytest

from chains.deadlines import Timing, deal_deadlines
from chains.timeline import expect_deal, next_block
from chains.units import USDC
from tests.worlds import (
    ALICE,
    CALL,
    START_US,
    make_deadlines,
    make_plan,
    make_spec,
    make_world,
    three_chain_plan,
)

CHAINS = {chain.id: chain for chain in make_spec().chains}
MILLISECOND = 1_000


def test_blocks_lie_at_the_multiples_of_the_block_time() -> None:
    east = CHAINS["east"]
    assert next_block(east, START_US - 1) == START_US
    assert next_block(east, START_US) == START_US + 2_000_000
    assert next_block(east, START_US + 1) == START_US + 2_000_000


@pytest.mark.parametrize("late_us", [0, 1, 250 * MILLISECOND, 999_999, 1_750 * MILLISECOND])
def test_a_deal_over_several_chains_takes_as_long_as_expected(late_us: int) -> None:
    world = make_world()
    world.deposit(ALICE, "hub", USDC, 10**9)
    world.advance(START_US + late_us)
    world.prepare(three_chain_plan())
    world.advance(START_US + 50_000_000)
    record = world.deals["deal-1"]
    touched = [CHAINS[name] for name in record.legs]
    expected = expect_deal(touched, hub=CHAINS["hub"], now_us=START_US + late_us)
    assert expected.released_us == max(leg.ended_us or 0 for leg in record.legs.values())
    assert expected.settled_us == record.ended_us
    assert expected.released_us < expected.final_us < expected.settled_us


@pytest.mark.parametrize("chain", ["hub", "east", "west"])
@pytest.mark.parametrize("late_us", [0, 1, 1_500 * MILLISECOND])
def test_a_deal_on_one_chain_takes_as_long_as_expected(chain: str, late_us: int) -> None:
    world = make_world()
    world.advance(START_US + late_us)
    offer = f"{chain}-book/{CALL}/sell/7000000"
    world.prepare(make_plan("deal-1", {chain: {offer: 1}}, deadlines=make_deadlines()))
    world.advance(START_US + 50_000_000)
    expected = expect_deal([CHAINS[chain]], hub=CHAINS["hub"], now_us=START_US + late_us)
    assert expected.released_us == expected.settled_us == world.deals["deal-1"].ended_us
    assert expected.final_us == expected.released_us + CHAINS[chain].finality_us


@pytest.mark.parametrize(
    "names", [["hub"], ["slow"], ["hub", "east"], ["east", "west"], ["hub", "east", "west", "slow"]]
)
def test_what_is_expected_lies_within_the_deadlines(names: list[str]) -> None:
    touched = [CHAINS[name] for name in names]
    timing = Timing(margin=(3, 2), outage_us=5_000_000, skew_us=500_000)
    for late_us in range(0, 60_000_000, 1_234_567):
        now_us = START_US + late_us
        expected = expect_deal(touched, hub=CHAINS["hub"], now_us=now_us)
        deadlines = deal_deadlines(touched, hub=CHAINS["hub"], timing=timing, now_us=now_us)
        assert expected.released_us <= deadlines.release_by_us
