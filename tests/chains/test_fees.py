from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chains.fees import bridge_fee, settlement_fee, venue_fee
from chains.snapshot import BridgeTerms, ChainTerms, VenueTerms

BRIDGE = BridgeTerms(
    id="a-b",
    source="a",
    target="b",
    fee_fixed=1_000,
    fee_cash_bps=7,
    fee_per_lot=20,
    latency_us=1,
    capacity_cash=10**12,
    capacity_lots=1_000,
)
VENUE = VenueTerms(
    id="v", chain="a", kind="order_book", fee_touch=500, fee_per_lot=30, as_of_us=0, max_lock_us=1
)
CHAIN = ChainTerms(
    id="a", block_us=1, finality_us=0, relay_us=0, settle_fee_leg=100, settle_fee_fill=10, deal_fee=1_000
)

amounts = st.integers(0, 10**15)


@given(amounts, amounts)
def test_a_bridge_takes_its_share_of_cash_rounded_up(cash: int, lots: int) -> None:
    fee = bridge_fee(BRIDGE, cash=cash, lots=lots)
    if cash or lots:
        exact = 1_000 + Fraction(cash * 7, 10_000) + 20 * lots
        assert 0 <= fee - exact < 1
    else:
        assert fee == 0


@given(amounts, amounts, amounts, amounts)
def test_one_crossing_never_costs_more_than_two(cash: int, lots: int, more_cash: int, more_lots: int) -> None:
    together = bridge_fee(BRIDGE, cash=cash + more_cash, lots=lots + more_lots)
    apart = bridge_fee(BRIDGE, cash=cash, lots=lots) + bridge_fee(BRIDGE, cash=more_cash, lots=more_lots)
    assert together <= apart


def test_the_smallest_cash_pays_a_whole_micro() -> None:
    assert bridge_fee(replace(BRIDGE, fee_fixed=0), cash=1, lots=0) == 1


@pytest.mark.parametrize(("lots", "fee"), [(0, 0), (1, 530), (10, 800)])
def test_a_venue_takes_its_touch_once_and_only_if_used(lots: int, fee: int) -> None:
    assert venue_fee(VENUE, lots=lots) == fee


@pytest.mark.parametrize(
    ("given_", "fee"),
    [
        ({"fills": 0, "alone": True}, 100),
        ({"fills": 3, "alone": True}, 130),
        ({"fills": 0, "alone": False}, 1_100),
        ({"fills": 3, "alone": False}, 1_130),
    ],
)
def test_settling_costs_the_leg_its_fills_and_the_deal_if_over_several_chains(
    given_: dict[str, Any], fee: int
) -> None:
    assert settlement_fee(CHAIN, **given_) == fee
