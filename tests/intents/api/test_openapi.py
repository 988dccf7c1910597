"""The OpenAPI document is generated from the code, and true."""

from pathlib import Path
from typing import Any

import httpx
import msgspec
from jsonschema import Draft202012Validator

from intents.api.openapi import WIRE_ANSWERS
from intents.service import Service
from tests.services import ALICE, fund, make_message, post_body, run_client, sign


def test_the_openapi_document_is_complete_and_its_references_lead_somewhere(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        document = (await client.get("/openapi.json")).json()
        routes = {(method.upper(), path) for path, entry in document["paths"].items() for method in entry}
        assert routes == {
            ("GET", "/v1/market"),
            ("POST", "/v1/intents"),
            ("GET", "/v1/intents"),
            ("GET", "/v1/intents/{id}"),
            ("POST", "/v1/cancellations"),
            ("POST", "/v1/quotes"),
            ("GET", "/v1/accounts/{owner}"),
            ("POST", "/v1/accounts/{owner}/deposits"),
            ("GET", "/v1/auctions"),
            ("GET", "/v1/auctions/{id}"),
            ("GET", "/v1/auctions/{id}/bids"),
            ("GET", "/v1/auctions/{id}/outcome"),
            ("GET", "/v1/solvers"),
            ("GET", "/healthz"),
        }
        components = document["components"]["schemas"]
        references = set(find_references(document))
        assert {kind.__name__ for kind in WIRE_ANSWERS} <= set(components)
        assert references <= {f"#/components/schemas/{name}" for name in components}
        for entry in document["paths"].values():
            for method, operation in entry.items():
                assert ("requestBody" in operation) == (method == "post")
                assert operation["description"]
                for status, answer in operation["responses"].items():
                    schema = answer["content"]["application/json"]["schema"]
                    assert (schema == {"$ref": "#/components/schemas/ErrorBody"}) == (int(status) >= 400)

        await fund(client, ALICE)
        body = sign(service, make_message(ALICE, 1))
        posted = schema_of(document, "PostIntent")
        posted.validate(body)
        posted.validate(body | {"intent": body["intent"] | {"limit": "8000000"}})
        assert not posted.is_valid(body | {"intent": body["intent"] | {"limit": 1.5}})
        draft = {name: body["intent"][name] for name in ("chain", "legs", "units")}
        asks = schema_of(document, "AskQuote")
        asks.validate({"kind": body["kind"], "intent": draft})
        asks.validate({"kind": body["kind"], "intent": body["intent"]})
        assert not asks.is_valid({"kind": body["kind"], "intent": {"chain": "hub"}})
        for limit in (8_000_000, 1):
            quote = await client.post(
                "/v1/quotes", json={"kind": body["kind"], "intent": draft | {"limit": limit}}
            )
            schema_of(document, "Quote").validate(quote.json())
        id_ = await post_body(client, msgspec.json.encode(body))
        await service.run_round()
        for path, name in (
            ("/v1/market", "MarketView"),
            (f"/v1/intents/{id_}", "IntentDetail"),
            (f"/v1/accounts/{ALICE}", "AccountView"),
            ("/v1/auctions/auction-000001", "Auction"),
            ("/v1/auctions/auction-000001/bids", "BidList"),
            ("/v1/auctions/auction-000001/outcome", "Outcome"),
            ("/v1/solvers", "StandingList"),
        ):
            schema_of(document, name).validate((await client.get(path)).json())

    run_client(tmp_path, story)


def schema_of(document: dict[str, Any], name: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return Draft202012Validator(schema)


def find_references(value: Any) -> list[str]:
    if isinstance(value, dict):
        inner = [found for part in value.values() for found in find_references(part)]
        return [*inner, value["$ref"]] if isinstance(value.get("$ref"), str) else inner
    if isinstance(value, list):
        return [found for part in value for found in find_references(part)]
    return []
