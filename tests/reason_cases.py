"""One readable round for every reason that an order can have, with the numbers behind it.

All fees of the default market (`tests.builders`): on the hub alone one unit of a call at 700 needs
700 + 5 + 3 and 160 once, so a limit of 869 is the lowest that leaves something over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chains.units import MICRO
from solvers.arbitration import joint_capacities, judge_bid, list_candidates
from solvers.auction import Auction, Rules
from solvers.bid import Bid
from solvers.codec import digest, encode
from solvers.explanation import Pool
from solvers.outcome import Numbers, Submission
from solvers.reasons import OrderReason
from solvers.sealing import bid_keys, read_submission, set_aside
from solvers.verification import FeasibleBid
from solvers.view import view_auction
from tests.builders import (
    CALL,
    CUT_US,
    HIGH,
    LATER,
    PUT,
    SOLVE_US,
    make_auction,
    make_bid,
    make_bridge,
    make_offer,
    make_order,
)

ASK = make_offer("hub-book", CALL, "sell", 700, 3)
AWAY = make_offer("east-book", HIGH, "sell", 600, 3)
ALONE_US = CUT_US + SOLVE_US + 3 * 1_500_000 // 2 + 5_500_000
"""When a deal on the hub alone is decided: a block and a relay with their margin, and two budgets."""

DEAL = "the first bid's deal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A round, and what becomes of its order ``a``."""

    auction: Auction
    submissions: tuple[Submission, ...]
    reason: OrderReason
    numbers: Numbers


def reason_cases() -> dict[str, Case]:
    """By the name of what is shown."""
    return _with_bids() | _without_bids()


def _with_bids() -> dict[str, Case]:
    return {
        "filled": _case("filled", (DEAL, 868, 1_000), bids=(_fill("a-only", a=1),)),
        "partly filled": _case(
            "partly_filled",
            (DEAL, 2, 3),
            bids=(_fill("a-only", a=2),),
            orders=(make_order("a", {CALL: 1}, 1_000, units=3),),
        ),
        "outbid": _case(
            "outbid",
            ("alice/b-only", 132, 332),
            bids=(_fill("a-only", a=1), _fill("b-only", b=1)),
            orders=(make_order("a", {CALL: 1}, 1_000), make_order("b", {CALL: 1}, 1_200)),
            offers=(make_offer("hub-book", CALL, "sell", 700, 1),),
        ),
        "sibling filled": _case(
            "sibling_filled",
            ("b", 2, 0),
            bids=(_fill("b-only", b=2),),
            orders=(
                make_order("a", {PUT: 1}, 1_000, owner="ann", group="g"),
                make_order("b", {CALL: 1}, 1_200, units=2, owner="ann", group="g"),
            ),
        ),
    }


def _without_bids() -> dict[str, Case]:
    return {
        "no offer": _case(
            "no_offer", (PUT, 0, 6), orders=(make_order("a", {CALL: 1, PUT: 3}, 9_000, min_units=2, units=4),)
        ),
        "offer out of reach": _case(
            "no_offer",
            (HIGH, 0, 1),
            orders=(make_order("a", {HIGH: 1}, 9_000),),
            bridges=(make_bridge("hub", "east"), make_bridge("east", "hub", capacity_lots=0)),
        ),
        "order ends too early": _case(
            "too_late",
            ("a", ALONE_US, ALONE_US // MICRO * MICRO - 1),
            orders=(make_order("a", {CALL: 1}, 1_000, valid_until=ALONE_US // MICRO),),
        ),
        "offer ends too early": _case(
            "too_late",
            (ASK.id, ALONE_US, ALONE_US - 1),
            offers=(make_offer("hub-book", CALL, "sell", 700, 3, firm_until_us=ALONE_US),),
        ),
        "too few lots": _case(
            "too_few", (CALL, 3, 8), orders=(make_order("a", {CALL: 2}, 9_000, units=4, min_units=4),)
        ),
        "limit short": _case("limit_short", ("a", 868, 869), orders=(make_order("a", {CALL: 1}, 868),)),
        "asks too much": _case(
            "limit_short",
            ("a", -333, -331),
            orders=(make_order("a", {LATER: -1}, -333),),
            offers=(make_offer("hub-book", LATER, "buy", 500, 1),),
        ),
        "costs short": _case(
            "costs_short",
            (
                "a",
                8_000,
                (600 + 5 + 50) + (100 + 1_000) + (5_000 + 20) + (5_000 + 7) + (100 + 10 + 1_000) + 3 + 1,
            ),
            orders=(make_order("a", {HIGH: 1}, 8_000),),
        ),
        "no route": _case(
            "no_route",
            ("a", 0, 1),
            orders=(make_order("a", {HIGH: 1}, 90_000),),
            bridges=(make_bridge("east", "hub"),),
        ),
        "no bid": _case("no_bid", ("a", 1_000, 869)),
        "not searched": _case("not_searched", ("a", 1_000, 869), rules=Rules(fee_per_lot=3, searches_max=0)),
    }


def open_pool(auction: Auction, submissions: Sequence[Submission]) -> Pool:
    """The feasible bids of a round as they are explained, with no winners yet."""
    view = view_auction(auction)
    read = [read_submission(view, each) for each in submissions]
    judged = [judge_bid(view, each) for each in set_aside(read, names_max=auction.rules.bids_per_solver)]
    feasible = {each.digest: each for each in judged if isinstance(each, FeasibleBid)}
    return Pool(
        bids=feasible,
        candidates=list_candidates(view.problem, feasible.values(), bid_keys(view, read)),
        winners={},
        capacities=joint_capacities(view.problem),
    )


def _fill(name: str, **units: int) -> Bid:
    return make_bid(units, {ASK.id: sum(units.values())}, bid=name)


def _case(reason: str, numbers: tuple[str, int, int], *, bids: tuple[Bid, ...] = (), **changes: Any) -> Case:
    auction = make_auction(
        **{"orders": (make_order("a", {CALL: 1}, 1_000),), "offers": (ASK, AWAY)} | changes
    )
    where, found, allowed = numbers
    if where == DEAL:
        where = digest(f"{auction.auction}{bids[0].digest}".encode())[:32]
    return Case(
        auction=auction,
        submissions=tuple(
            Submission(solver=bid.solver, arrival_us=1, content=encode(bid).decode()) for bid in bids
        ),
        reason=next(each for each in OrderReason if each == reason),
        numbers=Numbers(where=where, found=found, allowed=allowed),
    )
