"""Verification: a true record passes, and every lie about it is caught and named.

The liar knows the format: hashes, counts and sums that can be made to fit again do fit.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from chains.units import MICRO
from intents.archive import RecordedAuction, SettledDeal, write_archive
from intents.errors import VerificationError
from intents.verify import verify_archive, verify_auction
from solvers.arbitration import arbitrate
from solvers.auction import Auction, Rules
from solvers.codec import decode, encode
from solvers.explanation import explain_bids, explain_orders
from solvers.outcome import HOUSE, Submission
from solvers.view import view_auction
from tests.market_run import ALICE, BOB, Recorded, make_intent, recorded_run, small_run
from tests.reason_cases import open_pool
from tests.withheld_rewards import withhold_rewards
from tests.worlds import CALL, LATER, PUT

Parts = dict[str, Any]
"""A record as plain lists and dictionaries: auction, outcome, submissions, not_selected, settlement."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded_run(tmp_path_factory.mktemp("verify"))


@pytest.fixture(scope="module")
def record(recorded: Recorded) -> RecordedAuction:
    """The round with the most to lie about: several deals over several chains, bids for every reason."""
    return recorded.records[0]


def take_apart(record: RecordedAuction) -> Parts:
    """Mutable copies of everything; what is read back from JSON is lists and dictionaries all the way."""
    parts = {
        "auction": record.file,
        "outcome": record.outcome,
        "submissions": encode(record.submissions),
        "not_selected": encode(record.not_selected),
        "settlement": encode(record.settlement),
    }
    return {name: msgspec.json.decode(content) for name, content in parts.items()}


def put_together(parts: Parts) -> RecordedAuction:
    """A record whose content hash is right again, unless the change was to the hash itself."""
    auction = encode(parts["auction"])
    honest = decode(auction, Auction).content_hash
    if not parts.pop("keep_hash", False):
        parts["outcome"]["content_hash"] = honest
    return RecordedAuction(
        file=auction,
        submissions=msgspec.convert(parts["submissions"], tuple[Submission, ...]),
        outcome=encode(parts["outcome"]),
        not_selected=tuple(parts["not_selected"]),
        settlement=msgspec.convert(parts["settlement"], tuple[SettledDeal, ...]),
    )


def refuse(tmp_path: Path, records: Sequence[RecordedAuction]) -> VerificationError:
    """Write an archive with a sound hash chain, and return why it is refused."""
    path = tmp_path / "lie.parquet"
    write_archive(path, records)
    with pytest.raises(VerificationError) as caught:
        verify_archive(path)
    return caught.value


def test_a_true_archive_passes_and_everything_is_counted(recorded: Recorded) -> None:
    told: list[str] = []
    verified = verify_archive(recorded.archive, progress=told.append)
    outcomes = recorded.run.outcomes
    assert told == [record.auction.auction for record in recorded.records]
    assert verified.auctions == len(outcomes) == 3
    assert verified.bids == sum(len(outcome.bids) for outcome in outcomes)
    assert verified.deals == sum(len(outcome.deals) for outcome in outcomes) >= 5
    assert verified.transfers > 10 * verified.deals


def test_positions_closed_written_and_aborted_pass(tmp_path: Path) -> None:
    run = small_run()
    for round_ in range(4):
        number = 10 * round_
        run.post(make_intent(ALICE, number, {CALL: 1}, 8_000_000, units=3))
        run.post(make_intent(ALICE, number + 1, {CALL: -1, PUT: 1}, -500_000))
        run.post(make_intent(BOB, number + 2, {PUT: -2, CALL: 1}, 7_000_000, chain="hub"))
        run.post(make_intent(BOB, number + 3, {LATER: -1}, -8_000_000))
        auction, house = run.cut()
        late_us = 60 * MICRO if round_ == 1 else 0
        run.decide(auction, run.compete(auction, house), late_us=late_us)
        run.advance(20 * MICRO)
    run.settle_all()
    _, records = run.export(tmp_path)
    states = {each.state for record in records for each in record.settlement}
    assert states == {"settled", "closed"}
    assert verify_archive(tmp_path / "rounds.parquet").deals > 8
    moved = {
        transfer
        for row in records
        for deal in row.settlement
        for leg in deal.legs
        for transfer in leg.transfers
    }
    assert any(each.debit == f"owner:{ALICE}" and each.asset == CALL for each in moved), "a closing sale"
    written = f"written:{BOB}/BTC-26JUN26"
    assert any(each.credit == written and each.asset == "USDC" for each in moved), "collateral"


