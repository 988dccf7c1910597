from collections import Counter

import numpy as np
import pytest

from chains.calibration.market import MarketBook
from chains.calibration.splitting import market_levels, split_book
from chains.importing.importer import import_market
from chains.network import BOOKS, BookFigures
from chains.reference import read_source, source_rows
from chains.series import parse_series


def reference_market() -> MarketBook:
    market, _ = import_market(source_rows(read_source()))
    return market


@pytest.mark.parametrize("seed", range(5))
def test_every_level_goes_to_exactly_one_venue(seed: int) -> None:
    market = reference_market()
    books = split_book(market, BOOKS, stream=np.random.default_rng(seed))
    assert Counter(level for levels in books.values() for level in levels) == Counter(market_levels(market))
    assert list(books) == [venue.id for venue in BOOKS]


def test_a_venue_has_only_what_lies_in_its_field_but_for_the_first_which_takes_the_rest() -> None:
    market = reference_market()
    books = split_book(market, BOOKS, stream=np.random.default_rng(0))
    for venue in BOOKS[1:]:
        for level in books[venue.id]:
            series = parse_series(level.series)
            days = (series.expiry_us - market.taken_us) / 86_400_000_000
            distance = 100 * abs(series.strike * 1_000_000 / market.forward(series) - 1)
            assert venue.tenor_days[0] <= days < venue.tenor_days[1]
            assert series.kind.value in venue.kinds
            assert venue.far - 1e-9 <= distance <= venue.near + 1e-9


def test_a_series_that_no_venue_lists_goes_to_the_first() -> None:
    market = reference_market()
    nobody = [
        BookFigures("first", "hub", (0, 365), "CP", 0, 999, 0, 1, 1),
        BookFigures("other", "hub", (0, 365), "CP", 0, 999, 0, 1, 1),
    ]
    books = split_book(market, nobody, stream=np.random.default_rng(0))
    assert Counter(books["first"]) == Counter(market_levels(market))
    assert books["other"] == ()


def test_the_levels_of_a_series_are_spread_evenly_over_the_venues_that_list_it() -> None:
    market = reference_market()
    both = [BookFigures(name, "hub", (0, 365), "CP", 0, 999, 100, 1, 1) for name in ("one", "two")]
    books = split_book(market, both, stream=np.random.default_rng(0))
    assert abs(len(books["one"]) - len(books["two"])) < 4 * 2_927**0.5
