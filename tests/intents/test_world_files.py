"""`solvent import` and `solvent world check`, as commands, and the worlds that the README shows."""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from chains.errors import MarketDataError, WorldFileError
from chains.importing.cleaning import DropReason
from chains.world_file import FILE_BYTES_MAX, decode_world, encode_world
from chains.world_summary import summarise_world
from intents.genesis import load_world
from intents.world_files import ImportPlan, check_world_file, import_results, import_world, print_import
from tests.command_runs import Run, make_run
from tests.market_data import TAKEN_MS, Sheets, make_sheets
from tests.worlds import make_spec

README = Path(__file__).resolve().parent.parent.parent / "README.md"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line, in this process and in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return make_run(monkeypatch, capsys)


def write(folder: Path, sheets: Sheets) -> ImportPlan:
    levels, marks = sheets.files()
    (folder / "levels.csv").write_bytes(levels)
    (folder / "marks.csv").write_bytes(marks)
    return ImportPlan(
        levels=folder / "levels.csv",
        marks=folder / "marks.csv",
        out=folder / "world.json",
        name="imported",
        seed=0,
        max_age_s=600,
    )


def faulty_sheets() -> Sheets:
    sheets = make_sheets()
    sheets.level("BTC-26JUN26-64000-P", "ask", 0.05, 1)
    sheets.level("BTC-PERPETUAL", "ask", 0.05, 1)
    sheets.mark_of("BTC-20MAR26-64000-C").update(mark_iv_pct="", mark_price_coin="")
    return sheets


def test_an_import_writes_a_sound_world_and_reports_what_it_did(tmp_path: Path, run: Run) -> None:
    plan = write(tmp_path, faulty_sheets())
    found = run("import", "levels.csv", "marks.csv", "--out", "world.json", "--seed", "3")
    assert found.status == 0, found.err
    assert found.out == "world.json\n"
    crossed = len(faulty_sheets().levels)
    assert re.search(rf"dropped: crossed +│ 1 .*row {crossed} of the levels, BTC-26JUN26-64000-P", found.err)
    assert re.search(r"dropped: not_a_series +│ 1 ", found.err)
    assert re.search(r"volatilities: strike +│ 1 ", found.err)
    assert re.search(r"venues +│ \d+ +│ order_book \d+, range_amm 3, rfq 3", found.err)
    spec = decode_world(plan.out.read_bytes())
    assert "Rows dropped: not_a_series 1, crossed 1." in spec.provenance
    assert "Derived:" in spec.provenance
    assert spec.start_us == TAKEN_MS * 1_000


def test_an_import_as_json_is_one_object_with_every_count(tmp_path: Path, run: Run) -> None:
    sheets = faulty_sheets()
    write(tmp_path, sheets)
    found = run("import", "levels.csv", "marks.csv", "--out", "world.json", "--json")
    results = json.loads(found.out)
    assert results["rows"] == {"levels": len(sheets.levels), "marks": len(sheets.marks)}
    assert results["levels"] == len(sheets.levels) - 2
    assert results["dropped"] == {
        "not_a_series": {"rows": 1, "first": ["levels", len(sheets.levels) + 1, "BTC-PERPETUAL"]},
        "crossed": {"rows": 1, "first": ["levels", len(sheets.levels), "BTC-26JUN26-64000-P"]},
    }
    assert results["forwards"] == {"given": 2}
    assert results["volatilities"] == {"given": 19, "strike": 1}
    checked = run("world", "check", "world.json", "--json")
    assert json.loads(checked.out) == {"ok": True, **results["world"]}


def test_the_same_files_and_seed_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    plan = write(tmp_path, make_sheets())
    contents = []
    for seed in (0, 0, 1):
        import_world(ImportPlan(**{**_fields(plan), "seed": seed}))
        contents.append(plan.out.read_bytes())
    assert contents[0] == contents[1] != contents[2]


def _fields(plan: ImportPlan) -> dict[str, object]:
    return {name: getattr(plan, name) for name in ("levels", "marks", "out", "name", "seed", "max_age_s")}


def test_a_bad_row_is_one_line_with_file_row_field_and_value(tmp_path: Path, run: Run) -> None:
    sheets = make_sheets()
    row = sheets.level("BTC-26JUN26-64000-P", "ask", "cheap", 1)
    write(tmp_path, sheets)
    found = run("import", "levels.csv", "marks.csv", "--out", "world.json")
    assert (found.status, found.out) == (1, "")
    assert found.err == f"solvent: levels.csv: row {row}: price_coin: 'cheap' is not a decimal number\n"
    assert not (tmp_path / "world.json").exists()


