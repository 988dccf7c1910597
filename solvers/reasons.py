"""The closed lists of public reasons: one for every order, bid and solver of every round.

A bid's reason is a `BidReason`, or ``infeasible:<rule>`` with a `Rule`. The meanings are what the
README shows.
"""

from chains.documented import DocumentedEnum


class Rule(DocumentedEnum):
    """The rules that a feasible bid keeps, in the order in which they are checked."""

    UNSUPPORTED = "unsupported", "pools, delivery and payoff orders are not traded yet"
    UNKNOWN_INTENT = "unknown_intent", "a fill names an intent that is not in the auction"
    DUPLICATE_FILL = "duplicate_fill", "two fills name the same intent"
    GROUP_CONFLICT = "group_conflict", "two fills name intents of one one-cancels-other group"
    UNITS_NOT_ALLOWED = "units_not_allowed", "a fill is smaller or larger than its order allows"
    UNKNOWN_OFFER = "unknown_offer", "a trade names an offer that is not in the auction"
    DUPLICATE_TRADE = "duplicate_trade", "two trades name the same offer"
    OFFER_EXCEEDED = "offer_exceeded", "a trade takes more lots than its offer has"
    UNKNOWN_BRIDGE = "unknown_bridge", "a transfer names a bridge that is not in the auction"
    UNKNOWN_ASSET = "unknown_asset", "a transfer names neither USDC nor a listed series"
    DUPLICATE_TRANSFER = "duplicate_transfer", "two transfers name the same bridge and asset"
    BRIDGE_CAPACITY = "bridge_capacity", "the transfers over a bridge exceed its capacity in cash or lots"
    TRANSFER_CYCLE = "transfer_cycle", "the transfers of one asset form a directed cycle"
    UNKNOWN_CHAIN = "unknown_chain", "a solver's fee is on a chain that the bid does not touch"
    DUPLICATE_FEE = "duplicate_fee", "two solver's fees name the same chain"
    SELF_MATCH = "self_match", "one owner's fills are on opposite sides of a series"
    DISCONNECTED = "disconnected", "the bid is empty, or its parts are separate bids"
    IMBALANCE = "imbalance", "on a chain, lots that come in are not the lots that are delivered"
    LIMIT_EXCEEDED = "limit_exceeded", "on a chain, the lowest filled limits do not cover the cash need"
    ABOVE_REFERENCE = "above_reference", "on a chain, only the reference prices do not cover the cash need"
    UNFUNDED = "unfunded", "a chain where nothing is filled needs cash"
    CASH_MISPLACED = "cash_misplaced", "cash of one chain's fills reaches other fills that do not need it"
    DECIDED_TOO_LATE = "decided_too_late", "the deal would be decided after a filled order has ended"
    OFFER_NOT_FIRM = "offer_not_firm", "the deal would be decided after an offer's firmness or lock limit"
    RELEASED_TOO_LATE = "released_too_late", "the deal would be released after a series has expired"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range", "an amount leaves the integers of the wire (2^53)"


class BidReason(DocumentedEnum):
    """What became of a bid, where it is not ``infeasible:<rule>``."""

    WON = "won", "the bid won and is settled as a deal"
    OUTBID = "outbid", "feasible, but the bids that won score more together"
    SUPERSEDED = "superseded", "a later bid of the same solver and name took its place"
    LATE = "late", "it arrived after the solve window had closed"
    MALFORMED = "malformed", "it is not a bid in the format `solvent.bid/1`"
    WRONG_AUCTION = "wrong_auction", "it is for another auction"
    WRONG_SOLVER = "wrong_solver", "it is in another solver's name"
    TOO_MANY = "too_many", "the solver has used up the names that a round allows it"


class OrderReason(DocumentedEnum):
    """What became of an order in a round."""

    FILLED = "filled", "all units that could be filled were pledged to deals"
    PARTLY_FILLED = "partly_filled", "some units were pledged to deals"
    NO_BID = "no_bid", "no feasible bid filled it"
    OUTBID = "outbid", "feasible bids filled it, but none of them won"
    NOT_SELECTED = "not_selected", "more orders were open than an auction holds, and others came first"


class SolverReason(DocumentedEnum):
    """How a solver got through a round's window."""

    FINISHED = "finished", "it returned before the window closed"
    SOLVER_TIMEOUT = "solver_timeout", "it was still running when the window closed, and was restarted"
    SOLVER_CRASHED = "solver_crashed", "it raised, exited, or could not be started"
    SOLVER_FLOODED = "solver_flooded", "it sent more bids or bytes than a round allows, and was restarted"
