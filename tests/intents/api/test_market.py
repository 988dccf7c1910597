"""`GET /v1/market` and `GET /healthz`."""

from pathlib import Path

import httpx
import pytest

from intents.admission import LIMITS
from intents.api.market import show_market
from intents.schemas import MarketView
from intents.service import Service
from solvers.codec import decode
from tests.services import ALICE, BrokenDisk, error_of, fund, post_body, reopened, run_client, signed_body
from tests.worlds import CALL, PUT, START_US


def test_the_market_lists_everything_a_user_needs(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        market = (await client.get("/v1/market")).json()
        assert set(market) == {
            "eip712",
            "hub",
            "chains",
            "bridges",
            "venues",
            "series",
            "rules",
            "limits",
            "time_us",
        }
        assert market["hub"] == "hub"
        assert market["time_us"] == START_US
        assert {series["id"] for series in market["series"]} >= {CALL, PUT}
        assert market["rules"]["round_us"] == 10_000_000
        assert market["rules"]["lock_margin"] == [3, 2]
        assert market["limits"]["body_bytes"] == LIMITS.body_bytes
        assert market["limits"]["faucet_max"] == 10**13

    run_client(tmp_path, story)


def test_while_the_market_is_closed_every_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE)
        assert (await client.get("/healthz")).json() == {
            "status": "ok",
            "time_us": START_US,
            "seq": 3,
            "rounds": 0,
        }

        disk = BrokenDisk(monkeypatch)
        answer = await client.post("/v1/intents", content=signed_body(service, 1))
        assert error_of(answer)[:2] == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"
        for page in ("/healthz", "/v1/market", f"/v1/accounts/{ALICE}", "/v1/intents", "/v1/solvers"):
            assert error_of(await client.get(page))[:2] == (503, "unavailable")
        disk.mended = True
        await reopened(service)
        await post_body(client, signed_body(service, 1))

    run_client(tmp_path, story)


def test_the_market_is_shown_as_its_struct(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        answer = await client.get("/v1/market")
        shown = show_market(service.market.engine, domain=service.domain, time_us=service.now_us())
        assert decode(answer.content, MarketView) == shown

    run_client(tmp_path, story)
