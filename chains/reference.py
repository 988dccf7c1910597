"""The reference world: a real option chain on six simulated app-chains.

**The book.** The whole chain of Deribit BTC options of 2020-05-21 23:19Z, at full depth: 326 series,
7 expiries, 2,927 levels, kept with its provenance in ``data/btc_2020-05-21.json``. No row is left out:
no series is crossed, and 15 series have marks but no levels. The figures are inverse (prices in BTC per
1 BTC of options) and are turned into linear USDC with the forward of the same row, which is exact
because both pay the same in USD at expiry. With the price in 1e-4 BTC, the forward in USD cents and a
lot of 0.01 BTC,

    price per lot in micro-USDC = price * forward / 100     sells rounded up, buys down
    lots                        = size in tenths of 1 BTC * 10

Volatilities are the source's marks. The forward of an expiry is the lower median of its rows, since
rows are up to 2 min 42 s apart. Expiries are shifted by whole days (`shift_expiries`).

**The split.** Each source level goes whole to exactly one venue, so all venues together are exactly
the source book. A venue lists a series with some probability if it lies in its field: tenors, kinds
and moneyness as in `VENUES`; series that no venue lists go to the first venue. Then every level goes
to one of the venues that list its series, all with the same chance. One numpy PCG64 generator with
the given seed makes all draws, venue by venue over the series in source order, then level by level
(buys first, best first). So strikes next to each other can often be had at one venue, at a price,
while the best prices of a package's legs lie on several venues and chains.

**The network.** Block times and finality are published figures (the fast finality that bridges use:
Circle CCTP confirmations for Arbitrum, Base and Solana, Starknet's chain information, Hyperliquid's
and CometBFT's single block; a CometBFT proof needs the next header, hence one block). Relay times,
fees, latencies and capacities are scenario inputs of a plausible size: public fee pages disagree by
factors of 10 to 100.
"""

from collections.abc import Iterable, Iterator
from importlib import resources
from typing import Final, NamedTuple

import msgspec
import numpy as np

from chains.series import Series, parse_series
from chains.snapshot import BridgeTerms, ChainTerms
from chains.units import MICRO, ceil_div, floor_div
from chains.venues.order_book import Level, OrderBookSpec
from chains.world_file import Forward, Listing, SeriesListing, WorldSpec, shift_expiries

SOURCE_FILE: Final = "btc_2020-05-21.json"
HUB: Final = "hub"
_DAY_S: Final = 86_400
_CENT: Final = 10_000
"""Micro-USDC per cent."""


class ChainFigures(NamedTuple):
    """One chain of the reference network; times in milliseconds, fee in micro-USDC."""

    id: str
    block_ms: int
    finality_ms: int
    relay_ms: int
    settle_fee_leg: int


class BridgeFigures(NamedTuple):
    """One directed bridge; fees in micro-USDC and bps, latency in seconds, capacity in USDC and lots."""

    source: str
    target: str
    fee_fixed: int
    fee_cash_bps: int
    fee_per_lot: int
    latency_s: int
    capacity_usdc: int
    capacity_lots: int


class VenueFigures(NamedTuple):
    """One venue: its field, the chance that it lists a series of its field, and fees in micro-USDC.

    A field is a half-open range of days to expiry at the source, kinds, and the distance of the strike
    from the forward, in percent of the forward: at least `far`, at most `near`.
    """

    id: str
    chain: str
    tenor_days: tuple[int, int]
    kinds: str
    far: int
    near: int
    listed_percent: int
    fee_touch: int
    fee_per_lot: int


CHAINS: Final = (
    ChainFigures(HUB, 1_000, 1_000, 0, 5_000),
    ChainFigures("arbitrum", 250, 8_000, 400, 15_000),
    ChainFigures("base", 2_000, 8_000, 400, 15_000),
    ChainFigures("hypercore", 70, 70, 300, 5_000),
    ChainFigures("solana", 400, 13_000, 500, 10_000),
    ChainFigures("starknet", 2_000, 20_000, 800, 40_000),
)

