"""One-cancels-other groups: of all intents of an owner with the same group, at most one is ever filled.

A group is the pair (owner, group). While a member is in settlement the others are withheld from rounds:
they return if its deal is aborted, and end at its first settled fill. Once a member has been filled,
nothing may join the group any more. The member itself may go on to be filled in parts.
"""

from collections import defaultdict

from intents.reservations import Pot
from intents.typed_data import NO_GROUP, OptionIntent


def pot_of(id_: str, intent: OptionIntent) -> Pot:
    """The pot of an intent: its group's, or its own. No choice of a group can name another's own pot."""
    name = f"intent {id_}" if intent.group == NO_GROUP else f"group {intent.group}"
    return intent.owner, name


class Groups:
    """Who is in the market of each group, who of them is in settlement, and who was filled first.

    Intents without a group are not told of here.
    """

    def __init__(self) -> None:
        self._members: defaultdict[Pot, dict[str, None]] = defaultdict(dict)
        self._settling: defaultdict[Pot, dict[str, None]] = defaultdict(dict)
        self._filled: dict[Pot, str] = {}

    def note(self, pot: Pot, id_: str, *, active: bool, settling: bool) -> None:
        """Note where a member stands: whether it has units in the market, and any in settlement."""
        for places, is_there in ((self._members, active), (self._settling, settling)):
            if is_there:
                places[pot][id_] = None
            elif pot in places:
                places[pot].pop(id_, None)
                if not places[pot]:
                    del places[pot]

    def note_fill(self, pot: Pot, id_: str) -> None:
        """Note that a member was filled; the first one stays the group's for ever."""
        self._filled.setdefault(pot, id_)

    def settling_beside(self, pot: Pot, id_: str) -> str | None:
        """Another member in settlement, the first that came there, if one is."""
        return next((other for other in self._settling.get(pot, {}) if other != id_), None)

    def filled_by(self, pot: Pot) -> str | None:
        """The member that was filled, if one was."""
        return self._filled.get(pot)

    def excludes(self, pot: Pot, id_: str) -> bool:
        """Whether a member may not be filled: another is in settlement, or was filled."""
        settling = self._settling.get(pot, {})
        return bool(settling.keys() - {id_}) or self._filled.get(pot, id_) != id_

    def others(self, pot: Pot, id_: str) -> tuple[str, ...]:
        """The other members with units in the market, in the order in which they joined."""
        return tuple(other for other in self._members.get(pot, ()) if other != id_)
