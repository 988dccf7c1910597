import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chains.units import MICRO, USDC, WIRE_MAX
from router.errors import ProblemError
from solvers.auction import Auction
from solvers.bid import Bid, Fee, Fill, Trade, Transfer
from solvers.codec import encode
from solvers.contents import CONTENT_CHECKS
from solvers.outcome import ChainAmount
from solvers.reasons import Rule
from solvers.verification import BALANCE_CHECKS, FeasibleBid, Violation, verify_bid
from solvers.view import view_auction
from tests.broken_bids import (
    ASK,
    CASES,
    CASH_BOTH,
    CASH_EAST,
    DECIDE_US,
    EXPIRY_US,
    GOOD,
    NEED_HUB,
    RELEASE_US,
    TO_EAST,
    TO_HUB,
    Case,
    both_filled,
    crossing_auction,
    crossing_bid,
    crossing_order,
    matched,
    pair,
)
from tests.builders import (
    CALL,
    CUT_US,
    HIGH,
    PUT,
    SOLVE_US,
    make_auction,
    make_bid,
    make_bridge,
    make_offer,
    make_order,
    make_reference,
    make_venue,
)


@pytest.mark.parametrize("broken", CASES, ids=lambda broken: f"{broken.rule}-{broken.where}")
def test_bid_that_breaks_one_rule_is_refused_with_its_numbers(broken: Case) -> None:
    verdict = verify_bid(view_auction(broken.auction), broken.bid)
    assert isinstance(verdict, Violation)
    assert verdict.rule == broken.rule
    numbers = verdict.numbers
    assert (numbers.where, numbers.found, numbers.allowed) == (broken.where, broken.found, broken.allowed)
    assert verdict.text


ALONE = set(Rule) - {
    Rule.UNSUPPORTED,
    Rule.UNKNOWN_INTENT,
    Rule.UNKNOWN_OFFER,
    Rule.UNKNOWN_BRIDGE,
    Rule.UNKNOWN_ASSET,
    Rule.UNKNOWN_CHAIN,
    Rule.LIMIT_EXCEEDED,
    Rule.ABOVE_REFERENCE,
    Rule.AMOUNT_OUT_OF_RANGE,
}
"""Rules without which the rest can still be worked out."""


