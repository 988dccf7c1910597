"""Accounts: balances, reservations and positions; simulated deposits."""

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response

from chains.ledger import is_series_asset, owner_account, written_account
from intents.api.answers import documented, refusal
from intents.api.bodies import DEPOSIT_BYTES_MAX, body_schema, read_body
from intents.deposits import read_deposit, read_owner
from intents.engine import Engine
from intents.refusals import Code, Refused
from intents.schemas import (
    AccountView,
    BalanceView,
    ChainAccount,
    DepositView,
    PositionView,
    PostDeposit,
    WrittenView,
)
from intents.service import Service


def account_routes(service: Service) -> APIRouter:
    """``GET /v1/accounts/{owner}`` and ``POST /v1/accounts/{owner}/deposits``."""
    routes = APIRouter(tags=["accounts"])

    @routes.get("/v1/accounts/{owner}", response_model=AccountView, responses=documented(Code.MALFORMED))
    async def get_account(owner: str) -> Response | AccountView:
        """What an owner has on every chain, what backs its intents, and its positions."""
        address = read_owner(owner)
        if isinstance(address, Refused):
            return refusal(address)
        return show_account(service.market.engine, address)

    @routes.post(
        "/v1/accounts/{owner}/deposits",
        status_code=201,
        response_model=DepositView,
        responses=documented(Code.TOO_LARGE, Code.MALFORMED, Code.FAUCET_LIMIT),
        openapi_extra=body_schema(PostDeposit),
    )
    async def post_deposit(request: Request, owner: str) -> Response | DepositView:
        """Make a simulated deposit, up to the faucet's limit."""
        body = await read_body(request, bytes_max=DEPOSIT_BYTES_MAX)
        deposit = body if isinstance(body, Refused) else read_deposit(owner, body)
        if isinstance(deposit, Refused):
            return refusal(deposit)
        refused = await service.deposit(deposit)
        if refused is not None:
            return refusal(refused)
        balance = service.market.engine.funds(deposit.owner, deposit.chain, deposit.asset)
        return DepositView(
            owner=deposit.owner,
            chain=deposit.chain,
            asset=deposit.asset,
            amount=deposit.amount,
            balance=balance,
        )

    return routes


def show_account(engine: Engine, owner: str) -> AccountView:
    """An owner's accounts on every chain on which there is anything."""
    chains = []
    for chain in engine.world.ledgers:
        balances = list(_balances(engine, owner, chain))
        written = list(_written(engine, owner, chain))
        if balances or written:
            chains.append(ChainAccount(chain=chain, balances=balances, written=written))
    return AccountView(
        owner=owner,
        nonce_floor=str(engine.book.nonce_floor(owner)),
        active_intents=len(engine.book.active_of(owner)),
        chains=chains,
    )


def _balances(engine: Engine, owner: str, chain: str) -> Iterator[BalanceView]:
    """By asset; lots of a series that has expired are nobody's, whatever still names them."""
    reserved = {
        asset: amount for (place, asset), amount in engine.book.reservations(owner).items() if place == chain
    }
    for asset in sorted({*engine.world.ledgers[chain].holdings(owner_account(owner)), *reserved}):
        if is_series_asset(asset) and asset not in engine.world.listed:
            continue
        balance = engine.funds(owner, chain, asset)
        held = reserved.get(asset, 0)
        yield BalanceView(asset=asset, balance=balance, reserved=held, free=balance - held)


def _written(engine: Engine, owner: str, chain: str) -> Iterator[WrittenView]:
    ledger = engine.world.ledgers[chain]
    for maturity in engine.world.maturities:
        holdings = ledger.holdings(written_account(owner, maturity))
        if holdings:
            views = [PositionView(asset=asset, amount=amount) for asset, amount in holdings.items()]
            yield WrittenView(
                maturity=maturity,
                positions=[view for view in views if is_series_asset(view.asset)],
                collateral=[view for view in views if not is_series_asset(view.asset)],
            )
