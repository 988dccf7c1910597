"""Markets for benchmarks: the reference world, with traders who have funds and orders drawn for them.

World, traders and orders depend on the seed alone. Every trader has the largest deposit that the faucet
gives, so that no order is refused for want of collateral.
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chains.units import MICRO, USDC
from intents.engine import Engine
from intents.events import Deposited, Genesis, IntentPosted
from intents.genesis import found_market
from intents.order_flow import OrderFlow, Trader, make_traders, read_screen
from intents.settings import Settings
from intents.typed_data import Domain, OptionIntent, intent_digest, intent_id

START_US: Final = 1_767_571_200 * MICRO
"""2026-01-05 at 00:00 UTC, when the demo begins too."""

TRADERS: Final = 18
"""As many as in the demo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMarket:
    """How a market begins, and the unsigned orders that come into it, as EIP-712 messages."""

    genesis: Genesis
    deposits: tuple[Deposited, ...]
    orders: tuple[tuple[Trader, dict[str, Any]], ...]

    @property
    def domain(self) -> Domain:
        terms = self.genesis.terms
        return Domain(chain_id=terms.chain_id, verifying_contract=terms.verifying_contract)


def draw_market(*, seed: int, orders: int) -> DrawnMarket:
    """A market of 18 traders and so many orders, priced from the world's first snapshot."""
    genesis = found_market(Settings(seed=seed), start_us=START_US)
    snapshot = Engine(genesis).world.snapshot()
    traders = make_traders(seed, count=TRADERS, chains=[chain.id for chain in snapshot.chains])
    screen = read_screen(snapshot, now_us=START_US)
    drawn = OrderFlow(seed=seed, traders=traders).draw(screen, count=orders, now_us=START_US)
    deposits = (
        Deposited(
            at_us=START_US,
            owner=trader.owner,
            chain=trader.chain,
            asset=asset,
            amount=genesis.terms.faucet_max,
        )
        for trader in traders
        for asset in (USDC, "BTC")
    )
    return DrawnMarket(genesis=genesis, deposits=tuple(deposits), orders=tuple(drawn))


def open_engine(market: DrawnMarket) -> Engine:
    """The market's engine with every order in its book; no signature is looked at."""
    engine = Engine(market.genesis)
    for deposit in market.deposits:
        _take(engine, deposit)
    for _, message in market.orders:
        intent = msgspec.convert(message, OptionIntent)
        id_ = intent_id(intent_digest(market.domain, intent))
        _take(engine, IntentPosted(at_us=START_US, id=id_, intent=intent, signature="0x"))
    return engine


def _take(engine: Engine, event: Deposited | IntentPosted) -> None:
    refused = engine.handle(event)
    if refused is not None:
        raise ValueError(f"the benchmark's own event is refused: {refused.message}")
