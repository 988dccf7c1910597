import random
from dataclasses import replace
from itertools import combinations

import pytest

from solvers.winners import (
    Candidate,
    Selection,
    choose_greedily,
    choose_winners,
    find_best_total,
    remove_dominated,
    split_components,
)

BUDGET = 20_000_000


def bid(name, score, claims=(), *, key=1, **uses):
    return Candidate(digest=name, key=key, score=score, claims=frozenset(claims), uses=uses)


def fits(subset, capacities):
    claims = [claim for each in subset for claim in each.claims]
    used = {name: sum(each.uses.get(name, 0) for each in subset) for name in capacities}
    return len(claims) == len(set(claims)) and all(used[name] <= capacities[name] for name in used)


def rank(subset):
    """Smaller is better: the score first, then the three steps of the tie rule."""
    keys = sorted(each.key for each in subset)
    return -sum(each.score for each in subset), sum(keys), keys, sorted(each.digest for each in subset)


def brute_force(candidates, capacities):
    paying = [each for each in candidates if each.score > 0]
    subsets = (subset for size in range(len(paying) + 1) for subset in combinations(paying, size))
    best = min((subset for subset in subsets if fits(subset, capacities)), key=rank)
    score = sum(each.score for each in best)
    winners = tuple(sorted(each.digest for each in best))
    return Selection(winners=winners, score=score, bound=score)


def random_market(seed):
    """2 to 9 bids over 2 to 6 orders and up to 3 resources; low scores and keys, so that ties abound."""
    rng = random.Random(seed)
    orders = [f"order {number}" for number in range(rng.randint(2, 6))]
    capacities = {f"offer {number}": rng.randint(3, 12) for number in range(rng.randint(0, 3))}
    top_score, top_key = rng.choice([2, 5, 50, 2**53 - 1]), rng.choice([1, 3, 2**32 - 1])
    candidates = []
    for number in range(rng.randint(2, 9)):
        uses = {name: rng.randint(1, most) for name, most in capacities.items() if rng.random() < 0.5}
        claims = rng.sample(orders, rng.randint(0 if uses else 1, min(3, len(orders))))
        key, score = rng.randint(1, top_key), rng.randint(0, top_score)
        other = bid(f"digest {number}", score, claims, key=key, **uses)
        if candidates and rng.random() < 0.2:
            twin = rng.choice(candidates)
            other = replace(twin, digest=other.digest, key=rng.choice([twin.key, key]))
        candidates.append(other)
    rng.shuffle(candidates)
    return candidates, capacities


@pytest.mark.parametrize("first", range(0, 2_000, 500))
def test_winners_equal_brute_force_on_2000_random_markets(first):
    for seed in range(first, first + 500):
        candidates, capacities = random_market(seed)
        answer = choose_winners(candidates, capacities, budget=BUDGET)
        assert answer == brute_force(candidates, capacities), f"seed {seed}"


@pytest.mark.parametrize("first", range(0, 1_000, 500))
def test_best_total_is_the_score_of_the_winners_whatever_is_known(first):
    for seed in range(first, first + 500):
        candidates, capacities = random_market(seed)
        best = brute_force(candidates, capacities)
        for known in ((), best.winners[:1], best.winners):
            total = find_best_total(candidates, capacities, budget=BUDGET, known=known)
            assert (total.score, total.bound, total.proved) == (best.score, best.score, True), f"seed {seed}"


def test_a_bid_is_dominated_by_one_that_needs_no_more_and_comes_first():
    good = bid("good", 5, ["a", "b"], key=2, offer=3)
    dominated = [
        bid("worth less", 4, ["a", "b"], key=1, offer=3),
        bid("claims more", 5, ["a", "b", "c"], key=3, offer=3),
        bid("uses more", 5, ["a", "b"], key=3, offer=4),
        bid("twin by key", 5, ["a", "b"], key=3, offer=3),
        bid("twin by name", 5, ["a", "b"], key=2, offer=3),
        bid("worthless", 0, ["z"]),
    ]
    others = [
        bid("worth more", 6, ["a", "b", "d"], key=9, offer=3),
        bid("claims less", 1, ["a"], key=9, offer=3),
        bid("uses less", 4, ["a", "b"], key=9, offer=2),
    ]
    kept = remove_dominated([*dominated, *others, good], {"offer": 5})
    assert [each.digest for each in kept] == ["claims less", "good", "uses less", "worth more"]


def test_what_is_not_scarce_counts_for_nothing_and_what_claims_nothing_dominates_nothing():
    pool = [bid("big", 5, ["a"], offer=4), bid("small", 4, ["a"], offer=3), bid("free", 6, offer=1)]
    assert [each.digest for each in remove_dominated(pool, {"offer": 8})] == ["big", "free"]
    assert [each.digest for each in remove_dominated(pool, {"offer": 7})] == ["big", "free", "small"]


