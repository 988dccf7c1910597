"""Rewards, checked a second time: what the market pays passes, and every lie about it is named."""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest

from intents.errors import VerificationError
from intents.verifying.outcomes import judge_all
from intents.verifying.rewards import check_rewards
from intents.verifying.sheet import Sheet
from intents.verifying.transfers import check_settlement
from solvers.arbitration import arbitrate
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.codec import encode
from solvers.outcome import HOUSE, Outcome
from tests.builders import CALL, free_market, make_bid, make_offer, make_order
from tests.knapsacks import draw_knapsack
from tests.market_run import submit
from tests.random_markets import random_auction, random_bids
from tests.settled_deals import plan_deals

Outcomes = dict[str, Any]
"""An outcome as plain lists and dictionaries."""

CHEAP = f"hub-book/{CALL}/sell/900"
DEAR = f"hub-book/{CALL}/sell/950"


def shared_auction() -> Auction:
    """Four buyers; Ann fills two of them, Ben a third, the house the last. 40 per lot to the market."""
    rules = msgspec.structs.replace(free_market().rules, fee_per_lot=40, reward_share_bps=2_500)
    return free_market(
        rules=rules,
        orders=tuple(make_order(name, {CALL: 1}, 1_100, units=3) for name in ("one", "two", "three", "four")),
        offers=(make_offer("hub-book", CALL, "sell", 900, 9), make_offer("hub-book", CALL, "sell", 950, 9)),
    )


def shared_bids() -> tuple[Bid, ...]:
    return (
        make_bid({"one": 3}, {CHEAP: 3}, bid="a1", solver="ann"),
        make_bid({"two": 2}, {CHEAP: 2}, bid="a2", solver="ann"),
        make_bid({"three": 3}, {CHEAP: 3}, bid="b", solver="ben"),
        make_bid({"four": 1}, {CHEAP: 1}, bid="h", solver=HOUSE),
        make_bid({"one": 3}, {CHEAP: 3}, bid="c", solver="cas", fee={"hub": 20}),
        make_bid({"three": 3}, {DEAR: 3}, bid="d", solver="cas"),
    )


def judge(auction: Auction, bids: tuple[Bid, ...], outcome: Outcome) -> None:
    sheet = Sheet(auction)
    pool = judge_all(sheet, [submit(bid.solver, 1, bid) for bid in bids], outcome)
    check_rewards(sheet, outcome, pool)


def decided() -> Outcome:
    bids = shared_bids()
    return arbitrate(shared_auction(), [submit(bid.solver, 1, bid) for bid in bids], versions={})


def test_true_rewards_pass() -> None:
    outcome = decided()
    judge(shared_auction(), shared_bids(), outcome)
    rows = [(row.solver, row.marginal, row.cap, row.amount) for row in outcome.rewards]
    assert rows == [("ann", 20 + 2 * 160, 50, 50), ("ben", 3 * 50, 30, 30)]
    assert {deal.bid: [part.amount for part in deal.reward] for deal in outcome.deals} == {
        "a1": [30],
        "a2": [20],
        "b": [30],
        "h": [],
    }


def test_rewards_of_random_rounds_pass() -> None:
    """150 rounds that brute force agrees with (see the tests of `solvers.rewards`)."""
    paid = crossed = 0
    for seed in range(150):
        rng = Random(seed)
        auction = random_auction(rng)
        rules = msgspec.structs.replace(
            auction.rules, fee_per_lot=rng.randint(1, 40), reward_share_bps=rng.randint(0, 9_999)
        )
        auction = msgspec.structs.replace(auction, rules=rules)
        bids = tuple(random_bids(rng, auction))
        outcome = arbitrate(auction, [submit(bid.solver, 1, bid) for bid in bids], versions={})
        judge(auction, bids, outcome)
        paid += any(row.amount for row in outcome.rewards)
        crossed += any(len(deal.reward) > 1 for deal in outcome.deals)
    assert paid > 30
    assert crossed > 0


def deal(outcome: Outcomes, bid: str) -> Any:
    return next(each for each in outcome["deals"] if each["bid"] == bid)


