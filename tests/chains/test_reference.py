import json
from collections import Counter, defaultdict
from fractions import Fraction
from importlib import resources
from math import ceil, floor

import pytest

from chains.network import HUB
from chains.reference import read_source, reference_world
from chains.series import parse_series
from chains.units import MICRO
from chains.venues.order_book import OrderBookSpec
from chains.venues.range_amm import RangeAmmSpec
from chains.venues.rfq import RfqSpec
from chains.world import World
from chains.world_file import WorldSpec, check_world, decode_world, encode_world
from chains.world_summary import summarise_world

START_US = 1_777_593_600 * MICRO
SOURCE_US = read_source().taken_us

Book = Counter[tuple[str, str, int, int]]


def shipped_book() -> Book:
    """The source book, converted afresh from the data file in exact fractions."""
    text = resources.files("chains").joinpath("data", "btc_2020-05-21.json").read_text()
    book: Book = Counter()
    for name, _, forward_cents, buys, sells in json.loads(text)["rows"]:
        dollars_per_lot = Fraction(forward_cents, 100) * Fraction(1, 100)
        for side, levels, whole in (("buy", buys, floor), ("sell", sells, ceil)):
            for price, tenths in levels:
                micro = Fraction(price, 10_000) * dollars_per_lot * 1_000_000
                book[name, side, whole(micro), int(Fraction(tenths, 10) / Fraction(1, 100))] += 1
    return book


def order_books(spec: WorldSpec) -> list[OrderBookSpec]:
    return [venue for venue in spec.venues if isinstance(venue, OrderBookSpec)]


