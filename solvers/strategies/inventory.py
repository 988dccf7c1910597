"""`inventory`: a market maker that quotes its own stock, and bids for nothing.

It quotes around the marks of the auction: a model price with a spread, moved by what its book holds
already. Where a lot would add to a Greek that it holds much of, it asks and bids less for it, and where
a lot would take from one, more.

Its book keeps limits per underlying on delta, gamma, vega and theta. A set of quotes uses at most half
of the room between what is held and a limit, whichever of its quotes are filled: the set before it may
still be filled in the round in which it is made. What is beyond a limit already is quoted in one
direction only. Lots that deals in settlement will bring are not visible to a solver, and not counted.

Subclass it to change a number: ``class Mine(Inventory): LOTS_MAX = 10``.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import ceil, floor, isfinite
from typing import ClassVar, NamedTuple

from chains.snapshot import Mark, SeriesTerms, StockQuote
from chains.units import MICRO, USDC
from solvers.auction import Auction
from solvers.strategy import SolveContext, StockQuotes


class Greeks(NamedTuple):
    """Sensitivities in coins, coins per USD, USD per vol point and USD per day."""

    delta: float
    gamma: float
    vega: float
    theta: float


class Inventory:
    """A set of quotes for each of its stock venues.

    Attributes
    ----------
    LIMITS : the most of each Greek that the book may hold, either way, by underlying; others are not
        quoted
    SPREAD_POINTS, SPREAD_MIN : half the spread, in vol points, and its least in micro-USDC per lot
    LOTS_MAX : the most lots of one quote
    QUOTES_MAX : the most quotes of one set
    """

    LIMITS: ClassVar[Mapping[str, Greeks]] = {
        "BTC": Greeks(delta=10.0, gamma=0.005, vega=250.0, theta=300.0),
        "ETH": Greeks(delta=200.0, gamma=3.0, vega=100.0, theta=150.0),
    }
    SPREAD_POINTS: ClassVar[float] = 2.0
    SPREAD_MIN: ClassVar[int] = 10_000
    LOTS_MAX: ClassVar[int] = 20
    QUOTES_MAX: ClassVar[int] = 1_000

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[StockQuotes]:
        """Yield one set for each venue, the same book behind all of them."""
        series = {terms.id: terms for terms in auction.series if terms.underlying in self.LIMITS}
        lots = {
            mark.series: _Lot(series[mark.series], mark) for mark in auction.marks if mark.series in series
        }
        ranked = sorted((lot for lot in lots.values() if lot.is_sound()), key=_Lot.rank)
        book = _Book(self.LIMITS)
        for free in context.stock.values():
            for name, held in free.items():
                if name in lots:
                    book.hold(lots[name], held)
        for venue in sorted(context.stock):
            quotes = self._quote(ranked, context.stock[venue], book)
            yield StockQuotes(venue=venue, quotes=tuple(quotes)[: self.QUOTES_MAX])

    def _quote(self, ranked: list["_Lot"], free: Mapping[str, int], book: "_Book") -> Iterator[StockQuote]:
        cash = free.get(USDC, 0)
        for lot in ranked:
            half = max(self.SPREAD_MIN, self.SPREAD_POINTS * lot.vega_price)
            centre = lot.price - book.lean(lot) * half
            ask, bid = ceil(centre + half), floor(centre - half)
            for_sale = book.take_room(lot, -1, most=min(free.get(lot.series, 0), self.LOTS_MAX))
            if for_sale:
                yield StockQuote(series=lot.series, side="sell", price=ask, lots=for_sale)
            affordable = min(cash // bid, self.LOTS_MAX) if bid > 0 else 0
            wanted = book.take_room(lot, 1, most=affordable)
            if wanted:
                cash -= wanted * bid
                yield StockQuote(series=lot.series, side="buy", price=bid, lots=wanted)


class _Lot:
    """One lot of a series: its model price and `vega_price` in micro-USDC, its Greeks."""

    def __init__(self, terms: SeriesTerms, mark: Mark) -> None:
        size = terms.lot_size[0] / terms.lot_size[1]
        self.series = terms.id
        self.underlying = terms.underlying
        self.price = mark.price
        self.vega_price = mark.vega * size * MICRO
        self.greeks = Greeks(mark.delta * size, mark.gamma * size, mark.vega * size, mark.theta * size)

    def is_sound(self) -> bool:
        return self.price > 0 and all(map(isfinite, (self.price, *self.greeks)))

    def rank(self) -> tuple[float, str]:
        """What matters most comes first."""
        return -self.greeks.vega, self.series


class _Book:
    """What is held, and what of the room left for each Greek is given away."""

    def __init__(self, limits: Mapping[str, Greeks]) -> None:
        self._limits = limits
        self._held: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] * len(Greeks._fields))
        self._given: defaultdict[tuple[str, int, bool], float] = defaultdict(float)

    def hold(self, lot: _Lot, lots: int) -> None:
        for place, each in enumerate(lot.greeks):
            self._held[lot.underlying][place] += lots * each

    def lean(self, lot: _Lot) -> float:
        """From -1 to 1: how far one more lot would add to what is held, on average over the Greeks."""
        shares = [
            max(-1.0, min(1.0, held / limit)) * ((each > 0) - (each < 0))
            for held, limit, each in zip(
                self._held[lot.underlying], self._limits[lot.underlying], lot.greeks, strict=True
            )
        ]
        return sum(shares) / len(shares)

    def take_room(self, lot: _Lot, side: int, *, most: int) -> int:
        """So many lots, at most `most`, as leave every Greek within its limits; their room is gone."""
        lots = max(0, most)
        changes = [side * each for each in lot.greeks]
        for place, change in enumerate(changes):
            if change:
                lots = min(lots, max(0, floor(self._room(lot.underlying, place, change > 0) / abs(change))))
        for place, change in enumerate(changes):
            self._given[lot.underlying, place, change > 0] += lots * abs(change)
        return lots

    def _room(self, underlying: str, place: int, upwards: bool) -> float:
        held, limit = self._held[underlying][place], self._limits[underlying][place]
        room = limit - held if upwards else limit + held
        return room / 2 - self._given[underlying, place, upwards]
