"""What a quote says: the answer of `POST /v1/quotes`, part by part.

Amounts are micro-USDC unless they are said to be lots or units, negative where the owner receives. Spans
are microseconds from `as_of_us`, as if a round were cut in that very instant.
"""

from typing import Literal

from chains.documented import DocumentedEnum
from chains.wire import Count, Id, Positive, Signed, Wire
from solvers.outcome import Numbers


class Saving(DocumentedEnum):
    """What would make the same package cheaper per unit; each was quoted again, exactly as it says."""

    OTHER_CHAIN = "other_chain", "the same package, delivered on another chain"
    FEWER_UNITS = "fewer_units", "fewer units, for which the best offers are enough"
    MORE_UNITS = "more_units", "more units, which share what is paid once"
    LONGER_VALIDITY = "longer_validity", "a later `validUntil`, which leaves time for a slower route"


class QuotedTrade(Wire, frozen=True, kw_only=True):
    """Lots taken from one offer; `side` is what the venue does, `price` is per lot."""

    venue: Id
    chain: Id
    offer: Id
    series: Id
    side: Literal["buy", "sell"]
    lots: Positive
    price: Count


class QuotedTransfer(Wire, frozen=True, kw_only=True):
    """What one bridge carries of one asset: lots of a series, or micro-USDC."""

    bridge: Id
    source: Id
    target: Id
    asset: Id
    amount: Positive


class QuotedCosts(Wire, frozen=True, kw_only=True):
    """What the payment is made of: it is exactly the sum of these.

    `premium` is what is paid for lots less what they bring; `left_over` what the payment brings beyond all
    costs, by rounding to whole micro-USDC per reduced unit, and what no bridge brings home.
    """

    premium: Signed
    venue_fees: Count
    bridge_fees: Count
    settlement_fees: Count
    deal_fees: Count
    protocol_fee: Count
    left_over: Count


class QuotedTimes(Wire, frozen=True, kw_only=True):
    """How long it would take: spans from `as_of_us`.

    `solve_us` is when the deal is prepared; `delivered_us` and `final_us` are expected with every chain up;
    `decide_by_us` and `release_by_us` are the deadlines, which no deal exceeds.
    """

    solve_us: Count
    delivered_us: Count
    final_us: Count
    decide_by_us: Count
    release_by_us: Count


class QuotedPlan(Wire, frozen=True, kw_only=True):
    """How the market would fill it, and what that costs.

    `units` of those asked; `payment` for all of them, all-in, and `per_unit`; `fills_from` is a limit with
    which these units fill now.
    """

    units: Positive
    payment: Signed
    per_unit: Signed
    fills_from: Signed
    chains: tuple[str, ...]
    trades: tuple[QuotedTrade, ...]
    transfers: tuple[QuotedTransfer, ...]
    costs: QuotedCosts
    times: QuotedTimes


class QuotedLimit(Wire, frozen=True, kw_only=True):
    """Whether the limit that was given fills anything now.

    `lowest` is a limit from which the least units fill, null where none does; `misses_by` is how far the
    given one is short of it, per unit.
    """

    given: Signed
    fills: bool
    lowest: Signed | None
    misses_by: Count


class QuotedObstacle(Wire, frozen=True, kw_only=True):
    """What stands in the way: a reason as orders have it, in words and with its numbers."""

    reason: str
    detail: str
    numbers: Numbers


class QuotedReserve(Wire, frozen=True, kw_only=True):
    """What admission would reserve of one asset; `free` is what the owner has, null where none is named."""

    asset: Id
    amount: Positive
    free: Signed | None


class QuotedSaving(Wire, frozen=True, kw_only=True):
    """One change of the intent that makes it cheaper, with what was quoted for the changed intent.

    `changes` are its fields as they are signed; `saves` is what its units would cost at the price per unit
    of the quote, less its own payment; null where the intent as it is cannot be filled at all.
    """

    kind: str
    changes: dict[str, str | int]
    units: Positive
    payment: Signed
    per_unit: Signed
    saves: Positive | None


class Quote(Wire, frozen=True, kw_only=True):
    """What an intent would get from the market alone, as it was at `as_of_us`.

    Other intents, which it may meet on better terms, are left out of account, and so are solvers. `units`
    are those that may be filled now: all, or those that a reduce-only intent's owner holds. `plan` is null
    where nothing fills; with a limit that does not fill it is what the market would charge without one.
    `obstacle` says what is in the way of units that the limit does not fill, or nobody can; null where there
    are none. `reserves` are for the limit, or for `fills_from` where there is none. `savings` are the
    greatest first; `is_complete` is false where the time for finding them was over.
    """

    as_of_us: Count
    market: Literal["alone"] = "alone"
    units: Positive
    plan: QuotedPlan | None
    limit: QuotedLimit | None
    obstacle: QuotedObstacle | None
    reserves: tuple[QuotedReserve, ...]
    savings: tuple[QuotedSaving, ...]
    is_complete: bool
