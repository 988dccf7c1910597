import msgspec
import pytest

from chains.errors import WorldFileError
from chains.listing import LiveListing
from chains.series import parse_series
from chains.units import MICRO
from chains.world_file import Forward, Listing, SeriesListing
from tests.worlds import CALL, JUNE_US, LATER, PUT, START_US, make_spec

SEPTEMBER_US = 1_790_323_200 * MICRO


def test_series_are_listed_by_expiry_strike_and_kind() -> None:
    spec = make_spec()
    listing = LiveListing(msgspec.structs.replace(spec, series=spec.series[::-1]), start_us=START_US)
    assert [terms.id for terms in listing.terms] == [CALL, PUT, LATER]
    assert listing.next_expiry_us() == JUNE_US
    assert listing.terms[0].lot_size == (1, 100)


@pytest.mark.parametrize(("now_us", "left"), [(JUNE_US - 1, [CALL, PUT, LATER]), (JUNE_US, [LATER])])
def test_a_series_is_listed_until_the_instant_it_expires(now_us: int, left: list[str]) -> None:
    assert [terms.id for terms in LiveListing(make_spec(), start_us=now_us).terms] == left
    listing = LiveListing(make_spec(), start_us=START_US)
    assert set(listing.expired(now_us)) == {CALL, PUT, LATER} - set(left)
    listing.expire(now_us)
    assert [terms.id for terms in listing.terms] == left
    assert listing.expired(now_us) == ()


def test_a_world_whose_series_have_all_expired_is_refused() -> None:
    with pytest.raises(WorldFileError, match="all have expired"):
        LiveListing(make_spec(), start_us=SEPTEMBER_US)


def test_the_rule_lists_expired_strikes_again_with_their_volatility_and_forward() -> None:
    listing = LiveListing(make_spec(listing=Listing(roll_days=7)), start_us=START_US)
    listing.expire(JUNE_US)
    assert [terms.id for terms in listing.terms] == ["BTC-3JUL26-100000-C", "BTC-3JUL26-100000-P", LATER]
    rolled = parse_series("BTC-3JUL26-100000-P")
    assert listing.iv_bps[rolled] == 6_200
    assert listing.forward(rolled) == 100_500 * MICRO
    assert listing.next_expiry_us() == JUNE_US + 7 * 86_400 * MICRO


def test_the_highest_forward_is_one_of_what_is_listed() -> None:
    listing = LiveListing(make_spec(), start_us=START_US)
    assert listing.highest_forward("BTC") == 102_000 * MICRO
    listing.expire(JUNE_US)
    assert listing.highest_forward("BTC") == 102_000 * MICRO
    listing.expire(SEPTEMBER_US)
    assert listing.highest_forward("BTC") == 0


def test_nothing_is_listed_beyond_the_years_that_an_id_can_name() -> None:
    late = "BTC-26JUN95-100000-C"
    expiry = parse_series(late).expiry
    spec = make_spec(
        series=(SeriesListing(id=late, iv_bps=6_000),),
        forwards=(Forward(underlying="BTC", expiry=expiry, price=100_500 * MICRO),),
        listing=Listing(roll_days=3_650),
        venues=(),
    )
    listing = LiveListing(spec, start_us=START_US)
    listing.expire(expiry * MICRO)
    assert listing.terms == ()


def test_what_the_rule_finds_listed_already_stays_as_it_is() -> None:
    spec = make_spec()
    there = "BTC-3JUL26-100000-C"
    spec = make_spec(
        series=(*spec.series, SeriesListing(id=there, iv_bps=1_234)),
        forwards=(
            *spec.forwards,
            Forward(underlying="BTC", expiry=parse_series(there).expiry, price=99_000 * MICRO),
        ),
        listing=Listing(roll_days=7),
    )
    listing = LiveListing(spec, start_us=START_US)
    listing.expire(JUNE_US)
    assert listing.iv_bps[parse_series(there)] == 1_234
    assert listing.forward(parse_series("BTC-3JUL26-100000-P")) == 99_000 * MICRO
