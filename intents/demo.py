"""`solvent demo`: the whole market in a minute, in simulated time, over real HTTP.

A real server with its own database and solver processes runs on a free port; synthetic traders
deposit, sign with eth-account and post; rounds run; deals settle; the journal is exported, and the
archive is verified and replayed. What the market saved is measured against two re-solves of the same
auctions: `single`, the one best venue for each order, and `greedy`, both alone and without the house.
"""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console

from chains.commit import DealState
from chains.units import COIN, MICRO, USDC, ceil_div
from intents.archive import RecordedAuction, read_archive
from intents.demo_report import matched_intents, print_examples, print_rounds, print_totals, winning_bids
from intents.errors import DemoError, IntentsError
from intents.export import export_archive
from intents.order_flow import OrderFlow, Trader, make_traders, read_screen
from intents.replay import replay_all, resolve
from intents.rounds import RoundSummary
from intents.serving import LocalServer
from intents.settings import Settings
from intents.signing import sign_message
from intents.verify import verify_archive
from solvers.plugins import load_strategy
from solvers.problem import to_problem

START_US: Final = 1_767_571_200 * MICRO
"""Demo time begins on 2026-01-05 at 00:00 UTC."""

TRADERS: Final = 18
ORDERS_LEAST: Final = 60
ORDERS_PER_ROUND: Final = 24
DEPOSIT_USDC: Final = 5_000_000 * MICRO
DEPOSIT_COINS: Final = 200 * COIN
SETTLE_STEP_US: Final = 10 * MICRO
SETTLE_STEPS_MAX: Final = 60
RESOLVE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """What to run: `solvers` compete beside the built-in ones; the folder is a new one unless given."""

    rounds: int
    seed: int
    world: str = "reference"
    folder: Path | None = None
    solvers: tuple[str, ...] = ()


