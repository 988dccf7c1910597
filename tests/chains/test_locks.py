import pytest

from chains.errors import CommitError
from chains.venues.locks import Locks


def test_locks_are_counted_by_offer_and_forgotten_at_zero() -> None:
    locks = Locks()
    locks.add("a", 3)
    locks.add("b", 1)
    locks.add("a", 4)
    assert (locks.of("a"), locks.of("b"), locks.of("c")) == (7, 1, 0)
    locks.end("a", 7)
    locks.end("b", 1)
    assert locks.by_offer == {}


@pytest.mark.parametrize(("offer", "lots"), [("a", 4), ("a", 0), ("a", -1), ("b", 1)])
def test_what_is_not_locked_cannot_end(offer: str, lots: int) -> None:
    locks = Locks()
    locks.add("a", 3)
    with pytest.raises(CommitError, match="not locked"):
        locks.end(offer, lots)
    assert locks.by_offer == {"a": 3}
