"""A book with balances beside it, and intents in as few words as a readable test needs."""

from typing import Any

from chains.units import MICRO, USDC
from intents.book import Book, BookIntent
from intents.refusals import Code, Refused
from intents.typed_data import NO_GROUP, Leg, OptionIntent

ALICE, BOB = "0x" + "0a" * 20, "0x" + "0b" * 20
CALL, PUT, MAY = "BTC-26JUN26-100000-C", "BTC-26JUN26-90000-P", "BTC-29MAY26-90000-P"
NOW_S = 1_777_593_600
NOW = NOW_S * MICRO
PUT_COLLATERAL = 900 * MICRO
"""One lot of the put: 0.01 BTC at 90,000 USD."""


class Market:
    """A book with balances beside it, and ids that say who and which."""

    def __init__(self, **options: Any) -> None:
        self.book = Book(**options)
        self.balances: dict[tuple[str, str, str], int] = {}

    def give(self, amount: int, asset: str = USDC, owner: str = ALICE, chain: str = "hub") -> None:
        self.balances[owner, chain, asset] = self.balances.get((owner, chain, asset), 0) + amount

    def try_post(self, nonce: int, owner: str = ALICE, **fields: Any) -> Refused | BookIntent:
        intent = make_intent(nonce=nonce, owner=owner, **fields)
        return self.book.admit(
            f"{owner[-1]}{nonce}",
            intent,
            now_us=NOW,
            funds=lambda owner, chain, asset: self.balances.get((owner, chain, asset), 0),
        )

    def post(self, nonce: int, owner: str = ALICE, **fields: Any) -> str:
        entry = self.try_post(nonce, owner, **fields)
        assert isinstance(entry, BookIntent), entry
        return entry.id

    def see(self, id_: str) -> BookIntent:
        entry = self.book.get(id_)
        assert entry is not None
        return entry

    def units(self, id_: str) -> tuple[int, int, int]:
        entry = self.see(id_)
        return entry.open, entry.settling, entry.filled

    def cash(self, owner: str = ALICE) -> int:
        return self.book.reserved(owner, "hub", USDC)


def make_intent(**fields: Any) -> OptionIntent:
    legs = fields.pop("legs", {CALL: 1})
    defaults: dict[str, Any] = {
        "owner": ALICE,
        "valid_from": 0,
        "valid_until": NOW_S + 3_600,
        "chain": "hub",
        "units": 10,
        "min_units": 1,
        "limit": 100,
        "immediate": False,
        "reduce_only": False,
        "group": NO_GROUP,
    }
    signed = tuple(Leg(series=series, ratio=ratio) for series, ratio in legs.items())
    return OptionIntent(legs=signed, **defaults | fields)


def refusal(answer: object) -> tuple[Code, str]:
    assert isinstance(answer, Refused), answer
    return answer.code, answer.field
