"""Market data to a measured market, with a report of everything that was dropped or fitted."""

from collections import Counter
from dataclasses import dataclass

from chains.calibration.market import MarketBook
from chains.errors import MarketDataError
from chains.importing import MAX_AGE_S
from chains.importing.cleaning import (
    DropLog,
    Dropped,
    DropReason,
    clean_rows,
    describe,
    drop_all,
    drop_impossible,
)
from chains.importing.forwards import ForwardSource, fit_forwards
from chains.importing.linear import to_linear
from chains.importing.rows import MarketRows
from chains.importing.volatilities import VolatilitySource, fit_volatilities


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import read, dropped and fitted.

    Attributes
    ----------
    taken_us : the instant of the market
    level_rows, mark_rows : rows read
    levels, series : of the market that was made
    dropped : every row that was left out, in order
    forwards : how many expiries have their forward from where
    volatilities : how many series have their volatility from where
    """

    taken_us: int
    level_rows: int
    mark_rows: int
    levels: int
    series: int
    dropped: tuple[Dropped, ...]
    forwards: dict[ForwardSource, int]
    volatilities: dict[VolatilitySource, int]

    def drops(self) -> dict[DropReason, tuple[int, Dropped]]:
        """For each reason that occurred, how many rows were dropped for it, and the first of them."""
        counted = Counter(each.reason for each in self.dropped)
        first = {each.reason: each for each in reversed(self.dropped)}
        return {reason: (counted[reason], first[reason]) for reason in DropReason if counted[reason]}


def import_market(rows: MarketRows, *, max_age_s: int = MAX_AGE_S) -> tuple[MarketBook, ImportReport]:
    """The measured market that some rows hold.

    Raises
    ------
    MarketDataError
        If they hold none: every row is dropped.
    """
    log = DropLog()
    market = clean_rows(rows, max_age_ms=max_age_s * 1_000, log=log)
    fitted_forwards = fit_forwards(market.quotes)
    forwards = {key: forward.price for key, forward in sorted(fitted_forwards.items())}
    drop_impossible(market.quotes, forwards, log=log)
    priced = [each for each in market.quotes if (each.series.underlying, each.series.expiry) in forwards]
    volatilities = fit_volatilities(priced, forwards, taken_ms=market.taken_ms)
    for each in priced:
        if each.series not in volatilities:
            drop_all(each, DropReason.NO_VOLATILITY, log=log)
    book = to_linear(market, forwards, volatilities, log=log)
    if not book.books:
        raise MarketDataError(f"no series is left of the market: {describe(log.counts())}")
    used = Counter(fitted_forwards[key].source for key in book.forwards)
    sources = Counter(volatilities[each.series].source for each in book.books)
    return book, ImportReport(
        taken_us=market.taken_ms * 1_000,
        level_rows=len(rows.levels),
        mark_rows=len(rows.marks),
        levels=sum(len(each.buys) + len(each.sells) for each in book.books),
        series=len(book.books),
        dropped=tuple(log.dropped),
        forwards={source: used[source] for source in ForwardSource if used[source]},
        volatilities={source: sources[source] for source in VolatilitySource if sources[source]},
    )
