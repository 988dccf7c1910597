"""Pay-out at expiry: by hand to the last unit, and over random packages on chains joined by bridges."""

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import LedgerError
from chains.expiry import pay_out, settlement_price
from chains.ledger import (
    OUTSIDE,
    RESERVE,
    Ledger,
    Transfer,
    bridge_account,
    owner_account,
    stock_account,
    venue_account,
    written_account,
)
from chains.series import OptionKind, parse_series
from chains.units import COIN, MICRO, USDC
from intents.collateral import requirement_of
from tests import worlds

CALL, HIGH = "BTC-26JUN26-100000-C", "BTC-26JUN26-110000-C"
PUT, LOW = "BTC-26JUN26-100000-P", "BTC-26JUN26-90000-P"
FAR, ETHER = "BTC-25SEP26-100000-C", "ETH-26JUN26-3000-C"
ANN, BOB = owner_account("0xa"), owner_account("0xb")
WRITTEN = written_account("0xa", "BTC-26JUN26")
VENUE = venue_account("book")


def move(debit: str, credit: str, asset: str, amount: int) -> Transfer:
    return Transfer(debit=debit, credit=credit, asset=asset, amount=amount)


def settle(*ledgers: Ledger, price: int, expired: tuple[str, ...] = (CALL, HIGH, PUT, LOW)) -> dict[str, int]:
    return pay_out(ledgers, expired, forward=lambda series: price)


def written(legs: Mapping[str, int], backing: Mapping[str, int], *, taker: str = BOB) -> Ledger:
    """Ann has written some legs, which Bob has taken, with what backs them; the venue sold her the rest."""
    ledger = Ledger("hub")
    for series, lots in legs.items():
        ledger.record(
            [move(VENUE, WRITTEN, series, lots) if lots > 0 else move(WRITTEN, taker, series, -lots)]
        )
    for asset, amount in backing.items():
        ledger.record([move(OUTSIDE, WRITTEN, asset, amount)])
    return ledger


@pytest.mark.parametrize(
    ("forward", "lot_size", "price"),
    [
        (100_500_000_000, (1, 100), 100_500_000_000),
        (100_500_000_049, (1, 100), 100_500_000_000),
        (100_500_000_050, (1, 100), 100_500_000_100),
        (3_000_000_004, (1, 10), 3_000_000_000),
        (3_000_000_005, (1, 10), 3_000_000_010),
        (7, (2, 10), 5),
        (7, (3, 1), 7),
        (0, (1, 100), 0),
    ],
)
def test_the_price_is_the_nearest_at_which_a_lot_is_worth_whole_micro_usdc(
    forward: int, lot_size: tuple[int, int], price: int
) -> None:
    assert settlement_price(forward, lot_size) == price
    assert price * lot_size[0] % lot_size[1] == 0


