"""Pages are bounded."""

from pathlib import Path

import httpx

from intents.api.paging import PAGE_MAX
from intents.service import Service
from tests.services import error_of, run_client


def test_a_page_has_at_most_its_limit(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        for page in ("/v1/intents", "/v1/auctions"):
            assert (await client.get(f"{page}?limit={PAGE_MAX}")).status_code == 200
            beyond = error_of(await client.get(f"{page}?limit={PAGE_MAX + 1}"))
            assert beyond == (400, "malformed", "limit", str(PAGE_MAX + 1))
            long = error_of(await client.get(f"{page}?after={'x' * 129}"))
            assert long[:3] == (400, "malformed", "after")

    run_client(tmp_path, story)
