"""The fee formulas of the world: one definition for routing, verification and settlement.

All amounts are micro-USDC and are paid on the chain named in each docstring. Roundings go against
the party that would gain: fees round up.
"""

from chains.snapshot import BridgeTerms, ChainTerms, VenueTerms
from chains.units import BPS, ceil_div


def bridge_fee(bridge: BridgeTerms, *, cash: int, lots: int) -> int:
    """What one bid pays on the source chain for all it sends over a bridge.

    `cash` micro-USDC and `lots` (over all series) are the bid's totals on that bridge; a bridge
    that carries nothing costs nothing.
    """
    if cash == 0 and lots == 0:
        return 0
    return bridge.fee_fixed + ceil_div(cash * bridge.fee_cash_bps, BPS) + lots * bridge.fee_per_lot


def venue_fee(venue: VenueTerms, *, lots: int) -> int:
    """What one bid pays on the venue's chain for trading `lots` (bought plus sold) there."""
    return venue.fee_touch + lots * venue.fee_per_lot if lots else 0


def settlement_fee(chain: ChainTerms, *, fills: int, alone: bool) -> int:
    """What one bid pays on a chain it touches: per leg, per fill, and for a deal over several chains."""
    return chain.settle_fee_leg + fills * chain.settle_fee_fill + (0 if alone else chain.deal_fee)
