"""The search over venues, against every set of venues."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, combinations

import msgspec
import pytest

from router.measuring import Quote
from router.peers import group_peers
from router.problem import Demand, Problem
from router.residual import Residual
from router.sourcing import Sourcing
from router.venue_choice import quote_group
from solvers.problem import to_problem
from tests.builders import CALL, HIGH, make_auction, make_bridge, make_chain, make_offer, make_order
from tests.random_auctions import random_auction


def quote(problem: Problem, demands: Iterable[Demand], *, one_venue: bool = False) -> Quote | None:
    group = group_peers(problem, list(demands))
    return quote_group(Sourcing(problem), Residual(problem), group, one_venue=one_venue)


def restricted(problem: Problem, venues: Iterable[str]) -> Problem:
    """The same problem without the offers of other venues."""
    kept = set(venues)
    return replace(
        problem, offers={name: offer for name, offer in problem.offers.items() if offer.venue in kept}
    )


def surplus(found: Quote | None) -> int:
    return found.surplus if found else 0


def test_the_search_is_close_to_the_best_of_every_set_of_venues() -> None:
    """Dropping venues one by one is a local search: nearly always exact, never better than exhaustive."""
    found = exhaustive = exact = cases = 0
    for seed in range(80):
        problem = to_problem(random_auction(seed, orders=1, chains=4))
        (demand,) = problem.demands.values()
        mine = surplus(quote(problem, [demand]))
        names = sorted(problem.venues)
        sets = chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))
        best = max(surplus(quote(restricted(problem, venues), [demand])) for venues in sets)
        assert mine <= best
        cases += best > 0
        exact += 0 < best == mine
        found, exhaustive = found + mine, exhaustive + best
    assert cases > 20
    assert exact >= 0.97 * cases
    assert found >= 0.995 * exhaustive


def test_one_venue_is_the_best_of_each_venue_alone() -> None:
    for seed in range(100):
        problem = to_problem(random_auction(seed, orders=1))
        (demand,) = problem.demands.values()
        found = quote(problem, [demand], one_venue=True)
        each = [quote(restricted(problem, [venue]), [demand]) for venue in problem.venues]
        assert surplus(found) == max(map(surplus, each), default=0)
        if found:
            assert len({problem.offers[offer].venue for offer, _ in found.plan.trades}) == 1


def test_a_small_order_stays_at_home_and_a_large_one_crosses_a_bridge() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 1_000, 99), make_offer("east-book", CALL, "sell", 900, 99))
    for units, venues in ((20, {"hub-book"}), (200, {"hub-book", "east-book"})):
        problem = to_problem(
            make_auction(offers=offers, orders=(make_order("a", {CALL: 1}, 2_000, units=units),))
        )
        cheap = replace(
            problem,
            bridges={
                name: msgspec.structs.replace(bridge, fee_fixed=1_000)
                for name, bridge in problem.bridges.items()
            },
        )
        found = quote(cheap, cheap.demands.values())
        assert found is not None
        assert {cheap.offers[offer].venue for offer, _ in found.plan.trades} == venues


def test_a_venue_that_does_not_earn_its_touch_is_left_out() -> None:
    offers = (
        make_offer("hub-book", CALL, "sell", 1_000, 99),
        make_offer("hub-second", CALL, "sell", 999, 1),
    )
    problem = to_problem(
        make_auction(
            offers=offers,
            venues=tuple(
                msgspec.structs.replace(venue, **changes)
                for venue in make_auction().venues[:1]
                for changes in ({}, {"id": "hub-second"})
            ),
            orders=(make_order("a", {CALL: 1}, 2_000, units=5),),
        )
    )
    found = quote(problem, problem.demands.values())
    assert found is not None
    assert found.plan.trades == ((offers[0].id, 5),)


def test_a_chain_that_settles_too_slowly_is_left_out() -> None:
    """East is cheaper but decides after the order ends; the hub takes all."""
    offers = (make_offer("hub-book", CALL, "sell", 9_000, 9), make_offer("east-book", CALL, "sell", 1, 9))
    slow = make_chain("east", finality_us=4_000_000_000)
    problem = to_problem(
        make_auction(
            chains=(make_chain("hub"), slow),
            bridges=(make_bridge("hub", "east"), make_bridge("east", "hub")),
            venues=make_auction().venues[:2],
            offers=offers,
            orders=(make_order("a", {CALL: 1}, 90_000, units=5),),
        )
    )
    found = quote(problem, problem.demands.values())
    assert found is not None
    assert found.plan.trades == ((offers[0].id, 5),)


@pytest.mark.parametrize(("capacity", "units"), [(100_000, 90), (20_000, 13), (7_175, 1), (7_174, 0)])
def test_as_many_units_as_cash_gets_through(capacity: int, units: int) -> None:
    """East needs 1025 a lot with its bridge fee, and 6150 whatever the lots."""
    problem = to_problem(
        make_auction(
            bridges=(make_bridge("hub", "east", capacity_cash=capacity), make_bridge("east", "hub")),
            offers=(make_offer("east-book", CALL, "sell", 1_000, 99),),
            orders=(make_order("a", {CALL: 1}, 50_000, units=90),),
        )
    )
    found = quote(problem, problem.demands.values())
    assert (found.lots if found else 0) == units


def test_legs_that_no_venue_lists_together_are_no_single_plan() -> None:
    offers = (make_offer("hub-book", CALL, "sell", 10, 9), make_offer("east-book", HIGH, "sell", 10, 9))
    problem = to_problem(make_auction(offers=offers, orders=(make_order("a", {CALL: 1, HIGH: 1}, 90_000),)))
    assert quote(problem, problem.demands.values(), one_venue=True) is None
    assert quote(problem, problem.demands.values()) is not None
