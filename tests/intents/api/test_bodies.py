"""Bodies are bounded, whatever the headers say."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from intents.admission import LIMITS
from intents.api.bodies import DEPOSIT_BYTES_MAX
from intents.server import running_server
from intents.service import Service
from tests.services import ALICE, error_of, fund, open_small_service, post_body, run_client, signed_body


def test_bodies_beyond_their_limit_are_refused_whatever_the_headers_say(tmp_path: Path) -> None:
    async def chunks(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 1_000):
            yield b" " * 1_000

    async def story(service: Service, client: httpx.AsyncClient) -> None:
        for path, most in (
            ("/v1/intents", LIMITS.body_bytes),
            ("/v1/cancellations", LIMITS.cancel_body_bytes),
            (f"/v1/accounts/{ALICE}/deposits", DEPOSIT_BYTES_MAX),
        ):
            declared = await client.post(path, content=b" " * (most + 1))
            assert error_of(declared) == (413, "too_large", "body", most + 1)
            chunked = await client.post(path, content=chunks(most + 2_000))
            assert error_of(chunked)[:3] == (413, "too_large", "body")
            allowed = await client.post(path, content=b" " * most)
            assert error_of(allowed)[:2] == (400, "malformed_json")

    run_client(tmp_path, story)


def test_a_real_server_takes_large_and_endless_bodies_without_harm(tmp_path: Path) -> None:
    async def live() -> None:
        service = open_small_service(tmp_path)
        async with (
            running_server(service, host="127.0.0.1", port=0) as url,
            httpx.AsyncClient(base_url=url, timeout=30.0) as client,
        ):
            large = await client.post("/v1/intents", content=b"x" * 1_000_000)
            assert error_of(large) == (413, "too_large", "body", 1_000_000)

            async def endless() -> AsyncIterator[bytes]:
                for _ in range(200):
                    yield b"x" * 10_000

            assert error_of(await client.post("/v1/intents", content=endless()))[:2] == (413, "too_large")
            await fund(client, ALICE)
            await post_body(client, signed_body(service, 1))
            bodies = [signed_body(service, nonce, units=1) for nonce in range(2, 52)]
            answers = await asyncio.gather(*(client.post("/v1/intents", content=body) for body in bodies))
            assert {answer.status_code for answer in answers} == {201}
            half_open(url)
            assert (await client.get("/healthz")).status_code == 200

    def half_open(url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(b"POST /v1/intents HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")

    asyncio.run(live())
