"""Posting over HTTP: signed intents and signed cancels."""

from pathlib import Path
from typing import Any

import httpx
from eth_account import Account
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from intents.api.intake import INTENTS, add_intake
from intents.service import Service
from tests.services import (
    ALICE,
    ALICE_KEY,
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


def test_an_intent_signed_from_the_markets_own_domain_and_types_is_accepted(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE)
        eip712 = (await client.get("/v1/market")).json()["eip712"]
        types = {name: eip712["types"][name] for name in ("OptionIntent", "Leg")}
        message = make_message(ALICE, 1)
        signed = Account.sign_typed_data(ALICE_KEY, eip712["domain"], types, message)
        body = {"kind": "OptionIntent", "intent": message, "signature": "0x" + signed.signature.hex()}
        answer = await client.post("/v1/intents", json=body)
        assert answer.status_code == 201
        assert answer.json() == {"id": "0x" + signed.message_hash.hex(), "status": "open"}
        again = await client.post("/v1/intents", json=body)
        assert (again.status_code, again.json()) == (201, answer.json())
        body["intent"] = message | {"limit": message["limit"] + 1}
        refused = await client.post("/v1/intents", json=body)
        assert error_of(refused)[:3] == (403, "wrong_signer", "owner")

    run_client(tmp_path, story)


def test_cancels_take_what_is_open_and_only_from_its_owner(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE)
        ids = [await post_body(client, signed_body(service, nonce, units=1)) for nonce in (1, 2, 3, 9)]

        async def cancel(kind: str, message: dict[str, Any], key: bytes = ALICE_KEY) -> httpx.Response:
            return await client.post("/v1/cancellations", json=sign(service, message, kind=kind, key=key))

        answer = await cancel("CancelIntents", {"owner": ALICE, "intents": ids[:1]})
        assert answer.json() == {
            "owner": ALICE,
            "nonce_floor": "0",
            "intents": [{"id": ids[0], "status": "cancelled"}],
        }
        answer = await cancel("CancelBelow", {"owner": ALICE, "nonce": 2**255})
        assert answer.json()["nonce_floor"] == str(2**255)
        assert answer.json()["intents"] == [{"id": id_, "status": "cancelled"} for id_ in ids[1:]]
        refused = await client.post("/v1/intents", content=signed_body(service, 10))
        assert error_of(refused)[:3] == (422, "nonce_revoked", "nonce")

        refused = await cancel("CancelIntents", {"owner": BOB, "intents": ids[:1]}, BOB_KEY)
        assert error_of(refused) == (403, "not_owner", "intents[0]", ids[0])
        refused = await cancel("CancelIntents", {"owner": ALICE, "intents": ids[:1]}, BOB_KEY)
        assert error_of(refused)[:3] == (403, "wrong_signer", "owner")
        unknown = "0x" + "ee" * 32
        refused = await cancel("CancelIntents", {"owner": ALICE, "intents": [ids[0], unknown]})
        assert error_of(refused) == (404, "unknown_intent", "intents[1]", unknown)
        refused = await client.post("/v1/cancellations", content=signed_body(service, 1))
        assert error_of(refused)[:3] == (400, "malformed", "kind")

    run_client(tmp_path, story)


def test_intake_is_only_posted_to(tmp_path: Path) -> None:
    async def story(_: Service, client: httpx.AsyncClient) -> None:
        for path in (INTENTS, "/v1/cancellations"):
            assert error_of(await client.delete(path))[:3] == (405, "method_not_allowed", "method")
            assert (await client.delete(path)).headers["allow"] == "POST"
        assert (await client.get(INTENTS, params={"owner": ALICE})).is_success

    run_client(tmp_path, story)


def test_the_handler_that_is_served_is_the_one_that_is_documented(tmp_path: Path) -> None:
    """The first route of a path serves it: Starlette's plain one, in front of the one with a schema."""

    async def story(service: Service, client: httpx.AsyncClient) -> None:
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        add_intake(app, service)
        served = next(route for route in app.routes if isinstance(route, Route))
        assert (served.path, served.methods) == (INTENTS, {"POST"})
        assert not isinstance(served, APIRoute)
        assert not served.include_in_schema
        described = (await client.get("/openapi.json")).json()["paths"][INTENTS]["post"]
        assert served.endpoint.__doc__ == described["description"]

    run_client(tmp_path, story)
