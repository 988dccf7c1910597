"""Two ways to run a server: until it is interrupted, and in a thread beside its caller."""

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from intents.errors import DemoError
from intents.rounds import RoundSummary
from intents.server import bind_socket, make_server, running_server, url_of
from intents.service import Service, open_service
from intents.settings import Settings

T = TypeVar("T")

GC_THRESHOLDS: Final = (50_000, 20, 50)
"""Objects between collections of the youngest generation, and of the older ones in turn: thousands of
requests. With the interpreter's own thresholds the book is walked so often that one request in a hundred
waits for 150 ms."""

CALL_S: Final = 300.0
"""How long a caller waits for the server's thread."""


def serve_market(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Serve a market in wall-clock time until the process is interrupted; `announce` is told the URL.

    Raises
    ------
    SettingsError, SpecError, WorldFileError, JournalError, TermsError
        If the market cannot be opened or the address cannot be used.
    """
    with bind_socket(settings.host, settings.port) as bound:
        service = open_service(settings)
        _spare_collector()

        async def serve() -> None:
            announce(url_of(bound))
            await make_server(service).serve(sockets=[bound])

        asyncio.run(serve())


def _spare_collector() -> None:
    """Have the garbage collector leave alone what start-up built, and collect the rest in large steps."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


class LocalServer:
    """A market in simulated time behind a real HTTP server, in a thread of its own.

    Everything but HTTP goes through `call`, which runs a function on the server's own event loop, so
    that nothing is read in the middle of a change.
    """

    def __init__(self, settings: Settings, *, simulated_start_us: int) -> None:
        self._settings = settings
        self._start_us = simulated_start_us
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._service: Service | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="solvent-server")
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def call(self, read: Callable[[Service], T]) -> T:
        """Run a function of the service on the server's event loop and return what it gives."""

        async def answer(service: Service) -> T:
            return read(service)

        return self._submit(answer)

    def run_round(self) -> RoundSummary:
        """Run one round."""
        return self._submit(lambda service: service.run_round())

    def advance_to(self, at_us: int) -> None:
        """Move simulated time on."""
        self.call(lambda service: service.advance_to(at_us))

    def _submit(self, make: Callable[[Service], Coroutine[Any, Any, T]]) -> T:
        if self._loop is None or self._service is None:
            raise DemoError("the server is not running")
        return asyncio.run_coroutine_threadsafe(make(self._service), self._loop).result(timeout=CALL_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._service = open_service(self._settings, simulated_start_us=self._start_us)
        async with running_server(self._service, host=self._settings.host, port=self._settings.port) as url:
            self.url = url
            self._ready.set()
            await self._stop.wait()
