from dataclasses import replace

import msgspec
import pytest

from router.joint import solve_jointly
from router.problem import Problem
from router.reduction import reduce_problem
from router.timing import last_decision_us, plan_deadlines
from solvers.auction import Order
from solvers.problem import to_problem
from tests.builders import CALL, HIGH, PUT, free_market, make_auction, make_offer, make_order
from tests.random_auctions import random_auction
from tests.router.exhaustive import ROUNDING, best_total
from tests.router.tiny_problems import tiny_problem


def everything() -> list[Problem]:
    return [*map(tiny_problem, range(100)), *(to_problem(random_auction(seed)) for seed in range(60))]


def problem_of(*orders: Order, **changes: object) -> Problem:
    return to_problem(make_auction(orders=orders, **changes))


def test_the_optimum_stays_where_it_was() -> None:
    """By trying everything, before and after."""
    changed = filled = 0
    for seed in range(1_000, 1_070):
        problem = tiny_problem(seed)
        reduced = reduce_problem(problem)
        best = best_total(problem)
        assert best_total(reduced) == pytest.approx(best, abs=0.01), f"seed {seed}"
        changed += reduced != problem and bool(reduced.demands)
        filled += best > 0
    assert changed >= 20
    assert filled >= 20


def test_the_joint_answer_stays_where_it_was() -> None:
    """Including bounds: what reduction leaves is proved to be worth what the whole problem is."""
    for seed in range(1_100, 1_120):
        problem = tiny_problem(seed)
        before, after = (solve_jointly(each, time_limit_s=10) for each in (problem, reduce_problem(problem)))
        assert abs(before.value - after.value) <= ROUNDING, f"seed {seed}"
        assert after.proved


def test_nothing_is_added_or_changed() -> None:
    for problem in everything():
        reduced = reduce_problem(problem)
        for before, after in (
            (problem.demands, reduced.demands),
            (problem.offers, reduced.offers),
            (problem.bridges, reduced.bridges),
        ):
            assert after.items() <= before.items()
            assert list(after) == sorted(after)
        assert (
            replace(reduced, demands=problem.demands, offers=problem.offers, bridges=problem.bridges)
            == problem
        )


def test_what_is_left_is_in_time_alone_and_can_be_supplied() -> None:
    """By the definitions of time, and by a count of who sells what to whom."""
    for problem in everything():
        reduced = reduce_problem(problem)
        sides = {(offer.series, offer.side == "sell") for offer in reduced.offers.values()}
        for demand in reduced.demands.values():
            sides |= {(series, ratio < 0) for series, ratio in demand.legs}
            alone = plan_deadlines(problem, [demand.chain])
            assert alone.decide_by_us < demand.valid_until_us
        for demand in reduced.demands.values():
            assert all((series, ratio > 0) in sides for series, ratio in demand.legs)
        for offer in reduced.offers.values():
            alone = plan_deadlines(problem, [problem.venues[offer.venue].chain])
            assert alone.decide_by_us <= last_decision_us(problem, offer)
            assert alone.release_by_us < problem.series_expiry_us[offer.series]


def test_a_demand_that_nobody_supplies_takes_its_counterparts_along() -> None:
    pair, single = make_order("pair", {CALL: 1, PUT: 1}, 9), make_order("single", {CALL: -1}, 9)
    assert reduce_problem(problem_of(pair, single)).demands == {}
    put = make_offer("east-book", PUT, "sell", 5, 1)
    assert list(reduce_problem(problem_of(pair, single, offers=(put,))).demands) == ["pair", "single"]


def test_the_deadline_of_a_deal_on_one_chain_is_the_last_that_counts() -> None:
    order = make_order("a", {CALL: 1}, 9)
    problem = problem_of(order, offers=(make_offer("hub-book", CALL, "sell", 5, 1),))
    decided = plan_deadlines(problem, ["hub"]).decide_by_us
    for end, expected in ((decided, []), (decided + 1, ["a"])):
        demand = replace(problem.demands["a"], valid_until_us=end)
        assert list(reduce_problem(replace(problem, demands={"a": demand})).demands) == expected
        expiries = {**problem.series_expiry_us, CALL: end}
        assert list(reduce_problem(replace(problem, series_expiry_us=expiries)).demands) == expected
        venue = msgspec.structs.replace(problem.venues["hub-book"], max_lock_us=end - problem.prepare_us)
        venues = {**problem.venues, "hub-book": venue}
        assert list(reduce_problem(replace(problem, venues=venues)).demands) == expected


@pytest.mark.parametrize(("ask", "kept"), [(99, True), (100, False)])
def test_unwanted_series_are_kept_only_where_venues_could_trade_at_a_profit(ask: int, kept: bool) -> None:
    offers = (
        make_offer("hub-book", CALL, "sell", 5, 1),
        make_offer("hub-book", HIGH, "sell", ask, 3),
        make_offer("east-book", HIGH, "buy", 100, 2),
    )
    auction = free_market(orders=(make_order("a", {CALL: 1}, 9),), offers=offers)
    found = {offer.series for offer in reduce_problem(to_problem(auction)).offers.values()}
    assert found == ({CALL, HIGH} if kept else {CALL})


def test_fees_per_lot_narrow_a_crossing() -> None:
    offers = (
        make_offer("hub-book", CALL, "sell", 5, 1),
        make_offer("hub-book", HIGH, "sell", 91, 3),
        make_offer("east-book", HIGH, "buy", 100, 2),
    )
    reduced = reduce_problem(problem_of(make_order("a", {CALL: 1}, 9), offers=offers))
    assert {offer.series for offer in reduced.offers.values()} == {CALL}


@pytest.mark.parametrize(("side", "order"), [("sell", (70, 80, 90)), ("buy", (90, 80, 70))])
def test_a_ladder_ends_where_nobody_could_want_more(side: str, order: tuple[int, ...]) -> None:
    """Four lots are wanted: two offers of the best prices are enough, and each venue has its own ladder."""
    ratio = 2 if side == "sell" else -2
    offers = [
        make_offer(venue, CALL, side, price, 3) for venue in ("hub-book", "east-book") for price in order
    ]
    problem = problem_of(make_order("a", {CALL: ratio}, 90, units=2), offers=tuple(reversed(offers)))
    kept = [(offer.venue, offer.price) for offer in reduce_problem(problem).offers.values()]
    assert sorted(kept) == sorted(
        (venue, price) for venue in ("hub-book", "east-book") for price in order[:2]
    )


def test_bridges_that_carry_nothing_are_dropped() -> None:
    problem = problem_of()
    full = {
        name: msgspec.structs.replace(
            bridge,
            capacity_cash=0 if name in {"hub-east", "hub-west"} else 1,
            capacity_lots=0 if name in {"hub-east", "east-hub"} else 1,
        )
        for name, bridge in problem.bridges.items()
    }
    reduced = reduce_problem(replace(problem, bridges=full))
    assert set(full) - set(reduced.bridges) == {"hub-east"}