def test_deals_in_flight_pass_at_any_instant(tmp_path: Path) -> None:
    run = small_run()
    run.post(make_intent(ALICE, 1, {CALL: 1}, 8_000_000, units=60))
    run.round()
    seen = set()
    for step in range(9):
        folder = tmp_path / str(step)
        folder.mkdir()
        archive, records = run.export(folder)
        assert verify_archive(archive).deals == 1
        seen |= {each.state for row in records for each in row.settlement}
        run.advance(3_500_000)
    assert {"preparing", "committed", "settled"} <= seen


def deal(parts: Parts, place: int = 0) -> Any:
    return parts["outcome"]["deals"][place]


def bid_with(parts: Parts, reason: str) -> Any:
    """The first bid record whose reason begins so; among outbid ones, not the house's."""
    found = (each for each in parts["outcome"]["bids"] if each["reason"].startswith(reason))
    return next(each for each in found if reason != "outbid" or each["solver"] != HOUSE)


def place_of(parts: Parts, record: Any) -> int:
    return next(place for place, each in enumerate(parts["outcome"]["bids"]) if each is record)


def set_in(where: Callable[[Parts], Any], **values: Any) -> Callable[[Parts], None]:
    return lambda parts: where(parts).update(values)


def add_to(where: Callable[[Parts], Any], name: str, amount: int) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        where(parts)[name] += amount

    return change


def drop_from(where: Callable[[Parts], Any], place: int = 0) -> Callable[[Parts], None]:
    return lambda parts: where(parts).pop(place)


def swap_in(where: Callable[[Parts], Any]) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        items = where(parts)
        items[0], items[1] = items[1], items[0]

    return change


def repeat_in(where: Callable[[Parts], Any]) -> Callable[[Parts], None]:
    return lambda parts: where(parts).append(where(parts)[0])


def refused_now(parts: Parts, record: Any, reason: str) -> None:
    """A bid that was feasible is recorded as refused."""
    record["reason"] = reason
    del record["score"]
    if reason.startswith("infeasible"):
        record["numbers"] = {"where": "hub", "found": 1, "allowed": 0}


def accepted_now(parts: Parts, record: Any) -> None:
    """A bid that was refused is recorded as outbid."""
    record["reason"], record["score"] = "outbid", 5
    record.pop("numbers", None)


def rob(parts: Parts) -> None:
    """Owners pay one more, the reserve takes it, and every sum is made to fit."""
    fill = deal(parts)["fills"][0]
    fill["payment"] += 1
    fill["surplus"] -= 1


def price_and_payment(parts: Parts) -> None:
    """A higher price, with the payment and the surplus that follow from it."""
    row, fill = deal(parts)["prices"][0], deal(parts)["fills"][0]
    row["price"] += 1
    fill["payment"] += row["units"]
    fill["surplus"] -= row["units"]


def all_scores(parts: Parts) -> None:
    deal(parts)["score"] += 1
    next(each for each in parts["outcome"]["bids"] if each["digest"] == deal(parts)["digest"])["score"] += 1
    for name in ("score", "bound"):
        parts["outcome"]["choice"][name] += 1


def forget_winner(parts: Parts) -> None:
    """The best winner never won: its record, its deal and its settlement are gone, sums fit."""
    lost = parts["outcome"]["deals"].pop(0)
    parts["settlement"].pop(0)
    won = next(each for each in parts["outcome"]["bids"] if each["digest"] == lost["digest"])
    won["reason"] = "outbid"
    for name in ("score", "bound"):
        parts["outcome"]["choice"][name] -= lost["score"]
    for row in parts["outcome"]["rewards"]:
        row["without"] -= lost["score"]
    for fill in lost["fills"]:
        row = next(each for each in parts["outcome"]["orders"] if each["intent"] == fill["intent"])
        row["units"], row["reason"] = 0, "outbid"


def explain_again(parts: Parts) -> None:
    """Give every bid and order the reason and the numbers that go with the winners as they are now."""
    auction = decode(encode(parts["auction"]), Auction)
    sent = msgspec.convert(parts["submissions"], tuple[Submission, ...])
    winners = {each["digest"]: each["deal"] for each in outcome(parts)["deals"]}
    pool = dataclasses.replace(open_pool(auction, sent), winners=winners)
    fates = explain_bids(pool)
    for each in outcome(parts)["bids"]:
        if each["reason"] in ("won", "outbid"):
            each["numbers"] = msgspec.to_builtins(fates[each["digest"]].numbers)
    outcome(parts)["orders"] = msgspec.to_builtins(explain_orders(view_auction(auction), pool, fates))


