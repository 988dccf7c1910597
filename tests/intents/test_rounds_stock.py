"""Rounds of a real service with a solver's stock: what its process quotes is on offer at the next cut."""

from pathlib import Path

from chains.units import MICRO, USDC
from intents.events import AuctionDecided, StockQuoted
from intents.service import Service
from tests.services import events_of, give_funds, post_signed, run_service, state_of
from tests.venue_specs import make_stock
from tests.worlds import CALL, make_spec

STRATEGIES = Path(__file__).resolve().parent.parent / "solvers" / "misbehaving" / "quoting.py"
SPEC = make_spec(
    venues=(
        make_stock("hub", {CALL: 20, USDC: 1_000 * MICRO}, solver="overreaching"),
        make_stock("east", {CALL: 5, USDC: 1_000}, solver="contradicting"),
        make_stock("west", {CALL: 5}, solver="nobody"),
    )
)
SOLVERS = tuple(f"{STRATEGIES}:{name}" for name in ("Overreaching", "Contradicting"))


def offered(service: Service) -> dict[str, tuple[int, int]]:
    """Price and lots by venue."""
    offers = service.market.engine.world.snapshot().offers
    return {offer.venue: (offer.price, offer.lots) for offer in offers}


def said(service: Service, auction: str) -> dict[str, str]:
    decided = service.find_decided(auction)
    assert decided is not None
    return {report.solver: report.detail for report in decided.outcome.solvers}


def test_quotes_follow_the_decision_cut_down_to_the_stock_and_their_fate_is_in_the_next_report(
    tmp_path: Path,
) -> None:
    async def story(service: Service) -> None:
        await give_funds(service)
        assert offered(service) == {}
        first = await service.run_round()
        # As many lots as there are, although a million were offered; a contradiction is refused whole.
        assert offered(service) == {"hub-stock": (7_000_001, 20)}
        assert said(service, first.auction) == {"contradicting": "", "overreaching": ""}

        await post_signed(service, 1)
        second = await service.run_round()
        assert second.deals == 1
        # The winner's two lots are gone when the new quotes are looked at.
        assert offered(service) == {"hub-stock": (7_000_002, 18)}
        reports = said(service, second.auction)
        assert reports["overreaching"].startswith("quotes: cut: hub-stock, the round before: 1 of 1 quotes")
        assert reports["contradicting"].startswith("quotes: quotes_refused: east-stock, the round before")
        assert "is bought at 6" in reports["contradicting"]

    run_service(tmp_path, story, spec=SPEC, solvers=SOLVERS)
    kinds = [event for event in events_of(tmp_path) if isinstance(event, AuctionDecided | StockQuoted)]
    assert [type(event) for event in kinds] == [AuctionDecided, StockQuoted] * 2
    assert [event.venue for event in kinds if isinstance(event, StockQuoted)] == ["hub-stock"] * 2


def test_a_reopened_market_has_the_quotes_that_it_had(tmp_path: Path) -> None:
    states: list[object] = []

    async def story(service: Service) -> None:
        await service.run_round()
        states.append((state_of(service), offered(service)))

    run_service(tmp_path, story, spec=SPEC, solvers=SOLVERS)

    async def again(service: Service) -> None:
        states.append((state_of(service), offered(service)))

    run_service(tmp_path, again, solvers=SOLVERS)
    assert states[0] == states[1]
