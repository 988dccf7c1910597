"""Filling without fixed costs, against plain enumeration of every number of units."""

from itertools import product
from random import Random

import pytest

from router.filling import Appetite, Stop, fill_peers
from router.peers import PeerGroup, group_peers
from router.problem import Reference
from router.residual import Residual
from router.sourcing import Scale, Source, Sourcing
from solvers.auction import Auction, Rules
from solvers.problem import to_problem
from tests.builders import CALL, HIGH, make_bridge, make_chain, make_offer, make_order
from tests.builders import free_market as market

EVERYTHING = Appetite(units_max=10**9)
ASKS = (make_offer("hub-book", CALL, "sell", 10, 4), make_offer("hub-book", CALL, "sell", 20, 6))


def fill(auction: Auction, *, appetite: Appetite = EVERYTHING, open_until_us: int = 0) -> list[Stop]:
    problem = to_problem(auction)
    group = group_peers(problem, list(problem.demands.values()))
    ladders = ladders_of(Sourcing(problem), group)
    return fill_peers(
        group, ladders, residual=Residual(problem), open_until_us=open_until_us, appetite=appetite
    )


def ladders_of(sourcing: Sourcing, group: PeerGroup) -> list[tuple[Source, ...]]:
    scale = Scale(lots=1, cash=1)
    return [sourcing.ladder("hub", series, buys=ratio > 0, scale=scale) for series, ratio in group.package]


def fills(stops: list[Stop]) -> list[tuple[tuple[str, int], ...]]:
    return [stop.fills for stop in stops]


def test_units_are_taken_while_the_next_one_costs_no_more_than_the_limit() -> None:
    assert fills(fill(market(offers=ASKS, orders=(make_order("a", {CALL: 1}, 20, units=50),)))) == [
        (("a", 10),)
    ]
    assert fills(fill(market(offers=ASKS, orders=(make_order("a", {CALL: 1}, 19, units=50),)))) == [
        (("a", 4),)
    ]
    assert fills(fill(market(offers=ASKS, orders=(make_order("a", {CALL: 1}, 9, units=50),)))) == []


def test_a_unit_that_straddles_two_offers_costs_its_own_mix() -> None:
    # three lots a unit: 10+10+10, then 10+20+20, then 20+20+20
    for limit, units in ((29, 0), (30, 1), (49, 1), (50, 2), (60, 3)):
        stops = fill(market(offers=ASKS, orders=(make_order("a", {CALL: 3}, limit, units=9),)))
        assert fills(stops) == ([(("a", units),)] if units else [])


def test_least_units_are_filled_when_they_pay_together() -> None:
    def order(limit: int) -> Auction:
        return market(offers=ASKS, orders=(make_order("a", {CALL: 1}, limit, units=10, min_units=8),))

    # eight lots cost 4 * 10 + 4 * 20 = 120, fifteen each
    assert fills(fill(order(14))) == []
    assert fills(fill(order(15))) == [(("a", 8),)]
    assert fills(fill(order(20))) == [(("a", 10),)]


def test_an_order_that_is_too_large_leaves_the_lots_to_the_next_one() -> None:
    orders = (
        make_order("big", {CALL: 1}, 90, units=11, min_units=11),
        make_order("small", {CALL: 1}, 15, units=5),
    )
    assert fills(fill(market(offers=ASKS, orders=orders))) == [(("small", 4),)]


def test_the_highest_limit_comes_first_and_every_demand_is_a_stop() -> None:
    orders = (make_order("low", {CALL: 1}, 20, units=9), make_order("high", {CALL: 1}, 30, units=3))
    first, second = fill(market(offers=ASKS, orders=orders))
    assert first.fills == (("high", 3),)
    assert second.fills == (("high", 3), ("low", 7))
    assert (second.units, second.value, second.low) == (10, 3 * 30 + 7 * 20, 20)
    assert [(source.offer, lots) for source, lots in second.takes] == [(ASKS[0].id, 4), (ASKS[1].id, 6)]


def test_units_of_a_multiple_are_whole() -> None:
    stops = fill(market(offers=ASKS, orders=(make_order("a", {CALL: 4}, 100, units=9),)))
    assert [(stop.fills, stop.units) for stop in stops] == [((("a", 2),), 8)]


def test_all_but_the_first_of_a_group_are_passed_over() -> None:
    twins = {"owner": "twin", "group": "either"}
    orders = (make_order("a", {CALL: 1}, 30, **twins), make_order("b", {CALL: 1}, 40, **twins))
    assert fills(fill(market(offers=ASKS, orders=orders))) == [(("b", 1),)]


