"""Cash transfers: exact amounts by hand, and their laws on random plans."""

from random import Random

import networkx as nx
import pytest

from chains.units import USDC
from router.funding import Funded, fund_plan
from router.needs import cash_needs
from router.problem import Plan, Problem
from router.residual import Residual
from router.sourcing import Sourcing
from solvers.problem import to_problem
from tests.builders import CALL, HIGH, make_auction, make_bridge, make_offer, make_order
from tests.random_auctions import random_auction

ASK = "east-book/BTC-26JUN26-100000-C/sell/700"
BID = "east-book/BTC-26JUN26-110000-C/buy/90000"
WEST_BID = "west-book/BTC-26JUN26-110000-C/buy/90000"
OFFERS = (
    make_offer("east-book", CALL, "sell", 700, 20),
    make_offer("east-book", HIGH, "buy", 90_000, 20),
    make_offer("west-book", HIGH, "buy", 90_000, 20),
)
ORDERS = (make_order("buys", {CALL: 1}, 9_999, units=9), make_order("sells", {HIGH: -1}, -1, units=9))
BOUGHT = Plan(fills=(("buys", 1),), trades=((ASK, 1),), transfers=(("east-hub", CALL, 1),))
SOLD = Plan(fills=(("sells", 1),), trades=((BID, 1),), transfers=(("hub-east", HIGH, 1),))


def fund(problem: Problem, plan: Plan) -> Funded | None:
    return fund_plan(Sourcing(problem), plan, home="hub", residual=Residual(problem), amount=10_000)


def market(*bridges: object) -> Problem:
    return to_problem(make_auction(offers=OFFERS, orders=ORDERS, **({"bridges": bridges} if bridges else {})))


def sent(funded: Funded | None) -> dict[str, int]:
    assert funded is not None
    return {bridge: amount for bridge, asset, amount in funded.plan.transfers if asset == USDC}


def test_a_local_plan_needs_no_cash_elsewhere() -> None:
    problem = to_problem(make_auction(orders=ORDERS, offers=(make_offer("hub-book", CALL, "sell", 7, 1),)))
    plan = Plan(fills=(("buys", 1),), trades=(("hub-book/BTC-26JUN26-100000-C/sell/7", 1),))
    need = cash_needs(problem, plan)["hub"]
    assert fund(problem, plan) == Funded(plan=plan, need=need)


def test_a_purchase_is_sent_exactly_what_it_needs() -> None:
    # price, touch and lot, bridge home, leg and deal fee
    needed = 700 + 55 + 5_020 + 1_100
    funded = fund(market(), BOUGHT)
    assert sent(funded) == {"hub-east": needed}
    # fixed, 10 bps rounded up; leg, fill, deal; one lot
    assert funded is not None
    assert funded.need == needed + 5_000 + 7 + 1_110 + 3
    assert cash_needs(market(), funded.plan) == {"hub": funded.need, "east": 0}


def test_proceeds_come_home_as_far_as_they_pay_their_own_bridge() -> None:
    left = 90_000 - 55 - 1_100 - 5_000
    # the most with its 10 bps inside what is left
    amount = left * 10_000 // 10_010
    funded = fund(market(), SOLD)
    assert sent(funded) == {"east-hub": amount}
    assert funded is not None
    assert funded.need == 5_020 + 1_110 + 3 - amount
    assert not funded.is_clipped


def test_cash_takes_a_relay_when_nothing_goes_direct() -> None:
    bridges = (
        make_bridge("hub", "west"),
        make_bridge("west", "east", fee_cash_bps=100),
        make_bridge("east", "hub"),
    )
    needed = 700 + 55 + 5_020 + 1_100
    funded = fund(market(*bridges), BOUGHT)
    # west pays the second bridge with 1 % rounded up, and its own leg and deal fee
    assert sent(funded) == {"west-east": needed, "hub-west": needed + 5_000 + 69 + 1_100}


def test_proceeds_on_one_chain_pay_for_another_on_the_way() -> None:
    """East buys beyond west: what west sold for goes on to east's need first, in one direction only."""
    bridges = (
        make_bridge("hub", "west"),
        make_bridge("west", "hub"),
        make_bridge("west", "east"),
        make_bridge("east", "west"),
    )
    plan = Plan(
        fills=(("buys", 1), ("sells", 1)),
        trades=((ASK, 1), (WEST_BID, 1)),
        transfers=(("east-west", CALL, 1), ("hub-west", HIGH, 1), ("west-hub", CALL, 1)),
    )
    problem = market(*bridges)
    funded = fund(problem, plan)
    assert sorted(sent(funded)) == ["west-east", "west-hub"]
    assert funded is not None
    needs = cash_needs(problem, funded.plan)
    assert needs["east"] == 0
    assert 0 >= needs["west"] > -3


