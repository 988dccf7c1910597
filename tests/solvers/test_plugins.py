"""The plug-in door: what each SPEC loads, and the one error that everything wrong becomes."""

import tomllib
from pathlib import Path

import pytest

from solvers.errors import SpecError
from solvers.plugins import check_solver_name, list_strategies, load_strategy, solver_name
from solvers.strategy import Strategy

STRATEGIES = Path(__file__).parent / "misbehaving"
ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BUILT_IN = PROJECT["entry-points"]["solvent.solvers"]
"""Where each of the strategies that come with the project is, by name."""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution on the path that declares strategies, good and bad."""
    (tmp_path / "toy_strategies.py").write_text(
        "class Toy:\n    def solve(self, auction, context):\n        return iter(())\n"
    )
    (tmp_path / "toy_broken.py").write_text("import toy_that_is_not_there\n")
    metadata = tmp_path / "toy-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[solvent.solvers]\n"
        "toy = toy_strategies:Toy\n"
        "toy-gone = toy_strategies:Gone\n"
        "toy-broken = toy_broken:Toy\n"
        "house = toy_strategies:Toy\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_strategies_come_through_the_same_door(name: str) -> None:
    assert name in list_strategies()
    assert solver_name(name) == name
    strategy = load_strategy(name)
    assert isinstance(strategy, Strategy)
    assert f"{type(strategy).__module__}:{type(strategy).__name__}" == BUILT_IN[name]


def test_every_strategy_in_the_folder_has_an_entry_point() -> None:
    modules = {path.stem for path in (ROOT / "solvers" / "strategies").glob("[a-z]*.py")}
    assert {place.partition(":")[0].rpartition(".")[2] for place in BUILT_IN.values()} == modules


def test_an_installed_distribution_adds_a_strategy(installed: Path) -> None:
    assert list_strategies() == tuple(sorted(list_strategies()))
    assert "toy" in list_strategies()
    assert solver_name("toy") == "toy"
    assert type(load_strategy("toy")).__name__ == "Toy"


def test_two_distributions_that_claim_one_name_are_not_guessed_between(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival = installed / "rival"
    (rival / "rival-1.0.dist-info").mkdir(parents=True)
    (rival / "rival-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: rival\nVersion: 1\n"
    )
    (rival / "rival-1.0.dist-info" / "entry_points.txt").write_text(
        "[solvent.solvers]\ntoy = rival_strategies:Toy\n"
    )
    monkeypatch.syspath_prepend(str(rival))
    with pytest.raises(SpecError, match="installed twice"):
        load_strategy("toy")


def test_a_file_gives_a_strategy() -> None:
    assert isinstance(load_strategy(f"{STRATEGIES / 'honest.py'}:Honest"), Strategy)


def test_two_files_of_one_name_are_two_strategies(tmp_path: Path) -> None:
    for folder, answer in (("one", 1), ("two", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(
            "from __future__ import annotations\nfrom dataclasses import dataclass\n"
            f"@dataclass\nclass Mine:\n    answer: int = {answer}\n    def solve(self, a, c): ...\n"
        )
    loaded = [load_strategy(f"{tmp_path / folder / 'mine.py'}:Mine") for folder in ("one", "two")]
    assert [vars(strategy) for strategy in loaded] == [{"answer": 1}, {"answer": 2}]


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("Mine", "mine"),
        ("BestRoute", "best-route"),
        ("HTTPSolver2", "http-solver2"),
        ("best_route", "best-route"),
        ("ABC", "abc"),
    ],
)
def test_a_file_competes_under_its_class_name(class_name: str, name: str) -> None:
    assert solver_name(f"nowhere/mine.py:{class_name}") == name


def test_finding_a_name_runs_no_code() -> None:
    assert solver_name(f"{STRATEGIES / 'broken_import.py'}:Mine") == "mine"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nobody", "no strategy 'nobody' is installed .*single.*path.py:Class"),
        ("", "no strategy '' is installed"),
        ("toy-gone", "toy-gone: importing it failed: .*Gone"),
        ("toy-broken", r"toy_broken.py:1: ModuleNotFoundError: No module named 'toy_that_is_not_there'"),
        ("house", "'house' is reserved"),
        ("http://localhost:8000", "over HTTP are not supported yet"),
        ("https://example.org/solver.py:Mine", "over HTTP are not supported yet"),
        ("mine.py", "name the class too"),
        ("mine.txt:Mine", "neither the name of an installed strategy nor path.py:Class"),
        ("mine.py:", "neither the name"),
        ("mine.py:a.b", "neither the name"),
        ("nowhere/mine.py:Mine", "nowhere/mine.py: there is no such file"),
        (f"{STRATEGIES}/unloadable.py:Nobody", "there is no class Nobody in it"),
        (f"{STRATEGIES}/unloadable.py:NoSolve", r"NoSolve has no method solve\(auction, context\)"),
        (f"{STRATEGIES}/unloadable.py:function", "it is a function, not a class"),
        (f"{STRATEGIES}/unloadable.py:House", "'house' is reserved"),
        (f"{STRATEGIES}/unloadable.py:NeedsArguments", r"making NeedsArguments\(\) failed: TypeError"),
        (f"{STRATEGIES}/unloadable.py:ExitsWhenMade", r"unloadable.py:\d+: SystemExit: 4"),
        (f"{STRATEGIES}/broken_import.py:Mine", r"broken_import.py:4: KeyError: 'what is not there'"),
    ],
)
def test_whatever_is_wrong_is_one_clear_error(installed: Path, spec: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        load_strategy(spec)


def test_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Mine:\n    def solve(self, auction context): ...\n")
    with pytest.raises(SpecError, match=r"mine.py:2: SyntaxError"):
        load_strategy(f"{tmp_path / 'mine.py'}:Mine")


def test_a_file_that_failed_can_be_mended(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("raise RuntimeError('not yet finished, and long')\n")
    with pytest.raises(SpecError, match="not yet"):
        load_strategy(f"{path}:Mine")
    path.write_text("class Mine:\n    def solve(self, auction, context): ...\n")
    assert isinstance(load_strategy(f"{path}:Mine"), Strategy)


@pytest.mark.parametrize("name", ["", "x" * 129, "house"])
def test_names_that_no_solver_may_use(name: str) -> None:
    with pytest.raises(SpecError):
        check_solver_name(name)
