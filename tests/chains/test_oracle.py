import math

import pytest

from chains.listing import LiveListing
from chains.oracle import Marks
from chains.snapshot import Mark
from chains.units import MICRO
from chains.venues.venue import Feed
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


def test_venues_read_the_same_marks_as_whole_micro_usdc() -> None:
    listing = LiveListing(make_spec(), start_us=START_US)
    marks: Feed = Marks(listing, round_us=ROUND_US)
    assert marks.round_us == ROUND_US
    for now_us in (START_US, START_US + 7 * ROUND_US + 1, JUNE_US - 1):
        for series, mark in marks_at(now_us).items():
            assert marks.mark(series, now_us=now_us) == round(mark.price)


def test_a_mark_is_the_same_whatever_was_asked_before_it() -> None:
    def ask(rounds: list[int]) -> dict[int, int | None]:
        marks = Marks(LiveListing(make_spec(), start_us=START_US), round_us=ROUND_US)
        return {number: marks.mark(CALL, now_us=START_US + number * ROUND_US) for number in rounds}

    rounds = list(range(0, 40_000, 997))
    answers = ask(rounds)
    assert answers == ask(rounds[::-1])
    assert len(set(answers.values())) == len(rounds)


def test_what_is_not_listed_has_no_mark() -> None:
    listing = LiveListing(make_spec(), start_us=START_US)
    marks = Marks(listing, round_us=ROUND_US)
    assert marks.mark("BTC-1JAN27-1-C", now_us=START_US) is None
    before = marks.mark(LATER, now_us=JUNE_US)
    assert marks.mark(CALL, now_us=JUNE_US) == 500 * MICRO // 100
    listing.expire(JUNE_US)
    assert marks.mark(CALL, now_us=JUNE_US) is None
    assert marks.mark(LATER, now_us=JUNE_US) == before
