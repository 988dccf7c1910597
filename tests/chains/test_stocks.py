import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.commit import DealPlan, LegPlan
from chains.errors import ChainsError, WorldFileError
from chains.ledger import OUTSIDE, deal_account, owner_account, stock_account, venue_account
from chains.snapshot import StockQuote, VenueTerms
from chains.stocks import trading_account
from chains.units import USDC
from chains.world import World
from chains.world_file import HOLDINGS_MAX, WorldSpec, check_world
from tests.venue_specs import make_quote, make_stock
from tests.worlds import (
    ALICE,
    CALL,
    LATER,
    PUT,
    START_US,
    default_levels,
    make_book,
    make_deadlines,
    make_spec,
    make_world,
    move,
)

SECOND = 1_000_000
HELD = {CALL: 40, PUT: 30, USDC: 2_000}
STOCK = stock_account("east-stock")


def world_with_stock() -> World:
    return make_world(make_spec(venues=(make_book("east", default_levels()), make_stock("east", HELD))))


def test_trades_are_booked_to_the_venue_or_to_what_the_solver_has_put_up() -> None:
    def terms(kind: str) -> VenueTerms:
        return VenueTerms(id="v", chain="a", kind=kind, fee_touch=0, fee_per_lot=0, as_of_us=0, max_lock_us=1)

    assert trading_account(terms("stock")) == stock_account("v")
    assert {trading_account(terms(kind)) for kind in ("order_book", "range_amm", "rfq")} == {
        venue_account("v")
    }


def test_a_world_knows_whose_stock_lies_where() -> None:
    world = world_with_stock()
    assert world.stock_solvers == {"east-stock": "maker"}
    assert world.stock_of("east-stock") == HELD
    assert world.quote_stock("east-book", ()) == "there is no stock venue 'east-book'"
    with pytest.raises(ChainsError, match="'east-book'"):
        world.stock_of("east-book")


def test_all_stock_on_a_chain_together_leaves_room_in_its_ledger() -> None:
    def spec(*amounts: int) -> WorldSpec:
        return make_spec(
            venues=tuple(
                make_stock("east", {CALL: 1, USDC: amount}, id=f"stock-{number}")
                for number, amount in enumerate(amounts)
            )
        )

    check_world(spec(HOLDINGS_MAX - 1, 1))
    said = r"venues\[1\]\.holdings\[1\]\[1\]: 2 brings the USDC of all stock on east to more than"
    with pytest.raises(WorldFileError, match=said):
        check_world(spec(HOLDINGS_MAX - 1, 2))


def test_what_is_on_offer_does_not_count_as_used_since_the_next_set_replaces_it() -> None:
    world = world_with_stock()
    assert world.quote_stock("east-stock", [make_quote(CALL, "sell", 5, 40)]) == ""
    assert world.stock_of("east-stock") == HELD
    assert world.quote_stock("east-stock", [make_quote(CALL, "sell", 6, 40)]) == ""


def test_cash_that_the_ledger_lost_is_seen_by_the_audit() -> None:
    world = world_with_stock()
    assert world.quote_stock("east-stock", [make_quote(LATER, "buy", 500, 4)]) == ""
    assert world.audit() == []
    world.ledgers["east"].record([move(STOCK, OUTSIDE, USDC, 1)])
    assert world.audit() == [f"{STOCK}: 2000 USDC promised, 1999 available"]


def stock_deal(deal: str, offers: list[tuple[str, str, str, int, int]]) -> DealPlan:
    """Alice takes (offer, series, side, price, lots) of the stock on east."""
    clearing, owner = deal_account(deal), owner_account(ALICE)
    transfers = []
    for _, series, side, price, lots in offers:
        source, target = (STOCK, owner) if side == "sell" else (owner, STOCK)
        transfers += [
            move(source, clearing, series, lots),
            move(clearing, target, series, lots),
            move(target, clearing, USDC, price * lots),
            move(clearing, source, USDC, price * lots),
        ]
    lots_by_offer = tuple((offer, lots) for offer, _, _, _, lots in offers)
    leg = LegPlan(chain="east", transfers=tuple(transfers), lots=lots_by_offer)
    return DealPlan(deal=deal, legs=(leg,), bridges=(), deadlines=make_deadlines(decide_after_us=10**9))


QUOTES = st.lists(
    st.builds(
        make_quote,
        st.sampled_from([CALL, PUT]),
        st.sampled_from(["sell", "buy"]),
        st.integers(1, 60),
        st.integers(1, 45),
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 3), QUOTES, st.integers(1, 20)), max_size=12))
def test_what_is_on_offer_can_always_be_settled(
    steps: list[tuple[int, list[StockQuote], int]],
) -> None:
    """Whatever is quoted, pledged and settled when: no leg is ever refused for want of stock."""
    world = world_with_stock()
    world.deposit(ALICE, "east", USDC, 10**6)
    world.ledgers["east"].record(
        [move(OUTSIDE, owner_account(ALICE), series, 10_000) for series in (CALL, PUT)]
    )
    for number, (wait, quotes, lots) in enumerate(steps):
        world.advance(world.now_us + wait * SECOND)
        free = world.stock_of("east-stock")
        wanted = {
            asset: sum(
                each.lots if each.side == "sell" else each.lots * each.price
                for each in quotes
                if asset == (each.series if each.side == "sell" else USDC)
            )
            for asset in (CALL, PUT, USDC)
        }
        said = world.quote_stock("east-stock", quotes)
        if any(amount > free.get(asset, 0) for asset, amount in wanted.items()):
            assert said
        offers = [each for each in world.snapshot().offers if each.venue == "east-stock"]
        if not said:
            assert sum(each.lots for each in offers) == sum(each.lots for each in quotes)
        taken = [(each.id, each.series, each.side, each.price, min(each.lots, lots)) for each in offers]
        world.prepare(stock_deal(f"deal-{number}", taken))
        assert world.audit() == []
    world.advance(START_US + 1_000 * SECOND)
    assert {record.state.value for record in world.deals.values()} <= {"settled"}
    assert world.audit() == []
