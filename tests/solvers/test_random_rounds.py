"""Whole rounds on random small markets, against oracles that share no code with the judge."""

import hashlib
import json
from collections import Counter
from random import Random

import pytest

from solvers.arbitration import arbitrate
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.codec import decode, encode
from solvers.outcome import Deal, Outcome, Submission
from solvers.reasons import BidReason
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import view_auction
from tests.naive_rounds import compatible_sets
from tests.random_markets import random_auction, random_bids

ROUNDS = 2_000
PARTS = 4


def submit(bids: list[Bid]) -> list[Submission]:
    return [Submission(solver=bid.solver, arrival_us=1, content=encode(bid).decode()) for bid in bids]


def ceil_bps(amount: int, bps: int) -> int:
    return (amount * bps + 9_999) // 10_000


def naive_flows(auction: Auction, bid: Bid, deal: Deal) -> Counter[str]:
    """What is left of the payments on each chain when everybody else has been paid."""
    by_id = {
        term.id: term
        for terms in (auction.chains, auction.bridges, auction.venues, auction.offers)
        for term in terms
    }
    orders = {order.intent: order for order in auction.orders}
    left: Counter[str] = Counter(dict.fromkeys(deal.chains, 0))
    venues, bridges = Counter(), {}
    for trade in bid.trades:
        offer = by_id[trade.offer]
        sign = -1 if offer.side == "sell" else 1
        left[by_id[offer.venue].chain] += sign * offer.price * trade.lots
        venues[offer.venue] += trade.lots
    for name, lots in venues.items():
        left[by_id[name].chain] -= by_id[name].fee_touch + lots * by_id[name].fee_per_lot
    for transfer in bid.transfers:
        cash, lots = bridges.get(transfer.bridge, (0, 0))
        is_cash = transfer.asset == "USDC"
        bridges[transfer.bridge] = (
            cash + (transfer.amount if is_cash else 0),
            lots + (0 if is_cash else transfer.amount),
        )
    for name, (cash, lots) in bridges.items():
        bridge = by_id[name]
        fee = bridge.fee_fixed + ceil_bps(cash, bridge.fee_cash_bps) + lots * bridge.fee_per_lot
        left[bridge.source] -= cash + fee
        left[bridge.target] += cash
    for fill in deal.fills:
        lots = sum(abs(ratio) for _, ratio in orders[fill.intent].legs) * fill.units
        left[fill.chain] += fill.payment - by_id[fill.chain].settle_fee_fill
        left[fill.chain] -= lots * auction.rules.fee_per_lot
    for chain in left:
        left[chain] -= by_id[chain].settle_fee_leg + (by_id[chain].deal_fee if len(left) > 1 else 0)
    return left


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def naive_key(auction: Auction, bids: list[Bid], bid: Bid) -> int:
    plain = json.loads(encode(auction))
    content_hash = hashlib.sha256(canonical({**plain, "marks": []})).hexdigest()
    digests = sorted(hashlib.sha256(canonical(json.loads(encode(each)))).hexdigest() for each in bids)
    content = {name: value for name, value in json.loads(encode(bid)).items() if name != "bid"}
    for value in content.values():
        if isinstance(value, list):
            value.sort(key=canonical)
    return int(hashlib.sha256(canonical([content_hash, digests, content])).hexdigest()[:8], 16)


def best_set(auction: Auction, bids: list[Bid], feasible: list[FeasibleBid]) -> tuple[int, set[str]]:
    """The best score and the digests of the best set, by trying all sets."""
    sets = compatible_sets(auction, feasible)
    top = max(sum(each.score for each in subset) for subset in sets)
    tied = [subset for subset in sets if sum(each.score for each in subset) == top]
    if len(tied) > 1:
        keys = {each.digest: naive_key(auction, bids, each.bid) for each in feasible}
        tied.sort(key=lambda subset: tie_rank([keys[each.digest] for each in subset], subset))
    return top, {each.digest for each in tied[0]}


