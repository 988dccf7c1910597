"""Synthetic order flow: a function of its seed, and every order is one that the market takes."""

from typing import Any

import msgspec
import pytest
from eth_account import Account

from chains.reference import reference_world
from chains.series import OptionKind, parse_series
from chains.snapshot import Mark, Snapshot
from chains.units import MICRO
from chains.world import World
from intents.admission import MarketTermsView, check_terms
from intents.order_flow import SHAPES, OrderFlow, Screen, Trader, make_traders, read_screen
from tests.builders import CALL, HIGH, PUT, make_auction, make_offer
from tests.market_run import START_US, as_intent

CHAINS = ("hub", "base", "solana")


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return World(reference_world(seed=0, start_us=START_US), seed=0, start_us=START_US).snapshot()


@pytest.fixture(scope="module")
def screen(snapshot: Snapshot) -> Screen:
    return read_screen(snapshot, now_us=START_US)


def draw(screen: Screen, *, seed: int = 0, count: int = 300) -> list[tuple[Trader, dict[str, Any]]]:
    flow = OrderFlow(seed=seed, traders=make_traders(seed, count=12, chains=CHAINS))
    return flow.draw(screen, count=count, now_us=START_US)


def shape_of(legs: list[dict[str, Any]]) -> str:
    """The shape of a package, from what it is made of."""
    series = [parse_series(leg["series"]) for leg in legs]
    if len(legs) == 1:
        return "single"
    if len(legs) == 3:
        return "butterfly"
    if series[0].expiry != series[1].expiry:
        return "calendar"
    return "vertical" if series[0].kind is series[1].kind else "strangle"


def test_equal_seeds_draw_equal_orders(screen: Screen) -> None:
    assert draw(screen) == draw(screen)
    assert draw(screen, seed=1) != draw(screen)


def test_it_does_not_matter_in_how_many_draws_orders_come(screen: Screen) -> None:
    traders = make_traders(0, count=12, chains=CHAINS)
    flow = OrderFlow(seed=0, traders=traders)
    drawn = [order for _ in range(3) for order in flow.draw(screen, count=100, now_us=START_US)]
    assert drawn == draw(screen)


def test_every_order_is_admissible_as_it_stands(screen: Screen, snapshot: Snapshot) -> None:
    terms = MarketTermsView(
        chains={chain.id for chain in snapshot.chains}, series={series.id for series in snapshot.series}
    )
    seen = set()
    for trader, message in draw(screen):
        intent = as_intent(message)
        assert check_terms(intent, terms, START_US) is None
        assert (intent.owner, intent.chain) == (trader.owner, trader.chain)
        seen.add((intent.owner, intent.nonce))
    assert len(seen) == 300


def test_all_shapes_and_sides_and_kinds_of_order_occur(screen: Screen) -> None:
    messages = [message for _, message in draw(screen)]
    assert {shape_of(message["legs"]) for message in messages} == set(SHAPES)
    assert {message["legs"][0]["ratio"] > 0 for message in messages} == {True, False}
    assert {message["limit"] > 0 for message in messages} == {True, False}
    assert {message["immediate"] for message in messages} == {True, False}
    assert {message["units"] == message["minUnits"] > 1 for message in messages} == {True, False}


def test_some_orders_answer_others_from_the_other_side(screen: Screen) -> None:
    packages: set[tuple[tuple[str, int], ...]] = set()
    answered = 0
    for _, message in draw(screen):
        legs = tuple((leg["series"], leg["ratio"]) for leg in message["legs"])
        answered += tuple((series, -ratio) for series, ratio in legs) in packages
        packages.add(legs)
    assert answered > 50


def test_limits_lie_between_the_model_and_a_little_beyond_the_screen(screen: Screen) -> None:
    """As far beyond the model as the screen is, but no more than a few points of volatility."""
    crossing = 0
    for _, message in draw(screen):
        legs = tuple((leg["series"], leg["ratio"]) for leg in message["legs"])
        fair, paid = screen.price(legs)
        edge = min(paid - fair, screen.most_edge(legs))
        slack = 0.004 * abs(fair) + 1
        assert (
            min(0.5 * edge, 1.6 * edge) - 1 <= message["limit"] - fair <= max(0.5 * edge, 1.6 * edge) + slack
        )
        crossing += message["limit"] >= paid
    assert 20 < crossing < 240


