import pickle
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import CommitError
from chains.snapshot import Offer
from chains.units import MICRO, WIRE_MAX
from chains.venues import AnyVenueSpec, Flow
from chains.venues.rfq import FIRM_US_MAX
from chains.venues.venue import Feed, Venue, VenueKind
from tests.feeds import ROUND_US, MadeFeed
from tests.venue_specs import make_maker, open_live, shown
from tests.worlds import CALL, JUNE_US, LATER, PUT, START_US

SPEC = make_maker("east", [(CALL, 50, 30)])
"""A new round every 5 s, each firm for 40 s; rounds begin at `START_US`."""

FIRST = START_US // (5 * MICRO)
STILL = MadeFeed({CALL: [1_000]})
HEDGES = Flow(mean_gap_us=1_000, restore_bps=10_000)


def maker(feed: Feed = STILL, **changes: Any) -> Venue:
    return open_live(msgspec.structs.replace(SPEC, **changes), feed)


def quote(side: str, number: int = 0, series: str = CALL) -> str:
    return f"east-rfq/{series}/{side}/{FIRST + number}"


def trade(live: Venue, offer_id: str, lots: int, now_us: int = START_US) -> None:
    assert live.lock(offer_id, lots, now_us=now_us) == ""
    live.consume(offer_id, lots)


def test_an_rfq_maker_is_a_venue_of_a_registered_kind() -> None:
    kind: VenueKind = SPEC
    live = maker()
    assert (kind.size, live.chain, live.terms(START_US).kind) == (2, "east", "rfq")
    assert msgspec.json.decode(msgspec.json.encode(SPEC), type=AnyVenueSpec) == SPEC
    assert SPEC.with_series({CALL: LATER}) == make_maker("east", [(LATER, 50, 30)])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"firm_us": 5 * MICRO - 1}, ("firm_us", 5 * MICRO - 1)),
        ({"firm_us": FIRM_US_MAX + 1}, ("firm_us", FIRM_US_MAX + 1)),
        ({"quotes": make_maker("east", [(CALL, 1, 1), (CALL, 2, 1)]).quotes}, ("quotes[1].series", CALL)),
        ({"quotes": make_maker("east", [(PUT, 1, 1)]).quotes}, ("quotes[0].series", PUT)),
        ({"quotes": make_maker("east", [(CALL, WIRE_MAX, 2)]).quotes}, ("quotes[0].lots", 2)),
    ],
)
def test_a_maker_that_contradicts_itself_is_named(
    changes: dict[str, Any], expected: tuple[str, object]
) -> None:
    found = msgspec.structs.replace(SPEC, **changes).contradiction({CALL})
    assert found is not None
    assert found[:2] == expected
    assert SPEC.contradiction({CALL}) is None


def test_both_sides_are_quoted_around_the_mark_of_the_round_and_say_how_long_they_are_firm() -> None:
    live = maker(MadeFeed({CALL: [1_000] * 5 + [1_100]}))
    for now_us in (START_US, START_US + 5 * MICRO - 1):
        assert list(shown(live, now_us).values()) == [
            Offer(
                id=quote(side),
                venue="east-rfq",
                series=CALL,
                side=side,
                price=price,
                lots=30,
                firm_until_us=START_US + 40 * MICRO,
            )
            for side, price in (("buy", 950), ("sell", 1_050))
        ]
        assert live.terms(now_us).as_of_us == START_US
    next_us = START_US + 5 * MICRO
    assert [each.price for each in shown(live, next_us).values()] == [1_050, 1_150]
    assert list(shown(live, next_us)) == [quote("buy", 1), quote("sell", 1)]
    assert live.terms(next_us).as_of_us == next_us


def test_the_mark_is_that_of_the_instant_of_the_round_however_often_the_oracle_speaks() -> None:
    live = maker(MadeFeed({CALL: list(range(1_000, 1_100))}))
    prices = [shown(live, START_US + second * ROUND_US) for second in range(15)]
    asks = [next(each.price for each in found.values() if each.side == "sell") for found in prices]
    assert asks == [1_050] * 5 + [1_055] * 5 + [1_060] * 5


