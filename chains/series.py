"""Option series: their ids, terms and lot sizes.

A series id reads `BTC-26JUN26-100000-C`: underlying, expiry day (unpadded, 08:00 UTC), strike in
whole USD, C or P. Options are European and cash-settled in USDC (linear). The naming follows the
public instrument names of Deribit (`DMMMYY`, day unpadded, expiry 08:00 UTC).
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

from chains.errors import SeriesError
from chains.units import MICRO, SeriesId

EXPIRY_HOUR_UTC: Final = 8

LOT_SIZES: Final[dict[str, tuple[int, int]]] = {"BTC": (1, 100), "ETH": (1, 10)}
"""Coins per lot of each underlying, as an exact rational (numerator, denominator)."""

STRIKE_MAX: Final = 10_000_000
"""The highest strike in USD: keeps `strike * lots` far inside the wire's integers."""

KEPT_MAX: Final = 16_384
"""How many ids that were read are remembered: every order names some, and a market lists hundreds."""

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_PATTERN: Final = re.compile(r"([A-Z]{2,8})-([1-9]\d?)([A-Z]{3})(\d{2})-([1-9]\d{0,7})-([CP])", re.ASCII)


class OptionKind(StrEnum):
    """Call or put, as the last letter of a series id."""

    CALL = "C"
    PUT = "P"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Series:
    """The terms of one option series.

    Attributes
    ----------
    underlying : symbol with a known lot size, for example ``BTC``
    expiry : seconds since 1970 UTC, always at 08:00
    strike : whole USD
    kind : call or put
    """

    underlying: str
    expiry: int
    strike: int
    kind: OptionKind

    def __post_init__(self) -> None:
        if self.underlying not in LOT_SIZES:
            raise SeriesError(
                f"underlying {self.underlying!r} is not listed ({', '.join(sorted(LOT_SIZES))})"
            )
        if not 0 < self.strike <= STRIKE_MAX:
            raise SeriesError(f"strike {self.strike} is outside 1 to {STRIKE_MAX} USD")
        if self.expiry % 86_400 != EXPIRY_HOUR_UTC * 3_600:
            raise SeriesError(f"expiry {self.expiry} is not at {EXPIRY_HOUR_UTC:02d}:00 UTC")

    @property
    def id(self) -> SeriesId:
        """The series id, for example ``BTC-26JUN26-100000-C``."""
        day = datetime.fromtimestamp(self.expiry, UTC)
        text = f"{day.day}{_MONTHS[day.month - 1]}{day.year % 100:02d}"
        return SeriesId(f"{self.underlying}-{text}-{self.strike}-{self.kind.value}")

    @property
    def expiry_us(self) -> int:
        """The expiry in microseconds."""
        return self.expiry * MICRO

    @property
    def lot_size(self) -> tuple[int, int]:
        """Coins per lot as (numerator, denominator)."""
        return LOT_SIZES[self.underlying]


def maturity_of(series: str) -> str:
    """What a series id shares with every series that expires together with it: ``BTC-26JUN26``."""
    return series.rsplit("-", 2)[0]


def expiry_of(day: date) -> int:
    """The instant, in seconds, at which options of that day expire."""
    return int(datetime(day.year, day.month, day.day, EXPIRY_HOUR_UTC, tzinfo=UTC).timestamp())


@lru_cache(maxsize=KEPT_MAX)
def parse_series(text: str) -> Series:
    """Read a series id. Ids that were read before are remembered; texts that are none are not.

    Raises
    ------
    SeriesError
        If the text is not a canonical id: printing the result always gives the text back.
    """
    match = _PATTERN.fullmatch(text)
    if match is None or match[3] not in _MONTHS:
        raise SeriesError(f"{text!r} is not a series id such as BTC-26JUN26-100000-C")
    try:
        day = date(2000 + int(match[4]), _MONTHS.index(match[3]) + 1, int(match[2]))
    except ValueError as error:
        raise SeriesError(f"{text!r} names a day that does not exist") from error
    return Series(underlying=match[1], expiry=expiry_of(day), strike=int(match[5]), kind=OptionKind(match[6]))
