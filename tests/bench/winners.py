"""Choosing winners and rewards of a round: how long the exact, proved answer takes.

Auctions of the reference world with 80 or 300 orders drawn by `intents.order_flow`, and 50, 200 or 400
verified bids of solvers beside the house's own. The bids come from made-up desks, each of which sees a
random part of the orders and the whole book: a bid for each package and chain by its cheapest route
(`router.greedy`), and one for each set of them that is worth more joined (`router.clusters`). Desks do
not know of each other, so they fill the same orders and take the same offers, and often send the same
bid. 3, 5 and 1 auctions are drawn (with --quick one each); figures are medians over them.

`reference` makes the house's bids and the published prices. `choose` picks the winners, ties broken,
and `rewards` finds what the others could have scored without each solver that won. `whole` is the sum of
these three. The baseline is the plainest exact way: one CP-SAT model of all bids, and another for each
solver that won, without breaking ties. Every optimum is proved; a case fails if one is not.
`arbitrate` is a whole decision, with reading and verifying every bid beforehand.

`score` is what the winners score together; its baseline is the greedy choice. `rewards-paid` is what
solvers are awarded; the baseline is what they add to the round, which the fees they brought cap.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import median
from typing import Final

from _harness import Result, note, run_bench, take_turns, time_call
from _market import draw_market, open_engine
from ortools.sat.python import cp_model

from chains.package import reduce_legs
from chains.units import MICRO
from intents.instance import cut_auction
from router.clusters import join_plans
from router.extraction import settle_parts
from router.greedy import clear_greedily
from router.problem import Demand, Plan, Problem
from solvers.arbitration import arbitrate, joint_capacities, list_candidates
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.codec import encode
from solvers.outcome import HOUSE, Submission
from solvers.problem import to_bid
from solvers.reference import with_reference
from solvers.rewards import Contest, Rewards, reward_winners
from solvers.sealing import SealedBid, bid_keys, read_submission
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import AuctionView, view_auction
from solvers.winners import Candidate, Selection, choose_greedily, choose_winners

WINDOW_US: Final = 2 * MICRO


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many orders an auction holds and a desk sees, how many bids it gets, how many are drawn."""

    orders: int
    seen: int
    bids: int
    auctions: int


