"""What the HTTP interface answers and takes, as pydantic models: the OpenAPI document is made of them.

Auctions and outcomes are answered as the files they are (`solvers.auction`, `solvers.outcome`), and
the market as a wire struct of their parts. Signed messages follow the EIP-712 type table: the models
of what is sent take integers as numbers or decimal strings, as the readers in `intents.reading` do.
"""

from collections.abc import Collection
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from chains.snapshot import BridgeTerms, ChainTerms, SeriesTerms, VenueTerms
from chains.wire import Wire
from intents.drafts import OPTIONAL
from intents.lifecycle import Status
from intents.records import AuctionStatus
from intents.refusals import Code
from intents.typed_data import TYPES
from solvers.reasons import OrderReason


class Schema(BaseModel):
    """A frozen model without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class ErrorDetail(Schema):
    """What broke a rule: the field as its sender writes it, and what was found there."""

    field: str
    value: str | int | bool | dict[str, str | int] | None


class ErrorBody(Schema):
    """Every error, whatever raised it."""

    code: Code
    message: str
    detail: ErrorDetail


class Accepted(Schema):
    """An accepted intent; the same however often it is posted."""

    id: str
    status: Status


_DECIMAL = Annotated[str, Field(pattern=r"^-?(0|[1-9][0-9]*)$")]
_ADDRESS = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]
_BYTES32 = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$")]
_ATOMS: Final[dict[str, Any]] = {"address": _ADDRESS, "bytes32": _BYTES32, "bool": bool, "string": str}


def _signed_struct(
    name: str, suffix: str, *, integer: Any, optional: Collection[str] = ()
) -> type[BaseModel]:
    """The model of one type of the EIP-712 table; `integer` is how its integers are written."""
    fields: dict[str, Any] = {}
    for member in TYPES[name]:
        base = member.type.removesuffix("[]")
        if base in TYPES:
            kind: Any = _signed_struct(base, suffix, integer=integer)
        else:
            kind = _ATOMS.get(base, integer)
        needed = Field(default_factory=lambda: None) if member.name in optional else ...
        fields[member.name] = (list[kind] if member.type.endswith("[]") else kind, needed)
    return create_model(f"{name}{suffix}", __base__=Schema, **fields)


SignedOptionIntent: Final = _signed_struct("OptionIntent", "", integer=int)
SentOptionIntent: Final = _signed_struct("OptionIntent", "Sent", integer=int | _DECIMAL)
DraftOptionIntent: Final = _signed_struct("OptionIntent", "Draft", integer=int | _DECIMAL, optional=OPTIONAL)
SentCancelIntents: Final = _signed_struct("CancelIntents", "Sent", integer=int | _DECIMAL)
SentCancelBelow: Final = _signed_struct("CancelBelow", "Sent", integer=int | _DECIMAL)

_SIGNATURE = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{130}$")]


class PostIntent(Schema):
    """A signed intent: an EIP-712 message of the market's domain, with its signature (r, s, v)."""

    kind: Literal["OptionIntent"]
    intent: SentOptionIntent  # type: ignore[valid-type]
    signature: _SIGNATURE


class PostCancelIntents(Schema):
    """A signed cancel of some intents, by id."""

    kind: Literal["CancelIntents"]
    intent: SentCancelIntents  # type: ignore[valid-type]
    signature: _SIGNATURE


class PostCancelBelow(Schema):
    """A signed cancel of every intent with a lower nonce."""

    kind: Literal["CancelBelow"]
    intent: SentCancelBelow  # type: ignore[valid-type]
    signature: _SIGNATURE


class AskQuote(Schema):
    """An intent as it would be signed; fields that a price does not depend on may be missing."""

    kind: Literal["OptionIntent"]
    intent: DraftOptionIntent  # type: ignore[valid-type]


class PostDeposit(Schema):
    """A simulated deposit: micro-USDC, or 1e-8 coins of an underlying."""

    chain: str
    asset: str
    amount: int | _DECIMAL


class FillView(Schema):
    """Units that one deal settled; `payment` in micro-USDC, negative where the owner received."""

    deal: str
    units: int
    payment: int


class ReasonNumbers(Schema):
    """The amounts behind a reason: what was found, what was allowed or needed, and where."""

    where: str
    found: int
    allowed: int


class RoundView(Schema):
    """What became of an order in one round: `detail` says in words what `numbers` hold."""

    auction: str
    reason: OrderReason
    units: int
    detail: str
    numbers: ReasonNumbers | None


class UnitsView(Schema):
    """Where the units of an intent are; `gone` were cancelled, expired, or left over."""

    open: int
    settling: int
    filled: int
    gone: int


class IntentView(Schema):
    """One intent as it stands; `payment` is the micro-USDC over all fills."""

    id: str
    owner: str
    status: Status
    admitted_us: int
    ends_us: int
    units: UnitsView
    payment: int
    intent: SignedOptionIntent  # type: ignore[valid-type]
    fills: list[FillView]


