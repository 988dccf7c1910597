"""The changes of an intent that are tried: each can be signed as it is told."""

from chains.units import MICRO
from intents.admission import LIMITS, check_shape
from intents.quotes import Saving
from intents.savings import UNITS_FACTOR, longer_validity, longest, most_units, other_chains, other_units
from solvers.problem import to_problem
from tests.builders import CALL, CUT_US, make_auction
from tests.market_run import ALICE, make_intent

PROBLEM = to_problem(make_auction())


def test_every_other_chain_is_tried_but_not_for_what_is_held_where_it_is() -> None:
    intent = make_intent(ALICE, 1, {CALL: -1}, -5)
    tried = list(other_chains(intent, PROBLEM))
    assert [(each.kind, each.changes, each.intent.chain) for each in tried] == [
        (Saving.OTHER_CHAIN, {"chain": chain}, chain) for chain in ("east", "west")
    ]
    assert not list(other_chains(make_intent(ALICE, 1, {CALL: -1}, -5, reduce_only=True), PROBLEM))


def test_fewer_units_lower_the_minimum_with_them() -> None:
    intent = make_intent(ALICE, 1, {CALL: 1}, 5, units=9, min_units=6)
    (fewer,) = other_units(intent, filled=9, cheapest=4)
    assert (fewer.kind, fewer.changes) == (Saving.FEWER_UNITS, {"units": 4, "minUnits": 4})
    assert (fewer.intent.units, fewer.intent.min_units) == (4, 4)
    (fewer,) = other_units(intent, filled=9, cheapest=7)
    assert fewer.changes == {"units": 7}
    assert check_shape(fewer.intent) is None


def test_more_units_are_more_than_were_asked_for() -> None:
    intent = make_intent(ALICE, 1, {CALL: 1}, 5, units=9)
    (more,) = other_units(intent, filled=3, cheapest=12)
    assert (more.kind, more.changes) == (Saving.MORE_UNITS, {"units": 12})
    assert not list(other_units(intent, filled=3, cheapest=9)), "it asks for as many already"
    assert not list(other_units(intent, filled=9, cheapest=9))


def test_the_most_units_that_are_tried_can_be_signed() -> None:
    assert most_units(make_intent(ALICE, 1, {CALL: 1}, 5, units=9)) == 9 * UNITS_FACTOR
    for intent in (
        make_intent(ALICE, 1, {CALL: 3}, 0, units=100_000_000),
        make_intent(ALICE, 1, {CALL: 1}, -(10**12), units=2),
        make_intent(ALICE, 1, {CALL: 1}, 10**12, units=4),
    ):
        more = make_intent(
            ALICE, 1, {leg.series: leg.ratio for leg in intent.legs}, intent.limit, units=most_units(intent)
        )
        assert intent.units <= more.units < UNITS_FACTOR * intent.units
        assert check_shape(more) is None


def test_a_longer_validity_lasts_beyond_the_deal_that_it_is_for() -> None:
    now_s = CUT_US // MICRO
    intent = make_intent(ALICE, 1, {CALL: 1}, 5, valid_until=now_s + 60)
    decided_us = CUT_US + 300 * MICRO
    (longer,) = longer_validity(intent, decided_us=decided_us, now_us=CUT_US)
    assert longer.intent.valid_until == longer.changes["validUntil"] == now_s + 300 + 600
    assert not list(longer_validity(intent, decided_us=CUT_US + 59 * MICRO, now_us=CUT_US)), (
        "it lasts already"
    )
    assert not list(longer_validity(longest(intent, now_us=CUT_US), decided_us=decided_us, now_us=CUT_US))
    beyond = CUT_US + LIMITS.lifetime_s * MICRO
    assert not list(longer_validity(intent, decided_us=beyond, now_us=CUT_US)), "nothing lasts so long"
