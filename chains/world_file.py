"""The world file `solvent.world/1`: everything a simulated world starts from.

It names the chains, bridges and venues with their terms and books, the listed series with the
inputs of their marks, the rate of outside flow, and the listing rule. It can be written by hand or
imported from market data. Two things are checked: that it is well formed (unknown fields are
refused, integers are in range, sizes and counts are bounded), and that it does not contradict
itself. Each refusal names the field and the value. The bounds are our own.

Expiries are calendar days, but a file can be moved in time: `shift_expiries` renames every series by
the same number of whole days, and keeps what each is worth at the start.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from chains.errors import SeriesError, WorldFileError
from chains.ledger import is_series_asset
from chains.series import Series, maturity_of, parse_series
from chains.snapshot import BridgeTerms, ChainTerms
from chains.units import BPS, MICRO, ceil_div, nearest_root
from chains.venues import AnyVenueSpec
from chains.venues.flow import MEAN_GAP_LEAST_US
from chains.venues.order_book import OrderBookSpec
from chains.venues.stock import StockSpec
from chains.venues.venue import VenueSpec
from chains.wire import Count, Id, Positive, Wire

WORLD_FORMAT: Final = "solvent.world/1"
FILE_BYTES_MAX: Final = 32 * 1024 * 1024
CHAINS_MAX: Final = 256
BRIDGES_MAX: Final = 4_096
VENUES_MAX: Final = 1_024
SERIES_MAX: Final = 20_000
VENUE_ENTRIES_MAX: Final = 500_000
"""Levels of all order books together, and what other kinds of venue count as their entries."""

HOLDINGS_MAX: Final = 2**51
"""Solver stock of one asset on one chain: a quarter of what a ledger holds, so that deposits fit too."""

PAY_OUT_MAX: Final = 2**51
"""Micro-USDC that the lots in the books and the stock of one chain may be worth at one expiry."""

FIRST_EXPIRY_AFTER_US: Final = 3_600 * MICRO
"""How long the first series still has to live, at the least, after its expiry was shifted."""

IV_BPS_MAX: Final = 100_000
"""The highest volatility of a mark: 1,000 %."""

_DAY_S: Final = 86_400
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)


class SeriesListing(Wire, frozen=True, kw_only=True):
    """A series that is listed at the start; `iv_bps` is the volatility of its mark (6986 is 69.86 %)."""

    id: Id
    iv_bps: Annotated[int, Meta(ge=1, le=IV_BPS_MAX)]


class Forward(Wire, frozen=True, kw_only=True):
    """The forward price of an underlying for one expiry (seconds), in micro-USD per coin."""

    underlying: Id
    expiry: Positive
    price: Positive


class Oracle(Wire, frozen=True, kw_only=True):
    """Marks are made anew at every multiple of `round_us`."""

    round_us: Positive = 3_000_000


class Listing(Wire, frozen=True, kw_only=True):
    """The listing rule: when an expiry passes, its strikes are listed again `roll_days` later.

    Their marks keep the volatility, and the forward unless the later expiry has one; they have no
    market on any venue until somebody makes one. With 0 nothing new is ever listed.
    """

    roll_days: Annotated[int, Meta(ge=0, le=3_650)] = 0


class WorldSpec(Wire, frozen=True, kw_only=True):
    """A world file. `start_us` is the instant its books belong to: every series expires after it."""

    format: Literal["solvent.world/1"] = WORLD_FORMAT
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    provenance: Annotated[str, Meta(max_length=8_192)]
    start_us: Count
    hub: Id
    chains: tuple[ChainTerms, ...]
    bridges: tuple[BridgeTerms, ...]
    venues: tuple[AnyVenueSpec, ...]
    series: tuple[SeriesListing, ...]
    forwards: tuple[Forward, ...]
    oracle: Oracle = Oracle()
    listing: Listing = Listing()


def encode_world(spec: WorldSpec) -> bytes:
    """The bytes of a world file."""
    return msgspec.json.encode(spec)


def decode_world(data: bytes) -> WorldSpec:
    """Read a world file and check that it does not contradict itself.

    Raises
    ------
    WorldFileError
        With the field and the value that break it.
    """
    if len(data) > FILE_BYTES_MAX:
        raise WorldFileError(f"file: {len(data)} bytes are more than {FILE_BYTES_MAX}")
    try:
        spec = msgspec.json.decode(data, type=WorldSpec)
    except msgspec.ValidationError as error:
        raise WorldFileError(f"{error}: {_value_at(data, str(error))}") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise WorldFileError(f"file: not JSON: {error}") from error
    check_world(spec)
    return spec


def check_world(spec: WorldSpec) -> None:
    """Refuse a world that contradicts itself.

    Raises
    ------
    WorldFileError
        With the field and the value of the first contradiction.
    """
    for field, value, why in _contradictions(spec):
        raise WorldFileError(f"{field}: {value!r} {why}")


def shift_expiries(spec: WorldSpec, *, start_us: int) -> WorldSpec:
    """Move a world to another start: every expiry by the same number of whole days.

    It is the smallest number, negative ones included, with which the first expiry lies at least
    `FIRST_EXPIRY_AFTER_US` after `start_us`, and less than half a day nearer to it than in the file; the
    names of all series follow. Expiries fall at one hour of the day, so the time left to each changes by
    up to a day, the same for all. Every mark keeps its price: volatilities change so that the total
    variance (volatility squared times the time left) is that of the file, to the nearest basis point,
    since a book is quoted in prices and those do not change.

    Raises
    ------
    WorldFileError
        If the dates cannot be written as series ids (years 2000 to 2099).
    """
    parsed = [parse_series(listing.id) for listing in spec.series]
    first_us = min((series.expiry_us for series in parsed), default=spec.start_us)
    least_us = max(FIRST_EXPIRY_AFTER_US, first_us - spec.start_us - _DAY_S * MICRO // 2 + 1)
    days = ceil_div(start_us + least_us - first_us, _DAY_S * MICRO)
    renamed = {str(series.id): _later(series, days=days) for series in parsed}
    return msgspec.structs.replace(
        spec,
        start_us=start_us,
        series=tuple(
            SeriesListing(
                id=renamed[listing.id],
                iv_bps=_same_variance(
                    listing.iv_bps,
                    before_us=series.expiry_us - spec.start_us,
                    after_us=series.expiry_us + days * _DAY_S * MICRO - start_us,
                ),
            )
            for listing, series in zip(spec.series, parsed, strict=True)
        ),
        forwards=tuple(
            msgspec.structs.replace(forward, expiry=forward.expiry + days * _DAY_S)
            for forward in spec.forwards
        ),
        venues=tuple(venue.with_series(renamed) for venue in spec.venues),
    )


def _same_variance(iv_bps: int, *, before_us: int, after_us: int) -> int:
    """The volatility that has the same total variance over another time."""
    return min(max(1, nearest_root(iv_bps * iv_bps * before_us, after_us)), IV_BPS_MAX)


def _later(series: Series, *, days: int) -> str:
    expiry = series.expiry + days * _DAY_S
    if not 2000 <= datetime.fromtimestamp(expiry, UTC).year <= 2099:
        raise WorldFileError(f"start_us: shifting {series.id} by {days} days leaves the years 2000 to 2099")
    return Series(underlying=series.underlying, expiry=expiry, strike=series.strike, kind=series.kind).id


Contradiction = tuple[str, object, str]
"""(field, value, why it cannot be)."""


def _contradictions(spec: WorldSpec) -> Iterator[Contradiction]:
    yield from _counts(spec)
    chains = {chain.id for chain in spec.chains}
    yield from _ids("chains", [chain.id for chain in spec.chains])
    if spec.hub not in chains:
        yield "hub", spec.hub, "is not one of the chains"
    yield from _bridges(spec, chains)
    yield from _series(spec)
    yield from _forwards(spec)
    yield from _venues(spec, chains)
    yield from _holdings(spec)
    yield from _pay_outs(spec)


def _counts(spec: WorldSpec) -> Iterator[Contradiction]:
    entries = sum(venue.size for venue in spec.venues)
    for field, count, most in (
        ("chains", len(spec.chains), CHAINS_MAX),
        ("bridges", len(spec.bridges), BRIDGES_MAX),
        ("venues", len(spec.venues), VENUES_MAX),
        ("series", len(spec.series), SERIES_MAX),
        ("venues[].size", entries, VENUE_ENTRIES_MAX),
    ):
        if count > most:
            yield field, count, f"entries are more than {most}"


def _ids(field: str, ids: Iterable[str]) -> Iterator[Contradiction]:
    seen: set[str] = set()
    for index, name in enumerate(ids):
        if _ID.fullmatch(name) is None:
            yield (
                f"{field}[{index}].id",
                name,
                "is not made of lower-case letters, digits, '-' and '_' (64 at most)",
            )
        if name in seen:
            yield f"{field}[{index}].id", name, "is there twice"
        seen.add(name)


def _bridges(spec: WorldSpec, chains: Collection[str]) -> Iterator[Contradiction]:
    yield from _ids("bridges", [bridge.id for bridge in spec.bridges])
    for index, bridge in enumerate(spec.bridges):
        for end, chain in (("source", bridge.source), ("target", bridge.target)):
            if chain not in chains:
                yield f"bridges[{index}].{end}", chain, "is not one of the chains"
        if bridge.source == bridge.target:
            yield f"bridges[{index}].target", bridge.target, "is the source as well"
        if bridge.fee_cash_bps > BPS:
            yield f"bridges[{index}].fee_cash_bps", bridge.fee_cash_bps, f"is more than {BPS}"


def _series(spec: WorldSpec) -> Iterator[Contradiction]:
    seen: set[str] = set()
    for index, listing in enumerate(spec.series):
        field = f"series[{index}].id"
        try:
            series = parse_series(listing.id)
        except SeriesError as error:
            yield field, listing.id, f"is not a series: {error}"
            return
        if listing.id in seen:
            yield field, listing.id, "is there twice"
        seen.add(listing.id)
        if series.expiry_us <= spec.start_us:
            yield field, listing.id, f"has expired at the start ({spec.start_us})"


def _forwards(spec: WorldSpec) -> Iterator[Contradiction]:
    listed = [parse_series(listing.id) for listing in spec.series]
    expiries = {(series.underlying, series.expiry) for series in listed}
    seen: set[tuple[str, int]] = set()
    for index, forward in enumerate(spec.forwards):
        key = (forward.underlying, forward.expiry)
        if key not in expiries:
            yield f"forwards[{index}].expiry", key, "has no listed series"
        if key in seen:
            yield f"forwards[{index}].expiry", key, "is there twice"
        seen.add(key)
    for index, series in enumerate(listed):
        if (series.underlying, series.expiry) not in seen:
            yield f"series[{index}].id", str(series.id), "has no forward for its expiry"


def _venues(spec: WorldSpec, chains: Collection[str]) -> Iterator[Contradiction]:
    yield from _ids("venues", [venue.id for venue in spec.venues])
    listed = {listing.id for listing in spec.series}
    for index, venue in enumerate(spec.venues):
        field = f"venues[{index}]"
        if venue.chain not in chains:
            yield f"{field}.chain", venue.chain, "is not one of the chains"
        if 0 < venue.flow.mean_gap_us < MEAN_GAP_LEAST_US:
            yield (
                f"{field}.flow.mean_gap_us",
                venue.flow.mean_gap_us,
                f"is neither 0 nor at least {MEAN_GAP_LEAST_US}",
            )
        if venue.flow.restore_bps > BPS:
            yield f"{field}.flow.restore_bps", venue.flow.restore_bps, f"is more than {BPS}"
        inner = venue.contradiction(listed)
        if inner is not None:
            yield f"{field}.{inner[0]}", inner[1], inner[2]


def _holdings(spec: WorldSpec) -> Iterator[Contradiction]:
    totals: dict[tuple[str, str], int] = {}
    for index, venue in enumerate(spec.venues):
        holdings = venue.holdings if isinstance(venue, StockSpec) else ()
        for place, (asset, amount) in enumerate(holdings):
            total = totals.get((venue.chain, asset), 0) + amount
            totals[venue.chain, asset] = total
            if total > HOLDINGS_MAX:
                yield (
                    f"venues[{index}].holdings[{place}][1]",
                    amount,
                    f"brings the {asset} of all stock on {venue.chain} to more than {HOLDINGS_MAX}",
                )


def _pay_outs(spec: WorldSpec) -> Iterator[Contradiction]:
    """A book may sell what is far in the money for nothing: what it then owes must stay countable."""
    forwards = {(forward.underlying, forward.expiry): forward.price for forward in spec.forwards}
    totals: dict[tuple[str, str], int] = {}
    for index, venue in enumerate(spec.venues):
        for asset, lots in _lots_of(venue):
            series = parse_series(asset)
            price = max(series.strike * MICRO, forwards[series.underlying, series.expiry])
            coins, per = series.lot_size
            place = venue.chain, maturity_of(asset)
            totals[place] = totals.get(place, 0) + lots * ceil_div(price * coins, per)
            if totals[place] > PAY_OUT_MAX:
                what = (
                    f"brings what {place[1]} may pay on {venue.chain} to more than {PAY_OUT_MAX} micro-USDC"
                )
                yield f"venues[{index}]", f"{lots} lots of {asset}", what
                return


def _lots_of(venue: VenueSpec) -> Iterator[tuple[str, int]]:
    """The lots that a venue has whatever the marks are; pools and makers follow the marks."""
    if isinstance(venue, OrderBookSpec):
        yield from ((level.series, level.lots) for level in venue.levels)
    elif isinstance(venue, StockSpec):
        yield from ((asset, amount) for asset, amount in venue.holdings if is_series_asset(asset))


def _value_at(data: bytes, message: str) -> str:
    """The value that a schema message such as ``Expected `int` - at `$.hub[0].id` `` points at."""
    try:
        value: Any = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return "a value that cannot be read"
    path = re.search(r"at `\$([^`]*)`$", message)
    try:
        for name, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", path[1] if path else ""):
            value = value[int(index)] if index else value[name]
    except (LookupError, TypeError):
        return "a value that stands under one key with another"
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:80]}..."
