"""The verifier's own reading of every reason and its numbers: it agrees with the market, and with no lie."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from intents.errors import VerificationError
from intents.verifying.outcomes import check_deals, judge_all
from intents.verifying.reasons import check_fates
from intents.verifying.sheet import Sheet
from solvers.arbitration import arbitrate
from solvers.auction import Auction, Rules
from solvers.bid import Bid, Fee
from solvers.codec import encode
from solvers.outcome import HOUSE, Numbers, OrderRecord, Outcome, Submission
from solvers.reasons import OrderReason
from solvers.reference import with_reference
from solvers.strategies.greedy import Greedy
from solvers.strategy import SolveContext
from tests.builders import (
    CALL,
    PUT,
    SOLVE_US,
    free_market,
    make_auction,
    make_bid,
    make_offer,
    make_order,
)
from tests.random_auctions import random_auction
from tests.reason_cases import ASK, Case, reason_cases

CASES = reason_cases()
SEARCHED = {OrderReason.COSTS_SHORT, OrderReason.NO_BID, OrderReason.NO_ROUTE}
CHEAP = f"hub-book/{CALL}/sell/90"

Change = Callable[[Numbers], Numbers]


def check(auction: Auction, submissions: tuple[Submission, ...], outcome: Outcome) -> None:
    sheet = Sheet(auction)
    pool = judge_all(sheet, submissions, outcome)
    check_deals(sheet, outcome, pool)
    check_fates(sheet, outcome, pool)


def refused(auction: Auction, submissions: tuple[Submission, ...], outcome: Outcome) -> str:
    with pytest.raises(VerificationError) as caught:
        check(auction, submissions, outcome)
    return caught.value.rule


def decide(case: Case) -> Outcome:
    return arbitrate(case.auction, case.submissions, versions={})


def with_first_order(outcome: Outcome, **changes: Any) -> Outcome:
    first, *rest = outcome.orders
    return replace(outcome, orders=(replace(first, **changes), *rest))


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_true_record_of_every_reason_passes(case: Case) -> None:
    outcome = decide(case)
    check(case.auction, case.submissions, outcome)
    check(case.auction, case.submissions, with_first_order(outcome, detail="words are not compared"))


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_every_other_reason_is_a_lie(case: Case) -> None:
    outcome = decide(case)
    for other in (*OrderReason, "ugly"):
        if other == case.reason:
            continue
        rule = refused(case.auction, case.submissions, with_first_order(outcome, reason=other))
        assert rule in {"order_reason", "order_numbers"}, other
        if case.reason not in SEARCHED:
            assert rule == "order_reason", other


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_every_number_of_an_order_is_checked(case: Case) -> None:
    outcome = decide(case)
    true = case.numbers
    lies = [
        UNSET,
        replace(true, where="elsewhere"),
        replace(true, found=true.found + 1),
        replace(true, found=true.found - 1),
        replace(true, allowed=true.allowed - 10**6),
    ]
    if case.reason is not OrderReason.COSTS_SHORT:
        lies += [replace(true, allowed=true.allowed + 1), replace(true, allowed=true.allowed - 1)]
    for lie in lies:
        rule = refused(case.auction, case.submissions, with_first_order(outcome, numbers=lie))
        assert rule in {"order_numbers", "order_reason"}, lie
        if case.reason not in SEARCHED:
            assert rule == "order_numbers", lie


def test_a_price_that_the_search_would_have_undercut_is_a_lie() -> None:
    """Its own chain sells at 868: who says that the order needs more than a limit of 869 lies."""
    case = CASES["no bid"]
    dear = with_first_order(
        decide(case), reason=OrderReason.COSTS_SHORT, numbers=Numbers(where="a", found=1_000, allowed=1_001)
    )
    assert refused(case.auction, case.submissions, dear) == "order_numbers"
    unreachable = with_first_order(
        decide(case), reason=OrderReason.NO_ROUTE, numbers=Numbers(where="a", found=0, allowed=1)
    )
    assert refused(case.auction, case.submissions, unreachable) == "order_reason"


def test_only_orders_beyond_the_limit_of_searches_are_not_searched_for() -> None:
    """Three orders that alone could be filled, and two searches: the first two in the auction get them."""
    orders = tuple(make_order(name, {CALL: 1}, 1_000) for name in "cab")
    auction = make_auction(orders=orders, offers=(ASK,), rules=Rules(fee_per_lot=3, searches_max=2))
    outcome = arbitrate(auction, (), versions={})
    assert [row.reason for row in outcome.orders] == ["no_bid", "no_bid", "not_searched"]
    check(auction, (), outcome)
    for place, reason in ((1, "not_searched"), (2, "no_bid")):
        rows = list(outcome.orders)
        rows[place] = replace(rows[place], reason=reason)
        assert refused(auction, (), replace(outcome, orders=tuple(rows))) == "order_reason"


def test_units_and_rows_are_checked() -> None:
    case = CASES["partly filled"]
    outcome = decide(case)
    assert refused(case.auction, case.submissions, with_first_order(outcome, units=3)) == "order_units"
    none = replace(outcome, orders=())
    assert refused(case.auction, case.submissions, none) == "orders_missing"
    other = replace(outcome, orders=(OrderRecord(intent="b", reason="no_bid", units=0),))
    assert refused(case.auction, case.submissions, other) == "orders_missing"


def contest() -> tuple[Auction, tuple[Submission, ...]]:
    """Bids for every reason: one wins, others lose by an order and by an offer, the rest do not count."""
    auction = free_market(
        orders=(make_order("ann", {CALL: 1}, 100, units=2), make_order("ben", {CALL: 1}, 98, units=2)),
        offers=(make_offer("hub-book", CALL, "sell", 90, 3), make_offer("hub-book", PUT, "sell", 40, 9)),
        rules=Rules(fee_per_lot=0, bids_per_solver=2),
    )
    ann, ben = make_bid({"ann": 2}, {CHEAP: 2}, bid="ann"), make_bid({"ben": 2}, {CHEAP: 2}, bid="ben")
    dearer = replace(ann, solver="carol", fee=(Fee(chain="hub", amount=1),))
    sent = [
        (ann, 3),
        (replace(ben, solver="bob"), 3),
        (replace(ann, bid="again", solver="bob", fills=ann.fills), 4),
        (dearer, 5),
        (dearer, 6),
        (replace(dearer, bid="two"), 7),
        (replace(dearer, bid="three"), 8),
        (replace(ann, solver="dora"), SOLVE_US + 9),
        (replace(ann, solver="eve", fills=(replace(ann.fills[0], units=1),)), 9),
    ]
    return auction, tuple(
        Submission(solver=bid.solver, arrival_us=at_us, content=encode(bid).decode()) for bid, at_us in sent
    )


@pytest.mark.parametrize("place", range(9))
def test_every_number_of_a_bid_is_checked(place: int) -> None:
    auction, sent = contest()
    outcome = arbitrate(auction, sent, versions={})
    check(auction, sent, outcome)
    assert [str(bid.reason) for bid in outcome.bids[3:]] == [
        "superseded",
        "outbid",
        "outbid",
        "too_many",
        "late",
        "infeasible:imbalance",
    ]
    true = outcome.bids[place].numbers
    assert isinstance(true, Numbers)
    lies = [UNSET]
    if place < 8:  # The numbers of a broken rule are there; what they are, a replay compares.
        lies += [
            replace(true, where="elsewhere"),
            replace(true, found=true.found + 1),
            replace(true, allowed=true.allowed + 1),
        ]
    for lie in lies:
        bids = list(outcome.bids)
        bids[place] = replace(bids[place], numbers=lie)
        assert refused(auction, sent, replace(outcome, bids=tuple(bids))) in {"numbers", "bid_numbers"}, lie


def test_numbers_where_there_are_none_are_a_lie() -> None:
    auction, _ = contest()
    sent = (Submission(solver="bob", arrival_us=1, content="no bid"),)
    outcome = arbitrate(auction, sent, versions={})
    assert outcome.bids[0].numbers is UNSET
    bid = replace(outcome.bids[0], numbers=Numbers(where="", found=0, allowed=0))
    assert refused(auction, sent, replace(outcome, bids=(bid,))) == "numbers"


def test_market_and_verifier_agree_on_random_rounds() -> None:
    """Whole rounds with the house and a strategy, over random chains, fees, deadlines and groups."""
    seen = set()
    for seed in range(150):
        auction, house = with_reference(random_auction(seed))
        context = SolveContext(solver="greedy", deadline_s=float("inf"), seed=0)
        bids: list[tuple[str, Bid]] = [(HOUSE, bid) for bid in house]
        bids += (("greedy", bid) for bid in Greedy().solve(auction, context))
        sent = tuple(
            Submission(solver=name, arrival_us=place, content=encode(bid).decode())
            for place, (name, bid) in enumerate(bids)
        )
        outcome = arbitrate(auction, sent, versions={})
        check(auction, sent, outcome)
        seen |= {str(row.reason) for row in (*outcome.orders, *outcome.bids)}
    assert len(seen) >= 10
