"""What every benchmark shares: its options, fair timing, and the form of its answer.

A benchmark compares with a baseline of the same run. Machines are noisy, so contestants take turns
(A B A B, after one turn each that does not count) and their medians are compared; rubbish is collected
before every turn, so that nobody pays for another's. `ratio` is value over baseline, whatever the unit:
above one is better for rates and worse for times.

`python tests/bench/NAME.py` prints a table; with `--json` one object on standard output. Notes on sizes
and progress go to standard error. Files that begin with an underscore are not benchmarks.
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, NoReturn, Protocol, TypeVar

COLUMNS: Final = ("case", "metric", "value", "unit", "baseline", "ratio")
"""The columns of the table, and the keys of a result in JSON."""

Answer = TypeVar("Answer")

Sample = Callable[[], float]
"""One turn of a contestant: prepares what it must, and returns its seconds or its rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One figure; `baseline` is the same metric of the baseline, in the same unit and run."""

    case: str
    metric: str
    value: float
    unit: str
    baseline: float | None = None

    @property
    def ratio(self) -> float | None:
        """Value over baseline; None where there is no baseline, or it is zero."""
        return self.value / self.baseline if self.baseline else None

    def row(self) -> dict[str, str | float | None]:
        """The result as JSON."""
        return {column: getattr(self, column) for column in COLUMNS}


class Measure(Protocol):
    """Measures one case; with `quick` in a few seconds."""

    def __call__(self, case: str, *, quick: bool) -> Iterable[Result]: ...


def time_call(work: Callable[[], Answer]) -> tuple[Answer, float]:
    """What one call returns, and the seconds it takes."""
    gc.collect()
    began = time.perf_counter()
    answer = work()
    return answer, time.perf_counter() - began


def sample_rate(count: int, work: Callable[[], object]) -> Sample:
    """A turn that does `count` things in one call, and returns how many per second."""
    return lambda: count / time_call(work)[1]


def take_turns(contestants: Mapping[str, Sample], *, runs: int) -> dict[str, float]:
    """The median of each contestant over so many turns, taken in turn; the first turns do not count."""
    turns = [{name: sample() for name, sample in contestants.items()} for _ in range(runs + 1)]
    return {name: median(turn[name] for turn in turns[1:]) for name in contestants}


def note(text: str) -> None:
    """Tell a person what is going on, on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def run_bench(
    bench: str, about: str | None, cases: Mapping[str, Measure], *, arguments: Sequence[str] | None = None
) -> None:
    """Run a benchmark from the command line, or with these arguments.

    `about` says what is measured, in which sizes and against what; it is shown by `--help`.

    Raises
    ------
    SystemExit
        With status 2 and one line on standard error where an argument makes no sense.
    """
    parser = _make_parser(bench, about, cases)
    options = parser.parse_args(arguments)
    chosen = list(cases) if options.cases is None else _choose_cases(parser, cases, options.cases)
    results = []
    for case in chosen:
        note(f"{bench} {case} ...")
        results.extend(cases[case](case, quick=options.quick))
    if options.json:
        answer = {"bench": bench, "results": [result.row() for result in results]}
        sys.stdout.write(json.dumps(answer, allow_nan=False) + "\n")
    else:
        sys.stdout.write("\n".join(_format_table(results)) + "\n")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def _make_parser(bench: str, about: str | None, cases: Mapping[str, Measure]) -> _Parser:
    path = f"tests/bench/{bench}.py"
    example = f"python {path} --quick --cases {next(iter(cases))} --json"
    parser = _Parser(
        prog=path,
        description=about,
        epilog=f"Cases: {', '.join(cases)}\n\nExample: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--quick", action="store_true", help="fewer runs and smaller sizes: under 30 seconds")
    parser.add_argument("--cases", metavar="A,B", help="measure these cases only")
    return parser


def _choose_cases(parser: _Parser, cases: Mapping[str, Measure], text: str) -> list[str]:
    chosen = list(dict.fromkeys(case.strip() for case in text.split(",")))
    for case in chosen:
        if case not in cases:
            parser.error(f"unknown case {case!r}: the cases are {', '.join(cases)}")
    return chosen


def _format_table(results: Iterable[Result]) -> Iterator[str]:
    lines = [COLUMNS, *(tuple(_format_cell(cell) for cell in result.row().values()) for result in results)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    is_text = [column in ("case", "metric", "unit") for column in COLUMNS]
    for line in lines:
        cells = zip(line, widths, is_text, strict=True)
        yield "  ".join(f"{cell:{'<' if text else '>'}{width}}" for cell, width, text in cells).rstrip()


def _format_cell(cell: str | float | None) -> str:
    """Three significant digits, and never fewer than all before the point."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
