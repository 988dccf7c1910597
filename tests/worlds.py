"""Small hand-made worlds and deals for tests of `chains`.

The default world: hub ``hub`` (1 s blocks, 1 s finality), ``east`` (2 s, 4 s, relay 0.5 s), ``west``
(250 ms, 1 s, relay 0.25 s) and ``slow`` (60 s blocks), a bridge ``<source>-<target>`` for every ordered
pair of the first three, one book ``<chain>-book`` per chain, three series, no outside flow.
"""

from collections.abc import Iterable
from itertools import permutations
from typing import Any

import msgspec

from chains.commit import DealPlan, LegPlan
from chains.deadlines import Deadlines
from chains.ledger import Transfer, bridge_account, deal_account, owner_account, venue_account
from chains.snapshot import BridgeTerms, ChainTerms
from chains.units import MICRO, USDC
from chains.venues import Flow
from chains.venues.order_book import Level, OrderBookSpec
from chains.world import World
from chains.world_file import Forward, SeriesListing, WorldSpec

CALL = "BTC-26JUN26-100000-C"
PUT = "BTC-26JUN26-100000-P"
LATER = "BTC-25SEP26-110000-C"

START_US = 1_777_593_600 * MICRO
"""2026-05-01 00:00 UTC, a block of every chain here."""

JUNE_US = 1_782_460_800 * MICRO
"""26 June 2026 08:00 UTC."""

NO_FLOW = Flow(mean_gap_us=0)
ALICE = "0x" + "a1" * 20

_CLOCKS = {
    "hub": (1_000_000, 1_000_000, 0),
    "east": (2_000_000, 4_000_000, 500_000),
    "west": (250_000, 1_000_000, 250_000),
    "slow": (60_000_000, 100_000_000, 500_000),
}


def make_book(chain: str, levels: Iterable[tuple[str, str, int, int]], **changes: Any) -> OrderBookSpec:
    terms: dict[str, Any] = {
        "id": f"{chain}-book",
        "fee_touch": 50,
        "fee_per_lot": 5,
        "max_lock_us": 600 * MICRO,
        "flow": NO_FLOW,
        "levels": tuple(
            Level(series=series, side=side, price=price, lots=lots) for series, side, price, lots in levels
        ),
    }
    return OrderBookSpec(chain=chain, **terms | changes)


def default_levels() -> list[tuple[str, str, int, int]]:
    return [
        (CALL, "sell", 7_000_000, 40),
        (CALL, "sell", 7_500_000, 100),
        (CALL, "buy", 6_500_000, 30),
        (PUT, "sell", 5_000_000, 50),
        (PUT, "buy", 4_000_000, 20),
        (LATER, "buy", 9_000_000, 10),
    ]