def row(outcome: Outcomes, solver: str) -> Any:
    return next(each for each in outcome["rewards"] if each["solver"] == solver)


def pay_more(outcome: Outcomes) -> None:
    """More than the cap, with the parts that make it up."""
    row(outcome, "ann")["amount"] += 6
    deal(outcome, "a1")["reward"][0]["amount"] += 6


def raise_marginal(outcome: Outcomes) -> None:
    """A lower `without`, and a greater marginal that follows from it."""
    row(outcome, "ben")["without"] -= 5
    row(outcome, "ben")["marginal"] += 5


def lower_marginal(outcome: Outcomes) -> None:
    """The solver is done out of what it added: nothing is paid."""
    row(outcome, "ben").update(without=outcome["choice"]["score"], marginal=0, amount=0)
    deal(outcome, "b")["reward"] = []


def raise_cap(outcome: Outcomes) -> None:
    row(outcome, "ben").update(cap=31, amount=31)
    deal(outcome, "b")["reward"][0]["amount"] = 31


def pay_unproved(outcome: Outcomes) -> None:
    row(outcome, "ann")["proved"] = False


def pay_where_choice_is_unproved(outcome: Outcomes) -> None:
    outcome["choice"].update(bound=outcome["choice"]["bound"] + 1, proved=False)


def pay_the_house(outcome: Outcomes) -> None:
    outcome["rewards"].append(row(outcome, "ben") | {"solver": HOUSE})


def pay_the_house_unlisted(outcome: Outcomes) -> None:
    deal(outcome, "h")["reward"] = [{"chain": "hub", "amount": 1}]


def pay_a_loser(outcome: Outcomes) -> None:
    outcome["rewards"].append(row(outcome, "ben") | {"solver": "cas"})


def pay_on_another_chain(outcome: Outcomes) -> None:
    deal(outcome, "b")["reward"][0]["chain"] = "east"


def pay_from_another_deal(outcome: Outcomes) -> None:
    deal(outcome, "a1")["reward"][0]["amount"] += 5
    deal(outcome, "a2")["reward"][0]["amount"] -= 5


def pay_twice(outcome: Outcomes) -> None:
    deal(outcome, "b")["reward"] *= 2


def forget_a_part(outcome: Outcomes) -> None:
    deal(outcome, "b")["reward"] = []


def forget_a_row(outcome: Outcomes) -> None:
    outcome["rewards"].pop()


def list_twice(outcome: Outcomes) -> None:
    outcome["rewards"].append(outcome["rewards"][-1])


def list_backwards(outcome: Outcomes) -> None:
    outcome["rewards"].reverse()


def marginal_alone(outcome: Outcomes) -> None:
    row(outcome, "ben")["marginal"] += 1


def amount_alone(outcome: Outcomes) -> None:
    row(outcome, "ben")["amount"] -= 1


LIES: dict[Callable[[Outcomes], None], str] = {
    pay_more: "reward_amount",
    raise_marginal: "reward_without",
    lower_marginal: "reward_without",
    raise_cap: "reward_cap",
    pay_unproved: "reward_amount",
    pay_where_choice_is_unproved: "reward_proved",
    pay_the_house: "reward_solvers",
    pay_the_house_unlisted: "reward_parts",
    pay_a_loser: "reward_solvers",
    pay_on_another_chain: "reward_parts",
    pay_from_another_deal: "reward_parts",
    pay_twice: "reward_parts",
    forget_a_part: "reward_parts",
    forget_a_row: "reward_solvers",
    list_twice: "reward_solvers",
    list_backwards: "reward_solvers",
    marginal_alone: "reward_marginal",
    amount_alone: "reward_amount",
}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_every_lie_about_rewards_is_named(lie: Callable[[Outcomes], None]) -> None:
    plain = msgspec.json.decode(encode(decided()))
    lie(plain)
    with pytest.raises(VerificationError) as caught:
        judge(shared_auction(), shared_bids(), msgspec.convert(plain, Outcome))
    assert caught.value.rule == LIES[lie]


