from msgspec.structs import replace

from chains.units import MICRO
from router.problem import Plan
from solvers.auction import Payoff
from solvers.bid import Bid
from solvers.codec import decode, encode
from solvers.problem import to_bid, to_plan, to_problem
from tests.builders import CALL, CUT_US, HIGH, SOLVE_US, make_auction, make_offer, make_order, make_reference


def test_series_expire_at_the_microsecond_of_their_terms():
    problem = to_problem(make_auction())
    assert problem.series_expiry_us[CALL] == 1_782_460_800 * MICRO
    assert problem.prepare_us == CUT_US + SOLVE_US


def test_demand_may_always_fill_what_is_left():
    order = make_order("a", {CALL: 2}, 100, units=3, min_units=5, valid_until=7)
    demand = to_problem(make_auction(orders=(order,))).demands["a"]
    assert (demand.min_units, demand.units, demand.valid_until_us) == (3, 3, 7 * MICRO)


def test_group_is_a_pair_of_owner_and_name():
    orders = (
        make_order("a", {CALL: 1}, 100, owner="one", group="g"),
        make_order("b", {CALL: 1}, 100, owner="two", group="g"),
        make_order("c", {CALL: 1}, 100, owner="two"),
        make_order("d", {CALL: 1}, 100, owner="two", group="g"),
    )
    groups = {
        intent: demand.group for intent, demand in to_problem(make_auction(orders=orders)).demands.items()
    }
    assert groups["a"] != groups["b"] == groups["d"]
    assert groups["c"] == ""


def test_payoff_orders_are_left_out():
    payoff = Payoff(underlying="BTC", expiry=1_782_460_800, knots=((0, 0),), slope=1)
    unpriced = make_order("a", {}, 100, payoff=payoff, delivery="portfolio")
    problem = to_problem(make_auction(orders=(unpriced, make_order("b", {CALL: 1}, 100))))
    assert set(problem.demands) == {"b"}


def test_reference_is_keyed_by_chain_and_package():
    auction = make_auction(reference=(make_reference("hub", {HIGH: -1, CALL: 1}, units=4, price=-7),))
    reference = to_problem(auction).references["hub", ((CALL, 1), (HIGH, -1))]
    assert (reference.units, reference.price) == (4, -7)


def test_plan_survives_the_way_to_a_bid_and_back():
    offer = make_offer("hub-book", CALL, "sell", 90, 5)
    plan = Plan(fills=(("b", 1), ("a", 2)), trades=((offer.id, 3),), transfers=(("hub-east", "USDC", 5),))
    bid = to_bid(plan, auction=make_auction(), solver="alice", name="one")
    assert to_plan(bid) == Plan(fills=(("a", 2), ("b", 1)), trades=plan.trades, transfers=plan.transfers)
    assert decode(encode(bid), Bid) == bid


def test_equal_plans_give_equal_bids_in_whatever_order_they_were_found():
    auction = make_auction()
    plan, mirrored = Plan(fills=(("a", 2), ("b", 1))), Plan(fills=(("b", 1), ("a", 2)))
    bids = [to_bid(each, auction=auction, solver="alice", name="one") for each in (plan, mirrored)]
    assert bids[0].digest == bids[1].digest
    assert replace(bids[0], bid="two").digest != bids[1].digest
