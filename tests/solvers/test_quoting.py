"""Stock quotes at the market's door: what counts is handed on, and what does not is noted with a reason."""

import msgspec
import pytest

from solvers.codec import encode
from solvers.quoting import NOTE_MAX, NOTES_MAX, QuotesInbox, note_quotes
from solvers.reasons import QuotesReason
from solvers.strategy import StockQuotes
from tests.builders import CALL, PUT
from tests.venue_specs import make_quote

WINDOW_US = 1_000


def inbox(*, set_bytes: int = 10_000) -> QuotesInbox:
    return QuotesInbox(venues=("east-stock", "west-stock"), window_us=WINDOW_US, set_bytes=set_bytes)


def quoted(venue: str, series: str = CALL, lots: int = 5) -> StockQuotes:
    return StockQuotes(venue=venue, quotes=(make_quote(series, "sell", 100, lots),))


def test_the_last_set_of_each_venue_is_handed_on() -> None:
    box = inbox()
    for sent in (quoted("west-stock"), quoted("east-stock"), quoted("west-stock", PUT)):
        box.take(encode(sent), arrival_us=1)
    assert box.sets == (quoted("east-stock"), quoted("west-stock", PUT))
    assert box.notes == ()
    assert box.received == 3


def test_an_empty_set_counts() -> None:
    box = inbox()
    box.take(encode(StockQuotes(venue="east-stock", quotes=())), arrival_us=1)
    assert box.sets == (StockQuotes(venue="east-stock", quotes=()),)


def strange(**changes: object) -> bytes:
    """A set of one quote with something wrong in it."""
    quote = {"series": CALL, "side": "sell", "price": 1, "lots": 1} | changes
    return msgspec.json.encode({"venue": "east-stock", "quotes": [quote]})


BAD = [
    (encode(quoted("their-stock")), 1, "not_your_venue: 'their-stock' (yours: east-stock, west-stock)"),
    (encode(quoted("east-stock")), WINDOW_US + 1, "late: east-stock: came 1,001 us after"),
    (b"not json", 1, "malformed: not a stockquotes"),
    (strange(side="lend"), 1, "$.quotes[0].side"),
    (strange(price=1.5), 1, "$.quotes[0].price"),
    (strange(lots=0), 1, "$.quotes[0].lots"),
    (strange(more=1), 1, "unknown field `more`"),
    (b"[" * 5_000, 1, "malformed"),
    (b'"' + b"x" * 20_000 + b'"', 1, "malformed: a set of 20,002 bytes; at most 10,000 are read"),
]


@pytest.mark.parametrize(("payload", "arrival_us", "says"), BAD)
def test_what_does_not_count_is_noted_and_what_counted_before_stands(
    payload: bytes, arrival_us: int, says: str
) -> None:
    box = inbox()
    box.take(encode(quoted("east-stock")), arrival_us=WINDOW_US)
    box.take(payload, arrival_us=arrival_us)
    assert box.sets == (quoted("east-stock"),)
    (note,) = box.notes
    assert says in note
    assert note.split(": ")[1] in set(QuotesReason)


def test_notes_are_few_and_short() -> None:
    box = inbox()
    for _ in range(100):
        box.take(encode(quoted("v" * 128)), arrival_us=1)
    assert len(box.notes) == NOTES_MAX
    assert len(note_quotes("late", "x" * 10_000)) == NOTE_MAX


def test_a_solver_without_stock_is_told_so() -> None:
    box = QuotesInbox(venues=(), window_us=1, set_bytes=1_000)
    box.take(encode(quoted("east-stock")), arrival_us=1)
    assert box.notes == ("quotes: not_your_venue: 'east-stock' (yours: none)",)
