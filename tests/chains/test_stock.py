import pickle
from collections.abc import Mapping, Sequence

import msgspec
import pytest

from chains.errors import CommitError
from chains.snapshot import StockQuote
from chains.units import USDC, WIRE_MAX
from chains.venues import AnyVenueSpec, Flow
from chains.venues.stock import QUOTES_MAX, StockDesk
from chains.venues.venue import VenueKind
from tests.feeds import MadeFeed
from tests.venue_specs import make_quote, make_stock, open_live, shown
from tests.worlds import CALL, LATER, PUT, START_US

SPEC = make_stock("east", {CALL: 50, USDC: 10_000})
FREE = {CALL: 50, USDC: 10_000}
LISTED = {CALL, PUT, LATER}
TWO = (make_quote(CALL, "sell", 700, 20), make_quote(CALL, "buy", 500, 8))
ASK, BID = f"east-stock/{CALL}/sell/700/1", f"east-stock/{CALL}/buy/500/1"


def ask_for(
    live: StockDesk,
    quotes: Sequence[StockQuote],
    *,
    free: Mapping[str, int] = FREE,
    pledged: Mapping[str, int] | None = None,
) -> str:
    return live.quote(quotes, free=free, listed=LISTED, pledged=pledged or {})


def new_desk() -> StockDesk:
    live = open_live(SPEC, MadeFeed({}))
    assert isinstance(live, StockDesk)
    return live


def quoted() -> StockDesk:
    live = new_desk()
    assert ask_for(live, TWO) == ""
    return live


def test_solver_stock_is_a_venue_of_a_registered_kind() -> None:
    kind: VenueKind = SPEC
    live = new_desk()
    assert (kind.size, live.chain, live.terms(START_US).kind) == (2, "east", "stock")
    data = msgspec.json.encode(SPEC)
    assert b'"holdings":[["BTC-26JUN26-100000-C",50],["USDC",10000]]' in data
    assert msgspec.json.decode(data, type=AnyVenueSpec) == SPEC
    assert SPEC.with_series({CALL: LATER}) == make_stock("east", {LATER: 50, USDC: 10_000})


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (make_stock("east", {PUT: 1, "BTC": 1}), ("holdings[1][0]", "BTC")),
        (msgspec.structs.replace(SPEC, holdings=((PUT, 1), (PUT, 2))), ("holdings[1][0]", PUT)),
        (make_stock("east", {}, flow=Flow()), ("flow.mean_gap_us", 1_000_000)),
    ],
)
def test_a_stock_that_contradicts_itself_is_named(spec: VenueKind, expected: tuple[str, object]) -> None:
    found = spec.contradiction(LISTED)
    assert found is not None
    assert found[:2] == expected
    assert SPEC.contradiction(LISTED) is None


def test_nothing_is_on_offer_until_the_solver_quotes() -> None:
    live = new_desk()
    assert shown(live) == {}
    assert live.next_flow_us() is None
    assert ask_for(live, TWO) == ""
    assert {name: (each.side, each.price, each.lots) for name, each in shown(live).items()} == {
        BID: ("buy", 500, 8),
        ASK: ("sell", 700, 20),
    }
    assert shown(live, pledged={ASK: 20, BID: 3})[BID].lots == 5
    assert ASK not in shown(live, pledged={ASK: 20})