def test_there_is_no_bid_below_one_and_no_quote_without_a_mark_or_beyond_the_wire() -> None:
    assert [each.side for each in shown(maker(MadeFeed({CALL: [50]}))).values()] == ["sell"]
    assert [each.price for each in shown(maker(MadeFeed({CALL: [51]}))).values()] == [1, 101]
    assert shown(maker(MadeFeed({}))) == {}
    assert shown(maker(MadeFeed({CALL: [WIRE_MAX]}))) == {}


def test_a_quote_can_be_locked_until_it_is_not_firm_any_more_though_others_took_its_place() -> None:
    live = maker()
    ask, end_us = quote("sell"), START_US + 40 * MICRO
    assert ask not in shown(live, end_us - 1)
    assert live.lock(ask, 3, now_us=end_us - 1) == ""
    assert live.lock(ask, 3, now_us=end_us) == f"{ask} was firm until {end_us}, it is {end_us}"
    live.consume(ask, 3)
    assert shown(live, end_us)[quote("sell", 8)].lots == 27


def test_a_quote_of_a_round_to_come_cannot_be_locked() -> None:
    ask = quote("sell", 1)
    assert maker().lock(ask, 1, now_us=START_US + 5 * MICRO - 1) == f"{ask} is not quoted"
    assert maker().lock(ask, 1, now_us=START_US + 5 * MICRO) == ""


def test_the_lots_at_risk_are_shared_by_all_rounds_until_the_maker_has_hedged() -> None:
    live = maker(flow=HEDGES)
    assert live.lock(quote("sell"), 10, now_us=START_US) == ""
    later_us = START_US + 10 * MICRO
    assert shown(live, later_us)[quote("sell", 2)].lots == 20
    assert shown(live, later_us, {quote("sell"): 4, quote("sell", 1): 5})[quote("sell", 2)].lots == 11
    assert shown(live, later_us)[quote("buy", 2)].lots == 30
    assert live.lock(quote("sell", 2), 21, now_us=later_us) == f"{quote('sell', 2)} has no 21 free lots"
    trade(live, quote("sell", 2), 20, later_us)
    live.consume(quote("sell"), 10)
    assert quote("sell", 2) not in shown(live, later_us)
    live.apply_flow()
    assert shown(live, later_us)[quote("sell", 2)].lots == 30


def test_the_side_that_has_been_short_for_longest_is_hedged_first_and_locks_stay() -> None:
    live = maker(flow=HEDGES)
    trade(live, quote("sell"), 10)
    trade(live, quote("buy"), 10)
    trade(live, quote("sell"), 10)
    assert live.lock(quote("sell"), 4, now_us=START_US) == ""
    live.apply_flow()
    assert {each.side: each.lots for each in shown(live).values()} == {"buy": 20, "sell": 26}
    live.apply_flow()
    assert {each.side: each.lots for each in shown(live).values()} == {"buy": 30, "sell": 26}


def test_nobody_else_takes_firm_quotes() -> None:
    live = maker(flow=Flow(mean_gap_us=1_000, restore_bps=0, lots_max=1_000))
    before = shown(live)
    for _ in range(100):
        live.apply_flow()
    assert shown(live) == before


def test_a_series_that_expires_before_its_quote_would_end_is_not_quoted() -> None:
    live = maker(MadeFeed({CALL: [1_000], LATER: [1_000]}))
    last_us = JUNE_US - 40 * MICRO
    assert {each.firm_until_us for each in shown(live, last_us).values()} == {JUNE_US}
    assert shown(live, last_us + 5 * MICRO) == {}


