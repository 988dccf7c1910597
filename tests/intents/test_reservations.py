"""Pots against plain sums: the greatest of each pot's members, added up, whatever order things come in."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from intents.reservations import Reservations

PLACES = (("hub", "USDC"), ("hub", "BTC"), ("east", "USDC"))
POTS = (("ann", "group 1"), ("ann", "intent a"), ("bob", "group 1"))
amounts = st.dictionaries(st.sampled_from(PLACES), st.integers(1, 4), max_size=3)
changes = st.lists(st.tuples(st.sampled_from(POTS), st.sampled_from("abcd"), amounts), max_size=30)


def summed(held: dict[Any, dict[Any, int]], owner: str) -> Counter[Any]:
    total: Counter[Any] = Counter()
    for pot in POTS:
        members = [each for (of, _), each in held.items() if of == pot and pot[0] == owner]
        for place in PLACES:
            total[place] += max((each.get(place, 0) for each in members), default=0)
    return +total


@given(changes=changes)
@settings(max_examples=300, deadline=None)
def test_what_is_held_is_the_sum_over_pots_of_the_greatest_in_each(changes: Any) -> None:
    reservations, held = Reservations(), dict[Any, dict[Any, int]]()
    for pot, member, wanted in changes:
        reservations.hold(pot, member, wanted)
        held[pot, member] = wanted
        for owner in ("ann", "bob"):
            expected = summed(held, owner)
            assert reservations.of_owner(owner) == dict(sorted(expected.items()))
            assert all(reservations.held(owner, place) == expected[place] for place in PLACES)
        for each in POTS:
            for place in PLACES:
                most = max((own.get(place, 0) for (of, _), own in held.items() if of == each), default=0)
                assert reservations.shared(each, place) == most


def test_who_holds_nothing_leaves_no_trace() -> None:
    reservations = Reservations()
    reservations.hold(POTS[0], "a", {PLACES[0]: 3})
    reservations.hold(POTS[0], "b", {PLACES[0]: 5})
    reservations.hold(POTS[0], "b", {})
    assert reservations.of_owner("ann") == {PLACES[0]: 3}
    reservations.hold(POTS[0], "a", {})
    assert reservations.of_owner("ann") == {}
    assert reservations.held("ann", PLACES[0]) == reservations.shared(POTS[0], PLACES[0]) == 0
