"""The application: every route over one service, which it starts and closes with itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from intents.api.accounts import account_routes
from intents.api.answers import add_error_handlers
from intents.api.auctions import auction_routes
from intents.api.intake import add_intake
from intents.api.market import market_routes
from intents.api.openapi import add_openapi
from intents.api.orders import order_routes
from intents.api.quotes import quote_routes
from intents.service import Service


def create_app(service: Service) -> FastAPI:
    """The HTTP interface of a service; the app's lifespan starts the service and closes it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service:
            yield

    app = FastAPI(
        title="Solvent",
        version=version("solvent"),
        description="An intent-based solver marketplace for crypto options.",
        lifespan=lifespan,
    )
    add_intake(app, service)
    for routes in (market_routes, quote_routes, order_routes, account_routes, auction_routes):
        app.include_router(routes(service))
    add_error_handlers(app)
    add_openapi(app)
    return app
