"""A row of the journal: whatever a column is changed to, the entry is named, and never read as another."""

from contextlib import suppress
from typing import Any

import pytest
import zstandard
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from intents.errors import DamageError, JournalError
from intents.events import Advanced, AuctionCut, BondPosted, Deposited, Event, IntentsCancelled
from intents.journal_rows import (
    CHAIN_START,
    COMPRESS_ABOVE,
    Row,
    check_chain,
    entry_hash,
    kind_of,
    make_row,
    read_entry,
    subject_of,
)

OWNER = "0x" + "ab" * 20
SMALL = Deposited(at_us=5, owner=OWNER, chain="hub", asset="USDC", amount=7)
LARGE = IntentsCancelled(
    at_us=6, owner=OWNER, intents=tuple(f"0x{place:064x}" for place in range(40)), signature="0x" + "11" * 65
)
BEFORE = entry_hash(CHAIN_START, seq=1, kind="genesis", payload=b"{}")

values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=80),
    st.binary(max_size=80),
)
"""Everything that SQLite can hold."""


def rows() -> list[Row]:
    return [make_row(event, seq=2, prev_hash=BEFORE) for event in (SMALL, LARGE)]


def read(row: Row) -> Event:
    return read_entry(row, check_chain(row, seq=2, prev_hash=BEFORE)).event


def test_a_row_is_read_as_what_was_written() -> None:
    small, large = rows()
    assert (read(small), read(large)) == (SMALL, LARGE)
    assert (small.encoding, large.encoding) == ("json", "zstd")
    assert len(large.payload) < COMPRESS_ABOVE


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_column_can_be_changed_unnoticed(data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(rows()))
    column = data.draw(st.sampled_from(Row._fields))
    value: Any = data.draw(values)
    assume(value != getattr(row, column))
    changed = row._replace(**{column: value})
    with pytest.raises(DamageError) as raised:
        read(changed)
    assert raised.value.seq == (2 if column == "seq" else row.seq)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_bit_of_a_payload_can_be_flipped_to_another_content(data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(rows()))
    place = data.draw(st.integers(0, len(row.payload) - 1))
    payload = bytearray(row.payload)
    payload[place] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(DamageError):
        # There are bits of a compressed frame that mean nothing.
        assert read(row._replace(payload=bytes(payload))) == LARGE
        assert row.encoding == "zstd"


@pytest.mark.parametrize("change", [b"", b"\0", b"more"])
def test_a_payload_that_goes_on_or_stops_early_is_noticed(change: bytes) -> None:
    for row in rows():
        longer = row.payload + change if change else row.payload[:-1]
        with pytest.raises(DamageError):
            read(row._replace(payload=longer))


def test_the_same_content_in_another_encoding_is_noticed() -> None:
    small, large = rows()
    packed = small._replace(encoding="zstd", payload=zstandard.compress(small.payload))
    plain = large._replace(encoding="json", payload=zstandard.decompress(large.payload))
    for row in (packed, plain):
        with pytest.raises(DamageError, match="its encoding is"):
            read(row)


def test_a_frame_that_claims_too_much_is_not_unpacked() -> None:
    _, large = rows()
    # A frame header that says 2**40 bytes: magic, single segment with 8 bytes of size.
    claim = b"\x28\xb5\x2f\xfd\xe0" + (2**40).to_bytes(8, "little") + b"\x01\x00\x00"
    with pytest.raises(DamageError, match="claims 1099511627776 bytes"):
        read(large._replace(payload=claim))


def test_an_event_that_no_reader_would_accept_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intents.journal_rows.CONTENT_MAX", 100)
    with pytest.raises(JournalError, match="an event of kind deposited has"):
        make_row(SMALL, seq=2, prev_hash=BEFORE)


def test_every_event_has_a_kind_and_a_subject() -> None:
    cut = AuctionCut(at_us=1, auction="auction-1")
    bond = BondPosted(at_us=1, solver="greedy", amount=5)
    assert [(kind_of(each), subject_of(each)) for each in (SMALL, cut, bond, Advanced(at_us=1))] == [
        ("deposited", OWNER),
        ("auction_cut", "auction-1"),
        ("bond_posted", "greedy"),
        ("advanced", ""),
    ]
    assert kind_of(AuctionCut) == "auction_cut"
