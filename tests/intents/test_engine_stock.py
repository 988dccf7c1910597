"""`StockQuoted` in the engine: a solver quotes its own stock, funded, between two rounds."""

import pytest
from msgspec.structs import replace

from chains.snapshot import StockQuote
from chains.units import USDC
from intents.errors import EngineError
from intents.events import AuctionCut, Genesis, StockQuoted
from intents.refusals import Code, Refused
from tests.market_run import MarketRun, make_genesis, small_run, state_of
from tests.venue_specs import make_quote, make_stock
from tests.worlds import CALL, LATER, PUT, make_spec

SPEC = make_spec(
    venues=(
        make_stock("hub", {CALL: 20, USDC: 1_000_000}),
        make_stock("east", {PUT: 5}, solver="other"),
    )
)
GONE = "BTC-26JUN26-1-C"
SELL = make_quote(CALL, "sell", 6_000_000, 20)


def market() -> MarketRun:
    return small_run(spec=SPEC)


def quoted(
    run: MarketRun, *quotes: StockQuote, venue: str = "hub-stock", solver: str = "maker"
) -> StockQuoted:
    return StockQuoted(at_us=run.now_us, solver=solver, venue=venue, quotes=quotes)


def offered(run: MarketRun) -> list[tuple[str, str, str, int, int]]:
    return [
        (offer.venue, offer.series, offer.side, offer.price, offer.lots)
        for offer in run.engine.world.snapshot().offers
    ]


def test_quotes_are_on_offer_from_the_next_cut_on_and_replace_the_ones_before() -> None:
    run = market()
    run.must(quoted(run, SELL, make_quote(PUT, "buy", 100_000, 10)))
    auction, _ = run.cut()
    assert {offer.venue for offer in auction.offers} == {"hub-stock"}
    assert offered(run) == [
        ("hub-stock", CALL, "sell", 6_000_000, 20),
        ("hub-stock", PUT, "buy", 100_000, 10),
    ]
    run.decide(auction, ())
    run.must(quoted(run, make_quote(CALL, "sell", 7_000_000, 1)))
    assert offered(run) == [("hub-stock", CALL, "sell", 7_000_000, 1)]
    run.must(quoted(run))
    assert offered(run) == []


REFUSED = [
    ({"venue": "nowhere"}, (SELL,), Code.NOT_YOUR_VENUE, "venue", "nowhere"),
    ({"venue": "east-stock"}, (SELL,), Code.NOT_YOUR_VENUE, "venue", "east-stock"),
    ({"solver": "other"}, (SELL,), Code.NOT_YOUR_VENUE, "venue", "hub-stock"),
    ({}, (SELL, replace(SELL, series=GONE)), Code.UNKNOWN_SERIES, "quotes[1].series", GONE),
    ({}, (replace(SELL, price=10**12 + 1),), Code.OUT_OF_RANGE, "quotes[0].price", 10**12 + 1),
    ({}, (replace(SELL, lots=21),), Code.QUOTES_REFUSED, "quotes", 1),
    ({}, (SELL, replace(SELL, price=6_100_000, lots=1)), Code.QUOTES_REFUSED, "quotes", 2),
    ({}, (make_quote(LATER, "sell", 1, 1),), Code.QUOTES_REFUSED, "quotes", 1),
    ({}, (make_quote(PUT, "buy", 1_000_001, 1),), Code.QUOTES_REFUSED, "quotes", 1),
    ({}, (SELL, make_quote(CALL, "buy", 6_000_000, 1)), Code.QUOTES_REFUSED, "quotes", 2),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "quotes", "code", "field", "value"), REFUSED)
def test_what_is_refused_says_why_and_changes_nothing(
    changes: dict[str, str], quotes: tuple[StockQuote, ...], code: Code, field: str, value: object
) -> None:
    run = market()
    run.must(quoted(run, make_quote(CALL, "sell", 9_000_000, 2)))
    before = state_of(run.engine)
    refused = run.handle(quoted(run, *quotes, **changes))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field, refused.value) == (code, field, value)
    assert refused.message
    assert state_of(run.engine) == before


def test_a_shortage_is_said_with_its_numbers() -> None:
    run = market()
    refused = run.handle(quoted(run, replace(SELL, lots=21)))
    assert isinstance(refused, Refused)
    assert "21" in refused.message
    assert "20" in refused.message


def test_no_quote_changes_while_a_round_is_running() -> None:
    run = market()
    run.must(AuctionCut(at_us=run.now_us, auction=run.engine.next_auction_id))
    with pytest.raises(EngineError, match="while a round is running"):
        run.handle(quoted(run, SELL))
    fresh = market()
    fresh.cut()
    with pytest.raises(EngineError, match="while a round is running"):
        fresh.handle(quoted(fresh, SELL))


def test_the_events_alone_give_the_quotes_again() -> None:
    run = market()
    run.must(quoted(run, SELL))
    run.round()
    genesis, *events = run.events
    assert isinstance(genesis, Genesis)
    twin = MarketRun(genesis)
    for event in events:
        twin.must(event)
    assert offered(twin) == offered(run) != []
    assert state_of(twin.engine) == state_of(run.engine)


def test_a_market_without_stock_has_no_venue_to_quote_at() -> None:
    run = MarketRun(make_genesis(make_spec(), at_us=make_spec().start_us))
    refused = run.handle(quoted(run, SELL, venue="hub-book"))
    assert isinstance(refused, Refused)
    assert refused.code is Code.NOT_YOUR_VENUE
