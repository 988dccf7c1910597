"""The closed lists of public reasons: one for every order, bid and solver of every round.

A bid's reason is a `BidReason`, or ``infeasible:<rule>`` with a `Rule`. Every value has one line of
documentation here, which the README's table is checked against.
"""

from enum import StrEnum


class Rule(StrEnum):
    """The rules that a feasible bid keeps, in the order in which they are checked."""

    UNSUPPORTED = "unsupported"
    UNKNOWN_INTENT = "unknown_intent"
    DUPLICATE_FILL = "duplicate_fill"
    GROUP_CONFLICT = "group_conflict"
    UNITS_NOT_ALLOWED = "units_not_allowed"
    UNKNOWN_OFFER = "unknown_offer"
    DUPLICATE_TRADE = "duplicate_trade"
    OFFER_EXCEEDED = "offer_exceeded"
    UNKNOWN_BRIDGE = "unknown_bridge"
    UNKNOWN_ASSET = "unknown_asset"
    DUPLICATE_TRANSFER = "duplicate_transfer"
    BRIDGE_CAPACITY = "bridge_capacity"
    TRANSFER_CYCLE = "transfer_cycle"
    UNKNOWN_CHAIN = "unknown_chain"
    DUPLICATE_FEE = "duplicate_fee"
    SELF_MATCH = "self_match"
    DISCONNECTED = "disconnected"
    IMBALANCE = "imbalance"
    LIMIT_EXCEEDED = "limit_exceeded"
    ABOVE_REFERENCE = "above_reference"
    UNFUNDED = "unfunded"
    CASH_MISPLACED = "cash_misplaced"
    DECIDED_TOO_LATE = "decided_too_late"
    OFFER_NOT_FIRM = "offer_not_firm"
    RELEASED_TOO_LATE = "released_too_late"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"


class BidReason(StrEnum):
    """What became of a bid, where it is not ``infeasible:<rule>``."""

    WON = "won"
    OUTBID = "outbid"
    SUPERSEDED = "superseded"
    LATE = "late"
    MALFORMED = "malformed"
    WRONG_AUCTION = "wrong_auction"
    WRONG_SOLVER = "wrong_solver"
    TOO_MANY = "too_many"


class OrderReason(StrEnum):
    """What became of an order in a round."""

    FILLED = "filled"
    PARTLY_FILLED = "partly_filled"
    NO_BID = "no_bid"
    OUTBID = "outbid"
    NOT_SELECTED = "not_selected"


class SolverReason(StrEnum):
    """How a solver got through a round's window."""

    FINISHED = "finished"
    SOLVER_TIMEOUT = "solver_timeout"
    SOLVER_CRASHED = "solver_crashed"
    SOLVER_FLOODED = "solver_flooded"
