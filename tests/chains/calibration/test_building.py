from dataclasses import replace

import msgspec
import pytest

from chains.calibration.building import DERIVED, build_world
from chains.calibration.market import MarketBook
from chains.importing.importer import import_market
from chains.network import BOOKS, HUB, MAKERS, POOLS
from chains.reference import read_source, source_rows
from chains.world_file import check_world, decode_world, encode_world


def reference_market() -> MarketBook:
    market, _ = import_market(source_rows(read_source()))
    return market


def test_a_world_says_what_of_it_is_measured_and_what_is_derived() -> None:
    spec = build_world(reference_market(), name="w", provenance="Read off somewhere.", seed=0)
    assert spec.provenance == f"Read off somewhere. {DERIVED}"
    assert (spec.name, spec.hub, spec.start_us) == ("w", HUB, reference_market().taken_us)


def test_every_venue_of_the_network_is_there_in_its_order_and_the_file_is_sound() -> None:
    spec = build_world(reference_market(), name="w", provenance="", seed=3)
    check_world(spec)
    assert decode_world(encode_world(spec)) == spec
    ids = [each.id for each in BOOKS] + [each.quoter.id for each in (*POOLS, *MAKERS)]
    assert [venue.id for venue in spec.venues] == ids


def test_the_seed_alone_decides_and_only_the_venues() -> None:
    market = reference_market()
    one, same, other = (build_world(market, name="w", provenance="", seed=seed) for seed in (1, 1, 2))
    assert encode_world(one) == encode_world(same)
    assert one.venues != other.venues
    assert msgspec.structs.replace(one, venues=()) == msgspec.structs.replace(other, venues=())


def test_the_order_books_do_not_depend_on_the_depth_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    market = reference_market()
    whole = build_world(market, name="w", provenance="", seed=1)
    monkeypatch.setattr("chains.calibration.building.POOLS", ())
    monkeypatch.setattr("chains.calibration.building.MAKERS", ())
    assert build_world(market, name="w", provenance="", seed=1).venues == whole.venues[: len(BOOKS)]


def test_a_venue_that_would_list_nothing_is_left_out() -> None:
    market = reference_market()
    front = min(book.series.expiry for book in market.books)
    only_front = replace(
        market,
        books=tuple(book for book in market.books if book.series.expiry == front),
        forwards={("BTC", front): market.forwards["BTC", front]},
    )
    spec = build_world(only_front, name="w", provenance="", seed=0)
    assert all(venue.size for venue in spec.venues)
    assert "starknet-far" not in {venue.id for venue in spec.venues}
    check_world(spec)