def test_delisted_series_vanish_but_their_locks_still_end() -> None:
    live = maker(flow=HEDGES)
    assert live.lock(quote("sell"), 10, now_us=START_US) == ""
    live.delist({CALL})
    assert shown(live) == {}
    assert live.lock(quote("sell"), 1, now_us=START_US) == f"{quote('sell')} is not quoted"
    live.unlock(quote("sell"), 4)
    live.consume(quote("sell"), 6)
    assert (live.violations(), live.locked(), live.next_flow_us()) == ([], {}, None)


@pytest.mark.parametrize(
    "name",
    [
        "east-rfq/nothing",
        quote("short"),
        quote("sell", series=PUT),
        quote("sell") + "/1",
        f"east-rfq/{CALL}/sell/0{FIRST}",
        f"east-rfq/{CALL}/sell/{10**20}",
        f"west-rfq/{CALL}/sell/{FIRST}",
    ],
)
def test_what_is_no_quote_of_the_maker_holds_nothing(name: str) -> None:
    live = maker()
    assert live.most(name) == 0
    assert live.lock(name, 1, now_us=START_US) == f"{name} is not quoted"
    assert live.most(quote("sell")) == 30


@pytest.mark.parametrize("lots", [0, -1, 4])
def test_only_locked_lots_can_be_unlocked_or_consumed(lots: int) -> None:
    live = maker()
    assert live.lock(quote("buy"), 3, now_us=START_US) == ""
    for end in (live.unlock, live.consume):
        with pytest.raises(CommitError):
            end(quote("buy"), lots)


def test_a_maker_comes_back_from_a_pickle_with_the_same_future() -> None:
    live = maker(flow=Flow(mean_gap_us=1_000))
    trade(live, quote("sell"), 7)
    assert live.lock(quote("buy"), 3, now_us=START_US) == ""
    shown(live)
    again = pickle.loads(pickle.dumps(live))
    for each in (live, again):
        each.consume(quote("buy"), 3)
        each.apply_flow()
    now_us = START_US + 7 * MICRO
    assert shown(again, now_us) == shown(live, now_us)
    assert (again.locked(), again.next_flow_us()) == (live.locked(), live.next_flow_us())


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["lock", "unlock", "consume", "flow", "wait"]),
            st.integers(0, 100),
            st.integers(1, 20),
        ),
        max_size=60,
    ),
)
def test_whatever_happens_the_maker_never_risks_more_than_its_lots(
    seed: int, steps: list[tuple[str, int, int]]
) -> None:
    """Free, locked and traded lots of a side are always its lots; no more is hedged than was traded."""
    live = open_live(msgspec.structs.replace(SPEC, flow=Flow(mean_gap_us=1_000)), STILL, seed=seed)
    now_us, locked, traded, known = START_US, Counter[str](), Counter[str](), dict(shown(live))
    for action, index, size in steps:
        before = free_lots(live, now_us)
        known |= shown(live, now_us)
        name = list(known)[index % len(known)]
        side = known[name].side
        if action == "wait":
            now_us += index * MICRO // 5
        elif action == "flow":
            live.apply_flow()
            for hedged, lots in free_lots(live, now_us).items():
                assert lots - before[hedged] in (0, traded[hedged])
                traded[hedged] -= lots - before[hedged]
        elif action == "lock":
            is_firm = now_us < int(known[name].firm_until_us or 0)
            is_had = live.lock(name, size, now_us=now_us) == ""
            assert is_had == (is_firm and size <= before[side])
            locked[name] += size if is_had else 0
        elif size <= locked[name]:
            (live.unlock if action == "unlock" else live.consume)(name, size)
            locked[name] -= size
            traded[side] += size if action == "consume" else 0
        held = Counter[str]()
        for each, lots in locked.items():
            held[known[each].side] += lots
        free = free_lots(live, now_us)
        assert all(free[each] + held[each] + traded[each] == 30 for each in ("buy", "sell"))
        assert live.locked() == {each: lots for each, lots in locked.items() if lots}
        assert live.violations() == []


def free_lots(live: Venue, now_us: int) -> Counter[str]:
    return Counter({each.side: each.lots for each in shown(live, now_us).values()})
