"""What legs have taken before their deal has ended is counted once, at every instant of a deal."""

from msgspec.structs import replace

from chains.commit import LegState
from chains.ledger import owner_account
from chains.units import MICRO, USDC
from intents.released import taken_early
from tests.market_run import ALICE, make_intent, small_run, violations
from tests.worlds import CALL, make_spec


def test_free_funds_are_the_same_until_all_of_a_deal_has_settled() -> None:
    """Calls from another chain: the leg at home is released seconds before the hub has every word of it."""
    away = make_spec()
    books = tuple(book for book in away.venues if book.chain == "east")
    run = small_run(spec=replace(away, venues=books))
    intent = run.post(make_intent(ALICE, 1, {CALL: 1}, 8_000_000, units=2))
    run.round()
    (fill,) = run.outcomes[-1].deals[0].fills
    wealth, seen = 10_000 * MICRO, set()
    account = owner_account(ALICE)
    for _ in range(200):
        (record,) = run.engine.world.deals.values()
        entry = run.engine.book.get(intent)
        assert entry is not None
        funds = run.engine.funds(ALICE, "hub", USDC)
        posted = run.engine.world.ledgers["hub"].balance(account, USDC)
        taken = taken_early(run.engine.world.deals, run.engine.book.deals())
        seen.add((record.legs["hub"].state, entry.settling))
        if entry.settling:
            assert funds == wealth
            assert funds - run.engine.book.reserved(ALICE, "hub", USDC) == wealth - 16_000_000
            assert taken == ({("hub", account, USDC): fill.payment} if posted != wealth else {})
        else:
            assert funds == posted == wealth - fill.payment
            assert taken == {}
        assert not violations(run)
        run.advance(250_000)
    assert (LegState.RELEASED, 2) in seen, "the leg is released before the deal is settled"
    assert (LegState.RELEASED, 0) in seen
