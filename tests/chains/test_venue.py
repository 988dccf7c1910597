"""The laws of every kind of venue, one written by a stranger among them."""

import pickle
from collections import Counter
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import CommitError
from chains.units import USDC
from chains.venues.stock import StockDesk
from chains.venues.venue import Venue, VenueKind, VenueSpec, less_taken, venue_of
from tests.builders import make_offer
from tests.chains.own_venue_kind import DutchAuctionSpec, Sale
from tests.feeds import MadeFeed
from tests.venue_specs import make_maker, make_pool, make_quote, make_stock, open_live, shown
from tests.worlds import CALL, LATER, NO_FLOW, PUT, START_US, default_levels, make_book

FEED = MadeFeed({CALL: [10_000], PUT: [12_000]})
SPECS: dict[str, VenueSpec] = {
    "order_book": make_book("east", default_levels()),
    "range_amm": make_pool("east", [(CALL, 400, 20, 10), (PUT, 900, 17, 20)]),
    "rfq": make_maker("east", [(CALL, 50, 30), (PUT, 60, 7)]),
    "stock": make_stock("east", {CALL: 50, USDC: 100_000}),
    "dutch_auction": DutchAuctionSpec(
        id="harbour",
        chain="east",
        fee_touch=1,
        fee_per_lot=1,
        max_lock_us=1_000_000,
        flow=NO_FLOW,
        step_us=2_000_000,
        steps=10,
        sales=(Sale(series=CALL, first=900, last=100, lots=40), Sale(series=PUT, first=7, last=7, lots=3)),
    ),
}
QUOTES = (make_quote(CALL, "sell", 700, 20), make_quote(CALL, "buy", 500, 8), make_quote(PUT, "buy", 9, 30))


def live(kind: str) -> Venue:
    venue = open_live(cast("VenueKind", SPECS[kind]), FEED)
    if isinstance(venue, StockDesk):
        free = {CALL: 50, USDC: 100_000}
        assert venue.quote(QUOTES, free=free, listed={CALL, PUT, LATER}, pledged={}) == ""
    return venue


every_kind: Callable[[Callable[..., None]], Callable[..., None]] = pytest.mark.parametrize(
    "kind", sorted(SPECS)
)


def lots_of(venue: Venue) -> Counter[str]:
    return Counter({name: offer.lots for name, offer in shown(venue).items()})


@every_kind
def test_a_venue_shows_distinct_offers_of_its_own_within_their_most(kind: str) -> None:
    venue, spec = live(kind), SPECS[kind]
    offers = venue.offers(START_US, {})
    terms = venue.terms(START_US)
    assert (terms.id, terms.chain, terms.kind) == (spec.id, spec.chain, kind)
    assert terms.as_of_us <= START_US
    assert offers
    assert len({offer.id for offer in offers}) == len(offers)
    for offer in offers:
        assert offer.venue == venue_of(offer.id) == spec.id
        assert 0 < offer.lots <= venue.most(offer.id)
    assert offers == live(kind).offers(START_US, {})


@every_kind
def test_what_is_pledged_is_as_little_on_offer_as_what_is_locked(kind: str) -> None:
    for name, offer in shown(live(kind)).items():
        for lots in {1, offer.lots}:
            venue = live(kind)
            expected = shown(venue, pledged={name: lots})
            assert +(lots_of(venue) - Counter({name: lots})) == Counter(
                {each: found.lots for each, found in expected.items()}
            )
            assert venue.lock(name, lots, now_us=START_US) == ""
            assert shown(venue) == expected


@every_kind
def test_more_than_is_free_cannot_be_locked_and_the_refusal_names_the_offer(kind: str) -> None:
    venue = live(kind)
    before = shown(venue)
    for name, offer in before.items():
        assert name in venue.lock(name, offer.lots + 1, now_us=START_US)
    nothing = f"{SPECS[kind].id}/nothing"
    assert venue.most(nothing) == 0
    assert nothing in venue.lock(nothing, 1, now_us=START_US)
    assert shown(venue) == before
    assert venue.locked() == {}


@every_kind
def test_only_what_is_locked_can_be_unlocked_or_consumed(kind: str) -> None:
    venue = live(kind)
    name = next(iter(shown(venue)))
    assert venue.lock(name, 2, now_us=START_US) == ""
    for lots in (0, -1, 3):
        for end in (venue.unlock, venue.consume):
            with pytest.raises(CommitError):
                end(name, lots)
    assert venue.locked() == {name: 2}


@every_kind
def test_expired_series_leave_nothing_but_locks_that_still_end(kind: str) -> None:
    venue = live(kind)
    names = list(shown(venue))
    for name in names:
        assert venue.lock(name, 2, now_us=START_US) == ""
    venue.delist({CALL, PUT, LATER})
    assert shown(venue) == {}
    assert venue.next_flow_us() is None
    for name in names:
        assert venue.lock(name, 1, now_us=START_US)
        venue.unlock(name, 1)
        venue.consume(name, 1)
    assert venue.locked() == {}
    assert venue.violations() == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["lock", "unlock", "consume", "pickle"]), st.integers(0, 40), st.integers(1, 12)
    ),
    max_size=40,
)
OTHER = {"sell": "buy", "buy": "sell"}


@every_kind
@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_locks_that_end_in_any_order_make_no_lots(kind: str, steps: list[tuple[str, int, int]]) -> None:
    """A side of a series has, on offer and locked, what it began with less what was traded there; a pool
    has what was traded on the other side as well."""
    venue = live(kind)
    known, locked = dict(shown(venue)), Counter[str]()
    has = Counter[tuple[str, str]]()
    for offer in known.values():
        has[offer.series, offer.side] += offer.lots
    for action, index, lots in steps:
        free = lots_of(venue)
        known |= shown(venue)
        name = list(known)[index % len(known)]
        offer = known[name]
        if action == "pickle":
            venue = pickle.loads(pickle.dumps(venue))
        elif action == "lock":
            is_had = venue.lock(name, lots, now_us=START_US) == ""
            assert is_had == (lots <= free[name])
            locked[name] += lots if is_had else 0
        elif action == "unlock" and lots <= locked[name]:
            venue.unlock(name, lots)
            locked[name] -= lots
        elif action == "consume" and lots <= locked[name]:
            venue.consume(name, lots)
            locked[name] -= lots
            has[offer.series, offer.side] -= lots
            has[offer.series, OTHER[offer.side]] += lots if kind == "range_amm" else 0
        now = Counter[tuple[str, str]]()
        for each in known.values():
            now[each.series, each.side] += locked[each.id]
        for each in shown(venue).values():
            now[each.series, each.side] += each.lots
        assert +now == +has
        assert venue.locked() == {each: count for each, count in locked.items() if count}
        assert venue.violations() == []


def test_offers_without_what_is_taken_keep_their_order_and_everything_else() -> None:
    offers = tuple(make_offer("v", CALL, "sell", price, 10) for price in (1, 2, 3))
    one, two, three = (offer.id for offer in offers)
    assert less_taken(offers, {}) == offers
    left = less_taken(offers, {one: 4, two: 10, "v/other": 3})
    assert [(offer.id, offer.lots) for offer in left] == [(one, 6), (three, 10)]
    assert left[0] == make_offer("v", CALL, "sell", 1, 6)
    assert less_taken(offers, {three: 11}) == offers[:2]
