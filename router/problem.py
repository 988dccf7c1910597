"""What the optimiser is asked, and what it answers.

A `Problem` is a round without its rules: who wants which package on which chain, what venues offer,
what hops cost. A `Plan` is a part of the answer that could become one bid. The optimiser knows
nothing of bids, prices or winners; `solvers` translates an auction into a problem and a plan into a
bid.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from chains.deadlines import Timing
from chains.package import Legs, Package
from chains.snapshot import BridgeTerms, ChainTerms, Offer, VenueTerms
from router.errors import ProblemError


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One order as the optimiser sees it.

    Attributes
    ----------
    intent, owner, chain : ids; positions are delivered on `chain`
    legs : lots per unit, positive bought by the owner, negative sold
    units, min_units : the most and the least that may be filled now (at least 1, `min_units` <= `units`)
    limit : micro-USDC per unit, all-in; negative when the owner must receive
    valid_until_us : the deal must be decided before this instant
    group : one-cancels-other group, empty for none; at most one member may be filled
    """

    intent: str
    owner: str
    chain: str
    legs: Legs
    units: int
    min_units: int
    limit: int
    valid_until_us: int
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What the market itself can do for a package on a chain: `units` reduced units at `price` each."""

    units: int
    price: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One round: the demands and the world they may be routed over. Mappings are keyed by id.

    `fee_per_lot` is the protocol fee (micro-USDC per lot delivered, absolute lots over all legs);
    `prepare_us` is when a deal would be prepared; `series_expiry_us` lists every listed series.
    """

    prepare_us: int
    hub: str
    timing: Timing
    fee_per_lot: int
    chains: Mapping[str, ChainTerms]
    bridges: Mapping[str, BridgeTerms]
    venues: Mapping[str, VenueTerms]
    offers: Mapping[str, Offer]
    series_expiry_us: Mapping[str, int]
    demands: Mapping[str, Demand]
    references: Mapping[tuple[str, Package], Reference] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what, chain in self._chains_named():
            if chain not in self.chains:
                raise ProblemError(f"{what} is on chain {chain!r}, which is not there")
        for offer in self.offers.values():
            if offer.venue not in self.venues or offer.series not in self.series_expiry_us:
                raise ProblemError(f"offer {offer.id!r} names a venue or series that is not there")
        for demand in self.demands.values():
            if not 1 <= demand.min_units <= demand.units:
                raise ProblemError(
                    f"intent {demand.intent!r} allows no units between its minimum and maximum"
                )

    def _chains_named(self) -> Iterator[tuple[str, str]]:
        yield "the hub", self.hub
        for bridge in self.bridges.values():
            yield f"bridge {bridge.id!r}", bridge.source
            yield f"bridge {bridge.id!r}", bridge.target
        for venue in self.venues.values():
            yield f"venue {venue.id!r}", venue.chain
        for demand in self.demands.values():
            yield f"intent {demand.intent!r}", demand.chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One connected way to fill some demands, exact and in integers.

    Attributes
    ----------
    fills : (intent, units)
    trades : (offer, lots)
    transfers : (bridge, asset, amount): ``USDC`` in micro-USDC, or a series id in lots
    """

    fills: tuple[tuple[str, int], ...]
    trades: tuple[tuple[str, int], ...] = ()
    transfers: tuple[tuple[str, str, int], ...] = ()
