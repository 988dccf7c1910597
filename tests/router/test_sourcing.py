import pytest

from chains.snapshot import BridgeTerms
from chains.units import MICRO
from router.problem import Problem
from router.sourcing import Scale, Source, Sourcing, scale_of
from solvers.problem import to_problem
from tests.builders import CALL, CUT_US, make_auction, make_bridge, make_offer, make_venue

ONE = Scale(lots=1, cash=1)


def market(*bridges: BridgeTerms) -> Problem:
    offers = (
        make_offer("hub-book", CALL, "sell", 1_000, 9),
        make_offer("east-book", CALL, "sell", 900, 9),
        make_offer("east-book", CALL, "sell", 950, 9, firm_until_us=CUT_US + 30 * MICRO),
        make_offer("hub-book", CALL, "buy", 800, 9),
        make_offer("east-book", CALL, "buy", 860, 9),
    )
    return to_problem(make_auction(offers=offers, **({"bridges": bridges} if bridges else {})))


def shown(sources: tuple[Source, ...]) -> list[tuple[str, int]]:
    """Venues and costs of the sources by their cheapest route."""
    return [(source.venue, source.cost) for source in sources if not source.way.relieves]


def test_costs_hold_price_fees_per_lot_and_the_bps_of_cash_rounded_up() -> None:
    ladder = Sourcing(market()).ladder("hub", CALL, buys=True, scale=ONE)
    # east: (900 + 5) and (950 + 5) with 10 bps on top, rounded up, and 20 per lot for the bridge
    assert shown(ladder) == [("east-book", 906 + 20), ("east-book", 956 + 20), ("hub-book", 1_005)]


def test_sales_bring_what_is_left_after_fees_rounded_down() -> None:
    ladder = Sourcing(market()).ladder("hub", CALL, buys=False, scale=ONE)
    # east: (860 - 5) less 10 bps is 854.145, and 20 per lot for the bridge
    assert shown(ladder) == [("east-book", -854 + 20), ("hub-book", -795)]


def test_lots_travel_from_the_venue_when_bought_and_to_it_when_sold() -> None:
    sourcing = Sourcing(market())
    bought = sourcing.ladder("hub", CALL, buys=True, scale=ONE)[0]
    sold = sourcing.ladder("hub", CALL, buys=False, scale=ONE)[0]
    assert (bought.way.bridges, bought.way.chains) == (("east-hub",), ("east", "hub"))
    assert (sold.way.bridges, sold.way.chains) == (("hub-east",), ("hub", "east"))


def test_a_chain_without_a_way_for_lots_is_no_source() -> None:
    ladder = Sourcing(market(make_bridge("hub", "east"))).ladder("hub", CALL, buys=True, scale=ONE)
    assert shown(ladder) == [("hub-book", 1_005)]


def test_proceeds_that_cannot_come_back_are_worth_nothing() -> None:
    ladder = Sourcing(market(make_bridge("hub", "east"))).ladder("hub", CALL, buys=False, scale=ONE)
    assert shown(ladder) == [("hub-book", -795), ("east-book", 20)]


def test_the_second_cheapest_route_is_a_spare_for_the_first() -> None:
    bridges = (make_bridge("east", "hub"), make_bridge("east", "hub", id="dear", fee_fixed=9_000))
    ladder = Sourcing(market(*bridges)).ladder("hub", CALL, buys=True, scale=ONE)
    ways = [source.way for source in ladder if source.offer.endswith("sell/900")]
    assert [(way.bridges, way.relieves) for way in ways] == [(("dear",), ("east-hub",)), (("east-hub",), ())]


def test_routes_are_found_for_less_where_nothing_carries_everything() -> None:
    bridges = (make_bridge("east", "hub", capacity_lots=5), make_bridge("hub", "east"))
    ladder = Sourcing(market(*bridges)).ladder("hub", CALL, buys=True, scale=Scale(lots=64, cash=1))
    assert shown(ladder)[0] == ("east-book", 926)


def test_the_last_decision_is_bound_by_firmness_and_lock() -> None:
    problem = market()
    ladder = Sourcing(problem).ladder("hub", CALL, buys=True, scale=ONE)
    ends = {source.offer.split("/")[-1]: source.decided_by_us for source in ladder}
    assert ends["950"] == CUT_US + 30 * MICRO - 1
    assert ends["900"] == problem.prepare_us + make_venue("east").max_lock_us - 1


def test_best_prices_are_over_all_venues() -> None:
    sourcing = Sourcing(market())
    assert sourcing.best_price(CALL, buys=True) == 900
    assert sourcing.best_price(CALL, buys=False) == 860
    assert sourcing.best_price("BTC-25SEP26-100000-C", buys=True) is None


@pytest.mark.parametrize(("amount", "scale"), [(0, 1), (1, 1), (3, 1), (4, 4), (15, 4), (16, 16), (99, 64)])
def test_scales_are_powers_of_four_not_above_the_amount(amount: int, scale: int) -> None:
    assert scale_of(lots=amount, cash=amount) == Scale(lots=scale, cash=scale)
