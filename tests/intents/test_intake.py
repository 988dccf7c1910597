"""Intake: many requests in one transaction, and closed when a write fails, until rebuilt."""

import asyncio
from pathlib import Path

import pytest

from intents.deposits import Deposit
from intents.errors import UnavailableError
from intents.events import Event, IntentPosted
from intents.intake import QUEUE_MAX, QUIET_TURNS
from intents.service import Posted, Service
from tests.services import (
    ALICE,
    BrokenDisk,
    events_of,
    give_funds,
    post_signed,
    reopened,
    run_service,
    signed_body,
    state_of,
)


def test_many_posts_at_once_are_few_transactions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        disk = BrokenDisk(monkeypatch)
        disk.mended = True
        bodies = [signed_body(service, nonce, units=1) for nonce in range(200)]
        answers = await asyncio.gather(*(service.post_intent(body) for body in bodies))
        assert all(isinstance(answer, Posted) for answer in answers)
        assert disk.writes <= 10

    run_service(tmp_path, story)
    assert sum(isinstance(event, IntentPosted) for event in events_of(tmp_path)) == 200


def test_a_lone_post_waits_for_the_event_loop_and_not_for_a_timer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(service: Service) -> None:
        monkeypatch.setattr("intents.intake.LINGER_S", 3_600.0)
        await give_funds(service)
        async with asyncio.timeout(60.0):
            await post_signed(service, 1)

    run_service(tmp_path, story)


def test_what_comes_while_a_batch_is_gathered_joins_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        disk = BrokenDisk(monkeypatch)
        disk.mended = True
        monkeypatch.setattr("intents.intake.LINGER_S", 3_600.0)
        bodies = [signed_body(service, nonce, units=1) for nonce in range(5)]
        posts = []
        for body in bodies:
            posts.append(asyncio.ensure_future(service.post_intent(body)))
            for _ in range(QUIET_TURNS):
                await asyncio.sleep(0)
        assert all(isinstance(answer, Posted) for answer in await asyncio.gather(*posts))
        assert disk.writes == 1

    run_service(tmp_path, story)


def test_a_batch_is_closed_though_others_keep_coming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        disk = BrokenDisk(monkeypatch)
        disk.mended = True
        monkeypatch.setattr("intents.intake.LINGER_S", 0.0)
        bodies = [signed_body(service, nonce, units=1) for nonce in range(5)]
        posts = []
        for body in bodies:
            posts.append(asyncio.ensure_future(service.post_intent(body)))
            for _ in range(QUIET_TURNS):
                await asyncio.sleep(0)
        assert all(isinstance(answer, Posted) for answer in await asyncio.gather(*posts))
        assert disk.writes == len(bodies)

    run_service(tmp_path, story)


@pytest.mark.parametrize("after_commit", [False, True])
def test_where_the_write_fails_nothing_is_acknowledged_and_the_market_is_rebuilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after_commit: bool
) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        kept = await post_signed(service, 1)
        disk = BrokenDisk(monkeypatch, after_commit=after_commit)
        good, refused = signed_body(service, 2), signed_body(service, 1, units=1)
        outcomes = await asyncio.gather(
            service.post_intent(good), service.post_intent(refused), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [UnavailableError, UnavailableError]
        assert not service.market.is_open
        with pytest.raises(UnavailableError):
            await service.post_intent(good)
        with pytest.raises(UnavailableError):
            service.now_us()
        disk.mended = True
        await reopened(service)
        held = [entry.id for entry in service.market.engine.book.intents()]
        assert len(held) == (2 if after_commit else 1)
        assert held[0] == kept
        again = await service.post_intent(good)
        assert isinstance(again, Posted)
        await post_signed(service, 3)

    run_service(tmp_path, story)
    posted = [event for event in events_of(tmp_path) if isinstance(event, IntentPosted)]
    assert [event.intent.nonce for event in posted] == [1, 2, 3]


def test_a_market_that_cannot_be_rebuilt_stays_closed_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        disk = BrokenDisk(monkeypatch)
        with pytest.raises(UnavailableError):
            await service.post_intent(signed_body(service, 1))
        while disk.rebuilds < 3:
            assert not service.market.is_open
            await asyncio.sleep(0.01)
        disk.mended = True
        await reopened(service)
        await post_signed(service, 1)

    run_service(tmp_path, story)


def test_an_engine_that_breaks_closes_the_market_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        before = state_of(service)
        with monkeypatch.context() as patched:
            patched.setattr(service.market.engine, "handle", lambda event: 1 // 0)
            with pytest.raises(UnavailableError):
                await service.post_intent(signed_body(service, 1))
        await reopened(service)
        assert state_of(service) == before

    run_service(tmp_path, story)


def test_more_requests_than_may_wait_are_told_so(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        deposit = Deposit(owner=ALICE, chain="hub", asset="USDC", amount=1)
        answers = await asyncio.gather(
            *(service.deposit(deposit) for _ in range(QUEUE_MAX + 5)), return_exceptions=True
        )
        assert [type(answer) for answer in answers[:QUEUE_MAX]] == [type(None)] * QUEUE_MAX
        assert [type(answer) for answer in answers[QUEUE_MAX:]] == [UnavailableError] * 5

    run_service(tmp_path, story)


def test_a_request_whose_client_has_left_is_dropped_before_its_batch(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        task = asyncio.ensure_future(service.post_intent(signed_body(service, 1)))
        await asyncio.sleep(0)
        task.cancel()
        await post_signed(service, 2)

    run_service(tmp_path, story)
    posted = [event for event in events_of(tmp_path) if isinstance(event, IntentPosted)]
    assert [event.intent.nonce for event in posted] == [2]


def test_a_request_that_makes_no_event_harms_only_its_batch(tmp_path: Path) -> None:
    def make_nothing(at_us: int) -> Event:
        raise KeyError(at_us)

    async def story(service: Service) -> None:
        await give_funds(service)
        with pytest.raises(UnavailableError):
            await service._intake.submit(make_nothing)
        assert service.market.is_open
        await post_signed(service, 1)

    run_service(tmp_path, story)


def test_what_waits_when_the_service_closes_is_answered(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        waiting = asyncio.create_task(service.post_intent(signed_body(service, 1)))
        await asyncio.sleep(0)
        await service.close()
        assert isinstance(await waiting, Posted)
        with pytest.raises(UnavailableError):
            await service.post_intent(signed_body(service, 2))

    run_service(tmp_path, story)
    assert any(isinstance(event, IntentPosted) for event in events_of(tmp_path))
