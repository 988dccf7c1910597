"""The command `solvent`: a thin shell over the modules that do the work.

Everywhere, results go to standard output and progress to standard error; `--json` prints one JSON
object and nothing else. What goes wrong is one clear line on standard error and exit status 1.
Each command imports what it needs itself, so that `--help` and the small commands answer at once.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress

from chains.errors import ChainsError
from chains.importing import MAX_AGE_S
from intents.errors import IntentsError, VerificationError
from intents.settings import SETTINGS, load_settings
from router.errors import RouterError
from solvers.errors import SolversError

if TYPE_CHECKING:
    import httpx

FILE_BYTES_MAX: Final = 1024 * 1024
"""The largest file of a message to sign or to post."""

app = typer.Typer(
    name="solvent",
    help="An intent-based solver marketplace for crypto options.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
world_app = typer.Typer(
    help="World files: check one.", no_args_is_help=True, epilog="Example: solvent world check world.json"
)
app.add_typer(world_app, name="world")
progress_to = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_DEFAULTS: Final = {setting.name: setting for setting in SETTINGS}


def main() -> NoReturn:
    """Run the command line; every expected error is one line and exit status 1."""
    try:
        app()
    except (ChainsError, RouterError, SolversError, IntentsError, OSError) as error:
        print(f"solvent: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    sys.exit(0)


def _say(text: str) -> None:
    typer.echo(text)


def _flag(name: str) -> Any:
    """The option of a setting, with its documentation from the one place that holds it."""
    setting = _DEFAULTS[name]
    return typer.Option(setting.flag, help=f"{setting.doc} [env {setting.variable}; {setting.default}]")


@app.command(epilog="Example: solvent demo --rounds 5 --seed 1 --json demo.json")
def demo(
    rounds: Annotated[int, typer.Option(min=1, max=1_000, help="How many rounds to run.")] = 5,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Seed of the world and of the orders.")] = 0,
    world: Annotated[str, typer.Option(help="`reference`, or the path of a world file.")] = "reference",
    solver: Annotated[
        list[str] | None, typer.Option(help="A further solver, an entry-point name or path.py:Class.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the results here.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the database and the archive go; a new one by default.")
    ] = None,
) -> None:
    """Run the market end to end: orders over HTTP, solvers, settlement, archive, replay."""
    from intents.demo import DemoPlan, run_demo
    from intents.log import configure_log

    configure_log(least="warning")
    plan = DemoPlan(rounds=rounds, seed=seed, world=world, folder=folder, solvers=tuple(solver or ()))
    results = run_demo(plan, console=Console())
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=2) + "\n")
    if not (results["replay_match"] and results["verify_ok"] and results["conserved"]):
        raise VerificationError("the demo's record does not hold: see above")


@app.command(
    epilog="Example: solvent serve --database sqlite:///market.db --solver joint --solver mine.py:Mine"
)
def serve(  # noqa: PLR0913, PLR0917 - one option for each setting
    database: Annotated[str | None, _flag("database")] = None,
    world: Annotated[str | None, _flag("world")] = None,
    solver: Annotated[list[str] | None, _flag("solvers")] = None,
    host: Annotated[str | None, _flag("host")] = None,
    port: Annotated[int | None, _flag("port")] = None,
    seed: Annotated[int | None, _flag("seed")] = None,
    chain_id: Annotated[int | None, _flag("chain_id")] = None,
    verifying_contract: Annotated[str | None, _flag("verifying_contract")] = None,
    round_us: Annotated[int | None, _flag("round_us")] = None,
    solve_us: Annotated[int | None, _flag("solve_us")] = None,
    faucet_max: Annotated[int | None, _flag("faucet_max")] = None,
    bond: Annotated[int | None, _flag("bond")] = None,
    abort_fee: Annotated[int | None, _flag("abort_fee")] = None,
    checkpoint_entries: Annotated[int | None, _flag("checkpoint_entries")] = None,
    rules: Annotated[str | None, _flag("rules")] = None,
) -> None:
    """Run the live service until it is interrupted."""
    from intents.log import configure_log
    from intents.serving import serve_market

    configure_log()
    flags = {
        "database": database,
        "world": world,
        "solvers": tuple(solver) if solver else None,
        "host": host,
        "port": port,
        "seed": seed,
        "chain_id": chain_id,
        "verifying_contract": verifying_contract,
        "round_us": round_us,
        "solve_us": solve_us,
        "faucet_max": faucet_max,
        "bond": bond,
        "abort_fee": abort_fee,
        "checkpoint_entries": checkpoint_entries,
        "rules": rules,
    }
    settings = load_settings(flags, os.environ)
    serve_market(settings, announce=lambda url: _say(f"Solvent serves {settings.database} at {url}"))


@app.command(epilog="Example: solvent export --database sqlite:///market.db --out rounds.parquet")
def export(
    out: Annotated[Path, typer.Option(help="The archive to write.")],
    database: Annotated[str | None, _flag("database")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the decided rounds of a journal to an archive."""
    from intents.export import export_archive

    url = load_settings({"database": database}, os.environ).database
    with progress_to.status(f"exporting {url}"):
        count = export_archive(url, out)
    _say(json.dumps({"archive": str(out), "auctions": count}) if as_json else f"{count} auctions in {out}")


