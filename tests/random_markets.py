"""Random small auctions and random bids on them, most of them feasible.

Sizes: 2 or 3 chains with every bridge and one book each, 2 or 3 series, 12 to 20 offers, 3 to 6 orders
of one or two legs (some in one-cancels-other groups, some all-or-none), references for some packages,
5 to 9 bids that each fill 1 to 3 orders by matching, trading at home or crossing chains. Capacities
are scarce, so that bids get in each other's way.
"""

from collections import Counter
from itertools import permutations
from random import Random

from msgspec.structs import replace

from chains.snapshot import BridgeTerms, Offer
from chains.units import USDC
from router.needs import cash_needs
from router.problem import Plan, Problem
from solvers.auction import Auction, Order, ReferencePrice, Rules
from solvers.bid import Bid
from solvers.problem import to_bid
from solvers.verification import FeasibleBid, verify_bid
from solvers.view import view_auction
from tests.builders import (
    CALL,
    CHAINS,
    HIGH,
    PUT,
    make_auction,
    make_bridge,
    make_chain,
    make_offer,
    make_order,
    make_venue,
)

PRICE = 1_000
TRIES = 4
SOLVERS = ("alice", "bob", "carol", "house")


def random_auction(rng: Random) -> Auction:
    chains = CHAINS[: rng.randint(2, 3)]
    series = (CALL, HIGH, PUT)[: rng.randint(2, 3)]
    orders = tuple(
        random_order(rng, f"order-{number}", chains, series) for number in range(rng.randint(3, 6))
    )
    return make_auction(
        auction=f"auction-{rng.randrange(10**9)}",
        rules=Rules(fee_per_lot=rng.choice([0, 1, 3])),
        chains=tuple(
            make_chain(name, settle_fee_leg=rng.randint(0, 9), settle_fee_fill=1, deal_fee=rng.randint(0, 20))
            for name in chains
        ),
        bridges=tuple(random_bridge(rng, source, target) for source, target in permutations(chains, 2)),
        venues=tuple(make_venue(name, fee_touch=rng.randint(0, 9), fee_per_lot=1) for name in chains),
        offers=random_offers(rng, chains, series),
        orders=orders,
        reference=random_references(rng, orders),
    )


def random_order(rng: Random, name: str, chains: tuple[str, ...], series: tuple[str, ...]) -> Order:
    """An order that would pay up to 60 % more, or receive as much less, than its legs are worth."""
    factor = rng.choice([1, 1, 2])
    legs = {
        leg: factor * rng.choice([1, -1, 1, -1, 2, -2]) for leg in rng.sample(series, rng.choice([1, 1, 2]))
    }
    slack = rng.randint(0, 600) * sum(abs(ratio) for ratio in legs.values())
    units = rng.randint(1, 4)
    changes = {"group": rng.choice(["g", "h"])} if rng.random() < 0.3 else {}
    return make_order(
        name,
        legs,
        sum(legs.values()) * PRICE + slack,
        units=units,
        min_units=rng.choice([1, 1, units]),
        chain=rng.choice(chains),
        owner=rng.choice([name, name, "ann", "ben"]),
        **changes,
    )


def random_bridge(rng: Random, source: str, target: str) -> BridgeTerms:
    return make_bridge(
        source,
        target,
        fee_fixed=rng.randint(0, 50),
        fee_cash_bps=rng.choice([0, 7, 30]),
        fee_per_lot=rng.randint(0, 3),
        capacity_cash=rng.choice([5_000, 20_000, 10**9]),
        capacity_lots=rng.choice([3, 8, 1_000]),
    )


def random_offers(rng: Random, chains: tuple[str, ...], series: tuple[str, ...]) -> tuple[Offer, ...]:
    offers: dict[str, Offer] = {}
    for _ in range(rng.randint(12, 20)):
        side = rng.choice(["sell", "sell", "buy"])
        price = PRICE + rng.randint(-100, 150) * (1 if side == "sell" else -1)
        offer = make_offer(f"{rng.choice(chains)}-book", rng.choice(series), side, price, rng.randint(1, 8))
        offers[offer.id] = offer
    return tuple(offers.values())


def random_references(rng: Random, orders: tuple[Order, ...]) -> tuple[ReferencePrice, ...]:
    """For some packages, a price a little better than an order's limit."""
    rows: dict[tuple[str, object], ReferencePrice] = {}
    for order in orders:
        package, factor = order.package
        if rng.random() < 0.3:
            price = order.limit // factor - rng.randint(-50, 300)
            rows[order.chain, package] = ReferencePrice(
                chain=order.chain, package=package, units=rng.randint(1, 8), price=price
            )
    return tuple(rows[key] for key in sorted(rows, key=str))


