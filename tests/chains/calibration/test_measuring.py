from fractions import Fraction
from math import ceil
from statistics import median_low

import pytest

from chains.calibration.market import MarketBook, SeriesBook, Step
from chains.calibration.measuring import DELTA_EDGES_BPS, TENOR_EDGES_DAYS, Measured, Measurements
from chains.importing.importer import import_market
from chains.reference import read_source, source_rows
from chains.series import OptionKind, Series
from chains.units import MICRO
from tests.market_data import MARCH_S, TAKEN_MS

DAY_S = 86_400


def make_book(
    strike: int,
    *,
    buys: tuple[tuple[int, int], ...] = (),
    sells: tuple[tuple[int, int], ...] = (),
    weeks: int = 0,
) -> SeriesBook:
    series = Series(underlying="BTC", expiry=MARCH_S + weeks * 7 * DAY_S, strike=strike, kind=OptionKind.CALL)
    return SeriesBook(
        series=series,
        iv_bps=5_000,
        buys=tuple(Step(*each) for each in buys),
        sells=tuple(Step(*each) for each in sells),
    )


def make_market(*books: SeriesBook) -> MarketBook:
    expiries = {(book.series.underlying, book.series.expiry) for book in books}
    return MarketBook(
        taken_us=TAKEN_MS * 1_000, forwards=dict.fromkeys(expiries, 64_000 * MICRO), books=tuple(books)
    )


def test_the_figures_of_the_reference_book_are_medians_over_series_alike() -> None:
    market, _ = import_market(source_rows(read_source()))
    measured = Measurements(market)
    for book in market.books:
        alike = [each for each in market.books if _place(each, measured) == _place(book, measured)]
        spreads = [
            ceil(Fraction(each.sells[0].price - each.buys[0].price, 2))
            for each in alike
            if each.buys and each.sells
        ]
        touch = [side[0].lots for each in alike for side in (each.buys, each.sells) if side]
        found = measured.of(book.series)
        assert found is not None
        if len(spreads) >= 3:
            assert found.half_spread == median_low(spreads)
        if len(touch) >= 3:
            assert found.touch_lots == median_low(touch)


def _place(book: SeriesBook, measured: Measurements) -> tuple[int, int]:
    days = Fraction(book.series.expiry_us - TAKEN_MS_OF_SOURCE * 1_000, DAY_S * MICRO)
    delta = measured.view(book.series).delta_bps
    return sum(days >= edge for edge in TENOR_EDGES_DAYS), sum(delta >= edge for edge in DELTA_EDGES_BPS)


TAKEN_MS_OF_SOURCE = read_source().taken_us // 1_000


@pytest.mark.parametrize(
    ("ladder", "lots", "width"),
    [
        (((100, 7),), 3, 0),
        (((100, 10), (105, 10)), 10, 0),
        (((100, 9), (105, 11)), 10, 5),
        (((100, 1), (105, 1), (200, 1)), 1, 0),
        (((100, 1), (105, 2), (130, 40), (9_000, 5)), 24, 30),
        (((100, 1),), 1, 0),
    ],
)
def test_walking_half_of_a_side_takes_the_price_as_far_as_it_takes_it(
    ladder: tuple[tuple[int, int], ...], lots: int, width: int
) -> None:
    book = make_book(64_000, buys=tuple((10_000 - price, size) for price, size in ladder), sells=ladder)
    found = Measurements(make_market(book)).of(book.series)
    assert found is not None
    assert (found.walk_lots, found.walk_width) == (lots, width)


def test_a_bucket_with_few_samples_borrows_from_its_delta_and_then_from_everything() -> None:
    near = [make_book(64_000, buys=((90, 1),), sells=((110, 1),))]
    other_tenors = [
        make_book(64_000, buys=((80, 1),), sells=((120, 1),), weeks=weeks) for weeks in (8, 9, 20)
    ]
    far = [make_book(90_000 + k, buys=((10, 1),), sells=((50, 1),)) for k in range(5)]
    alone = Measurements(make_market(*near, *far))
    assert (found := alone.of(near[0].series)) is not None
    assert found.half_spread == 20  # of all six: 10 and five times 20
    with_others = Measurements(make_market(*near, *other_tenors, *far))
    assert (found := with_others.of(near[0].series)) is not None
    assert found.half_spread == 20  # of the four of its delta: 10 and three times 20
    enough = [make_book(63_990 + k, buys=((90, 1),), sells=((110, 1),)) for k in range(3)]
    assert (found := Measurements(make_market(*enough, *other_tenors, *far)).of(enough[0].series)) is not None
    assert found == Measured(half_spread=10, touch_lots=1, walk_lots=1, walk_width=0)


def test_an_underlying_without_a_two_sided_book_says_nothing() -> None:
    book = make_book(64_000, buys=((90, 1),))
    assert Measurements(make_market(book)).of(book.series) is None


def test_half_spreads_round_up() -> None:
    book = make_book(64_000, buys=((90, 1),), sells=((95, 1),))
    assert (found := Measurements(make_market(book)).of(book.series)) is not None
    assert found.half_spread == 3
