"""One good bid over two chains, and for every rule a bid that breaks it and no other."""

from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from chains.units import MICRO, USDC, WIRE_MAX
from solvers.auction import Auction, Payoff
from solvers.bid import Bid, Fee, Fill, Pool, Trade, Transfer
from solvers.reasons import Rule
from tests.builders import (
    CALL,
    CUT_US,
    PUT,
    SOLVE_US,
    make_auction,
    make_bid,
    make_bridge,
    make_offer,
    make_order,
    make_reference,
    make_venue,
)

ASK = f"east-book/{CALL}/sell/1000000"
CASH_EAST = 4_006_250
"""4 lots at 1,000,000, venue 50 + 4 * 5, bridge 5,000 + 4 * 20, settlement 100 + 1,000."""

NEED_HUB = CASH_EAST + 5_000 + 4_007 + 100 + 10 + 1_000 + 12
"""The cash sent, the bridge's fixed fee and 10 bps, settlement with one fill, protocol 4 * 3."""

DECIDE_US = CUT_US + SOLVE_US + (5 * MICRO * 3) // 2 + 5 * MICRO + 2 * MICRO + MICRO // 2
"""1.5 * (two blocks, twice the relay, finality) and the outage budget; hub finality and skew."""

RELEASE_US = DECIDE_US + 2 * MICRO + (3 * MICRO * 3) // 2 + 5 * MICRO
EXPIRY_US = 1_782_460_800 * MICRO


def crossing_auction(**changes: Any) -> Auction:
    """One order on the hub for calls that only `east` sells."""
    terms: dict[str, Any] = {
        "orders": (make_order("buyer", {CALL: 1}, 1_100_000, units=4, min_units=2),),
        "offers": (make_offer("east-book", CALL, "sell", 1_000_000, 4),),
    }
    return make_auction(**terms | changes)


def crossing_bid(**changes: Any) -> Bid:
    """Buy 4 lots on `east`, pay for them from the hub, bring them home."""
    good = make_bid({"buyer": 4}, {ASK: 4}, {("hub-east", USDC): CASH_EAST, ("east-hub", CALL): 4})
    return replace(good, **changes)


def crossing_order(**changes: Any) -> tuple[Any, ...]:
    return (replace(crossing_auction().orders[0], **changes),)


def pair(series: str, limit: int = 1_000, **changes: Any) -> tuple[Any, ...]:
    """A buyer and a seller of one lot who can be matched with each other."""
    return (
        make_order(f"buys {series}", {series: 1}, limit, **changes),
        make_order(f"sells {series}", {series: -1}, 0, **changes),
    )


def matched(*series: str, **changes: Any) -> Bid:
    return make_bid({f"{verb} {name}": 1 for name in series for verb in ("buys", "sells")}, **changes)


def both_filled(cash: int) -> tuple[Auction, Bid]:
    """Buyers on the hub and on `east`; the hub sends `cash` for its 4 of the 5 lots."""
    orders = (*crossing_auction().orders, make_order("local", {CALL: 1}, 1_100_000, chain="east"))
    auction = crossing_auction(orders=orders, offers=(make_offer("east-book", CALL, "sell", 1_000_000, 5),))
    bid = crossing_bid(
        fills=(Fill(intent="buyer", units=4), Fill(intent="local", units=1)),
        trades=(Trade(offer=ASK, lots=5),),
        transfers=(
            Transfer(bridge="hub-east", asset=USDC, amount=cash),
            Transfer(bridge="east-hub", asset=CALL, amount=4),
        ),
    )
    return auction, bid


CASH_BOTH = 4_006_250 + 1_000_000 + 5 + 10 + 3 - 1_100_000
"""What `east` needs from the hub where its own buyer pays up to the limit: the ceiling leaves nothing."""


@dataclass(frozen=True)
class Case:
    """A rule, and an auction and bid that break it and no other; the numbers of the violation."""

    rule: Rule
    auction: Auction
    bid: Bid
    where: str
    found: int
    allowed: int


def case(rule: Rule, where: str, found: int, allowed: int, **given: Any) -> Case:
    """The good auction and bid, but for what is given."""
    return Case(
        rule,
        given.get("auction", crossing_auction()),
        given.get("bid", crossing_bid()),
        where,
        found,
        allowed,
    )


