"""An auction that contradicts itself is told apart from one that holds."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from chains.snapshot import Offer
from intents.errors import VerificationError
from intents.verifying.outcomes import judge_all
from intents.verifying.sheet import Sheet, check_auction, package_of
from solvers.arbitration import arbitrate
from solvers.auction import Auction, Rules
from tests.broken_bids import crossing_auction
from tests.builders import (
    CALL,
    HIGH,
    make_bridge,
    make_chain,
    make_offer,
    make_order,
    make_reference,
    make_series,
    make_venue,
)

GOOD = crossing_auction(reference=(make_reference("hub", {CALL: 1}, units=1, price=5),))


def twice(part: str) -> Callable[[], Auction]:
    return lambda: replace(GOOD, **{part: (*getattr(GOOD, part), getattr(GOOD, part)[0])})


def also(part: str, thing: object) -> Callable[[], Auction]:
    return lambda: replace(GOOD, **{part: (*getattr(GOOD, part), thing)})


def offer_at(venue: str) -> Offer:
    return make_offer(venue, CALL, "sell", 7, 1)


PARTS = ("chains", "bridges", "venues", "series", "offers", "orders", "reference")
CONTRADICTIONS: dict[str, tuple[str, Callable[[], Auction]]] = {
    **{f"{part} twice": ("auction_ids", twice(part)) for part in PARTS},
    "bridge to nowhere": ("auction_names", also("bridges", make_bridge("hub", "moon"))),
    "bridge from nowhere": ("auction_names", also("bridges", make_bridge("moon", "hub"))),
    "venue nowhere": ("auction_names", also("venues", make_venue("moon"))),
    "offer nowhere": ("auction_names", also("offers", offer_at("moon-book"))),
    "offer of nothing": ("auction_names", also("offers", make_offer("hub-book", "BTC-X", "sell", 1, 1))),
    "order nowhere": ("auction_names", also("orders", make_order("b", {CALL: 1}, 5, chain="moon"))),
    "order of nothing": ("auction_names", also("orders", make_order("b", {"BTC-X": 1}, 5))),
    "reference nowhere": (
        "auction_names",
        also("reference", make_reference("moon", {CALL: 1}, units=1, price=5)),
    ),
    "no hub": ("auction_names", lambda: replace(GOOD, hub="moon")),
    "leg of nothing": ("auction_legs", also("orders", make_order("b", {CALL: 0}, 5))),
    "leg twice": (
        "auction_legs",
        also("orders", replace(GOOD.orders[0], intent="b", legs=((CALL, 1), (CALL, 2)))),
    ),
    "too many orders": (
        "orders_max",
        lambda: replace(
            GOOD, rules=Rules(orders_max=1), orders=(*GOOD.orders, make_order("b", {CALL: 1}, 5))
        ),
    ),
    "strike": (
        "auction_series",
        lambda: replace(GOOD, series=(replace(make_series(CALL), strike=1), *GOOD.series[1:])),
    ),
    "no series": ("auction_series", also("series", replace(make_series(HIGH), id="BTC-X"))),
}


def test_a_sound_auction_passes() -> None:
    check_auction(Sheet(GOOD))


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_contradiction_is_named(case: str) -> None:
    rule, make = CONTRADICTIONS[case]
    with pytest.raises(VerificationError) as caught:
        check_auction(Sheet(make()))
    assert caught.value.rule == rule


def test_a_package_is_its_legs_sorted_without_their_common_factor() -> None:
    order = make_order("a", {HIGH: -4, CALL: 6}, 5, chain="east")
    assert package_of(order) == (("east", ((CALL, 3), (HIGH, -2))), 2)


def test_a_round_without_bids_has_an_empty_pool() -> None:
    auction = replace(GOOD, chains=(*GOOD.chains, make_chain("far")))
    assert judge_all(Sheet(auction), (), arbitrate(auction, ())) == {}