def test_an_unproved_round_that_pays_nothing_passes() -> None:
    plain = msgspec.json.decode(encode(decided()))
    pay_where_choice_is_unproved(plain)
    for each in plain["rewards"]:
        each.update(proved=False, amount=0)
    for each in plain["deals"]:
        each["reward"] = []
    judge(shared_auction(), shared_bids(), msgspec.convert(plain, Outcome))
    row(plain, "ann")["without"] = plain["choice"]["score"] + 1
    row(plain, "ann")["marginal"] = 0
    with pytest.raises(VerificationError, match="reward_without"):
        judge(shared_auction(), shared_bids(), msgspec.convert(plain, Outcome))


def besieged() -> tuple[Auction, tuple[Bid, ...]]:
    """The same buyers, with a knapsack of hostile bids that nobody can prove the best of."""
    knapsack, auction = draw_knapsack(size=24), shared_auction()
    auction = msgspec.structs.replace(
        auction,
        orders=(*auction.orders, *knapsack.orders),
        offers=(*auction.offers, *knapsack.offers),
        series=(*auction.series, *knapsack.series),
        rules=msgspec.structs.replace(auction.rules, winners_budget=1),
    )
    return auction, (*shared_bids(), *knapsack.bids)


def test_rewards_beside_a_choice_that_is_not_proved_pass_where_they_are() -> None:
    auction, bids = besieged()
    outcome = arbitrate(auction, [submit(bid.solver, 1, bid) for bid in bids], versions={})
    assert not outcome.choice.proved
    paid = {row.solver: (row.amount, row.proved) for row in outcome.rewards}
    assert paid == {"ann": (50, True), "ben": (30, True), "mallory": (0, False)}
    judge(auction, bids, outcome)
    plain = msgspec.json.decode(encode(outcome))
    row(plain, "mallory")["proved"] = True
    row(plain, "mallory")["amount"] = row(plain, "mallory")["cap"]
    with pytest.raises(VerificationError) as caught:
        judge(auction, bids, msgspec.convert(plain, Outcome))
    assert caught.value.rule in ("reward_without", "reward_proved")


def test_a_proof_that_is_claimed_for_a_choice_that_can_be_bettered_is_refused() -> None:
    """Ben's bid is left out of the winners, and everything else follows from that."""
    plain = msgspec.json.decode(encode(decided()))
    left_out = deal(plain, "b")
    plain["deals"].remove(left_out)
    next(each for each in plain["bids"] if each["bid"] == "b")["reason"] = "outbid"
    plain["choice"].update(score=plain["choice"]["score"] - left_out["score"], proved=False)
    plain["rewards"] = [row(plain, "ann")]
    row(plain, "ann").update(without=plain["choice"]["score"] - 1, marginal=1, amount=1)
    with pytest.raises(VerificationError, match="reward"):
        judge(shared_auction(), shared_bids(), msgspec.convert(plain, Outcome))


def test_a_reward_is_paid_where_the_deal_says_and_nowhere_else() -> None:
    """In the deal's own transfers: to its solver, on its chain, out of the protocol fee."""
    auction, bids = shared_auction(), shared_bids()
    sheet = Sheet(auction)
    outcome = decided()
    pool = judge_all(sheet, [submit(bid.solver, 1, bid) for bid in bids], outcome)
    planned = next(each for each in plan_deals(auction, *bids) if each.deal.bid == "b")
    judged = pool[planned.deal.digest].judged
    check_settlement(sheet, planned.deal, judged, planned.settled)
    (leg,) = planned.settled.legs
    paid = next(each for each in leg.transfers if each.credit == "solver:ben")
    assert paid.amount == planned.deal.reward[0].amount == 30
    for change in ({"credit": "solver:ann"}, {"credit": "fees:protocol"}, {"amount": 31}):
        lie = msgspec.structs.replace(paid, **change)
        transfers = tuple(lie if each is paid else each for each in leg.transfers)
        lied = msgspec.structs.replace(leg, transfers=transfers)
        settled = msgspec.structs.replace(planned.settled, legs=(lied,))
        with pytest.raises(VerificationError) as caught:
            check_settlement(sheet, planned.deal, judged, settled)
        assert caught.value.rule in ("not_paid", "conservation")