def test_a_covered_call_that_is_short_of_usdc_delivers_coins() -> None:
    """One lot of 0.01 BTC, strike 100,000, settled at 103,000: 30 USDC, out of 0.01 BTC and no USDC.

    A 1e-8 coin is worth 1,030 micro-USDC, so 30,000,000 / 1,030 = 29,126.2: 29,127 are delivered. They
    bring 29,127 * 1,030 = 30,000,810, of which 810 micro-USDC go to the reserve. 970,873 go back to Ann.
    """
    ledger = written({CALL: -1}, {"BTC": COIN // 100})
    assert settle(ledger, price=103_000 * MICRO) == {"BTC-26JUN26": 103_000 * MICRO}
    assert ledger.holdings(BOB) == {USDC: 30 * MICRO}
    assert ledger.holdings(ANN) == {"BTC": 1_000_000 - 29_127}
    assert ledger.holdings(WRITTEN) == {}
    assert ledger.holdings(RESERVE) == {USDC: 810}
    assert ledger.holdings(OUTSIDE) == {"BTC": 29_127 - 1_000_000, USDC: -30_000_810}


def test_usdc_pays_before_coins_do() -> None:
    """A covered call and a put of the same strike: at 103,000 the put's 1,000 USDC pay the call's 30."""
    ledger = written({CALL: -1, PUT: -1}, {"BTC": COIN // 100, USDC: 1_000 * MICRO})
    settle(ledger, price=103_000 * MICRO)
    assert ledger.holdings(ANN) == {"BTC": COIN // 100, USDC: 970 * MICRO}
    assert ledger.holdings(BOB) == {USDC: 30 * MICRO}


def test_coins_pay_what_usdc_leaves_and_never_more_than_there_are() -> None:
    """At 10^7 USD a lot of the call owes 0.01 * (10^7 - 1) USDC: nearly the whole coin behind it."""
    deep = "BTC-26JUN26-1-C"
    ledger = written({deep: -1}, {"BTC": COIN // 100, USDC: 5})
    settle(ledger, price=10_000_000 * MICRO, expired=(deep,))
    owed = 9_999_999 * MICRO // 100
    sold = -((5 - owed) // 100_000)
    assert sold == 1_000_000
    assert ledger.holdings(BOB) == {USDC: owed}
    assert ledger.holdings(ANN) == {}
    assert ledger.balance(RESERVE, USDC) == 100_000 * sold - (owed - 5)


@pytest.mark.parametrize(("price", "paid"), [(80_000, 200), (95_000, 100), (120_000, 0)])
def test_a_spread_is_paid_out_of_its_width_and_the_rest_returns(price: int, paid: int) -> None:
    """Two lots short of the 100,000 put, long the 90,000: the width is 200 USDC, and that is what they owe.

    The long legs were bought from the venue, which pays for them; at 80,000 that is 2 * 100 USDC, and the
    short legs owe 2 * 200.
    """
    ledger = written({PUT: -2, LOW: 2}, {USDC: 200 * MICRO})
    settle(ledger, price=price * MICRO)
    assert ledger.holdings(ANN) == ({USDC: (200 - paid) * MICRO} if paid < 200 else {})
    short = 2 * max(0, 100_000 - price) // 100
    assert ledger.balance(BOB, USDC) == short * MICRO
    assert ledger.balance(VENUE, USDC) == -(short - paid) * MICRO


def test_a_long_that_crossed_a_bridge_is_paid_through_its_custody() -> None:
    """Bob's three calls lie on the hub, their writer on the east: 30 USDC a lot go over the bridge."""
    custody = bridge_account("east-hub")
    east = written({CALL: -3}, {"BTC": 3 * COIN // 100}, taker=custody)
    hub = Ledger("hub")
    hub.record([move(custody, BOB, CALL, 3)])
    settle(east, hub, price=103_000 * MICRO)
    assert east.holdings(custody) == {USDC: 90 * MICRO}
    assert hub.holdings(custody) == {USDC: -90 * MICRO}
    assert hub.holdings(BOB) == {USDC: 90 * MICRO}
    assert east.balance(ANN, "BTC") == 3_000_000 - 87_379


def test_stock_and_the_world_outside_settle_theirs() -> None:
    ledger, stock = Ledger("hub"), stock_account("desk")
    ledger.record([move(OUTSIDE, stock, CALL, 5), move(stock, BOB, CALL, 2)])
    settle(ledger, price=101_000 * MICRO)
    assert ledger.holdings(stock) == {USDC: 30 * MICRO}
    assert ledger.holdings(BOB) == {USDC: 20 * MICRO}
    assert ledger.holdings(OUTSIDE) == {USDC: -50 * MICRO}


def test_other_maturities_and_the_owners_funds_are_left_alone() -> None:
    ledger = written({CALL: -1}, {"BTC": COIN // 100})
    later = written_account("0xa", "BTC-25SEP26")
    ledger.record([move(later, BOB, FAR, 1), move(OUTSIDE, later, "BTC", 9), move(OUTSIDE, ANN, USDC, 7)])
    ledger.record([move(VENUE, BOB, ETHER, 4)])
    assert ledger.pend("deal", [move(ANN, VENUE, USDC, 7), move(VENUE, ANN, FAR, 1)]) is None
    settle(ledger, price=90_000 * MICRO)
    assert ledger.holdings(later) == {FAR: -1, "BTC": 9}
    assert ledger.holdings(BOB) == {FAR: 1, ETHER: 4}
    assert ledger.holdings(ANN) == {USDC: 7, "BTC": COIN // 100}
    assert ledger.held(ANN, USDC) == 7


def test_nothing_is_paid_while_a_transfer_of_the_maturity_is_pending() -> None:
    quiet, busy = written({CALL: -1}, {"BTC": COIN // 100}), Ledger("east")
    busy.record([move(VENUE, BOB, CALL, 1)])
    busy.pend("deal", [move(BOB, VENUE, CALL, 1)])
    with pytest.raises(LedgerError, match=f"east: {CALL} expires while deal is pending"):
        settle(quiet, busy, price=103_000 * MICRO)
    assert quiet.holdings(BOB) == {CALL: 1}


# --- random packages over chains and bridges, against exact fractions -------------------------------

NAMES = (CALL, HIGH, PUT, LOW, "BTC-26JUN26-1-C", "BTC-26JUN26-95001-P")
PLACES = ("hub", "east", "west")
packages = st.dictionaries(st.sampled_from(NAMES), st.integers(-4, 4).filter(bool), min_size=1, max_size=4)
written_packages = st.lists(
    st.tuples(st.sampled_from(["0x1", "0x2"]), st.sampled_from(PLACES), packages, st.integers(1, 50)),
    min_size=1,
    max_size=8,
)


def exact_value(holdings: Mapping[str, int], price: int) -> Fraction:
    """Micro-USDC that lots are worth, worked out in coins and USD."""
    total = Fraction(0)
    for text, lots in holdings.items():
        if "-" in text:
            series = parse_series(text)
            above = Fraction(price, MICRO) - series.strike
            inside = max(Fraction(0), above if series.kind is OptionKind.CALL else -above)
            total += lots * Fraction(*series.lot_size) * inside * MICRO
    return total


def build_chains(packages: Any, random: Random) -> dict[str, Ledger]:
    """What is written is backed as the market backs it; the other side is anybody's, here or elsewhere."""
    ledgers = {place: Ledger(place) for place in PLACES}
    for owner, place, legs, units in packages:
        requirement = requirement_of(tuple(legs.items()), limit=0)
        ledger = ledgers[place]
        for series, lots in requirement.bought:
            take(ledgers, place, owner_account(owner), series, lots * units, random)
        for part in requirement.written:
            account = written_account(owner, part.maturity)
            for asset, amount in part.collateral:
                ledger.record([move(OUTSIDE, account, asset, amount * units)])
            for series, lots in part.legs:
                take(ledgers, place, account, series, lots * units, random)
    return ledgers


def take(
    ledgers: Mapping[str, Ledger], place: str, account: str, series: str, lots: int, random: Random
) -> None:
    """Lots for an account: from a venue, or (sold) to a holder or venue, on this chain or over a bridge."""
    if lots > 0:
        ledgers[place].record([move(venue_account(f"{place}-book"), account, series, lots)])
        return
    away = random.choice([other for other in PLACES if other != place])
    holder = random.choice([owner_account("0x7"), owner_account("0x8"), stock_account("desk"), None])
    if random.random() < 0.5:
        bridge = bridge_account(f"{place}-{away}")
        ledgers[place].record([move(account, bridge, series, -lots)])
        ledgers[away].record([move(bridge, holder or venue_account(f"{away}-book"), series, -lots)])
    else:
        ledgers[place].record([move(account, holder or venue_account(f"{place}-book"), series, -lots)])


def image(ledgers: Mapping[str, Ledger]) -> dict[tuple[str, str], dict[str, int]]:
    return {
        (place, account): ledger.holdings(account)
        for place, ledger in ledgers.items()
        for account in ledger.accounts()
    }


@given(
    packages=written_packages,
    price=st.one_of(
        st.sampled_from([0, 1, 90_000 * MICRO, 95_001 * MICRO, 100_000 * MICRO, 10**14]),
        st.integers(0, 200_000 * MICRO),
    ),
    random=st.randoms(use_true_random=False),
)
@settings(max_examples=120, deadline=None)
def test_everybody_gets_what_is_exactly_theirs(packages: Any, price: int, random: Random) -> None:
    ledgers = build_chains(packages, random)
    before = image(ledgers)
    (settled,) = pay_out(ledgers.values(), NAMES, forward=lambda series: price).values()
    assert abs(settled - price) <= 50
    after = image(ledgers)
    assert not [asset for held in after.values() for asset in held if "-" in asset]
    assert not [place for place in after if place[1].startswith("written:")]
    gained: Counter[tuple[str, str]] = Counter()
    for (place, account), held in before.items():
        kind, _, name = account.partition(":")
        value = exact_value(held, settled)
        assert value.denominator == 1
        if kind in ("venue", "stock", "bridge") or name in ("0x7", "0x8"):
            assert after.get((place, account), {}).get(USDC, 0) == value
        elif kind == "owner":
            gained[place, name] += int(value)
    check_writers(before, after, gained, settled)
    for ledger in ledgers.values():
        assert not any(ledger.totals().values())
    for place in PLACES:
        for away in PLACES:
            ends = [after.get((at, f"bridge:{place}-{away}"), {}).get(USDC, 0) for at in (place, away)]
            assert sum(ends) == 0 or place == away


def check_writers(before: Any, after: Any, gained: Counter[tuple[str, str]], price: int) -> None:
    """Free lots are paid in full; what is written costs its exact worth, and less than a coin's unit more."""
    dust: Counter[str] = Counter()
    for (place, account), held in before.items():
        if account.startswith("written:"):
            owner = account.removeprefix("written:").partition("/")[0]
            coins = held.get("BTC", 0)
            cash = held.get(USDC, 0) + int(exact_value(held, price))
            sold = -(cash * COIN // price) if cash < 0 else 0
            assert 0 <= sold <= coins
            got = after.get((place, owner_account(owner)), {})
            assert got.get("BTC", 0) == coins - sold
            assert got.get(USDC, 0) == gained[place, owner] + max(0, cash)
            dust[place] += sold * price // COIN + min(0, cash)
            assert (sold - 1) * price < -cash * COIN or not sold
    for place in PLACES:
        assert after.get((place, RESERVE), {}).get(USDC, 0) == dust[place] >= 0


# --- in the world ---------------------------------------------------------------------------------


def test_the_world_pays_out_on_every_chain_the_instant_a_maturity_expires() -> None:
    """Forward 100,500: a lot of the 100,000 call is worth 5 USDC, of the put nothing."""
    world = worlds.make_world()
    for chain in ("hub", "east"):
        for series in (worlds.CALL, worlds.PUT, worlds.LATER):
            world.transfer(chain, [move(venue_account(f"{chain}-book"), ANN, series, 2)])
    world.advance(worlds.JUNE_US - 1)
    assert world.maturities == ("BTC-26JUN26", "BTC-25SEP26")
    assert world.settlement_prices == {}
    world.advance(worlds.JUNE_US)
    for chain in ("hub", "east"):
        ledger = world.ledgers[chain]
        assert ledger.holdings(ANN) == {worlds.LATER: 2, USDC: 10 * MICRO}
        assert ledger.holdings(venue_account(f"{chain}-book")) == {worlds.LATER: -2, USDC: -10 * MICRO}
    assert world.settlement_prices == {"BTC-26JUN26": 100_500 * MICRO}
    assert "BTC-26JUN26" not in world.maturities
    assert world.audit() == []
