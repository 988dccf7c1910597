"""What deals have been promised: lots of offers and capacity of bridges, from the moment of prepare.

A deal pledges everything it needs at once, so no later snapshot offers it again. Two rules end a
pledge:

- Lots: once the leg has answered on its chain. From then on the venue itself holds the lock, or the
  lots were not to be had. Outside flow does not know of pledges: it may take pledged lots first.
- Bridge capacity is what a bridge can pay out on the far side before it has brought the means over.
  A deal that ends without a trade gives it back at once; one that settles, `latency_us` later.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from chains.errors import CommitError
from chains.snapshot import BridgeTerms
from chains.units import USDC
from chains.venues.venue import venue_of


@dataclass(slots=True)
class _Use:
    cash: int = 0
    lots: int = 0


class BridgePledges:
    """How much of each bridge's capacity deals have in use."""

    def __init__(self, bridges: Iterable[BridgeTerms]) -> None:
        self._bridges = {bridge.id: bridge for bridge in bridges}
        self._uses = {bridge: _Use() for bridge in self._bridges}

    def bridge(self, name: str) -> BridgeTerms:
        """A bridge with its whole capacity.

        Raises
        ------
        CommitError
            If there is none of that name.
        """
        if name not in self._bridges:
            raise CommitError(f"there is no bridge {name!r}")
        return self._bridges[name]

    def terms(self) -> tuple[BridgeTerms, ...]:
        """Every bridge with the capacity that is free."""
        return tuple(
            msgspec.structs.replace(
                bridge,
                capacity_cash=bridge.capacity_cash - self._uses[name].cash,
                capacity_lots=bridge.capacity_lots - self._uses[name].lots,
            )
            for name, bridge in self._bridges.items()
        )

    def check(self, loads: Iterable[tuple[str, str, int]]) -> None:
        """Refuse (bridge, asset, amount) that could not be pledged.

        Raises
        ------
        CommitError
            If a bridge does not exist or has less free: capacity is never pledged twice.
        """
        for name, load in _totals(loads).items():
            bridge, use = self.bridge(name), self._uses[name]
            if use.cash + load.cash > bridge.capacity_cash or use.lots + load.lots > bridge.capacity_lots:
                raise CommitError(
                    f"bridge {name!r} has {bridge.capacity_cash - use.cash} micro-USDC and "
                    f"{bridge.capacity_lots - use.lots} lots free, not {load.cash} and {load.lots}"
                )

    def pledge(self, loads: Iterable[tuple[str, str, int]]) -> None:
        """Take capacity that was checked."""
        for name, load in _totals(loads).items():
            self._uses[name].cash += load.cash
            self._uses[name].lots += load.lots

    def give_back(self, loads: Iterable[tuple[str, str, int]]) -> None:
        """Free capacity that was pledged."""
        for name, load in _totals(loads).items():
            self._uses[name].cash -= load.cash
            self._uses[name].lots -= load.lots

    def violations(self) -> list[str]:
        """Bridges with more in use than they have, or with less than nothing."""
        return [
            f"bridge {name}: {use} of {bridge.capacity_cash} micro-USDC and {bridge.capacity_lots} lots"
            for name, bridge in self._bridges.items()
            for use in (self._uses[name],)
            if not (0 <= use.cash <= bridge.capacity_cash and 0 <= use.lots <= bridge.capacity_lots)
        ]


class LotPledges:
    """Lots of offers that deals are on their way to lock."""

    def __init__(self) -> None:
        self._by_leg: dict[tuple[str, str], tuple[tuple[str, int], ...]] = {}
        self._by_offer: dict[str, int] = {}

    def pledged(self, offer_id: str) -> int:
        """Lots of an offer that are pledged."""
        return self._by_offer.get(offer_id, 0)

    def by_venue(self) -> dict[str, dict[str, int]]:
        """Everything that is pledged, as lots by offer for each venue that has any."""
        found: dict[str, dict[str, int]] = {}
        for offer_id, lots in self._by_offer.items():
            found.setdefault(venue_of(offer_id), {})[offer_id] = lots
        return found

    def pledge(self, deal: str, chain: str, lots: tuple[tuple[str, int], ...]) -> None:
        """Pledge (offer, lots) for a deal's leg on a chain."""
        self._by_leg[deal, chain] = lots
        for offer_id, amount in lots:
            self._by_offer[offer_id] = self.pledged(offer_id) + amount

    def end(self, deal: str, chain: str) -> None:
        """End a leg's pledges; nothing happens if they have ended before."""
        for offer_id, amount in self._by_leg.pop((deal, chain), ()):
            rest = self._by_offer[offer_id] - amount
            if rest:
                self._by_offer[offer_id] = rest
            else:
                del self._by_offer[offer_id]


def _totals(loads: Iterable[tuple[str, str, int]]) -> dict[str, _Use]:
    totals: dict[str, _Use] = {}
    for name, asset, amount in loads:
        use = totals.setdefault(name, _Use())
        if asset == USDC:
            use.cash += amount
        else:
            use.lots += amount
    return totals