def test_traders_hang_on_the_seed_alone_and_hold_their_keys() -> None:
    traders = make_traders(5, count=7, chains=CHAINS)
    assert traders == make_traders(5, count=7, chains=CHAINS)
    assert [trader.chain for trader in traders] == ["hub", "base", "solana", "hub", "base", "solana", "hub"]
    assert all(Account.from_key(trader.key).address.lower() == trader.owner for trader in traders)
    others = make_traders(6, count=7, chains=CHAINS)
    assert not {trader.key for trader in traders} & {trader.key for trader in others}
    assert len({trader.key for trader in traders}) == 7


def mark(series: str, delta: float) -> Mark:
    greeks = {"iv": 0.6, "gamma": 0.0, "vega": 0.0, "theta": 0.0}
    return Mark(series=series, price=50.0, delta=delta, oracle_round=1, oracle_as_of_us=1, **greeks)


def test_a_screen_shows_the_best_of_all_venues_where_both_sides_are_quoted() -> None:
    auction = make_auction(
        offers=(
            make_offer("hub-book", CALL, "sell", 60, 1),
            make_offer("east-book", CALL, "sell", 55, 1),
            make_offer("hub-book", CALL, "buy", 40, 1),
            make_offer("east-book", CALL, "buy", 45, 1),
            make_offer("hub-book", HIGH, "sell", 60, 1),
            make_offer("hub-book", PUT, "sell", 60, 1),
            make_offer("hub-book", PUT, "buy", 60, 1),
        ),
        marks=(mark(CALL, 0.5), mark(HIGH, 0.4), mark(PUT, -0.05)),
    )
    screen = read_screen(auction, now_us=auction.cut_us)
    assert [series.id for series in screen.series] == [CALL]
    assert screen.price(((CALL, 2),)) == (100.0, 110)
    assert screen.price(((CALL, -2),)) == (-100.0, -90)
    last_hour_us = auction.series[0].expiry * MICRO - 3_600 * MICRO
    assert read_screen(auction, now_us=last_hour_us).series == ()


def test_packages_never_mix_underlyings(screen: Screen) -> None:
    twins = tuple(
        parse_series(series.id.replace("BTC", underlying))
        for series in screen.series
        for underlying in ("BTC", "ETH")
    )

    def quote(prices: Any) -> dict[str, float]:
        return {series.id: prices[series.id.replace("ETH", "BTC")] for series in twins}

    both = Screen(
        series=twins,
        fair=quote(screen.fair),
        bid=quote(screen.bid),
        ask=quote(screen.ask),
        vega=quote(screen.vega),
    )
    drawn = draw(both)
    for _, message in drawn:
        assert len({leg["series"][:3] for leg in message["legs"]}) == 1
    assert {message["legs"][0]["series"][:3] for _, message in drawn} == {"BTC", "ETH"}


def test_a_screen_without_series_draws_nothing() -> None:
    blank = Screen(series=(), fair={}, bid={}, ask={}, vega={})
    assert draw(blank, count=0) == []
    with pytest.raises(ValueError, match="shows no series"):
        draw(blank, count=1)


def test_strangles_are_a_put_below_a_call(screen: Screen) -> None:
    for _, message in draw(screen, seed=3):
        if shape_of(message["legs"]) == "strangle":
            put, call = (parse_series(leg["series"]) for leg in message["legs"])
            assert (put.kind, call.kind) == (OptionKind.PUT, OptionKind.CALL)
            assert put.strike <= call.strike


def test_a_message_is_plain_json(screen: Screen) -> None:
    for _, message in draw(screen, count=20):
        assert msgspec.json.decode(msgspec.json.encode(message)) == message
