"""Every error has the one form."""

from pathlib import Path

import httpx
import pytest

from intents.api.answers import STATUS
from intents.records import Records
from intents.service import Service
from tests.services import ALICE, error_of, fund, post_body, run_client, signed_body


def test_every_error_of_the_framework_has_the_one_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        assert error_of(await client.get("/v2/market")) == (404, "not_found", "path", "/v2/market")
        wrong = await client.delete("/v1/market")
        assert error_of(wrong) == (405, "method_not_allowed", "method", "DELETE")
        assert wrong.headers["allow"] == "GET"
        unknown = await client.get("/v1/intents/0x00")
        assert error_of(unknown) == (404, "unknown_intent", "id", "0x00")
        monkeypatch.setattr(Records, "rounds_of", lambda *_: 1 // 0)
        await fund(client, ALICE)
        id_ = await post_body(client, signed_body(service, 1))
        assert error_of(await client.get(f"/v1/intents/{id_}"))[:2] == (500, "internal")

    run_client(tmp_path, story)


def test_every_code_has_a_status_of_an_error() -> None:
    assert all(400 <= status < 600 for status in STATUS.values())
