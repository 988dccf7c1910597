"""The documentation is checked against the code: tables, endpoints, commands, settings, examples."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chains.documented import DocumentedEnum
from intents.api import create_app
from intents.quotes import Saving
from intents.refusals import Code
from intents.settings import SETTINGS
from solvers.plugins import list_strategies
from solvers.reasons import BidReason, OrderReason, QuotesReason, Rule, SolverReason
from tests.services import open_small_service

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "listed",
    [Code, Rule, BidReason, OrderReason, SolverReason, QuotesReason, Saving],
    ids=lambda each: each.__name__,
)
def test_every_code_and_reason_is_in_the_readme_with_its_meaning(listed: type[DocumentedEnum]) -> None:
    missing = [each.value for each in listed if f"| `{each.value}` | {each.meaning} |" not in README]
    assert not missing


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    missing = [
        each.name
        for each in SETTINGS
        if f"| `{each.flag}` | `{each.variable}` | {each.default or '-'} | {each.doc} |" not in README
    ]
    assert not missing


def test_every_endpoint_is_in_the_readme(tmp_path: Path) -> None:
    service = open_small_service(tmp_path)
    try:
        paths = create_app(service).openapi()["paths"]
    finally:
        asyncio.run(service.close())
    served = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    documented = set(re.findall(r"^\| `((?:GET|POST) /[^`]*)` \|", README, flags=re.MULTILINE))
    assert served == documented


def test_every_command_has_help_with_an_example() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "intents.command_line", "--help"], capture_output=True, text=True, check=True
    ).stdout
    commands = re.findall(r"^│ (\w+) ", listed, flags=re.MULTILINE)
    assert {"demo", "serve", "export", "replay", "verify", "sign", "post"} <= set(commands)
    for command in commands:
        shown = subprocess.run(
            [sys.executable, "-m", "intents.command_line", command, "--help"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert f"Example: solvent {command}" in shown
        assert f"solvent {command}" in README


def test_every_built_in_strategy_is_in_the_readme() -> None:
    for name in list_strategies():
        assert f"`{name}`" in README


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z]+)", README)) <= targets


def test_continuous_integration_runs_what_the_readme_says() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_every_path_that_the_readme_names_is_there() -> None:
    for path in re.findall(r"`((?:chains|router|solvers|intents)/[\w/]+\.py)`", README):
        assert (ROOT / path).is_file(), path
