"""What rivals, names, arrival and adversaries cannot change, and the study of what they can."""

import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from solvers.arbitration import arbitrate
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.outcome import HOUSE, BidRecord, Outcome
from solvers.reasons import BidReason
from tests.builders import CALL, HIGH, free_market, make_bid, make_offer, make_order, make_reference
from tests.mutated_bids import mutate_bid, strain_auction
from tests.random_markets import random_auction, random_bids
from tests.simulation.adversaries import COLUMNS, Trial, format_table, main, open_scene, summarise
from tests.simulation.attacks import ATTACKS
from tests.simulation.contest import Round, decide, submit
from tests.simulation.moves import Scene

ROUNDS = 40
SCENES = 8
STUDIED = 3
SMALL = (3, 5)
WINDOW_S = 0.2
SOAK_AUCTIONS = 1_000
FEASIBLE = {BidReason.WON, BidReason.OUTBID}


def verdict(record: BidRecord) -> tuple[object, ...]:
    """What a record says of the bid itself: its score, or the rule that it breaks with the numbers."""
    if record.reason in FEASIBLE:
        return ("feasible", record.score)
    return (record.reason, record.detail, record.numbers)


def verdicts(auction: Auction, bids: list[Bid]) -> dict[str, tuple[object, ...]]:
    records = arbitrate(auction, submit(bids), versions={}).bids
    return {record.digest: verdict(record) for record in records}


def named_apart(bids: list[Bid]) -> list[Bid]:
    """No bid takes the place of another of its solver's, and each is another bid."""
    return [replace(bid, bid=f"{place}-{bid.bid}"[:60]) for place, bid in enumerate(bids)]


def test_no_bid_of_a_rival_makes_another_infeasible_or_feasible() -> None:
    """Sound bids and broken ones: each gets the verdict among all that it gets alone."""
    seen: set[object] = set()
    for seed in range(ROUNDS):
        rng = Random(seed)
        auction = strain_auction(rng, random_auction(rng))
        bids = random_bids(rng, auction)
        bids = named_apart([*bids, *(mutate_bid(rng, auction, bid) for bid in bids)])
        together = verdicts(auction, bids)
        for bid in bids:
            assert verdicts(auction, [bid]) == {bid.digest: together[bid.digest]}
        seen |= {found[0] for found in together.values()}
    assert "feasible" in seen
    assert len(seen) > 10, "many rules are broken somewhere"


def scenes() -> Iterator[Scene]:
    found = (open_scene(seed, window_s=WINDOW_S, orders=SMALL) for seed in range(SCENES))
    return (scene for scene in found if scene is not None)


def attacked_rounds() -> Iterator[Round]:
    """Honest rounds, and those of attacks that send bids with the same orders."""
    for scene in scenes():
        yield scene.held
        for attack in ("copied and renamed bids", "tiny bids against a batch"):
            tried = ATTACKS[attack](scene)
            assert tried is not None
            yield from (scene.theatre.hold(move) for move in tried.foul)


def economics(outcome: Outcome) -> tuple[object, ...]:
    """What a round means to its owners, whoever's bid it was that won."""
    fills = sorted((fill.intent, fill.units, fill.payment) for deal in outcome.deals for fill in deal.fills)
    prices = sorted(
        (row.chain, row.package, row.units, row.price) for deal in outcome.deals for row in deal.prices
    )
    return outcome.choice, fills, prices, sorted(row.amount for row in outcome.rewards if row.amount)


def test_the_outcome_does_not_depend_on_who_is_heard_first() -> None:
    rng = Random(1)
    rounds = 0
    for held in attacked_rounds():
        for _ in range(2):
            bids = list(held.bids)
            rng.shuffle(bids)
            again = decide(held.auction, bids).outcome
            assert (again.deals, again.rewards, again.orders) == (
                held.outcome.deals,
                held.outcome.rewards,
                held.outcome.orders,
            )
        rounds += bool(held.outcome.deals)
    assert rounds > SCENES


