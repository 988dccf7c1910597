"""The market itself: what is listed, what it costs, what is allowed, what to sign; and whether it is up."""

from dataclasses import asdict

import msgspec
from fastapi import APIRouter, Response

from intents.admission import LIMITS
from intents.api.answers import documented, json_answer
from intents.api.openapi import wire_answer
from intents.engine import Engine
from intents.schemas import Eip712View, Health, MarketView
from intents.service import Service
from intents.typed_data import Domain, eip712_domain, eip712_types


def market_routes(service: Service) -> APIRouter:
    """``GET /v1/market`` and ``GET /healthz``."""
    routes = APIRouter(tags=["market"])

    @routes.get("/v1/market", **wire_answer(MarketView))
    async def get_market() -> Response:
        """Everything that is needed to sign an intent and to judge its chances."""
        return json_answer(
            show_market(service.market.engine, domain=service.domain, time_us=service.now_us())
        )

    @routes.get("/healthz", response_model=Health, responses=documented())
    async def get_health() -> Health:
        """Whether the market accepts intents; 503 while it is being rebuilt from its journal."""
        return Health(
            status="ok",
            time_us=service.now_us(),
            seq=service.market.seq,
            rounds=service.market.engine.round_number,
        )

    return routes


def show_market(engine: Engine, *, domain: Domain, time_us: int) -> MarketView:
    """The market as it stands; bridge capacities are what is free now."""
    snapshot, terms = engine.world.snapshot(), engine.genesis.terms
    rules = msgspec.structs.asdict(terms.rules)
    rules |= {name: getattr(terms, name) for name in ("round_us", "solve_us", "bond", "abort_fee")}
    return MarketView(
        eip712=msgspec.convert({"domain": eip712_domain(domain), "types": eip712_types()}, Eip712View),
        hub=snapshot.hub,
        chains=snapshot.chains,
        bridges=snapshot.bridges,
        venues=snapshot.venues,
        series=snapshot.series,
        rules=rules,
        limits=asdict(LIMITS) | {"faucet_max": terms.faucet_max},
        time_us=time_us,
    )
