"""A world with an order book, a range pool, an RFQ maker and solver stock, as deals see it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.commit import DealPlan, DealState, LegPlan
from chains.deals import DealUpdate
from chains.errors import CommitError
from chains.ledger import OUTSIDE, deal_account, owner_account, stock_account, venue_account
from chains.snapshot import Offer, StockQuote
from chains.units import MICRO, USDC
from chains.venues import Flow
from chains.world import World
from chains.world_file import WorldSpec, decode_world, encode_world
from tests.venue_specs import make_maker, make_pool, make_quote, make_stock
from tests.worlds import (
    ALICE,
    CALL,
    JUNE_US,
    LATER,
    PUT,
    START_US,
    default_levels,
    make_book,
    make_deadlines,
    make_plan,
    make_spec,
    make_world,
    move,
    with_flow,
)

SECOND = MICRO
BUSY = Flow(mean_gap_us=400_000, lots_max=30)
SERIES = (CALL, PUT, LATER)
HELD = {CALL: 60, PUT: 40, USDC: 10**9}
QUOTES = (make_quote(CALL, "sell", 90_000_000, 25), make_quote(PUT, "buy", 80_000_000, 10))


def every_kind(**pool: Any) -> WorldSpec:
    return make_spec(
        venues=(
            make_book("east", default_levels()),
            make_pool("east", [(series, 2_000_000, 40, 500_000) for series in SERIES], **pool),
            make_maker("west", [(series, 800_000, 30) for series in SERIES]),
            make_stock("east", HELD),
        )
    )


def live(spec: WorldSpec | None = None, *, seed: int = 0) -> World:
    world = make_world(spec or every_kind(), seed=seed)
    assert world.quote_stock("east-stock", QUOTES) == ""
    return world


def best(world: World, venue: str, side: str, series: str = CALL) -> Offer:
    """The first offer of a venue on a side of a series."""
    return next(
        each
        for each in world.snapshot().offers
        if (each.venue, each.side, each.series) == (venue, side, series)
    )


def test_a_world_of_every_kind_is_a_world_file_and_comes_back_from_one() -> None:
    assert decode_world(encode_world(every_kind())) == every_kind()


def test_a_snapshot_shows_the_offers_of_every_kind() -> None:
    world = live()
    snapshot = world.snapshot()
    kinds = {venue.id: venue.kind for venue in snapshot.venues}
    assert set(kinds.values()) == {"order_book", "range_amm", "rfq", "stock"}
    assert {kinds[each.venue] for each in snapshot.offers} == set(kinds.values())
    for each in snapshot.offers:
        assert isinstance(each.firm_until_us, int) == (kinds[each.venue] == "rfq")
    marks = {mark.series: mark.price for mark in snapshot.marks}
    assert best(world, "west-rfq", "sell").price == round(marks[CALL]) + 800_000
    assert best(world, "east-pool", "buy").price == round(marks[CALL]) - 1_000_000
    assert msgspec.json.decode(msgspec.json.encode(snapshot), type=type(snapshot)) == snapshot


def buy_plan(deal: str, offers: dict[str, Offer], lots: int) -> DealPlan:
    """Alice buys lots of offers of one series on the east chain: the cash goes to where each lies."""
    clearing, owner = deal_account(deal), owner_account(ALICE)
    transfers = []
    for account, offer in offers.items():
        transfers += [
            move(owner, clearing, USDC, offer.price * lots),
            move(clearing, account, USDC, offer.price * lots),
            move(account, clearing, offer.series, lots),
            move(clearing, owner, offer.series, lots),
        ]
    leg = LegPlan(
        chain="east",
        transfers=tuple(transfers),
        lots=tuple((offer.id, lots) for offer in offers.values()),
    )
    return DealPlan(deal=deal, legs=(leg,), bridges=(), deadlines=make_deadlines())


def test_a_deal_takes_from_a_pool_and_from_stock_and_the_stock_is_paid_from_its_own_account() -> None:
    world = live()
    world.deposit(ALICE, "east", USDC, 10**10)
    pool, stock = best(world, "east-pool", "sell"), best(world, "east-stock", "sell")
    accounts = {venue_account("east-pool"): pool, stock_account("east-stock"): stock}
    world.prepare(buy_plan("deal-1", accounts, lots=10))
    assert best(world, "east-pool", "sell").lots == 10
    assert best(world, "east-stock", "sell").lots == 15
    assert world.stock_of("east-stock") == HELD | {CALL: 50}
    (update,) = world.advance(START_US + 10 * SECOND)
    assert update.state is DealState.SETTLED
    ledger = world.ledgers["east"]
    assert ledger.holdings(stock_account("east-stock")) == {
        CALL: 50,
        PUT: 40,
        USDC: 10**9 + 10 * stock.price,
    }
    assert ledger.balance(owner_account(ALICE), CALL) == 20
    assert ledger.balance(venue_account("east-pool"), USDC) == 10 * pool.price
    assert world.stock_of("east-stock")[CALL] == 50
    assert world.audit() == []


def test_a_pool_that_followed_the_oracle_refuses_a_price_that_is_worse_for_it() -> None:
    # Nothing but time passes, so marks fall: the pool still sells at its old price, and buys no more.
    # The oracle's next round is at 3 s, the deals arrive at 4 s.
    world = live(every_kind(heartbeat_us=SECOND, deviation_bps=0))
    world.advance(START_US + 2_500_000)
    bid, ask = best(world, "east-pool", "buy"), best(world, "east-pool", "sell")
    world.prepare(make_plan("sells", {"east": {bid.id: 5}}))
    world.prepare(make_plan("buys", {"east": {ask.id: 5}}))
    updates = {update.deal: update for update in world.advance(START_US + 10 * SECOND)}
    assert updates["buys"].state is DealState.SETTLED
    assert updates["sells"].state is DealState.CLOSED
    assert updates["sells"].detail.startswith(f"east: {bid.id} is stale: the pool bids ")
    assert world.audit() == []


def test_a_quote_that_is_not_firm_any_more_is_refused_and_the_whole_deal_with_it() -> None:
    # A block of the slow chain takes a minute, and the quote is firm for 40 s.
    world = make_world(make_spec(venues=(make_maker("slow", [(CALL, 800_000, 30)]),)))
    quote = best(world, "slow-rfq", "sell")
    deadlines = make_deadlines(decide_after_us=500 * SECOND)
    world.prepare(make_plan("late", {"slow": {quote.id: 5}, "hub": {}}, deadlines=deadlines))
    aborted, closed = world.advance(START_US + 900 * SECOND)
    assert (aborted.state, closed.state) == (DealState.ABORTED, DealState.CLOSED)
    end_us, block_us = START_US + 40 * SECOND, START_US + 60 * SECOND
    assert aborted.detail == f"slow: {quote.id} was firm until {end_us}, it is {block_us}"
    assert world.audit() == []


def test_stock_that_a_deal_pledged_cannot_be_quoted_again() -> None:
    world = live()
    stock = best(world, "east-stock", "sell")
    world.prepare(make_plan("deal-1", {"east": {stock.id: 25}}))
    assert world.quote_stock("east-stock", [make_quote(CALL, "sell", 1, 36)]) == (
        f"quotes: 36 lots of {CALL} are offered, of which 35 are free"
    )
    assert world.quote_stock("east-stock", [make_quote(CALL, "sell", 1, 35)]) == ""
    (update,) = world.advance(START_US + 10 * SECOND)
    assert update.state is DealState.SETTLED
    assert world.audit() == []


def test_a_quote_that_was_taken_back_cannot_be_pledged() -> None:
    world = live()
    stock = best(world, "east-stock", "sell")
    assert world.quote_stock("east-stock", ()) == ""
    with pytest.raises(CommitError, match="never holds"):
        world.prepare(make_plan("deal-1", {"east": {stock.id: 1}}))


def everything(world: World) -> tuple[object, ...]:
    deals = {name: (record.state, record.failure) for name, record in world.deals.items()}
    ledgers = {
        name: {account: ledger.holdings(account) for account in ledger.accounts()}
        for name, ledger in world.ledgers.items()
    }
    return world.snapshot(), deals, ledgers, world.stock_of("east-stock"), world.next_event_us()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    steps=st.lists(st.integers(0, 100 * SECOND), max_size=12),
    deals=st.lists(st.integers(0, 60), min_size=1, max_size=5),
)
def test_history_depends_neither_on_the_steps_of_time_nor_on_who_looks(
    seed: int, steps: list[int], deals: list[int]
) -> None:
    spec = with_flow(every_kind(heartbeat_us=7 * SECOND, deviation_bps=0), BUSY)
    stock = msgspec.structs.replace(spec.venues[3], flow=Flow(mean_gap_us=0))
    spec = msgspec.structs.replace(spec, venues=(*spec.venues[:3], stock))

    def run(stops: list[int], *, looks: bool) -> tuple[list[DealUpdate], tuple[object, ...]]:
        world = live(spec, seed=seed)
        updates: list[DealUpdate] = []
        starts = sorted(START_US + second * SECOND for second in deals)
        for at_us in sorted({*stops, *starts, START_US + 120 * SECOND}):
            updates += world.advance(at_us)
            if looks:
                world.snapshot()
                assert world.audit() == []
            for number, start_us in enumerate(starts):
                if start_us == at_us:
                    begin(world, number)
        return updates, everything(world)

    assert run([START_US + step for step in steps], looks=True) == run([], looks=False)


def begin(world: World, number: int) -> None:
    """A deal over a pool, a maker and stock, as far as they have lots, and a new set of quotes."""
    offers = [each for each in world.snapshot().offers if each.venue != "east-book"]
    picked = offers[number::7]
    lots = {
        chain: {each.id: min(each.lots, 3) for each in picked if each.venue.startswith(chain)}
        for chain in ("east", "west")
    }
    world.prepare(make_plan(f"deal-{number}", {"hub": {}} | lots))
    held = world.stock_of("east-stock")
    quotes = tuple(
        StockQuote(series=series, side="sell", price=10**8 + number, lots=held[series] // 2)
        for series in (CALL, PUT)
        if held.get(series, 0) > 1
    )
    assert world.quote_stock("east-stock", quotes) == ""


def test_a_further_venue_of_any_kind_does_not_disturb_the_others() -> None:
    spec = with_flow(make_spec(venues=every_kind().venues[:3]), BUSY)
    fewer = msgspec.structs.replace(spec, venues=spec.venues[1:])
    worlds = [make_world(each) for each in (spec, fewer)]
    for world in worlds:
        world.advance(START_US + 200 * SECOND)
    whole, part = (
        {each.id: each for each in world.snapshot().offers if each.venue != "east-book"} for world in worlds
    )
    assert whole == part
    assert whole != {each.id: each for each in make_world(fewer).snapshot().offers}


def test_series_of_every_kind_of_venue_vanish_when_they_expire() -> None:
    world = live(every_kind())
    world.advance(JUNE_US)
    assert {each.series for each in world.snapshot().offers} == {LATER}
    assert world.audit() == []


def test_stock_is_funded_from_outside_when_the_world_begins_but_not_in_what_has_expired() -> None:
    world = make_world(every_kind())
    ledger = world.ledgers["east"]
    assert ledger.holdings(stock_account("east-stock")) == HELD
    assert ledger.holdings(OUTSIDE) == {asset: -amount for asset, amount in HELD.items()}
    later = World(every_kind(), seed=0, start_us=JUNE_US)
    assert later.stock_of("east-stock") == {USDC: 10**9}
    assert later.audit() == []
