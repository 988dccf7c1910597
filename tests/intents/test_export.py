"""From a journal to an archive: every decided round, and how its deals stand."""

from pathlib import Path

import pytest

from chains.units import MICRO
from intents.archive import read_archive
from intents.errors import JournalError
from intents.events import AuctionDecided, AuctionPublished
from intents.export import export_archive
from intents.journal import open_journal
from intents.market import replay_journal
from intents.verify import verify_archive
from solvers.codec import encode
from tests.market_run import ALICE, MarketRun, Recorded, make_intent, recorded_run, small_run, state_of
from tests.worlds import CALL


@pytest.fixture
def run() -> MarketRun:
    run = small_run()
    run.post(make_intent(ALICE, 1, {CALL: 1}, 8_000_000, units=2))
    return run


def states(run: MarketRun, folder: Path) -> list[tuple[str, list[str]]]:
    _, records = run.export(folder)
    return [(each.state, [leg.state for leg in each.legs]) for row in records for each in row.settlement]


def test_the_archive_holds_what_the_journal_holds(tmp_path: Path) -> None:
    recorded: Recorded = recorded_run(tmp_path, rounds=2, orders=8)
    events = recorded.run.events
    published = [event for event in events if isinstance(event, AuctionPublished)]
    decided = [event for event in events if isinstance(event, AuctionDecided)]
    for record, opening, closing in zip(recorded.records, published, decided, strict=True):
        assert record.file == encode(opening.auction)
        assert record.not_selected == opening.not_selected
        assert record.outcome == encode(closing.outcome)
        assert record.submissions == closing.submissions
        assert [each.deal for each in record.settlement] == [deal.deal for deal in closing.outcome.deals]
    for record in recorded.records:
        for settled in record.settlement:
            deal = recorded.run.engine.world.deals[settled.deal]
            assert (settled.state, settled.at_us) == (deal.state.value, deal.ended_us)
            for leg in settled.legs:
                planned = deal.hub.plan.leg(leg.chain).transfers
                assert [(t.debit, t.credit, t.asset, t.amount) for t in planned] == [
                    (t.debit, t.credit, t.asset, t.amount) for t in leg.transfers
                ]


def test_the_journal_alone_gives_the_same_engine(tmp_path: Path) -> None:
    recorded = recorded_run(tmp_path, rounds=2, orders=8)
    with open_journal(f"sqlite:///{tmp_path / 'market.db'}", write=False) as journal:
        fold = replay_journal(journal)
    assert state_of(fold.engine) == state_of(recorded.run.engine)


def test_a_market_without_rounds_exports_an_empty_archive(tmp_path: Path) -> None:
    archive, records = small_run().export(tmp_path)
    assert records == []
    assert verify_archive(archive).auctions == 0


def test_a_round_that_was_never_decided_leaves_no_record(run: MarketRun, tmp_path: Path) -> None:
    run.cut()
    run.advance(10 * MICRO)
    run.round()
    run.cut()
    _, records = run.export(tmp_path)
    assert [record.auction.auction for record in records] == ["auction-000002"]


def test_a_deal_is_recorded_as_it_stands_at_the_end(run: MarketRun, tmp_path: Path) -> None:
    run.round()
    for folder in ("early", "late"):
        (tmp_path / folder).mkdir()
    assert states(run, tmp_path / "early") == [("preparing", ["none"])]
    run.settle_all()
    assert states(run, tmp_path / "late") == [("settled", ["released"])]


def test_an_aborted_deal_is_recorded_as_closed(run: MarketRun, tmp_path: Path) -> None:
    auction, house = run.cut()
    run.decide(auction, run.compete(auction, house), late_us=60 * MICRO)
    run.settle_all()
    assert states(run, tmp_path) == [("closed", ["refused"])]
    assert verify_archive(tmp_path / "rounds.parquet").deals == 1


def test_a_journal_that_is_not_there_is_an_error_and_leaves_no_archive(tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        export_archive(f"sqlite:///{tmp_path / 'no.db'}", tmp_path / "rounds.parquet")
    assert not list(tmp_path.iterdir())


def test_the_archive_is_read_while_the_market_goes_on(run: MarketRun, tmp_path: Path) -> None:
    run.round()
    url, archive = f"sqlite:///{tmp_path / 'market.db'}", tmp_path / "rounds.parquet"
    with open_journal(url, write=True) as journal:
        journal.append(run.events)
        assert export_archive(url, archive) == 1
        run.advance(30 * MICRO)
        journal.append(run.events[-1:])
        assert export_archive(url, archive) == 1
    assert [each.state for record in read_archive(archive) for each in record.settlement] == ["settled"]
