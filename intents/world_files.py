"""World files on disk: made from market data, and checked.

`import_world` reads two files of market data, cleans and fits them, spreads the market over the
reference network's venues and writes the world; the same bytes and seed always give the same file. What
was dropped and fitted is reported, and said in the world's own provenance. `check_world_file` reads any
world file and counts what is in it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from chains.calibration.building import build_world
from chains.importing import rows as market_rows
from chains.importing.importer import ImportReport, import_market
from chains.importing.rows import MarketRows, read_levels, read_marks
from chains.units import MICRO
from chains.world_file import FILE_BYTES_MAX, decode_world, encode_world
from chains.world_summary import WorldSummary, summarise_world


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """What to import: two files of market data, the world to write, and how."""

    levels: Path
    marks: Path
    out: Path
    name: str
    seed: int
    max_age_s: int


def import_world(plan: ImportPlan) -> tuple[ImportReport, WorldSummary]:
    """Write the world of a market; what was done, and what came out.

    Raises
    ------
    OSError
        If a file cannot be read or written.
    MarketDataError
        If market data cannot be read, with file, row, field and value, or hold no market.
    WorldFileError
        If the market makes no sound world: it is larger than a world file may be.
    """
    levels = _read(plan.levels, most=market_rows.FILE_BYTES_MAX)
    marks = _read(plan.marks, most=market_rows.FILE_BYTES_MAX)
    rows = MarketRows(
        levels=read_levels(levels, name=str(plan.levels)), marks=read_marks(marks, name=str(plan.marks))
    )
    market, report = import_market(rows, max_age_s=plan.max_age_s)
    spec = build_world(market, name=plan.name, provenance=_provenance(report, levels, marks), seed=plan.seed)
    content = encode_world(spec)
    summary = summarise_world(decode_world(content))
    plan.out.write_bytes(content)
    return report, summary


def check_world_file(file: Path) -> WorldSummary:
    """Check a world file and count what is in it.

    Raises
    ------
    OSError
        If it cannot be read.
    WorldFileError
        With the field and the value that break it.
    """
    return summarise_world(decode_world(_read(file, most=FILE_BYTES_MAX)))


def import_results(report: ImportReport, summary: WorldSummary) -> dict[str, Any]:
    """An import as one JSON object."""
    return {
        "rows": {"levels": report.level_rows, "marks": report.mark_rows},
        "levels": report.levels,
        "dropped": {
            reason.value: {"rows": count, "first": [first.file, first.row, first.instrument]}
            for reason, (count, first) in report.drops().items()
        },
        "forwards": {source.value: count for source, count in report.forwards.items()},
        "volatilities": {source.value: count for source, count in report.volatilities.items()},
        "world": asdict(summary),
    }


def print_import(console: Console, report: ImportReport) -> None:
    """What an import read, dropped and fitted, as a table."""
    table = Table("what", "count", "how", title=f"Market of {_moment(report.taken_us)}")
    table.add_row("rows read", f"{report.level_rows + report.mark_rows:,}", f"levels {report.level_rows:,}")
    for reason, (count, first) in report.drops().items():
        where = f"first: row {first.row} of the {first.file}, {first.instrument}"
        table.add_row(f"dropped: {reason.value}", f"{count:,}", f"{reason.meaning}; {where}")
    if not report.dropped:
        table.add_row("dropped", "0", "")
    for source, count in report.forwards.items():
        table.add_row(f"forwards: {source.value}", f"{count:,}", source.meaning)
    for kind, count in report.volatilities.items():
        table.add_row(f"volatilities: {kind.value}", f"{count:,}", kind.meaning)
    table.add_row("levels kept", f"{report.levels:,}", f"of {report.series:,} series")
    console.print(table)


def print_summary(console: Console, summary: WorldSummary) -> None:
    """What a world file amounts to, as a table."""
    table = Table("what", "count", "which", title=f"World {summary.name!r}, {_moment(summary.start_us)}")
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(summary.venues.items()))
    crossed = ", ".join(summary.crossed[:5]) + (", ..." if len(summary.crossed) > 5 else "")
    for what, count, which in (
        ("chains", summary.chains, ""),
        ("bridges", summary.bridges, ""),
        ("venues", sum(summary.venues.values()), kinds),
        ("series", summary.series, ""),
        ("expiries", summary.expiries, ""),
        ("offers at the start", summary.offers, f"{summary.two_sided} series on both sides"),
        ("crossed series", len(summary.crossed), crossed),
    ):
        table.add_row(what, f"{count:,}", which)
    console.print(table)


def _read(file: Path, *, most: int) -> bytes:
    """A file, or a little more of it than is allowed, which whoever decodes it refuses."""
    with file.open("rb") as stream:
        return stream.read(most + 1)


def _provenance(report: ImportReport, levels: bytes, marks: bytes) -> str:
    dropped = {reason.value: count for reason, (count, _) in report.drops().items()}
    forwards = {source.value: count for source, count in report.forwards.items()}
    volatilities = {source.value: count for source, count in report.volatilities.items()}
    return (
        f"Option market of {_moment(report.taken_us)}, imported from {report.level_rows} levels "
        f"(sha256 {sha256(levels).hexdigest()}) and {report.mark_rows} marks "
        f"(sha256 {sha256(marks).hexdigest()}). "
        f"Rows dropped: {_listed(dropped)}. Forwards: {_listed(forwards)}. "
        f"Volatilities: {_listed(volatilities)}."
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _moment(at_us: int) -> str:
    return datetime.fromtimestamp(at_us // MICRO, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
