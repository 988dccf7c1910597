"""Quotes over HTTP: what is quoted is what is charged, nothing changes, and nobody can ask too much."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from chains.commit import DealState
from chains.snapshot import BridgeTerms
from chains.units import MICRO
from intents import quote_desk
from intents.api.quotes import quote_routes
from intents.quoting import Quoter
from intents.service import Service
from tests.services import (
    ALICE,
    START_S,
    BrokenDisk,
    error_of,
    fund,
    make_message,
    post_body,
    reopened,
    run_client,
    signed_body,
    state_of,
)
from tests.worlds import CALL, LATER, PUT, START_US, make_spec


def body(**intent: Any) -> dict[str, Any]:
    """Three calls on the hub, or other fields."""
    return {
        "kind": "OptionIntent",
        "intent": {"chain": "hub", "legs": [{"series": CALL, "ratio": 1}], "units": 3} | intent,
    }


async def quoted(client: httpx.AsyncClient, **intent: Any) -> dict[str, Any]:
    answer = await client.post("/v1/quotes", json=body(**intent))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


WANTED: dict[str, dict[str, Any]] = {
    "a call": {"units": 3},
    "more than one level": {"units": 77},
    "over three chains": {"units": 170},
    "all or none": {"units": 170, "minUnits": 170},
    "more than there is": {"units": 900},
    "a spread with a put": {"legs": [{"series": CALL, "ratio": 1}, {"series": PUT, "ratio": -1}], "units": 9},
    "two calls each": {"legs": [{"series": CALL, "ratio": 2}], "units": 25},
    "a calendar": {"legs": [{"series": LATER, "ratio": -1}, {"series": CALL, "ratio": 1}], "units": 5},
    "a written call": {"legs": [{"series": CALL, "ratio": -1}], "units": 40},
    "elsewhere": {"chain": "east", "units": 12},
    "elsewhere, from everywhere": {"chain": "west", "units": 160},
    "with a limit": {"units": 60, "limit": 7_200_000},
}


CHAINS_TOUCHED = {25: 2, 40: 2, 60: 2, 77: 2, 160: 3, 170: 3, 900: 3}
"""By units asked for; smaller orders stay at home."""


@pytest.mark.parametrize("wanted", WANTED.values(), ids=list(WANTED))
def test_what_is_quoted_is_what_is_charged_when_it_is(tmp_path: Path, wanted: dict[str, Any]) -> None:
    """Quoted, signed and posted at the limit that is told, cut with nobody else, and settled."""

    async def story(service: Service, client: httpx.AsyncClient) -> None:
        chain = wanted.get("chain", "hub")
        await fund(client, ALICE, chain=chain)
        quote = await quoted(client, **wanted)
        plan = quote["plan"]
        assert plan is not None
        assert sum(plan["costs"].values()) == plan["payment"] == plan["per_unit"] * plan["units"]
        terms = body(**wanted)["intent"] | {"limit": plan["fills_from"]}
        id_ = await post_body(client, signed_body(service, 1, **terms))
        summary = await service.run_round()
        (deal,) = (await client.get(f"/v1/auctions/{summary.auction}/outcome")).json()["deals"]
        (fill,) = deal["fills"]
        assert (deal["solver"], fill["intent"]) == ("house", id_)
        assert (fill["units"], fill["payment"]) == (plan["units"], plan["payment"])
        assert deal["chains"] == plan["chains"]
        assert len(plan["chains"]) == CHAINS_TOUCHED.get(wanted["units"], 1)
        assert (deal["decide_by_us"], deal["release_by_us"]) == (
            START_US + plan["times"]["decide_by_us"],
            START_US + plan["times"]["release_by_us"],
        )
        service.advance_to(START_US + 100 * MICRO)
        record = service.market.engine.world.deals[deal["deal"]]
        assert record.state is DealState.SETTLED
        delivered_us = max(leg.ended_us or 0 for leg in record.legs.values())
        assert delivered_us == START_US + plan["times"]["delivered_us"]

    run_client(tmp_path, story, spec=make_spec(bridges=wide_bridges()))


def wide_bridges() -> tuple[BridgeTerms, ...]:
    bridges = make_spec().bridges
    return tuple(replace(bridge, capacity_lots=10**9, capacity_cash=10**13) for bridge in bridges)


def test_a_quote_changes_nothing(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE)
        await post_body(client, signed_body(service, 1))
        before = state_of(service)
        for wanted in WANTED.values():
            await quoted(client, owner=ALICE, **wanted)
        assert state_of(service) == before

    run_client(tmp_path, story)


def test_a_whole_unsigned_intent_is_quoted_as_it_is(tmp_path: Path) -> None:
    """The file that is signed can be quoted first; other intents do not matter, and that is said."""

    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE)
        await post_body(client, signed_body(service, 1, units=40))
        message = make_message(ALICE, 2)
        quote = await quoted(client, **message)
        assert (quote["market"], quote["as_of_us"]) == ("alone", START_US)
        assert quote["limit"] == {"given": 8_000_000, "fills": True, "lowest": 7_000_586, "misses_by": 0}
        assert quote["reserves"] == [
            {"asset": "USDC", "amount": 16 * MICRO, "free": (10_000 - 40 * 8) * MICRO}
        ]
        text = {name: str(value) if type(value) is int else value for name, value in message.items()}
        assert await quoted(client, **text) == quote

    run_client(tmp_path, story)


def test_a_limit_that_misses_is_told_by_how_much(tmp_path: Path) -> None:
    async def story(_: Service, client: httpx.AsyncClient) -> None:
        quote = await quoted(client, units=1, limit=7_000_000)
        assert quote["limit"] == {
            "given": 7_000_000,
            "fills": False,
            "lowest": 7_000_666,
            "misses_by": 666,
        }
        assert quote["plan"]["payment"] == 7_000_665, "what the market would charge without it"
        assert quote["obstacle"]["reason"] == "limit_short"
        assert quote["obstacle"]["numbers"] == {"where": "intent", "found": 7_000_000, "allowed": 7_000_666}
        assert (await quoted(client, units=1, limit=7_000_666))["limit"]["fills"]

    run_client(tmp_path, story)


def test_collateral_is_that_of_the_owner(tmp_path: Path) -> None:
    """Lots that are held close a position; others are written against coins."""

    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE)
        await post_body(client, signed_body(service, 1))
        decided_us = (await service.run_round()).decided_us
        service.advance_to(decided_us + 60 * MICRO)
        sale = {"legs": [{"series": CALL, "ratio": -1}], "limit": -1}
        nobody = await quoted(client, units=2, **sale)
        assert nobody["reserves"] == [{"asset": "BTC", "amount": 2 * MICRO, "free": None}]
        closing = await quoted(client, units=2, owner=ALICE, **sale)
        assert closing["reserves"] == [{"asset": CALL, "amount": 2, "free": 2}]
        writing = await quoted(client, units=3, owner=ALICE, **sale)
        assert writing["reserves"] == [{"asset": "BTC", "amount": 3 * MICRO, "free": 1_000 * MICRO}]
        reducing = await quoted(client, units=3, owner=ALICE, reduceOnly=True, **sale)
        assert (reducing["units"], reducing["plan"]["units"]) == (2, 2)
        assert reducing["reserves"] == [{"asset": CALL, "amount": 2, "free": 2}]

    run_client(tmp_path, story)


BAD: dict[str, tuple[Any, tuple[int, str, str, Any]]] = {
    "no json": (b"{", (400, "malformed_json", "body", None)),
    "no object": (b"[]", (400, "malformed", "body", "an array of 0")),
    "no intent": ({"kind": "OptionIntent"}, (400, "missing_field", "intent", None)),
    "intent is a list": (
        {"kind": "OptionIntent", "intent": []},
        (400, "malformed", "intent", "an array of 0"),
    ),
    "empty intent": ({"kind": "OptionIntent", "intent": {}}, (400, "missing_field", "chain", None)),
    "signed": (body() | {"signature": "0x"}, (400, "unknown_field", "signature", "0x")),
    "another kind": (body() | {"kind": "CancelBelow"}, (400, "malformed", "kind", "CancelBelow")),
    "payoff": (body() | {"kind": "PayoffIntent"}, (422, "unsupported", "kind", "PayoffIntent")),
    "unknown field": (body(price=1), (400, "unknown_field", "price", 1)),
    "float": (body(units=1.5), (400, "malformed", "units", "1.5")),
    "null limit": (body(limit=None), (400, "malformed", "limit", None)),
    "huge": (body(limit=2**60), (422, "out_of_range", "limit", str(2**60))),
    "no units": (body(units=0), (422, "bad_units", "units", 0)),
    "minimum above units": (body(minUnits=4), (422, "bad_min_units", "minUnits", 4)),
    "no legs": (body(legs=[]), (422, "no_legs", "legs", 0)),
    "zero ratio": (body(legs=[{"series": CALL, "ratio": 0}]), (422, "bad_ratio", "legs[0].ratio", 0)),
    "value": (body(limit=10**12, units=9), (422, "out_of_range", "limit", 10**12)),
    "lots": (body(units=2 * 10**9), (422, "out_of_range", "legs[0].ratio", 1)),
    "unknown chain": (body(chain="moon"), (422, "unknown_chain", "chain", "moon")),
    "unknown series": (
        body(legs=[{"series": "BTC-26JUN26-1-C", "ratio": 1}]),
        (422, "unknown_series", "legs[0].series", "BTC-26JUN26-1-C"),
    ),
    "no series": (body(legs=[{"series": "x", "ratio": 1}]), (422, "unknown_series", "legs[0].series", "x")),
    "expired": (body(validUntil=START_S), (422, "expired", "validUntil", START_S)),
    "not yet": (body(validFrom=START_S + 1), (422, "not_yet_valid", "validFrom", START_S + 1)),
    "too long": (
        body(validUntil=START_S + 31 * 86_400),
        (422, "lifetime_too_long", "validUntil", START_S + 31 * 86_400),
    ),
    "buys to reduce": (body(reduceOnly=True), (422, "not_reducing", "legs[0].ratio", 1)),
    "bad owner": (body(owner="0x12"), (400, "malformed", "owner", "0x12")),
}


def test_bad_input_is_refused_with_field_and_value(tmp_path: Path) -> None:
    async def story(_: Service, client: httpx.AsyncClient) -> None:
        for name, (sent, expected) in BAD.items():
            how = {"content": sent} if isinstance(sent, bytes) else {"json": sent}
            assert error_of(await client.post("/v1/quotes", **how)) == expected, name
        large = error_of(await client.post("/v1/quotes", content=b" " * (16 * 1_024 + 1)))
        assert large == (413, "too_large", "body", 16 * 1_024 + 1)

    run_client(tmp_path, story)


def test_quotes_can_only_be_asked_for(tmp_path: Path) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        for route in quote_routes(service).routes:
            for method in ("GET", "PUT", "PATCH", "DELETE"):
                answer = await client.request(method, route.path)
                assert error_of(answer)[:2] == (405, "method_not_allowed")

    run_client(tmp_path, story)


def test_no_more_quotes_are_worked_out_at_once_than_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but so many are told to come again, and the market goes on; then quotes are to be had again."""

    async def story(service: Service, client: httpx.AsyncClient) -> None:
        may_go_on = threading.Event()
        work_out = Quoter.quote

        def wait(*args: Any, **options: Any) -> Any:
            assert may_go_on.wait(timeout=30)
            return work_out(*args, **options)

        with monkeypatch.context() as patched:
            patched.setattr(Quoter, "quote", wait)
            asked = [asyncio.create_task(client.post("/v1/quotes", json=body())) for _ in range(12)]
            done, _ = await asyncio.wait(asked, timeout=10, return_when=asyncio.FIRST_COMPLETED)
            while len(done) < 12 - quote_desk.WAITING_MAX:
                done, _ = await asyncio.wait(asked, timeout=0.05)
            await fund(client, ALICE)
            may_go_on.set()
            answers = await asyncio.gather(*asked)
        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) == 12 - quote_desk.WAITING_MAX
        for answer in refused:
            assert error_of(answer) == (429, "busy", "quotes", quote_desk.WAITING_MAX)
            assert answer.headers["retry-after"] == "1"
        assert len({answer.text for answer in answers if answer.status_code == 200}) == 1
        assert (await client.post("/v1/quotes", json=body())).status_code == 200

    run_client(tmp_path, story)


