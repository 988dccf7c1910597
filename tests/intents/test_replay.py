"""Replay: recorded auctions come out as they were recorded, and where they do not, it says where."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from chains.units import MICRO
from intents.archive import RecordedAuction, SettledDeal
from intents.replay import replay_all, replay_recorded, resolve
from solvers.arbitration import arbitrate
from solvers.auction import Rules
from solvers.codec import encode
from solvers.outcome import HOUSE
from solvers.reference import with_reference
from tests.builders import free_market
from tests.knapsacks import draw_knapsack
from tests.market_run import STRATEGIES, Recorded, recorded_run, submit
from tests.withheld_rewards import withhold_rewards


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded_run(tmp_path_factory.mktemp("replay"))


def change(record: RecordedAuction, **changes: Any) -> RecordedAuction:
    fields = {
        name: getattr(record, name)
        for name in ("file", "submissions", "outcome", "not_selected", "settlement")
    }
    return RecordedAuction(**fields | changes)


def change_outcome(record: RecordedAuction, **changes: Any) -> RecordedAuction:
    return change(record, outcome=encode(replace(record.decided, **changes)))


def test_every_recorded_auction_comes_out_byte_for_byte(recorded: Recorded) -> None:
    replayed = list(replay_all(recorded.records))
    assert [each.auction for each in replayed] == [each.auction.auction for each in recorded.records]
    assert all(each.is_match and each.proved for each in replayed)
    assert [each.score for each in replayed] == [each.choice.score for each in recorded.run.outcomes]


def test_several_processes_give_the_same_answers_in_order(recorded: Recorded) -> None:
    records = recorded.records * 3
    assert list(replay_all(records, jobs=2)) == list(replay_all(records))


def test_a_changed_payment_is_named(recorded: Recorded) -> None:
    record = recorded.records[0]
    deals = msgspec.to_builtins(record.decided.deals)
    deals[0]["fills"][0]["payment"] -= 1
    outcome = msgspec.to_builtins(record.decided) | {"deals": deals}
    replayed = replay_recorded(change(record, outcome=encode(outcome)))
    paid = record.decided.deals[0].fills[0].payment
    assert replayed.differences == (
        f"outcome.deals[0].fills[0].payment: recorded {paid - 1}, replayed {paid}",
    )


def test_every_part_of_an_outcome_is_compared(recorded: Recorded) -> None:
    record = recorded.records[0]
    decided = record.decided
    changes: dict[str, Any] = {
        "choice": replace(decided.choice, bound=decided.choice.bound + 1),
        "deals": decided.deals[1:],
        "bids": (replace(decided.bids[0], detail="otherwise"), *decided.bids[1:]),
        "orders": (replace(decided.orders[0], units=77), *decided.orders[1:]),
        "content_hash": "0" * 64,
    }
    for name, value in changes.items():
        replayed = replay_recorded(change_outcome(record, **{name: value}))
        assert [each.split(":")[0].split("[")[0].split(".")[1] for each in replayed.differences] == [name]


def test_versions_are_carried_over(recorded: Recorded) -> None:
    replayed = replay_recorded(change_outcome(recorded.records[0], versions={"ortools": "1", "solvent": "2"}))
    assert replayed.is_match


def test_bytes_that_are_not_canonical_are_a_difference(recorded: Recorded) -> None:
    record = recorded.records[0]
    replayed = replay_recorded(change(record, outcome=record.outcome + b" "))
    assert replayed.differences == ("outcome: the recorded bytes are not canonical",)


def test_another_reference_is_a_difference(recorded: Recorded) -> None:
    record = recorded.records[0]
    row, *others = record.auction.reference
    auction = replace(record.auction, reference=(replace(row, price=row.price + 1), *others))
    assert any(
        each.startswith("reference:")
        for each in replay_recorded(change(record, file=encode(auction))).differences
    )


def test_other_house_bids_are_a_difference(recorded: Recorded) -> None:
    record = recorded.records[0]
    kept = tuple(each for each in record.submissions if each.solver != HOUSE)
    outcome = arbitrate(record.auction, kept, record.decided.solvers, versions=record.decided.versions)
    replayed = replay_recorded(change(record, submissions=kept, outcome=encode(outcome)))
    assert replayed.differences == ("house bids: the market's own bids come out differently",)


def contended() -> RecordedAuction:
    """A knapsack of bids, with hardly any time to choose from it."""
    knapsack = draw_knapsack()
    bare = free_market(
        orders=knapsack.orders,
        offers=knapsack.offers,
        series=knapsack.series,
        rules=Rules(fee_per_lot=1, winners_budget=1),
    )
    auction, house = with_reference(bare)
    sent = (
        *(submit(HOUSE, 0, bid) for bid in house),
        *(submit(bid.solver, 1, bid) for bid in knapsack.bids),
    )
    return RecordedAuction(file=encode(auction), submissions=sent, outcome=encode(arbitrate(auction, sent)))


def test_a_choice_without_a_proof_is_made_again_the_same() -> None:
    record = contended()
    assert not record.decided.choice.proved
    assert replay_recorded(record).is_match


def unproved(record: RecordedAuction, **changes: Any) -> RecordedAuction:
    """The record as if the proof were missing, so that nobody is rewarded."""
    outcome, settlement = (
        msgspec.json.decode(content) for content in (record.outcome, encode(record.settlement))
    )
    outcome["choice"]["bound"] += MICRO
    outcome["choice"]["proved"] = False
    withhold_rewards(outcome, settlement)
    settled = msgspec.convert(settlement, tuple[SettledDeal, ...])
    return change_outcome(change(record, outcome=encode(outcome), settlement=settled), **changes)


def test_what_another_search_left_unproved_is_verified_instead(recorded: Recorded) -> None:
    record = recorded.records[0]
    assert not replay_recorded(unproved(record)).is_match
    assert replay_recorded(unproved(record, versions={"ortools": "9.9"})).is_match
    wrong = unproved(record, versions={"ortools": "9.9"}, deals=record.decided.deals[1:])
    assert not replay_recorded(wrong).is_match


def test_rewards_that_another_search_left_unproved_are_verified_instead(recorded: Recorded) -> None:
    record = recorded.records[0]
    choice = record.decided.choice
    assert choice.proved
    assert record.decided.rewards
    assert not replay_recorded(unproved(record, choice=choice)).is_match
    assert replay_recorded(unproved(record, choice=choice, versions={"ortools": "9.9"})).is_match


def test_resolving_asks_the_strategies_alone(recorded: Recorded) -> None:
    auction = recorded.records[0].auction
    outcome, submissions = resolve(auction, {"greedy": STRATEGIES["greedy"]}, seconds_each=60.0)
    assert {each.solver for each in submissions} == {"greedy"}
    assert {deal.solver for deal in outcome.deals} == {"greedy"}
    assert {record.intent for record in outcome.orders} == {order.intent for order in auction.orders}
    nobody, nothing = resolve(auction, {}, seconds_each=60.0)
    assert (nobody.choice.score, nothing) == (0, ())
