"""Which submissions count: the verifier's reading is the market's, whoever sends what in which order."""

from random import Random

import pytest
from msgspec.structs import replace

from intents.verifying.counting import count_bids
from intents.verifying.sheet import Sheet
from solvers.auction import Rules
from solvers.outcome import HOUSE, Submission
from solvers.reasons import BidReason
from solvers.sealing import SealedBid, read_submission, set_aside
from solvers.view import view_auction
from tests.builders import SOLVE_US, make_auction, make_bid
from tests.market_run import submit


def random_submission(rng: Random) -> Submission:
    solver = rng.choice(["alice", "bob", HOUSE])
    bid = make_bid({"order": rng.randint(1, 3)}, bid=f"bid-{rng.randint(1, 4)}", solver=solver)
    arrival_us = rng.choice([0, 5, 5, 7, SOLVE_US, SOLVE_US + 1])
    match rng.randint(0, 9):
        case 0:
            return Submission(solver=solver, arrival_us=arrival_us, content=rng.choice(["", "{}", "[1]"]))
        case 1:
            return submit(solver, arrival_us, replace(bid, auction="auction-2"))
        case 2:
            return submit(rng.choice(["alice", "bob"]), arrival_us, bid)
        case _:
            return submit(solver, arrival_us, bid)


@pytest.mark.parametrize("most", [1, 2, 64])
def test_both_readings_set_the_same_bids_aside_for_the_same_reason(most: int) -> None:
    auction = make_auction(rules=Rules(bids_per_solver=most))
    view, sheet = view_auction(auction), Sheet(auction)
    seen = set()
    for seed in range(150):
        rng = Random(seed)
        sent = [random_submission(rng) for _ in range(rng.randint(1, 14))]
        read = set_aside([read_submission(view, each) for each in sent], names_max=most)
        market = [None if isinstance(each, SealedBid) else BidReason(each.reason) for each in read]
        verifier = [each.aside for each in count_bids(sheet, sent)]
        assert verifier == market, f"seed {seed}"
        seen |= set(verifier)
    everything = {None, *BidReason} - {BidReason.WON, BidReason.OUTBID}
    assert seen == everything - ({BidReason.TOO_MANY} if most == 64 else set())
