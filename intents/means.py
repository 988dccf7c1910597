"""What the owner of an intent can back with what is free on its chain.

Free is what the owner has there less what the owner's intents hold (`intents.reservations`). The members
of a one-cancels-other group share what they hold: a further one may hold as much as the others do
without taking anything more.

A sold leg closes a position where lots that are free cover it in full, all its units; else it is written.
So what an intent ties up is decided once, at its admission, and is linear in its units. A reduce-only
intent writes nothing: all its legs close, for as many units as are covered.
"""

from collections.abc import Callable

from msgspec import Struct

from chains.units import WIRE_MAX, floor_div
from intents.admission import legs_of
from intents.collateral import Requirement, requirement_of
from intents.refusals import Code, Refused, refuse
from intents.reservations import Pot, Reservations
from intents.typed_data import OptionIntent

Funds = Callable[[str, str, str], int]
"""(owner, chain, asset) -> what the owner's free account has there; see `intents.book`."""


class Means(Struct, frozen=True, kw_only=True, gc=False):
    """What an owner has for one intent, in the market already or not."""

    intent: OptionIntent
    pot: Pot
    reservations: Reservations
    funds: Funds

    def available(self, asset: str) -> int:
        """What the intent may hold of an asset on its chain."""
        owner, chain = self.intent.owner, self.intent.chain
        place = chain, asset
        free = self.funds(owner, chain, asset) - self.reservations.held(owner, place)
        return free + self.reservations.shared(self.pot, place)

    def requirement(self) -> Requirement:
        """What a unit ties up, if the intent is admitted now."""
        intent = self.intent
        closing = [
            leg.series
            for leg in intent.legs
            if leg.ratio < 0
            and (intent.reduce_only or self.available(leg.series) >= -leg.ratio * intent.units)
        ]
        return requirement_of(legs_of(intent), limit=intent.limit, closing=closing)

    def backed(self, requirement: Requirement) -> int:
        """How many units the owner can back, counting those that the intent has in the market."""
        return min(
            floor_div(self.available(asset), amount) for asset, amount in requirement.reserved(1).items()
        )

    def cover(self, requirement: Requirement) -> int | Refused:
        """How many units an intent that is new enters with: all, or some if it is reduce-only."""
        intent = self.intent
        least = 1 if intent.reduce_only else intent.units
        for asset, needed in requirement.reserved(least).items():
            if needed > WIRE_MAX:
                message = f"the intent would tie up {needed} of {asset}, more than the market can count"
                return refuse(Code.OUT_OF_RANGE, "units", intent.units, message)
            if needed > self.available(asset):
                return self._short(asset, needed)
        return min(intent.units, self.backed(requirement)) if intent.reduce_only else least

    def _short(self, asset: str, needed: int) -> Refused:
        intent, available = self.intent, self.available(asset)
        value: dict[str, str | int] = {"asset": asset, "needed": needed, "available": available}
        if intent.reduce_only:
            text = f"one unit takes {needed} of {asset} on {intent.chain} that are held; free is {available}"
            return Refused(code=Code.NOT_COVERED, field="intent", value=value, message=text)
        text = f"the intent can require {needed} of {asset} on {intent.chain}; free is {available}"
        return Refused(code=Code.UNCOLLATERALISED, field="intent", value=value, message=text)
