"""The record of a round: what was submitted, and the outcome `solvent.outcome/1`.

`arbitrate` (see `solvers.arbitration`) is a pure function from an auction and its submissions to an
outcome, so a record replays byte for byte.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from chains.package import Package
from chains.units import WIRE_MAX
from chains.wire import Count, Id, Positive, Signed, Wire

HOUSE = "house"
"""The solver name of the market's own reference bids; no other solver may use it."""


class Submission(Wire, frozen=True, kw_only=True):
    """What one solver sent, as it came: `content` need not be a bid; `arrival_us` counts from the cut."""

    solver: Id
    arrival_us: Count
    content: str


class SolverReport(Wire, frozen=True, kw_only=True):
    """How one solver got through the window (`SolverReason`), with detail for its author."""

    solver: Id
    reason: str
    detail: str
    finished_us: Count


class Numbers(Wire, frozen=True, kw_only=True):
    """The amounts behind a reason: what was found, what was allowed or needed, and where."""

    where: str
    found: int
    allowed: int


def numbers(where: str, found: int, allowed: int) -> Numbers:
    """The numbers of a record; those too large for the wire are cut there."""
    found, allowed = (max(-WIRE_MAX, min(WIRE_MAX, amount)) for amount in (found, allowed))
    return Numbers(where=where, found=found, allowed=allowed)


class BidRecord(Wire, frozen=True, kw_only=True):
    """What became of one submission, in the order of submission.

    `score` (micro-USDC) is there for feasible bids; `numbers` wherever the reason is about amounts.
    """

    solver: Id
    bid: str
    digest: str
    reason: str
    detail: str
    score: int | UnsetType = UNSET
    numbers: Numbers | UnsetType = UNSET


class PackagePrice(Wire, frozen=True, kw_only=True):
    """The one price of a package on a chain within a deal, all per reduced unit, micro-USDC."""

    chain: Id
    package: Package
    units: Positive
    ceiling: Signed
    price: Signed


class FilledOrder(Wire, frozen=True, kw_only=True):
    """One fill of a deal: `payment` micro-USDC from the owner (negative: to the owner)."""

    intent: Id
    owner: Id
    chain: Id
    units: Positive
    payment: Signed
    surplus: Count


class ChainAmount(Wire, frozen=True, kw_only=True):
    """Micro-USDC on one chain."""

    chain: Id
    amount: Signed


class Reward(Wire, frozen=True, kw_only=True):
    """What a solver's bids were worth to the round, and what of it is paid (micro-USDC).

    `without` is the best total score without its bids, `marginal` the total score less that, never
    negative; `cap` the most that the protocol fees of its own winning fills allow; `amount` is what it
    gets if all its deals settle: 0 unless both optima are `proved` as far as its own winning bids reach.
    """

    solver: Id
    without: int
    marginal: Count
    cap: Count
    amount: Count
    proved: bool


class Deal(Wire, frozen=True, kw_only=True):
    """One winning bid with its prices and deadlines.

    `reserve` is the dust and what is left over; `reward` what its solver gets out of the protocol fees
    of its fills, by chain, if it settles.
    """

    deal: Id
    solver: Id
    bid: Id
    digest: str
    score: int
    lock_by_us: Count
    decide_by_us: Count
    release_by_us: Count
    chains: tuple[str, ...]
    fills: tuple[FilledOrder, ...]
    prices: tuple[PackagePrice, ...]
    reserve: tuple[ChainAmount, ...]
    reward: tuple[ChainAmount, ...] = ()


class OrderRecord(Wire, frozen=True, kw_only=True):
    """What became of one order in the round (`OrderReason`), and how many units were filled.

    `detail` says it in words, with the amounts in `numbers` where the reason is about amounts
    (`solvers.explanation.ORDER_TEXTS` says of each what they are).
    """

    intent: Id
    reason: str
    units: Count
    detail: str = ""
    numbers: Numbers | UnsetType = UNSET


class Choice(Wire, frozen=True, kw_only=True):
    """The winner choice: total score, its proved upper bound, and whether the two met."""

    score: int
    bound: int
    proved: bool


class Outcome(Wire, frozen=True, kw_only=True):
    """The outcome of a round."""

    format: Literal["solvent.outcome/1"] = "solvent.outcome/1"
    auction: Id
    content_hash: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    versions: dict[str, str]
    choice: Choice
    deals: tuple[Deal, ...]
    bids: tuple[BidRecord, ...]
    orders: tuple[OrderRecord, ...]
    solvers: tuple[SolverReport, ...]
    rewards: tuple[Reward, ...] = ()
