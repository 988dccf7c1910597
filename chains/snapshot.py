"""The world as solvers see it at one instant: terms, offers and marks.

These structs are the parts of the auction file that describe the world. They are wire types: frozen,
with unknown fields refused, integers everywhere except in `Mark`, which is information only and
stays outside every hash that decides.
"""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from chains.wire import Count, Id, Positive, Wire


class ChainTerms(Wire, frozen=True, kw_only=True):
    """One chain: its clock and what settling on it costs (micro-USDC).

    `finality_us` is the time from a block to its finality; `relay_us` is what a relayer needs one
    way between this chain and the hub; `settle_fee_leg` is paid once per deal that touches the
    chain, `settle_fee_fill` per fill on it, `deal_fee` once on each chain of a deal over several.
    """

    id: Id
    block_us: Positive
    finality_us: Count
    relay_us: Count
    settle_fee_leg: Count
    settle_fee_fill: Count
    deal_fee: Count


class BridgeTerms(Wire, frozen=True, kw_only=True):
    """One directed bridge: fees are paid on the source chain; capacities are what is free now."""

    id: Id
    source: Id
    target: Id
    fee_fixed: Count
    fee_cash_bps: Count
    fee_per_lot: Count
    latency_us: Count
    capacity_cash: Count
    capacity_lots: Count


class VenueTerms(Wire, frozen=True, kw_only=True):
    """One venue: fees in micro-USDC (`fee_touch` once per bid that trades there)."""

    id: Id
    chain: Id
    kind: Id
    fee_touch: Count
    fee_per_lot: Count
    as_of_us: Count
    max_lock_us: Count


class SeriesTerms(Wire, frozen=True, kw_only=True):
    """One listed series; `expiry` in seconds, `strike` in USD, `lot_size` coins per lot."""

    id: Id
    underlying: Id
    expiry: Positive
    strike: Positive
    kind: Id
    lot_size: tuple[Positive, Positive]


class Offer(Wire, frozen=True, kw_only=True):
    """Lots of one series at one price on one venue; `side` is what the venue does: buy or sell."""

    id: Id
    venue: Id
    series: Id
    side: Annotated[str, Meta(pattern="^(buy|sell)$")]
    price: Count
    lots: Positive
    firm_until_us: Count | UnsetType = UNSET


class StockQuote(Wire, frozen=True, kw_only=True):
    """What a solver offers from its stock at one of its venues of kind `stock`, from the next cut on.

    `side` is what the solver does; price in micro-USDC per lot. A solver's quotes at a venue replace
    all that it had there.
    """

    series: Id
    side: Annotated[str, Meta(pattern="^(buy|sell)$")]
    price: Count
    lots: Positive


class Mark(Wire, frozen=True, kw_only=True):
    """A model price (micro-USDC per lot) and Greeks per coin of underlying: information only."""

    series: Id
    price: float
    iv: float
    delta: float
    gamma: float
    vega: float
    theta: float
    oracle_round: Count
    oracle_as_of_us: Count


class Snapshot(Wire, frozen=True, kw_only=True):
    """Everything of the world that goes into an auction file."""

    as_of_us: Count
    hub: Id
    chains: tuple[ChainTerms, ...]
    bridges: tuple[BridgeTerms, ...]
    venues: tuple[VenueTerms, ...]
    series: tuple[SeriesTerms, ...]
    offers: tuple[Offer, ...]
    marks: tuple[Mark, ...]
