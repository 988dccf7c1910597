"""Auctions over HTTP: sealed until they are decided."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from chains.units import MICRO
from intents.api.auctions import auction_routes
from intents.errors import JournalError
from intents.journal import Journal
from intents.service import Service
from solvers.auction import Auction
from solvers.codec import decode, encode
from solvers.competition import RoundResult
from solvers.outcome import HOUSE, Outcome
from tests.services import ALICE, error_of, fund, post_body, run_client, signed_body


def test_bids_and_outcome_are_sealed_until_the_auction_is_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE)
        await post_body(client, signed_body(service, 1))
        page = "/v1/auctions/auction-000001"
        for path in (page, f"{page}/bids", f"{page}/outcome"):
            assert error_of(await client.get(path))[:2] == (404, "unknown_auction")
        seen: list[Any] = []

        async def compete(auction: Auction, **_: Any) -> RoundResult:
            seen.append(await client.get(page))
            seen.extend([error_of(await client.get(f"{page}/{part}")) for part in ("bids", "outcome")])
            seen.append((await client.get("/v1/auctions")).json()["auctions"][0]["status"])
            return RoundResult(submissions=(), reports=())

        monkeypatch.setattr(service._rounds._competition, "run", compete)
        summary = await service.run_round()
        auction = decode(seen[0].content, Auction)
        assert seen[1:] == [(409, "sealed", "id", summary.auction)] * 2 + ["solving"]

        outcome = decode((await client.get(f"{page}/outcome")).content, Outcome)
        assert outcome.content_hash == auction.content_hash
        assert (await client.get(page)).content == encode(auction)
        bids = (await client.get(f"{page}/bids")).json()["bids"]
        assert [(bid["solver"], bid["reason"]) for bid in bids] == [("house", "won")]
        assert bids[0]["score"] == outcome.choice.score
        (standing,) = (await client.get("/v1/solvers")).json()["solvers"]
        assert (standing["solver"], standing["wins"]) == ("house", 1)
        assert standing["score"] == outcome.choice.score

    run_client(tmp_path, story)


def test_standings_tell_what_decisions_promised_and_what_became_of_it(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        async def standings() -> dict[str, Any]:
            return {each["solver"]: each for each in (await client.get("/v1/solvers")).json()["solvers"]}

        (first,) = (await standings()).values()
        assert (first["solver"], first["bond_posted"], first["bond_left"]) == ("single", 500, 500)
        assert (first["rounds"], first["win_rate_bps"], first["bid_reasons"]) == (0, 0, {})
        await fund(client, ALICE)
        await post_body(client, signed_body(service, 1))
        summary = await service.run_round()
        decided = service.find_decided(summary.auction)
        assert decided is not None
        before = await standings()
        assert {each["deals_settled"] for each in before.values()} == {0}
        service.advance_to(service.now_us() + 60 * MICRO)
        after = await standings()
        assert set(after) == {HOUSE, "single"}
        for name, each in after.items():
            own = [deal for deal in decided.outcome.deals if deal.solver == name]
            awarded = sum(part.amount for deal in own for part in deal.reward)
            assert each["rewards_awarded"] == each["rewards_earned"] == awarded
            assert (each["deals_settled"], each["deals_aborted"]) == (len(own), 0)
            assert (each["fees_asked"], each["fees_earned"], each["penalties"]) == (0, 0, 0)
            assert each["win_rate_bps"] == (10_000 if own else 0)
            assert each["rounds"] == 1
        assert sum(each["deals_settled"] for each in after.values()) == 1

    run_client(tmp_path, story, solvers=("single",), bond=500)


def test_auctions_are_listed_in_pages(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        for _ in range(3):
            await service.run_round()
        first = (await client.get("/v1/auctions?limit=2")).json()
        assert [each["auction"] for each in first["auctions"]] == ["auction-000001", "auction-000002"]
        rest = (await client.get(f"/v1/auctions?limit=2&after={first['next']}")).json()
        assert [each["auction"] for each in rest["auctions"]] == ["auction-000003"]
        assert rest["next"] is None
        assert error_of(await client.get("/v1/auctions?after=x"))[:3] == (404, "unknown_auction", "after")

    run_client(tmp_path, story)


def test_an_auction_that_was_never_decided_is_void_and_stays_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("intents.rounds.arbitrate", lambda *_: 1 // 0)
            with pytest.raises(ZeroDivisionError):
                await service.run_round()
        await service.run_round()
        lines = (await client.get("/v1/auctions")).json()["auctions"]
        assert [line["status"] for line in lines] == ["void", "decided"]
        answer = await client.get("/v1/auctions/auction-000001/bids")
        assert error_of(answer)[:2] == (409, "sealed")
        assert "void" in answer.json()["message"]

    run_client(tmp_path, story)


def test_a_damaged_entry_is_a_failure_of_the_answer_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await service.run_round()

        def damaged(*_: object) -> Any:
            raise JournalError("entry 3 of the journal is damaged", seq=3)

        monkeypatch.setattr(Journal, "find", damaged)
        answer = await client.get("/v1/auctions/auction-000001")
        assert error_of(answer)[:2] == (503, "unavailable")
        assert (await client.get("/healthz")).status_code == 200

    run_client(tmp_path, story)


def test_the_record_can_only_be_read(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        for route in auction_routes(service).routes:
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                answer = await client.request(method, route.path.replace("{id}", "auction-000001"))
                assert error_of(answer)[:2] == (405, "method_not_allowed")

    run_client(tmp_path, story)
