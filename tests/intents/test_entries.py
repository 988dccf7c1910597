"""One intent of the book: where its units are, whatever happens to them."""

import pytest
from msgspec.structs import replace

from intents.collateral import requirement_of
from intents.entries import BookIntent, Fill
from intents.instance import as_order
from intents.lifecycle import State, Status
from tests.books import ALICE, CALL, NOW, make_intent

ENTRY = BookIntent(
    id="0x1",
    intent=make_intent(nonce=1, units=10, min_units=4),
    admitted=0,
    admitted_us=NOW,
    ends_us=NOW + 1,
    requirement=requirement_of(((CALL, 1),), limit=100),
    open=10,
)


@pytest.mark.parametrize(
    ("open_", "uncovered", "covered", "least"), [(10, 0, 10, 4), (10, 7, 3, 4), (3, 0, 3, 3), (3, 1, 2, 3)]
)
def test_what_is_covered_is_offered_and_the_least_is_of_all_that_is_open(
    open_: int, uncovered: int, covered: int, least: int
) -> None:
    entry = replace(ENTRY, open=open_, uncovered=uncovered)
    assert (entry.covered, entry.least_units) == (covered, least)
    if covered >= least:
        order = as_order(entry)
        assert (order.units, order.least_units) == (covered, least)


def test_what_was_paid_is_the_sum_of_the_fills() -> None:
    fills = (Fill(deal="d", units=2, payment=150), Fill(deal="e", units=1, payment=-20))
    assert replace(ENTRY, fills=fills).payment == 130
    assert ENTRY.payment == 0


def test_it_knows_its_owner_its_legs_and_its_pot() -> None:
    assert (ENTRY.owner, ENTRY.legs, ENTRY.pot) == (ALICE, ((CALL, 1),), (ALICE, "intent 0x1"))
    grouped = replace(ENTRY, intent=make_intent(nonce=1, group="0x" + "01" * 32))
    assert grouped.pot == (ALICE, "group 0x" + "01" * 32)


def test_its_status_follows_from_state_and_units() -> None:
    assert ENTRY.status is Status.OPEN
    assert replace(ENTRY, open=0, settling=10).status is Status.SETTLING
    assert replace(ENTRY, open=0, filled=10).status is Status.FILLED
    assert replace(ENTRY, open=0, state=State.CANCELLED).status is Status.CANCELLED
