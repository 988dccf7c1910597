"""The server: a free port where none is named, one clear error where it cannot listen, a clean end."""

import asyncio
import socket
from pathlib import Path

import httpx
import pytest

from intents.errors import SettingsError
from intents.journal import open_journal
from intents.server import bind_socket, running_server, url_of
from tests.services import ALICE, fund, make_settings, open_small_service


def test_port_zero_takes_a_free_one() -> None:
    with bind_socket("127.0.0.1", 0) as first, bind_socket("127.0.0.1", 0) as second:
        assert url_of(first) != url_of(second)
        assert url_of(first).startswith("http://127.0.0.1:")


def test_an_address_that_cannot_be_used_is_one_clear_error() -> None:
    with bind_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1 port {port}"):
            bind_socket("127.0.0.1", port)
    with pytest.raises(SettingsError, match="cannot listen on"):
        bind_socket("203.0.113.77", 0)


def test_the_server_starts_its_service_and_closes_it(tmp_path: Path) -> None:
    async def live() -> None:
        service = open_small_service(tmp_path)
        async with (
            running_server(service, host="127.0.0.1", port=0) as url,
            httpx.AsyncClient(base_url=url) as client,
        ):
            await fund(client, ALICE)
            assert (await service.run_round()).orders == 0
            assert (await client.get("/healthz")).json()["rounds"] == 1

    asyncio.run(live())
    with open_journal(make_settings(tmp_path).database, write=True) as journal:
        assert len(list(journal.read())) == 6


def test_answers_are_not_held_back_by_the_operating_system() -> None:
    async def live() -> None:
        accepted: list[int] = []

        async def look(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            raw = writer.get_extra_info("socket")
            accepted.append(raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with bind_socket("127.0.0.1", 0) as bound:
            server = await asyncio.start_server(look, sock=bound)
            reader, writer = await asyncio.open_connection(*bound.getsockname())
            await reader.read()
            writer.close()
            server.close()
            assert accepted == [1]

    asyncio.run(live())
