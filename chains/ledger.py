"""The double-entry ledger of one chain, with two-phase transfers.

A transfer moves an amount of one asset from the account it debits to the account it credits, so
every asset sums to zero over all accounts, always. A batch of transfers applies whole or not at
all, and only its net effect on each (account, asset) counts: cash may pass through an account
within a batch without ever being there.

Two phases: `pend` holds what a batch would take from accounts that may not owe, so that a later
`post` cannot fail; `void` gives it back. A key names one pending batch for ever: once posted or
voided it can never be used again, which makes a repeated packet harmless.

Which accounts may owe is decided by `may_owe` alone:

    owner:<address>     cash, coins and free long lots                   never owes
    written:<address>/<maturity>
                        written legs with their collateral               owes series of that maturity
    deal:<id>           in and out within one batch                      always zero
    expiry:<maturity>   in and out within the one batch of its pay-out   always zero
    stock:<venue>       what a solver has put up behind its firm quotes  never owes
    bond:<solver>       on the hub, behind a solver's deals              never owes
    solver:<name>, fees:<what>, reserve                                  never owe
    venue:<id>          the venue's customers and makers together        may owe
    bridge:<id>         custody at the source (+), minted at the target (-); sums to zero over both
    outside             the world beyond, as the faucet and where coins are sold at expiry: may owe

Source: TigerBeetle's two-phase transfers (pending, post, void) and its rule that everything has a limit.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from chains.errors import LedgerError
from chains.units import WIRE_MAX

FEES_PROTOCOL: Final = "fees:protocol"
FEES_SETTLEMENT: Final = "fees:settlement"
FEES_BRIDGE: Final = "fees:bridge"
RESERVE: Final = "reserve"
OUTSIDE: Final = "outside"

_OWES: Final[Mapping[str, str]] = {
    "owner": "nothing",
    "written": "its series",
    "deal": "nothing",
    "expiry": "nothing",
    "solver": "nothing",
    "stock": "nothing",
    "bond": "nothing",
    "fees": "nothing",
    "reserve": "nothing",
    "venue": "anything",
    "bridge": "anything",
    "outside": "anything",
}
_WITHOUT_ID: Final = frozenset({RESERVE, OUTSIDE})
_PASSED_THROUGH: Final = ("deal:", "expiry:")


def owner_account(owner: str) -> str:
    """Where an owner's cash, coins and free long lots are; addresses are kept in lower case."""
    return f"owner:{owner.lower()}"


def written_account(owner: str, maturity: str) -> str:
    """Where an owner's written legs of a maturity (``BTC-26JUN26``) are, with the collateral behind them."""
    return f"written:{owner.lower()}/{maturity}"


def writer_account(written: str) -> str:
    """The free account of whoever wrote what is in a `written:` account."""
    return f"owner:{written.removeprefix('written:').partition('/')[0]}"


def deal_account(deal: str) -> str:
    """The account a deal's cash and lots pass through on a chain; always zero between batches."""
    return f"deal:{deal}"


def solver_account(solver: str) -> str:
    """Where a solver's fees arrive."""
    return f"solver:{solver}"


def stock_account(venue: str) -> str:
    """The lots and cash that a solver has put up at its stock venue; it can never promise more."""
    return f"stock:{venue}"


def bond_account(solver: str) -> str:
    """What a solver has put up on the hub for deals of its own that fail."""
    return f"bond:{solver}"


def expiry_account(maturity: str) -> str:
    """The account that the pay-out of a maturity passes through on a chain; always zero between batches."""
    return f"expiry:{maturity}"


def venue_account(venue: str) -> str:
    """The other side of every trade on a venue, and where its fees arrive."""
    return f"venue:{venue}"


def bridge_account(bridge: str) -> str:
    """Custody at the bridge's source chain; what it has minted, as a debt, at its target chain."""
    return f"bridge:{bridge}"


def is_series_asset(asset: str) -> bool:
    """Whether an asset is an option series (its id has dashes) and not cash or a coin."""
    return "-" in asset


def may_owe(account: str, asset: str) -> bool:
    """Whether the account's balance of the asset may be negative.

    Raises
    ------
    LedgerError
        If the account is of no known kind.
    """
    kind, colon, name = account.partition(":")
    if kind not in _OWES or bool(colon) == (kind in _WITHOUT_ID) or bool(colon) != bool(name):
        raise LedgerError(f"{account!r} is not an account of any known kind")
    rule = _OWES[kind]
    return rule == "anything" or (rule == "its series" and asset.startswith(f"{name.partition('/')[2]}-"))