def test_the_outcome_does_not_depend_on_names() -> None:
    """Other solvers, other bid names: the same fills at the same prices, and the same rewards paid.

    Sets of bids that are worth exactly as much are told apart by hashes, in which names count; such ties
    are between bids that do the same, so that no owner notices.
    """
    for held in attacked_rounds():
        renamed = [
            bid if bid.solver == HOUSE else replace(bid, solver=f"x-{bid.solver[::-1]}", bid=f"y{place}")
            for place, bid in enumerate(held.bids)
        ]
        assert economics(decide(held.auction, renamed).outcome) == economics(held.outcome)


HUGE = 1_000_000_000


def wash_round(*, reference: bool) -> Outcome:
    """An order that pays 10,000 by itself, in one bid with a wash pair that is worth 1 more."""
    ask = make_offer("hub-book", CALL, "sell", 10_000, 1)
    auction = free_market(
        offers=(ask,),
        orders=(
            make_order("honest", {CALL: 1}, 20_000),
            make_order("buyer", {CALL: 1, HIGH: 1}, HUGE),
            make_order("seller", {CALL: -1, HIGH: -1}, 1 - HUGE),
        ),
        reference=(make_reference("hub", {CALL: 1}, units=1, price=10_400),) if reference else (),
    )
    alone = make_bid({"honest": 1}, {ask.id: 1}, bid="alone")
    washed = make_bid({"honest": 1, "buyer": 1, "seller": 1}, {ask.id: 1}, bid="washed", solver="mallory")
    return decide(auction, [alone, washed]).outcome


@pytest.mark.parametrize(("reference", "price"), [(False, 20_000), (True, 10_400)])
def test_a_wash_pair_takes_what_owners_improve_but_not_beyond_limit_and_reference(
    reference: bool, price: int
) -> None:
    (deal,) = wash_round(reference=reference).deals
    paid = {fill.intent: fill.payment for fill in deal.fills}
    assert deal.bid == "washed"
    assert paid["honest"] == price
    dust = sum(part.amount for part in deal.reserve)
    assert dust < len(deal.fills)
    assert -paid["buyer"] - paid["seller"] == price - 10_000 - dust, "without fees the pair has all the rest"


@pytest.fixture(scope="module")
def answer() -> dict[str, Any]:
    """What the study's command prints of a few auctions; each round is checked for what it owes."""
    written = StringIO()
    with redirect_stdout(written):
        main(["--auctions", str(STUDIED), "--jobs", "1", "--window-s", str(WINDOW_S), "--json"])
    found: dict[str, Any] = json.loads(written.getvalue())
    return found


@pytest.fixture(scope="module")
def trials(answer: dict[str, Any]) -> list[Trial]:
    return [Trial(**trial) for trial in answer["trials"]]


def test_copies_earn_nothing_and_a_fee_that_a_rival_does_not_ask_wins_nothing(trials: list[Trial]) -> None:
    for trial in trials:
        if trial.attack in {"copied and renamed bids", "fee with a capable rival"}:
            assert (trial.gain, trial.owners_lose) == (0, 0)


def test_a_fee_takes_from_owners_and_makes_nothing(trials: list[Trial]) -> None:
    for trial in trials:
        if trial.attack == "fee of the only capable solver":
            lost = trial.owners_lose + trial.solvers_lose + trial.reserve_loses
            assert trial.gain <= lost, "what is gained is not more than what others lose"


def test_the_study_has_a_row_for_every_attack(answer: dict[str, Any], trials: list[Trial]) -> None:
    assert set(answer["rows"]) == set(ATTACKS)
    assert answer["rows"] == summarise(trials)
    assert all(0 <= row["paid"] <= 100 for row in answer["rows"].values())
    table = format_table(answer["rows"]).splitlines()
    assert len(table) == 2 + len(ATTACKS)
    assert {line.count("|") for line in table} == {len(COLUMNS) + 2}


@pytest.mark.soak
def test_the_study_of_adversaries_over_1000_auctions() -> None:
    """Prints the table of the README; every promise is checked in every round on the way."""
    main(["--auctions", str(SOAK_AUCTIONS)])
