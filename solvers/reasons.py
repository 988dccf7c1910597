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
    """What became of an order in a round; `solvers.explanation` says which one holds, and its numbers."""

    FILLED = "filled", "all units that could be filled were pledged to deals"
    PARTLY_FILLED = "partly_filled", "some units were pledged to deals"
    OUTBID = "outbid", "feasible bids filled it, but none of them won"
    SIBLING_FILLED = "sibling_filled", "another order of its one-cancels-other group was filled"
    NO_OFFER = "no_offer", "no bid filled it: no venue within reach offers one of its legs"
    TOO_LATE = "too_late", "no bid filled it: it, the offers or the series end before a deal could be done"
    TOO_FEW = "too_few", "no bid filled it: fewer lots are within reach in time than its least units need"
    LIMIT_SHORT = "limit_short", "no bid filled it: its limit is below the best offers with the least of fees"
    NO_ROUTE = "no_route", "no bid filled it: no way was found to bring its least units together in time"
    COSTS_SHORT = (
        "costs_short",
        "no bid filled it: its limit is below the best offers with the fees on the way",
    )
    NO_BID = "no_bid", "no bid filled it, though alone it could have been filled within its limit"
    NOT_SELECTED = "not_selected", "more orders were open than an auction holds, and others came first"
    NOT_SEARCHED = (
        "not_searched",
        "no bid filled it, nor is its limit below the best offers; a round looks into so many and no more",
    )
    WITHHELD = "withheld", "it could not take part: another intent of its group is in settlement"
    NOT_COVERED = (
        "not_covered",
        "it could not take part: `reduceOnly`, and what is held covers too little",
    )


class SolverReason(DocumentedEnum):
    """How a solver got through a round's window."""

    FINISHED = "finished", "it returned before the window closed"
    SOLVER_TIMEOUT = "solver_timeout", "it was still running when the window closed, and was restarted"
    SOLVER_CRASHED = "solver_crashed", "it raised or exited, and was restarted"
    SOLVER_NOT_STARTED = "solver_not_started", "its strategy was not loaded: it cannot be, or not in time"
    SOLVER_OUT_OF_MEMORY = (
        "solver_out_of_memory",
        "it asked for or held more memory than it is allowed, and was restarted",
    )
    SOLVER_TOO_MANY_PROCESSES = (
        "solver_too_many_processes",
        "it ran more processes and threads than it is allowed, and was restarted",
    )
    SOLVER_FLOODED = (
        "solver_flooded",
        "it sent or wrote more than a round allows: bids, quotes, bytes or a file; and was restarted",
    )
    SOLVER_OUT_OF_TURN = (
        "solver_out_of_turn",
        "it sent what is no answer, or when nothing was asked, and was restarted",
    )
    BOND_EXHAUSTED = "bond_exhausted", "its bond is used up, and it was not asked"


class QuotesReason(DocumentedEnum):
    """What became of a set of stock quotes, where it is not simply on offer from the next cut on."""

    CUT = "cut", "it offered more than was free: its first quotes stand as far as the stock goes"
    LATE = "late", "it arrived after the solve window had closed"
    MALFORMED = "malformed", "it is not a set of quotes, or longer than is read"
    NOT_YOUR_VENUE = "not_your_venue", "no stock venue of this solver has that name"
    UNKNOWN_SERIES = "unknown_series", "it names a series that is not listed"
    OUT_OF_RANGE = "out_of_range", "a price is above what a lot may cost"
    QUOTES_REFUSED = "quotes_refused", "its quotes contradict each other, are too many or are not funded"
