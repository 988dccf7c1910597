"""A server with one route that does nothing, under the market's own uvicorn settings: what HTTP costs.

Run as a program it serves on a free port of this machine, prints its URL and goes on until it is killed.
"""

import asyncio
import sys

from fastapi import FastAPI

from intents.server import bind_socket, server_of, url_of

app = FastAPI(title="no-op")


@app.post("/", status_code=201)
async def do_nothing() -> dict[str, str]:
    """A small answer to anything."""
    return {"status": "open"}


async def serve() -> None:
    """Serve until the process ends."""
    with bind_socket("127.0.0.1", 0) as bound:
        sys.stdout.write(f"The no-op serves at {url_of(bound)}\n")
        sys.stdout.flush()
        await server_of(app).serve(sockets=[bound])


if __name__ == "__main__":
    asyncio.run(serve())