@pytest.mark.parametrize("missing", ["levels.csv", "marks.csv"])
def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, run: Run, missing: str) -> None:
    write(tmp_path, make_sheets())
    (tmp_path / missing).unlink()
    found = run("import", "levels.csv", "marks.csv", "--out", "world.json")
    assert (found.status, found.err.count("\n")) == (1, 1)
    assert found.err.startswith("solvent: ")
    assert missing in found.err


def test_an_unsound_world_file_is_one_line_with_field_and_value(tmp_path: Path, run: Run) -> None:
    raw = json.loads(encode_world(make_spec()))
    raw["bridges"][0]["source"] = "mars"
    (tmp_path / "world.json").write_text(json.dumps(raw))
    found = run("world", "check", "world.json")
    assert (found.status, found.out) == (1, "")
    assert found.err == "solvent: bridges[0].source: 'mars' is not one of the chains\n"


def test_a_file_beyond_its_limit_is_refused_without_reading_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = write(tmp_path, make_sheets())
    monkeypatch.setattr("chains.importing.rows.FILE_BYTES_MAX", 100)
    with pytest.raises(MarketDataError, match=r"levels.csv: 101 bytes are more than 100"):
        import_world(plan)
    with plan.out.open("wb") as stream:
        stream.truncate(FILE_BYTES_MAX + 10)
    with pytest.raises(
        WorldFileError, match=f"file: {FILE_BYTES_MAX + 1} bytes are more than {FILE_BYTES_MAX}"
    ):
        check_world_file(plan.out)


def test_a_market_of_which_everything_is_dropped_says_why(tmp_path: Path) -> None:
    sheets = make_sheets()
    for row in (*sheets.levels, *sheets.marks):
        row["instrument"] = "GOLD"
    with pytest.raises(MarketDataError, match=r"no row is left of the market: not_a_series \d+"):
        import_world(write(tmp_path, sheets))


def test_a_report_of_nothing_dropped_says_so(tmp_path: Path) -> None:
    report, summary = import_world(write(tmp_path, make_sheets()))
    console = Console(record=True, width=120, file=StringIO())
    print_import(console, report)
    assert re.search(r"dropped +│ 0 ", console.export_text())
    assert import_results(report, summary)["dropped"] == {}


@pytest.mark.parametrize("days", [-60, 40, 400])
def test_an_imported_world_is_moved_to_a_start_before_its_time_or_after_its_first_expiry(
    tmp_path: Path, days: int
) -> None:
    plan = write(tmp_path, make_sheets())
    import_world(plan)
    spec = decode_world(plan.out.read_bytes())
    start_us = spec.start_us + days * 86_400_000_000
    moved = load_world(str(plan.out), seed=0, start_us=start_us)
    assert moved.start_us == start_us
    assert summarise_world(moved).crossed == ()
    kept = load_world(str(plan.out), seed=0, start_us=spec.start_us + 86_400_000_000)
    assert kept == spec


def section(title: str) -> str:
    """The text of a section of the README."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert found is not None, f"the README has no section {title!r}"
    return found[1]


def test_the_market_data_of_the_readme_make_a_world_of_three_kinds(tmp_path: Path, run: Run) -> None:
    text = section("A world from market data")
    for name in ("levels.csv", "marks.csv"):
        found = re.search(rf"```csv {name}\n(.*?)```", text, flags=re.DOTALL)
        assert found is not None, name
        (tmp_path / name).write_text(found[1])
    commands = re.findall(r"^\.venv/bin/solvent (.*)$", text, flags=re.MULTILINE)
    assert commands[0].startswith("import ")
    results = json.loads(run(*commands[0].split(), "--json").out)
    assert {reason: each["rows"] for reason, each in results["dropped"].items()} == {"stale": 1, "crossed": 1}
    assert results["volatilities"] == {"given": 3, "mark_price": 1, "strike": 1}
    assert set(results["world"]["venues"]) == {"order_book", "range_amm", "rfq"}
    assert results["world"]["crossed"] == []
    assert commands[1].startswith("world check ")
    assert run(*commands[1].split()).status == 0


def test_every_reason_for_a_dropped_row_is_in_the_readme() -> None:
    text = section("A world from market data")
    for reason in DropReason:
        assert f"| `{reason.value}` | {reason.meaning} |" in text


def test_the_world_by_hand_of_the_readme_is_sound() -> None:
    found = re.search(r"```json\n(.*?)```", section("A world by hand"), flags=re.DOTALL)
    assert found is not None
    assert len(found[1].splitlines()) <= 60
    summary = summarise_world(decode_world(found[1].encode()))
    assert summary.venues == {"order_book": 1, "range_amm": 1, "rfq": 1}
    assert summary.crossed == ()
    assert summary.offers > 10
