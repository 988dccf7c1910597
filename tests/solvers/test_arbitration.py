"""The mechanism on auctions that can be read: no fees, so every score is limit minus price."""

from importlib.metadata import version

import pytest
from msgspec.structs import replace

from solvers.arbitration import arbitrate, installed_versions
from solvers.auction import Auction, Rules
from solvers.bid import Bid, Fee, Fill, Pool, Trade, Transfer
from solvers.codec import digest, encode
from solvers.outcome import HOUSE, BidRecord, Numbers, Outcome, SolverReport, Submission
from solvers.reasons import BidReason, OrderReason
from solvers.sealing import bid_keys, read_submission, set_aside
from solvers.view import view_auction
from tests.builders import CALL, HIGH, SOLVE_US, free_market, make_bid, make_offer, make_order, make_reference

CHEAP = f"hub-book/{CALL}/sell/90"
DEAR = f"hub-book/{CALL}/sell/95"


def small_auction(**changes: object) -> Auction:
    """Two buyers of calls on the hub; 2 lots offered at 90, and 2 at 95."""
    return free_market(
        orders=(make_order("ann", {CALL: 1}, 100, units=2), make_order("ben", {CALL: 1}, 98, units=2)),
        offers=(make_offer("hub-book", CALL, "sell", 90, 2), make_offer("hub-book", CALL, "sell", 95, 2)),
        **changes,
    )


ANN = make_bid({"ann": 2}, {CHEAP: 2}, bid="ann")
"""Scores 2 * (100 - 90) = 20."""
BEN = make_bid({"ben": 2}, {CHEAP: 2}, bid="ben", solver="bob")
"""Scores 2 * (98 - 90) = 16, with the lots that ANN needs."""
BEN_DEAR = make_bid({"ben": 2}, {DEAR: 2}, bid="dear", solver="bob")
"""Scores 2 * (98 - 95) = 6."""
BOTH = make_bid({"ann": 2, "ben": 2}, {CHEAP: 2, DEAR: 2}, bid="both", solver="carol")
"""Scores 20 + 6."""


def send(bid: Bid, arrival_us: int = 1) -> Submission:
    return Submission(solver=bid.solver, arrival_us=arrival_us, content=encode(bid).decode())


def judge(*bids: Bid | Submission, **changes: object) -> Outcome:
    sent = [send(bid) if isinstance(bid, Bid) else bid for bid in bids]
    return arbitrate(small_auction(**changes), sent, versions={})


def reasons(outcome: Outcome) -> list[str]:
    return [record.reason for record in outcome.bids]


def test_greater_score_wins_and_the_other_is_outbid() -> None:
    outcome = judge(BEN, ANN)
    assert reasons(outcome) == [BidReason.OUTBID, BidReason.WON]
    assert [record.score for record in outcome.bids] == [16, 20]
    assert outcome.bids[0].numbers == Numbers(where=f"offer {CHEAP}", found=16, allowed=20)
    assert [order.reason for order in outcome.orders] == [OrderReason.FILLED, OrderReason.OUTBID]
    assert (outcome.choice.score, outcome.choice.bound, outcome.choice.proved) == (20, 20, True)


def test_bids_that_leave_each_other_alone_win_together_best_first() -> None:
    outcome = judge(BEN_DEAR, ANN)
    assert reasons(outcome) == [BidReason.WON, BidReason.WON]
    assert [(deal.bid, deal.score) for deal in outcome.deals] == [("ann", 20), ("dear", 6)]


def test_tie_between_one_bid_and_two_is_settled_by_their_keys() -> None:
    view = view_auction(small_auction())
    bids = (ANN, BEN_DEAR, BOTH)
    keys = bid_keys(view, [read_submission(view, send(bid)) for bid in bids])
    alone, together = keys[BOTH.digest], keys[ANN.digest] + keys[BEN_DEAR.digest]
    won = {deal.bid for deal in judge(*bids).deals}
    assert won == ({"both"} if alone < together else {"ann", "dear"})


def test_no_bids_leave_every_order_without_one() -> None:
    outcome = judge()
    assert {(order.reason, order.units) for order in outcome.orders} == {(OrderReason.NO_BID, 0)}
    assert (outcome.deals, outcome.choice.score, outcome.choice.proved) == ((), 0, True)


def test_part_of_an_order_is_partly_filled() -> None:
    outcome = judge(make_bid({"ann": 1}, {CHEAP: 1}))
    assert (outcome.orders[0].reason, outcome.orders[0].units) == (OrderReason.PARTLY_FILLED, 1)


