from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import SeriesError
from chains.series import LOT_SIZES, STRIKE_MAX, OptionKind, Series, expiry_of, parse_series
from chains.units import MICRO

days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
series = st.builds(
    Series,
    underlying=st.sampled_from(sorted(LOT_SIZES)),
    expiry=days.map(expiry_of),
    strike=st.integers(1, STRIKE_MAX),
    kind=st.sampled_from(OptionKind),
)


@given(series)
def test_an_id_reads_back_as_its_series(each: Series) -> None:
    assert parse_series(each.id) == each


@given(series, st.data())
def test_a_text_that_parses_is_the_id_itself(each: Series, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(each.id) - 1))
    text = each.id[:place] + data.draw(st.characters()) + each.id[place + data.draw(st.integers(0, 1)) :]
    try:
        assert parse_series(text).id == text
    except SeriesError:
        assert text != each.id


@given(days)
def test_options_expire_at_eight_in_the_morning(day: date) -> None:
    instant = datetime.fromtimestamp(expiry_of(day), UTC)
    assert (instant.date(), instant.timetz().isoformat()) == (day, "08:00:00+00:00")


def test_the_parts_of_an_id() -> None:
    each = parse_series("ETH-5JUL26-3500-P")
    assert (each.underlying, each.strike, each.kind) == ("ETH", 3500, OptionKind.PUT)
    assert each.expiry == datetime(2026, 7, 5, 8, tzinfo=UTC).timestamp()
    assert each.expiry_us == each.expiry * MICRO
    assert each.lot_size == (1, 10)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "BTC-05JUL26-3500-P",
        "BTC-5JUL26-03500-P",
        "BTC-5jul26-3500-P",
        "BTC-31JUN26-3500-P",
        "BTC-29FEB26-3500-C",
        "BTC-5JUL2026-3500-P",
        "BTC-5JUL26-3500-X",
        "BTC-5JUL26-3500.5-C",
        "BTC-5JUL26-0-C",
        "BTC-5JUL26-10000001-C",
        "BTC-5JUL26-3500-C ",
        "BTC-5JUL26-3500-C\n",
        "SOL-5JUL26-3500-C",
        "BTC-5JUL26-٣٥٠٠-C",
    ],
)
def test_texts_that_are_no_id_are_refused(text: str) -> None:
    with pytest.raises(SeriesError):
        parse_series(text)


@pytest.mark.parametrize(
    "change", [{"underlying": "SOL"}, {"strike": 0}, {"strike": STRIKE_MAX + 1}, {"expiry": 1_782_460_801}]
)
def test_impossible_terms_are_refused(change: dict[str, object]) -> None:
    terms = {"underlying": "BTC", "expiry": 1_782_460_800, "strike": 100_000, "kind": OptionKind.CALL}
    assert Series(**terms).id == "BTC-26JUN26-100000-C"  # type: ignore[arg-type]
    with pytest.raises(SeriesError):
        Series(**{**terms, **change})  # type: ignore[arg-type]


def test_every_day_of_a_year_has_its_own_id() -> None:
    first = date(2026, 1, 1)
    days = [first + timedelta(days=number) for number in range(365)]
    ids = {Series(underlying="BTC", expiry=expiry_of(day), strike=1, kind=OptionKind.CALL).id for day in days}
    assert len(ids) == 365
