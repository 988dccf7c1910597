"""The demo keeps its promises: everything true, several chains and bridges, and worth the trouble."""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import pytest

FIELDS = {
    "rounds", "intents_posted", "intents_filled", "surplus", "baseline_surplus", "greedy_surplus",
    "chains_touched", "bridges_used", "intents_matched_with_intents", "deals_settled", "deals_aborted",
    "bids", "winners", "all_optimal", "replay_match", "verify_ok", "conserved", "archive", "seed", "commit",
}  # fmt: skip
SOAK_SEEDS = range(20)


def run_demo(folder: Path, seed: int) -> dict[str, Any]:
    out = folder / f"demo-{seed}.json"
    command = [sys.executable, "-m", "intents.command_line", "demo", "--seed", str(seed)]
    command += ["--folder", str(folder / str(seed)), "--json", str(out)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "COLUMNS": "140"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Fill 3:" in done.stdout
    results: dict[str, Any] = json.loads(out.read_text())
    return results


def check_promises(results: dict[str, Any]) -> None:
    assert set(results) == FIELDS
    assert results["replay_match"]
    assert results["verify_ok"]
    assert results["conserved"]
    assert results["all_optimal"]
    assert results["rounds"] == 5
    assert results["intents_posted"] >= 60
    assert results["chains_touched"] >= 3
    assert results["bridges_used"] >= 3
    assert results["intents_matched_with_intents"] >= 2
    assert results["deals_settled"] + results["deals_aborted"] == results["winners"]
    assert results["surplus"] >= results["greedy_surplus"]
    assert Path(results["archive"]).is_file()


def test_the_demo_keeps_its_promises(tmp_path: Path) -> None:
    check_promises(run_demo(tmp_path, 0))


@pytest.mark.soak
def test_twenty_demos_keep_their_promises_and_beat_the_best_single_venue(tmp_path: Path) -> None:
    runs = [run_demo(tmp_path, seed) for seed in SOAK_SEEDS]
    for results in runs:
        check_promises(results)
    ratios = [results["surplus"] / results["baseline_surplus"] for results in runs]
    print(
        f"surplus over single: median {median(ratios):.3f}, least {min(ratios):.3f}, most {max(ratios):.3f}"
    )
    assert median(ratios) >= 1.3
