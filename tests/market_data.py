"""Small synthetic market data in the two-file format: Black-76 prices with noise, on a tick of 0.0001.

Two expiries, five strikes, calls and puts; each series has three levels a side and a complete mark row.
Tests change the rows before they write them as CSV.
"""

import csv
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from math import erf, exp, log, sqrt

TAKEN_MS = 1_772_445_600_000
"""2026-03-02 10:00 UTC."""

MARCH_S = 1_773_993_600
"""2026-03-20 08:00 UTC."""

JUNE_S = 1_782_460_800
"""2026-06-26 08:00 UTC."""

EXPIRIES = {"20MAR26": (MARCH_S, 64_120.0), "26JUN26": (JUNE_S, 65_300.0)}
STRIKES = (52_000, 58_000, 64_000, 70_000, 78_000)

Row = dict[str, str]


def smile(strike: int, forward: float) -> float:
    """The volatility that the synthetic market is made with."""
    distance = log(strike / forward)
    return 0.52 - 0.10 * distance + 0.9 * distance * distance


def black(forward: float, strike: float, years: float, vol: float, *, is_call: bool) -> float:
    """The Black-76 price, written out once more."""
    deviation = vol * sqrt(years)
    d1 = log(forward / strike) / deviation + deviation / 2
    sign = 1 if is_call else -1
    return sign * (forward * _cdf(sign * d1) - strike * _cdf(sign * (d1 - deviation)))


def _cdf(x: float) -> float:
    return 0.5 * (1 + erf(x / sqrt(2)))


def years_to(expiry_s: int, *, at_ms: int = TAKEN_MS) -> float:
    return (expiry_s * 1_000 - at_ms) / 1_000 / 86_400 / 365


@dataclass
class Sheets:
    """The rows of both files, as text; row numbers in reports are places in these lists plus two."""

    levels: list[Row] = field(default_factory=list)
    marks: list[Row] = field(default_factory=list)

    def level(self, instrument: str, side: str, price: float | str, size: float | str, **changes: str) -> int:
        """Append a level; its row number."""
        row = {
            "instrument": instrument,
            "timestamp_ms": str(TAKEN_MS),
            "side": side,
            "price_coin": str(price),
            "size_contracts": str(size),
        }
        self.levels.append(row | changes)
        return len(self.levels) + 1

    def mark(self, instrument: str, **changes: str) -> int:
        """Append a mark row with what is given; its row number."""
        row = dict.fromkeys(("underlying_price_usd", "index_price_usd", "mark_price_coin", "mark_iv_pct"), "")
        self.marks.append({"instrument": instrument, "timestamp_ms": str(TAKEN_MS)} | row | changes)
        return len(self.marks) + 1

    def mark_of(self, instrument: str) -> Row:
        """The mark row of an instrument."""
        return next(row for row in self.marks if row["instrument"] == instrument)

    def files(self) -> tuple[bytes, bytes]:
        """Both files."""
        return to_csv(self.levels), to_csv(self.marks)


def to_csv(rows: Iterable[Mapping[str, str]]) -> bytes:
    table = list(rows)
    out = StringIO()
    writer = csv.DictWriter(out, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue().encode()


def make_sheets(*, seed: int = 0) -> Sheets:
    """The whole synthetic market."""
    chance = random.Random(seed)
    sheets = Sheets()
    for name, (expiry, forward) in EXPIRIES.items():
        for strike in STRIKES:
            for kind in "CP":
                vol = smile(strike, forward)
                price = black(forward, strike, years_to(expiry), vol, is_call=kind == "C") / forward
                instrument = f"BTC-{name}-{strike}-{kind}"
                _add_ladders(sheets, instrument, price=price, chance=chance)
                sheets.mark(
                    instrument,
                    underlying_price_usd=f"{forward:.2f}",
                    index_price_usd="63990.5",
                    mark_price_coin=f"{price:.8f}",
                    mark_iv_pct=f"{vol * 100:.2f}",
                )
    return sheets


def _add_ladders(sheets: Sheets, instrument: str, *, price: float, chance: random.Random) -> None:
    half = 0.0004 + 0.01 * price * exp(chance.gauss(0, 0.2))
    for side, sign in (("bid", -1), ("ask", 1)):
        for place in range(3):
            tick = round((price + sign * half * (1 + 0.6 * place)) * 10_000)
            if tick > 0:
                sheets.level(instrument, side, f"{tick / 10_000:.4f}", chance.randint(5, 400) / 10)
