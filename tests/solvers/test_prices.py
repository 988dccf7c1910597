from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from chains.package import Package
from router.coverage import Peers, gather_peers
from router.peers import reference_ceiling
from router.problem import Plan, Reference
from solvers.prices import fill_payments, set_prices
from solvers.problem import to_problem
from tests.builders import CALL, HIGH, make_auction, make_order, make_reference

AMOUNT = st.integers(-(10**9), 10**9)
UNITS = st.integers(1, 10**4)


def peers(ceiling: int, units: int, *, name: str = CALL) -> Peers:
    return Peers(chain="hub", package=((name, 1),), units=units, low=ceiling, ceiling=ceiling)


@st.composite
def chains_with_surplus(draw: st.DrawFn) -> tuple[tuple[Peers, ...], int]:
    """Peers of one chain and a need that their ceilings cover."""
    ceilings = draw(st.lists(st.tuples(AMOUNT | st.just(0), UNITS), min_size=1, max_size=6))
    group = tuple(peers(ceiling, units, name=str(place)) for place, (ceiling, units) in enumerate(ceilings))
    return group, sum(each.ceiling_total for each in group) - draw(st.integers(0, 10**12))


@settings(max_examples=300)
@given(chains_with_surplus())
def test_payments_are_the_need_and_less_than_one_micro_usdc_per_unit_of_dust(
    given_chain: tuple[tuple[Peers, ...], int],
) -> None:
    group, need = given_chain
    prices = set_prices(group, need)
    paid = sum(price * each.units for price, each in zip(prices, group, strict=True))
    assert 0 <= paid - need < sum(each.units for each in group)


@settings(max_examples=300)
@given(chains_with_surplus())
def test_nobody_pays_above_the_ceiling_and_all_improve_by_the_same_percentage(
    given_chain: tuple[tuple[Peers, ...], int],
) -> None:
    group, need = given_chain
    prices = set_prices(group, need)
    surplus = sum(each.ceiling_total for each in group) - need
    weight = sum(abs(each.ceiling_total) for each in group)
    for price, each in zip(prices, group, strict=True):
        improvement = each.ceiling - price
        assert improvement >= 0
        exact = (
            Fraction(surplus * abs(each.ceiling), weight)
            if weight
            else Fraction(surplus, sum(other.units for other in group))
        )
        assert 0 <= exact - improvement < 1


@given(st.integers(-(10**6), 10**6), UNITS, st.integers(-(10**6), 10**6), UNITS)
def test_ceiling_is_never_above_limit_nor_above_reference_within_its_units(
    low: int, units: int, price: int, served: int
) -> None:
    ceiling = reference_ceiling(low, units, Reference(units=served, price=price))
    assert ceiling <= low
    if units <= served:
        assert ceiling == min(price, low)
    else:
        exact = Fraction(min(price, low) * served + low * (units - served), units)
        assert 0 <= ceiling - exact < 1


def test_without_a_reference_the_ceiling_is_the_lowest_limit() -> None:
    assert reference_ceiling(-7, 3, None) == -7


def test_surplus_is_given_back_in_proportion_to_the_ceiling() -> None:
    assert set_prices((peers(300, 1), peers(100, 1)), 200) == (150, 50)


def test_seller_and_buyer_improve_by_the_same_percentage() -> None:
    assert set_prices((peers(300, 1), peers(-100, 1)), 120) == (240, -120)


def test_where_all_ceilings_are_zero_the_surplus_is_shared_per_unit() -> None:
    assert set_prices((peers(0, 1), peers(0, 2)), -7) == (-2, -2)


def gathered(*, reference: tuple[int, int] | None = None) -> dict[str, tuple[Peers, ...]]:
    """Three orders for one package on two chains: 2 units of 3 lots, 5 of 1 lot, and 1 on `east`."""
    orders = (
        make_order("threes", {CALL: 3, HIGH: -3}, 32, units=2),
        make_order("ones", {HIGH: -1, CALL: 1}, 12, units=5),
        make_order("east", {CALL: 1, HIGH: -1}, 9, chain="east"),
    )
    rows = (
        ()
        if reference is None
        else (make_reference("hub", {CALL: 1, HIGH: -1}, units=reference[0], price=reference[1]),)
    )
    problem = to_problem(make_auction(orders=orders, reference=rows))
    return gather_peers(problem, Plan(fills=(("threes", 2), ("east", 1), ("ones", 5))))


def test_peers_are_all_fills_of_a_package_on_a_chain_whatever_their_units() -> None:
    groups = gathered()
    package = ((CALL, 1), (HIGH, -1))
    assert groups["hub"] == (Peers(chain="hub", package=package, units=11, low=10, ceiling=10),)
    assert groups["east"] == (Peers(chain="east", package=package, units=1, low=9, ceiling=9),)


def test_reference_price_counts_for_as_many_units_as_it_served() -> None:
    (group,) = gathered(reference=(4, 7))["hub"]
    assert group.ceiling == 9  # (7 * 4 + 10 * 7) / 11 = 8.9, rounded up
    (group,) = gathered(reference=(11, 7))["hub"]
    assert group.ceiling == 7
    (group,) = gathered(reference=(20, 99))["hub"]
    assert group.ceiling == 10


def test_limits_of_receivers_round_towards_receiving_more() -> None:
    problem = to_problem(make_auction(orders=(make_order("a", {CALL: -2}, -5),)))
    (group,) = gather_peers(problem, Plan(fills=(("a", 1),)))["hub"]
    assert (group.low, group.low_total) == (-3, -6)


def test_payment_is_price_times_reduced_units() -> None:
    orders = (make_order("threes", {CALL: 3}, 90, units=2), make_order("one", {CALL: 1}, 30))
    package: Package = ((CALL, 1),)
    paid = fill_payments(
        to_problem(make_auction(orders=orders)), (("threes", 2), ("one", 1)), {("hub", package): 20}
    )
    assert paid == {"threes": 120, "one": 20}
