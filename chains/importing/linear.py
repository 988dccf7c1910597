"""From inverse books in coins to linear books in USDC.

With the price p in 1e-8 coins per coin of options, the forward F in micro-USD and c coins in a lot,

    price per lot in micro-USDC = p * F * c / 1e8       asks rounded up, bids down
    lots                        = size / c              rounded down

at the forward of the series' own mark row where it has one, since that was read at the same moment; else
at the forward of its expiry. Levels that come to the same price are one level.
"""

from collections.abc import Mapping, Sequence

from chains.calibration.market import ExpiryKey, MarketBook, SeriesBook, Step
from chains.importing.cleaning import CleanMarket, DropLog, DropReason, Quotes, lots_of, row_forward
from chains.importing.rows import LevelRow
from chains.importing.volatilities import FittedVolatility
from chains.series import Series
from chains.units import COIN, WIRE_MAX, ceil_div, floor_div


def to_linear(
    market: CleanMarket,
    forwards: Mapping[ExpiryKey, int],
    volatilities: Mapping[Series, FittedVolatility],
    *,
    log: DropLog,
) -> MarketBook:
    """The market in linear USDC: every series that has a volatility, and so a forward."""
    books = []
    for quotes in market.quotes:
        series = quotes.series
        if series in volatilities:
            forward = row_forward(quotes, forwards[series.underlying, series.expiry])
            books.append(
                SeriesBook(
                    series=series,
                    iv_bps=volatilities[series].iv_bps,
                    buys=_steps(quotes, quotes.bids, forward=forward, log=log),
                    sells=_steps(quotes, quotes.asks, forward=forward, log=log),
                )
            )
    expiries = {(book.series.underlying, book.series.expiry) for book in books}
    return MarketBook(
        taken_us=market.taken_ms * 1_000,
        forwards={key: price for key, price in forwards.items() if key in expiries},
        books=tuple(books),
    )


def _steps(quotes: Quotes, rows: Sequence[LevelRow], *, forward: int, log: DropLog) -> tuple[Step, ...]:
    lots_at: dict[int, int] = {}
    numerator, denominator = quotes.series.lot_size
    for row in rows:
        divide = floor_div if row.side == "bid" else ceil_div
        price = divide(row.price * forward * numerator, COIN * denominator)
        lots = lots_at.get(price, 0) + lots_of(quotes.series, row.size)
        if price == 0:
            log.drop(DropReason.EMPTY, row)
        elif price * lots > WIRE_MAX:
            log.drop(DropReason.TOO_LARGE, row)
        else:
            lots_at[price] = lots
    return tuple(Step(price, lots) for price, lots in lots_at.items())
