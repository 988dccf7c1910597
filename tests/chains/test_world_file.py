import json
from collections.abc import Callable
from datetime import UTC, datetime
from math import isclose, sqrt
from typing import Any

import msgspec
import pytest

from chains import world_file
from chains.errors import WorldFileError
from chains.series import parse_series
from chains.units import MICRO
from chains.world import World
from chains.world_file import decode_world, encode_world, shift_expiries
from tests.venue_specs import make_stock
from tests.worlds import CALL, JUNE_US, LATER, START_US, make_spec

HOUR_US = 3_600 * MICRO
DAY_US = 24 * HOUR_US


def raw() -> Any:
    return json.loads(encode_world(make_spec()))


def refusal(change: Callable[[Any], object]) -> str:
    data = raw()
    change(data)
    with pytest.raises(WorldFileError) as caught:
        decode_world(json.dumps(data).encode())
    return str(caught.value)


def put(path: str, value: object) -> Callable[[Any], object]:
    """Set the field at a dotted path such as ``bridges.0.source``."""

    def change(data: Any) -> None:
        *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        for step in parents:
            data = data[step]
        data[last] = value

    return change


def test_a_world_file_reads_back_as_it_was_written() -> None:
    spec = make_spec()
    assert decode_world(encode_world(spec)) == spec


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (put("hub", "nowhere"), "hub: 'nowhere'"),
        (put("chains", []), "hub: 'hub'"),
        (put("chains.1.id", "hub"), "chains[1].id: 'hub' is there twice"),
        (put("chains.1.id", "East Side"), "chains[1].id: 'East Side' is not made of"),
        (put("venues.0.id", "a/b"), "venues[0].id: 'a/b' is not made of"),
        (put("bridges.2.source", "mars"), "bridges[2].source: 'mars'"),
        (put("bridges.2.target", "mars"), "bridges[2].target: 'mars'"),
        (put("bridges.0.target", "hub"), "bridges[0].target: 'hub' is the source as well"),
        (put("bridges.1.id", "hub-east"), "bridges[1].id: 'hub-east' is there twice"),
        (put("bridges.0.fee_cash_bps", 10_001), "bridges[0].fee_cash_bps: 10001"),
        (put("series.1.id", CALL), f"series[1].id: '{CALL}' is there twice"),
        (put("series.0.id", "BTC-31JUN26-1-C"), "series[0].id: 'BTC-31JUN26-1-C' is not a series"),
        (put("series.0.id", "BTC-1MAY25-1-C"), "series[0].id: 'BTC-1MAY25-1-C' has expired at the start"),
        (put("forwards.1.expiry", 1_790_323_201), "forwards[1].expiry: ('BTC', 1790323201)"),
        (put("forwards.1.expiry", 1_782_460_800), "forwards[1].expiry: ('BTC', 1782460800) is there twice"),
        (lambda data: data["forwards"].pop(0), f"series[0].id: '{CALL}' has no forward"),
        (put("venues.1.id", "hub-book"), "venues[1].id: 'hub-book' is there twice"),
        (put("venues.3.chain", "mars"), "venues[3].chain: 'mars'"),
        (put("venues.0.flow.mean_gap_us", 999), "venues[0].flow.mean_gap_us: 999"),
        (put("venues.0.flow", {"restore_bps": 10_001}), "venues[0].flow.restore_bps: 10001"),
        (put("venues.0.levels.2", [CALL, "buy", 7_000_000, 1]), "venues[0].levels: 7000000 is a buy at or"),
        (put("venues.0.levels.1", [CALL, "sell", 7_000_000, 1]), "venues[0].levels[1].price: 7000000"),
        (put("venues.0.levels.1", ["BTC-1JAN27-1-C", "sell", 1, 1]), "levels[1].series: 'BTC-1JAN27-1-C'"),
        (put("venues.0.levels.1", [CALL, "sell", 2**40, 2**14]), "levels[1].lots: 16384"),
    ],
)
def test_a_contradiction_is_refused_with_its_field_and_value(
    change: Callable[[Any], object], named: str
) -> None:
    assert named in refusal(change)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (put("chains.0.block_us", 0), ("$.chains[0].block_us", ": 0")),
        (put("chains.0.block_us", 0.5), ("$.chains[0].block_us", ": 0.5")),
        (put("chains.0.block_us", 2**53), ("$.chains[0].block_us", ": 9007199254740992")),
        (put("chains.0.colour", "red"), ("`colour`", "$.chains[0]")),
        (put("venues.0.kind", "bazaar"), ("'bazaar'", "$.venues[0].kind")),
        (put("venues.1.levels.2.1", "hold"), ("$.venues[1].levels[2][1]", "'hold'")),
        (put("venues.1.levels.2.3", 0), ("$.venues[1].levels[2][3]", ": 0")),
        (put("series.0.iv_bps", -1), ("$.series[0].iv_bps", ": -1")),
        (put("format", "solvent.world/2"), ("$.format", "solvent.world/2")),
        (put("hub", None), ("$.hub", "None")),
        (put("listing", {"roll_days": 9_999}), ("$.listing.roll_days", ": 9999")),
        (lambda data: data.pop("venues"), ("`venues`",)),
    ],
)
def test_a_broken_schema_is_refused_with_its_path_and_value(
    change: Callable[[Any], object], named: tuple[str, ...]
) -> None:
    text = refusal(change)
    assert all(part in text for part in named), text


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"hub": 1e999}'])
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(WorldFileError):
        decode_world(data)


@pytest.mark.parametrize("second", [b"[]", b"3"])
def test_a_key_that_stands_twice_with_different_values_is_refused(second: bytes) -> None:
    with pytest.raises(WorldFileError, match="chains"):
        decode_world(b'{"chains":[{"id":5}],"chains":' + second + b"}")