class Transfer(Struct, frozen=True, kw_only=True, gc=False):
    """An amount of one asset on its way from the account it debits to the account it credits.

    Attributes
    ----------
    debit, credit : two different accounts
    asset : ``USDC``, a coin or a series id
    amount : micro-USDC, 1e-8 coins or lots; positive
    """

    debit: str
    credit: str
    asset: str
    amount: int

    def __post_init__(self) -> None:
        may_owe(self.debit, self.asset)
        may_owe(self.credit, self.asset)
        if self.debit == self.credit or not self.asset:
            raise LedgerError(f"{self} moves nothing")
        if not 0 < self.amount <= WIRE_MAX:
            raise LedgerError(f"{self}: the amount is outside 1 to {WIRE_MAX}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Why a batch was refused: the first account, in order, that is short, and by how much."""

    account: str
    asset: str
    missing: int


_Net = dict[tuple[str, str], int]
"""The net effect of a batch on each (account, asset), without zeros."""


class Ledger:
    """The balances of one chain and the batches pending on them."""

    def __init__(self, chain: str) -> None:
        self.chain = chain
        self._balances: dict[str, dict[str, int]] = {}
        self._outgoing: _Net = {}
        self._incoming: _Net = {}
        self._pending: dict[str, tuple[Transfer, ...]] = {}
        self._finished: set[str] = set()

    def balance(self, account: str, asset: str) -> int:
        """What the account has of the asset, pending batches not counted."""
        assets = self._balances.get(account)
        return assets.get(asset, 0) if assets else 0

    def held(self, account: str, asset: str) -> int:
        """What pending batches will take from the account; zero where it may owe."""
        return 0 if may_owe(account, asset) else self._outgoing.get((account, asset), 0)

    def available(self, account: str, asset: str) -> int:
        """What the account may still spend: its balance without what is held."""
        return self.balance(account, asset) - self.held(account, asset)

    def holdings(self, account: str) -> dict[str, int]:
        """Every asset of which the account has or owes anything, sorted by name."""
        return {asset: amount for asset, amount in sorted(self._balances.get(account, {}).items()) if amount}

    def accounts(self) -> tuple[str, ...]:
        """Every account that has or owes anything, sorted."""
        return tuple(sorted(account for account, assets in self._balances.items() if any(assets.values())))

    def holders(self, assets: Collection[str]) -> dict[str, dict[str, int]]:
        """What every account has or owes of some assets, both sorted; without accounts that have none."""
        return {
            account: held
            for account in self.accounts()
            if (
                held := {asset: amount for asset, amount in self.holdings(account).items() if asset in assets}
            )
        }

    def totals(self) -> dict[str, int]:
        """The sum of each asset over all accounts, counted afresh: all zero, or the ledger is broken."""
        totals: dict[str, int] = {}
        for assets in self._balances.values():
            for asset, amount in assets.items():
                totals[asset] = totals.get(asset, 0) + amount
        return dict(sorted(totals.items()))

    def pending(self) -> Mapping[str, tuple[Transfer, ...]]:
        """The pending batches by key, oldest first (a read-only view)."""
        return MappingProxyType(self._pending)

    def record(self, transfers: Iterable[Transfer]) -> None:
        """Apply a batch at once: for movements that nothing can refuse, such as deposits.

        Raises
        ------
        LedgerError
            If an account that may not owe would spend more than it has available, if a deal's
            account would not come out even, or if a balance would leave its bounds. Nothing is applied.
        """
        net = self._net(tuple(transfers))
        shortfall = self._shortfall(net)
        if shortfall is not None:
            raise LedgerError(f"{self.chain}: an immediate batch is short: {shortfall}")
        self._apply(net)

    def pend(self, key: str, transfers: Iterable[Transfer]) -> Shortfall | None:
        """Hold a batch whole, or refuse it whole and leave no trace.

        Raises
        ------
        LedgerError
            If the key was ever held before, if a deal's account would not come out even, or if a
            balance could leave its bounds.
        """
        if key in self._pending or key in self._finished:
            raise LedgerError(f"{self.chain}: the key {key!r} was already used")
        batch = tuple(transfers)
        net = self._net(batch)
        shortfall = self._shortfall(net)
        if shortfall is None:
            self._pending[key] = batch
            self._expect(net, sign=1)
        return shortfall

    def post(self, key: str) -> None:
        """Apply a pending batch; it cannot fail, since all it takes was held.

        Raises
        ------
        LedgerError
            If no batch is pending under the key.
        """
        self._apply(self._finish(key))

    def void(self, key: str) -> None:
        """Give up a pending batch and release what it held.

        Raises
        ------
        LedgerError
            If no batch is pending under the key.
        """
        self._finish(key)

    def _finish(self, key: str) -> _Net:
        if key not in self._pending:
            state = "already finished" if key in self._finished else "unknown"
            raise LedgerError(f"{self.chain}: no batch is pending under {key!r}, which is {state}")
        net = _netted(self._pending.pop(key))
        self._finished.add(key)
        self._expect(net, sign=-1)
        return net

    def _net(self, transfers: tuple[Transfer, ...]) -> _Net:
        net = _netted(transfers)
        for (account, asset), change in net.items():
            if account.startswith(_PASSED_THROUGH):
                raise LedgerError(f"{self.chain}: {account} would keep {change} {asset}")
            place = (account, asset)
            balance = self.balance(account, asset)
            highest = balance + self._incoming.get(place, 0) + max(change, 0)
            lowest = balance - self._outgoing.get(place, 0) + min(change, 0)
            if highest > WIRE_MAX or lowest < -WIRE_MAX:
                raise LedgerError(f"{self.chain}: {account} could leave the bounds of {asset}")
        return net

    def _shortfall(self, net: _Net) -> Shortfall | None:
        for (account, asset), change in sorted([each for each in net.items() if each[1] < 0]):
            if may_owe(account, asset):
                continue
            missing = -change - self.available(account, asset)
            if missing > 0:
                return Shortfall(account=account, asset=asset, missing=missing)
        return None

    def _expect(self, net: _Net, *, sign: int) -> None:
        for place, change in net.items():
            side = self._incoming if change > 0 else self._outgoing
            amount = side.get(place, 0) + sign * abs(change)
            if amount:
                side[place] = amount
            else:
                del side[place]

    def _apply(self, net: _Net) -> None:
        for (account, asset), change in net.items():
            assets = self._balances.setdefault(account, {})
            balance = assets.get(asset, 0) + change
            if balance:
                assets[asset] = balance
            else:
                del assets[asset]


def _netted(transfers: Iterable[Transfer]) -> _Net:
    net: _Net = {}
    for transfer in transfers:
        for account, change in ((transfer.debit, -transfer.amount), (transfer.credit, transfer.amount)):
            place = (account, transfer.asset)
            net[place] = net.get(place, 0) + change
    return {place: change for place, change in net.items() if change}