def drop_bid(parts: Parts, place: int) -> None:
    parts["outcome"]["bids"].pop(place)
    parts["submissions"].pop(place)


def other_content(parts: Parts) -> None:
    """A bid sends another, also feasible, name."""
    place = place_of(parts, bid_with(parts, "outbid"))
    content = msgspec.json.decode(parts["submissions"][place]["content"])
    parts["submissions"][place]["content"] = encode(content | {"bid": "renamed"}).decode()


def outcome(parts: Parts) -> Any:
    return parts["outcome"]


def choice(parts: Parts) -> Any:
    return parts["outcome"]["choice"]


def orders(parts: Parts) -> Any:
    return parts["outcome"]["orders"]


def order_with(*reasons: str) -> Callable[[Parts], Any]:
    return lambda parts: next(each for each in orders(parts) if each["reason"] in reasons)


def numbers_of(where: Callable[[Parts], Any]) -> Callable[[Parts], Any]:
    return lambda parts: where(parts)["numbers"]


def settled(parts: Parts) -> Any:
    return parts["settlement"][0]


def auction(parts: Parts) -> Any:
    return parts["auction"]


def filled_order(parts: Parts) -> Any:
    intent = deal(parts)["fills"][0]["intent"]
    return next(each for each in parts["auction"]["orders"] if each["intent"] == intent)


def submission_with(reason: str) -> Callable[[Parts], Any]:
    return lambda parts: parts["submissions"][place_of(parts, bid_with(parts, reason))]