def test_infeasible_bid_is_refused_with_rule_and_numbers_and_fills_nothing() -> None:
    outcome = judge(make_bid({"ann": 2}, {CHEAP: 1}))
    (record,) = outcome.bids
    assert record.reason == "infeasible:imbalance"
    assert record.numbers == Numbers(where=f"hub {CALL}", found=1, allowed=2)
    assert outcome.orders[0].reason == OrderReason.NO_BID


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", BidReason.MALFORMED),
        ("[" * 100_000, BidReason.MALFORMED),
        ("\ud800", BidReason.MALFORMED),
        ('{"auction": "auction-1"}', BidReason.MALFORMED),
        (encode(ANN).decode().replace('"units":2', '"units":2.0'), BidReason.MALFORMED),
        (encode(ANN).decode().replace('"units":2', '"units":true'), BidReason.MALFORMED),
        (encode(ANN).decode().replace('"units":2', f'"units":{2**53}'), BidReason.MALFORMED),
        (encode(ANN).decode().replace('"units":2', '"units":2,"note":1'), BidReason.MALFORMED),
        (encode(replace(ANN, auction="another")).decode(), BidReason.WRONG_AUCTION),
        (encode(replace(ANN, solver="bob")).decode(), BidReason.WRONG_SOLVER),
        (encode(replace(ANN, solver=HOUSE)).decode(), BidReason.WRONG_SOLVER),
    ],
)
def test_what_is_not_a_bid_of_this_round_is_refused_and_the_round_goes_on(content: str, reason: str) -> None:
    outcome = judge(Submission(solver="alice", arrival_us=1, content=content), BEN)
    assert reasons(outcome) == [reason, BidReason.WON]
    assert outcome.bids[0].detail
    encode(outcome)


def test_malformed_content_is_recorded_by_the_digest_of_its_bytes() -> None:
    record = judge(Submission(solver="alice", arrival_us=1, content="no bid")).bids[0]
    assert (record.bid, record.digest) == ("", digest(b"no bid"))
    assert isinstance(record, BidRecord)


def test_bid_after_the_window_is_late_unless_it_is_the_houses() -> None:
    house = replace(ANN, solver=HOUSE)
    assert reasons(judge(send(ANN, SOLVE_US))) == [BidReason.WON]
    assert reasons(judge(send(ANN, SOLVE_US + 1))) == [BidReason.LATE]
    assert reasons(judge(send(house, SOLVE_US + 1))) == [BidReason.WON]


def test_last_bid_of_a_name_on_time_counts() -> None:
    worse = replace(BEN_DEAR, bid="ann", solver="alice")
    assert reasons(judge(ANN, worse)) == [BidReason.SUPERSEDED, BidReason.WON]
    assert reasons(judge(send(ANN, 5), send(worse, 4))) == [BidReason.WON, BidReason.SUPERSEDED]
    assert reasons(judge(ANN, send(worse, SOLVE_US + 1))) == [BidReason.WON, BidReason.LATE]
    assert reasons(judge(ANN, ANN)) == [BidReason.SUPERSEDED, BidReason.WON]


def test_only_the_first_names_of_a_solver_count_however_often_they_are_sent() -> None:
    rules = Rules(fee_per_lot=0, bids_per_solver=2)
    second, third = replace(ANN, bid="second"), replace(ANN, bid="third")
    outcome = judge(send(ANN, 1), send(second, 2), send(third, 3), send(ANN, 4), BEN, rules=rules)
    assert reasons(outcome)[0] == BidReason.SUPERSEDED
    assert reasons(outcome)[2] == BidReason.TOO_MANY
    assert sorted(reasons(outcome)[place] for place in (1, 3)) == [BidReason.OUTBID, BidReason.WON]
    house = [replace(ANN, bid=str(number), solver=HOUSE) for number in range(3)]
    assert BidReason.TOO_MANY not in reasons(judge(*house, rules=rules))


def test_bids_that_do_not_count_are_told_by_how_much() -> None:
    rules = Rules(fee_per_lot=0, bids_per_solver=1)
    outcome = judge(
        send(ANN, 3), send(ANN, 7), send(replace(ANN, bid="second"), 8), send(ANN, SOLVE_US + 5), rules=rules
    )
    superseded, _, too_many, late = (record.numbers for record in outcome.bids)
    assert superseded == Numbers(where="ann", found=3, allowed=7)
    assert too_many == Numbers(where="second", found=2, allowed=1)
    assert late == Numbers(where="ann", found=SOLVE_US + 5, allowed=SOLVE_US)


def test_stages_keep_the_place_of_every_submission() -> None:
    view = view_auction(small_auction())
    read = [read_submission(view, send(bid)) for bid in (ANN, replace(ANN, auction="x"), BEN)]
    assert [each.digest for each in set_aside(read, names_max=1)] == [each.digest for each in read]


def test_key_depends_on_all_sealed_bids_and_not_on_the_name() -> None:
    view = view_auction(small_auction())

    def key(*bids: Bid) -> int:
        return bid_keys(view, [read_submission(view, send(bid)) for bid in bids])[bids[0].digest]

    named = replace(ANN, bid="other")
    assert key(ANN, BEN) != key(ANN, BOTH)
    assert key(ANN, named) == key(named, ANN)
    assert key(ANN, replace(ANN, solver="bob")) != key(replace(ANN, solver="bob"), ANN)