@pytest.mark.parametrize(
    ("quotes", "said"),
    [
        ([make_quote("BTC-1JAN27-1-C", "sell", 1, 1)], "quotes[0].series: 'BTC-1JAN27-1-C' is not a listed"),
        ([*TWO, make_quote(CALL, "sell", 700, 1)], f"quotes[2].price: 700 appears twice (sell {CALL})"),
        ([*TWO, make_quote(CALL, "buy", 700, 1)], f"quotes: {CALL} is bought at 700, at or above the 700"),
        ([make_quote(CALL, "sell", WIRE_MAX, 2)], "quotes[0].lots: 2 make a quote worth more than"),
        ([make_quote(CALL, "sell", 9, 51)], f"quotes: 51 lots of {CALL} are offered, of which 50 are free"),
        (
            [make_quote(CALL, "sell", 9, 30), make_quote(CALL, "sell", 8, 21)],
            f"quotes: 51 lots of {CALL} are offered, of which 50 are free",
        ),
        ([make_quote(PUT, "sell", 9, 1)], f"quotes: 1 lots of {PUT} are offered, of which 0 are free"),
        (
            [make_quote(PUT, "buy", 5_000, 1), make_quote(CALL, "buy", 5_001, 1)],
            "quotes: 10001 micro-USDC are bid, of which 10000 are free",
        ),
        (
            [make_quote(CALL, "sell", price, 1) for price in range(QUOTES_MAX + 1)],
            f"{QUOTES_MAX + 1} quotes are more than {QUOTES_MAX}",
        ),
    ],
)
def test_a_set_that_the_stock_cannot_back_is_refused_and_the_old_one_stays(
    quotes: list[StockQuote], said: str
) -> None:
    live = quoted()
    before = shown(live)
    assert ask_for(live, quotes).startswith(said)
    assert shown(live) == before


def test_a_set_may_use_up_the_whole_stock() -> None:
    live = new_desk()
    assert ask_for(live, [make_quote(CALL, "sell", 9, 50), make_quote(PUT, "buy", 2_500, 4)]) == ""
    assert live.promised({}, shown=True) == {CALL: 50, USDC: 10_000}


def test_a_new_set_replaces_the_old_one_and_no_quotes_take_everything_back() -> None:
    live = quoted()
    assert ask_for(live, TWO[:1]) == ""
    assert list(shown(live)) == [f"east-stock/{CALL}/sell/700/2"]
    assert live.most(ASK) == 0
    assert live.lock(ASK, 1, now_us=START_US) == f"{ASK} is not quoted any more"
    assert ask_for(live, ()) == ""
    assert shown(live) == {}


def test_an_old_quote_that_a_deal_pledged_can_still_be_locked_and_traded() -> None:
    live = quoted()
    assert ask_for(live, (), pledged={ASK: 5}) == ""
    assert shown(live) == {}
    assert live.promised({ASK: 5}, shown=True) == {CALL: 5}
    assert live.most(ASK) == 20
    assert live.lock(ASK, 5, now_us=START_US) == ""
    assert ask_for(live, TWO[:1], free={CALL: 45}) == ""
    live.consume(ASK, 5)
    assert live.locked() == {}
    assert live.violations() == []
    assert ask_for(live, ()) == ""
    assert live.most(ASK) == 0


def test_what_was_traded_of_a_quote_is_gone() -> None:
    live = quoted()
    assert live.lock(ASK, 20, now_us=START_US) == ""
    assert live.lock(ASK, 1, now_us=START_US) == f"{ASK} has no 1 free lots"
    live.unlock(ASK, 15)
    live.consume(ASK, 5)
    assert shown(live)[ASK].lots == 15
    assert live.promised({ASK: 2}, shown=False) == {CALL: 2}
    assert live.promised({ASK: 2}, shown=True) == {CALL: 15, USDC: 4_000}


@pytest.mark.parametrize("lots", [0, -1, 4])
def test_only_locked_lots_can_be_unlocked_or_consumed(lots: int) -> None:
    live = quoted()
    assert live.lock(BID, 3, now_us=START_US) == ""
    for end in (live.unlock, live.consume):
        with pytest.raises(CommitError):
            end(BID, lots)


def test_delisted_series_vanish_but_their_locks_still_end() -> None:
    live = quoted()
    assert live.lock(ASK, 4, now_us=START_US) == ""
    live.delist({CALL})
    assert shown(live) == {}
    assert live.lock(ASK, 1, now_us=START_US) == f"{ASK} is not quoted any more"
    live.unlock(ASK, 1)
    live.consume(ASK, 3)
    assert (live.violations(), live.locked()) == ([], {})


def test_a_desk_comes_back_from_a_pickle_as_it_was() -> None:
    live = quoted()
    assert live.lock(ASK, 4, now_us=START_US) == ""
    again = pickle.loads(pickle.dumps(live))
    assert (shown(again), again.locked()) == (shown(live), live.locked())
    assert ask_for(again, TWO) == ""
    assert list(shown(again)) == [f"east-stock/{CALL}/buy/500/2", f"east-stock/{CALL}/sell/700/2"]
