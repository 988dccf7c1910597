from dataclasses import replace
from fractions import Fraction

import pytest

from chains.units import USDC
from router.filling import Stop
from router.measuring import Misfit, Quote, measure_stop
from router.peers import group_peers
from router.residual import Residual
from router.sourcing import Scale, Sourcing, Way
from solvers.auction import Auction
from solvers.problem import to_problem
from tests.builders import (
    CALL,
    CUT_US,
    MICRO,
    make_auction,
    make_bridge,
    make_offer,
    make_order,
    make_reference,
)

ASK = make_offer("east-book", CALL, "sell", 700, 20)
NEED = 6_875 + 5_000 + 7 + 1_110 + 3
"""What one lot of `ASK` costs at the hub: see the same purchase in `test_funding`."""


def measure(auction: Auction, *, way: Way | None = None) -> Quote | Misfit:
    problem = to_problem(auction)
    sourcing = Sourcing(problem)
    (demand,) = problem.demands.values()
    group = group_peers(problem, [demand])
    source = sourcing.ladder("hub", CALL, buys=True, scale=Scale(lots=1, cash=1))[0]
    stop = Stop(
        fills=((demand.intent, 1),),
        takes=((replace(source, way=way) if way else source, 1),),
        units=1,
        value=demand.limit,
        low=demand.limit,
    )
    return measure_stop(sourcing, Residual(problem), group, stop, cash_about=10_000)


def market(limit: int, **changes: object) -> Auction:
    order = make_order("a", {CALL: 1}, limit, units=4)
    return make_auction(**{"offers": (ASK,), "orders": (order,), **changes})


def test_a_stop_becomes_a_plan_with_its_exact_surplus() -> None:
    quote = measure(market(NEED + 8))
    assert isinstance(quote, Quote)
    assert quote.plan.trades == ((ASK.id, 1),)
    assert quote.plan.transfers == (("east-hub", CALL, 1), ("hub-east", USDC, 6_875))
    assert (quote.surplus, quote.lots, quote.surplus_per_lot) == (8, 1, Fraction(8))
    assert quote.is_allowed
    assert not quote.is_clipped


@pytest.mark.parametrize("limit", [NEED, NEED - 1])
def test_nothing_gained_is_not_covered(limit: int) -> None:
    quote = measure(market(limit))
    assert isinstance(quote, Quote)
    assert quote.surplus == limit - NEED
    assert not quote.is_covered
    assert not quote.is_allowed


def test_cash_that_cannot_travel_is_no_plan() -> None:
    assert measure(market(90_000, bridges=(make_bridge("east", "hub"),))) is Misfit.UNFUNDED


def test_a_deal_that_is_decided_too_late_is_no_plan() -> None:
    order = make_order("a", {CALL: 1}, 90_000, valid_until=CUT_US // MICRO + 4)
    assert measure(market(0, orders=(order,))) is Misfit.LATE


@pytest.mark.parametrize(("price", "allowed"), [(NEED, True), (NEED - 1, False)])
def test_the_reference_says_what_is_allowed(price: int, allowed: bool) -> None:
    reference = (make_reference("hub", {CALL: 1}, units=1, price=price),)
    quote = measure(market(NEED + 8, reference=reference))
    assert isinstance(quote, Quote)
    assert quote.is_covered
    assert quote.is_allowed is allowed


def test_lots_in_a_circle_are_no_plan() -> None:
    way = Way(
        chains=("east", "west", "east", "hub"),
        bridges=("east-west", "west-east", "east-hub"),
        relieves=("east-hub",),
        cash_bps=10,
        fee_per_lot=60,
    )
    assert measure(market(90_000), way=way) is Misfit.CYCLE
