"""Rewards: by hand, against trying all sets, and what nobody can gain by."""

import random
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import combinations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as replace_struct

from chains.units import WIRE_MAX
from solvers.arbitration import arbitrate
from solvers.auction import Auction, Rules
from solvers.bid import Bid
from solvers.codec import decode, encode
from solvers.outcome import HOUSE, Outcome, Reward, Submission
from solvers.rewards import Contest, split_reward, totals_without
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import view_auction
from solvers.winners import Candidate, choose_winners
from tests.builders import CALL, free_market, make_bid, make_offer, make_order
from tests.knapsacks import draw_knapsack
from tests.naive_rounds import compatible_sets
from tests.random_markets import random_auction, random_bids

BUDGET = 20_000_000
NAMES = ("ann", "ben", "cas", HOUSE)
CHEAP = f"hub-book/{CALL}/sell/900"
DEAR = f"hub-book/{CALL}/sell/950"
RULES = Rules(fee_per_lot=40, reward_share_bps=2_500)


def send(*bids: Bid) -> list[Submission]:
    return [Submission(solver=bid.solver, arrival_us=1, content=encode(bid).decode()) for bid in bids]


def market(**changes: object) -> Auction:
    """One buyer of 4 calls at up to 1,000; 4 lots offered at 900 and 4 at 950; 40 per lot to the market."""
    return free_market(
        rules=RULES,
        orders=(make_order("buyer", {CALL: 1}, 1_000, units=4),),
        offers=(make_offer("hub-book", CALL, "sell", 900, 4), make_offer("hub-book", CALL, "sell", 950, 4)),
        **changes,
    )


GOOD = make_bid({"buyer": 4}, {CHEAP: 4}, bid="good", solver="ann")
"""Scores 4 * (1,000 - 900 - 40) = 240."""
WORSE = make_bid({"buyer": 4}, {DEAR: 4}, bid="worse", solver="ben")
"""Scores 4 * (1,000 - 950 - 40) = 40."""


def rewards(*bids: Bid) -> list[tuple[str, int, int, int, int]]:
    rows = arbitrate(market(), send(*bids), versions={}).rewards
    assert all(row.proved for row in rows)
    return [(row.solver, row.without, row.marginal, row.cap, row.amount) for row in rows]


def test_a_winner_gets_its_worth_to_the_round_up_to_its_part_of_the_fees() -> None:
    assert rewards(GOOD) == [("ann", 0, 240, 40, 40)]
    assert rewards(GOOD, WORSE) == [("ann", 40, 200, 40, 40)]
    almost = replace_struct(WORSE, trades=(*make_bid({}, {CHEAP: 3, DEAR: 1}).trades,))
    assert rewards(GOOD, almost) == [("ann", 190, 50, 40, 40)]


def test_a_winner_that_is_hardly_better_gets_no_more_than_it_adds() -> None:
    fee = make_bid({"buyer": 4}, {CHEAP: 4}, bid="fee", solver="ben", fee={"hub": 7})
    assert rewards(GOOD, fee) == [("ann", 233, 7, 40, 7)]


def test_two_equal_bids_earn_nothing() -> None:
    for twin in ("ben", "zoe"):
        ((_, without, marginal, cap, amount),) = rewards(GOOD, replace_struct(GOOD, solver=twin))
        assert (without, marginal, cap, amount) == (240, 0, 40, 0)


def test_the_house_is_never_rewarded_and_counts_as_a_rival() -> None:
    assert rewards(replace_struct(GOOD, solver=HOUSE)) == []
    assert rewards(GOOD, replace_struct(WORSE, solver=HOUSE)) == [("ann", 40, 200, 40, 40)]


def test_losers_have_no_row() -> None:
    assert [row[0] for row in rewards(WORSE, GOOD)] == ["ann"]


def test_a_rule_of_the_whole_fee_or_more_is_refused() -> None:
    assert msgspec.convert({"reward_share_bps": 9_999}, Rules).reward_share_bps == 9_999
    for share in (10_000, -1):
        with pytest.raises(msgspec.ValidationError, match="reward_share_bps"):
            msgspec.convert({"reward_share_bps": share}, Rules)


