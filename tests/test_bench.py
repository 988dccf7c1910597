"""Every benchmark runs and answers in the form that is documented; how fast it is is not tested."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.bench._harness import COLUMNS, Result, run_bench, take_turns

BENCHES = Path(__file__).resolve().parent / "bench"
SMALLEST = {
    "greeks": "greeks",
    "ingest": "single_sqlite",
    "journal": "group-32",
    "rounds": "orders-20",
    "signing": "legs-1",
    "startup": "checkpoint-before",
    "winners": "bids-50",
}
"""The case of every benchmark that takes the least time."""


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHES / f"{name}.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def toy(case: str, *, quick: bool) -> list[Result]:
    metric = "quick" if quick else "full"
    return [
        Result(case=case, metric=metric, value=1_234_567, unit="things/s", baseline=1_000_000),
        Result(case=case, metric="alone", value=0.012345, unit="s"),
    ]


def run_toy(*arguments: str) -> None:
    run_bench("toy", "Measures nothing.", {"one": toy, "two": toy}, arguments=arguments)


def assert_stated_form(answer: Any, *, bench: str, cases: set[str]) -> None:
    assert list(answer) == ["bench", "results"]
    assert answer["bench"] == bench
    assert {result["case"] for result in answer["results"]} == cases
    for result in answer["results"]:
        assert tuple(result) == COLUMNS
        assert all(isinstance(result[key], str) and result[key] for key in ("case", "metric", "unit"))
        assert isinstance(result["value"], int | float)
        if result["baseline"] is None:
            assert result["ratio"] is None
        else:
            assert result["ratio"] * result["baseline"] == pytest.approx(result["value"])
    named = [(result["case"], result["metric"]) for result in answer["results"]]
    assert len(named) == len(set(named))


def test_every_benchmark_is_tested_here() -> None:
    assert {path.stem for path in BENCHES.glob("[a-z]*.py")} == set(SMALLEST)


@pytest.mark.parametrize("bench", sorted(SMALLEST))
def test_a_benchmark_prints_one_object_of_the_stated_form(bench: str) -> None:
    case = SMALLEST[bench]
    done = run(bench, "--quick", "--json", "--cases", case)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert_stated_form(json.loads(done.stdout), bench=bench, cases={case})
    assert f"{bench} {case}" in done.stderr


def test_help_names_the_cases_and_gives_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run_toy("--help")
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert "Measures nothing." in shown
    assert "Cases: one, two" in shown
    assert "Example: python tests/bench/toy.py --quick --cases one --json" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cases", "one,three"], "unknown case 'three': the cases are one, two"),
        (["--cases", ""], "unknown case ''"),
        (["--cases"], "expected one argument"),
        (["--quik"], "--quik"),
    ],
)
def test_an_argument_without_sense_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run_toy(*arguments)
    assert stopped.value.code == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.count("\n") == 1
    assert said in written.err


def test_all_cases_run_unless_some_are_picked(capsys: pytest.CaptureFixture[str]) -> None:
    run_toy("--json")
    assert_stated_form(json.loads(capsys.readouterr().out), bench="toy", cases={"one", "two"})
    run_toy("--json", "--quick", "--cases", "two,two")
    answer = json.loads(capsys.readouterr().out)
    assert_stated_form(answer, bench="toy", cases={"two"})
    assert answer["results"][0]["metric"] == "quick"


def test_the_table_has_the_same_figures(capsys: pytest.CaptureFixture[str]) -> None:
    run_toy("--cases", "one")
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == list(COLUMNS)
    assert [line.split() for line in lines] == [
        ["one", "full", "1,234,567", "things/s", "1,000,000", "1.23"],
        ["one", "alone", "0.0123", "s", "-", "-"],
    ]


def test_without_a_baseline_or_with_nothing_there_is_no_ratio() -> None:
    assert Result(case="c", metric="m", value=3.0, unit="s").ratio is None
    assert Result(case="c", metric="m", value=3.0, unit="s", baseline=0.0).ratio is None
    assert Result(case="c", metric="m", value=3.0, unit="s", baseline=1.5).ratio == 2.0


def test_contestants_take_turns_and_the_first_does_not_count() -> None:
    turns: list[str] = []
    readings = {"ours": iter([99.0, 1.0, 3.0, 2.0]), "theirs": iter([99.0, 6.0, 4.0, 5.0])}

    def take(name: str) -> float:
        turns.append(name)
        return next(readings[name])

    medians = take_turns({name: partial(take, name) for name in readings}, runs=3)
    assert medians == {"ours": 2.0, "theirs": 5.0}
    assert turns == ["ours", "theirs"] * 4