def test_two_small_bids_beat_a_greater_one_when_they_score_more_together():
    pool = [bid("big", 6, ["a", "b"]), bid("left", 4, ["a"]), bid("right", 3, ["b"])]
    assert choose_winners(pool, {}, budget=BUDGET).winners == ("left", "right")


def test_bids_share_a_resource_up_to_its_capacity():
    pool = [bid("a", 5, ["a"], offer=6), bid("b", 4, ["b"], offer=5), bid("c", 3, ["c"], offer=5)]
    assert choose_winners(pool, {"offer": 10}, budget=BUDGET).winners == ("b", "c")
    assert choose_winners(pool, {"offer": 16}, budget=BUDGET).winners == ("a", "b", "c")


def test_bid_that_scores_nothing_never_wins():
    assert choose_winners([bid("a", 0, ["a"])], {}, budget=BUDGET) == Selection(winners=(), score=0, bound=0)


def test_ties_go_to_the_smallest_sum_then_the_smallest_list_then_the_digests():
    crossing = [("a", "b"), ("c", "d"), ("a", "c"), ("b", "d")]

    def winners(*keys):
        pool = [bid(f"digest {place}", 1, crossing[place], key=key) for place, key in enumerate(keys)]
        return choose_winners(pool, {}, budget=BUDGET).winners

    assert winners(1, 9, 4, 5) == ("digest 2", "digest 3")
    assert winners(1, 8, 4, 5) == ("digest 0", "digest 1")
    assert winners(4, 5, 5, 4) == ("digest 0", "digest 1")


def test_order_of_arrival_changes_nothing():
    """Also where several bids compete, and where several sets score the same."""
    competing = tied = 0
    for market in range(60):
        candidates, capacities = random_market(market)
        scoring = [each for each in candidates if each.score > 0]
        competing += any(len(group) > 1 for group in split_components(scoring, capacities))
        tied += len(best_subsets(scoring, capacities)) > 1
        answers = {
            choose_winners(random.Random(seed).sample(candidates, len(candidates)), capacities, budget=BUDGET)
            for seed in range(6)
        }
        assert len(answers) == 1, f"market {market}"
    assert competing > 30
    assert tied > 5


def best_subsets(scoring, capacities):
    """All sets of the greatest score."""
    subsets = [
        subset
        for size in range(len(scoring) + 1)
        for subset in combinations(scoring, size)
        if fits(subset, capacities)
    ]
    top = max(sum(each.score for each in subset) for subset in subsets)
    return [subset for subset in subsets if sum(each.score for each in subset) == top]


def test_components_share_neither_claims_nor_scarce_resources():
    pool = [bid("a", 1, ["x"], offer=2), bid("b", 1, ["x"]), bid("c", 1, ["y"], offer=2), bid("d", 1, ["z"])]
    names = [[each.digest for each in group] for group in split_components(pool, {"offer": 4})]
    assert names == [["c"], ["d"], ["a", "b"]]
    names = [[each.digest for each in group] for group in split_components(pool, {"offer": 3})]
    assert names == [["d"], ["a", "b", "c"]]


def hard_market(count):
    rng = random.Random(0)
    return [
        bid(f"{number:03}", rng.randint(1, 2**30), rng.sample(range(count), 4), key=rng.randint(1, 2**32))
        for number in range(count)
    ]


def test_choice_cut_short_is_the_same_again_no_worse_than_greedy_and_states_its_gap():
    pool = hard_market(300)
    short, again = (choose_winners(pool, {}, budget=50_000) for _ in range(2))
    greedy = sum(pool[position].score for position in choose_greedily(pool, {}))
    full = choose_winners(pool[:60], {}, budget=BUDGET)
    assert short == again
    assert not short.proved
    assert greedy <= short.score < short.bound <= sum(each.score for each in pool)
    assert full.proved


def test_without_any_budget_the_greedy_choice_stands_unproved():
    pool = [bid("big", 6, ["a", "b"]), bid("left", 4, ["a"]), bid("right", 3, ["b"])]
    apart = [bid("alone", 2, ["c"]), bid("worse", 1, ["c"])]
    answer = choose_winners([*pool, *apart], {}, budget=0)
    unproved = frozenset(each.digest for each in pool)
    assert answer == Selection(winners=("alone", "big"), score=8, bound=15, unproved=unproved)
    assert not answer.proved


def test_scores_beyond_64_bit_sums_are_chosen_greedily_and_not_claimed_as_proved():
    pool = [bid(f"{number:04}", 2**53 - 1, [number, number + 1]) for number in range(300)]
    answer = choose_winners(pool, {}, budget=BUDGET)
    assert not answer.proved
    assert fits([pool[int(name)] for name in answer.winners], {})
    assert answer.score >= 100 * (2**53 - 1)