def test_what_leaves_the_wire_is_cut_there() -> None:
    """Three fills of one solver that add more than any number on the wire can say."""
    bids = [make_bid({name: 1}, {f"hub-book/{CALL}/sell/1": 1}, bid=name, solver="ann") for name in "abc"]
    auction = free_market(
        orders=tuple(make_order(name, {CALL: 1}, 2**52) for name in "abc"),
        offers=(make_offer("hub-book", CALL, "sell", 1, 3),),
    )
    outcome = arbitrate(auction, send(*bids), versions={})
    assert outcome.choice.score == 3 * (2**52 - 1)
    assert [row.marginal for row in decode(encode(outcome), Outcome).rewards] == [WIRE_MAX]


def random_contest(seed: int, *, budget: int = BUDGET) -> Contest:
    """2 to 9 bids of four names over a few claims and resources; ties and twins abound."""
    rng = random.Random(seed)
    orders = [f"order {number}" for number in range(rng.randint(2, 6))]
    capacities = {f"offer {number}": rng.randint(3, 12) for number in range(rng.randint(0, 3))}
    top = rng.choice([3, 50, 2**40])
    candidates = []
    for number in range(rng.randint(2, 9)):
        if candidates and rng.random() < 0.2:
            bid = replace(rng.choice(candidates), digest=f"digest {number}", key=rng.randint(1, 9))
        else:
            bid = Candidate(
                digest=f"digest {number}",
                key=rng.randint(1, 9),
                score=rng.randint(0, top),
                claims=frozenset(rng.sample(orders, rng.randint(1, min(3, len(orders))))),
                uses={name: rng.randint(1, most) for name, most in capacities.items() if rng.random() < 0.5},
            )
        candidates.append(bid)
    solvers = {each.digest: rng.choice(NAMES) for each in candidates}
    return contest_of(candidates, solvers, capacities, budget=budget)


def contest_of(
    candidates: list[Candidate], solvers: dict[str, str], capacities: dict[str, int], *, budget: int = BUDGET
) -> Contest:
    return Contest(
        candidates={each.digest: each for each in candidates},
        solvers=solvers,
        capacities=capacities,
        selection=choose_winners(candidates, capacities, budget=budget),
    )


def best_of(contest: Contest, *, without: str = "") -> int:
    """The best total of everybody but one, by trying all sets."""
    pool = [each for each in contest.candidates.values() if contest.solvers[each.digest] != without]
    return max(
        sum(each.score for each in subset)
        for size in range(len(pool) + 1)
        for subset in combinations(pool, size)
        if fits(subset, contest.capacities)
    )


def fits(subset: tuple[Candidate, ...], capacities: dict[str, int]) -> bool:
    claims = [claim for each in subset for claim in each.claims]
    used: Counter[str] = Counter()
    for each in subset:
        used.update(each.uses)
    return len(claims) == len(set(claims)) and all(used[name] <= capacities[name] for name in used)


@pytest.mark.parametrize("first", range(0, 800, 200))
def test_totals_without_equal_brute_force_on_800_random_markets(first: int) -> None:
    positive = 0
    for seed in range(first, first + 200):
        contest = random_contest(seed)
        assert contest.selection.score == best_of(contest), f"seed {seed}"
        found = totals_without(contest, budget=BUDGET)
        won = {contest.solvers[digest] for digest in contest.selection.winners} - {HOUSE}
        assert set(found) == won
        for solver, total in found.items():
            best = best_of(contest, without=solver)
            assert (total.score, total.proved) == (best, True), f"seed {seed}, {solver}"
            positive += contest.selection.score > best
    assert positive > 50


