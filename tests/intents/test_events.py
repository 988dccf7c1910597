"""Events are rows of a journal: what is written is read back, and every kind has its own tag."""

from typing import get_args

import msgspec
import pytest

from chains.units import USDC
from intents.events import (
    AuctionDecided,
    BondPosted,
    Event,
    Genesis,
    IntentsCancelled,
    NoncesRevoked,
    StockQuoted,
)
from solvers.codec import encode
from tests.market_run import ALICE, UNSIGNED, small_run
from tests.market_run import make_intent as make
from tests.venue_specs import make_quote, make_stock
from tests.worlds import CALL, START_US, make_spec

KINDS: tuple[type[msgspec.Struct], ...] = get_args(Event)


def all_events() -> list[Event]:
    """One market with an event of every kind."""
    stock = make_stock("hub", {USDC: 100_000_000})
    run = small_run(spec=make_spec(venues=(*make_spec().venues, stock)))
    run.must(BondPosted(at_us=run.now_us, solver=stock.solver, amount=1_000_000))
    quotes = (make_quote(CALL, "buy", 7_000_000, 3),)
    run.must(StockQuoted(at_us=run.now_us, solver=stock.solver, venue=stock.id, quotes=quotes))
    intent = run.post(make(ALICE, 1, {CALL: 1}, 8_000_000))
    run.round()
    run.advance(5)
    run.must(IntentsCancelled(at_us=run.now_us, owner=ALICE, intents=(intent,), signature=UNSIGNED))
    run.must(NoncesRevoked(at_us=run.now_us, owner=ALICE, nonce=str(2**256 - 1), signature=UNSIGNED))
    return run.events


def test_every_kind_reads_back_as_it_was_written() -> None:
    events = all_events()
    assert {type(event) for event in events} == set(KINDS)
    for event in events:
        content = encode(event)
        back = msgspec.json.decode(content, type=Event)
        assert back == event
        assert encode(back) == content


def test_every_kind_has_its_own_tag_and_an_instant() -> None:
    tags = [kind.__struct_config__.tag for kind in KINDS]
    assert len(set(tags)) == len(KINDS)
    assert all("at_us" in kind.__struct_fields__ for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_and_missing_fields_are_refused(kind: type[msgspec.Struct]) -> None:
    event = next(event for event in all_events() if type(event) is kind)
    fields = msgspec.to_builtins(event)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**fields, "surprise": 1}, type=Event)
    del fields["at_us"]
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, type=Event)


def test_a_genesis_and_an_outcome_carry_everything_that_follows() -> None:
    genesis, *rest = all_events()
    decided = next(event for event in rest if isinstance(event, AuctionDecided))
    assert isinstance(genesis, Genesis)
    assert genesis.at_us == START_US
    assert len(decided.outcome.bids) == len(decided.submissions) > 0