def test_no_way_to_a_chain_in_need_is_no_plan() -> None:
    assert fund(market(make_bridge("east", "hub")), BOUGHT) is None
    assert (
        fund(market(make_bridge("east", "hub"), make_bridge("hub", "east", capacity_cash=6_874)), BOUGHT)
        is None
    )


def test_a_purchase_that_fits_exactly_is_funded() -> None:
    bridges = (make_bridge("east", "hub"), make_bridge("hub", "east", capacity_cash=6_875))
    assert sent(fund(market(*bridges), BOUGHT)) == {"hub-east": 6_875}


def test_the_cheaper_of_two_bridges_that_fit_is_taken() -> None:
    bridges = (
        make_bridge("east", "hub"),
        make_bridge("hub", "east", fee_fixed=1, capacity_cash=6_874),
        make_bridge("hub", "east", id="second", fee_fixed=300),
        make_bridge("hub", "east", id="third", fee_fixed=200),
    )
    assert sent(fund(market(*bridges), BOUGHT)) == {"third": 6_875}


def test_proceeds_beyond_a_bridge_stay_behind_and_are_said_to() -> None:
    bridges = (make_bridge("hub", "east"), make_bridge("east", "hub", capacity_cash=50_000))
    funded = fund(market(*bridges), SOLD)
    assert sent(funded) == {"east-hub": 50_000}
    assert funded is not None
    assert funded.is_clipped


def test_proceeds_that_do_not_pay_a_bridge_stay_behind() -> None:
    bridges = (make_bridge("hub", "east"), make_bridge("east", "hub", fee_fixed=90_000))
    funded = fund(market(*bridges), SOLD)
    assert sent(funded) == {}
    assert funded is not None
    assert not funded.is_clipped


def test_looking_longer_sends_cash_along_with_the_lots() -> None:
    """West's need rides on the bridge that the lots pay for anyway, instead of on one of its own."""
    bridges = (
        make_bridge("hub", "east"),
        make_bridge("hub", "west"),
        make_bridge("east", "west"),
        make_bridge("west", "hub"),
    )
    problem = market(*bridges)
    plan = Plan(
        fills=BOUGHT.fills, trades=BOUGHT.trades, transfers=(("east-west", CALL, 1), ("west-hub", CALL, 1))
    )
    sourcing, residual = Sourcing(problem), Residual(problem)
    quick, longer = (
        fund_plan(sourcing, plan, home="hub", residual=residual, amount=10_000, thorough=thorough)
        for thorough in (False, True)
    )
    at_west = 5_020 + 1_100
    at_east = 700 + 55 + 5_020 + 1_100
    assert sent(quick) == {"hub-east": at_east, "hub-west": at_west}
    assert sent(longer) == {"east-west": at_west, "hub-east": at_east + at_west + 7}
    assert quick is not None
    assert longer is not None
    # one fixed fee less; 10 bps on 13002 instead of on 6875 and on 6120, and 7 at the second hop
    assert quick.need - longer.need == 5_000 + (7 + 7) - (14 + 7)


@pytest.mark.parametrize("seed", range(150))
def test_every_funded_plan_covers_every_chain_without_a_circle(seed: int) -> None:
    """Random trades and lots on random networks: other chains need nothing, cash flows one way."""
    rng = Random(seed)
    problem = to_problem(random_auction(seed, chains=5))
    demand = rng.choice(list(problem.demands.values()))
    offers = rng.sample(sorted(problem.offers), min(3, len(problem.offers)))
    plan = Plan(fills=((demand.intent, 1),), trades=tuple((offer, rng.randint(1, 5)) for offer in offers))
    residual = Residual(problem)
    sourcing = Sourcing(problem)
    quick, longer = (
        fund_plan(sourcing, plan, home=demand.chain, residual=residual, amount=10**5, thorough=thorough)
        for thorough in (False, True)
    )
    if quick is None or longer is None:
        assert quick is longer
        return
    assert longer.need <= quick.need
    for funded in (quick, longer):
        check_funded(problem, plan, funded, residual)


def check_funded(problem: Problem, plan: Plan, funded: Funded, residual: Residual) -> None:
    home = problem.demands[plan.fills[0][0]].chain
    assert funded.plan.fills == plan.fills
    assert funded.plan.trades == plan.trades
    needs = cash_needs(problem, funded.plan)
    assert needs[home] == funded.need
    assert all(need <= 0 for chain, need in needs.items() if chain != home)
    bridges = [problem.bridges[bridge] for bridge, _, _ in funded.plan.transfers]
    assert nx.is_directed_acyclic_graph(nx.DiGraph([(bridge.source, bridge.target) for bridge in bridges]))
    assert all(amount <= residual.cash[bridge] for bridge, _, amount in funded.plan.transfers)
