"""Accounts and simulated deposits over HTTP."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from chains.units import MICRO
from intents.api.accounts import show_account
from intents.api.answers import STATUS
from intents.refusals import Code
from intents.service import Service
from tests.services import ALICE, BOB, error_of, fund, post_body, run_client, signed_body
from tests.worlds import CALL


def test_a_written_package_shows_with_its_collateral(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE)
        await post_body(
            client, signed_body(service, 1, legs=[{"series": CALL, "ratio": -1}], limit=-5_000_000)
        )
        summary = await service.run_round()
        service.advance_to(summary.decided_us + 60 * MICRO)
        (hub,) = (await client.get(f"/v1/accounts/{ALICE}")).json()["chains"]
        assert hub["written"] == [
            {
                "maturity": "BTC-26JUN26",
                "positions": [{"asset": CALL, "amount": -2}],
                "collateral": [{"asset": "BTC", "amount": 2_000_000}],
            }
        ]

    run_client(tmp_path, story)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"amount": 0}, (422, "bad_amount", "amount", 0)),
        ({"amount": "-5"}, (422, "bad_amount", "amount", "-5")),
        ({"amount": 1.5}, (400, "malformed", "amount", "1.5")),
        ({"amount": True}, (400, "malformed", "amount", True)),
        ({"amount": 2**53}, (422, "out_of_range", "amount", str(2**53))),
        ({"amount": 10**13 + 1}, (422, "faucet_limit", "amount", 10**13 + 1)),
        ({"chain": "moon"}, (422, "unknown_chain", "chain", "moon")),
        ({"chain": 7}, (400, "malformed", "chain", 7)),
        ({"asset": "GOLD"}, (422, "unknown_asset", "asset", "GOLD")),
        ({"asset": CALL}, (422, "unknown_asset", "asset", CALL)),
        ({"memo": "hi"}, (400, "unknown_field", "memo", "hi")),
    ],
)
def test_a_bad_deposit_is_refused_with_its_field_and_value(
    tmp_path: Path, changes: dict[str, Any], expected: tuple[int, str, str, Any]
) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        body = {"chain": "hub", "asset": "USDC", "amount": 5} | changes
        answer = await client.post(f"/v1/accounts/{ALICE}/deposits", json=body)
        assert error_of(answer) == expected
        assert (await client.get(f"/v1/accounts/{ALICE}")).json()["chains"] == []
        assert service.market.seq == 1

    run_client(tmp_path, story)


def test_deposits_are_of_an_address_and_in_json(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        page = f"/v1/accounts/{ALICE}/deposits"
        good = {"chain": "hub", "asset": "USDC", "amount": "7"}
        upper = "0x" + ALICE[2:].upper()
        answer = await client.post(f"/v1/accounts/{upper}/deposits", json=good)
        assert (answer.status_code, answer.json()) == (
            201,
            {"owner": ALICE, "chain": "hub", "asset": "USDC", "amount": 7, "balance": 7},
        )
        assert error_of(await client.post("/v1/accounts/me/deposits", json=good))[:3] == (
            400,
            "malformed",
            "owner",
        )
        assert error_of(await client.get("/v1/accounts/me"))[:3] == (400, "malformed", "owner")
        for content, code in (
            (b"", "malformed_json"),
            (b"\xff", "malformed_json"),
            (b"[" * 3_000, "malformed_json"),
            (b"[]", "malformed"),
            (b"{}", "missing_field"),
            (b'{"chain":"hub","asset":"USDC","amount":' + b"9" * 400 + b"}", "out_of_range"),
            (b" " * 5_000, "too_large"),
        ):
            status, found, _, _ = error_of(await client.post(page, content=content))
            assert (found, status) == (code, STATUS.get(Code(code), 422))

    run_client(tmp_path, story)


def test_an_owner_with_nothing_has_an_empty_account(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE, chain="east")
        assert show_account(service.market.engine, BOB).chains == []
        (east,) = show_account(service.market.engine, ALICE).chains
        assert east.chain == "east"
        assert sum(balance.free for balance in east.balances) == 10**10 + 10**9

    run_client(tmp_path, story)
