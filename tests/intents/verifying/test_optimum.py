"""The second opinion on the choice of winners: as good as trying every set, and never more."""

from itertools import combinations
from random import Random

import pytest

from intents.errors import VerificationError
from intents.verifying.bids import judge_bid
from intents.verifying.optimum import SCALE, best_total, capacities_used, check_compatible
from intents.verifying.sheet import Sheet
from solvers.bid import Bid
from tests.builders import CALL, free_market, make_bid, make_bridge, make_offer, make_order
from tests.random_markets import random_auction, random_bids


def fits(sheet: Sheet, bids: list[Bid]) -> bool:
    try:
        check_compatible(sheet, bids, "conflict")
    except VerificationError:
        return False
    return True


def best_of_all_sets(sheet: Sheet, pool: list[tuple[Bid, int]]) -> int:
    return max(
        sum(score for _, score in chosen)
        for size in range(len(pool) + 1)
        for chosen in combinations(pool, size)
        if fits(sheet, [bid for bid, _ in chosen])
    )


def judged_pool(sheet: Sheet, bids: list[Bid]) -> list[tuple[Bid, int]]:
    pool = []
    for bid in bids:
        try:
            pool.append((bid, judge_bid(sheet, bid).score))
        except VerificationError:
            continue
    return pool


@pytest.mark.parametrize("seed", range(30))
def test_nothing_better_is_overlooked_and_nothing_is_made_up(seed: int) -> None:
    rng = Random(seed)
    auction = random_auction(rng)
    sheet = Sheet(auction)
    pool = judged_pool(sheet, random_bids(rng, auction))[:7]
    assert best_total(sheet, pool) == best_of_all_sets(sheet, pool)


def test_no_bids_are_worth_nothing() -> None:
    sheet = Sheet(free_market())
    assert best_total(sheet, []) == 0
    assert best_total(sheet, [(make_bid({}), 0)]) == 0


def test_capacities_that_floats_cannot_tell_apart_are_counted_in_integers() -> None:
    """Two bids that together send one micro-USDC more than a bridge takes, of a quarter of a million."""
    capacity = 250_000 * 10**6
    auction = free_market(
        orders=(make_order("a", {CALL: 1}, 10), make_order("b", {CALL: 1}, 10)),
        bridges=(make_bridge("hub", "east", capacity_cash=capacity),),
    )
    sheet = Sheet(auction)
    half = capacity // 2
    pool = [
        (make_bid({"a": 1}, transfers={("hub-east", "USDC"): half}), 9),
        (make_bid({"b": 1}, transfers={("hub-east", "USDC"): half + 1}), 8),
    ]
    assert best_total(sheet, pool) == 9


def test_a_small_bid_counts_beside_a_vast_one() -> None:
    orders = tuple(make_order(name, {CALL: 1}, 10) for name in "abc")
    sheet = Sheet(free_market(orders=orders))
    vast = 10**9 * int(SCALE)
    pool = [(make_bid({"a": 1}), vast), (make_bid({"b": 1}), 10_000), (make_bid({"b": 1, "c": 1}), 10_001)]
    assert best_total(sheet, pool) >= vast + 10_000


def test_everything_that_is_shared_is_counted() -> None:
    offer = make_offer("hub-book", CALL, "sell", 10, 5)
    order = make_order("a", {CALL: 1}, 10, owner="ann", group="g")
    sheet = Sheet(free_market(orders=(order,), offers=(offer,), bridges=(make_bridge("hub", "east"),)))
    bid = make_bid({"a": 1}, {offer.id: 2}, {("hub-east", "USDC"): 7, ("hub-east", CALL): 3})
    assert capacities_used(sheet, bid) == {
        ("order", "a"): (1, 1),
        ("group", "ann", "g"): (1, 1),
        ("offer", offer.id): (2, 5),
        ("cash", "hub-east"): (7, 10**12),
        ("lots", "hub-east"): (3, 10_000),
    }
    with pytest.raises(VerificationError, match="clash: "):
        check_compatible(sheet, [bid, bid], "clash")