class IntentDetail(IntentView):
    """One intent with the reason of every one of its latest rounds."""

    rounds: list[RoundView]


class IntentList(Schema):
    """Intents in the order of admission; ask again with ``after=next`` while it is there."""

    intents: list[IntentView]
    next: str | None


class IntentStatus(Schema):
    """An intent's status."""

    id: str
    status: Status


class CancelView(Schema):
    """What a cancel did; `nonce_floor` is the lowest nonce that the owner may still use."""

    owner: str
    nonce_floor: str
    intents: list[IntentStatus]


class BalanceView(Schema):
    """One asset of an owner: micro-USDC, 1e-8 coins, or lots of a series.

    `reserved` backs intents that are open or in settlement; `free` is `balance` less that, never negative.
    What a deal takes counts in `balance` until all of it has settled.
    """

    asset: str
    balance: int
    reserved: int
    free: int


class PositionView(Schema):
    """Lots of a series (those sold are negative), micro-USDC or 1e-8 coins."""

    asset: str
    amount: int


class WrittenView(Schema):
    """What an owner has written in one maturity (underlying and expiry), and what backs it until then.

    `positions` are the lots sold, with the lots bought that keep the collateral down.
    """

    maturity: str
    positions: list[PositionView]
    collateral: list[PositionView]


class ChainAccount(Schema):
    """An owner's account on one chain."""

    chain: str
    balances: list[BalanceView]
    written: list[WrittenView]


class AccountView(Schema):
    """An owner's accounts on every chain on which there is anything."""

    owner: str
    nonce_floor: str
    active_intents: int
    chains: list[ChainAccount]


class DepositView(Schema):
    """A deposit that was made, and the balance after it."""

    owner: str
    chain: str
    asset: str
    amount: int
    balance: int


class AuctionView(Schema):
    """One auction in the list; score and bound in micro-USDC, zero before it is decided."""

    auction: str
    status: AuctionStatus
    cut_us: int
    solve_us: int
    decided_us: int | None
    content_hash: str
    orders: int
    not_selected: int
    bids: int
    deals: int
    score: int
    bound: int
    proved: bool


class AuctionList(Schema):
    """Auctions in order; ask again with ``after=next`` while it is there."""

    auctions: list[AuctionView]
    next: str | None


class BidView(Schema):
    """One submission as it came, and what became of it; `content` need not be a bid."""

    solver: str
    bid: str
    digest: str
    arrival_us: int
    reason: str
    detail: str
    score: int | None
    numbers: ReasonNumbers | None
    content: str


class BidList(Schema):
    """Every submission of an auction, in the order of arrival."""

    auction: str
    bids: list[BidView]


class StandingView(Schema):
    """What one solver has done so far; money in micro-USDC.

    `rounds` are those in which it was asked; `win_rate_bps` is the part of them in which a bid of it won,
    in basis points. `score` is what its winning
    bids scored, `marginal` what they added to what the others could do. Rewards are *awarded* by a decision,
    fees *asked* by winning bids, and both are *earned* once the deals settle. `penalties` were taken from
    its bond for aborted deals; the house has no bond.
    """

    solver: str
    rounds: int
    rounds_won: int
    win_rate_bps: int
    bids: int
    wins: int
    score: int
    marginal: int
    rewards_awarded: int
    rewards_earned: int
    fees_asked: int
    fees_earned: int
    deals_settled: int
    deals_aborted: int
    penalties: int
    bond_posted: int
    bond_left: int
    bid_reasons: dict[str, int]
    round_reasons: dict[str, int]


class StandingList(Schema):
    """Solvers, the greatest score first."""

    solvers: list[StandingView]


class Health(Schema):
    """The service is up; `seq` is the newest entry of its journal."""

    status: Literal["ok"]
    time_us: int
    seq: int
    rounds: int


class Eip712Member(Wire, frozen=True, kw_only=True):
    """One member of a signed struct."""

    name: str
    type: str


class Eip712Domain(Wire, frozen=True, kw_only=True, rename="camel"):
    """The domain of every signature."""

    name: str
    version: str
    chain_id: int
    verifying_contract: str


class Eip712View(Wire, frozen=True, kw_only=True):
    """What wallets need to sign."""

    domain: Eip712Domain
    types: dict[str, tuple[Eip712Member, ...]]


class MarketView(Wire, frozen=True, kw_only=True):
    """The market: what is listed, what it costs, what is allowed, and what to sign.

    `rules` holds every parameter of a round by name, with its interval and window, the bond of a solver and
    the fee of an aborted deal; `limits` every limit of admission and of the faucet.
    """

    eip712: Eip712View
    hub: str
    chains: tuple[ChainTerms, ...]
    bridges: tuple[BridgeTerms, ...]
    venues: tuple[VenueTerms, ...]
    series: tuple[SeriesTerms, ...]
    rules: dict[str, int | tuple[int, int]]
    limits: dict[str, int]
    time_us: int
