"""A checkpoint: it comes to what the whole journal comes to, and is used only where it surely does."""

import io
from collections.abc import Sequence
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.units import MICRO
from intents import checkpoint as module
from intents.checkpoint import CODE_VERSIONS, FORMAT, Header, read_fold, read_header, write_fold
from intents.errors import CheckpointError
from intents.events import Event
from intents.fold import Fold, extend_fold, fold_entries
from intents.journal_rows import CHAIN_START, Entry, make_row
from intents.pickled_state import dump_state
from intents.records import Records
from solvers.codec import encode
from solvers.strategies.greedy import Greedy
from solvers.strategies.inventory import Inventory
from tests.market_run import MarketRun, Trading, reference_run, state_of
from tests.random_history import drawn_history

STEPS = 60


def entries_of(events: Sequence[Event]) -> list[Entry]:
    """The entries that a journal would make of some events."""
    entries, last = [], CHAIN_START
    for seq, event in enumerate(events, start=1):
        last = make_row(event, seq=seq, prev_hash=last).hash
        entries.append(Entry(seq=seq, event=event, hash=last))
    return entries


def content_of(fold: Fold) -> bytes:
    file = io.BytesIO()
    write_fold(fold, file)
    return file.getvalue()


def records_of(records: Records) -> object:
    """Everything that the records show."""
    rounds = {intent: tuple(rounds) for intent, rounds in records._rounds.items()}
    return records.auctions(after=None, limit=1_000), rounds, dict(records.standings)


def go_on(fold: Fold) -> list[bytes]:
    """What becomes of a market from here on, as the content of its next entries."""
    run = MarketRun(fold.engine.genesis, strategies={"greedy": Greedy()})
    run.engine, run.events = fold.engine, []
    run.advance(7 * MICRO + 1)
    run.round()
    run.advance(40 * MICRO)
    run.round()
    for event in run.events:
        fold.records.apply(event)
    return [encode(event) for event in run.events]


def assert_same_now_and_ever_after(one: Fold, other: Fold) -> None:
    assert (one.seq, one.hash) == (other.seq, other.hash)
    assert_same(one, other)
    assert go_on(one) == go_on(other)
    assert_same(one, other)


def assert_same(one: Fold, other: Fold) -> None:
    assert state_of(one.engine) == state_of(other.engine)
    assert records_of(one.records) == records_of(other.records)
    assert one.engine.world.audit() == []


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 1))
def test_a_checkpoint_and_the_rest_come_to_what_the_whole_journal_comes_to(seed: int, share: float) -> None:
    entries = entries_of(drawn_history(seed, steps=STEPS))
    covered = 1 + round(share * (len(entries) - 1))
    made = fold_entries(iter(entries[:covered]))
    found = read_fold(content_of(made))
    assert (found.seq, found.hash) == (covered, entries[covered - 1].hash)
    assert_same_now_and_ever_after(extend_fold(found, entries[covered:]), fold_entries(iter(entries)))


def test_writing_a_checkpoint_changes_nothing() -> None:
    entries = entries_of(drawn_history(5, steps=STEPS))
    fold = fold_entries(iter(entries))
    content = content_of(fold)
    assert content_of(fold) == content
    assert_same_now_and_ever_after(fold, fold_entries(iter(entries)))


@pytest.fixture(scope="module")
def reference_entries() -> list[Entry]:
    """Rounds on the reference world with every strategy that keeps stock, cut off in the middle of one."""
    run = reference_run(seed=4)
    run._strategies = {**run._strategies, "maker": Inventory()}
    trading = Trading(run, seed=4)
    trading.fund()
    for _ in range(2):
        trading.post(12)
        run.round(noise=True)
        run.advance(4 * MICRO)
    trading.post(6)
    run.cut()
    return entries_of(run.events)