def tie_rank(keys: list[int], subset: tuple[FeasibleBid, ...]) -> tuple[int, list[int], list[str]]:
    return sum(keys), sorted(keys), sorted(each.digest for each in subset)


def check_deal(auction: Auction, bid: Bid, deal: Deal) -> None:
    orders = {order.intent: order for order in auction.orders}
    reserve = {row.chain: row.amount for row in deal.reserve}
    assert {chain: left for chain, left in naive_flows(auction, bid, deal).items() if left} == reserve
    assert all(amount > 0 for amount in reserve.values())
    references = {(row.chain, row.package): row for row in auction.reference}
    prices = {(row.chain, row.package): row for row in deal.prices}
    for fill in deal.fills:
        order = orders[fill.intent]
        package, factor = order.package
        row = prices[order.chain, package]
        assert fill.payment == row.price * factor * fill.units <= order.limit * fill.units
    for key, row in prices.items():
        if key in references and row.units <= references[key].units:
            assert row.price <= references[key].price
    units: Counter[str] = Counter()
    for row in deal.prices:
        units[row.chain] += row.units
    assert all(reserve.get(chain, 0) < units[chain] for chain in units), "less than one micro-USDC per unit"
    gain = sum(orders[fill.intent].limit * fill.units - fill.payment for fill in deal.fills)
    dust = sum(amount for chain, amount in reserve.items() if chain in units)
    assert deal.score == gain + dust


def check_round(seed: int) -> tuple[Outcome, int]:
    """One round; returns its outcome and how many bids were feasible."""
    rng = Random(seed)
    auction = random_auction(rng)
    bids = random_bids(rng, auction)
    outcome = arbitrate(auction, submit(bids), versions={})
    view = view_auction(auction)
    verdicts = [verify_bid(view, bid) for bid in bids]
    feasible = [each for each in verdicts if isinstance(each, FeasibleBid)]
    score, winners = best_set(auction, bids, feasible)
    assert {deal.digest for deal in outcome.deals} == winners
    assert (outcome.choice.score, outcome.choice.bound, outcome.choice.proved) == (score, score, True)
    by_digest = {bid.digest: bid for bid in bids}
    for deal in outcome.deals:
        check_deal(auction, by_digest[deal.digest], deal)
    return outcome, len(feasible)


@pytest.mark.parametrize("part", range(PARTS))
def test_winners_equal_brute_force_and_money_in_equals_money_out_on_2000_random_rounds(part: int) -> None:
    """2,000 rounds in all, of the sizes that `tests.random_markets` states."""
    rivalries = crossings = found = 0
    for seed in range(part, ROUNDS, PARTS):
        outcome, feasible = check_round(seed)
        found += feasible
        rivalries += any(record.reason == BidReason.OUTBID and record.score for record in outcome.bids)
        crossings += any(len(deal.chains) > 1 for deal in outcome.deals)
    rounds = ROUNDS // PARTS
    assert found > 2 * rounds, "too few feasible bids to prove anything"
    assert rivalries > rounds // 4
    assert crossings > rounds // 8


def test_outcome_is_the_same_whatever_order_solvers_are_heard_in() -> None:
    for seed in range(40):
        rng = Random(seed)
        auction = random_auction(rng)
        bids = random_bids(rng, auction)
        outcomes = []
        for _ in range(3):
            rng.shuffle(bids)
            outcome = arbitrate(auction, submit(bids), versions={})
            records = sorted(outcome.bids, key=lambda record: record.digest)
            outcomes.append((outcome.deals, outcome.orders, outcome.choice, records))
        assert outcomes[0] == outcomes[1] == outcomes[2]


def test_outcome_survives_the_wire_byte_for_byte() -> None:
    outcome, _ = check_round(3)
    assert encode(decode(encode(outcome), Outcome)) == encode(outcome)
