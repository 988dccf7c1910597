"""What owners' intents hold of what they have: one sum per owner and *place*, a (chain, asset).

Intents that can all be filled hold the sum of what each can require. Of a one-cancels-other group at most
one is ever filled, so its members share a *pot*, which holds the greatest that any of them holds, place
by place. An intent without a group has a pot to itself. What an owner's intents hold in one place is
the sum over the owner's pots.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Place = tuple[str, str]
"""(chain, asset)."""

Pot = tuple[str, str]
"""(owner, name): one for each group, and one for each intent without a group."""


@dataclass(slots=True)
class _Shares:
    """What each member of a pot holds, and the greatest of it in every place."""

    members: dict[str, Mapping[Place, int]] = field(default_factory=dict)
    most: dict[Place, int] = field(default_factory=dict)

    def most_now(self, place: Place, *, was: int, now: int) -> int:
        """The greatest in a place after one member went from `was` to `now`."""
        most = self.most.get(place, 0)
        if now >= most:
            return now
        if was < most:
            return most
        # Whoever held the most now holds less: only then do all have to be asked.
        return max((held.get(place, 0) for held in self.members.values()), default=0)


class Reservations:
    """Every pot that holds anything, and the sums over them."""

    def __init__(self) -> None:
        self._pots: dict[Pot, _Shares] = {}
        self._totals: dict[str, dict[Place, int]] = {}

    def hold(self, pot: Pot, id_: str, amounts: Mapping[Place, int]) -> None:
        """Let a member of a pot hold just these positive amounts from now on; nothing ends its share."""
        shares = self._pots.get(pot)
        if shares is None:
            self._open(pot, id_, amounts)
            return
        if not amounts and shares.members.keys() == {id_}:
            self._close(pot)
            return
        before = shares.members.pop(id_, {})
        if amounts:
            shares.members[id_] = amounts
        for place in dict.fromkeys((*before, *amounts)):
            most = shares.most.get(place, 0)
            shares.most[place] = shares.most_now(place, was=before.get(place, 0), now=amounts.get(place, 0))
            self._add(pot[0], place, shares.most[place] - most)
            if not shares.most[place]:
                del shares.most[place]
        if not shares.members:
            del self._pots[pot]

    def held(self, owner: str, place: Place) -> int:
        """What all intents of an owner hold in one place."""
        totals = self._totals.get(owner)
        return totals.get(place, 0) if totals else 0

    def shared(self, pot: Pot, place: Place) -> int:
        """What a pot holds in one place: any of its members may hold as much without taking more."""
        shares = self._pots.get(pot)
        return shares.most.get(place, 0) if shares else 0

    def of_owner(self, owner: str) -> dict[Place, int]:
        """Everything that an owner's intents hold, sorted by place, without zeros."""
        return dict(sorted(self._totals.get(owner, {}).items()))

    def _open(self, pot: Pot, id_: str, amounts: Mapping[Place, int]) -> None:
        """The first member of a pot holds something."""
        if amounts:
            self._pots[pot] = _Shares(members={id_: amounts}, most=dict(amounts))
            for place, amount in amounts.items():
                self._add(pot[0], place, amount)

    def _close(self, pot: Pot) -> None:
        """The last member of a pot goes, and with it everything that the pot holds."""
        for place, amount in self._pots.pop(pot).most.items():
            self._add(pot[0], place, -amount)

    def _add(self, owner: str, place: Place, amount: int) -> None:
        totals = self._totals.setdefault(owner, {})
        total = totals.get(place, 0) + amount
        if total:
            totals[place] = total
        else:
            totals.pop(place, None)
            if not totals:
                del self._totals[owner]
