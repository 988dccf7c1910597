"""The figures of the reference network: chains, bridges, and the venues that a market is spread over.

Block times and finality are published figures (the fast finality that bridges use: Circle CCTP
confirmations for Arbitrum, Base and Solana, Starknet's chain information, Hyperliquid's and CometBFT's
single block; a CometBFT proof needs the next header, hence one block). Relay times, fees, latencies and
capacities are scenario inputs of a plausible size: public fee pages disagree by factors of 10 to 100.

A venue lists a series with some probability if it lies in the venue's *field*. Order books divide the
measured book among them. Pools and makers add depth of their own, as wide and as large as the measured
book is where they stand (`chains.calibration`), times the percentages given here.
"""

from typing import Final, NamedTuple

from chains.snapshot import BridgeTerms, ChainTerms
from chains.units import MICRO

HUB: Final = "hub"


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


class BookFigures(NamedTuple):
    """One order book: its field, the chance that it lists a series of its field, and fees in micro-USDC.

    Its field is a half-open range of days to expiry, kinds, and the distance of the strike from the
    forward, in percent of the forward: at least `far`, at most `near`.
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


class QuoterFigures(NamedTuple):
    """What a pool or a maker lists, and how its quotes compare with the measured book.

    Its field is half-open ranges of days to expiry and of the size of the delta, in percent.
    `lots_percent` and `spread_percent` multiply what is measured there.
    """

    id: str
    chain: str
    tenor_days: tuple[int, int]
    delta_percent: tuple[int, int]
    listed_percent: int
    lots_percent: int
    spread_percent: int
    fee_touch: int
    fee_per_lot: int


class PoolFigures(NamedTuple):
    """One range pool: its quotes, and when it follows the oracle."""

    quoter: QuoterFigures
    deviation_bps: int
    heartbeat_s: int


class MakerFigures(NamedTuple):
    """One RFQ maker: its quotes, how often it quotes anew, and for how long each quote is firm."""

    quoter: QuoterFigures
    quote_s: int
    firm_s: int


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

BOOKS: Final = (
    BookFigures("hub-main", HUB, (0, 365), "CP", 0, 999, 40, 100_000, 20_000),
    BookFigures("arbitrum-calls", "arbitrum", (0, 365), "C", 0, 999, 50, 60_000, 20_000),
    BookFigures("arbitrum-weekly", "arbitrum", (5, 40), "CP", 0, 25, 45, 80_000, 15_000),
    BookFigures("base-puts", "base", (0, 365), "P", 0, 999, 50, 60_000, 20_000),
    BookFigures("base-monthly", "base", (10, 130), "CP", 0, 60, 45, 50_000, 25_000),
    BookFigures("hypercore-front", "hypercore", (0, 10), "CP", 0, 999, 50, 10_000, 10_000),
    BookFigures("hypercore-wings", "hypercore", (0, 365), "CP", 15, 999, 40, 20_000, 12_000),
    BookFigures("solana-near", "solana", (0, 60), "CP", 0, 15, 50, 20_000, 15_000),
    BookFigures("solana-long", "solana", (30, 365), "CP", 0, 999, 40, 40_000, 20_000),
    BookFigures("starknet-far", "starknet", (100, 365), "CP", 0, 999, 50, 200_000, 30_000),
)

POOLS: Final = (
    PoolFigures(
        QuoterFigures("arbitrum-pool", "arbitrum", (5, 40), (10, 70), 60, 25, 125, 30_000, 20_000), 50, 3_600
    ),
    PoolFigures(
        QuoterFigures("base-pool", "base", (10, 130), (5, 60), 50, 25, 125, 20_000, 20_000), 100, 1_200
    ),
    PoolFigures(
        QuoterFigures("starknet-pool", "starknet", (30, 365), (10, 60), 60, 40, 150, 60_000, 20_000), 50, 600
    ),
)

MAKERS: Final = (
    MakerFigures(QuoterFigures("hub-desk", HUB, (5, 365), (5, 80), 40, 100, 125, 150_000, 10_000), 5, 60),
    MakerFigures(
        QuoterFigures("hypercore-desk", "hypercore", (5, 60), (10, 70), 40, 50, 110, 50_000, 10_000), 2, 45
    ),
    MakerFigures(
        QuoterFigures("solana-desk", "solana", (10, 365), (5, 70), 40, 75, 140, 80_000, 15_000), 10, 90
    ),
)

MAX_LOCK_US: Final = 120 * MICRO
"""The longest lock that every venue of the network allows."""

POOL_STEPS: Final = 3
"""Offers of a pool on each side of a series: fewer than its 8 by default, to keep auctions small."""


def chain_terms() -> tuple[ChainTerms, ...]:
    """The chains, in the units of a world file."""
    return tuple(
        ChainTerms(
            id=figures.id,
            block_us=figures.block_ms * 1_000,
            finality_us=figures.finality_ms * 1_000,
            relay_us=figures.relay_ms * 1_000,
            settle_fee_leg=figures.settle_fee_leg,
            settle_fee_fill=2_000,
            deal_fee=10_000,
        )
        for figures in CHAINS
    )


def bridge_terms() -> tuple[BridgeTerms, ...]:
    """The bridges, in the units of a world file."""
    return tuple(
        BridgeTerms(
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
        for figures in BRIDGES
    )
