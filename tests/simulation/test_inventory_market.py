"""A market with a solver's stock in it: orders are filled from it on their own chain, without a hop."""

from pathlib import Path

import pytest

from chains.commit import DealState
from chains.ledger import stock_account
from chains.units import MICRO, USDC
from intents.events import StockQuoted
from intents.refusals import Refused
from intents.replay import replay_all
from intents.verify import verify_archive
from solvers.auction import Auction
from solvers.strategies.greedy import Greedy
from solvers.strategies.inventory import Inventory
from tests.market_run import ALICE, BOB, MarketRun, make_genesis, make_intent, state_of, violations
from tests.venue_specs import make_stock
from tests.worlds import CALL, PUT, START_US, make_book, make_spec

HELD = {CALL: 40, PUT: 10, USDC: 20_000 * MICRO}
AWAY = 110_000_000
"""What the call costs on another chain; the model says 94 USD."""

SPEC = make_spec(
    venues=(
        make_book("east", [(CALL, "sell", AWAY, 40), (CALL, "buy", 80_000_000, 40)]),
        make_stock("hub", HELD, solver="inventory"),
    )
)


class WatchedRun(MarketRun):
    """A market whose invariants are looked at after every event."""

    def handle(self, event: object) -> Refused | None:
        refused = super().handle(event)  # type: ignore[arg-type]
        assert violations(self) == [], event
        return refused


@pytest.fixture(scope="module")
def run() -> MarketRun:
    """Inventory quotes in the first round; Alice buys in the second, Bob sells in the third."""
    genesis = make_genesis(SPEC, at_us=START_US)
    market = WatchedRun(genesis, strategies={"greedy": Greedy(), "inventory": Inventory()})
    for owner in (ALICE, BOB):
        market.deposit(owner, "hub", USDC, 10_000 * MICRO)
        market.deposit(owner, "hub", "BTC", 10**8)
    market.round()
    market.post(make_intent(ALICE, 1, {CALL: 1}, 105_000_000, units=10))
    market.round()
    market.post(make_intent(BOB, 1, {CALL: -1}, -85_000_000, units=4))
    market.round()
    market.settle_all()
    return market


def asks(auction: Auction) -> list[int]:
    return [each.price for each in auction.offers if (each.venue, each.side) == ("hub-stock", "sell")]


def quoted(run: MarketRun, series: str, side: str) -> list[int]:
    """What inventory asked or bid for a series, round after round."""
    return [
        quote.price
        for event in run.events
        if isinstance(event, StockQuoted)
        for quote in event.quotes
        if (quote.series, quote.side) == (series, side)
    ]


def test_an_order_is_filled_from_stock_on_its_own_chain_without_a_hop(run: MarketRun) -> None:
    bought, sold = (outcome.deals[0] for outcome in run.outcomes[1:])
    for deal, owner, units in ((bought, ALICE, 10), (sold, BOB, 4)):
        record = run.engine.world.deals[deal.deal]
        assert record.state is DealState.SETTLED
        assert deal.chains == ("hub",)
        assert record.hub.plan.bridges == ()
        assert [(fill.owner, fill.units) for fill in deal.fills] == [(owner, units)]
        trades = [offer for leg in record.hub.plan.legs for offer, _ in leg.lots]
        assert all(offer.startswith("hub-stock/") for offer in trades)
    assert bought.fills[0].payment < 10 * AWAY


def test_the_stock_has_what_its_quotes_were_worth(run: MarketRun) -> None:
    """Ten lots went for the ask of the first round, four came for the bid of the second, with venue fees."""
    ledger, account = run.engine.world.ledgers["hub"], stock_account("hub-stock")
    ask, bid = quoted(run, CALL, "sell")[0], quoted(run, CALL, "buy")[1]
    fees = 2 * 50 + (10 + 4) * 5
    assert ledger.balance(account, CALL) == HELD[CALL] - 10 + 4
    assert ledger.balance(account, PUT) == HELD[PUT]
    assert ledger.balance(account, USDC) == HELD[USDC] + 10 * ask - 4 * bid + fees


def test_everybodys_money_is_that_of_the_start(run: MarketRun) -> None:
    """What owners paid is what the stock, the fees and the reserve have got, to the micro-USDC."""
    paid = sum(fill.payment for deal in run.deals.values() for fill in deal.fills)
    ledger = run.engine.world.ledgers["hub"]
    got = {name: ledger.balance(name, USDC) for name in ledger.accounts()}
    gained = got[stock_account("hub-stock")] - HELD[USDC]
    others = sum(
        amount for name, amount in got.items() if name.partition(":")[0] in ("fees", "reserve", "solver")
    )
    assert gained + others == paid


def test_it_asks_more_after_a_sale_and_bids_less_after_a_purchase(run: MarketRun) -> None:
    first, second, third = quoted(run, CALL, "sell")
    assert second == pytest.approx(first, rel=1e-5)  # Alice's lots were still there when it was made
    assert third > first
    auction, _ = run.cut()
    assert asks(auction)[0] == third


def test_the_events_alone_give_the_market_with_its_quotes(run: MarketRun) -> None:
    genesis, *rest = run.events
    twin = MarketRun(genesis)  # type: ignore[arg-type]
    for event in rest:
        assert twin.handle(event) is None
    assert state_of(twin.engine) == state_of(run.engine)


def test_its_record_verifies_and_replays(run: MarketRun, tmp_path: Path) -> None:
    archive, records = run.export(tmp_path)
    assert verify_archive(archive).deals == 2
    assert all(replayed.is_match for replayed in replay_all(records))
