"""The strategy that the README prints wins part of a round against `single` and `greedy`."""

import asyncio
import re
from pathlib import Path

from solvers.arbitration import arbitrate
from solvers.codec import encode
from solvers.competition import Competition, SolverSpec
from solvers.outcome import HOUSE, Submission
from solvers.reference import with_reference
from tests.rounds import draw_auction

README = Path(__file__).resolve().parent.parent.parent / "README.md"
WINDOW_S = 60.0


def test_the_strategy_of_the_readme_wins_part_of_a_round(tmp_path: Path) -> None:
    found = re.search(r"```python\n(\"\"\"mine\.py.*?)```", README.read_text(), flags=re.DOTALL)
    assert found is not None
    path = tmp_path / "mine.py"
    path.write_text(found[1])
    assert len(found[1].splitlines()) < 50
    auction, house = with_reference(draw_auction(seed=1, orders=70))

    async def compete() -> tuple[Submission, ...]:
        competition = Competition([SolverSpec.of(spec) for spec in ("single", "greedy", f"{path}:Mine")])
        assert not await competition.start()
        try:
            result = await competition.run(auction, window_s=WINDOW_S)
        finally:
            await competition.close()
        assert {report.reason for report in result.reports} == {"finished"}
        return result.submissions

    houses = tuple(Submission(solver=HOUSE, arrival_us=0, content=encode(bid).decode()) for bid in house)
    outcome = arbitrate(auction, (*houses, *asyncio.run(compete())), ())
    winners = {deal.solver for deal in outcome.deals}
    assert {"mine", "greedy"} <= winners
    assert outcome.choice.proved