def test_more_bids_that_win_nothing_never_raise_a_marginal() -> None:
    """Whoever sends them, and whatever they ask for."""
    lowered = 0
    for seed in range(150):
        before = random_contest(seed)
        extra = random_contest(seed + 10_000)
        capacities = {**extra.capacities, **before.capacities}
        added = [replace(each, digest=f"x {each.digest}") for each in extra.candidates.values()]
        solvers = before.solvers | {f"x {digest}": name for digest, name in extra.solvers.items()}
        after = contest_of([*before.candidates.values(), *added], solvers, capacities)
        if after.selection.score != before.selection.score:
            continue
        was, now = (totals_without(each, budget=BUDGET) for each in (before, after))
        for solver in was.keys() & now.keys():
            assert now[solver].score >= was[solver].score
            lowered += now[solver].score > was[solver].score
        own = [each for each in added if solvers[each.digest] == "ann"]
        alone = contest_of([*before.candidates.values(), *own], solvers, capacities)
        if "ann" in was and "ann" in alone.rewarded:
            assert totals_without(alone, budget=BUDGET)["ann"].score == was["ann"].score
    assert lowered


def hard_contest(size: int, *, budget: int) -> Contest:
    rng = random.Random(0)
    pool = [
        Candidate(
            digest=f"{number:03}",
            key=rng.randint(1, 2**32),
            score=rng.randint(1, 2**30),
            claims=frozenset(str(claim) for claim in rng.sample(range(size), 4)),
            uses={},
        )
        for number in range(size)
    ]
    solvers = {each.digest: NAMES[place % 4] for place, each in enumerate(pool)}
    return contest_of(pool, solvers, {}, budget=budget)


def test_without_a_proof_of_either_optimum_nothing_is_proved() -> None:
    unproved = hard_contest(200, budget=20_000)
    assert not unproved.selection.proved
    found = totals_without(unproved, budget=10**9)
    assert found
    for total in found.values():
        assert not total.proved
        assert total.used == 0
        assert total.score > 0


def test_re_solves_share_one_budget_and_repeat_exactly() -> None:
    contest = hard_contest(150, budget=2_000_000_000)
    assert contest.selection.proved
    for budget in (0, 4_000, 20_000, 100_000):
        found = totals_without(contest, budget=budget)
        assert found == totals_without(contest, budget=budget)
        assert sum(each.used for each in found.values()) <= budget
        for solver, total in found.items():
            others = {
                name: each for name, each in contest.candidates.items() if contest.solvers[name] != solver
            }
            assert total.score <= sum(each.score for each in others.values())
    assert not any(each.proved for each in totals_without(contest, budget=0).values())
    assert {each.proved for each in totals_without(contest, budget=20_000).values()} == {True, False}


def besieged(*bids: Bid, solvers: tuple[str, ...] = ("mallory",), **rules: int) -> Outcome:
    """The market's round, with a knapsack of hostile bids beside it."""
    knapsack, auction = draw_knapsack(solvers=solvers), market()
    auction = replace_struct(
        auction,
        orders=(*auction.orders, *knapsack.orders),
        offers=(*auction.offers, *knapsack.offers),
        series=(*auction.series, *knapsack.series),
        rules=replace_struct(auction.rules, **rules),
    )
    return arbitrate(auction, send(*bids, *knapsack.bids), versions={})


def test_an_unproved_choice_pays_no_reward_to_those_who_won_in_it() -> None:
    (row,) = besieged(winners_budget=1).rewards
    assert row.marginal > row.cap > 0, "there was something to pay"
    assert (row.solver, row.proved, row.amount) == ("mallory", False, 0)


def test_a_knapsack_of_a_rival_costs_the_others_no_reward() -> None:
    outcome = besieged(GOOD, WORSE)
    rows = {row.solver: row for row in outcome.rewards}
    assert not outcome.choice.proved
    assert outcome.choice.score < outcome.choice.bound
    assert (rows["ann"].marginal, rows["ann"].cap, rows["ann"].amount) == (200, 40, 40)
    assert rows["ann"].proved
    assert rows["ann"].without == outcome.choice.score - 200
    assert (rows["mallory"].amount, rows["mallory"].proved) == (0, False)


def test_a_knapsack_of_a_rival_takes_no_budget_from_smaller_components() -> None:
    """However small the budget, and whoever comes first by name."""
    for rival in ("aaron", "mallory"):
        outcome = besieged(GOOD, WORSE, solvers=(rival,), winners_budget=2)
        assert {row.solver: row.proved for row in outcome.rewards} == {rival: False, "ann": True}