def run_demo(plan: DemoPlan, *, console: Console) -> dict[str, Any]:
    """Run the demo, print it, and return its results as one JSON object.

    Raises
    ------
    DemoError
        If the server refuses what it must accept, or deals do not end.
    """
    rounds, seed = plan.rounds, plan.seed
    folder = plan.folder or Path(tempfile.mkdtemp(prefix="solvent-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    database, archive = folder / "market.db", folder / "rounds.parquet"
    if database.exists():
        raise DemoError(f"{database} exists already: give --folder a new one")
    built_in = Settings().solvers
    settings = Settings(
        database=f"sqlite:///{database}",
        port=0,
        world=plan.world,
        seed=seed,
        solvers=(*built_in, *(spec for spec in plan.solvers if spec not in built_in)),
    )
    with LocalServer(settings, simulated_start_us=START_US) as server:
        console.print(f"Solvent runs at {server.url} with the solvers {', '.join(settings.solvers)}")
        posted, summaries = _run_rounds(server, rounds=rounds, seed=seed, console=console)
        _settle_all(server)
        filled = _count_filled(server, posted)
        faults = server.call(lambda service: service.market.engine.world.audit())
    export_archive(settings.database, archive)
    records = list(read_archive(archive))
    with console.status("verifying, replaying, and solving again with single and greedy alone"):
        results: dict[str, Any] = {
            "rounds": len(records),
            "intents_posted": len(posted),
            "intents_filled": filled,
            **_totals(records),
            "baseline_surplus": _surplus_of("single", records),
            "greedy_surplus": _surplus_of("greedy", records),
            "replay_match": all(each.is_match for each in replay_all(records)),
            "verify_ok": _is_verified(archive, console),
            "conserved": not faults,
            "archive": str(archive),
            "seed": seed,
            "commit": _commit(),
        }
    print_rounds(console, summaries)
    print_examples(console, records)
    print_totals(console, results)
    return results


def _run_rounds(
    server: LocalServer, *, rounds: int, seed: int, console: Console
) -> tuple[list[str], list[RoundSummary]]:
    """Post orders and run rounds; the ids of all intents, and a summary of each round."""
    posted: list[str] = []
    summaries = []
    with httpx.Client(base_url=server.url, timeout=30.0) as client:
        market = client.get("/v1/market").raise_for_status().json()
        chains = [chain["id"] for chain in market["chains"]]
        traders = make_traders(seed, count=TRADERS, chains=chains)
        _deposit_all(client, traders)
        flow = OrderFlow(seed=seed, traders=traders)
        count = max(ORDERS_PER_ROUND, ceil_div(ORDERS_LEAST, rounds))
        for number in range(1, rounds + 1):
            with console.status(f"round {number} of {rounds}: posting {count} orders, then solving"):
                snapshot = server.call(lambda service: service.market.engine.world.snapshot())
                screen = read_screen(snapshot, now_us=snapshot.as_of_us)
                drawn = flow.draw(screen, count=count, now_us=snapshot.as_of_us)
                posted.extend(_post(client, market["eip712"], trader, message) for trader, message in drawn)
                summary = server.run_round()
                summaries.append(summary)
                server.advance_to(summary.cut_us + market["rules"]["round_us"])
    return posted, summaries


def _deposit_all(client: httpx.Client, traders: Sequence[Trader]) -> None:
    for trader in traders:
        for asset, amount in ((USDC, DEPOSIT_USDC), ("BTC", DEPOSIT_COINS)):
            body = {"chain": trader.chain, "asset": asset, "amount": amount}
            _accepted(client.post(f"/v1/accounts/{trader.owner}/deposits", json=body))


def _post(client: httpx.Client, eip712: Mapping[str, Any], trader: Trader, message: dict[str, Any]) -> str:
    signed = sign_message("OptionIntent", message, eip712=eip712, key=trader.key)
    return str(_accepted(client.post("/v1/intents", json=signed))["id"])


def _accepted(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise DemoError(f"the market refused {answer.request.url.path}: {answer.text}")
    return dict(answer.json())


def _settle_all(server: LocalServer) -> None:
    """Let simulated time run until every deal has ended."""
    ended = {DealState.SETTLED, DealState.CLOSED}
    for _ in range(SETTLE_STEPS_MAX):
        states = server.call(
            lambda service: {record.state for record in service.market.engine.world.deals.values()}
        )
        if states <= ended:
            return
        now_us = server.call(lambda service: service.now_us())
        server.advance_to(now_us + SETTLE_STEP_US)
    raise DemoError(
        f"deals have not ended {SETTLE_STEPS_MAX * SETTLE_STEP_US // MICRO} s after the last round"
    )


def _count_filled(server: LocalServer, posted: Sequence[str]) -> int:
    """How many intents have at least one settled fill, asked of the API."""
    with httpx.Client(base_url=server.url, timeout=30.0) as client:
        answers = (_accepted(client.get(f"/v1/intents/{intent}")) for intent in posted)
        return sum(1 for answer in answers if answer["fills"])


def _totals(records: Sequence[RecordedAuction]) -> dict[str, Any]:
    outcomes = [record.decided for record in records]
    bids = [bid for record in records for bid in winning_bids(record).values()]
    states = [settled.state for record in records for settled in record.settlement]
    matched = {
        intent
        for record in records
        for deal in record.decided.deals
        for intent in matched_intents(to_problem(record.auction), deal)
    }
    return {
        "surplus": sum(outcome.choice.score for outcome in outcomes),
        "chains_touched": len({chain for each in outcomes for deal in each.deals for chain in deal.chains}),
        "bridges_used": len({transfer.bridge for bid in bids for transfer in bid.transfers}),
        "intents_matched_with_intents": len(matched),
        "deals_settled": states.count(DealState.SETTLED.value),
        "deals_aborted": states.count(DealState.CLOSED.value),
        "bids": sum(len(outcome.bids) for outcome in outcomes),
        "winners": sum(len(outcome.deals) for outcome in outcomes),
        "all_optimal": all(outcome.choice.proved for outcome in outcomes),
    }


def _surplus_of(solver: str, records: Sequence[RecordedAuction]) -> int:
    """What one strategy alone would have made of the recorded auctions, without the house."""
    strategy = load_strategy(solver)
    return sum(
        resolve(record.auction, {solver: strategy}, seconds_each=RESOLVE_S)[0].choice.score
        for record in records
    )


def _is_verified(archive: Path, console: Console) -> bool:
    try:
        verify_archive(archive)
    except IntentsError as error:
        console.print(f"[red]verification[/red]: {error}")
        return False
    return True


def _commit() -> str:
    """The commit of the checkout this runs from; empty where it is no checkout."""
    here = Path(__file__).resolve().parent
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, timeout=10, check=False
        )
    except OSError:
        return ""
    return found.stdout.strip()
