from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import CommitError
from chains.venues import Flow, Venue
from chains.venues.order_book import OrderBook
from chains.venues.venue import VenueKind, VenueSpec
from tests.feeds import MadeFeed
from tests.worlds import CALL, LATER, NO_FLOW, PUT, START_US, default_levels, make_book

ASK = f"east-book/{CALL}/sell/7000000"
BID = f"east-book/{CALL}/buy/6500000"


def open_book(flow: Flow = NO_FLOW, *, seed: int = 0) -> OrderBook:
    spec = make_book("east", default_levels(), flow=flow)
    stream = np.random.Generator(np.random.PCG64(seed))
    return spec.open_venue(start_us=START_US, stream=stream, feed=MadeFeed({}))


def lock(book: OrderBook, offer: str, lots: int) -> bool:
    return book.lock(offer, lots, now_us=START_US) == ""


def lots_of(book: OrderBook) -> dict[str, int]:
    return {offer.id: offer.lots for offer in book.offers(START_US, {})}


def test_an_order_book_is_a_venue_of_a_registered_kind() -> None:
    spec = make_book("east", default_levels())
    kind: VenueKind = spec
    venue: Venue = open_book()
    assert isinstance(spec, VenueSpec)
    assert kind.size == len(default_levels())
    assert venue.terms(START_US).kind == "order_book"
    assert venue.chain == "east"


def test_offers_are_the_levels_with_the_best_price_first() -> None:
    offers = open_book().offers(START_US, {})
    assert Counter((o.series, o.side, o.price, o.lots) for o in offers) == Counter(default_levels())
    sells = [offer.price for offer in offers if (offer.series, offer.side) == (CALL, "sell")]
    assert sells == sorted(sells)
    assert all(o.id == f"east-book/{o.series}/{o.side}/{o.price}" for o in offers)


def test_a_lock_takes_free_lots_only_and_unlocking_gives_them_back() -> None:
    book = open_book()
    assert lock(book, ASK, 25)
    assert lots_of(book)[ASK] == 15
    assert book.lock(ASK, 16, now_us=START_US) == f"{ASK} has no 16 free lots"
    assert lock(book, ASK, 15)
    assert ASK not in lots_of(book)
    assert book.locked() == {ASK: 40}
    book.unlock(ASK, 40)
    assert lots_of(book) == lots_of(open_book())


def test_consumed_lots_are_gone() -> None:
    book = open_book()
    assert lock(book, BID, 10)
    book.consume(BID, 10)
    assert lots_of(book)[BID] == 20
    assert book.locked() == {}
    assert book.most(BID) == 30


def test_lots_of_an_unknown_level_cannot_be_locked() -> None:
    book = open_book()
    assert not lock(book, "east-book/nothing", 1)
    assert book.most("east-book/nothing") == 0


@pytest.mark.parametrize("lots", [0, -1, 11])
def test_only_locked_lots_can_be_unlocked_or_consumed(lots: int) -> None:
    book = open_book()
    assert lock(book, ASK, 10)
    with pytest.raises(CommitError):
        book.unlock(ASK, lots)
    with pytest.raises(CommitError):
        book.consume(ASK, lots)


def test_delisted_series_vanish_but_their_locks_still_end() -> None:
    book = open_book()
    assert lock(book, ASK, 10)
    book.delist({CALL})
    assert {offer.series for offer in book.offers(START_US, {})} == {PUT, LATER}
    assert not lock(book, ASK, 1)
    book.unlock(ASK, 4)
    book.consume(ASK, 6)
    assert book.violations() == []


def test_a_book_without_series_or_flow_has_no_next_event() -> None:
    assert open_book().next_flow_us() is None
    book = open_book(Flow(mean_gap_us=1_000))
    assert book.next_flow_us() is not None
    book.delist({CALL, PUT, LATER})
    assert book.next_flow_us() is None


def test_restoring_flow_brings_back_whole_levels_the_longest_missing_first() -> None:
    book = open_book(Flow(mean_gap_us=1_000, restore_bps=10_000))
    for offer in (BID, ASK):
        assert lock(book, offer, 5)
        book.consume(offer, 5)
    book.apply_flow()
    assert lots_of(book)[BID] == 30
    assert lots_of(book)[ASK] == 35
    book.apply_flow()
    assert lots_of(book) == lots_of(open_book())


def test_taking_flow_takes_from_the_touch_and_never_what_is_locked() -> None:
    book = open_book(Flow(mean_gap_us=1_000, restore_bps=0, lots_max=1_000))
    locked = {offer.id: 2 for offer in book.offers(START_US, {})}
    assert all(lock(book, offer, lots) for offer, lots in locked.items())
    second = f"east-book/{CALL}/sell/7500000"
    while ASK in lots_of(book):
        assert lots_of(book)[second] == 98
        book.apply_flow()
    for _ in range(200):
        book.apply_flow()
    assert lots_of(book) == {}
    assert book.locked() == locked
    assert book.violations() == []


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["lock", "unlock", "consume", "flow"]), st.integers(0, 5), st.integers(1, 40)
        ),
        max_size=60,
    ),
)
def test_the_book_is_always_a_sub_book_of_its_source(seed: int, steps: list[tuple[str, int, int]]) -> None:
    book = open_book(Flow(mean_gap_us=1_000, lots_max=50), seed=seed)
    source = lots_of(book)
    names = list(source)
    locked: Counter[str] = Counter()
    for action, index, lots in steps:
        name = names[index]
        free = lots_of(book).get(name, 0)
        if action == "flow":
            book.apply_flow()
        elif action == "lock":
            assert lock(book, name, lots) == (lots <= free)
            locked[name] += lots if lots <= free else 0
        elif lots <= locked[name]:
            (book.unlock if action == "unlock" else book.consume)(name, lots)
            locked[name] -= lots
        now = lots_of(book)
        assert now.keys() <= source.keys()
        assert all(now.get(each, 0) + locked[each] <= source[each] for each in source)
        assert book.locked() == {each: held for each, held in locked.items() if held}
        assert book.violations() == []
