"""The desk between HTTP and quoting: indexes that are shared, bounded and never stale."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from intents import quote_desk
from intents.quote_desk import QuoteDesk
from intents.quotes import Quote
from intents.quoting import Quoter
from intents.refusals import Code, Refused
from intents.service import Service
from tests.services import ALICE, give_funds, make_message, run_service
from tests.worlds import CALL, PUT

BODY = msgspec.json.encode(
    {"kind": "OptionIntent", "intent": {"chain": "hub", "legs": [{"series": CALL, "ratio": 1}], "units": 3}}
)


def test_one_index_serves_until_something_happens_or_it_has_served_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[int] = []
    build = Quoter.__init__

    def count(self: Quoter, *args: object, **options: object) -> None:
        built.append(1)
        build(self, *args, **options)  # type: ignore[arg-type]

    async def story(service: Service) -> None:
        monkeypatch.setattr(Quoter, "__init__", count)
        first = await service.quote(BODY)
        assert isinstance(first, Quote)
        for _ in range(quote_desk.USES_MAX - 1):
            assert await service.quote(BODY) == first
        assert len(built) == 1
        assert await service.quote(BODY) == first
        assert len(built) == 2, "an index grows with its use"
        await give_funds(service)
        assert await service.quote(BODY) == first
        assert len(built) == 3, "something has happened"

    run_service(tmp_path, story)


def test_what_is_refused_takes_no_place_in_the_line(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        for _ in range(3 * quote_desk.WAITING_MAX):
            refused = await service.quote(b"{}")
            assert isinstance(refused, Refused)
            assert refused.code is Code.MISSING_FIELD
        assert isinstance(await service.quote(BODY), Quote)

    run_service(tmp_path, story)


def test_a_quote_that_nobody_waits_for_gives_its_place_back(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        for _ in range(3):
            given_up = [asyncio.create_task(service.quote(BODY)) for _ in range(quote_desk.WAITING_MAX)]
            await asyncio.sleep(0)
            for task in given_up:
                task.cancel()
            await asyncio.gather(*given_up, return_exceptions=True)
        assert isinstance(await service.quote(BODY), Quote)

    run_service(tmp_path, story)


def test_a_failure_of_one_quote_is_no_failure_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(service: Service) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(Quoter, "quote", lambda *_, **__: 1 // 0)
            for _ in range(2 * quote_desk.WAITING_MAX):
                with pytest.raises(ZeroDivisionError):
                    await service.quote(BODY)
        assert isinstance(await service.quote(BODY), Quote)

    run_service(tmp_path, story)


def test_what_would_tie_up_more_than_the_market_counts_is_refused_as_at_posting(tmp_path: Path) -> None:
    """A short put of a strike of 100,000 USD ties up 1,000 USDC a lot; 10^9 lots, 10^18 micro-USDC."""

    async def story(service: Service) -> None:
        desk = QuoteDesk(service.market, now_us=service.now_us)
        draft = {"chain": "hub", "legs": [{"series": PUT, "ratio": -1}], "units": 10**9}
        answer = await desk.quote(msgspec.json.encode({"kind": "OptionIntent", "intent": draft}))
        desk.close()
        assert isinstance(answer, Refused)
        assert (answer.code, answer.field, answer.value) == (Code.OUT_OF_RANGE, "units", 10**9)
        assert f"tie up {10**18} of USDC" in answer.message

    run_service(tmp_path, story)


def test_reserves_are_for_the_limit_that_is_given_or_told(tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        desk = QuoteDesk(service.market, now_us=service.now_us)
        message = make_message(ALICE, 1, units=4, limit=9_000_000)
        given = await desk.quote(msgspec.json.encode({"kind": "OptionIntent", "intent": message}))
        del message["limit"]
        told = await desk.quote(msgspec.json.encode({"kind": "OptionIntent", "intent": message}))
        desk.close()
        assert isinstance(given, Quote)
        assert isinstance(told, Quote)
        assert [(row.asset, row.amount, row.free) for row in given.reserves] == [("USDC", 36_000_000, 0)]
        assert told.plan is not None
        assert [row.amount for row in told.reserves] == [4 * told.plan.fills_from]

    run_service(tmp_path, story)
