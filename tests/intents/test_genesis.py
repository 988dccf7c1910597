"""Founding a market, and reopening it only as what it was founded."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chains.reference import reference_world
from chains.units import MICRO
from chains.world_file import encode_world
from intents.errors import TermsError
from intents.genesis import check_same_market, found_market
from intents.service import Service, open_service
from intents.settings import Settings
from solvers.auction import Rules
from tests.services import make_settings, open_small_service, run_service
from tests.worlds import START_US, make_spec


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 1}, "seed"),
        ({"chain_id": 1}, "chain_id"),
        ({"round_us": 20_000_000}, "round_us"),
        ({"faucet_max": 0}, "faucet_max"),
        ({"bond": 5}, "bond"),
        ({"abort_fee": 5}, "abort_fee"),
        ({"rules": Rules(fee_per_lot=1)}, "rules"),
        ({"world": "reference"}, "world"),
    ],
)
def test_a_market_is_not_reopened_with_other_terms(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    async def nothing(_: Service) -> None:
        pass

    run_service(tmp_path, nothing)
    with pytest.raises(TermsError, match=said):
        open_small_service(tmp_path, **changes)
    run_service(tmp_path, nothing, port=9_999, host="0.0.0.0")


def test_a_world_that_has_expired_is_moved_and_one_that_has_not_is_kept(tmp_path: Path) -> None:
    later_us = START_US + 365 * 86_400 * MICRO
    kept = open_small_service(tmp_path)
    assert encode_world(kept.market.engine.genesis.spec) == encode_world(make_spec())
    asyncio.run(kept.close())
    (tmp_path / "market.db").unlink()
    moved = open_service(make_settings(tmp_path), simulated_start_us=later_us)
    expiries = [series.expiry * MICRO for series in moved.market.engine.world.snapshot().series]
    assert min(expiries) > later_us
    assert moved.now_us() == later_us
    asyncio.run(moved.close())


def test_the_reference_world_starts_where_the_market_does() -> None:
    genesis = found_market(Settings(seed=3), start_us=START_US)
    assert (genesis.at_us, genesis.seed, genesis.spec.start_us) == (START_US, 3, START_US)
    assert genesis.spec == reference_world(seed=3, start_us=START_US)
    assert genesis.terms.verifying_contract == genesis.terms.verifying_contract.lower()
    check_same_market(genesis, Settings(seed=3))
