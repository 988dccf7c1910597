import pickle
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import CommitError
from chains.units import WIRE_MAX
from chains.venues import AnyVenueSpec, Flow
from chains.venues.range_amm import LOOKS_MAX, Range, RangeAmmSpec, cell_bounds, cell_prices
from chains.venues.venue import Feed, Venue, VenueKind
from tests.feeds import ROUND_US, MadeFeed
from tests.venue_specs import make_pool, open_live, shown
from tests.worlds import CALL, LATER, PUT, START_US

SPEC = make_pool("east", [(CALL, 400, 20, 10)])
"""Cells of 10 lots, whose middles are 300 and 100 below the centre, and 100 and 300 above it."""

STILL = MadeFeed({CALL: [10_000]})
RESTORES = Flow(mean_gap_us=1_000, restore_bps=10_000)
TAKES = Flow(mean_gap_us=1_000, restore_bps=0, lots_max=1_000)


def pool(spec: RangeAmmSpec = SPEC, feed: Feed = STILL, **changes: Any) -> Venue:
    return open_live(msgspec.structs.replace(spec, **changes), feed)


def offer(side: str, cell: int, price: int, series: str = CALL) -> str:
    return f"east-pool/{series}/{side}/{cell}/{price}"


def trade(live: Venue, offer_id: str, lots: int, now_us: int = START_US) -> None:
    assert live.lock(offer_id, lots, now_us=now_us) == ""
    live.consume(offer_id, lots)