@app.command(epilog="Example: solvent replay rounds.parquet --jobs 2")
def replay(
    archive: Annotated[Path, typer.Argument(help="An archive.")],
    mode: Annotated[Literal["recorded"], typer.Option(help="How to replay.")] = "recorded",
    jobs: Annotated[int, typer.Option(min=1, max=256, help="How many processes.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Put recorded bids through today's rules: the outcome must come out byte for byte."""
    from intents.archive import count_archive, read_archive
    from intents.replay import replay_all

    rows = []
    with Progress(console=progress_to, transient=True) as progress:
        task = progress.add_task("replaying", total=count_archive(archive))
        for each in replay_all(read_archive(archive), jobs=jobs):
            rows.append(each)
            progress.advance(task)
    matched = sum(each.is_match for each in rows)
    if as_json:
        auctions = [{**asdict(each), "match": each.is_match} for each in rows]
        _say(json.dumps({"mode": mode, "auctions": auctions, "match": matched == len(rows)}))
    else:
        for each in rows:
            for difference in each.differences:
                _say(f"{each.auction}: {difference}")
        _say(f"{matched} of {len(rows)} auctions match")
    if matched != len(rows):
        raise typer.Exit(1)


@app.command(epilog="Example: solvent verify rounds.parquet")
def verify(archive: Annotated[Path, typer.Argument(help="An archive.")], as_json: AsJson = False) -> None:
    """Check an archive from the file alone, by code that the engine does not use."""
    from intents.archive import count_archive
    from intents.verify import verify_archive

    with Progress(console=progress_to, transient=True) as progress:
        task = progress.add_task("verifying", total=count_archive(archive))
        found = verify_archive(archive, progress=lambda _: progress.advance(task))
    _say(
        json.dumps({"ok": True, **asdict(found)})
        if as_json
        else f"nothing is broken: {found.auctions} auctions, {found.bids} bids, {found.deals} deals, "
        f"{found.transfers} transfers"
    )


@app.command("import", epilog="Example: solvent import levels.csv marks.csv --out world.json --seed 1")
def import_data(  # noqa: PLR0913, PLR0917 - one option for each choice
    levels: Annotated[
        Path, typer.Argument(help="CSV of levels: instrument,timestamp_ms,side,price_coin,...")
    ],
    marks: Annotated[Path, typer.Argument(help="CSV of marks: instrument,timestamp_ms,mark_iv_pct,...")],
    out: Annotated[Path, typer.Option(help="The world file to write.")],
    name: Annotated[str, typer.Option(help="The world's name.")] = "imported",
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Decides which venue has what.")] = 0,
    max_age: Annotated[
        int, typer.Option(min=0, max=86_400, help="Seconds that a row may be older than the newest one.")
    ] = MAX_AGE_S,
    as_json: AsJson = False,
) -> None:
    """Make a world file of option market data, and report what was dropped and fitted."""
    from intents.world_files import ImportPlan, import_results, import_world, print_import, print_summary

    plan = ImportPlan(levels=levels, marks=marks, out=out, name=name, seed=seed, max_age_s=max_age)
    with progress_to.status(f"importing {levels} and {marks}"):
        report, summary = import_world(plan)
    print_import(progress_to, report)
    if as_json:
        _say(json.dumps(import_results(report, summary)))
    else:
        print_summary(progress_to, summary)
        _say(str(out))


@world_app.command(epilog="Example: solvent world check world.json")
def check(file: Annotated[Path, typer.Argument(help="A world file.")], as_json: AsJson = False) -> None:
    """Check a world file and count what is in it; the first error is one line and exit status 1."""
    from intents.world_files import check_world_file, print_summary

    summary = check_world_file(file)
    if as_json:
        _say(json.dumps({"ok": True, **asdict(summary)}))
    else:
        print_summary(Console(), summary)


@app.command(epilog="Example: solvent sign order.json --key-file key.hex > signed.json")
def sign(
    file: Annotated[Path, typer.Argument(help="JSON {kind, intent} to sign.")],
    key_file: Annotated[Path, typer.Option(help="A file with a private key in hex.")],
    url: Annotated[str | None, typer.Option(help="Take the domain from this server's /v1/market.")] = None,
    chain_id: Annotated[int | None, _flag("chain_id")] = None,
    verifying_contract: Annotated[str | None, _flag("verifying_contract")] = None,
) -> None:
    """Sign an intent or a cancel, as any wallet would, and print what to post."""
    from intents.signing import read_key, sign_message

    message = _read_json(file)
    if not isinstance(message.get("kind"), str) or not isinstance(message.get("intent"), dict):
        raise IntentsError(f"{file}: needs an object with `kind` and `intent`")
    eip712 = _served_types(url) if url else _own_types(chain_id, verifying_contract)
    _say(json.dumps(sign_message(message["kind"], message["intent"], eip712=eip712, key=read_key(key_file))))


@app.command(epilog="Example: solvent post signed.json --url http://127.0.0.1:8000")
def post(
    file: Annotated[Path, typer.Argument(help="A signed message, as `solvent sign` prints it.")],
    url: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8000",
) -> None:
    """Post a signed intent or cancel and print the answer."""
    signed = _read_json(file)
    page = "cancellations" if str(signed.get("kind", "")).startswith("Cancel") else "intents"
    answer = _request("POST", f"{url.rstrip('/')}/v1/{page}", json=signed)
    _say(answer.text)
    if answer.is_error:
        raise typer.Exit(1)


def _served_types(url: str) -> dict[str, Any]:
    """The EIP-712 domain and types of a running market."""
    answer = _request("GET", f"{url.rstrip('/')}/v1/market")
    if answer.is_error:
        raise IntentsError(f"{url}: answers {answer.status_code} to /v1/market")
    try:
        return dict(answer.json()["eip712"])
    except (ValueError, LookupError, TypeError) as error:
        raise IntentsError(f"{url}: /v1/market is not that of a market: {error!r}") from error


def _own_types(chain_id: int | None, verifying_contract: str | None) -> dict[str, Any]:
    """The EIP-712 domain of the settings, and the types."""
    from intents.typed_data import Domain, eip712_domain, eip712_types

    flags = {"chain_id": chain_id, "verifying_contract": verifying_contract}
    settings = load_settings(flags, os.environ)
    domain = Domain(chain_id=settings.chain_id, verifying_contract=settings.verifying_contract.lower())
    return {"domain": eip712_domain(domain), "types": eip712_types()}


def _request(method: str, url: str, **content: Any) -> "httpx.Response":
    """One HTTP request; a server that cannot be reached is an error of one line."""
    import httpx

    try:
        return httpx.request(method, url, timeout=30.0, **content)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise IntentsError(f"{url}: {error}") from error


def _read_json(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        content = stream.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise IntentsError(f"{file}: is larger than {FILE_BYTES_MAX} bytes")
    try:
        message = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise IntentsError(f"{file}: is not JSON: {error}") from None
    if not isinstance(message, dict):
        raise IntentsError(f"{file}: holds no JSON object")
    return message


if __name__ == "__main__":
    main()
