"""The cut: what an auction file holds, and who takes part where there is no room for all."""

from fractions import Fraction
from random import Random

import pytest

from chains.units import MICRO
from intents.book import Book, BookIntent
from intents.instance import as_order, best_prices, cut_auction, executable_price, select_orders
from solvers.auction import Rules
from tests.builders import make_offer
from tests.market_run import ALICE, BOB, make_intent
from tests.worlds import CALL, LATER, PUT, START_US, make_world

OFFERS = (
    make_offer("one", CALL, "sell", 110, 5),
    make_offer("two", CALL, "sell", 100, 5),
    make_offer("two", CALL, "buy", 90, 5),
    make_offer("one", CALL, "buy", 80, 5),
    make_offer("one", PUT, "sell", 50, 5),
)
"""Calls cost 100 and bring 90; puts cost 50; nobody buys puts."""


def admit(*wanted: tuple[dict[str, int], int]) -> list[BookIntent]:
    """Intents with these legs and limits, in the order of admission; ids are ``0``, ``1``, ..."""
    book = Book()
    for nonce, (legs, limit) in enumerate(wanted):
        intent = make_intent(ALICE if nonce % 2 else BOB, nonce, legs, limit)
        book.admit(str(nonce), intent, now_us=START_US, funds=lambda *_: 10**15)
    return list(book.intents())


def chosen(wanted: list[BookIntent], most: int) -> tuple[list[str], list[str]]:
    kept, left_out = select_orders(wanted, OFFERS, most=most)
    return [intent.id for intent in kept], [intent.id for intent in left_out]


def test_with_room_for_all_nobody_is_left_out() -> None:
    orders = admit(({CALL: 1}, 1), ({PUT: -1}, -1))
    assert chosen(orders, 2) == (["0", "1"], [])
    assert chosen([], 1) == ([], [])


def test_who_is_furthest_beyond_the_best_price_comes_first() -> None:
    orders = admit(({CALL: 1}, 95), ({CALL: 1}, 130), ({CALL: 1}, 99), ({CALL: -1}, -70))
    assert chosen(orders, 1) == (["1"], ["3", "2", "0"]), "those left out, the next in line first"
    assert chosen(orders, 2) == (["1", "3"], ["2", "0"])
    assert chosen(orders, 3) == (["1", "2", "3"], ["0"])


def test_the_distance_counts_per_lot() -> None:
    """25 beyond over five lots is less than 6 beyond over one."""
    orders = admit(({CALL: 5}, 525), ({CALL: 1}, 106))
    assert chosen(orders, 1) == (["1"], ["0"])


def test_packages_are_measured_by_all_their_legs() -> None:
    """A spread that costs 100 - 0 cannot be priced; one that costs 100 + 50 can."""
    orders = admit(({CALL: 1, PUT: -1}, 10_000), ({CALL: 1, PUT: 1}, 140))
    assert chosen(orders, 1) == (["1"], ["0"])


def test_of_equals_the_oldest_take_part() -> None:
    orders = admit(*[({CALL: 1}, 100)] * 4)
    assert chosen(orders, 2) == (["0", "1"], ["2", "3"])


def test_packages_that_nobody_quotes_come_last_the_oldest_of_them_first() -> None:
    orders = admit(({PUT: -1}, -1), ({LATER: 1}, 10**6), ({CALL: 1}, 1))
    assert chosen(orders, 2) == (["0", "2"], ["1"])


@pytest.mark.parametrize("seed", range(20))
def test_nobody_left_out_is_nearer_than_anybody_who_takes_part(seed: int) -> None:
    rng = Random(seed)
    legs = [{CALL: 1}, {CALL: -2}, {CALL: 2, PUT: 1}, {PUT: -1}, {LATER: 1}]
    orders = admit(*((rng.choice(legs), rng.randint(-200, 300)) for _ in range(12)))
    most = rng.randint(1, 11)
    kept, left_out = select_orders(orders, OFFERS, most=most)
    assert len(kept) == most
    assert sorted([*kept, *left_out], key=lambda intent: intent.admitted) == orders
    assert max(map(_rank, kept)) < min(map(_rank, left_out))


def _rank(intent: BookIntent) -> tuple[bool, Fraction, int]:
    """Unquoted last; then by what the best quotes ask beyond the limit, per lot; then by age."""
    quotes = {(CALL, True): 100, (CALL, False): 90, (PUT, True): 50}
    if any((series, ratio > 0) not in quotes for series, ratio in intent.legs):
        return True, Fraction(0), intent.admitted
    cost = sum(ratio * quotes[series, ratio > 0] for series, ratio in intent.legs)
    lots = sum(abs(ratio) for _, ratio in intent.legs)
    return False, Fraction(cost - intent.intent.limit, lots), intent.admitted


def test_the_best_price_is_over_all_venues() -> None:
    best = best_prices(OFFERS)
    assert best == {(CALL, "sell"): 100, (CALL, "buy"): 90, (PUT, "sell"): 50}
    assert executable_price(((CALL, 2), (PUT, 1)), best) == 250
    assert executable_price(((CALL, -2),), best) == -180
    assert executable_price(((PUT, -1),), best) is None
    assert executable_price((), best) == 0


def test_an_auction_holds_the_snapshot_and_what_is_open() -> None:
    orders = admit(({CALL: 1}, 7_000_000), ({CALL: 1}, 7_500_000))
    snapshot = make_world().snapshot()
    rules = Rules(orders_max=1)
    auction, left_out = cut_auction(orders, snapshot, auction="auction-9", solve_us=5, rules=rules)
    assert (auction.auction, auction.cut_us, auction.solve_us) == ("auction-9", START_US, 5)
    assert (auction.hub, auction.rules, auction.reference) == (snapshot.hub, rules, ())
    for part in ("chains", "bridges", "venues", "series", "offers", "marks"):
        assert getattr(auction, part) == getattr(snapshot, part)
    assert [order.intent for order in auction.orders] == ["1"]
    assert left_out == ("0",)


def test_an_order_shows_what_is_left_of_its_intent() -> None:
    book = Book()
    intent = make_intent(ALICE, 1, {CALL: 1, PUT: -2}, 40, units=9, min_units=7, immediate=True)
    book.admit("0", intent, now_us=START_US, funds=lambda *_: 10**15)
    book.begin_round(["0"])
    entry = book.pledge("deal", "0", units=4, payment=-5)
    order = as_order(entry)
    assert (order.units, order.min_units, order.least_units) == (5, 7, 5)
    assert (order.intent, order.owner, order.chain, order.limit) == ("0", ALICE, "hub", 40)
    assert (order.legs, order.immediate) == (((CALL, 1), (PUT, -2)), True)
    assert order.valid_until == START_US // MICRO + 3_600
