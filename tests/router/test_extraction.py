"""From floats to plans: circles vanish, nothing else changes, and only what could be a bid is sound."""

from collections import Counter
from collections.abc import Mapping
from random import Random

from chains.snapshot import BridgeTerms
from router.extraction import cancel_circles, is_sound
from router.greedy import clear_greedily
from solvers.problem import to_bid, to_plan, to_problem
from solvers.reasons import Rule
from solvers.verification import FeasibleBid, Violation, verify_bid
from solvers.view import view_auction
from tests.builders import make_auction
from tests.mutated_bids import mutate_bid
from tests.random_auctions import random_auction

JUDGED_BY_SOUNDNESS = {
    Rule.DISCONNECTED, Rule.SELF_MATCH, Rule.LIMIT_EXCEEDED, Rule.ABOVE_REFERENCE, Rule.UNFUNDED,
    Rule.CASH_MISPLACED, Rule.DECIDED_TOO_LATE, Rule.OFFER_NOT_FIRM, Rule.RELEASED_TOO_LATE,
}  # fmt: skip


def net_of(bridges: Mapping[str, BridgeTerms], flow: Mapping[str, int]) -> dict[str, int]:
    net: Counter[str] = Counter()
    for name, amount in flow.items():
        net[bridges[name].source] -= amount
        net[bridges[name].target] += amount
    return {chain: amount for chain, amount in net.items() if amount}


def test_cancelling_circles_keeps_what_every_chain_sends_and_receives_net() -> None:
    problem = to_problem(make_auction())
    rng = Random(0)
    for _ in range(300):
        flow = {bridge: rng.choice((0, 0, 1, 3, 7)) for bridge in problem.bridges}
        before, total = net_of(problem.bridges, flow), sum(flow.values())
        circles = cancel_circles(problem, flow)
        assert net_of(problem.bridges, flow) == before
        assert bool(circles) == (sum(flow.values()) < total)
        assert not cancel_circles(problem, flow)


def test_a_plan_is_sound_when_the_judge_finds_nothing_that_soundness_speaks_of() -> None:
    rng, seen = Random(1), Counter[bool]()
    for seed in range(80):
        auction = random_auction(seed)
        view = view_auction(auction)
        plans = clear_greedily(view.problem, [[demand] for demand in view.problem.demands.values()])
        for plan in plans:
            good = to_bid(plan, auction=auction, solver="alice", name="bid")
            for bid in (good, *(mutate_bid(rng, auction, good) for _ in range(10))):
                verdict = verify_bid(view, bid)
                if bid.fee or (isinstance(verdict, Violation) and verdict.rule not in JUDGED_BY_SOUNDNESS):
                    continue
                sound = is_sound(view.problem, to_plan(bid))
                assert sound == isinstance(verdict, FeasibleBid), (seed, bid, verdict)
                seen[sound] += 1
    assert seen[True] > 50
    assert seen[False] > 50