def test_a_range_pool_is_a_venue_of_a_registered_kind() -> None:
    kind: VenueKind = SPEC
    live: Venue = pool()
    assert (kind.size, live.chain, live.terms(START_US).kind) == (4, "east", "range_amm")
    data = msgspec.json.encode(SPEC)
    assert b'"ranges":[["BTC-26JUN26-100000-C",400,20,10]]' in data
    assert msgspec.json.decode(data, type=AnyVenueSpec) == SPEC


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([(CALL, 1, 1, 1), ("BTC-1JAN27-1-C", 1, 1, 1)], ("ranges[1].series", "BTC-1JAN27-1-C")),
        ([(CALL, 1, 1, 1), (PUT, 1, 1, 1), (CALL, 2, 2, 2)], ("ranges[2].series", CALL)),
        ([(CALL, WIRE_MAX // 2, 3, 1)], ("ranges[0].lots", 3)),
    ],
)
def test_a_pool_that_contradicts_itself_is_named(
    ranges: list[tuple[str, int, int, int]], expected: tuple[str, object]
) -> None:
    found = make_pool("east", ranges).contradiction({CALL, PUT, LATER})
    assert found is not None
    assert found[:2] == expected
    assert SPEC.contradiction({CALL}) is None


@pytest.mark.parametrize("change", [{"steps": 0}, {"steps": 65}, {"heartbeat_us": 0}, {"deviation_bps": -1}])
def test_a_pool_out_of_bounds_cannot_be_read(change: dict[str, int]) -> None:
    data = msgspec.json.encode(msgspec.to_builtins(SPEC) | change)
    with pytest.raises(msgspec.ValidationError, match=next(iter(change))):
        msgspec.json.decode(data, type=AnyVenueSpec)


def test_series_are_renamed() -> None:
    assert SPEC.with_series({CALL: LATER}) == make_pool("east", [(LATER, 400, 20, 10)])


def test_a_pool_buys_below_its_centre_and_sells_above_it_with_the_best_price_first() -> None:
    found = [(each.id, each.side, each.price, each.lots) for each in shown(pool()).values()]
    assert found == [
        (offer("buy", 1, 9_890), "buy", 9_890, 10),
        (offer("buy", 0, 9_690), "buy", 9_690, 10),
        (offer("sell", 2, 10_110), "sell", 10_110, 10),
        (offer("sell", 3, 10_310), "sell", 10_310, 10),
    ]


@given(lots=st.integers(1, 500), steps=st.integers(1, 64))
def test_cells_are_of_equal_size_to_one_lot_and_meet_in_the_middle(lots: int, steps: int) -> None:
    bounds = cell_bounds(lots, steps)
    sizes = {high - low for low, high in pairwise(bounds)}
    assert (bounds[0], bounds[steps], bounds[-1], len(bounds)) == (0, lots, 2 * lots, 2 * steps + 1)
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 0


def integral(each: Range, centre: int, low: int, high: int) -> Fraction:
    """The exact cost of the lots from `low` to `high` on the curve, from its antiderivative."""

    def primitive(x: int) -> Fraction:
        return (centre - each.half_width) * Fraction(x) + Fraction(each.half_width * x * x, 2 * each.lots)

    return primitive(high) - primitive(low)


RANGES = st.builds(
    Range,
    series=st.just(CALL),
    half_width=st.integers(0, 5_000),
    lots=st.integers(1, 300),
    half_spread=st.integers(1, 500),
)


@given(each=RANGES, steps=st.integers(1, 20), centre=st.integers(6_000, 10**7))
def test_the_sum_over_the_cells_is_the_integral_of_the_curve_within_the_stated_rounding(
    each: Range, steps: int, centre: int
) -> None:
    paid = got = 0
    for low, high in pairwise(cell_bounds(each.lots, steps)):
        lots = high - low
        prices = cell_prices(each, (low, high), centre=centre)
        curve = integral(each, centre, low, high)
        assert 0 <= prices.ask * lots - (curve + each.half_spread * lots) < max(lots, 1)
        assert 0 <= (curve - each.half_spread * lots) - prices.bid * lots < max(lots, 1)
        paid += prices.ask * lots
        got += prices.bid * lots
    whole, spread = integral(each, centre, 0, 2 * each.lots), 2 * each.lots * each.half_spread
    assert 0 <= paid - (whole + spread) < 2 * each.lots
    assert 0 <= (whole - spread) - got < 2 * each.lots


@given(each=RANGES, steps=st.integers(1, 20), centre=st.integers(0, 10**5))
def test_cost_is_convex_and_every_round_trip_loses_whatever_the_centre(
    each: Range, steps: int, centre: int
) -> None:
    prices = [cell_prices(each, cell, centre=centre) for cell in pairwise(cell_bounds(each.lots, steps))]
    assert all(cell.ask >= 1 and cell.ask > cell.bid >= 0 for cell in prices)
    assert all(one.ask <= two.ask and one.bid <= two.bid for one, two in pairwise(prices))
    best_bid, best_ask = prices[steps - 1].bid, prices[steps].ask
    assert best_bid < best_ask


def test_a_cell_that_is_worth_more_than_the_wire_holds_is_not_offered() -> None:
    each = Range(series=CALL, half_width=0, lots=10, half_spread=1)
    assert cell_prices(each, (0, 10), centre=WIRE_MAX // 10 - 1).ask == WIRE_MAX // 10
    assert cell_prices(each, (0, 10), centre=WIRE_MAX // 10) == (0, 0)


def test_a_pool_without_a_mark_offers_nothing_and_a_worthless_cell_has_no_bid() -> None:
    assert shown(pool(feed=MadeFeed({}))) == {}
    cheap = shown(pool(feed=MadeFeed({CALL: [150]})))
    assert [each.price for each in cheap.values()] == [40, 260, 460]
    assert [each.price for each in shown(pool(feed=MadeFeed({CALL: [0]}))).values()] == [110, 310]


@given(parts=st.lists(st.integers(1, 7), min_size=1, max_size=10))
def test_what_a_position_costs_does_not_depend_on_the_way_to_it(parts: list[int]) -> None:
    def cost(chunks: list[int]) -> int:
        live, paid = pool(), 0
        for chunk in chunks:
            left = min(chunk, sum(each.lots for each in shown(live).values() if each.side == "sell"))
            while left:
                touch = next(each for each in shown(live).values() if each.side == "sell")
                lots = min(left, touch.lots)
                trade(live, touch.id, lots)
                paid += lots * touch.price
                left -= lots
        return paid

    assert cost(parts) == cost([sum(parts)]) == cost([1] * sum(parts))


def test_lots_that_were_bought_can_be_sold_back_in_their_cell_at_a_loss() -> None:
    live = pool()
    trade(live, offer("sell", 2, 10_110), 4)
    lots = {name: each.lots for name, each in shown(live).items()}
    assert lots[offer("sell", 2, 10_110)] == 6
    assert lots[offer("buy", 2, 10_090)] == 4
    trade(live, offer("buy", 2, 10_090), 4)
    assert shown(live) == shown(pool())


def test_a_pool_is_stale_until_its_mark_has_deviated_or_its_heart_beats() -> None:
    # 1 % of 10,000 is 100: one more is needed. The heart beats at multiples of 60 s.
    marks = [10_000] * 10 + [10_100] * 10 + [10_101] * 20 + [10_150] * 60
    live = pool(feed=MadeFeed({CALL: marks}))

    def seen(second: int) -> tuple[int, int]:
        now_us = START_US + second * ROUND_US
        ask = next(each.price for each in shown(live, now_us).values() if each.side == "sell")
        return ask - 110, (live.terms(now_us).as_of_us - START_US) // ROUND_US

    assert seen(0) == seen(9) == (10_000, 0)
    assert seen(19) == (10_000, 0)
    assert seen(20) == seen(39) == (10_101, 20)
    assert seen(40) == seen(59) == (10_101, 20)
    assert seen(60) == seen(99) == (10_150, 60)


def test_a_stale_pool_differs_from_the_mark_by_at_most_its_deviation() -> None:
    marks = [10_000 + 7 * second for second in range(120)]
    live = pool(feed=MadeFeed({CALL: marks}))
    errors = []
    for second, mark in enumerate(marks):
        now_us = START_US + second * ROUND_US
        ask, bid = (
            next(each.price for each in shown(live, now_us).values() if each.side == side)
            for side in ("sell", "buy")
        )
        centre = (ask + bid) // 2
        errors.append(abs(mark - centre))
        assert abs(mark - centre) * 10_000 <= 100 * centre
    assert max(errors) > 90
    assert errors.count(0) > 4


def test_the_terms_are_as_of_the_stalest_range() -> None:
    spec = make_pool("east", [(CALL, 400, 20, 10), (PUT, 400, 20, 10)])
    live = pool(spec, MadeFeed({CALL: [10_000], PUT: [10_000, 10_000, 11_000]}))
    now_us = START_US + 5 * ROUND_US
    assert live.terms(now_us).as_of_us == START_US
    live.delist({CALL})
    assert live.terms(now_us).as_of_us == START_US + 2 * ROUND_US
    live.delist({PUT})
    assert live.terms(now_us).as_of_us == now_us


@settings(max_examples=40, deadline=None)
@given(
    marks=st.lists(st.integers(9_000, 11_000), min_size=2, max_size=200),
    looks=st.lists(st.integers(0, 250 * ROUND_US), max_size=10),
    heartbeat_us=st.integers(ROUND_US // 2, 90 * ROUND_US),
)
def test_where_a_pool_stands_does_not_depend_on_who_looked_when(
    marks: list[int], looks: list[int], heartbeat_us: int
) -> None:
    watched = pool(feed=MadeFeed({CALL: marks}), heartbeat_us=heartbeat_us)
    for look in [*looks, 250 * ROUND_US]:
        now_us = START_US + look
        fresh = pool(feed=MadeFeed({CALL: marks}), heartbeat_us=heartbeat_us)
        assert shown(watched, now_us) == shown(fresh, now_us)
        assert watched.terms(now_us) == fresh.terms(now_us)


class CountingFeed(MadeFeed):
    """Counts how often it was asked."""

    asked = 0

    def mark(self, series: str, *, now_us: int) -> int | None:
        self.asked += 1
        return super().mark(series, now_us=now_us)


def test_a_long_heartbeat_costs_a_bounded_number_of_looks() -> None:
    feed = CountingFeed({CALL: [10_000, 20_000]}, round_us=1)
    live = pool(feed=feed, heartbeat_us=10**15)
    now_us = START_US + 400 * 10**12
    assert next(iter(shown(live, now_us).values())).price == 19_890
    assert 1 < feed.asked <= LOOKS_MAX + 1


def test_a_deal_with_an_old_price_gets_it_while_the_pools_own_is_no_worse_for_the_taker() -> None:
    # The mark falls by 2 % after a second and rises by 4 % after two.
    live = pool(feed=MadeFeed({CALL: [10_000, 9_800, 10_200]}))
    ask, bid = offer("sell", 2, 10_110), offer("buy", 1, 9_890)
    lower, higher = START_US + ROUND_US, START_US + 2 * ROUND_US
    assert live.lock(ask, 3, now_us=START_US) == ""
    assert live.lock(ask, 3, now_us=lower) == ""
    assert live.lock(bid, 3, now_us=lower) == f"{bid} is stale: the pool bids 9690 by now"
    assert live.lock(ask, 3, now_us=higher) == f"{ask} is stale: the pool asks 10310 by now"
    assert live.lock(bid, 3, now_us=higher) == ""
    assert live.locked() == {ask: 6, bid: 3}
    live.consume(ask, 6)
    live.consume(bid, 3)
    assert live.violations() == []


def test_a_pool_that_does_not_bid_any_more_says_so() -> None:
    live = pool(feed=MadeFeed({CALL: [10_000, 5]}))
    bid = offer("buy", 1, 9_890)
    assert live.lock(bid, 1, now_us=START_US + ROUND_US) == f"{bid} is stale: the pool bids nothing by now"


def test_what_is_pledged_or_locked_at_an_old_price_is_not_offered_at_the_new_one() -> None:
    live = pool(feed=MadeFeed({CALL: [10_000, 9_000]}))
    ask = offer("sell", 2, 10_110)
    assert live.lock(ask, 3, now_us=START_US) == ""
    later_us = START_US + ROUND_US
    assert shown(live, later_us)[offer("sell", 2, 9_110)].lots == 7
    assert shown(live, later_us, {ask: 5})[offer("sell", 2, 9_110)].lots == 2
    assert offer("sell", 2, 9_110) not in shown(live, later_us, {ask: 5, offer("sell", 2, 9_110): 2})
    assert shown(live, later_us, {"other-pool/x": 9}) == shown(live, later_us)
    assert live.most(ask) == live.most(offer("sell", 2, 9_110)) == 10


@pytest.mark.parametrize(
    "name",
    [
        "east-pool/nothing",
        offer("sell", 4, 10_110),
        offer("sell", 2, 0),
        offer("short", 2, 10_110),
        offer("sell", 2, 10_110, series=PUT),
        offer("sell", 2, 10_110) + "/x",
        f"east-pool/{CALL}/sell/2/010110",
        f"east-pool/{CALL}/sell/2/{10**30}",
        f"west-pool/{CALL}/sell/2/10110",
    ],
)
def test_what_is_no_offer_of_the_pool_holds_nothing(name: str) -> None:
    live = pool()
    assert live.most(name) == 0
    assert live.lock(name, 1, now_us=START_US) == f"{name} is on no range"
    assert live.locked() == {}


def test_a_lock_takes_free_lots_only() -> None:
    live = pool()
    ask = offer("sell", 2, 10_110)
    assert live.lock(ask, 11, now_us=START_US) == f"{ask} has no 11 free lots"
    assert live.lock(ask, 10, now_us=START_US) == ""
    assert live.lock(ask, 1, now_us=START_US) == f"{ask} has no 1 free lots"
    live.unlock(ask, 10)
    assert shown(live) == shown(pool())


@pytest.mark.parametrize("lots", [0, -1, 4])
def test_only_locked_lots_can_be_unlocked_or_consumed(lots: int) -> None:
    live = pool()
    ask = offer("sell", 2, 10_110)
    assert live.lock(ask, 3, now_us=START_US) == ""
    for end in (live.unlock, live.consume):
        with pytest.raises(CommitError):
            end(ask, lots)


def test_restoring_flow_brings_back_whole_cells_the_longest_off_first() -> None:
    live = pool(flow=RESTORES)
    bid, ask = offer("buy", 1, 9_890), offer("sell", 2, 10_110)
    trade(live, bid, 5)
    trade(live, ask, 4)
    live.apply_flow()
    assert shown(live)[bid].lots == 10
    assert shown(live)[ask].lots == 6
    live.apply_flow()
    assert shown(live) == shown(pool())
    live.apply_flow()
    assert shown(live) == shown(pool())


def test_restoring_flow_leaves_what_is_locked() -> None:
    live = pool(flow=RESTORES)
    ask, back = offer("sell", 2, 10_110), offer("buy", 2, 10_090)
    trade(live, ask, 6)
    assert live.lock(back, 2, now_us=START_US) == ""
    live.apply_flow()
    assert shown(live)[ask].lots == 8
    assert live.violations() == []
    live.consume(back, 2)
    assert shown(live) == shown(pool())


def test_taking_flow_moves_along_the_curve_and_never_takes_what_is_locked() -> None:
    live = pool(flow=TAKES)
    names = list(shown(live))
    assert all(live.lock(name, 2, now_us=START_US) == "" for name in names)
    for _ in range(50):
        live.apply_flow()
        sells = [each.price for each in shown(live).values() if each.side == "sell"]
        buys = [each.price for each in shown(live).values() if each.side == "buy"]
        assert sells == sorted(sells)
        assert buys == sorted(buys, reverse=True)
        assert live.violations() == []
    assert live.locked() == dict.fromkeys(names, 2)


def test_delisted_series_vanish_but_their_locks_still_end() -> None:
    spec = make_pool("east", [(CALL, 400, 20, 10), (PUT, 400, 20, 10)], flow=TAKES)
    live = pool(spec, MadeFeed({CALL: [10_000], PUT: [10_000]}))
    ask = offer("sell", 2, 10_110)
    assert live.lock(ask, 10, now_us=START_US) == ""
    live.delist({CALL})
    assert {each.series for each in shown(live).values()} == {PUT}
    assert live.lock(ask, 1, now_us=START_US) == f"{ask} is on no range"
    live.unlock(ask, 4)
    live.consume(ask, 6)
    assert live.violations() == []
    assert live.next_flow_us() is not None
    live.delist({PUT})
    assert live.next_flow_us() is None
    assert shown(live) == {}


def test_a_pool_comes_back_from_a_pickle_with_the_same_future() -> None:
    live = pool(feed=MadeFeed({CALL: [10_000, 10_050, 10_400]}), flow=Flow(mean_gap_us=1_000, lots_max=3))
    shown(live)
    assert live.lock(offer("sell", 2, 10_110), 3, now_us=START_US) == ""
    again = pickle.loads(pickle.dumps(live))
    for each in (live, again):
        for _ in range(20):
            each.apply_flow()
        each.consume(offer("sell", 2, 10_110), 3)
    now_us = START_US + 2 * ROUND_US
    assert shown(again, now_us) == shown(live, now_us)
    assert (again.locked(), again.next_flow_us()) == (live.locked(), live.next_flow_us())


ACTIONS = st.tuples(
    st.sampled_from(["lock", "unlock", "consume", "flow", "wait"]), st.integers(0, 200), st.integers(1, 12)
)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    lots=st.integers(1, 30),
    marks=st.lists(st.integers(500, 2_000), min_size=1, max_size=30),
    steps=st.lists(ACTIONS, max_size=60),
    has_flow=st.booleans(),
)
def test_whatever_happens_no_lot_is_made_or_lost(
    seed: int, lots: int, marks: list[int], steps: list[tuple[str, int, int]], has_flow: bool
) -> None:
    """Every lot of a cell is to be had, to be sold back, or locked; without flow only deals move it."""
    spec = make_pool("east", [(CALL, 400, lots, 10)], steps=3, flow=Flow(mean_gap_us=1_000, lots_max=5))
    live = open_live(spec, MadeFeed({CALL: marks}), seed=seed)
    sizes = {number: high - low for number, (low, high) in enumerate(pairwise(cell_bounds(lots, 3)))}
    sold = Counter({number: size for number, size in sizes.items() if number < 3})
    now_us, locked, known = START_US, Counter[str](), dict(shown(live))
    for action, index, size in steps:
        free = shown(live, now_us)
        known |= free
        name = list(known)[index % len(known)]
        if action == "wait":
            now_us += index * ROUND_US // 20
        elif action == "flow" and has_flow:
            live.apply_flow()
        elif action == "lock":
            refusal = live.lock(name, size, now_us=now_us)
            assert name not in free or (refusal == "") == (size <= free[name].lots)
            locked[name] += size if not refusal else 0
        elif action in ("unlock", "consume") and size <= locked[name]:
            (live.unlock if action == "unlock" else live.consume)(name, size)
            locked[name] -= size
            if action == "consume":
                sold[cell_of(name)] += size if known[name].side == "sell" else -size
        whole, to_buy_back = Counter[int](), Counter[int]()
        for each, held in [(known[name], held) for name, held in locked.items()] + [
            (each, each.lots) for each in shown(live, now_us).values()
        ]:
            whole[cell_of(each.id)] += held
            to_buy_back[cell_of(each.id)] += held if each.side == "buy" else 0
        assert +whole == +Counter(sizes)
        assert has_flow or +to_buy_back == +sold
        assert live.locked() == {each: held for each, held in locked.items() if held}
        assert live.violations() == []


def cell_of(name: str) -> int:
    return int(name.split("/")[3])