BRIDGES: Final = (
    BridgeFigures(HUB, "arbitrum", 60_000, 1, 1_000, 10, 250_000, 20_000),
    BridgeFigures("arbitrum", HUB, 50_000, 1, 1_000, 10, 250_000, 20_000),
    BridgeFigures(HUB, "base", 60_000, 1, 1_000, 10, 250_000, 20_000),
    BridgeFigures("base", HUB, 50_000, 1, 1_000, 10, 250_000, 20_000),
    BridgeFigures(HUB, "hypercore", 20_000, 0, 500, 3, 500_000, 40_000),
    BridgeFigures("hypercore", HUB, 40_000, 0, 500, 3, 500_000, 40_000),
    BridgeFigures(HUB, "solana", 80_000, 2, 1_500, 15, 150_000, 15_000),
    BridgeFigures("solana", HUB, 80_000, 2, 1_500, 15, 150_000, 15_000),
    BridgeFigures(HUB, "starknet", 150_000, 3, 2_000, 30, 80_000, 8_000),
    BridgeFigures("starknet", HUB, 200_000, 3, 2_000, 30, 80_000, 8_000),
    BridgeFigures("arbitrum", "base", 30_000, 1, 800, 5, 100_000, 10_000),
    BridgeFigures("base", "arbitrum", 30_000, 1, 800, 5, 100_000, 10_000),
    BridgeFigures("arbitrum", "hypercore", 40_000, 0, 1_000, 8, 200_000, 15_000),
    BridgeFigures("hypercore", "arbitrum", 600_000, 0, 1_000, 8, 200_000, 15_000),
    BridgeFigures("base", "solana", 200_000, 4, 2_000, 20, 60_000, 6_000),
    BridgeFigures("solana", "base", 180_000, 4, 2_000, 20, 60_000, 6_000),
    BridgeFigures("arbitrum", "starknet", 350_000, 8, 3_000, 20, 40_000, 4_000),
    BridgeFigures("starknet", "arbitrum", 400_000, 8, 3_000, 20, 40_000, 4_000),
)

VENUES: Final = (
    VenueFigures("hub-main", HUB, (0, 365), "CP", 0, 999, 40, 100_000, 20_000),
    VenueFigures("arbitrum-calls", "arbitrum", (0, 365), "C", 0, 999, 50, 60_000, 20_000),
    VenueFigures("arbitrum-weekly", "arbitrum", (5, 40), "CP", 0, 25, 45, 80_000, 15_000),
    VenueFigures("base-puts", "base", (0, 365), "P", 0, 999, 50, 60_000, 20_000),
    VenueFigures("base-monthly", "base", (10, 130), "CP", 0, 60, 45, 50_000, 25_000),
    VenueFigures("hypercore-front", "hypercore", (0, 10), "CP", 0, 999, 50, 10_000, 10_000),
    VenueFigures("hypercore-wings", "hypercore", (0, 365), "CP", 15, 999, 40, 20_000, 12_000),
    VenueFigures("solana-near", "solana", (0, 60), "CP", 0, 15, 50, 20_000, 15_000),
    VenueFigures("solana-long", "solana", (30, 365), "CP", 0, 999, 40, 40_000, 20_000),
    VenueFigures("starknet-far", "starknet", (100, 365), "CP", 0, 999, 50, 200_000, 30_000),
)

MAX_LOCK_US: Final = 120 * MICRO


