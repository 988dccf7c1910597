"""From published option market data to a measured market, in four steps.

    rows          what the files say, read strictly: exact decimals, limits, errors with row and field
    cleaning      rows that are not of this moment, cannot be traded, or cannot be true are dropped
    forwards      one forward per expiry, fitted where the data have none
    volatilities  one volatility per series, fitted where the data have none

Prices in the data are inverse: in coins per coin of options, as Deribit quotes them. In USD at expiry an
inverse option pays the same as a linear one, so its price times the forward is the exact price of the
linear option. Nothing is dropped or fitted silently: every step says what it did in the report.
"""

from typing import Final

MAX_AGE_S: Final = 600
"""How much older than the newest row a row may be, in seconds, unless the importer is told otherwise."""
