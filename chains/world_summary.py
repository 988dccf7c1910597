"""What a world file amounts to: its counts, and what its venues offer at the start.

A series is *crossed* where somewhere a venue buys at or above the price at which some venue sells. That is
no fault of a file, since venues on different chains may well disagree, but many of them say that its
books are not of one moment.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chains.series import parse_series
from chains.snapshot import Offer
from chains.world import World
from chains.world_file import WorldSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSummary:
    """The counts of a world file; `venues` by kind, `offers` and `crossed` series at its start."""

    name: str
    start_us: int
    chains: int
    bridges: int
    venues: Mapping[str, int]
    series: int
    expiries: int
    offers: int
    two_sided: int
    crossed: tuple[str, ...]


def summarise_world(spec: WorldSpec) -> WorldSummary:
    """Count a world and look at it at its start.

    Raises
    ------
    WorldFileError
        If it contradicts itself.
    """
    snapshot = World(spec, seed=0, start_us=spec.start_us).snapshot()
    touch = _touch(snapshot.offers)
    expiries = {
        (series.underlying, series.expiry) for series in (parse_series(each.id) for each in spec.series)
    }
    return WorldSummary(
        name=spec.name,
        start_us=spec.start_us,
        chains=len(spec.chains),
        bridges=len(spec.bridges),
        venues=dict(Counter(venue.kind for venue in snapshot.venues)),
        series=len(spec.series),
        expiries=len(expiries),
        offers=len(snapshot.offers),
        two_sided=len(touch),
        crossed=tuple(series for series, (bid, ask) in sorted(touch.items()) if bid >= ask),
    )


def _touch(offers: Iterable[Offer]) -> dict[str, tuple[int, int]]:
    """The best price at which any venue buys and sells, of every series with offers on both sides."""
    bids: dict[str, int] = {}
    asks: dict[str, int] = {}
    for offer in offers:
        if offer.side == "buy":
            bids[offer.series] = max(offer.price, bids.get(offer.series, 0))
        else:
            asks[offer.series] = min(offer.price, asks.get(offer.series, offer.price))
    return {series: (bids[series], asks[series]) for series in bids.keys() & asks.keys()}