def make_spec(**changes: Any) -> WorldSpec:
    """The default world file; give any field of it."""
    terms: dict[str, Any] = {
        "name": "small",
        "provenance": "made by hand",
        "start_us": START_US,
        "hub": "hub",
        "chains": tuple(
            ChainTerms(
                id=name,
                block_us=block_us,
                finality_us=finality_us,
                relay_us=relay_us,
                settle_fee_leg=100,
                settle_fee_fill=10,
                deal_fee=1_000,
            )
            for name, (block_us, finality_us, relay_us) in _CLOCKS.items()
        ),
        "bridges": tuple(
            BridgeTerms(
                id=f"{source}-{target}",
                source=source,
                target=target,
                fee_fixed=5_000,
                fee_cash_bps=10,
                fee_per_lot=20,
                latency_us=10_000_000,
                capacity_cash=10**9,
                capacity_lots=100,
            )
            for source, target in permutations(("hub", "east", "west"), 2)
        ),
        "venues": tuple(make_book(name, default_levels()) for name in _CLOCKS),
        "series": tuple(
            SeriesListing(id=name, iv_bps=iv) for name, iv in ((CALL, 6_000), (PUT, 6_200), (LATER, 6_500))
        ),
        "forwards": (
            Forward(underlying="BTC", expiry=JUNE_US // MICRO, price=100_500 * MICRO),
            Forward(underlying="BTC", expiry=1_790_323_200, price=102_000 * MICRO),
        ),
    }
    return WorldSpec(**terms | changes)


def with_flow(spec: WorldSpec, flow: Flow) -> WorldSpec:
    venues = tuple(msgspec.structs.replace(venue, flow=flow) for venue in spec.venues)
    return msgspec.structs.replace(spec, venues=venues)


def make_world(spec: WorldSpec | None = None, *, seed: int = 0) -> World:
    return World(spec or make_spec(), seed=seed, start_us=START_US)


def make_deadlines(*, decide_after_us: int = 60_000_000) -> Deadlines:
    decide_by = START_US + decide_after_us
    return Deadlines(
        lock_by_us=decide_by - 1_000_000, decide_by_us=decide_by, release_by_us=decide_by + 60_000_000
    )


def move(debit: str, credit: str, asset: str, amount: int) -> Transfer:
    return Transfer(debit=debit, credit=credit, asset=asset, amount=amount)


def make_plan(deal: str, lots: dict[str, dict[str, int]], **changes: Any) -> DealPlan:
    """A deal that locks lots by chain and offer, and moves no cash."""
    terms: dict[str, Any] = {
        "legs": tuple(
            LegPlan(chain=chain, transfers=(), lots=tuple(offers.items())) for chain, offers in lots.items()
        ),
        "bridges": (),
        "deadlines": make_deadlines(),
    }
    return DealPlan(deal=deal, **terms | changes)


def three_chain_plan(deal: str = "deal-1", *, lots: int = 10, **changes: Any) -> DealPlan:
    """Alice, on the hub, buys calls east and puts west: cash goes out over bridges, lots come back."""
    clearing, owner = deal_account(deal), owner_account(ALICE)
    call_cost, put_cost = 7_000_000 * lots, 5_000_000 * lots
    out_east, out_west = bridge_account("hub-east"), bridge_account("hub-west")
    back_east, back_west = bridge_account("east-hub"), bridge_account("west-hub")
    hub = LegPlan(
        chain="hub",
        transfers=(
            move(owner, clearing, USDC, call_cost + put_cost),
            move(clearing, out_east, USDC, call_cost),
            move(clearing, out_west, USDC, put_cost),
            move(back_east, clearing, CALL, lots),
            move(back_west, clearing, PUT, lots),
            move(clearing, owner, CALL, lots),
            move(clearing, owner, PUT, lots),
        ),
        lots=(),
    )
    terms: dict[str, Any] = {
        "legs": (
            hub,
            _away(clearing, "east", CALL, cost=call_cost, lots=lots, price=7_000_000),
            _away(clearing, "west", PUT, cost=put_cost, lots=lots, price=5_000_000),
        ),
        "bridges": (
            ("hub-east", USDC, call_cost),
            ("hub-west", USDC, put_cost),
            ("east-hub", CALL, lots),
            ("west-hub", PUT, lots),
        ),
        "deadlines": make_deadlines(),
    }
    return DealPlan(deal=deal, **terms | changes)


def _away(clearing: str, chain: str, series: str, *, cost: int, lots: int, price: int) -> LegPlan:
    venue = venue_account(f"{chain}-book")
    return LegPlan(
        chain=chain,
        transfers=(
            move(bridge_account(f"hub-{chain}"), clearing, USDC, cost),
            move(clearing, venue, USDC, cost),
            move(venue, clearing, series, lots),
            move(clearing, bridge_account(f"{chain}-hub"), series, lots),
        ),
        lots=((f"{chain}-book/{series}/sell/{price}", lots),),
    )


def free_lots(world: World) -> dict[str, int]:
    """Lots on offer in a snapshot, by offer."""
    return {offer.id: offer.lots for offer in world.snapshot().offers}
