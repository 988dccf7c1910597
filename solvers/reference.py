"""The market's own reference: what it can do for everyone without any solver.

At the cut, the built-in greedy fills one package and chain at a time, the greatest surplus per lot
first, each taking up offers and capacity as it goes. Each of its plans is a *house bid*, priced alone
like any other bid; its price and units are what the auction file publishes as `reference`, so no
winner may charge that package more for as many units. House bids stand in the pool, and there is an
outcome even with no solver.

A house bid is feasible in the auction that publishes its price: it fills exactly the reference units,
whose ceiling is then that very price, which covered its need.
"""

from collections import defaultdict

import msgspec

from chains.package import Package, reduce_legs
from router.greedy import clear_greedily
from router.problem import Demand
from solvers.auction import Auction, ReferencePrice
from solvers.bid import Bid
from solvers.codec import digest, encode
from solvers.outcome import HOUSE
from solvers.problem import to_bid
from solvers.reasons import Rule
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import AuctionView, view_auction


def with_reference(auction: Auction) -> tuple[Auction, tuple[Bid, ...]]:
    """The auction with its reference, sorted by chain and package, and the house bids behind it.

    A reference that the auction has already is replaced. The bids come in the order in which the
    greedy took them; they are jointly compatible.

    Raises
    ------
    ProblemError
        If the auction contradicts itself.
    """
    bare = msgspec.structs.replace(auction, reference=())
    view = view_auction(bare)
    peers: defaultdict[tuple[str, Package], list[Demand]] = defaultdict(list)
    for demand in view.problem.demands.values():
        peers[demand.chain, reduce_legs(demand.legs)[0]].append(demand)
    bids, prices = [], []
    for plan in clear_greedily(view.problem, [peers[key] for key in sorted(peers)]):
        feasible = _verified(view, to_bid(plan, auction=bare, solver=HOUSE, name="unnamed"))
        if feasible:
            (row,) = feasible.prices
            name = f"{row.chain[:64]}-{digest(encode((row.chain, row.package)))[:12]}"
            bids.append(msgspec.structs.replace(feasible.bid, bid=name))
            prices.append(
                ReferencePrice(chain=row.chain, package=row.package, units=row.units, price=row.price)
            )
    prices.sort(key=lambda entry: (entry.chain, entry.package))
    return msgspec.structs.replace(bare, reference=tuple(prices)), tuple(bids)


def _verified(view: AuctionView, bid: Bid) -> FeasibleBid | None:
    """The house bid with its price; none only for amounts that no bid may hold."""
    answer = verify_bid(view, bid)
    if isinstance(answer, FeasibleBid):
        return answer
    assert answer.rule is Rule.AMOUNT_OUT_OF_RANGE, f"the market's own bid breaks a rule: {answer.text}"
    return None
