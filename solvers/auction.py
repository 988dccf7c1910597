"""The auction file `solvent.auction/1`: everything a solver may know, nothing else.

The struct is the file: `codec.encode` gives its canonical bytes. `content_hash` covers everything
but the marks, which are information and enter nothing that decides.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chains.deadlines import Timing
from chains.package import Legs, Package, reduce_legs
from chains.snapshot import BridgeTerms, ChainTerms, Mark, Offer, SeriesTerms, VenueTerms
from chains.units import BPS
from chains.wire import Count, Id, Positive, Signed, Wire
from solvers.codec import digest, encode

AUCTION_FORMAT: Final = "solvent.auction/1"


class Rules(Wire, frozen=True, kw_only=True):
    """Every parameter of a round, by name.

    `fee_per_lot` is the protocol fee in micro-USDC per lot delivered; `lock_margin` (a ratio),
    `outage_us` and `skew_us` set a deal's deadlines; `bids_per_solver` is how many bids of one
    solver count; `winners_budget` is the deterministic time that CP-SAT may spend on choosing,
    in thousandths of its unit (each about 3 ms), and a quarter of it once more on all rewards together;
    `reward_share_bps` is the part of the protocol fees of a solver's winning fills that its reward may
    reach, always below the whole; `searches_max` is for how many orders of a round the market looks for
    what they could have got alone.
    """

    orders_max: Positive = 2_000
    bids_per_solver: Positive = 64
    fee_per_lot: Count = 500
    lock_margin: tuple[Positive, Positive] = (3, 2)
    outage_us: Count = 5_000_000
    skew_us: Count = 500_000
    winners_budget: Positive = 200
    reward_share_bps: Annotated[int, Meta(ge=0, lt=BPS)] = 5_000
    searches_max: Count = 400

    @property
    def choice_budget(self) -> int:
        """`winners_budget` in the unit in which it is spent: millionths of CP-SAT's."""
        return self.winners_budget * 1_000

    @property
    def timing(self) -> Timing:
        """The part of the rules that sets a deal's deadlines."""
        return Timing(margin=self.lock_margin, outage_us=self.outage_us, skew_us=self.skew_us)


class Payoff(Wire, frozen=True, kw_only=True):
    """A payoff target: value per unit at each knot price (micro-USDC, micro-USD), slope beyond the last."""

    underlying: Id
    expiry: Positive
    knots: tuple[tuple[Count, Signed], ...]
    slope: Signed


class Order(Wire, frozen=True, kw_only=True):
    """One order as solvers see it: `units` is what may be filled now; `valid_until` in seconds.

    Exactly one of `legs` and `payoff` is there; `delivery` goes with `payoff`.
    """

    intent: Id
    owner: Id
    chain: Id
    units: Positive
    min_units: Positive
    limit: Signed
    valid_until: Count
    immediate: bool
    legs: Legs | UnsetType = UNSET
    payoff: Payoff | UnsetType = UNSET
    delivery: Literal["portfolio", "claim"] | UnsetType = UNSET
    group: Annotated[str, Meta(max_length=128)] | UnsetType = UNSET

    @property
    def least_units(self) -> int:
        """The smallest fill the owner accepts: `min_units`, or all that is left if that is less."""
        return min(self.min_units, self.units)

    @property
    def package(self) -> tuple[Package, int]:
        """The order's package, and reduced units per unit (leg orders only)."""
        assert not isinstance(self.legs, UnsetType)
        return reduce_legs(self.legs)


class ReferencePrice(Wire, frozen=True, kw_only=True):
    """What the market can do without any solver: `units` reduced units of a package at `price` each."""

    chain: Id
    package: Package
    units: Positive
    price: Signed


class Auction(Wire, frozen=True, kw_only=True):
    """The auction file."""

    format: Literal["solvent.auction/1"] = AUCTION_FORMAT
    auction: Id
    cut_us: Count
    solve_us: Positive
    hub: Id
    rules: Rules
    chains: tuple[ChainTerms, ...]
    bridges: tuple[BridgeTerms, ...]
    venues: tuple[VenueTerms, ...]
    series: tuple[SeriesTerms, ...]
    offers: tuple[Offer, ...]
    marks: tuple[Mark, ...]
    orders: tuple[Order, ...]
    reference: tuple[ReferencePrice, ...]

    @property
    def prepare_us(self) -> int:
        """When the winners' deals are prepared: the end of the solve window."""
        return self.cut_us + self.solve_us

    @property
    def content_hash(self) -> str:
        """SHA-256 of the canonical file without its marks."""
        return digest(encode(msgspec.structs.replace(self, marks=())))
