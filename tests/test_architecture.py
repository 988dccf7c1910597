"""The style rules that a machine can hold: sizes, purity, no float where something is decided."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("chains", "router", "solvers", "intents")
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70

EXACT_MODULES = (
    "chains/commit.py",
    "chains/deadlines.py",
    "chains/expiry.py",
    "chains/fees.py",
    "chains/ledger.py",
    "chains/package.py",
    "chains/payoff.py",
    "chains/series.py",
    "chains/timeline.py",
    "chains/stocks.py",
    "chains/units.py",
    "chains/venues/locks.py",
    "chains/venues/order_book.py",
    "chains/venues/range_amm.py",
    "chains/venues/rfq.py",
    "chains/venues/stock.py",
    "chains/venues/venue.py",
    "intents/book.py",
    "intents/collateral.py",
    "intents/engine.py",
    "intents/itemised.py",
    "intents/quoting.py",
    "intents/savings.py",
    "intents/means.py",
    "intents/released.py",
    "intents/reservations.py",
    "intents/penalties.py",
    "intents/settlement.py",
    "intents/solver_accounts.py",
    "router/alone.py",
    "router/connection.py",
    "router/needs.py",
    "router/reach.py",
    "solvers/arbitration.py",
    "solvers/bid.py",
    "solvers/explanation.py",
    "solvers/obstacles.py",
    "solvers/outcome.py",
    "solvers/prices.py",
    "solvers/rewards.py",
    "solvers/verification.py",
)

NAMES_REFUSED = {"utils", "helpers", "common", "misc", "core", "manager"}


def sources() -> list[Path]:
    return [path for package in (*PACKAGES, "tests") for path in sorted((ROOT / package).rglob("*.py"))]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_file_is_longer_than_the_limit() -> None:
    too_long = {str(path): len(path.read_text().splitlines()) for path in sources()}
    assert not {path: lines for path, lines in too_long.items() if lines > FILE_LINES_MAX}


def test_no_function_is_longer_than_the_limit() -> None:
    too_long = {
        f"{path.relative_to(ROOT)}:{node.name}": node.end_lineno - node.lineno + 1
        for path in sources()
        for node in functions(path)
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    }
    assert not too_long


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not [path for path in sources() if path.stem in NAMES_REFUSED or path.parent.name in NAMES_REFUSED]


@pytest.mark.parametrize("module", EXACT_MODULES)
def test_exact_modules_hold_no_float(module: str) -> None:
    tree = ast.parse((ROOT / module).read_text())
    found = [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
        or (isinstance(node, ast.Name) and node.id == "float")
    ]
    assert not found, f"{module} uses floats on lines {found}"


def test_every_module_opens_with_its_rule() -> None:
    assert not [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if ast.get_docstring(ast.parse(path.read_text())) is None
    ]


def test_every_core_module_has_a_test_of_its_name() -> None:
    tests = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("*.py")))
    missing = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.stem not in {"__init__", "errors"}
        and f"{package}.{path.relative_to(ROOT / package).with_suffix('').as_posix().replace('/', '.')}"
        not in tests
    ]
    assert not missing, "no test imports these modules"


def test_the_verifier_shares_only_data_classes_with_the_engine() -> None:
    allowed = {
        "chains.errors", "chains.series", "chains.units", "chains.wire", "chains.snapshot",
        "solvers.auction", "solvers.bid", "solvers.codec", "solvers.outcome", "solvers.reasons",
        "solvers.errors", "intents.archive", "intents.errors",
    }  # fmt: skip
    for path in sorted((ROOT / "intents").glob("verify*.py")) + sorted(
        (ROOT / "intents/verifying").glob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in named:
                if module.split(".")[0] in PACKAGES and not module.startswith("intents.verif"):
                    assert module in allowed, f"{path.name} imports {module}"


def test_importing_the_packages_starts_nothing() -> None:
    code = "import chains, router, solvers, intents, threading; assert threading.active_count() == 1"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)