def random_round(seed: int, **rules: int) -> tuple[Auction, Outcome]:
    """A random small auction with fees worth sharing, and what became of it."""
    rng = random.Random(seed)
    auction = random_auction(rng)
    changed = {"fee_per_lot": rng.randint(1, 40), "reward_share_bps": rng.randint(0, 9_999)} | rules
    auction = replace_struct(auction, rules=replace_struct(auction.rules, **changed))
    bids = random_bids(rng, auction)
    return auction, arbitrate(auction, send(*bids), versions={})


def naive_fees(auction: Auction, outcome: Outcome) -> dict[tuple[str, str], int]:
    """The protocol fees of every deal on every chain."""
    orders = {order.intent: order for order in auction.orders}
    fees: Counter[tuple[str, str]] = Counter()
    for deal in outcome.deals:
        for fill in deal.fills:
            lots = sum(abs(ratio) for _, ratio in orders[fill.intent].legs or ()) * fill.units
            fees[deal.deal, fill.chain] += lots * auction.rules.fee_per_lot
    return dict(fees)


def naive_rewards(auction: Auction, seed: int, outcome: Outcome) -> dict[str, Reward]:
    rng = random.Random(seed)
    random_auction(rng)
    rng.randint(1, 40)
    rng.randint(0, 9_999)
    view = view_auction(auction)
    verdicts = [verify_bid(view, bid) for bid in random_bids(rng, auction)]
    feasible = [each for each in verdicts if isinstance(each, FeasibleBid)]
    fees, share = naive_fees(auction, outcome), auction.rules.reward_share_bps
    found = {}
    for solver in {deal.solver for deal in outcome.deals} - {HOUSE}:
        sets = compatible_sets(auction, (each for each in feasible if each.bid.solver != solver))
        without = max(sum(each.score for each in subset) for subset in sets)
        own = [deal.deal for deal in outcome.deals if deal.solver == solver]
        cap = sum(amount * share // 10_000 for (deal, _), amount in fees.items() if deal in own)
        marginal = outcome.choice.score - without
        found[solver] = Reward(
            solver=solver,
            without=without,
            marginal=marginal,
            cap=cap,
            amount=min(marginal, cap),
            proved=True,
        )
    return found


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_rewards_of_400_random_rounds_equal_brute_force_and_are_paid_out_of_their_own_fees(
    first: int,
) -> None:
    paid = split = 0
    for seed in range(first, first + 100):
        auction, outcome = random_round(seed)
        assert {row.solver: row for row in outcome.rewards} == naive_rewards(auction, seed, outcome)
        assert [row.solver for row in outcome.rewards] == sorted(row.solver for row in outcome.rewards)
        fees, share = naive_fees(auction, outcome), auction.rules.reward_share_bps
        given: defaultdict[str, int] = defaultdict(int)
        for deal in outcome.deals:
            for part in deal.reward:
                assert 0 < part.amount <= fees[deal.deal, part.chain] * share // 10_000
                assert part.amount < fees[deal.deal, part.chain]
                given[deal.solver] += part.amount
            assert [part.chain for part in deal.reward] == sorted({part.chain for part in deal.reward})
            split += len(deal.reward) > 1
        amounts = {row.solver: row.amount for row in outcome.rewards}
        assert {solver: amount for solver, amount in amounts.items() if amount} == given
        assert sum(given.values()) * 10_000 <= sum(fees.values()) * share
        paid += sum(given.values()) > 0
    assert paid > 20
    assert split > 0


@given(st.lists(st.integers(0, 10**12), max_size=12), st.integers(0, 10**6))
def test_parts_add_up_and_none_exceeds_its_room(rooms: list[int], millionth: int) -> None:
    amount = sum(rooms) * millionth // 10**6
    places = {("deal", str(place)): room for place, room in enumerate(rooms)}
    parts = split_reward(amount, places)
    assert sum(parts.values()) == amount
    assert all(0 < part <= places[place] for place, part in parts.items())
    for place, room in places.items():
        if sum(rooms):
            assert abs(parts.get(place, 0) * sum(rooms) - amount * room) <= sum(rooms)
