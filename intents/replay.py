"""Replay: recorded auctions through today's rules, offline.

`replay_recorded` puts the recorded submissions of an auction through reference, verification, prices
and winner choice again; reference and outcome must come out byte for byte as recorded. The versions
named in the record are carried over, since they are facts about then, not about now. Where the
recorded choice or a reward was not proved within its budget the same search is made again: it is
deterministic, so it stops at the same answer. Only another version of OR-Tools may stop at another one;
the recorded winners are then verified (feasibility, prices, gap) instead of compared.

`resolve` runs strategies on a recorded auction as if they had been the only ones in it.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from typing import Any

import msgspec

from intents.archive import RecordedAuction
from intents.errors import VerificationError
from intents.verify import verify_auction
from solvers.arbitration import arbitrate, installed_versions
from solvers.auction import Auction
from solvers.codec import encode
from solvers.outcome import HOUSE, Outcome, Submission
from solvers.reference import with_reference
from solvers.strategy import SolveContext, StockQuotes, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedAuction:
    """What a replay of one auction gave; `differences` is empty where everything matched."""

    auction: str
    score: int
    proved: bool
    differences: tuple[str, ...]

    @property
    def is_match(self) -> bool:
        """Whether the replay gave the recorded bytes."""
        return not self.differences


def replay_recorded(record: RecordedAuction) -> ReplayedAuction:
    """Put one recorded auction through today's rules and compare byte for byte.

    Raises
    ------
    FormatError, ProblemError
        If the auction file or the outcome cannot be read, or the auction contradicts itself.
    """
    auction, recorded = record.auction, record.decided
    differences = []
    referenced, house_bids = with_reference(auction)
    if encode(referenced) != record.file:
        differences.append("reference: the published reference prices come out differently")
    house = [submission.content for submission in record.submissions if submission.solver == HOUSE]
    if [encode(bid).decode() for bid in house_bids] != house:
        differences.append("house bids: the market's own bids come out differently")
    outcome = arbitrate(auction, record.submissions, recorded.solvers, versions=recorded.versions)
    if encode(outcome) != record.outcome and not _is_another_search(record, recorded):
        differences.extend(_compare(recorded, outcome))
    return ReplayedAuction(
        auction=auction.auction,
        score=outcome.choice.score,
        proved=outcome.choice.proved,
        differences=tuple(differences),
    )


def _is_another_search(record: RecordedAuction, recorded: Outcome) -> bool:
    """Whether another OR-Tools chose or rewarded within its budget, and what it found holds."""
    proved = recorded.choice.proved and all(row.proved for row in recorded.rewards)
    if proved or recorded.versions.get("ortools") == installed_versions()["ortools"]:
        return False
    try:
        verify_auction(record)
    except VerificationError:
        return False
    return True


def _compare(recorded: Outcome, replayed: Outcome) -> Iterator[str]:
    """Name the first place in each part of the outcome that differs."""
    before, now = msgspec.to_builtins(recorded), msgspec.to_builtins(replayed)
    for field in sorted(before):
        yield from islice(_differences(before[field], now[field], f"outcome.{field}"), 1)
    if before == now:
        yield "outcome: the recorded bytes are not canonical"


def _differences(before: Any, now: Any, where: str) -> Iterator[str]:
    if before == now:
        return
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() == now.keys():
        for key in sorted(before):
            yield from _differences(before[key], now[key], f"{where}.{key}")
    elif isinstance(before, tuple) and isinstance(now, tuple) and len(before) == len(now):
        for place, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _differences(old, new, f"{where}[{place}]")
    else:
        yield f"{where}: recorded {_short(before)}, replayed {_short(now)}"


def _short(value: object) -> str:
    text = encode(value).decode()
    return text if len(text) <= 120 else f"{text[:117]}..."


def replay_all(records: Iterable[RecordedAuction], *, jobs: int = 1) -> Iterator[ReplayedAuction]:
    """Replay auctions in order, in `jobs` processes where that is more than one."""
    if jobs <= 1:
        yield from map(replay_recorded, records)
        return
    with ProcessPoolExecutor(max_workers=jobs, mp_context=get_context("spawn")) as pool:
        rest = iter(records)
        while chunk := list(islice(rest, 4 * jobs)):
            yield from pool.map(replay_recorded, chunk)


def resolve(
    auction: Auction, strategies: Mapping[str, Strategy], *, seconds_each: float
) -> tuple[Outcome, tuple[Submission, ...]]:
    """The outcome if these strategies (by solver name) had been alone in an auction.

    The house bids and the reference are left out: what remains is what the strategies can do by
    themselves, not how they compare with the market's own answer. Each may take `seconds_each`.
    """
    bare = msgspec.structs.replace(auction, reference=())
    submissions = []
    for name, strategy in strategies.items():
        context = SolveContext(solver=name, deadline_s=time.monotonic() + seconds_each, seed=0)
        for answer in strategy.solve(bare, context):
            if not isinstance(answer, StockQuotes):
                content = encode(answer).decode()
                submissions.append(Submission(solver=name, arrival_us=0, content=content))
    return arbitrate(bare, submissions, ()), tuple(submissions)
