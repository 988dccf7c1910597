"""The service: durable before acknowledged, and the same market after a restart."""

import asyncio
from pathlib import Path

import pytest

from chains.units import MICRO
from intents.deposits import Deposit
from intents.errors import JournalError, SettingsError
from intents.events import Deposited, Genesis, IntentPosted
from intents.lifecycle import Status
from intents.refusals import Code, Refused
from intents.service import Posted, Service
from solvers.codec import encode
from solvers.errors import SpecError
from tests.services import (
    ALICE,
    BOB_KEY,
    START_S,
    events_of,
    give_funds,
    open_small_service,
    post_signed,
    run_service,
    sign,
    signed_body,
    state_of,
)
from tests.worlds import PUT, START_US


def test_an_acknowledged_intent_is_in_the_journal(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        id_ = await post_signed(service, 1)
        posted = [event for event in events_of(tmp_path) if isinstance(event, IntentPosted)]
        assert [event.id for event in posted] == [id_]

    run_service(tmp_path, story)


def test_a_refused_request_stores_nothing(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        before = state_of(service)
        for body in (
            b"{",
            signed_body(service, 1, chain="moon"),
            signed_body(service, 1, units=10**6),
            signed_body(service, 1, validUntil=START_S),
            signed_body(service, 1, key=BOB_KEY),
        ):
            assert isinstance(await service.post_intent(body), Refused)
        assert isinstance(await service.post_cancel(b"[]"), Refused)
        cancel = {"owner": ALICE, "intents": ["0x" + "00" * 32]}
        refused = await service.post_cancel(encode(sign(service, cancel, kind="CancelIntents")))
        assert isinstance(refused, Refused)
        assert refused.code is Code.UNKNOWN_INTENT
        too_much = await service.deposit(Deposit(owner=ALICE, chain="hub", asset="USDC", amount=10**13 + 1))
        assert too_much is not None
        assert too_much.code is Code.FAUCET_LIMIT
        assert state_of(service) == before

    run_service(tmp_path, story)
    assert [type(event) for event in events_of(tmp_path)] == [Genesis, Deposited, Deposited]


def test_the_same_intent_again_gives_the_first_answer_and_one_entry(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        body = signed_body(service, 1)
        first, second = await asyncio.gather(service.post_intent(body), service.post_intent(body))
        assert first == second
        await service.run_round()
        service.advance_to(START_US + 7_200 * MICRO)
        assert await service.post_intent(body) == first
        other = await service.post_intent(signed_body(service, 1, limit=7_999_999))
        assert isinstance(other, Refused)
        assert other.code is Code.EXPIRED

    run_service(tmp_path, story)
    assert sum(isinstance(event, IntentPosted) for event in events_of(tmp_path)) == 1


def test_in_a_batch_the_first_of_two_that_cannot_both_be_covered_wins(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        deposit = Deposit(owner=ALICE, chain="hub", asset="USDC", amount=20 * MICRO)
        assert await service.deposit(deposit) is None
        first, second = await asyncio.gather(
            service.post_intent(signed_body(service, 1)), service.post_intent(signed_body(service, 2))
        )
        assert isinstance(first, Posted)
        assert isinstance(second, Refused)
        assert second.code is Code.UNCOLLATERALISED

    run_service(tmp_path, story)


def test_a_restart_folds_the_journal_to_the_same_state(tmp_path: Path) -> None:
    states = []

    async def live(service: Service) -> None:
        await give_funds(service)
        await give_funds(service, chain="east")
        await post_signed(service, 1)
        await post_signed(service, 2, legs=[{"series": PUT, "ratio": -1}], limit=-1_000_000, chain="east")
        await service.run_round()
        service.advance_to(service.now_us() + 3 * MICRO)
        await post_signed(service, 3, units=1)
        await service.run_round()
        below = sign(service, {"owner": ALICE, "nonce": 3}, kind="CancelBelow")
        assert not isinstance(await service.post_cancel(encode(below)), Refused)
        states.append(state_of(service))

    async def reopened_market(service: Service) -> None:
        states.append(state_of(service))
        service.advance_to(service.now_us() + 120 * MICRO)
        assert service.market.engine.world.audit() == []

    run_service(tmp_path, live)
    run_service(tmp_path, reopened_market)
    assert states[0] == states[1]


def test_a_repeated_cancel_of_what_was_filled_meanwhile_is_not_written_again(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        filled = await post_signed(service, 1)
        await service.run_round()
        service.advance_to(service.now_us() + 60 * MICRO)
        entry = service.market.engine.book.get(filled)
        assert entry is not None
        assert entry.status is Status.FILLED
        below = encode(sign(service, {"owner": ALICE, "nonce": 5}, kind="CancelBelow"))
        named = encode(sign(service, {"owner": ALICE, "intents": [filled]}, kind="CancelIntents"))
        assert not isinstance(await service.post_cancel(below), Refused)
        seq = service.market.seq
        for cancel in (below, named, below):
            assert not isinstance(await service.post_cancel(cancel), Refused)
        assert service.market.seq == seq

    run_service(tmp_path, story)


def test_what_cannot_be_opened_is_one_clear_error_and_holds_no_lock(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        open_small_service(tmp_path, world=str(tmp_path / "nowhere.json"))
    with pytest.raises(SpecError):
        open_small_service(tmp_path, solvers=("nobody",))
    service = open_small_service(tmp_path)
    with pytest.raises(JournalError, match="another process"):
        open_small_service(tmp_path)
    asyncio.run(service.close())
    asyncio.run(open_small_service(tmp_path).close())