def all_levels(spec: WorldSpec) -> Book:
    return Counter(
        (level.series, level.side, level.price, level.lots)
        for venue in order_books(spec)
        for level in venue.levels
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_order_books_together_are_exactly_the_shipped_book(seed: int) -> None:
    assert all_levels(reference_world(seed=seed, start_us=SOURCE_US)) == shipped_book()


def test_a_shift_in_time_changes_names_only() -> None:
    shifted = reference_world(seed=3, start_us=START_US)
    original = reference_world(seed=3, start_us=SOURCE_US)
    renamed = {new.id: old.id for new, old in zip(shifted.series, original.series, strict=True)}
    assert len(renamed) == 326
    back = Counter({(renamed[name], *rest): count for (name, *rest), count in all_levels(shifted).items()})
    assert back == all_levels(original)


def test_the_reference_world_has_the_promised_size() -> None:
    spec = reference_world(start_us=START_US)
    assert len(spec.chains) == 6
    assert spec.hub == HUB
    assert len(spec.bridges) >= 10
    kinds = Counter(type(venue) for venue in spec.venues)
    assert kinds == {OrderBookSpec: 10, RangeAmmSpec: 3, RfqSpec: 3}
    assert {venue.chain for venue in spec.venues} == {chain.id for chain in spec.chains}
    assert len(spec.series) == 326
    assert len({parse_series(each.id).expiry for each in spec.series}) == 7
    assert all_levels(spec).total() == 2_927
    assert all(parse_series(each.id).expiry_us > START_US for each in spec.series)
    assert "2020-05-21" in spec.provenance
    assert "schepal/deribit_data_collector" in spec.provenance


def test_every_chain_can_send_to_every_other_over_bridges() -> None:
    spec = reference_world(start_us=START_US)
    reached = {HUB: {HUB}}
    for end in ("source", "target"):
        seen = {HUB}
        while True:
            more = (
                {bridge.target for bridge in spec.bridges if bridge.source in seen}
                if end == "source"
                else {bridge.source for bridge in spec.bridges if bridge.target in seen}
            )
            if more <= seen:
                break
            seen |= more
        reached[end] = seen
    assert reached["source"] == reached["target"] == {chain.id for chain in spec.chains}


def test_it_is_a_sound_world_file_that_reads_back() -> None:
    spec = reference_world(seed=7, start_us=START_US)
    check_world(spec)
    assert decode_world(encode_world(spec)) == spec


def test_the_seed_decides_the_split_and_nothing_else() -> None:
    one, same, other = (reference_world(seed=seed, start_us=START_US) for seed in (1, 1, 2))
    assert encode_world(one) == encode_world(same)
    assert one.venues != other.venues
    assert (one.chains, one.bridges, one.series, one.forwards) == (
        other.chains,
        other.bridges,
        other.series,
        other.forwards,
    )


@pytest.mark.parametrize("seed", range(4))
def test_about_half_of_neighbouring_strikes_can_be_had_at_one_venue_but_rarely_at_the_best_prices(
    seed: int,
) -> None:
    spec = reference_world(seed=seed, start_us=START_US)
    sides: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for venue in order_books(spec):
        for level in venue.levels:
            price = level.price if level.side == "sell" else -level.price
            at = sides[level.series, level.side]
            at[venue.id] = min(price, at.get(venue.id, price))
    groups: dict[tuple[int, str], list[tuple[int, str]]] = defaultdict(list)
    for each in spec.series:
        series = parse_series(each.id)
        groups[series.expiry, series.kind].append((series.strike, each.id))
    pairs = [
        pair for group in groups.values() for pair in zip(sorted(group), sorted(group)[1:], strict=False)
    ]
    legs = [
        (sides[one, "sell"], sides[other, "buy"])
        for (_, low), (_, high) in pairs
        for one, other in ((low, high), (high, low))
        if sides[one, "sell"] and sides[other, "buy"]
    ]
    together = sum(bool(bought.keys() & sold.keys()) for bought, sold in legs)
    chain = {venue.id: venue.chain for venue in spec.venues}
    best_on_one_chain = sum(
        chain[min(bought, key=bought.__getitem__)] == chain[min(sold, key=sold.__getitem__)]
        for bought, sold in legs
    )
    assert 0.4 < together / len(legs) < 0.65
    assert best_on_one_chain / len(legs) < 0.4


def test_marks_lie_within_the_spread_where_the_source_is_liquid() -> None:
    spec = reference_world(start_us=SOURCE_US)
    books = {venue.id for venue in order_books(spec)}
    snapshot = World(spec, seed=0, start_us=SOURCE_US).snapshot()
    marks = {mark.series: mark for mark in snapshot.marks}
    bids: dict[str, int] = {}
    asks: dict[str, int] = {}
    for offer in snapshot.offers:
        if offer.venue not in books:
            continue
        if offer.side == "buy":
            bids[offer.series] = max(offer.price, bids.get(offer.series, 0))
        else:
            asks[offer.series] = min(offer.price, asks.get(offer.series, offer.price))
    liquid = [name for name in bids.keys() & asks.keys() if 0.1 < abs(marks[name].delta) < 0.9]
    inside = [name for name in liquid if bids[name] <= marks[name].price <= asks[name]]
    assert len(liquid) > 80
    assert len(inside) >= 0.9 * len(liquid)


@pytest.mark.parametrize("hour", [0, 1, 5, 6, 7, 8, 12, 23])
def test_no_series_is_crossed_at_the_start_whatever_the_hour(hour: int) -> None:
    start_us = START_US + hour * 3_600 * MICRO
    summary = summarise_world(reference_world(seed=hour, start_us=start_us))
    assert summary.crossed == ()
    assert summary.two_sided >= 228
    assert summary.offers < 4_500


def test_pools_and_makers_stand_beside_the_book_without_replacing_it() -> None:
    spec = reference_world(start_us=SOURCE_US)
    snapshot = World(spec, seed=0, start_us=SOURCE_US).snapshot()
    books = {venue.id for venue in order_books(spec)}
    best: dict[tuple[str, str], dict[bool, int]] = defaultdict(dict)
    for offer in snapshot.offers:
        price = offer.price if offer.side == "sell" else -offer.price
        at = best[offer.series, offer.side]
        at[offer.venue in books] = min(price, at.get(offer.venue in books, price))
    both = [at for at in best.values() if len(at) == 2]
    better = sum(at[False] < at[True] for at in both)
    only_beside = sum(True not in at for at in best.values())
    assert len(both) > 150
    assert 0.1 < better / len(both) < 0.5
    assert only_beside < 20
