"""Auctions at the demo's size: synthetic orders over the reference world."""

from chains.reference import reference_world
from chains.units import MICRO
from chains.world import World
from intents.order_flow import OrderFlow, make_traders, read_screen
from solvers.auction import Auction, Order, Rules

START_US = 1_767_571_200 * MICRO


def draw_auction(*, seed: int, orders: int) -> Auction:
    """An auction over the reference world, without a reference: every order drawn is open."""
    world = World(reference_world(seed=seed, start_us=START_US), seed=seed, start_us=START_US)
    seen = world.snapshot()
    traders = make_traders(seed, count=18, chains=[chain.id for chain in seen.chains])
    drawn = OrderFlow(seed=seed, traders=traders).draw(
        read_screen(seen, now_us=START_US), count=orders, now_us=START_US
    )
    return Auction(
        auction="auction-000001",
        cut_us=START_US,
        solve_us=2 * MICRO,
        hub=seen.hub,
        rules=Rules(),
        chains=seen.chains,
        bridges=seen.bridges,
        venues=seen.venues,
        series=seen.series,
        offers=seen.offers,
        marks=seen.marks,
        orders=tuple(
            Order(
                intent=f"0x{place:064x}",
                owner=message["owner"],
                chain=message["chain"],
                legs=tuple((leg["series"], leg["ratio"]) for leg in message["legs"]),
                units=message["units"],
                min_units=message["minUnits"],
                limit=message["limit"],
                valid_until=message["validUntil"],
                immediate=message["immediate"],
            )
            for place, (_, message) in enumerate(drawn)
        ),
        reference=(),
    )