def test_a_book_that_could_owe_more_at_an_expiry_than_can_be_counted_is_refused() -> None:
    """A lot of a strike of 1 USD is worth 1,005 USD at a forward of 100,500: 10^9 lots, 10^18 micro-USDC."""
    deep = "BTC-26JUN26-1-C"
    data = raw()
    data["series"].append({"id": deep, "iv_bps": 6_000})
    data["venues"][0]["levels"].append([deep, "sell", 1, 10**6])
    decode_world(json.dumps(data).encode())
    data["venues"][0]["levels"][-1][3] = 10**9
    with pytest.raises(
        WorldFileError, match=rf"venues\[0\]: '1000000000 lots of {deep}' .* BTC-26JUN26 .* hub"
    ):
        decode_world(json.dumps(data).encode())


def test_stock_that_could_be_worth_more_at_an_expiry_than_can_be_counted_is_refused() -> None:
    decode_world(encode_world(make_spec(venues=(make_stock("hub", {LATER: 10**6}),))))
    with pytest.raises(WorldFileError, match=f"100000000 lots of {LATER}"):
        decode_world(encode_world(make_spec(venues=(make_stock("hub", {LATER: 10**8}),))))


def test_a_file_beyond_the_size_limit_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_file, "FILE_BYTES_MAX", 10)
    with pytest.raises(WorldFileError, match="file: 11 bytes are more than 10"):
        decode_world(b"{" * 11)


@pytest.mark.parametrize(
    ("limit", "field"),
    [
        ("CHAINS_MAX", "chains: 4"),
        ("BRIDGES_MAX", "bridges: 6"),
        ("VENUES_MAX", "venues: 4"),
        ("SERIES_MAX", "series: 3"),
        ("VENUE_ENTRIES_MAX", "venues[].size: 24"),
    ],
)
def test_every_count_has_a_limit(limit: str, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_file, limit, 2)
    with pytest.raises(WorldFileError) as caught:
        decode_world(encode_world(make_spec()))
    assert field in str(caught.value)


@pytest.mark.parametrize("days", [-3_000, -1, 0, 1, 400])
@pytest.mark.parametrize("hour", [0, 6, 7, 8, 23])
@pytest.mark.parametrize("left_us", [JUNE_US - START_US, 40 * HOUR_US, 9 * HOUR_US, 60 * MICRO])
def test_shifted_expiries_keep_their_distances_to_each_other_and_nearly_to_the_start(
    days: int, hour: int, left_us: int
) -> None:
    spec = msgspec.structs.replace(make_spec(), start_us=JUNE_US - left_us)
    start_us = START_US + days * DAY_US + hour * HOUR_US
    shifted = shift_expiries(spec, start_us=start_us)
    world_file.check_world(shifted)
    before = [parse_series(each.id).expiry_us for each in spec.series]
    after = [parse_series(each.id).expiry_us for each in shifted.series]
    moves = {new - old for new, old in zip(after, before, strict=True)}
    assert len(moves) == 1
    assert moves.pop() % DAY_US == 0
    least_us = max(HOUR_US, left_us - DAY_US // 2)
    assert least_us <= min(after) - start_us <= least_us + DAY_US
    assert shifted.start_us == start_us


def test_a_world_that_starts_when_its_file_does_is_not_moved() -> None:
    assert shift_expiries(make_spec(), start_us=START_US) == make_spec()


@pytest.mark.parametrize("hour", range(0, 24, 5))
@pytest.mark.parametrize("left_us", [JUNE_US - START_US, 9 * HOUR_US])
def test_every_mark_keeps_its_price_when_a_world_is_moved(hour: int, left_us: int) -> None:
    spec = msgspec.structs.replace(make_spec(), start_us=JUNE_US - left_us)
    start_us = START_US + hour * HOUR_US
    shifted = shift_expiries(spec, start_us=start_us)
    for old, new in zip(spec.series, shifted.series, strict=True):
        before = (parse_series(old.id).expiry_us - spec.start_us) / DAY_US
        after = (parse_series(new.id).expiry_us - start_us) / DAY_US
        assert abs(new.iv_bps - old.iv_bps * sqrt(before / after)) <= 0.5
    marks = [World(each, seed=0, start_us=each.start_us).snapshot().marks for each in (spec, shifted)]
    for old_mark, new_mark in zip(*marks, strict=True):
        assert isclose(old_mark.price, new_mark.price, rel_tol=2e-3)


def test_a_volatility_that_would_leave_its_bounds_stays_at_them() -> None:
    wild = tuple(msgspec.structs.replace(each, iv_bps=90_000) for each in make_spec().series)
    spec = msgspec.structs.replace(make_spec(), start_us=JUNE_US - 9 * HOUR_US, series=wild)
    shifted = shift_expiries(spec, start_us=JUNE_US - HOUR_US)
    world_file.check_world(shifted)
    assert [each.iv_bps for each in shifted.series[:2]] == [100_000, 100_000]


def test_shifted_books_are_the_same_books_under_new_names() -> None:
    spec = make_spec()
    shifted = shift_expiries(spec, start_us=START_US)
    renamed = {old.id: new.id for old, new in zip(spec.series, shifted.series, strict=True)}
    for old, new in zip(spec.venues, shifted.venues, strict=True):
        moved = tuple(msgspec.structs.replace(level, series=renamed[level.series]) for level in old.levels)
        assert new.levels == moved


def test_a_shift_out_of_the_years_of_series_ids_is_refused() -> None:
    far = int(datetime(2099, 12, 1, tzinfo=UTC).timestamp()) * MICRO
    with pytest.raises(WorldFileError, match="start_us: shifting BTC-26JUN26-100000-C"):
        shift_expiries(make_spec(), start_us=far)
