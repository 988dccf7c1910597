"""Lots of a venue's offers that are locked for deals: one count per offer, which never goes below zero."""

from collections.abc import Mapping
from types import MappingProxyType

from chains.errors import CommitError


class Locks:
    """What a venue has locked, by the id of the offer that a deal named."""

    def __init__(self) -> None:
        self._lots: dict[str, int] = {}

    @property
    def by_offer(self) -> Mapping[str, int]:
        """Lots by offer, without those of which nothing is locked (a read-only view)."""
        return MappingProxyType(self._lots)

    def of(self, offer_id: str) -> int:
        """Lots locked of an offer."""
        return self._lots.get(offer_id, 0)

    def add(self, offer_id: str, lots: int) -> None:
        """Lock lots."""
        self._lots[offer_id] = self.of(offer_id) + lots

    def end(self, offer_id: str, lots: int) -> None:
        """End the lock of lots, traded or not.

        Raises
        ------
        CommitError
            If fewer are locked, or if lots are not positive.
        """
        rest = self.of(offer_id) - lots
        if lots <= 0 or rest < 0:
            raise CommitError(f"{lots} lots of {offer_id!r} are not locked")
        if rest:
            self._lots[offer_id] = rest
        else:
            del self._lots[offer_id]