def test_every_class_in_a_market_on_the_reference_world_may_be_in_a_checkpoint(
    reference_entries: list[Entry],
) -> None:
    """Whoever adds a class to the state that a checkpoint refuses is told so here."""
    content = [
        content_of(fold_entries(iter(reference_entries[:upto]))) for upto in (1, len(reference_entries))
    ]
    for each, seq in zip(content, (1, len(reference_entries)), strict=True):
        assert read_fold(each).seq == seq


@pytest.mark.parametrize("share", [0.0, 0.6, 0.95])
def test_on_the_reference_world_too(reference_entries: list[Entry], share: float) -> None:
    covered = 1 + int(share * (len(reference_entries) - 1))
    found = read_fold(content_of(fold_entries(iter(reference_entries[:covered]))))
    rest = extend_fold(found, reference_entries[covered:])
    assert_same_now_and_ever_after(rest, fold_entries(iter(reference_entries)))


@pytest.fixture(scope="module")
def content() -> bytes:
    return content_of(fold_entries(iter(entries_of(drawn_history(1, steps=20)))))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_byte_that_changed_is_noticed(content: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(content) - 1))
    flip = data.draw(st.integers(1, 255))
    damaged = content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :]
    for read in (read_header, read_fold):
        with pytest.raises(CheckpointError):
            read(damaged)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_file_that_is_cut_short_or_goes_on_is_noticed(content: bytes, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(content) - 1))
    for damaged in (content[:end], content + content[:end] + b"x", content[end + 1 :]):
        with pytest.raises(CheckpointError):
            read_header(damaged)


def rewritten(content: bytes, *, state: bytes | None = None, **changes: object) -> bytes:
    """A checkpoint with another header or state, and a hash that fits again."""
    begin = len(FORMAT) + 4
    length = int.from_bytes(content[len(FORMAT) : begin], "big")
    header = msgspec.structs.replace(read_header(content), **changes)
    made = msgspec.json.encode(header)
    body = (
        FORMAT
        + len(made).to_bytes(4, "big")
        + made
        + (content[begin + length : -32] if state is None else state)
    )
    return body + sha256(body).digest()


def test_a_header_says_which_entry_it_belongs_to_and_what_made_it(content: bytes) -> None:
    header = read_header(content)
    assert header == Header(seq=header.seq, hash=header.hash, versions=dict(CODE_VERSIONS))
    assert set(header.versions) == {"python", "numpy", "scipy", "msgspec", "sources"}
    assert read_header(rewritten(content, seq=7)).seq == 7


@pytest.mark.parametrize("name", sorted(CODE_VERSIONS))
def test_a_checkpoint_of_other_code_can_be_placed_but_not_used(content: bytes, name: str) -> None:
    other = rewritten(content, versions={**CODE_VERSIONS, name: "another"})
    assert read_header(other).seq == read_header(content).seq
    with pytest.raises(CheckpointError, match=f"was made with {name} another"):
        read_fold(other)
    without = {key: version for key, version in CODE_VERSIONS.items() if key != name}
    with pytest.raises(CheckpointError, match=f"was made with {name} None"):
        read_fold(rewritten(content, versions=without))


def packed(state: object) -> bytes:
    file = io.BytesIO()
    dump_state(state, file)
    return module.zstandard.compress(file.getvalue())


def test_a_state_that_is_something_else_is_refused(content: bytes) -> None:
    for state in ((), {"engine": 1}, (1, 2), Records()):
        with pytest.raises(CheckpointError, match="something else than an engine and records"):
            read_fold(rewritten(content, state=packed(state)))


def test_a_state_that_cannot_be_unpacked_is_refused(content: bytes) -> None:
    with pytest.raises(CheckpointError):
        read_fold(rewritten(content, state=b"no zstd frame"))


def test_a_state_that_unpacks_to_too_much_is_refused(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STATE_MAX", 1_000)
    with pytest.raises(CheckpointError, match="more than 1000 bytes"):
        read_fold(content)


def test_a_header_that_is_none_is_refused(content: bytes) -> None:
    body = FORMAT + (2).to_bytes(4, "big") + b"[]"
    with pytest.raises(CheckpointError, match="header cannot be read"):
        read_header(body + sha256(body).digest())
