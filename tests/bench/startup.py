"""Seconds to open a market whose journal has 100,000 entries, with checkpoints and without.

`checkpoint-at-end`: the newest checkpoint covers the last of 100,000 entries, as after an orderly stop.
`checkpoint-before`: 100,000 entries come after the newest checkpoint, which covers 20,000 others. The
baseline of both is the same journal without its checkpoints: every entry is folded from the first on. All
entries that are folded are verified. `open` is the time from the settings to a service that could take
requests, without starting the interpreter and loading modules; `state` is the size of the checkpoint,
and `write` how long it takes to make one of what is in memory.

The entries are what a market writes down that takes 1,000 a second: deposits, signed intents of three for
each trader, cancels, and every ten seconds a round on the reference world. All is drawn from one seed. With
--quick there are 4,000 entries instead of 100,000, and 1,000 before a checkpoint instead of 20,000.
"""

import asyncio
import gc
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog
from _harness import Result, note, run_bench, take_turns, time_call
from _history import History, write_events
from _market import START_US

from intents.checkpoint_files import list_checkpoints, write_checkpoint
from intents.fold import Fold
from intents.journal import open_journal
from intents.market import replay_journal
from intents.service import open_service
from intents.settings import Settings

ENTRIES: Final = 100_000
ENTRIES_QUICK: Final = 4_000
BEFORE: Final = {"checkpoint-at-end": None, "checkpoint-before": 20_000}
"""How many entries the newest checkpoint covers; None: all of them."""

BEFORE_QUICK: Final = 1_000
SEED: Final = 0
MEGABYTE: Final = 1_000_000


def measure(case: str, *, quick: bool) -> Iterator[Result]:
    """Opening one market, with its checkpoint and without."""
    entries, runs = (ENTRIES_QUICK, 1) if quick else (ENTRIES, 3)
    before = BEFORE[case] and (BEFORE_QUICK if quick else BEFORE[case])
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    with tempfile.TemporaryDirectory(prefix="solvent-bench-") as folder:
        history = History(SEED)
        settings = history.settings(database=f"sqlite:///{folder}/market.db", checkpoint_entries=0)
        note(f"  writing {entries + (before or 0):,} entries")
        write_seconds, state_bytes = prepare(settings, history, entries=entries, before=before)
        note(f"  {runs} runs")
        seconds = take_turns(
            {
                "with": lambda: time_open(settings, Path(folder), with_checkpoint=True),
                "without": lambda: time_open(settings, Path(folder), with_checkpoint=False),
            },
            runs=runs,
        )
    yield Result(case=case, metric="open", value=seconds["with"], unit="s", baseline=seconds["without"])
    yield Result(case=case, metric="write", value=write_seconds, unit="s")
    yield Result(case=case, metric="state", value=state_bytes / MEGABYTE, unit="MB")


def prepare(settings: Settings, history: History, *, entries: int, before: int | None) -> tuple[float, int]:
    """Write a journal and its one checkpoint; the seconds that took and its size in bytes."""
    with open_journal(settings.database, write=True) as journal:
        events = history.events(entries + (before or 0))
        write_events(journal, events, count=before or entries)
        seconds, size = leave_checkpoint(journal.path, replay_journal(journal, whole=True))
        write_events(journal, events, count=entries if before else 0)
    return seconds, size


def leave_checkpoint(journal: Path, fold: Fold) -> tuple[float, int]:
    """Write the checkpoint of a fold; seconds and bytes."""
    made, seconds = time_call(lambda: write_checkpoint(journal, fold))
    return seconds, made.stat().st_size


def time_open(settings: Settings, folder: Path, *, with_checkpoint: bool) -> float:
    """Seconds to open the market."""
    aside = folder / "aside"
    aside.mkdir(exist_ok=True)
    checkpoints = [path for _, path in list_checkpoints(folder / "market.db")]
    assert checkpoints, "there is a checkpoint"
    if not with_checkpoint:
        for path in checkpoints:
            shutil.move(path, aside)
    service, seconds = time_call(lambda: open_service(settings, simulated_start_us=START_US))
    asyncio.run(service.close())
    del service
    gc.collect()
    for path in aside.iterdir():
        shutil.move(path, folder)
    return seconds


if __name__ == "__main__":
    run_bench("startup", __doc__, dict.fromkeys(BEFORE, measure))
