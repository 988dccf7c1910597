import pytest

from chains.errors import CommitError
from chains.pledges import BridgePledges, LotPledges
from chains.units import USDC
from tests.worlds import CALL, make_spec

CAPACITY_CASH, CAPACITY_LOTS = 10**9, 100


def bridges() -> BridgePledges:
    return BridgePledges(make_spec().bridges)


def free(pledges: BridgePledges, name: str) -> tuple[int, int]:
    (terms,) = [terms for terms in pledges.terms() if terms.id == name]
    return terms.capacity_cash, terms.capacity_lots


def test_pledged_capacity_is_gone_until_it_is_given_back() -> None:
    pledges = bridges()
    loads = [("hub-east", USDC, 300), ("hub-east", USDC, 200), ("hub-east", CALL, 7), ("east-hub", CALL, 9)]
    pledges.check(loads)
    pledges.pledge(loads)
    assert free(pledges, "hub-east") == (CAPACITY_CASH - 500, CAPACITY_LOTS - 7)
    assert free(pledges, "east-hub") == (CAPACITY_CASH, CAPACITY_LOTS - 9)
    assert free(pledges, "hub-west") == (CAPACITY_CASH, CAPACITY_LOTS)
    pledges.give_back(loads)
    assert free(pledges, "hub-east") == (CAPACITY_CASH, CAPACITY_LOTS)


@pytest.mark.parametrize(
    "loads",
    [
        [("hub-east", USDC, CAPACITY_CASH)],
        [("hub-east", CALL, 60), ("hub-east", "BTC-26JUN26-1-P", 40)],
        [("hub-mars", USDC, 1)],
    ],
)
def test_capacity_cannot_be_pledged_beyond_what_is_free(loads: list[tuple[str, str, int]]) -> None:
    pledges = bridges()
    pledges.pledge([("hub-east", USDC, 1), ("hub-east", CALL, 1)])
    with pytest.raises(CommitError):
        pledges.check(loads)
    assert free(pledges, "hub-east") == (CAPACITY_CASH - 1, CAPACITY_LOTS - 1)


def test_use_out_of_bounds_is_a_violation() -> None:
    pledges = bridges()
    assert pledges.violations() == []
    pledges.give_back([("hub-east", USDC, 1)])
    assert len(pledges.violations()) == 1


def test_lot_pledges_add_up_and_end_by_leg_once() -> None:
    pledges = LotPledges()
    pledges.pledge("one", "east", (("a", 3), ("b", 1)))
    pledges.pledge("two", "east", (("a", 4),))
    assert (pledges.pledged("a"), pledges.pledged("b"), pledges.pledged("c")) == (7, 1, 0)
    pledges.end("one", "east")
    pledges.end("one", "east")
    assert (pledges.pledged("a"), pledges.pledged("b")) == (4, 0)


def test_each_venue_hears_of_what_is_pledged_on_its_own_offers() -> None:
    pledges = LotPledges()
    pledges.pledge("one", "east", (("book/x", 3), ("pool/y/1", 1)))
    pledges.pledge("two", "east", (("book/x", 4), ("book/z", 2)))
    assert pledges.by_venue() == {"book": {"book/x": 7, "book/z": 2}, "pool": {"pool/y/1": 1}}
    pledges.end("two", "east")
    pledges.end("one", "east")
    assert pledges.by_venue() == {}