class SourceRow(NamedTuple):
    """One series of the source, as in the data file; levels are (price in 1e-4 BTC, tenths of 1 BTC)."""

    series: str
    iv_bps: int
    forward_cents: int
    buys: tuple[tuple[int, int], ...]
    sells: tuple[tuple[int, int], ...]


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The data file."""

    provenance: str
    taken_us: int
    columns: tuple[str, ...]
    rows: tuple[SourceRow, ...]


def read_source() -> Source:
    """The option chain that ships in the package."""
    data = resources.files("chains").joinpath("data", SOURCE_FILE).read_bytes()
    return msgspec.json.decode(data, type=Source)


def source_levels(rows: Iterable[SourceRow]) -> Iterator[Level]:
    """The source book in linear USDC, in source order: micro-USDC per lot, and lots."""
    for row in rows:
        for price, tenths in row.buys:
            usdc = floor_div(price * row.forward_cents, 100)
            yield Level(series=row.series, side="buy", price=usdc, lots=tenths * 10)
        for price, tenths in row.sells:
            usdc = ceil_div(price * row.forward_cents, 100)
            yield Level(series=row.series, side="sell", price=usdc, lots=tenths * 10)


def reference_world(*, seed: int = 0, start_us: int) -> WorldSpec:
    """The reference world at a start; the seed decides only how the book is split over the venues."""
    source = read_source()
    parsed = {row.series: parse_series(row.series) for row in source.rows}
    forwards = _forwards(source.rows, parsed)
    books = _split(source, parsed, forwards, seed=seed)
    spec = WorldSpec(
        name="reference",
        provenance=source.provenance,
        start_us=source.taken_us,
        hub=HUB,
        chains=tuple(_chain(figures) for figures in CHAINS),
        bridges=tuple(_bridge(figures) for figures in BRIDGES),
        venues=tuple(_venue(figures, books[figures.id]) for figures in VENUES),
        series=tuple(SeriesListing(id=row.series, iv_bps=row.iv_bps) for row in source.rows),
        forwards=tuple(
            Forward(underlying="BTC", expiry=expiry, price=cents * _CENT)
            for expiry, cents in sorted(forwards.items())
        ),
        listing=Listing(roll_days=7),
    )
    return shift_expiries(spec, start_us=start_us)


def _forwards(rows: Iterable[SourceRow], parsed: dict[str, Series]) -> dict[int, int]:
    by_expiry: dict[int, list[int]] = {}
    for row in rows:
        by_expiry.setdefault(parsed[row.series].expiry, []).append(row.forward_cents)
    return {expiry: sorted(cents)[(len(cents) - 1) // 2] for expiry, cents in by_expiry.items()}


def _split(
    source: Source, parsed: dict[str, Series], forwards: dict[int, int], *, seed: int
) -> dict[str, list[Level]]:
    stream = np.random.Generator(np.random.PCG64(seed))
    listing: dict[str, list[str]] = {row.series: [] for row in source.rows}
    for venue in VENUES:
        for name, series in parsed.items():
            chosen = int(stream.integers(100)) < venue.listed_percent
            if chosen and _is_in_field(venue, series, forwards[series.expiry], source.taken_us):
                listing[name].append(venue.id)
    books: dict[str, list[Level]] = {venue.id: [] for venue in VENUES}
    for level in source_levels(source.rows):
        venues = listing[level.series] or [VENUES[0].id]
        books[venues[int(stream.integers(len(venues)))]].append(level)
    return books


def _is_in_field(venue: VenueFigures, series: Series, forward_cents: int, taken_us: int) -> bool:
    days = floor_div(series.expiry - taken_us // MICRO, _DAY_S)
    distance = abs(series.strike * 100 - forward_cents) * 100
    return (
        venue.tenor_days[0] <= days < venue.tenor_days[1]
        and series.kind.value in venue.kinds
        and venue.far * forward_cents <= distance <= venue.near * forward_cents
    )


def _chain(figures: ChainFigures) -> ChainTerms:
    return ChainTerms(
        id=figures.id,
        block_us=figures.block_ms * 1_000,
        finality_us=figures.finality_ms * 1_000,
        relay_us=figures.relay_ms * 1_000,
        settle_fee_leg=figures.settle_fee_leg,
        settle_fee_fill=2_000,
        deal_fee=10_000,
    )


def _bridge(figures: BridgeFigures) -> BridgeTerms:
    return BridgeTerms(
        id=f"{figures.source}-{figures.target}",
        source=figures.source,
        target=figures.target,
        fee_fixed=figures.fee_fixed,
        fee_cash_bps=figures.fee_cash_bps,
        fee_per_lot=figures.fee_per_lot,
        latency_us=figures.latency_s * MICRO,
        capacity_cash=figures.capacity_usdc * MICRO,
        capacity_lots=figures.capacity_lots,
    )


def _venue(figures: VenueFigures, levels: list[Level]) -> OrderBookSpec:
    return OrderBookSpec(
        id=figures.id,
        chain=figures.chain,
        fee_touch=figures.fee_touch,
        fee_per_lot=figures.fee_per_lot,
        max_lock_us=MAX_LOCK_US,
        levels=tuple(levels),
    )
