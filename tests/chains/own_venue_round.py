"""One round of a market over a world file, by the house alone: `python own_venue_round.py WORLD`.

Prints one JSON object. It knows nothing of kinds of venues; the packages are those on the path.
"""

import json
import sys
from pathlib import Path

import chains
from chains.units import MICRO, USDC
from chains.world_file import decode_world
from tests.market_run import ALICE, MarketRun, make_genesis, make_intent, owned, violations
from tests.worlds import CALL, START_US


def main(path: Path) -> None:
    spec = decode_world(path.read_bytes())
    run = MarketRun(make_genesis(spec, at_us=START_US), strategies={})
    run.deposit(ALICE, "hub", USDC, 1_000_000 * MICRO)
    run.post(make_intent(ALICE, 1, {CALL: 3}, 50_000_000, units=5))
    auction, house = run.cut()
    run.decide(auction, run.compete(auction, house))
    pledged = run.engine.world.snapshot()
    run.settle_all()
    print(
        json.dumps(
            {
                "packages": str(Path(chains.__file__).parent.parent),
                "kinds": {venue.id: venue.kind for venue in auction.venues},
                "offered": [[offer.id, offer.lots] for offer in auction.offers],
                "pledged": [[offer.id, offer.lots] for offer in pledged.offers],
                "left": [[offer.id, offer.lots] for offer in run.engine.world.snapshot().offers],
                "deals": [record.state.value for record in run.engine.world.deals.values()],
                "bought": owned(run)["hub", ALICE, CALL],
                "violations": violations(run),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
