"""Every field of a world file, made wrong in every way: refused with field and value, as the schema says."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from chains.errors import WorldFileError
from chains.venues.range_amm import Range, RangeAmmSpec
from chains.venues.rfq import RfqQuote, RfqSpec
from chains.venues.stock import StockSpec
from chains.wire import json_schema
from chains.world_file import WorldSpec, decode_world, encode_world
from tests.worlds import CALL, LATER, make_book, make_spec

SCHEMA = Path(__file__).resolve().parent.parent.parent / "chains" / "schemas" / "world.schema.json"
TERMS: dict[str, Any] = {"chain": "hub", "fee_touch": 50, "fee_per_lot": 5, "max_lock_us": 10**8}

WRONG = (None, True, "", "x" * 200, "nowhere", -1, 1.5, 2**53, [], {})
"""Values of which no field takes more than a few."""


def every_kind() -> WorldSpec:
    """A small world with a venue of every kind."""
    spec = make_spec()
    pool = RangeAmmSpec(
        id="pool",
        ranges=(Range(series=CALL, half_width=10, lots=20, half_spread=5),),
        deviation_bps=50,
        heartbeat_us=10**9,
        **TERMS,
    )
    maker = RfqSpec(
        id="maker",
        quotes=(RfqQuote(series=CALL, half_spread=5, lots=20),),
        quote_us=10**6,
        firm_us=10**7,
        **TERMS,
    )
    stock = StockSpec(id="stock", solver="mine", holdings=(("USDC", 10**9), (LATER, 5)), **TERMS)
    venues = (make_book("hub", [(CALL, "buy", 5, 5)]), pool, maker, stock)
    return msgspec.structs.replace(spec, chains=spec.chains[:3], bridges=spec.bridges[:1], venues=venues)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of everything in a JSON value, itself left out."""
    places: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for place, inner in places:
        yield (*path, place)
        yield from leaves(inner, (*path, place))


def put(value: Any, path: tuple[str | int, ...], new: object) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for place in path[:-1]:
        inner = inner[place]
    inner[path[-1]] = new
    return changed


def drop(value: Any, path: tuple[str | int, ...]) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for place in path[:-1]:
        inner = inner[place]
    del inner[path[-1]]
    return changed


def shown(path: tuple[str | int, ...]) -> str:
    return "$" + "".join(f"[{place}]" if isinstance(place, int) else f".{place}" for place in path)


RAW = json.loads(encode_world(every_kind()))
PATHS = list(leaves(RAW))
VALIDATOR = Draft202012Validator(json_schema(WorldSpec))


def refusal(value: Any) -> str | None:
    try:
        decode_world(json.dumps(value).encode())
    except WorldFileError as error:
        return str(error)
    return None


def test_the_world_of_these_tests_is_sound() -> None:
    assert refusal(RAW) is None
    assert VALIDATOR.is_valid(RAW)
    assert {path[2] for path in PATHS if path[0] == "venues" and len(path) == 3} >= {
        "levels",
        "ranges",
        "quotes",
        "holdings",
        "flow",
    }


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_a_wrong_value_is_refused_with_its_path_and_value_or_is_sound(wrong: object) -> None:
    refused = 0
    for path in PATHS:
        value = put(RAW, path, wrong)
        text = refusal(value)
        if text is None:
            assert VALIDATOR.is_valid(value), shown(path)
            continue
        refused += 1
        if VALIDATOR.is_valid(value):
            # It has the right form but contradicts the rest, so the other place may be the one that is named.
            assert ": " in text, text
        else:
            assert f"at `{shown(path)}`" in text or f"at `{shown(path)}[" in text, text
            assert text.endswith((f": {wrong!r}", f"{repr(wrong)[:80]}...")), text
    assert refused > len(PATHS) / 2


def test_a_field_that_is_missing_or_unknown_is_named() -> None:
    for path in PATHS:
        parent, last = path[:-1], path[-1]
        missing = drop(RAW, path)
        text = refusal(missing)
        if text is not None and not VALIDATOR.is_valid(missing):
            assert str(last) in text or isinstance(last, int), text
            assert not parent or f"`{shown(parent)}" in text, text
        if isinstance(last, str):
            unknown = refusal(put(RAW, (*parent, "colour"), "red"))
            assert unknown is not None
            assert "`colour`" in unknown
            assert not parent or f"`{shown(parent)}`" in unknown


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("venues", 1, "ranges", 0, 0), "BTC-1JAN27-1-C", "venues[1].ranges[0].series: 'BTC-1JAN27-1-C'"),
        (("venues", 1, "ranges"), [[CALL, 1, 1, 1]] * 2, f"venues[1].ranges[1].series: '{CALL}'"),
        (("venues", 1, "ranges", 0, 2), 2**50, f"venues[1].ranges[0].lots: {2**50}"),
        (("venues", 1, "steps"), 65, "$.venues[1].steps`: 65"),
        (("venues", 2, "quotes", 0, 0), "BTC-1JAN27-1-C", "venues[2].quotes[0].series: 'BTC-1JAN27-1-C'"),
        (("venues", 2, "quotes"), [[CALL, 1, 1]] * 2, f"venues[2].quotes[1].series: '{CALL}'"),
        (("venues", 2, "firm_us"), 10**6 - 1, "venues[2].firm_us: 999999 is shorter than quote_us"),
        (("venues", 2, "firm_us"), 10**12, "venues[2].firm_us: 1000000000000"),
        (("venues", 3, "holdings", 1, 0), "BTC", "venues[3].holdings[1][0]: 'BTC'"),
        (("venues", 3, "holdings", 1, 0), "USDC", "venues[3].holdings[1][0]: 'USDC'"),
        (("venues", 2, "id"), "pool", "venues[2].id: 'pool' is there twice"),
    ],
)
def test_a_contradiction_within_a_venue_names_its_field_and_value(
    path: tuple[str | int, ...], value: object, said: str
) -> None:
    text = refusal(put(RAW, path, value))
    assert text is not None
    assert said in text


def test_the_published_schema_is_that_of_the_code() -> None:
    Draft202012Validator.check_schema(json_schema(WorldSpec))
    assert json.loads(SCHEMA.read_text()) == json.loads(json.dumps(json_schema(WorldSpec)))
