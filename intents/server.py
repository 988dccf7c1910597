"""The HTTP server of a service: uvicorn on one address, on a free port where none is named."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

from intents.api import create_app
from intents.errors import SettingsError
from intents.service import Service

BACKLOG: Final = 2_048
STOP_S: Final = 5
"""How long open requests may take when the server stops."""


def bind_socket(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises
    ------
    SettingsError
        If the address cannot be used.
    """
    bound = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # With its protocol named, asyncio turns Nagle's algorithm off: an answer would wait 40 ms for it.
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError as error:
        if bound is not None:
            bound.close()
        raise SettingsError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    return bound


def make_server(service: Service) -> uvicorn.Server:
    """A server that starts the service with itself, and closes it when it stops."""
    return server_of(create_app(service))


def server_of(app: FastAPI) -> uvicorn.Server:
    """A server of an application, with the settings that every server of the market has."""
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=STOP_S,
    )
    return uvicorn.Server(config)


def url_of(bound: socket.socket) -> str:
    """The URL under which a bound socket is reached from this machine."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if bound.family == socket.AF_INET6 else f"http://{host}:{port}"


@asynccontextmanager
async def running_server(service: Service, *, host: str, port: int) -> AsyncIterator[str]:
    """Serve in the background of the running loop, and give the URL.

    Raises
    ------
    SettingsError
        If the address cannot be used.
    """
    with bind_socket(host, port) as bound:
        server = make_server(service)
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            while not server.started and not serving.done():
                await asyncio.sleep(0.01)
            if serving.done():
                await serving
                raise RuntimeError("the server stopped before it had started")
            yield url_of(bound)
        finally:
            server.should_exit = True
            await serving