def test_demands_that_end_by_the_decision_are_passed_over() -> None:
    auction = market(offers=ASKS, orders=(make_order("a", {CALL: 1}, 30),))
    end = to_problem(auction).demands["a"].valid_until_us
    assert fills(fill(auction, open_until_us=end)) == []
    assert fills(fill(auction, open_until_us=end - 1)) == [(("a", 1),)]


def test_protocol_and_fill_fees_count_against_the_limit() -> None:
    """A lot costs 10 and 3 to the protocol; a fill costs 8 more."""
    chains = (make_chain("hub", settle_fee_fill=8),)
    for limit, units, filled in ((13, 4, 0), (14, 4, 0), (15, 4, 4), (20, 1, 0), (21, 1, 1)):
        auction = market(
            chains=chains,
            bridges=(),
            venues=market().venues[:1],
            rules=Rules(fee_per_lot=3),
            offers=ASKS[:1],
            orders=(make_order("a", {CALL: 1}, limit, units=units),),
        )
        assert fills(fill(auction)) == ([(("a", filled),)] if filled else [])


def test_appetite_bounds_units_and_the_cost_of_a_unit() -> None:
    auction = market(offers=ASKS, orders=(make_order("a", {CALL: 1}, 20, units=50),))
    assert fills(fill(auction, appetite=Appetite(units_max=3))) == [(("a", 3),)]
    whole = market(offers=ASKS, orders=(make_order("a", {CALL: 1}, 20, units=5, min_units=5),))
    assert fills(fill(whole, appetite=Appetite(units_max=4))) == []
    within = Reference(units=50, price=19)
    assert fills(fill(auction, appetite=Appetite(units_max=50, reference=within))) == [(("a", 4),)]


def test_lots_over_a_bridge_stop_at_its_capacity_over_all_legs() -> None:
    auction = market(
        bridges=(make_bridge("east", "hub", fee_per_lot=0, fee_cash_bps=0, capacity_lots=7),),
        offers=(make_offer("east-book", CALL, "sell", 10, 9), make_offer("east-book", HIGH, "sell", 10, 9)),
        orders=(make_order("a", {CALL: 1, HIGH: 1}, 90, units=9),),
    )
    assert fills(fill(auction)) == [(("a", 3),)]


@pytest.mark.parametrize("seed", range(60))
def test_one_demand_is_filled_as_well_as_by_trying_every_number_of_units(seed: int) -> None:
    rng = Random(seed)
    prices = rng.sample(range(1, 40), 6)
    offers = [make_offer("hub-book", CALL, "sell", price, rng.randint(1, 5)) for price in prices[:3]]
    offers += [make_offer("hub-book", HIGH, "buy", price, rng.randint(1, 5)) for price in prices[3:]]
    units, legs = rng.randint(1, 8), {CALL: rng.randint(1, 2), HIGH: -rng.randint(1, 2)}
    least, limit = rng.randint(1, units), rng.randint(-40, 60)
    auction = market(
        offers=tuple(offers), orders=(make_order("a", legs, limit, units=units, min_units=least),)
    )

    def cost(filled: int) -> int | None:
        total = 0
        for series, side, sign in ((CALL, "sell", 1), (HIGH, "buy", -1)):
            book = sorted(
                sign * offer.price for offer in offers if offer.side == side for _ in range(offer.lots)
            )
            wanted = abs(legs[series]) * filled
            if wanted > len(book):
                return None
            total += sum(book[:wanted])
        return total

    gains = {n: limit * n - spent for n in range(least, units + 1) if (spent := cost(n)) is not None}
    stops = fill(auction)
    best = max(gains.values(), default=-1)
    if best < 0:
        assert stops == []
    else:
        (stop,) = stops
        assert gains[stop.fills[0][1]] == best
        assert sum(source.cost * lots for source, lots in stop.takes) == stop.value - best


@pytest.mark.parametrize("seed", range(40))
def test_the_last_stop_of_partly_fillable_peers_is_the_best_of_all_fills(seed: int) -> None:
    rng = Random(seed)
    offers = [
        make_offer("hub-book", CALL, "sell", price, rng.randint(1, 4)) for price in rng.sample(range(30), 3)
    ]
    orders = [
        make_order(f"o{number}", {CALL: 1}, rng.randint(1, 30), units=rng.randint(1, 4))
        for number in range(3)
    ]
    book = sorted(offer.price for offer in offers for _ in range(offer.lots))
    best = max(
        sum(order.limit * n for order, n in zip(orders, counts, strict=True)) - sum(book[: sum(counts)])
        for counts in product(*(range(order.units + 1) for order in orders))
        if sum(counts) <= len(book)
    )
    stops = fill(market(offers=tuple(offers), orders=tuple(orders)))
    gain = stops[-1].value - sum(source.cost * lots for source, lots in stops[-1].takes) if stops else 0
    assert gain == best