def test_the_order_of_a_bids_lists_is_no_further_ticket() -> None:
    """Fills, trades, transfers, pools and fees, and what a pool and a delivery hold."""
    view = view_auction(small_auction())
    assets = (("USDC", 1), (CALL, 2))
    full = Bid(
        auction=ANN.auction,
        solver="ann",
        bid="full",
        fills=(Fill(intent="a", units=1, delivery=assets), Fill(intent="b", units=2)),
        trades=(Trade(offer="one", lots=10), Trade(offer="two", lots=9)),
        transfers=(Transfer(bridge="x", asset="USDC", amount=2), Transfer(bridge="x", asset=CALL, amount=1)),
        pools=(
            Pool(chain="hub", underlying="BTC", expiry=1, assets=assets),
            Pool(chain="east", underlying="BTC", expiry=1, assets=()),
        ),
        fee=(Fee(chain="hub", amount=1), Fee(chain="east", amount=2)),
    )
    lists = ("fills", "trades", "transfers", "pools", "fee")
    turned = [replace(full, **{name: getattr(full, name)[::-1]}) for name in lists]
    turned.append(replace(full, fills=(replace(full.fills[0], delivery=assets[::-1]), full.fills[1])))
    turned.append(replace(full, pools=(replace(full.pools[0], assets=assets[::-1]), full.pools[1])))
    assert len({each.digest for each in (full, *turned)}) == 8
    keys = bid_keys(view, [read_submission(view, send(each)) for each in (full, *turned)])
    assert len(keys) == 8
    assert len(set(keys.values())) == 1


def test_same_bid_under_two_names_wins_once_by_the_smaller_digest() -> None:
    twins = (ANN, replace(ANN, bid="other"))
    (deal,) = judge(*twins).deals
    assert deal.digest == min(bid.digest for bid in twins)


def test_bid_that_scores_nothing_is_outbid_even_without_rivals() -> None:
    auction = free_market(
        orders=(make_order("ann", {CALL: 1}, 90, units=2),),
        offers=(make_offer("hub-book", CALL, "sell", 90, 2),),
    )
    outcome = arbitrate(auction, [send(ANN)], versions={})
    assert reasons(outcome) == [BidReason.OUTBID]
    assert "scores 0" in outcome.bids[0].detail


def test_one_group_is_filled_by_one_winner_at_most() -> None:
    orders = tuple(replace(order, owner="same", group="g") for order in small_auction().orders)
    auction = replace(small_auction(), orders=orders)
    outcome = arbitrate(auction, [send(ANN), send(BEN_DEAR)], versions={})
    assert reasons(outcome) == [BidReason.WON, BidReason.OUTBID]


def test_house_bid_is_the_price_to_beat() -> None:
    reference = (make_reference("hub", {CALL: 1}, units=2, price=95),)
    house = replace(BEN_DEAR, fills=ANN.fills, solver=HOUSE)
    outcome = judge(house, ANN, reference=reference)
    assert reasons(outcome) == [BidReason.OUTBID, BidReason.WON]
    (row,) = outcome.deals[0].prices
    assert (row.ceiling, row.price) == (95, 90)
    assert (outcome.deals[0].fills[0].payment, outcome.deals[0].fills[0].surplus) == (180, 20)


def test_deal_has_an_id_of_its_auction_and_bid_and_the_deadlines_of_its_chains() -> None:
    auction = small_auction()
    (deal,) = judge(ANN).deals
    assert deal.deal == digest(f"{auction.auction}{ANN.digest}".encode())[:32]
    assert deal.chains == ("hub",)
    assert auction.prepare_us < deal.lock_by_us == deal.decide_by_us == deal.release_by_us


def test_outcome_names_versions_and_sorted_reports() -> None:
    reports = [
        SolverReport(solver=name, reason="finished", detail="", finished_us=1) for name in ("bob", "alice")
    ]
    outcome = arbitrate(small_auction(), [], reports)
    assert [report.solver for report in outcome.solvers] == ["alice", "bob"]
    assert (
        outcome.versions == installed_versions() == {name: version(name) for name in ("ortools", "solvent")}
    )
    assert outcome.content_hash == small_auction().content_hash


def test_marks_and_unknown_series_of_rivals_change_nothing() -> None:
    stray = replace(ANN, bid="stray", transfers=())
    stray = replace(stray, trades=(replace(ANN.trades[0], offer=f"hub-book/{HIGH}/sell/1"),))
    assert judge(ANN, stray).deals[0].fills == judge(ANN).deals[0].fills
    assert reasons(judge(ANN, stray))[1] == "infeasible:unknown_offer"
