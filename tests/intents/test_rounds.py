"""Rounds: three events each, void when not decided, in simulated and in wall-clock time."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chains.commit import DealState
from chains.units import MICRO
from intents.clock import WallClock
from intents.errors import UnavailableError
from intents.events import (
    Advanced,
    AuctionCut,
    AuctionDecided,
    AuctionPublished,
    Deposited,
    Genesis,
    IntentPosted,
)
from intents.lifecycle import Status
from intents.records import AuctionStatus
from intents.refusals import Refused
from intents.rounds import TICK_S, Rounds
from intents.service import Service, open_service
from solvers.auction import Auction
from solvers.codec import encode
from solvers.competition import RoundResult
from solvers.outcome import HOUSE
from solvers.reasons import BidReason, OrderReason, SolverReason
from tests.services import (
    ALICE,
    BrokenDisk,
    events_of,
    give_funds,
    make_settings,
    post_signed,
    reopened,
    run_service,
    sign,
    signed_body,
)
from tests.worlds import PUT, START_US


def test_a_round_is_three_events_and_its_deals_settle_as_time_moves(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        id_ = await post_signed(service, 1)
        summary = await service.run_round()
        assert (summary.orders, summary.bids, summary.deals, summary.proved) == (1, 1, 1, True)
        assert (summary.cut_us, summary.decided_us) == (START_US, START_US + 1_000_000)
        assert summary.score == summary.bound > 0
        book = service.market.engine.book
        assert book.get(id_).status is Status.SETTLING
        service.advance_to(summary.decided_us + 60 * MICRO)
        assert book.get(id_).status is Status.FILLED
        assert {record.state for record in service.market.engine.world.deals.values()} == {DealState.SETTLED}
        assert service.market.engine.world.audit() == []
        (lived,) = service.market.records.rounds_of(id_)
        assert (lived.auction, lived.reason, lived.units) == (
            summary.auction,
            OrderReason.FILLED.value,
            2,
        )

    run_service(tmp_path, story)
    kinds = [type(event) for event in events_of(tmp_path)]
    assert kinds == [
        Genesis,
        Deposited,
        Deposited,
        IntentPosted,
        AuctionCut,
        AuctionPublished,
        AuctionDecided,
        Advanced,
    ]
    decided = events_of(tmp_path)[-2]
    assert isinstance(decided, AuctionDecided)
    assert [submission.solver for submission in decided.submissions] == [HOUSE]


def test_a_round_without_orders_is_decided_too(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        for number in (1, 2):
            summary = await service.run_round()
            assert summary.auction == f"auction-{number:06d}"
            assert (summary.orders, summary.deals, summary.score) == (0, 0, 0)

    run_service(tmp_path, story)


def test_intake_goes_on_and_cancels_are_kept_back_while_a_round_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        id_ = await post_signed(service, 1)
        during: list[object] = []

        async def compete(auction: Auction, **_: Any) -> RoundResult:
            cancel = {"owner": ALICE, "intents": [id_]}
            answer = await service.post_cancel(encode(sign(service, cancel, kind="CancelIntents")))
            assert not isinstance(answer, Refused)
            during.extend(entry.status for entry in answer.intents)
            during.append(await post_signed(service, 2, legs=[{"series": PUT, "ratio": 1}]))
            return RoundResult(submissions=(), reports=())

        monkeypatch.setattr(service._rounds._competition, "run", compete)
        summary = await service.run_round()
        assert summary.orders == 1
        assert during[0] is Status.CANCELLING
        service.advance_to(summary.decided_us + 60 * MICRO)
        assert service.market.engine.book.get(id_).status is Status.FILLED
        assert (await service.run_round()).orders == 1

    run_service(tmp_path, story)


@pytest.mark.parametrize("stop_at", ["with_reference", "arbitrate"])
def test_a_round_that_was_cut_and_never_decided_pledges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: str
) -> None:
    async def killed(service: Service) -> None:
        await give_funds(service)
        await post_signed(service, 1)

        def stop(*_: object) -> object:
            raise KeyError("killed here")

        monkeypatch.setattr(f"intents.rounds.{stop_at}", stop)
        with pytest.raises(KeyError):
            await service.run_round()
        monkeypatch.undo()

    async def restarted(service: Service) -> None:
        assert service.market.engine.world.deals == {}
        summary = await service.run_round()
        assert (summary.auction, summary.orders, summary.deals) == ("auction-000002", 1, 1)
        statuses = [line.status for line in service.market.records.auctions(after=None, limit=9)]
        void = [AuctionStatus.VOID] if stop_at == "arbitrate" else []
        assert statuses == [*void, AuctionStatus.DECIDED]

    run_service(tmp_path, killed)
    run_service(tmp_path, restarted)


def test_a_round_is_void_where_the_market_is_rebuilt_under_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        await post_signed(service, 1)
        disk = BrokenDisk(monkeypatch)
        disk.mended = True

        async def compete(auction: Auction, **_: Any) -> RoundResult:
            disk.mended = False
            with pytest.raises(UnavailableError):
                await service.post_intent(signed_body(service, 2))
            disk.mended = True
            await reopened(service)
            return RoundResult(submissions=(), reports=())

        with monkeypatch.context() as patched:
            patched.setattr(service._rounds._competition, "run", compete)
            with pytest.raises(UnavailableError, match="void"):
                await service.run_round()
        assert service.market.is_open
        assert service.market.engine.world.deals == {}
        assert (await service.run_round()).deals == 1

    run_service(tmp_path, story)


def test_simulated_time_moves_only_when_told_and_never_back_or_during_a_round(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        assert service.now_us() == START_US
        service.advance_to(START_US + 5)
        assert service.now_us() == service.market.engine.now_us == START_US + 5
        with pytest.raises(ValueError, match="back"):
            service.advance_to(START_US)
        running = asyncio.create_task(service.run_round())
        while service.market.engine.round_number == 0:
            await asyncio.sleep(0)
        with pytest.raises(ValueError, match="round is under way"):
            service.advance_to(START_US + MICRO)
        assert (await running).decided_us == START_US + 5 + 1_000_000

    run_service(tmp_path, story)


def test_solvers_compete_in_their_own_processes_and_are_counted(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        await post_signed(service, 1)
        summary = await service.run_round()
        assert summary.bids == 2
        standings = service.market.records.standings
        assert set(standings) == {HOUSE, "greedy"}
        assert standings["greedy"].round_reasons == {SolverReason.FINISHED.value: 1}
        assert sum(standing.wins for standing in standings.values()) == 1
        won = [name for name, each in standings.items() if each.bid_reasons[BidReason.WON.value]]
        assert [standings[name].score for name in won] == [summary.score]

    run_service(tmp_path, story, solvers=("greedy",), solve_us=10_000_000)


async def post_now(service: Service) -> str:
    """Post an intent for the first listed series, at a price that fills, and return its id."""
    await give_funds(service)
    legs = [{"series": service.market.engine.world.snapshot().series[0].id, "ratio": 1}]
    valid_until = service.now_us() // MICRO + 3_600
    return await post_signed(service, 1, validUntil=valid_until, legs=legs, limit=20_000_000)


async def until_filled(service: Service, intent: str) -> None:
    for _ in range(400):
        if service.market.engine.book.get(intent).status is Status.FILLED:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the intent was not filled")


def test_a_wall_clock_market_runs_rounds_by_itself(tmp_path: Path) -> None:
    async def live() -> None:
        settings = make_settings(tmp_path, round_us=400_000, solve_us=150_000)
        async with open_service(settings) as service:
            assert abs(service.market.engine.genesis.at_us - WallClock().now_us()) < 60 * MICRO
            await until_filled(service, await post_now(service))
            lines = service.market.records.auctions(after=None, limit=100)
            assert all(line.decided_us - line.cut_us >= 150_000 for line in lines if line.decided_us)
            with pytest.raises(ValueError, match="not simulated"):
                service.advance_to(service.now_us() + 1)

    asyncio.run(live())


def test_deals_of_a_wall_clock_market_settle_between_rounds(tmp_path: Path) -> None:
    async def live() -> None:
        settings = make_settings(tmp_path, round_us=86_400 * MICRO, solve_us=50_000)
        async with open_service(settings) as service:
            intent = await post_now(service)
            assert (await service.run_round()).deals == 1
            await until_filled(service, intent)
            await asyncio.sleep(2 * TICK_S)

    asyncio.run(live())
    kinds = [type(event) for event in events_of(tmp_path)]
    assert 1 <= kinds.count(Advanced) <= 40
    assert kinds.count(AuctionCut) == 1


def test_cuts_lie_on_a_grid_that_begins_with_the_market(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        for now_us, next_us in ((0, 10), (1, 10), (9, 10), (10, 20), (31, 40)):
            service.advance_to(START_US + now_us * MICRO)
            assert service._rounds._next_cut_us() == START_US + next_us * MICRO

    run_service(tmp_path, story, round_us=10 * MICRO)


def test_a_failing_round_does_not_end_the_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings(tmp_path, round_us=50_000, solve_us=10_000)
    genuine, calls = Rounds.run_round, []

    async def run_round(rounds: Rounds) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise KeyError("a bug")
        if len(calls) == 2:
            raise UnavailableError("closed")
        return await genuine(rounds)

    monkeypatch.setattr(Rounds, "run_round", run_round)

    async def live() -> None:
        async with open_service(settings) as service:
            while service.market.engine.round_number == 0:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(live(), 20))
