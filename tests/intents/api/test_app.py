"""The app starts its service and closes it with itself."""

import asyncio
from pathlib import Path

import pytest

from intents.api.app import create_app
from intents.errors import UnavailableError
from intents.journal import open_journal
from tests.services import make_settings, open_small_service, signed_body


def test_the_lifespan_of_the_app_is_that_of_its_service(tmp_path: Path) -> None:
    async def live() -> None:
        service = open_small_service(tmp_path)
        app = create_app(service)
        with pytest.raises(UnavailableError, match="not started"):
            await service.run_round()
        async with app.router.lifespan_context(app):
            await service.run_round()
        with pytest.raises(UnavailableError):
            await service.post_intent(signed_body(service, 1))

    asyncio.run(live())
    open_journal(make_settings(tmp_path).database, write=True).close()
