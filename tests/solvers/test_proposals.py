from router.problem import Plan
from solvers.auction import Rules
from solvers.proposals import propose_plans
from solvers.view import view_auction
from tests.builders import CALL, make_auction, make_offer, make_order, make_reference

ASK = make_offer("hub-book", CALL, "sell", 700, 99)
ORDERS = tuple(make_order(f"o{number}", {CALL: 1}, 1_000 + number) for number in range(5))
PLANS = [Plan(fills=((f"o{number}", 1),), trades=((ASK.id, 1),)) for number in range(5)]


def test_the_best_come_first_and_no_more_than_count() -> None:
    rules = Rules(fee_per_lot=3, bids_per_solver=3)
    view = view_auction(make_auction(offers=(ASK,), orders=ORDERS, rules=rules))
    bids = list(propose_plans(view, PLANS, solver="me"))
    assert [bid.bid for bid in bids] == ["o4", "o3", "o2"]
    assert {bid.solver for bid in bids} == {"me"}


def test_bids_that_would_be_refused_are_not_proposed() -> None:
    reference = (make_reference("hub", {CALL: 1}, units=9, price=867),)
    view = view_auction(make_auction(offers=(ASK,), orders=ORDERS, reference=reference))
    assert list(propose_plans(view, PLANS, solver="me")) == []
    unbalanced = Plan(fills=(("o0", 1),))
    plain = view_auction(make_auction(offers=(ASK,), orders=ORDERS))
    assert [bid.bid for bid in propose_plans(plain, [unbalanced, PLANS[1]], solver="me")] == ["o1"]
