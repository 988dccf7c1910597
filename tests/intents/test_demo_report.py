"""What the demo says about a deal is what its transfers and fills say."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from intents.archive import RecordedAuction
from intents.demo import DemoPlan, _totals, run_demo
from intents.demo_report import deal_costs, find_examples, matched_intents, print_examples, usd
from intents.errors import DemoError
from solvers.problem import to_problem
from tests.market_run import recorded_run


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedAuction]:
    return recorded_run(tmp_path_factory.mktemp("report"), rounds=2).records


def test_the_costs_of_a_deal_sum_to_what_its_owners_pay(records: list[RecordedAuction]) -> None:
    examples = [example for record in records for example in find_examples(record)]
    assert examples
    for example in examples:
        assert sum(deal_costs(example).values()) == sum(fill.payment for fill in example.deal.fills)


def test_matched_intents_are_on_opposite_sides_of_a_series(records: list[RecordedAuction]) -> None:
    for record in records:
        problem = to_problem(record.auction)
        for deal in record.decided.deals:
            matched = matched_intents(problem, deal)
            legs = [(fill.intent, leg) for fill in deal.fills for leg in problem.demands[fill.intent].legs]
            naive = {
                one
                for one, (series, ratio) in legs
                for other, (same, against) in legs
                if one != other and series == same and ratio * against < 0
            }
            assert matched == naive


def test_three_different_deals_are_shown_with_every_leg(records: list[RecordedAuction]) -> None:
    out = io.StringIO()
    print_examples(Console(file=out, width=200), records)
    text = out.getvalue()
    assert text.count("better than asked for") == 3
    assert "[buy" in text or "[sell" in text
    assert text.count("costs of the whole deal") == 3


def test_totals_count_what_the_record_holds(records: list[RecordedAuction]) -> None:
    totals = _totals(records)
    assert totals["surplus"] == sum(record.decided.choice.score for record in records)
    assert totals["deals_settled"] + totals["deals_aborted"] == totals["winners"]


def test_money_reads_as_money() -> None:
    assert [usd(amount) for amount in (0, 1_234_567_890, -5_000)] == ["$0.00", "$1,234.57", "-$0.01"]


def test_folders_of_earlier_demos_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "market.db").touch()
    with pytest.raises(DemoError, match="exists already"):
        run_demo(DemoPlan(rounds=1, seed=0, folder=tmp_path), console=Console(file=io.StringIO()))