LIES: dict[str, tuple[str, Callable[[Parts], object]]] = {
    # What owners pay and get.
    "payment one more": ("payments", rob),
    "payment one less": ("payments", add_to(lambda parts: deal(parts)["fills"][0], "payment", -1)),
    "surplus": ("surplus", add_to(lambda parts: deal(parts)["fills"][0], "surplus", 1)),
    "price": ("prices", add_to(lambda parts: deal(parts)["prices"][0], "price", 1)),
    "price with its payment": ("prices", price_and_payment),
    "ceiling": ("prices", add_to(lambda parts: deal(parts)["prices"][0], "ceiling", 1)),
    "priced units": ("prices", add_to(lambda parts: deal(parts)["prices"][0], "units", 1)),
    "filled units": ("fills", add_to(lambda parts: deal(parts)["fills"][0], "units", 1)),
    "owner": ("fills", set_in(lambda parts: deal(parts)["fills"][0], owner="0x" + "99" * 20)),
    "chain of a fill": ("fills", set_in(lambda parts: deal(parts)["fills"][0], chain="moon")),
    "fill dropped": ("fills", drop_from(lambda parts: deal(parts)["fills"])),
    "fill twice": ("fills", repeat_in(lambda parts: deal(parts)["fills"])),
    # Deals.
    "reserve": ("reserve", lambda parts: next(
        each for each in outcome(parts)["deals"] if each["reserve"])["reserve"][0].update(amount=10**6)),
    "reserve dropped": ("reserve", lambda parts: next(
        each for each in outcome(parts)["deals"] if each["reserve"])["reserve"].pop()),
    "lock_by": ("deadlines", add_to(deal, "lock_by_us", 1)),
    "decide_by": ("deadlines", add_to(deal, "decide_by_us", -1)),
    "release_by": ("deadlines", add_to(deal, "release_by_us", 1)),
    "chains": ("chains", drop_from(lambda parts: deal(parts)["chains"])),
    "deal id": ("deal_name", set_in(deal, deal="0" * 32)),
    "deal solver": ("deal_name", set_in(deal, solver="somebody")),
    "deal bid": ("deal_name", set_in(deal, bid="something")),
    "deals swapped": ("deal_order", swap_in(lambda parts: outcome(parts)["deals"])),
    "deal twice": ("winners", repeat_in(lambda parts: outcome(parts)["deals"])),
    "deal dropped": ("winners", drop_from(lambda parts: outcome(parts)["deals"])),
    # Scores and the choice.
    "deal score": ("score", add_to(deal, "score", 1)),
    "bid score": ("score", add_to(lambda parts: bid_with(parts, "outbid"), "score", -1)),
    "all scores together": ("score", all_scores),
    "total score": ("choice_score", add_to(choice, "score", -1)),
    "bound lowered": ("bound", add_to(choice, "bound", -1)),
    "bound raised": ("proved", add_to(choice, "bound", 1)),
    "proof denied": ("proved", set_in(choice, proved=False)),
    "best winner forgotten": ("optimality", forget_winner),
    # The reference.
    "reference dearer": ("reference", add_to(lambda parts: auction(parts)["reference"][0], "price", 1)),
    "reference cheaper": ("reason", add_to(lambda parts: auction(parts)["reference"][0], "price", -10**5)),
    "reference units": ("reference", add_to(lambda parts: auction(parts)["reference"][0], "units", 1)),
    "reference dropped": ("reference", drop_from(lambda parts: auction(parts)["reference"])),
    "house bid dropped": ("reference", lambda parts: drop_bid(
        parts, next(place for place, each in enumerate(outcome(parts)["bids"])
                    if each["solver"] == HOUSE and each["reason"] == "outbid"))),
    # Bids and their reasons.
    "outbid is infeasible": ("reason", lambda parts: refused_now(
        parts, bid_with(parts, "outbid"), "infeasible:limit_exceeded")),
    "infeasible is outbid": ("reason", lambda parts: accepted_now(parts, bid_with(parts, "infeasible"))),
    "infeasible by another rule": ("reason", set_in(
        lambda parts: bid_with(parts, "infeasible"), reason="infeasible:unfunded")),
    "infeasible by no rule": ("reason", set_in(
        lambda parts: bid_with(parts, "infeasible"), reason="infeasible:ugly")),
    "outbid is late": ("reason", lambda parts: refused_now(parts, bid_with(parts, "outbid"), "late")),
    "outbid is superseded": ("reason", lambda parts: refused_now(
        parts, bid_with(parts, "outbid"), "superseded")),
    "outbid is one too many": ("reason", lambda parts: refused_now(
        parts, bid_with(parts, "outbid"), "too_many")),
    "outbid is malformed": ("reason", lambda parts: refused_now(
        parts, bid_with(parts, "outbid"), "malformed")),
    "outbid for no reason": ("reason", lambda parts: refused_now(parts, bid_with(parts, "outbid"), "ugly")),
    "late is outbid": ("reason", lambda parts: accepted_now(parts, bid_with(parts, "late"))),
    "superseded is outbid": ("reason", lambda parts: accepted_now(parts, bid_with(parts, "superseded"))),
    "wrong auction is outbid": ("reason", lambda parts: accepted_now(
        parts, bid_with(parts, "wrong_auction"))),
    "wrong solver is outbid": ("reason", lambda parts: accepted_now(parts, bid_with(parts, "wrong_solver"))),
    "malformed is outbid": ("reason", lambda parts: accepted_now(parts, bid_with(parts, "malformed"))),
    "malformed is late": ("reason", set_in(lambda parts: bid_with(parts, "malformed"), reason="late")),
    "outbid has won": ("winners", set_in(lambda parts: bid_with(parts, "outbid"), reason="won")),
    "won is outbid": ("winners", set_in(lambda parts: bid_with(parts, "won"), reason="outbid")),
    "infeasible with a score": ("score", set_in(lambda parts: bid_with(parts, "infeasible"), score=5)),
    "outbid without a score": ("score", lambda parts: bid_with(parts, "outbid").pop("score")),
    "what a bid had to beat": ("bid_numbers", add_to(
        numbers_of(lambda parts: bid_with(parts, "outbid")), "allowed", -1)),
    "what a bid lacked": ("bid_numbers", lambda parts: bid_with(parts, "outbid")["numbers"].update(
        where="offer elsewhere")),
    "what a winner kept out": ("bid_numbers", add_to(
        numbers_of(lambda parts: bid_with(parts, "won")), "allowed", 1)),
    "how late": ("numbers", add_to(numbers_of(lambda parts: bid_with(parts, "late")), "found", -1)),
    "by what superseded": ("numbers", add_to(
        numbers_of(lambda parts: bid_with(parts, "superseded")), "allowed", 1)),
    "infeasible without numbers": ("numbers", lambda parts: bid_with(parts, "infeasible").pop("numbers")),
    "digest": ("digest", set_in(lambda parts: bid_with(parts, "outbid"), digest="0" * 64)),
    "digest of a malformed one": ("digest", set_in(
        lambda parts: bid_with(parts, "malformed"), digest="0" * 64)),
    "bid name": ("bid_order", set_in(lambda parts: bid_with(parts, "outbid"), bid="another")),
    "bid solver": ("bid_order", set_in(lambda parts: bid_with(parts, "outbid"), solver="another")),
    "bid records swapped": ("bid_order", swap_in(lambda parts: outcome(parts)["bids"])),
    "winning bid dropped": ("winners", lambda parts: drop_bid(
        parts, next(place for place, each in enumerate(outcome(parts)["bids"])
                    if each["solver"] != HOUSE and each["reason"] == "won"))),
    "another content": ("bid_order", other_content),
    "came later": ("reason", set_in(submission_with("outbid"), arrival_us=10**9)),
    "came earlier": ("reason", set_in(submission_with("late"), arrival_us=0)),
    # Orders.
    "order units": ("order_units", add_to(order_with("filled"), "units", 1)),
    "order filled in part": ("order_reason", set_in(order_with("filled"), reason="partly_filled")),
    "order without a bid": ("order_reason", set_in(order_with("limit_short"), reason="outbid")),
    "order with a reason of its own": ("order_reason", set_in(order_with("limit_short"), reason="ugly")),
    "what an order needs": ("order_numbers", add_to(numbers_of(order_with("limit_short")), "allowed", 1)),
    "what an order pays": ("order_numbers", add_to(numbers_of(order_with("filled")), "found", -1)),
    "order without numbers": ("order_numbers", lambda parts: order_with("filled")(parts).pop("numbers")),
    "order dropped": ("orders_missing", drop_from(orders)),
    "orders swapped": ("orders_missing", swap_in(orders)),
    "order twice": ("orders_missing", repeat_in(orders)),
    "solver report": ("solver_reports", set_in(lambda parts: outcome(parts)["solvers"][0], reason="ugly")),
    "solver report twice": ("solver_reports", repeat_in(lambda parts: outcome(parts)["solvers"])),
    # The auction file.
    "content hash": ("content_hash", lambda parts: (
        parts.update(keep_hash=True), outcome(parts).update(content_hash="0" * 64))),
    "auction without its hash": ("content_hash", lambda parts: (
        parts.update(keep_hash=True), auction(parts).update(solve_us=1))),
    "auction id": ("auction_id", set_in(outcome, auction="auction-000077")),
    "limit": ("score", add_to(filled_order, "limit", 1)),
    "units on offer": ("reason", set_in(filled_order, units=1, min_units=1)),
    "offer twice": ("auction_ids", repeat_in(lambda parts: auction(parts)["offers"])),
    "order twice in the auction": ("auction_ids", repeat_in(lambda parts: auction(parts)["orders"])),
    "offer nowhere": ("auction_names", set_in(lambda parts: auction(parts)["offers"][0], venue="nowhere")),
    "series that is another": ("auction_series", add_to(
        lambda parts: auction(parts)["series"][0], "strike", 1)),
    "more orders than there may be": ("orders_max", set_in(
        lambda parts: auction(parts)["rules"], orders_max=1)),
    "left out with room": ("not_selected", lambda parts: parts["not_selected"].append("0x1")),
    "left out and in": ("not_selected", lambda parts: parts["not_selected"].append(
        auction(parts)["orders"][0]["intent"])),
    # Settlement.
    "settlement missing": ("settlement_missing", drop_from(lambda parts: parts["settlement"])),
    "settlement twice": ("settlement_missing", repeat_in(lambda parts: parts["settlement"])),
    "settlements swapped": ("settlement_missing", swap_in(lambda parts: parts["settlement"])),
    "settlement of another deal": ("settlement_missing", set_in(settled, deal="0" * 32)),
    "deal state": ("settlement_state", set_in(settled, state="fine")),
    "deal closed, legs released": ("half_settled", set_in(settled, state="closed")),
    "one leg refunded": ("half_settled", set_in(lambda parts: settled(parts)["legs"][0], state="refunded")),
    "one leg locked": ("half_settled", set_in(lambda parts: settled(parts)["legs"][-1], state="locked")),
    "leg state": ("half_settled", set_in(lambda parts: settled(parts)["legs"][0], state="fine")),
    "leg dropped": ("settlement_chains", drop_from(lambda parts: settled(parts)["legs"])),
    "legs swapped": ("settlement_chains", swap_in(lambda parts: settled(parts)["legs"])),
    "settled before the cut": ("settlement_time", set_in(settled, at_us=1)),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_caught_and_named(record: RecordedAuction, tmp_path: Path, lie: str) -> None:
    rule, change = LIES[lie]
    parts = take_apart(record)
    change(parts)
    error = refuse(tmp_path, [put_together(parts)])
    assert error.rule == rule, error
    assert f": {rule}: " in str(error)


def test_the_auction_that_lies_is_named(recorded: Recorded, tmp_path: Path) -> None:
    parts = take_apart(recorded.records[1])
    rob(parts)
    error = refuse(tmp_path, [recorded.records[0], put_together(parts), recorded.records[2]])
    assert str(error).startswith("auction-000002: payments: ")


def test_auctions_out_of_order_are_caught(recorded: Recorded, tmp_path: Path) -> None:
    first, second, third = recorded.records
    for lie in ([first, third, second], [first, second, second, third]):
        assert refuse(tmp_path, lie).rule == "auction_order"


def test_a_winner_swapped_for_worse_bids_is_caught(record: RecordedAuction, tmp_path: Path) -> None:
    """The round is arbitrated honestly as if its best bid and its equals had not been there."""
    bids = record.decided.bids
    best = record.decided.deals[0].score
    kept = [place for place, bid in enumerate(bids) if bid.score != best]
    others = tuple(record.submissions[place] for place in kept)
    worse = arbitrate(record.auction, others, record.decided.solvers, versions=record.decided.versions)
    judged = {place: replace(bid, reason="outbid") for place, bid in enumerate(bids) if bid.score == best}
    judged |= dict(zip(kept, worse.bids, strict=True))
    assert any(deal.digest not in {each.digest for each in record.decided.deals} for deal in worse.deals)
    lie = RecordedAuction(
        file=record.file,
        submissions=record.submissions,
        outcome=encode(replace(worse, bids=tuple(judged[place] for place in sorted(judged)))),
    )
    assert refuse(tmp_path, [lie]).rule == "optimality"


def test_a_choice_without_a_proof_may_be_worse_but_not_beyond_its_bound(
    record: RecordedAuction, tmp_path: Path
) -> None:
    parts = take_apart(record)
    best = choice(parts)["bound"]
    forget_winner(parts)
    choice(parts).update(bound=best, proved=False)
    assert refuse(tmp_path, [put_together(parts)]).rule.startswith("reward_"), "rewards need a proof"
    withhold_rewards(outcome(parts), parts["settlement"])
    assert refuse(tmp_path, [put_together(parts)]).rule == "bid_numbers", "losers need other numbers"
    explain_again(parts)
    assert verify_auction(put_together(parts))
    choice(parts)["bound"] = best - 1
    assert refuse(tmp_path, [put_together(parts)]).rule == "optimality"


def change_marks(parts: Parts, **values: Any) -> None:
    for mark in parts["auction"]["marks"]:
        mark.update(values)


def test_marks_are_information_and_decide_nothing(record: RecordedAuction) -> None:
    parts = take_apart(record)
    change_marks(parts, price=1.5, iv=0.25, delta=-0.5)
    lie = put_together(parts)
    assert lie.decided.content_hash == record.decided.content_hash
    assert lie.file != record.file
    assert verify_auction(lie) == verify_auction(record)


def test_marks_must_still_be_canonical(record: RecordedAuction, tmp_path: Path) -> None:
    parts = take_apart(record)
    change_marks(parts, price=1)
    lie = put_together(parts)
    assert lie.decided.content_hash == record.decided.content_hash
    assert refuse(tmp_path, [lie]).rule == "canonical"


@pytest.mark.parametrize("part", ["file", "outcome"])
@pytest.mark.parametrize("ending", [b" ", b"{"])
def test_bytes_that_are_not_canonical_are_caught(record: RecordedAuction, part: str, ending: bytes) -> None:
    fields = {name: getattr(record, name) for name in ("file", "submissions", "outcome", "settlement")}
    with pytest.raises(VerificationError) as caught:
        verify_auction(RecordedAuction(**fields | {part: fields[part] + ending}))
    assert caught.value.rule == "canonical"


def test_submissions_without_a_record_are_caught(record: RecordedAuction) -> None:
    parts = take_apart(record)
    parts["submissions"].pop()
    with pytest.raises(VerificationError) as caught:
        verify_auction(put_together(parts))
    assert caught.value.rule == "bids_missing"


def test_a_full_auction_may_leave_orders_out(tmp_path: Path) -> None:
    run = small_run(rules=Rules(orders_max=2))
    for nonce in range(4):
        run.post(make_intent(ALICE, nonce, {CALL: 1}, 8_000_000 + nonce))
    run.round()
    run.settle_all()
    archive, (record,) = run.export(tmp_path)
    assert len(record.not_selected) == 2
    assert verify_archive(archive).deals > 0
