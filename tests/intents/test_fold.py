"""The fold: an entry that the market does not take is named, and is told from one that is damaged."""

import pytest

from intents.errors import DamageError, FoldError
from intents.events import Advanced, IntentPosted
from intents.fold import extend_fold, fold_entries
from intents.journal_rows import CHAIN_START, Entry
from tests.market_run import ALICE, UNSIGNED, make_intent, small_run, state_of
from tests.worlds import CALL, START_US


def entry(seq: int, event: object) -> Entry:
    return Entry(seq=seq, event=event, hash=f"{seq:064x}")  # type: ignore[arg-type]


def test_a_fold_stands_at_the_last_entry_and_its_hash() -> None:
    run = small_run()
    run.advance(1_000_000)
    fold = fold_entries(entry(seq, event) for seq, event in enumerate(run.events, start=1))
    assert (fold.seq, fold.hash) == (len(run.events), f"{len(run.events):064x}")
    assert state_of(fold.engine) == state_of(run.engine)


def test_extending_by_nothing_changes_nothing() -> None:
    run = small_run()
    fold = fold_entries(iter([entry(1, run.events[0])]))
    again = extend_fold(fold, [])
    assert (again.seq, again.hash, again.engine) == (fold.seq, fold.hash, fold.engine)


@pytest.mark.parametrize("events", [[], [Advanced(at_us=1)]])
def test_what_does_not_begin_with_a_market_comes_to_none(events: list[object]) -> None:
    with pytest.raises(FoldError, match="founds no market") as raised:
        fold_entries(entry(seq, event) for seq, event in enumerate(events, start=1))
    assert raised.value.seq == 1


def test_an_entry_that_does_not_belong_is_named() -> None:
    genesis = small_run().events[0]
    with pytest.raises(FoldError, match="entry 2 does not belong here") as raised:
        fold_entries(iter([entry(1, genesis), entry(2, Advanced(at_us=START_US - 1))]))
    assert raised.value.seq == 2
    with pytest.raises(FoldError, match="entry 2 does not belong here"):
        fold_entries(iter([entry(1, genesis), entry(2, genesis)]))


def test_an_entry_that_is_refused_now_is_named_with_the_code() -> None:
    genesis = small_run().events[0]
    intent = make_intent(ALICE, 1, {CALL: 1}, 5_000_000)
    posted = IntentPosted(at_us=START_US, id=CHAIN_START, intent=intent, signature=UNSIGNED)
    with pytest.raises(FoldError, match="entry 2 is refused now: uncollateralised"):
        fold_entries(iter([entry(1, genesis), entry(2, posted)]))


def test_damage_on_the_way_stays_damage() -> None:
    def entries():  # type: ignore[no-untyped-def]
        yield entry(1, small_run().events[0])
        raise DamageError("entry 2 of the journal is damaged", seq=2)

    with pytest.raises(DamageError):
        fold_entries(entries())
