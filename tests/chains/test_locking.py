import numpy as np
import pytest

from chains.commit import LegPlan
from chains.errors import CommitError
from chains.ledger import Ledger, deal_account, owner_account, venue_account
from chains.locking import Locking
from chains.units import USDC, WIRE_MAX
from chains.venues.order_book import OrderBook
from chains.venues.venue import venue_of
from tests.feeds import MadeFeed
from tests.worlds import ALICE, CALL, PUT, START_US, default_levels, make_book, make_plan, move

ASK = f"east-book/{CALL}/sell/7000000"
OTHER = f"east-book/{PUT}/sell/5000000"
OWNER = owner_account(ALICE)


def made() -> tuple[Locking, OrderBook, Ledger]:
    stream = np.random.Generator(np.random.PCG64(0))
    book = make_book("east", default_levels()).open_venue(start_us=START_US, stream=stream, feed=MadeFeed({}))
    ledger = Ledger("east")
    return Locking(ledgers={"east": ledger}, venues={"east-book": book}), book, ledger


def leg(lots: tuple[tuple[str, int], ...] = (), *, pays: int = 0) -> LegPlan:
    transfers = (move(OWNER, venue_account("east-book"), USDC, pays),) if pays else ()
    return LegPlan(chain="east", transfers=transfers, lots=lots)


def test_the_venue_stands_first_in_the_id_of_its_offers() -> None:
    assert venue_of(ASK) == "east-book"
    assert venue_of("no-slash") == "no-slash"


def test_a_leg_locks_everything_and_consumes_and_posts_at_the_end() -> None:
    locking, book, ledger = made()
    ledger.record([move("outside", OWNER, USDC, 100)])
    plan = leg(((ASK, 10), (OTHER, 5), (ASK, 3)), pays=100)
    assert locking.lock("deal-1", plan, now_us=START_US) is None
    assert book.locked() == {ASK: 13, OTHER: 5}
    assert ledger.available(OWNER, USDC) == 0
    locking.end("deal-1", plan, commit=True)
    assert book.locked() == {}
    assert {offer.id: offer.lots for offer in book.offers(START_US, {})}[ASK] == 27
    assert ledger.balance(venue_account("east-book"), USDC) == 100


@pytest.mark.parametrize(
    ("lots", "pays", "missing"),
    [
        (((ASK, 10), (OTHER, 51)), 0, f"{OTHER} has no 51 free lots"),
        (((ASK, 30), (ASK, 11)), 0, f"{ASK} has no 11 free lots"),
        (((ASK, 10),), 1, f"{OWNER} is short of 1 USDC"),
    ],
)
def test_a_leg_that_cannot_have_everything_locks_nothing(
    lots: tuple[tuple[str, int], ...], pays: int, missing: str
) -> None:
    locking, book, ledger = made()
    refusal = locking.lock("deal-1", leg(lots, pays=pays), now_us=START_US)
    assert refusal is not None
    assert refusal.text == missing
    assert refusal.offer or refusal.account
    assert missing.startswith(refusal.offer or refusal.account)
    assert book.locked() == {}
    assert not ledger.pending()


def test_a_voided_leg_releases_every_lock() -> None:
    locking, book, ledger = made()
    ledger.record([move("outside", OWNER, USDC, 100)])
    plan = leg(((ASK, 40),), pays=60)
    assert locking.lock("deal-1", plan, now_us=START_US) is None
    locking.end("deal-1", plan, commit=False)
    assert book.locked() == {}
    assert ledger.available(OWNER, USDC) == 100


def test_a_balance_at_the_ledgers_bound_is_a_refusal() -> None:
    locking, book, ledger = made()
    ledger.record([move("outside", venue_account("east-book"), USDC, WIRE_MAX)])
    ledger.record([move("bridge:b", OWNER, USDC, 5)])
    refusal = locking.lock("deal-1", leg(((ASK, 1),), pays=5), now_us=START_US)
    assert refusal is not None
    assert "bounds" in refusal.text
    assert not refusal.offer
    assert not refusal.account
    assert book.locked() == {}


@pytest.mark.parametrize(
    "lots",
    [
        {"east": {ASK: 41}},
        {"east": {"east-book/nothing": 1}},
        {"east": {"nowhere/thing": 1}},
        {"west": {ASK: 1}},
    ],
)
def test_lots_that_can_never_be_there_are_refused_when_the_deal_is_handed_in(
    lots: dict[str, dict[str, int]],
) -> None:
    locking, _, _ = made()
    with pytest.raises(CommitError):
        locking.pledge(make_plan("deal-1", lots))
    assert locking.pledges.pledged(ASK) == 0


def test_lots_are_not_pledged_beyond_their_level() -> None:
    locking, _, _ = made()
    locking.pledge(make_plan("deal-1", {"east": {ASK: 30}}))
    with pytest.raises(CommitError, match="41 lots"):
        locking.pledge(make_plan("deal-2", {"east": {ASK: 11}}))
    locking.pledge(make_plan("deal-3", {"east": {ASK: 10}}))
    assert locking.pledges.pledged(ASK) == 40


def test_a_leg_that_leaves_cash_in_the_deals_account_is_refused_when_handed_in() -> None:
    locking, _, _ = made()
    uneven = LegPlan(chain="east", transfers=(move(OWNER, deal_account("deal-1"), USDC, 5),), lots=())
    with pytest.raises(CommitError, match="'USDC': 5"):
        locking.pledge(make_plan("deal-1", {}, legs=(uneven,)))
