"""Rounds among real processes, in as few words as a readable test needs.

Windows are generous where the round ends early anyway, and short only where somebody overstays.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from solvers.bid import Bid
from solvers.codec import decode
from solvers.competition import Competition, RoundResult, SolverSpec
from solvers.limits import Limits
from tests.builders import make_auction

STRATEGIES = Path(__file__).parent / "misbehaving"
AUCTION = make_auction()
WINDOW_S = 20.0
SHORT_S = 1.0
STUCK_S = 60.0
"""A round that takes this long was extended by a solver: far above every window here."""


def solver(name: str, spec: str) -> SolverSpec:
    return SolverSpec(name=name, spec=f"{STRATEGIES}/{spec}")


HONEST = solver("honest", "honest.py:Honest")


@asynccontextmanager
async def competing(*specs: SolverSpec, limits: Limits | None = None) -> AsyncIterator[Competition]:
    competition = Competition(specs, limits=limits)
    try:
        assert await competition.start() == ()
        yield competition
    finally:
        await competition.close()


def play(
    *specs: SolverSpec,
    script: Callable[[Competition], Awaitable[None]],
    limits: Limits | None = None,
    stuck_s: float = STUCK_S,
) -> None:
    async def main() -> None:
        async with asyncio.timeout(stuck_s), competing(*specs, limits=limits) as competition:
            await script(competition)

    asyncio.run(main())


def reasons(result: RoundResult) -> dict[str, str]:
    return {report.solver: report.reason for report in result.reports}


def detail(result: RoundResult, name: str) -> str:
    (found,) = (report.detail for report in result.reports if report.solver == name)
    return found


def contents(result: RoundResult, name: str) -> list[str]:
    return [submission.content for submission in result.submissions if submission.solver == name]


def bid_names(result: RoundResult, name: str) -> list[str]:
    return [decode(content, Bid).bid for content in contents(result, name)]