@pytest.mark.parametrize(
    "broken",
    [broken for broken in CASES if broken.rule in ALONE and broken.bid.fills],
    ids=lambda broken: f"{broken.rule}-{broken.where}",
)
def test_bid_would_be_feasible_without_the_rule(broken: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = CONTENT_CHECKS if broken.rule in CONTENT_CHECKS else BALANCE_CHECKS
    monkeypatch.setitem(checks, broken.rule, lambda *_: None)
    assert isinstance(verify_bid(view_auction(broken.auction), broken.bid), FeasibleBid)


def test_every_rule_is_broken_by_some_test() -> None:
    assert {broken.rule for broken in CASES} == set(Rule)


def test_rules_are_checked_in_the_published_order() -> None:
    assert [*CONTENT_CHECKS, *BALANCE_CHECKS, Rule.AMOUNT_OUT_OF_RANGE] == list(Rule)


BOUNDARIES = {
    "the cheapest limit that covers the need": (
        crossing_auction(orders=crossing_order(limit=NEED_HUB // 4 + 1)),
        crossing_bid(),
    ),
    "the reference price that covers the need": (
        crossing_auction(reference=(make_reference("hub", {CALL: 1}, units=9, price=NEED_HUB // 4 + 1),)),
        crossing_bid(),
    ),
    "a fee that takes all that is left": (
        crossing_auction(),
        crossing_bid(fee=(Fee(chain="hub", amount=4_400_000 - NEED_HUB),)),
    ),
    "all that a bridge takes": (
        crossing_auction(
            bridges=(
                make_bridge("hub", "east", capacity_cash=CASH_EAST),
                make_bridge("east", "hub", capacity_lots=4),
            )
        ),
        crossing_bid(),
    ),
    "cash to the last micro-USDC where there are fills too": both_filled(CASH_BOTH),
    "valid for one second more": (
        crossing_auction(orders=crossing_order(valid_until=DECIDE_US // MICRO + 1)),
        crossing_bid(),
    ),
    "firm for one microsecond more": (
        crossing_auction(
            offers=(make_offer("east-book", CALL, "sell", 1_000_000, 4, firm_until_us=DECIDE_US + 1),)
        ),
        crossing_bid(),
    ),
    "locked for one microsecond less than the venue takes": (
        crossing_auction(venues=(make_venue("east", max_lock_us=DECIDE_US - CUT_US - SOLVE_US + 1),)),
        crossing_bid(),
    ),
    "released one microsecond before expiry": (
        crossing_auction(
            cut_us=CUT_US + EXPIRY_US - RELEASE_US - 1, orders=crossing_order(valid_until=EXPIRY_US)
        ),
        crossing_bid(),
    ),
    "a minimum above what is left": (
        crossing_auction(orders=crossing_order(min_units=9)),
        crossing_bid(),
    ),
    "the largest amounts": (
        make_auction(
            orders=(
                make_order("buys", {CALL: 1}, WIRE_MAX // 4, units=2),
                make_order("sells", {CALL: -1}, 1_000 - WIRE_MAX // 4, units=2),
            )
        ),
        make_bid({"buys": 2, "sells": 2}),
    ),
}


@pytest.mark.parametrize("name", BOUNDARIES)
def test_bid_at_the_very_edge_of_a_rule_is_feasible(name: str) -> None:
    auction, bid = BOUNDARIES[name]
    assert isinstance(verify_bid(view_auction(auction), bid), FeasibleBid)


def feasible(auction: Auction, bid: Bid) -> FeasibleBid:
    verdict = verify_bid(view_auction(auction), bid)
    assert isinstance(verdict, FeasibleBid), verdict
    return verdict


def test_feasible_bid_carries_all_that_follows_from_it() -> None:
    verdict = feasible(crossing_auction(), GOOD)
    price = NEED_HUB // 4 + 1
    (row,), (fill,) = verdict.prices, verdict.fills
    assert verdict.needs == {"east": 0, "hub": NEED_HUB}
    assert verdict.chains == ("east", "hub")
    assert verdict.score == 4_400_000 - NEED_HUB
    assert (row.package, row.units, row.ceiling, row.price) == (((CALL, 1),), 4, 1_100_000, price)
    assert (fill.payment, fill.surplus) == (4 * price, 4_400_000 - 4 * price)
    assert verdict.reserve == (ChainAmount(chain="hub", amount=4 * price - NEED_HUB),)
    assert (verdict.deadlines.decide_by_us, verdict.deadlines.release_by_us) == (DECIDE_US, RELEASE_US)
    assert verdict.digest == GOOD.digest


def test_what_is_left_over_at_a_chain_without_fills_goes_to_the_reserve_and_scores_nothing() -> None:
    exact = feasible(crossing_auction(), GOOD)
    excess = feasible(
        crossing_auction(),
        crossing_bid(transfers=(replace(TO_EAST, amount=CASH_EAST + 2_000), TO_HUB)),
    )
    assert ChainAmount(chain="east", amount=2_000) in excess.reserve
    assert excess.score == exact.score - 2_000 - 2


def test_proceeds_of_a_sale_on_another_chain_improve_what_the_owner_gets() -> None:
    auction = make_auction(
        orders=(make_order("seller", {CALL: -1}, -900_000, units=4),),
        offers=(make_offer("east-book", CALL, "buy", 1_000_000, 4),),
    )
    bid = make_bid(
        {"seller": 4},
        {f"east-book/{CALL}/buy/1000000": 4},
        {("hub-east", CALL): 4, ("east-hub", USDC): 3_980_000},
    )
    (fill,) = feasible(auction, bid).fills
    assert fill.payment < -3_960_000
    assert fill.surplus == -3_600_000 - fill.payment


def test_cash_that_passes_through_a_chain_without_fills_is_still_misplaced() -> None:
    auction, bid = both_filled(CASH_BOTH + 1)
    onward = (make_bridge("hub", "west", fee_fixed=0), make_bridge("west", "east", fee_fixed=0))
    auction = replace(auction, bridges=(*onward, make_bridge("east", "hub")))
    cash = CASH_BOTH + 500_000
    through = crossing_bid(
        fills=bid.fills,
        trades=bid.trades,
        transfers=(
            TO_HUB,
            Transfer(bridge="hub-west", asset=USDC, amount=cash + 100_000),
            Transfer(bridge="west-east", asset=USDC, amount=cash),
        ),
    )
    raised = replace(auction, orders=tuple(replace(order, limit=2_000_000) for order in auction.orders))
    verdict = verify_bid(view_auction(raised), through)
    assert isinstance(verdict, Violation)
    assert (verdict.rule, verdict.numbers.where) == (Rule.CASH_MISPLACED, "east")


def test_matched_orders_on_one_chain_need_only_the_fees_there() -> None:
    verdict = feasible(make_auction(orders=pair(CALL)), matched(CALL))
    assert verdict.needs == {"hub": 100 + 2 * 10 + 2 * 3}
    assert verdict.score == 1_000 - 126
    assert len({verdict.deadlines.lock_by_us, verdict.deadlines.release_by_us}) == 1


def test_solver_fee_is_part_of_the_need_of_its_chain() -> None:
    auction = crossing_auction()
    plain, paid = (
        feasible(auction, GOOD),
        feasible(auction, crossing_bid(fee=(Fee(chain="hub", amount=999),))),
    )
    assert paid.needs["hub"] - plain.needs["hub"] == plain.score - paid.score == 999


def test_order_of_a_bids_lists_decides_nothing() -> None:
    auction, bid = both_filled(CASH_BOTH)
    turned = replace(bid, fills=bid.fills[::-1], transfers=bid.transfers[::-1])
    one, other = feasible(auction, bid), feasible(auction, turned)
    assert one.prices == other.prices
    assert one.reserve == other.reserve
    assert set(one.fills) == set(other.fills)


def test_numbers_beyond_the_wire_are_cut_in_the_record_and_whole_in_the_text() -> None:
    price = lots = WIRE_MAX
    auction = make_auction(
        orders=(make_order("buyer", {CALL: 1}, 5, units=lots),),
        offers=(make_offer("hub-book", CALL, "sell", price, lots),),
    )
    verdict = verify_bid(
        view_auction(auction), make_bid({"buyer": lots}, {f"hub-book/{CALL}/sell/{price}": lots})
    )
    assert isinstance(verdict, Violation)
    assert (verdict.rule, verdict.numbers.found) == (Rule.LIMIT_EXCEEDED, WIRE_MAX)
    assert str(price * lots)[:10] in verdict.text


def test_auction_with_an_unlisted_leg_contradicts_itself() -> None:
    with pytest.raises(ProblemError, match="not listed"):
        view_auction(make_auction(orders=(make_order("a", {HIGH: 1}, 5),), series=()))


def any_of(*names: str) -> st.SearchStrategy[str]:
    return st.sampled_from([*names, "nowhere"])


SIZES = st.sampled_from([1, 2, 4, CASH_EAST, WIRE_MAX])
FILLS = st.builds(Fill, intent=any_of("buyer", "local"), units=SIZES)
TRADES = st.builds(Trade, offer=any_of(ASK), lots=SIZES)
TRANSFERS = st.builds(
    Transfer, bridge=any_of("hub-east", "east-hub", "east-west"), asset=any_of(USDC, CALL, PUT), amount=SIZES
)
FEES = st.builds(Fee, chain=any_of("hub", "east", "west"), amount=SIZES)


@settings(max_examples=300)
@given(
    st.builds(
        crossing_bid,
        fills=st.lists(FILLS, max_size=3).map(tuple),
        trades=st.lists(TRADES, max_size=2).map(tuple),
        transfers=st.lists(TRANSFERS, max_size=4).map(tuple),
        fee=st.lists(FEES, max_size=2).map(tuple),
    )
)
def test_no_bid_whatever_it_says_is_more_than_a_verdict(bid: Bid) -> None:
    verdict = verify_bid(view_auction(both_filled(CASH_BOTH)[0]), bid)
    assert isinstance(verdict, FeasibleBid | Violation)
    encode(verdict.numbers if isinstance(verdict, Violation) else verdict.fills)