def random_bids(rng: Random, auction: Auction) -> list[Bid]:
    """Bids of which most are feasible: the first of a few tries that is, else the last one;
    and a twin of one of them, so that ties abound.
    """
    view = view_auction(auction)
    problem = view.problem
    bids = []
    for number in range(rng.randint(4, 8)):
        solver, name = rng.choice(SOLVERS), f"bid-{number}"
        for _ in range(TRIES):
            bid = to_bid(random_plan(rng, problem), auction=auction, solver=solver, name=name)
            if isinstance(verify_bid(view, bid), FeasibleBid):
                break
        bids.append(bid)
    twin = replace(rng.choice(bids), bid="twin", solver=rng.choice(SOLVERS))
    return [*bids, twin]


def random_plan(rng: Random, problem: Problem) -> Plan:
    """Fill a few random orders, source the lots wherever they are, and send cash after them."""
    intents = random_peers(rng, problem)
    fills = tuple(
        (intent, rng.randint(problem.demands[intent].min_units, problem.demands[intent].units))
        for intent in intents
    )
    wanted: Counter[tuple[str, str]] = Counter()
    for intent, units in fills:
        demand = problem.demands[intent]
        for series, ratio in demand.legs:
            wanted[demand.chain, series] += ratio * units
    trades: Counter[str] = Counter()
    transfers: Counter[tuple[str, str]] = Counter()
    for (chain, series), lots in sorted(wanted.items()):
        source_lots(rng, problem, chain, series, lots=lots, trades=trades, transfers=transfers)
    plan = Plan(fills=fills, trades=tuple(trades.items()), transfers=moves(transfers))
    return send_cash(rng, problem, plan)


def random_peers(rng: Random, problem: Problem) -> list[str]:
    """One order, and up to two others that have a series in common with it."""
    first = rng.choice(sorted(problem.demands))
    series = {leg for leg, _ in problem.demands[first].legs}
    others = [
        intent
        for intent, demand in sorted(problem.demands.items())
        if intent != first and series & {leg for leg, _ in demand.legs}
    ]
    return [first, *rng.sample(others, min(len(others), rng.choice([0, 1, 1, 2])))]


def source_lots(
    rng: Random,
    problem: Problem,
    chain: str,
    series: str,
    *,
    lots: int,
    trades: Counter[str],
    transfers: Counter[tuple[str, str]],
) -> None:
    """Buy (or sell, for negative lots) on a chain that has enough, and carry the lots over to or from it."""
    books: dict[str, list[Offer]] = {name: [] for name in problem.chains}
    for offer in problem.offers.values():
        if (offer.series, offer.side) == (series, "sell" if lots > 0 else "buy"):
            books[problem.venues[offer.venue].chain].append(offer)
    deep = [name for name in books if sum(offer.lots for offer in books[name]) >= abs(lots)]
    at = rng.choice([chain, chain, *deep] if chain in deep else [*deep, chain])
    left = abs(lots)
    for offer in sorted(books[at], key=lambda offer: offer.price if lots > 0 else -offer.price):
        taken = min(left, offer.lots - trades[offer.id])
        if taken > 0:
            trades[offer.id] += taken
            left -= taken
    if at != chain and lots:
        transfers[f"{at}-{chain}" if lots > 0 else f"{chain}-{at}", series] += abs(lots) - left


def send_cash(rng: Random, problem: Problem, plan: Plan) -> Plan:
    """Fund the chains without fills from one with fills, and mostly send home what a sale left there."""
    homes = sorted({problem.demands[intent].chain for intent, _ in plan.fills})
    cash: Counter[tuple[str, str]] = Counter()
    for chain, need in cash_needs(problem, plan).items():
        home = rng.choice(homes)
        if chain not in homes and need > 0:
            cash[f"{home}-{chain}", USDC] = need
        elif chain not in homes and need < -200 and rng.random() < 0.8:
            cash[f"{chain}-{home}", USDC] = (-need - 60) * 10_000 // 10_030
    return Plan(fills=plan.fills, trades=plan.trades, transfers=plan.transfers + moves(cash))


def moves(amounts: Counter[tuple[str, str]]) -> tuple[tuple[str, str, int], ...]:
    return tuple((bridge, asset, amount) for (bridge, asset), amount in amounts.items() if amount > 0)
