from dataclasses import replace
from math import ceil

import numpy as np
import pytest

from chains.calibration.building import build_world
from chains.calibration.market import MarketBook, SeriesBook, Step
from chains.calibration.measuring import Measurements
from chains.calibration.quoting import Quoters
from chains.importing.importer import import_market
from chains.importing.rows import MarketRows, read_levels, read_marks
from chains.network import MAKERS, POOLS, MakerFigures, PoolFigures, QuoterFigures
from chains.reference import read_source, source_rows
from chains.series import parse_series
from chains.units import MICRO
from chains.world_summary import summarise_world
from tests.market_data import make_sheets

EVERYTHING = QuoterFigures("all", "hub", (0, 400), (0, 101), 100, 100, 100, 1, 1)


def reference_market() -> MarketBook:
    market, _ = import_market(source_rows(read_source()))
    return market


def quoters(market: MarketBook, *, seed: int = 0) -> Quoters:
    return Quoters(market, stream=np.random.default_rng(seed))


def test_a_maker_quotes_the_medians_of_the_series_bucket() -> None:
    market = reference_market()
    measured = Measurements(market)
    maker = quoters(market).maker(MakerFigures(EVERYTHING, 5, 60))
    assert len(maker.quotes) == len(market.books)
    widened = 0
    for quote, book in zip(maker.quotes, market.books, strict=True):
        figures = measured.of(book.series)
        assert figures is not None
        assert (quote.series, quote.lots) == (book.series.id, figures.touch_lots)
        assert quote.half_spread >= figures.half_spread
        widened += quote.half_spread > figures.half_spread
    assert widened < 10
    assert (maker.quote_us, maker.firm_us) == (5 * MICRO, 60 * MICRO)


def test_a_pool_is_as_deep_and_as_steep_as_the_book_times_its_percentages() -> None:
    market = reference_market()
    measured = Measurements(market)
    quarter = EVERYTHING._replace(lots_percent=25, spread_percent=150)
    pool = quoters(market).pool(PoolFigures(quarter, 50, 600))
    for each in pool.ranges:
        figures = measured.of(parse_series(each.series))
        assert figures is not None
        assert each.lots == max(1, figures.walk_lots // 4)
        assert each.half_width == figures.walk_width
        assert each.half_spread >= ceil(figures.half_spread * 3 / 2)
    assert (pool.deviation_bps, pool.heartbeat_us) == (50, 600 * MICRO)


@pytest.mark.parametrize("figures", [each.quoter for each in (*POOLS, *MAKERS)], ids=lambda each: each.id)
def test_a_venue_lists_its_share_of_its_field_and_nothing_else(figures: QuoterFigures) -> None:
    market = reference_market()
    measured = Measurements(market)
    field = {
        book.series.id
        for book in market.books
        if figures.tenor_days[0] <= measured.tenor_days(book.series) < figures.tenor_days[1]
        and figures.delta_percent[0] * 100
        <= measured.view(book.series).delta_bps
        < figures.delta_percent[1] * 100
    }
    listed = {quote.series for quote in quoters(market).maker(MakerFigures(figures, 5, 60)).quotes}
    assert listed < field
    share = figures.listed_percent / 100
    assert abs(len(listed) - share * len(field)) < 4 * (share * (1 - share) * len(field)) ** 0.5


def test_nobody_quotes_through_the_book_where_the_mark_is_off_it() -> None:
    market = reference_market()
    wide = max(book.sells[0].price for book in market.books if book.sells)
    far_off = tuple(
        replace(book, sells=(Step(1 + place, 5),), buys=())
        if place % 2
        else replace(book, buys=(Step(wide + place, 5),), sells=())
        for place, book in enumerate(market.books)
    )
    # Every mark is far below every bid or above every ask; only three sound series set the medians.
    sound = tuple(book for book in market.books if book.buys and book.sells)[:3]
    kept = {book.series for book in sound}
    odd = replace(
        market, books=tuple(sorted((*sound, *(b for b in far_off if b.series not in kept)), key=_series))
    )
    measured = Measurements(odd)
    for quote, book in zip(
        quoters(odd).maker(MakerFigures(EVERYTHING, 5, 60)).quotes, odd.books, strict=True
    ):
        mark = measured.view(book.series).mark
        assert not book.sells or mark - quote.half_spread < book.sells[0].price
        assert not book.buys or mark + quote.half_spread > book.buys[0].price


def _series(book: SeriesBook) -> object:
    return book.series


@pytest.mark.parametrize("seed", range(3))
def test_no_series_of_a_world_made_from_data_is_crossed_at_its_instant(seed: int) -> None:
    levels, marks = make_sheets(seed=seed).files()
    rows = MarketRows(read_levels(levels, name="levels"), read_marks(marks, name="marks"))
    for market in (import_market(rows)[0], reference_market()):
        summary = summarise_world(build_world(market, name="made", provenance="", seed=seed))
        assert summary.crossed == ()
        assert set(summary.venues) == {"order_book", "range_amm", "rfq"}


def test_an_underlying_that_says_nothing_is_not_quoted() -> None:
    market = reference_market()
    one_sided = replace(market, books=tuple(replace(book, buys=()) for book in market.books))
    assert quoters(one_sided).maker(MakerFigures(EVERYTHING, 5, 60)).quotes == ()
    assert quoters(one_sided).pool(PoolFigures(EVERYTHING, 50, 600)).ranges == ()
