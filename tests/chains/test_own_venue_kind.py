"""A stranger adds a venue kind: one file, and its name where kinds are registered."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from chains.venues.venue import Venue
from chains.world_file import encode_world
from tests.chains.own_venue_kind import DutchAuctionSpec, Sale
from tests.feeds import MadeFeed
from tests.venue_specs import open_live, shown
from tests.worlds import CALL, LATER, PUT, START_US, make_spec

ROOT = Path(__file__).resolve().parent.parent.parent
KIND_FILE = ROOT / "tests/chains/own_venue_kind.py"
ROUND_FILE = ROOT / "tests/chains/own_venue_round.py"
PACKAGES = ("chains", "router", "solvers", "intents")

STEP_US = 2_000_000
HARBOUR = {
    "kind": "dutch_auction",
    "id": "harbour",
    "chain": "hub",
    "fee_touch": 50,
    "fee_per_lot": 5,
    "max_lock_us": 600_000_000,
    "step_us": STEP_US,
    "steps": 10,
    "flow": {"mean_gap_us": 0},
    "sales": [[CALL, 12_000_000, 9_000_000, 40]],
}


def copy_packages(folder: Path) -> Path:
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    return folder


def add_kind(folder: Path) -> None:
    shutil.copy(KIND_FILE, folder / "chains/venues/dutch_auction.py")
    registered = folder / "chains/venues/__init__.py"
    text = registered.read_text()
    imports, union = "from chains.venues.flow", "AnyVenueSpec: TypeAlias = "
    for old, new in (
        (imports, f"from chains.venues.dutch_auction import DutchAuctionSpec\n{imports}"),
        (union, f"{union}DutchAuctionSpec | "),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    registered.write_text(text)


def run_round(folder: Path, world: Path) -> subprocess.CompletedProcess[str]:
    """Run a round with the packages of a folder, and the tests' own market beside them."""
    path = os.pathsep.join((str(folder), str(ROOT)))
    return subprocess.run(
        [sys.executable, "-P", str(ROUND_FILE), str(world)],
        env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = copy_packages(tmp_path_factory.mktemp("stranger"))
    parts = json.loads(encode_world(make_spec(venues=()))) | {"venues": [HARBOUR]}
    (folder / "world.json").write_text(json.dumps(parts))
    yield folder
    shutil.rmtree(folder)


def test_a_new_kind_needs_one_file_and_its_name_and_settles_like_any_other(copy: Path) -> None:
    before = run_round(copy, copy / "world.json")
    assert before.returncode != 0
    assert "'dutch_auction'" in before.stderr
    add_kind(copy)
    after = run_round(copy, copy / "world.json")
    assert after.returncode == 0, after.stderr
    found = json.loads(after.stdout)
    first = START_US // STEP_US % 10
    price = 9_000_000 + -(-3_000_000 * (9 - first) // 9)
    assert found["packages"] == str(copy)
    assert found["kinds"] == {"harbour": "dutch_auction"}
    assert found["offered"] == [[f"harbour/{CALL}/sell/{price}", 40]]
    assert [lots for _, lots in found["pledged"]] == [25]
    assert [lots for _, lots in found["left"]] == [25]
    assert found["deals"] == ["settled"]
    assert found["bought"] == 15
    assert found["violations"] == []


def live(**changes: object) -> Venue:
    return open_live(msgspec.convert(HARBOUR | changes, DutchAuctionSpec), MadeFeed({}))


def asked(venue: Venue, step: int) -> int:
    (offer,) = shown(venue, START_US + step * STEP_US).values()
    return offer.price


def test_a_sale_falls_from_its_first_price_to_its_last_and_begins_anew() -> None:
    venue = live(sales=[[CALL, 1_000, 100, 40]], steps=4)
    assert [asked(venue, step) for step in range(6)] == [1_000, 700, 400, 100, 1_000, 700]


def test_a_late_deal_gets_its_price_until_a_new_sale_asks_more() -> None:
    venue = live(sales=[[CALL, 1_000, 100, 40]], steps=4)
    name = f"harbour/{CALL}/sell/700"
    assert venue.lock(name, 1, now_us=START_US + STEP_US) == ""
    assert venue.lock(name, 1, now_us=START_US + 3 * STEP_US) == ""
    over = venue.lock(name, 1, now_us=START_US + 4 * STEP_US)
    assert over == f"{name} is over: 1000 is asked now"
    assert shown(venue, START_US + 3 * STEP_US)[f"harbour/{CALL}/sell/100"].lots == 38


@pytest.mark.parametrize(
    ("sales", "field"),
    [
        ([Sale(series=PUT, first=2, last=1, lots=1)], "sales[0].series"),
        ([Sale(series=CALL, first=1, last=2, lots=1)], "sales[0].first"),
        ([Sale(series=CALL, first=2**53 - 1, last=1, lots=2)], "sales[0].lots"),
        ([Sale(series=CALL, first=2, last=1, lots=1)] * 2, "sales[1].series"),
    ],
)
def test_a_house_that_contradicts_itself_is_named(sales: list[Sale], field: str) -> None:
    spec = msgspec.convert(HARBOUR, DutchAuctionSpec)
    found = msgspec.structs.replace(spec, sales=tuple(sales)).contradiction({CALL})
    assert found is not None
    assert found[0] == field
    assert spec.contradiction({CALL}) is None
    assert spec.with_series({CALL: LATER}).sales[0].series == LATER
