"""Two readings of the rules on what makes a bid feasible and what its fills pay: they never differ.

The market's (`solvers.verification`) and the verifier's share no code. They must agree on the first rule
that is broken, and for feasible bids on every number: at least 1,000 random bids, most of them spoilt.
"""

from collections import Counter
from random import Random
from typing import Any

import pytest

from intents.errors import VerificationError
from intents.verifying.bids import judge_bid
from intents.verifying.flows import play_bid, touched_chains
from intents.verifying.names import check_names
from intents.verifying.parts import check_connected
from intents.verifying.sheet import Sheet
from intents.verifying.timing import check_in_time, deal_instants
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.reasons import Rule
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import view_auction
from tests.broken_bids import (
    CASES,
    CASH_EAST,
    DECIDE_US,
    NEED_HUB,
    RELEASE_US,
    Case,
    crossing_auction,
    crossing_bid,
)
from tests.builders import CALL, make_auction, make_bid, make_offer, make_order
from tests.mutated_bids import mutate_bid, strain_auction
from tests.random_markets import random_auction, random_bids

AUCTIONS = 120


def as_the_market_says(auction: Auction, bids: list[Bid]) -> list[Any]:
    view = view_auction(auction)
    return [_the_market_says(verify_bid(view, bid)) for bid in bids]


def _the_market_says(verdict: Any) -> Any:
    if not isinstance(verdict, FeasibleBid):
        return str(verdict.rule)
    instants = verdict.deadlines
    return {
        "score": verdict.score,
        "prices": {(row.chain, row.package): (row.units, row.ceiling, row.price) for row in verdict.prices},
        "payments": {fill.intent: fill.payment for fill in verdict.fills},
        "reserve": {row.chain: row.amount for row in verdict.reserve},
        "deadlines": (instants.lock_by_us, instants.decide_by_us, instants.release_by_us),
        "needs": dict(verdict.needs),
    }


def as_the_verifier_says(auction: Auction, bids: list[Bid]) -> list[Any]:
    sheet = Sheet(auction)
    return [_the_verifier_says(sheet, bid) for bid in bids]


def _the_verifier_says(sheet: Sheet, bid: Bid) -> Any:
    try:
        judged = judge_bid(sheet, bid)
    except VerificationError as error:
        return error.rule
    return {
        "score": judged.score,
        "prices": judged.prices,
        "payments": judged.payments,
        "reserve": judged.reserve,
        "deadlines": judged.deadlines,
        "needs": {chain: judged.flows.need(chain) for chain in sorted(judged.flows.touched)},
    }


def spoilt_market(seed: int) -> tuple[Auction, list[Bid]]:
    """An auction, often strained, with random bids and a spoilt copy of each."""
    rng = Random(seed)
    auction = strain_auction(rng, random_auction(rng))
    bids = random_bids(rng, auction)
    return auction, [*bids, *(mutate_bid(rng, auction, bid) for bid in bids)]


def test_both_readings_agree_on_random_bids() -> None:
    verdicts: Counter[str] = Counter()
    for seed in range(AUCTIONS):
        auction, bids = spoilt_market(seed)
        market, verifier = as_the_market_says(auction, bids), as_the_verifier_says(auction, bids)
        for bid, ours, theirs in zip(bids, market, verifier, strict=True):
            assert ours == theirs, f"seed {seed}: {bid}"
            verdicts[ours if isinstance(ours, str) else "feasible"] += 1
    assert verdicts.total() >= 1_000
    assert verdicts["feasible"] >= 300
    assert len(verdicts) >= 20


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}")
def test_both_readings_name_the_same_rule(case: Case) -> None:
    assert as_the_verifier_says(case.auction, [case.bid]) == [case.rule.value]


def test_every_rule_of_the_market_is_one_of_the_verifier() -> None:
    assert {case.rule for case in CASES} == set(Rule)


def test_a_bid_over_two_chains_by_hand() -> None:
    sheet, bid = Sheet(crossing_auction()), crossing_bid()
    judged = judge_bid(sheet, bid)
    assert judged.score == 4 * 1_100_000 - NEED_HUB
    assert judged.prices == {("hub", ((CALL, 1),)): (4, 1_100_000, 1_004_095)}
    assert judged.payments == {"buyer": 4 * 1_004_095}
    assert judged.reserve == {"hub": 1}
    assert judged.deadlines[1:] == (DECIDE_US, RELEASE_US)


def test_what_a_bid_moves_by_hand() -> None:
    sheet, bid = Sheet(crossing_auction()), crossing_bid()
    flows = play_bid(sheet, bid)
    assert touched_chains(sheet, bid) == flows.touched == {"hub", "east"}
    assert flows.filled == {"hub"}
    assert (flows.need("hub"), flows.need("east")) == (NEED_HUB, 0)
    assert flows.gross("east") == (CASH_EAST, CASH_EAST)
    assert flows.lots_over() == {}
    assert play_bid(sheet, crossing_bid(trades=())).lots_over() == {("east", CALL): 4}


def test_each_part_of_the_judgement_stands_alone() -> None:
    sheet, bid = Sheet(crossing_auction()), crossing_bid()
    check_names(sheet, bid)
    check_connected(sheet, bid)
    check_in_time(sheet, bid, deal_instants(sheet, bid))
    with pytest.raises(VerificationError, match="unknown_offer: nowhere"):
        check_names(sheet, make_bid({"buyer": 2}, {"nowhere": 1}))
    with pytest.raises(VerificationError, match="disconnected: 2 parts"):
        check_connected(sheet, crossing_bid(transfers=()))


def test_cash_joins_what_it_serves() -> None:
    """Sold on one chain and bought on another: two parts, unless the cash of one pays for the other."""
    auction = make_auction(
        orders=(
            make_order("sells", {CALL: -1}, -900_000, chain="east"),
            make_order("buys", {CALL: 1}, 1_500_000),
        ),
        offers=(
            make_offer("east-book", CALL, "buy", 1_200_000, 1),
            make_offer("hub-book", CALL, "sell", 1_000_000, 1),
        ),
    )
    sheet = Sheet(auction)
    trades = {f"east-book/{CALL}/buy/1200000": 1, f"hub-book/{CALL}/sell/1000000": 1}
    apart = make_bid({"sells": 1, "buys": 1}, trades)
    with pytest.raises(VerificationError, match="disconnected: 2 parts"):
        check_connected(sheet, apart)
    with pytest.raises(VerificationError, match="disconnected"):
        check_connected(sheet, make_bid({"sells": 1, "buys": 1}, trades, {("hub-east", "USDC"): 5}))
    with pytest.raises(VerificationError, match="disconnected: 0 parts"):
        check_connected(sheet, make_bid({}))
