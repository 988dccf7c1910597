"""Stock quotes among real processes: handed back beside the bids, in time, from their own solver, few."""

from msgspec.structs import replace

from chains.units import MICRO
from solvers.competition import Competition
from solvers.limits import Limits
from solvers.reasons import SolverReason
from solvers.strategy import StockQuotes
from tests.builders import CALL
from tests.solvers.competing import (
    AUCTION,
    HONEST,
    SHORT_S,
    WINDOW_S,
    bid_names,
    detail,
    play,
    reasons,
    solver,
)
from tests.venue_specs import make_quote

FREE = {CALL: 40, "USDC": 10**9}


def selling(venue: str, lots: int) -> StockQuotes:
    return StockQuotes(venue=venue, quotes=(make_quote(CALL, "sell", 7_000_000, lots),))


def test_the_last_quotes_of_each_venue_come_back_beside_the_bids() -> None:
    stock = {"maker": {"east-stock": FREE, "west-stock": {CALL: 7}}, "honest": {"hub-stock": FREE}}

    async def script(competition: Competition) -> None:
        for _ in range(2):
            result = await competition.run(AUCTION, window_s=WINDOW_S, stock=stock)
            assert reasons(result) == {"honest": "finished", "maker": "finished"}
            assert bid_names(result, "maker") == ["bid", "bid"]
            assert result.quotes == (
                ("maker", selling("east-stock", 40)),
                ("maker", selling("west-stock", 7)),
            )
            assert detail(result, "maker") == ""
        # Whoever has no stock is told of none.
        assert (await competition.run(AUCTION, window_s=WINDOW_S)).quotes == ()

    play(HONEST, solver("maker", "quoting.py:Maker"), script=script)


def test_quotes_of_a_solver_that_never_ends_stand() -> None:
    async def script(competition: Competition) -> None:
        stock = {"maker": {"east-stock": FREE}}
        result = await competition.run(AUCTION, window_s=SHORT_S, stock=stock)
        assert reasons(result) == {"maker": "solver_timeout"}
        assert result.quotes == (("maker", selling("east-stock", 40)),)

    play(solver("maker", "quoting.py:SlowMaker"), script=script)


def test_quotes_within_the_grace_are_late_and_those_before_stand() -> None:
    async def script(competition: Competition) -> None:
        stock = {"maker": {"east-stock": FREE}}
        short = replace(AUCTION, solve_us=int(SHORT_S * MICRO))
        result = await competition.run(short, window_s=SHORT_S, stock=stock)
        assert result.quotes == (("maker", selling("east-stock", 1)),)
        assert detail(result, "maker").startswith("quotes: late: east-stock: came 1,0")

    # A grace that even a busy machine keeps.
    play(solver("maker", "quoting.py:LateMaker"), script=script, limits=Limits(grace_s=WINDOW_S))


def test_quotes_are_late_by_the_auctions_own_window_as_bids_are() -> None:
    """To the microsecond: a window in seconds is a float, and may say a little less."""

    async def script(competition: Competition) -> None:
        stock = {"maker": {"east-stock": FREE}}
        result = await competition.run(replace(AUCTION, solve_us=1), window_s=WINDOW_S, stock=stock)
        assert result.quotes == ()
        assert "after the opening of 1 us" in detail(result, "maker")

    play(solver("maker", "quoting.py:Maker"), script=script)


def test_what_is_no_quote_of_ones_own_is_told_in_the_report() -> None:
    async def script(competition: Competition) -> None:
        stock = {"maker": {"east-stock": FREE}, "honest": {"their-stock": FREE}}
        result = await competition.run(AUCTION, window_s=WINDOW_S, stock=stock)
        assert reasons(result) == {"honest": "finished", "maker": "finished"}
        assert result.quotes == (("maker", selling("east-stock", 3)),)
        notes = detail(result, "maker").splitlines()
        assert [note.split(": ")[1] for note in notes] == ["not_your_venue", "malformed", "malformed"]

    play(HONEST, solver("maker", "quoting.py:Stranger"), script=script)


def test_sets_of_quotes_are_counted_and_the_last_that_was_read_stands() -> None:
    async def script(competition: Competition) -> None:
        result = await competition.run(AUCTION, window_s=WINDOW_S, stock={"maker": {"east-stock": FREE}})
        assert reasons(result) == {"honest": "finished", "maker": SolverReason.SOLVER_FLOODED}
        assert "more than 64 sets of quotes" in detail(result, "maker")
        assert result.quotes == (("maker", selling("east-stock", 3)),)

    play(HONEST, solver("maker", "quoting.py:Ceaseless"), script=script)


def test_a_benched_solver_is_not_asked_and_keeps_its_process() -> None:
    async def script(competition: Competition) -> None:
        pids = dict(competition.pids)
        for _ in range(2):
            result = await competition.run(
                AUCTION, window_s=WINDOW_S, benched={"maker": "0 of 1,000,000 are left", "nobody": "?"}
            )
            assert reasons(result) == {"honest": "finished", "maker": SolverReason.BOND_EXHAUSTED}
            assert detail(result, "maker") == "0 of 1,000,000 are left"
            assert bid_names(result, "maker") == []
        result = await competition.run(AUCTION, window_s=WINDOW_S, stock={"maker": {"east-stock": FREE}})
        assert reasons(result) == {"honest": "finished", "maker": "finished"}
        assert competition.pids == pids

    play(HONEST, solver("maker", "quoting.py:Maker"), script=script)
