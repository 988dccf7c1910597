from dataclasses import replace
from itertools import chain as chained
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from chains.deadlines import deal_deadlines
from chains.units import MICRO
from router.patience import Patience
from router.problem import Problem
from solvers.problem import to_problem
from tests.builders import CUT_US, SOLVE_US, make_auction, make_chain

NAMES = ("hub", "east", "west", "north")
SPANS = st.sampled_from([0, 1, 2, 5, 20]).map(lambda seconds: seconds * MICRO)


def market(speeds: list[tuple[int, int, int]]) -> Problem:
    terms = zip(NAMES, speeds, strict=True)
    chains = tuple(
        make_chain(name, block_us=block, finality_us=finality, relay_us=relay)
        for name, (block, finality, relay) in terms
    )
    return replace(
        to_problem(make_auction(bridges=(), venues=())), chains={chain.id: chain for chain in chains}
    )


def is_late(problem: Problem, touched: set[str], decide_before_us: int, release_before_us: int) -> bool:
    deadlines = deal_deadlines(
        [problem.chains[name] for name in touched],
        hub=problem.chains["hub"],
        timing=problem.timing,
        now_us=problem.prepare_us,
    )
    return deadlines.decide_by_us >= decide_before_us or deadlines.release_by_us >= release_before_us


@settings(max_examples=150)
@given(
    speeds=st.lists(st.tuples(SPANS, SPANS, SPANS), min_size=4, max_size=4),
    home=st.sampled_from(NAMES),
    decide=st.integers(0, 200),
    release=st.integers(0, 300),
)
def test_a_deal_is_late_exactly_when_it_holds_one_of_the_sets(
    speeds: list[tuple[int, int, int]], home: str, decide: int, release: int
) -> None:
    problem = market(speeds)
    ends = CUT_US + SOLVE_US + decide * MICRO, CUT_US + SOLVE_US + release * MICRO
    slow = Patience(problem).too_slow(home, *ends)
    others = [name for name in NAMES if name != home]
    for further in chained.from_iterable(combinations(others, size) for size in (1, 2, 3)):
        expected = is_late(problem, {home, *further}, *ends)
        assert any(set(names) <= set(further) for names in slow) is expected
    assert not any(set(first) <= set(second) for first in slow for second in slow if first is not second)


def test_two_chains_may_be_too_slow_only_together() -> None:
    """One is slow to decide by its finality, the other slow to release by its relay."""
    quick, final, far = (0, 0, 0), (0, 40 * MICRO, 0), (0, 0, 15 * MICRO)
    problem = market([quick, final, far, quick])
    spans = [
        deal_deadlines(
            [problem.chains[name] for name in ("hub", *further)],
            hub=problem.chains["hub"],
            timing=problem.timing,
            now_us=problem.prepare_us,
        )
        for further in (("east",), ("west",), ("east", "west"))
    ]
    assert spans[2].release_by_us > max(spans[0].release_by_us, spans[1].release_by_us)
    patience = Patience(problem)
    assert patience.too_slow("hub", 10**18, spans[2].release_by_us) == [("east", "west")]
    assert patience.too_slow("hub", 10**18, spans[2].release_by_us + 1) == []


def test_a_chain_without_others_has_nothing_to_wait_for() -> None:
    problem = market([(0, 0, 0)] * 4)
    alone = replace(problem, chains={"hub": problem.chains["hub"]})
    assert Patience(alone).too_slow("hub", 0, 0) == []