SIZES: Final = {
    "bids-50": Size(orders=80, seen=40, bids=50, auctions=3),
    "bids-200": Size(orders=300, seen=80, bids=200, auctions=5),
    "bids-400": Size(orders=300, seen=80, bids=400, auctions=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """An auction before and after its reference, and everything that was sent for it, verified."""

    bare: Auction
    view: AuctionView
    feasible: Sequence[FeasibleBid]
    submissions: Sequence[Submission]
    candidates: Mapping[str, Candidate]
    capacities: Mapping[str, int]

    @property
    def budget(self) -> int:
        return self.view.auction.rules.choice_budget

    def choose(self) -> Selection:
        """The market's own choice."""
        return choose_winners(self.candidates.values(), self.capacities, budget=self.budget)

    def reward(self, selection: Selection) -> Rewards:
        """The market's own rewards."""
        won = set(selection.winners)
        winners = [each for each in self.feasible if each.digest in won]
        winners.sort(key=lambda each: (-each.score, each.digest))
        contest = Contest(
            candidates=self.candidates,
            solvers={each.digest: each.bid.solver for each in self.feasible},
            capacities=self.capacities,
            selection=selection,
        )
        return reward_winners(self.view.problem, contest, winners, rules=self.view.auction.rules)

    def without(self, solver: str) -> list[Candidate]:
        """Everybody else's bids."""
        return [self.candidates[each.digest] for each in self.feasible if each.bid.solver != solver]


def measure(case: str, *, quick: bool) -> Iterator[Result]:
    """The figures of one size."""
    size = SIZES[case]
    found = []
    for seed in range(1 if quick else size.auctions):
        note(f"  auction {seed + 1}: {size.bids} bids over {size.orders} orders")
        found.append(measure_pool(draw_pool(size, seed=seed), runs=1 if quick else 5))
    medians = {name: median(each[name] for each in found) for name in found[0]}
    for name in ("reference", "choose", "rewards", "whole"):
        baseline = None if name == "reference" else medians[f"plain-{name}"]
        yield Result(case=case, metric=name, value=medians[name], unit="s", baseline=baseline)
    yield Result(case=case, metric="arbitrate", value=medians["arbitrate"], unit="s")
    yield Result(
        case=case, metric="score", value=medians["score"], unit="USDC", baseline=medians["greedy-score"]
    )
    yield Result(
        case=case, metric="rewards-paid", value=medians["paid"], unit="USDC", baseline=medians["added"]
    )


def measure_pool(pool: Pool, *, runs: int) -> dict[str, float]:
    """Medians of one auction's times, and what was chosen."""
    selection = pool.choose()
    rewards = pool.reward(selection)
    names = [row.solver for row in rewards.rows]
    seconds = take_turns(
        {
            "reference": lambda: time_call(lambda: with_reference(pool.bare))[1],
            "choose": lambda: time_call(pool.choose)[1],
            "rewards": lambda: time_call(lambda: pool.reward(selection))[1],
            "plain-choose": lambda: time_call(lambda: choose_plainly(pool, pool.candidates.values()))[1],
            "plain-rewards": lambda: time_call(
                lambda: [choose_plainly(pool, pool.without(each)) for each in names]
            )[1],
        },
        runs=runs,
    )
    outcome, arbitrate_s = time_call(lambda: arbitrate(pool.view.auction, pool.submissions))
    check_answers(pool, selection, rewards)
    assert outcome.choice.score == selection.score
    whole = {
        prefix + "whole": seconds["reference"] + seconds[prefix + "choose"] + seconds[prefix + "rewards"]
        for prefix in ("", "plain-")
    }
    greedy = sorted(pool.candidates.values(), key=lambda each: each.digest)
    taken = choose_greedily(greedy, pool.capacities)
    money = {
        "score": selection.score,
        "greedy-score": sum(greedy[place].score for place in taken),
        "paid": sum(row.amount for row in rewards.rows),
        "added": sum(row.marginal for row in rewards.rows),
    }
    return {
        **seconds,
        **whole,
        "arbitrate": arbitrate_s,
        **{name: amount / MICRO for name, amount in money.items()},
    }


def check_answers(pool: Pool, selection: Selection, rewards: Rewards) -> None:
    """Both ways must have found the same optima, and proved them."""
    if not selection.proved or not all(row.proved for row in rewards.rows):
        raise ValueError("an optimum was not proved")
    plain = {row.solver: choose_plainly(pool, pool.without(row.solver)) for row in rewards.rows}
    if selection.score != choose_plainly(pool, pool.candidates.values()):
        raise ValueError("the plain model chooses another total")
    if plain != {row.solver: row.without for row in rewards.rows}:
        raise ValueError("the plain model finds other totals without a solver")


def choose_plainly(pool: Pool, candidates: Iterable[Candidate]) -> int:
    """The best total score by one CP-SAT model of all bids."""
    model = cp_model.CpModel()
    bids = list(candidates)
    wins = [model.new_bool_var(each.digest) for each in bids]
    claims: defaultdict[str, list[cp_model.IntVar]] = defaultdict(list)
    uses: defaultdict[str, list[tuple[cp_model.IntVar, int]]] = defaultdict(list)
    for each, win in zip(bids, wins, strict=True):
        for claim in sorted(each.claims):
            claims[claim].append(win)
        for name, amount in each.uses.items():
            uses[name].append((win, amount))
    for claimants in claims.values():
        model.add_at_most_one(claimants)
    for name, users in uses.items():
        model.add(sum(win * amount for win, amount in users) <= pool.capacities[name])
    model.maximize(sum(win * each.score for each, win in zip(bids, wins, strict=True)))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    if solver.solve(model) != cp_model.OPTIMAL:
        raise ValueError("the plain model was not solved")
    return sum(each.score for each, win in zip(bids, wins, strict=True) if solver.boolean_value(win))


def draw_pool(size: Size, *, seed: int) -> Pool:
    """An auction, and the bids of as many desks as it takes."""
    engine = open_engine(draw_market(seed=seed, orders=size.orders))
    bare, _ = cut_auction(
        engine.book.waiting_orders(engine.now_us)[0],
        engine.world.snapshot(),
        auction=engine.next_auction_id,
        solve_us=WINDOW_US,
        rules=engine.genesis.terms.rules,
    )
    auction, house = with_reference(bare)
    view = view_auction(auction)
    feasible = [verified for bid in house if isinstance(verified := verify_bid(view, bid), FeasibleBid)]
    most = len(feasible) + size.bids
    desk = 0
    while len(feasible) < most:
        rng = Random(f"{seed}/{desk}")
        feasible += bids_of_desk(view, f"desk-{desk}", rng.sample(sorted(view.problem.demands), size.seen))
        desk += 1
    return make_pool(bare, view, feasible[:most])


def bids_of_desk(view: AuctionView, solver: str, intents: Sequence[str]) -> list[FeasibleBid]:
    """What a desk that sees these orders alone sends: its routes, and those it joins."""
    demands = {intent: view.problem.demands[intent] for intent in sorted(intents)}
    problem = replace(view.problem, demands=demands)
    worths = [worth for plan in route_peers(problem) for worth in settle_parts(problem, plan)]
    plans = dict.fromkeys(worth.plan for worth in [*worths, *join_plans(problem, worths)])
    bids = [
        to_bid(plan, auction=view.auction, solver=solver, name=f"bid-{place}")
        for place, plan in enumerate(plans)
    ]
    return [verified for bid in bids if isinstance(verified := verify_bid(view, bid), FeasibleBid)]


def route_peers(problem: Problem) -> tuple[Plan, ...]:
    peers: defaultdict[tuple[object, ...], list[Demand]] = defaultdict(list)
    for demand in problem.demands.values():
        peers[demand.chain, reduce_legs(demand.legs)[0]].append(demand)
    return clear_greedily(problem, [peers[key] for key in sorted(peers)])


def make_pool(bare: Auction, view: AuctionView, feasible: Sequence[FeasibleBid]) -> Pool:
    submissions = [submit(each.bid) for each in feasible]
    read = [read_submission(view, each) for each in submissions]
    assert all(isinstance(each, SealedBid) for each in read)
    return Pool(
        bare=bare,
        view=view,
        feasible=feasible,
        submissions=submissions,
        candidates=list_candidates(view.problem, feasible, bid_keys(view, read)),
        capacities=joint_capacities(view.problem),
    )


def submit(bid: Bid) -> Submission:
    arrival_us = 0 if bid.solver == HOUSE else 1
    return Submission(solver=bid.solver, arrival_us=arrival_us, content=encode(bid).decode())


if __name__ == "__main__":
    run_bench("winners", __doc__, dict.fromkeys(SIZES, measure))
