"""Following intents over HTTP."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from chains.units import MICRO
from intents.api.orders import LOOKED_AT_MAX, show_intent
from intents.service import Service
from solvers.auction import Rules
from tests.services import (
    ALICE,
    BOB,
    BOB_KEY,
    error_of,
    fund,
    make_message,
    post_body,
    run_client,
    sign,
    signed_body,
)
from tests.worlds import CALL


def test_an_intent_is_followed_from_posting_to_settlement(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE)
        id_ = await post_body(client, signed_body(service, 1))
        page = f"/v1/intents/{id_}"
        account = f"/v1/accounts/{ALICE}"
        intent = (await client.get(page)).json()
        assert intent["units"] == {"open": 2, "settling": 0, "filled": 0, "gone": 0}
        assert intent["intent"] == make_message(ALICE, 1)
        assert intent["rounds"] == intent["fills"] == []
        (hub,) = (await client.get(account)).json()["chains"]
        usdc = {"asset": "USDC", "balance": 10**10, "reserved": 16 * MICRO, "free": 10**10 - 16 * MICRO}
        assert usdc in hub["balances"]

        summary = await service.run_round()
        intent = (await client.get(page)).json()
        assert intent["status"] == "settling"
        (deal,) = (await client.get(f"/v1/auctions/{summary.auction}/outcome")).json()["deals"]
        paid, signed = deal["fills"][0]["payment"], 16 * MICRO
        assert intent["rounds"] == [
            {
                "auction": summary.auction,
                "reason": "filled",
                "units": 2,
                "detail": f"pays {paid} micro-USDC, and signed for {signed}, in deal {deal['deal']}",
                "numbers": {"where": deal["deal"], "found": paid, "allowed": signed},
            }
        ]
        service.advance_to(summary.decided_us + 60 * MICRO)
        intent = (await client.get(page)).json()
        assert (intent["status"], intent["units"]["filled"]) == ("filled", 2)
        (fill,) = intent["fills"]
        assert intent["payment"] == fill["payment"] > 0
        assert (await client.get(f"/v1/intents/{id_.upper()}")).json() == intent
        (hub,) = (await client.get(account)).json()["chains"]
        balances = {each["asset"]: each for each in hub["balances"]}
        assert balances["USDC"]["balance"] == 10**10 - fill["payment"]
        assert balances["USDC"]["reserved"] == 0
        assert balances[CALL]["free"] == 2

    run_client(tmp_path, story)


@pytest.mark.parametrize("looked_at", [2, LOOKED_AT_MAX])
def test_intents_are_listed_by_owner_and_status_in_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked_at: int
) -> None:
    monkeypatch.setattr("intents.api.orders.LOOKED_AT_MAX", looked_at)

    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE)
        await fund(client, BOB)
        ids = [await post_body(client, signed_body(service, nonce, units=1)) for nonce in range(5)]
        bobs = await post_body(client, signed_body(service, 1, key=BOB_KEY))
        cancel = sign(service, {"owner": ALICE, "intents": ids[1:2]}, kind="CancelIntents")
        assert (await client.post("/v1/cancellations", json=cancel)).status_code == 200

        async def listed(**query: Any) -> list[str]:
            found: list[str] = []
            while True:
                page = (await client.get("/v1/intents", params=query)).json()
                found += [intent["id"] for intent in page["intents"]]
                if page["next"] is None:
                    return found
                query["after"] = page["next"]

        assert await listed() == [*ids, bobs]
        assert await listed(limit=2) == [*ids, bobs]
        assert await listed(owner=ALICE.upper().replace("0X", "0x"), limit=5) == ids
        assert await listed(status="open", limit=1) == [ids[0], *ids[2:], bobs]
        assert await listed(owner=ALICE, status="cancelled") == ids[1:2]
        assert await listed(owner="0x" + "00" * 20) == []
        assert error_of(await client.get("/v1/intents?after=0x12"))[:3] == (404, "unknown_intent", "after")
        assert error_of(await client.get("/v1/intents?owner=me"))[:3] == (400, "malformed", "owner")
        for query, field, value in (
            ("limit=0", "limit", "0"),
            ("limit=many", "limit", "many"),
            ("limit=1001", "limit", "1001"),
            ("status=lost", "status", "lost"),
        ):
            assert error_of(await client.get(f"/v1/intents?{query}")) == (400, "malformed", field, value)

    run_client(tmp_path, story)


def test_orders_left_out_of_an_auction_are_told(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE)
        better, worse = [
            await post_body(client, signed_body(service, nonce, limit=limit, units=1))
            for nonce, limit in ((1, 9_000_000), (2, 7_100_000))
        ]
        assert (await service.run_round()).not_selected == 1
        rounds = [(await client.get(f"/v1/intents/{id_}")).json()["rounds"] for id_ in (better, worse)]
        assert [each["reason"] for (each,) in rounds] == ["filled", "not_selected"]
        (left_out,) = rounds[1]
        assert left_out["numbers"] == {"where": left_out["auction"], "found": 2, "allowed": 1}
        assert left_out["detail"] == "it is number 2 in line, and the auction holds 1 orders"

    run_client(tmp_path, story, rules=Rules(orders_max=1))


def test_the_units_of_an_intent_always_add_up(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE)
        id_ = await post_body(client, signed_body(service, 1, units=1_000, immediate=True))
        book = service.market.engine.book

        def shown() -> dict[str, int]:
            units = show_intent(book.get(id_)).units.model_dump()
            assert sum(units.values()) == 1_000
            return units

        assert shown()["open"] == 1_000
        summary = await service.run_round()
        settling = shown()["settling"]
        assert 0 < settling < 1_000
        assert shown()["open"] == 0
        service.advance_to(summary.decided_us + 60 * MICRO)
        assert shown() == {"open": 0, "settling": 0, "filled": settling, "gone": 1_000 - settling}

    run_client(tmp_path, story)