GOOD = crossing_bid()
TO_EAST, TO_HUB = GOOD.transfers
PAYOFF = Payoff(underlying="BTC", expiry=EXPIRY_US // MICRO, knots=((0, 0),), slope=0)
GROUPED = (
    make_order("one", {CALL: 1}, 900, owner="same", group="g"),
    make_order("two", {CALL: 1}, 800, owner="same", group="g"),
    make_order("sells", {CALL: -2}, 0),
)
LOOP = (make_bridge("hub", "east"), make_bridge("east", "hub"), make_bridge("hub", "hub", id="loop"))
VAST = (
    make_order("buys", {CALL: 1}, 2**52, units=2),
    make_order("sells", {CALL: -1}, 100 - 2**52, units=2),
)

CASES = [
    case(
        Rule.UNSUPPORTED,
        "pools",
        1,
        0,
        bid=crossing_bid(pools=(Pool(chain="hub", underlying="BTC", expiry=1, assets=()),)),
    ),
    case(
        Rule.UNSUPPORTED,
        "buyer",
        1,
        0,
        bid=crossing_bid(fills=(Fill(intent="buyer", units=4, delivery=()),)),
    ),
    case(
        Rule.UNSUPPORTED,
        "target",
        1,
        0,
        auction=make_auction(orders=(make_order("target", {}, 5, payoff=PAYOFF),)),
        bid=make_bid({"target": 1}),
    ),
    case(Rule.UNKNOWN_INTENT, "nobody", 1, 0, bid=crossing_bid(fills=(Fill(intent="nobody", units=4),))),
    case(Rule.DUPLICATE_FILL, "buyer", 2, 1, bid=crossing_bid(fills=(Fill(intent="buyer", units=2),) * 2)),
    case(
        Rule.GROUP_CONFLICT,
        "same/g",
        2,
        1,
        auction=make_auction(orders=GROUPED),
        bid=make_bid({"one": 1, "two": 1, "sells": 1}),
    ),
    case(
        Rule.UNITS_NOT_ALLOWED,
        "buyer",
        4,
        3,
        auction=crossing_auction(orders=crossing_order(units=3)),
    ),
    case(
        Rule.UNITS_NOT_ALLOWED,
        "buyer",
        4,
        5,
        auction=crossing_auction(orders=crossing_order(units=6, min_units=5)),
    ),
    case(Rule.UNKNOWN_OFFER, "nowhere", 1, 0, bid=crossing_bid(trades=(Trade(offer="nowhere", lots=4),))),
    case(Rule.DUPLICATE_TRADE, ASK, 2, 1, bid=crossing_bid(trades=(Trade(offer=ASK, lots=2),) * 2)),
    case(
        Rule.OFFER_EXCEEDED,
        ASK,
        4,
        3,
        auction=crossing_auction(offers=(make_offer("east-book", CALL, "sell", 1_000_000, 3),)),
    ),
    case(
        Rule.UNKNOWN_BRIDGE,
        "tunnel",
        1,
        0,
        bid=crossing_bid(transfers=(TO_EAST, replace(TO_HUB, bridge="tunnel"))),
    ),
    case(
        Rule.UNKNOWN_ASSET,
        "BTC",
        1,
        0,
        bid=crossing_bid(transfers=(TO_EAST, replace(TO_HUB, asset="BTC"))),
    ),
    case(
        Rule.DUPLICATE_TRANSFER,
        f"{CALL} over east-hub",
        2,
        1,
        bid=crossing_bid(transfers=(TO_EAST, *(replace(TO_HUB, amount=2),) * 2)),
    ),
    case(
        Rule.BRIDGE_CAPACITY,
        "hub-east",
        CASH_EAST,
        CASH_EAST - 1,
        auction=crossing_auction(
            bridges=(make_bridge("hub", "east", capacity_cash=CASH_EAST - 1), make_bridge("east", "hub"))
        ),
    ),
    case(
        Rule.BRIDGE_CAPACITY,
        "east-hub",
        4,
        3,
        auction=crossing_auction(
            bridges=(make_bridge("hub", "east"), make_bridge("east", "hub", capacity_lots=3))
        ),
    ),
    case(
        Rule.TRANSFER_CYCLE,
        USDC,
        2,
        0,
        bid=crossing_bid(
            transfers=(
                replace(TO_EAST, amount=CASH_EAST + 2),
                TO_HUB,
                Transfer(bridge="east-hub", asset=USDC, amount=1),
            )
        ),
    ),
    case(
        Rule.TRANSFER_CYCLE,
        CALL,
        1,
        0,
        auction=crossing_auction(bridges=LOOP),
        bid=crossing_bid(transfers=(*GOOD.transfers, Transfer(bridge="loop", asset=CALL, amount=1))),
    ),
    case(Rule.UNKNOWN_CHAIN, "west", 1, 0, bid=crossing_bid(fee=(Fee(chain="west", amount=1),))),
    case(Rule.UNKNOWN_CHAIN, "moon", 1, 0, bid=crossing_bid(fee=(Fee(chain="moon", amount=1),))),
    case(Rule.DUPLICATE_FEE, "hub", 2, 1, bid=crossing_bid(fee=(Fee(chain="hub", amount=1),) * 2)),
    case(
        Rule.SELF_MATCH,
        f"same {CALL}",
        1,
        0,
        auction=make_auction(orders=pair(CALL, owner="same")),
        bid=matched(CALL),
    ),
    case(
        Rule.DISCONNECTED,
        "bid",
        2,
        1,
        auction=make_auction(orders=pair(CALL) + pair(PUT)),
        bid=matched(CALL, PUT),
    ),
    case(
        Rule.DISCONNECTED,
        "hub",
        2,
        0,
        auction=make_auction(orders=pair(CALL, 10_000)),
        bid=matched(CALL, transfers={("hub-west", USDC): 1_100}),
    ),
    case(Rule.DISCONNECTED, "bid", 0, 1, bid=make_bid({})),
    case(Rule.IMBALANCE, f"east {CALL}", -1, 0, bid=crossing_bid(trades=(Trade(offer=ASK, lots=3),))),
    case(
        Rule.IMBALANCE,
        f"hub {CALL}",
        4,
        3,
        auction=crossing_auction(orders=crossing_order(limit=1_500_000)),
        bid=crossing_bid(fills=(Fill(intent="buyer", units=3),)),
    ),
    case(
        Rule.LIMIT_EXCEEDED,
        "hub",
        NEED_HUB,
        NEED_HUB // 4 * 4,
        auction=crossing_auction(orders=crossing_order(limit=NEED_HUB // 4)),
    ),
    case(
        Rule.LIMIT_EXCEEDED,
        "hub",
        NEED_HUB + 383_622,
        4_400_000,
        bid=crossing_bid(fee=(Fee(chain="hub", amount=383_622),)),
    ),
    case(
        Rule.ABOVE_REFERENCE,
        "hub",
        NEED_HUB,
        NEED_HUB // 4 * 4,
        auction=crossing_auction(reference=(make_reference("hub", {CALL: 1}, units=9, price=NEED_HUB // 4),)),
    ),
    case(
        Rule.UNFUNDED,
        "east",
        1,
        0,
        bid=crossing_bid(transfers=(replace(TO_EAST, amount=CASH_EAST - 1), TO_HUB)),
    ),
    case(Rule.UNFUNDED, "east", 1, 0, bid=crossing_bid(fee=(Fee(chain="east", amount=1),))),
    case(
        Rule.CASH_MISPLACED,
        "east",
        1,
        0,
        auction=both_filled(CASH_BOTH)[0],
        bid=both_filled(CASH_BOTH + 1)[1],
    ),
    case(
        Rule.DECIDED_TOO_LATE,
        "buyer",
        DECIDE_US,
        DECIDE_US // MICRO * MICRO - 1,
        auction=crossing_auction(orders=crossing_order(valid_until=DECIDE_US // MICRO)),
    ),
    case(
        Rule.OFFER_NOT_FIRM,
        ASK,
        DECIDE_US,
        DECIDE_US - 1,
        auction=crossing_auction(
            offers=(make_offer("east-book", CALL, "sell", 1_000_000, 4, firm_until_us=DECIDE_US),)
        ),
    ),
    case(
        Rule.OFFER_NOT_FIRM,
        ASK,
        DECIDE_US,
        DECIDE_US - 1,
        auction=crossing_auction(venues=(make_venue("east", max_lock_us=DECIDE_US - CUT_US - SOLVE_US),)),
    ),
    case(
        Rule.RELEASED_TOO_LATE,
        CALL,
        EXPIRY_US,
        EXPIRY_US - 1,
        auction=crossing_auction(
            cut_us=CUT_US + EXPIRY_US - RELEASE_US, orders=crossing_order(valid_until=EXPIRY_US)
        ),
    ),
    case(
        Rule.AMOUNT_OUT_OF_RANGE,
        "lowest limits",
        WIRE_MAX,
        WIRE_MAX,
        auction=make_auction(orders=VAST),
        bid=make_bid({"buys": 2, "sells": 2}),
    ),
]
