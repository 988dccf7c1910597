from dataclasses import replace

from chains.calibration.building import build_world
from chains.calibration.market import lower_median, model_views
from chains.importing.importer import import_market
from chains.reference import read_source, source_rows
from chains.world import World


def test_the_models_view_of_a_market_is_what_the_worlds_oracle_says_at_its_instant() -> None:
    imported, _ = import_market(source_rows(read_source()))
    market = replace(imported, taken_us=imported.taken_us // 3_000_000 * 3_000_000)
    spec = build_world(market, name="on a round of the oracle", provenance="", seed=0)
    marks = World(spec, seed=0, start_us=market.taken_us).snapshot().marks
    views = {str(series.id): view for series, view in model_views(market).items()}
    assert {mark.series: (round(mark.price), round(abs(mark.delta) * 10_000)) for mark in marks} == views


def test_the_lower_median_is_always_one_of_the_values() -> None:
    assert lower_median([3]) == 3
    assert lower_median([5, 1]) == 1
    assert lower_median([9, 1, 4]) == 4
    assert lower_median([4, 3, 2, 1]) == 2