def test_a_quote_is_as_of_the_newest_event(tmp_path: Path) -> None:
    """What was indexed serves as long as nothing happens, and not a moment longer."""

    async def story(service: Service, client: httpx.AsyncClient) -> None:
        await fund(client, ALICE)
        before = await quoted(client, units=140)
        assert await quoted(client, units=140) == before
        id_ = await post_body(client, signed_body(service, 1, units=30, limit=9_000_000))
        assert (await quoted(client, units=140))["plan"] == before["plan"], "an open intent is nobody's offer"
        await service.run_round()
        after = await quoted(client, units=140)
        assert after["as_of_us"] > before["as_of_us"]
        assert after["plan"]["payment"] > before["plan"]["payment"], f"{id_} has pledged the cheapest lots"

    run_client(tmp_path, story)


def test_a_market_that_is_being_rebuilt_quotes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(service: Service, client: httpx.AsyncClient) -> None:
        disk = BrokenDisk(monkeypatch)
        answer = await client.post(
            f"/v1/accounts/{ALICE}/deposits", json={"chain": "hub", "asset": "USDC", "amount": 5}
        )
        assert error_of(answer)[:2] == (503, "unavailable")
        assert error_of(await client.post("/v1/quotes", json=body()))[:2] == (503, "unavailable")
        disk.mended = True
        await reopened(service)
        assert (await quoted(client))["plan"]["units"] == 3

    run_client(tmp_path, story)
