import math

import pytest

from chains.listing import LiveListing
from chains.oracle import Marks
from chains.snapshot import Mark
from chains.units import MICRO
from tests.worlds import CALL, JUNE_US, LATER, PUT, START_US, make_spec

ROUND_US = 3 * MICRO


def marks_at(now_us: int) -> dict[str, Mark]:
    listing = LiveListing(make_spec(), start_us=START_US)
    return {mark.series: mark for mark in Marks(listing, round_us=ROUND_US).at(now_us)}


def test_every_listed_series_has_a_mark_stamped_with_its_round() -> None:
    now_us = START_US + 10 * ROUND_US + 17
    marks = marks_at(now_us)
    assert list(marks) == [CALL, PUT, LATER]
    assert {mark.oracle_as_of_us for mark in marks.values()} == {START_US + 10 * ROUND_US}
    assert {mark.oracle_round * ROUND_US for mark in marks.values()} == {START_US + 10 * ROUND_US}
    assert marks == marks_at(now_us + ROUND_US - 18)
    assert marks != marks_at(now_us + ROUND_US)


def test_a_mark_is_the_textbook_price_of_one_lot() -> None:
    # Black (1976) with the error function, written out for the one call.
    mark = marks_at(START_US)[CALL]
    years = (JUNE_US - START_US) / (365 * 86_400 * MICRO)
    deviation = 0.60 * math.sqrt(years)
    d1 = math.log(100_500 / 100_000) / deviation + deviation / 2
    weights = [0.5 * (1 + math.erf(d / math.sqrt(2))) for d in (d1, d1 - deviation)]
    per_coin = 100_500 * weights[0] - 100_000 * weights[1]
    assert mark.price == pytest.approx(per_coin * 0.01 * MICRO, rel=1e-12)
    assert mark.delta == pytest.approx(weights[0], rel=1e-12)
    assert mark.iv == 0.60


def test_without_the_expired_there_are_no_marks_of_them() -> None:
    listing = LiveListing(make_spec(), start_us=START_US)
    marks = Marks(listing, round_us=ROUND_US)
    assert len(marks.at(JUNE_US)) == 3
    listing.expire(JUNE_US)
    assert [mark.series for mark in marks.at(JUNE_US)] == [LATER]
