"""The reference world: a real option chain on six simulated app-chains.

**The book.** The whole chain of Deribit BTC options of 2020-05-21 23:19Z, at full depth: 326 series,
7 expiries, 2,927 levels, kept with its provenance in ``data/btc_2020-05-21.json``. It goes through the
same importer as any other market data (`chains.importing`), which finds nothing to drop and nothing to
fit in it: no row is left out, no series is crossed, and 15 series have marks but no levels. With the
price in 1e-4 BTC, the forward of the same row in USD cents and a lot of 0.01 BTC,

    price per lot in micro-USDC = price * forward / 100     sells rounded up, buys down
    lots                        = size in tenths of 1 BTC * 10

Volatilities are the source's marks; the forward of an expiry is the lower median of its rows, since
rows are up to 2 min 42 s apart. Expiries are shifted by whole days (`shift_expiries`).

**The venues.** Each source level goes whole to exactly one order book, so all order books together are
exactly the source book (`chains.calibration.splitting`). Range pools and RFQ makers add depth of their
own, calibrated on it (`chains.calibration.quoting`). The network's figures are in `chains.network`.
"""

from functools import cache
from importlib import resources
from typing import Final, NamedTuple

import msgspec

from chains.calibration.building import build_world
from chains.calibration.market import MarketBook
from chains.importing.importer import import_market
from chains.importing.rows import LevelRow, MarketRows, MarkRow
from chains.units import COIN, MICRO, floor_div
from chains.world_file import WorldSpec, shift_expiries

SOURCE_FILE: Final = "btc_2020-05-21.json"
NAME: Final = "reference"

_MICRO_PER_CENT: Final = MICRO // 100
_PER_TICK: Final = COIN // 10_000
_PER_TENTH: Final = COIN // 10


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


def source_rows(source: Source) -> MarketRows:
    """The source as rows of market data, all of one instant."""
    taken_ms = floor_div(source.taken_us, 1_000)
    levels = []
    marks = []
    for row, each in enumerate(source.rows, start=1):
        marks.append(
            MarkRow(
                row=row,
                instrument=each.series,
                timestamp_ms=taken_ms,
                forward=each.forward_cents * _MICRO_PER_CENT,
                index_price=None,
                mark_price=None,
                iv_bps=each.iv_bps,
            )
        )
        for side, steps in (("bid", each.buys), ("ask", each.sells)):
            for price, tenths in steps:
                levels.append(
                    LevelRow(
                        row=row,
                        instrument=each.series,
                        timestamp_ms=taken_ms,
                        side=side,
                        price=price * _PER_TICK,
                        size=tenths * _PER_TENTH,
                    )
                )
    return MarketRows(levels=tuple(levels), marks=tuple(marks))


def reference_world(*, seed: int = 0, start_us: int) -> WorldSpec:
    """The reference world at a start; the seed decides only which venue has what."""
    market, provenance = _reference_market()
    world = build_world(market, name=NAME, provenance=provenance, seed=seed)
    return shift_expiries(world, start_us=start_us)


@cache
def _reference_market() -> tuple[MarketBook, str]:
    """The measured market of the source, and its provenance."""
    source = read_source()
    market, _ = import_market(source_rows(source))
    return market, source.provenance
