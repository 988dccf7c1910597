"""Pay-out at expiry: lots of a maturity leave every ledger against cash, at one price on all chains.

A maturity is an underlying and an expiry. Its series settle at the world's forward at that instant,
rounded to the nearest price at which a lot is worth a whole number of micro-USDC (for BTC a multiple of
0.0001 USD, for ETH of 0.00001). So the value of any number of lots is exact, nothing is rounded when it is
paid, and what the accounts of a chain pay is what the others receive.

* Whoever has lots gets their value: owners, solver stock, venues. Venues and the world outside pay it
  where they owe lots.
* A bridge is a holder at its source and owes as much at its target: a long that crossed it is a claim
  on its custody. It is paid there and pays here, so its two ends still cancel, in USDC as before in lots.
* What is written is paid out of its own collateral, and the rest of the collateral returns to the writer.
  USDC pays first. Where it falls short, as it does for a covered call, the writer delivers coins at the
  settlement price: as many 1e-8 coins as the shortfall needs, rounded up, against the writer. They are
  sold outside at the same price, rounded down; what they bring beyond the shortfall, less than the value
  of one, goes to the reserve. There are always enough: the collateral was measured at every price.

Everything of a maturity on a chain is one batch through an account that keeps nothing. No transfers may
be pending in it: a deal is released on all its chains before a series in it expires.

Source: the settlement of linear options in USDC on the forward, as option exchanges do it; coins for
covered calls as on-chain venues take them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from math import gcd

from chains.errors import LedgerError
from chains.ledger import (
    OUTSIDE,
    RESERVE,
    Ledger,
    Transfer,
    expiry_account,
    writer_account,
)
from chains.payoff import settlement_cash
from chains.series import Series, maturity_of, parse_series
from chains.units import COIN, USDC, ceil_div, floor_div

Lots = list[tuple[Series, int]]
"""Lots of series of one maturity; negative where they are owed."""


def settlement_price(forward: int, lot_size: tuple[int, int]) -> int:
    """The settlement price for a forward, both in micro-USD per coin; a half goes up.

    Source: the market's own rule, see the module.
    """
    coins, per = lot_size
    step = per // gcd(coins, per)
    return floor_div(2 * forward + step, 2 * step) * step


def pay_out(
    ledgers: Iterable[Ledger], expired: Collection[str], *, forward: Callable[[Series], int]
) -> dict[str, int]:
    """Settle every lot of expired series on every ledger.

    Returns the settlement price of each maturity, in micro-USD per coin.

    Raises
    ------
    LedgerError
        If a transfer in one of the series is pending anywhere, or an amount leaves the wire's integers,
        which no world that `chains.world_file` accepts comes near: nothing is paid then.
    """
    series = {text: parse_series(text) for text in sorted(expired)}
    prices = {}
    for text, terms in series.items():
        if maturity_of(text) not in prices:
            prices[maturity_of(text)] = settlement_price(forward(terms), terms.lot_size)
    chains = tuple(ledgers)
    for ledger in chains:
        _check_nothing_pending(ledger, series)
    batches = [
        (ledger, tuple(_settle(ledger, maturity, series, price)))
        for ledger in chains
        for maturity, price in prices.items()
    ]
    for ledger, batch in batches:
        ledger.record(batch)
    return prices


def _check_nothing_pending(ledger: Ledger, expired: Collection[str]) -> None:
    for key, transfers in ledger.pending().items():
        for transfer in transfers:
            if transfer.asset in expired:
                raise LedgerError(f"{ledger.chain}: {transfer.asset} expires while {key} is pending")


def _settle(ledger: Ledger, maturity: str, series: Mapping[str, Series], price: int) -> Iterator[Transfer]:
    clearing = expiry_account(maturity)
    own = {text for text in series if maturity_of(text) == maturity}
    for account, held in ledger.holders(own).items():
        for text, lots in held.items():
            yield from _move(account, clearing, text, lots)
        value = settlement_cash([(series[text], lots) for text, lots in held.items()], price)
        if account.startswith("written:"):
            yield from _settle_written(ledger, account, maturity, value=value, price=price)
        else:
            yield from _move(clearing, account, USDC, value)


def _settle_written(
    ledger: Ledger, account: str, maturity: str, *, value: int, price: int
) -> Iterator[Transfer]:
    """Pay what the lots of a `written:` account are worth or owe, and return what is left to its writer."""
    coin, writer = maturity.partition("-")[0], writer_account(account)
    coins, cash = ledger.balance(account, coin), ledger.balance(account, USDC) + value
    yield from _move(expiry_account(maturity), account, USDC, value)
    if cash < 0:
        sold = ceil_div(-cash * COIN, price)
        proceeds = floor_div(sold * price, COIN)
        yield from _move(account, OUTSIDE, coin, sold)
        yield from _move(OUTSIDE, account, USDC, proceeds)
        yield from _move(account, RESERVE, USDC, proceeds + cash)
        coins, cash = coins - sold, 0
    yield from _move(account, writer, coin, coins)
    yield from _move(account, writer, USDC, cash)


def _move(debit: str, credit: str, asset: str, amount: int) -> Iterator[Transfer]:
    """A transfer; the other way round for a negative amount, and none for nothing."""
    if amount > 0:
        yield Transfer(debit=debit, credit=credit, asset=asset, amount=amount)
    elif amount < 0:
        yield Transfer(debit=credit, credit=debit, asset=asset, amount=-amount)
