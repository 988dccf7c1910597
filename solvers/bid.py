"""The bid `solvent.bid/1`: how some orders would be filled. It does not say who pays what.

The struct is the wire format; `codec.encode` gives its canonical bytes.
"""

from typing import Final, Literal

from msgspec import UNSET, UnsetType

from chains.wire import Count, Id, Positive, Wire
from solvers.codec import digest, encode

BID_FORMAT: Final = "solvent.bid/1"

Assets = tuple[tuple[str, Count], ...]


class Fill(Wire, frozen=True, kw_only=True):
    """Units of one order; `delivery` (asset, amount) only for payoff orders with `portfolio`."""

    intent: Id
    units: Positive
    delivery: Assets | UnsetType = UNSET


class Trade(Wire, frozen=True, kw_only=True):
    """Lots taken from one offer."""

    offer: Id
    lots: Positive


class Transfer(Wire, frozen=True, kw_only=True):
    """What one bridge carries of one asset: ``USDC`` in micro-USDC or a series id in lots."""

    bridge: Id
    asset: Id
    amount: Positive


class Pool(Wire, frozen=True, kw_only=True):
    """What a clearing account holds against the payoff claims of one (chain, underlying, expiry)."""

    chain: Id
    underlying: Id
    expiry: Positive
    assets: Assets


class Fee(Wire, frozen=True, kw_only=True):
    """What the solver asks for its work on one chain, in micro-USDC."""

    chain: Id
    amount: Positive


class Bid(Wire, frozen=True, kw_only=True):
    """One bid. It wins or loses whole; the last bid of each (solver, bid) name counts."""

    format: Literal["solvent.bid/1"] = BID_FORMAT
    auction: Id
    solver: Id
    bid: Id
    fills: tuple[Fill, ...]
    trades: tuple[Trade, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    pools: tuple[Pool, ...] = ()
    fee: tuple[Fee, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical bid."""
        return digest(encode(self))
