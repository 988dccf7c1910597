from collections import Counter

import pytest

from chains.deadlines import deal_deadlines
from chains.network import (
    BOOKS,
    BRIDGES,
    CHAINS,
    HUB,
    MAKERS,
    MAX_LOCK_US,
    POOLS,
    MakerFigures,
    bridge_terms,
    chain_terms,
)
from chains.units import MICRO
from solvers.auction import Rules


def test_figures_become_terms_in_microseconds_and_micro_usdc() -> None:
    base = next(chain for chain in chain_terms() if chain.id == "base")
    assert (base.block_us, base.finality_us, base.relay_us) == (2_000_000, 8_000_000, 400_000)
    bridge = next(bridge for bridge in bridge_terms() if bridge.id == "hub-base")
    assert (bridge.source, bridge.target, bridge.latency_us) == (HUB, "base", 10_000_000)
    assert (bridge.capacity_cash, bridge.capacity_lots) == (250_000 * MICRO, 20_000)


def test_every_chain_has_venues_and_every_bridge_has_its_way_back() -> None:
    ids = {chain.id for chain in CHAINS}
    venues = [*BOOKS, *(each.quoter for each in (*POOLS, *MAKERS))]
    assert {venue.chain for venue in venues} == ids
    assert Counter(venue.id for venue in venues).most_common(1)[0][1] == 1
    ways = {(bridge.source, bridge.target) for bridge in BRIDGES}
    assert ways == {(target, source) for source, target in ways}


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.quoter.id)
def test_a_quote_that_was_just_made_stays_firm_for_a_deal_with_another_fast_chain(
    maker: MakerFigures,
) -> None:
    chains = {chain.id: chain for chain in chain_terms()}
    rules = Rules()
    deadlines = deal_deadlines(
        [chains[maker.quoter.chain], chains["arbitrum"]],
        hub=chains[HUB],
        timing=rules.timing,
        now_us=0,
    )
    # A quote is up to quote_s old at the cut, and the round has its window before deals are prepared.
    slack_us = (maker.quote_s + 3) * MICRO
    assert deadlines.decide_by_us + slack_us < maker.firm_s * MICRO
    assert maker.firm_s * MICRO <= MAX_LOCK_US
