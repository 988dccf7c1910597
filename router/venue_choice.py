"""Choosing the venues, and so the plan, of one group of peers.

Sets: venues V with their chains and offers. Variables: the venues allowed, units per demand, lots per
offer, lots and cash per bridge. Constraints: the rules of a feasible bid - legs delivered exactly,
capacities, the cash need of every other chain <= 0, the need at home covered by what the filled peers
may pay together, deadlines. Objective: the sum of limit times units minus the need at home.

For given venues, filling in the order of cost per lot is best up to what is paid once
(`router.filling`). Those fixed costs are what makes the choice of venues hard, and it is searched
locally: from all venues, home alone, and each other chain with and without home, chains and venues are
dropped and chains added as long as that improves. Every candidate is measured exactly by `router.needs`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from chains.units import floor_div
from router.filling import Appetite, Stop, fill_peers
from router.measuring import Misfit, Quote, measure_stop
from router.peers import PeerGroup
from router.residual import Residual
from router.sourcing import Source, Sourcing, scale_of

Venues = frozenset[str]
Ladders = Sequence[Sequence[Source]]

Found = tuple[Quote | None, Quote | None]
"""What leads the search, whatever is allowed, and the best that is allowed."""


def quote_group(
    sourcing: Sourcing, residual: Residual, group: PeerGroup, *, one_venue: bool = False
) -> Quote | None:
    """The best plan found for a group on what is left; None where nothing is worth filling.

    With `one_venue` all its trades are on the best single venue.
    """
    if not _is_promising(sourcing, residual, group):
        return None
    choice = _Choice(sourcing, residual, group)
    return choice.best_single() if one_venue else choice.best()


def _is_promising(sourcing: Sourcing, residual: Residual, group: PeerGroup) -> bool:
    """Whether the best prices of the world, without any cost, are within the highest open limit."""
    prices = [(sourcing.best_price(series, buys=ratio > 0), ratio) for series, ratio in group.package]
    cost = 0
    for price, ratio in prices:
        if price is None:
            return False
        cost += price * ratio
    return any(demand.limit > cost * factor for demand, factor in group.members if residual.is_open(demand))


class _Choice:
    """The search over venues for one group; every set of venues is measured once."""

    def __init__(self, sourcing: Sourcing, residual: Residual, group: PeerGroup) -> None:
        self._sourcing = sourcing
        self._residual = residual
        self._group = group
        self._ends_us = max(demand.valid_until_us for demand, _ in group.members)
        self._expires_us = min(sourcing.problem.series_expiry_us[series] for series, _ in group.package)
        self._scale = scale_of(lots=group.units * group.lots_per_unit, cash=_cash_about(sourcing, group))
        self._ladders = [self._usable(series, ratio) for series, ratio in group.package]
        self._reach: defaultdict[str, set[str]] = defaultdict(set)
        self._venues_at: defaultdict[str, set[str]] = defaultdict(set)
        for ladder in self._ladders:
            for source in ladder:
                self._reach[source.venue].update(source.way.chains)
                self._venues_at[source.chain].add(source.venue)
        self._found: dict[Venues, Found] = {}

    def best(self) -> Quote | None:
        """The best quote over all venues."""
        home = frozenset(self._venues_at[self._group.chain])
        best = self._best_of(frozenset(self._reach), [home])
        if self._chains_used(best) != {self._group.chain}:
            best = self._best_of(best, self._starts(home))
        while True:
            better = self._best_of(best, self._neighbours(best))
            if better == best:
                return self._best_allowed()
            best = better

    def best_single(self) -> Quote | None:
        """The best quote over the venues that list every leg."""
        listed = [{source.venue for source in ladder} for ladder in self._ladders]
        for venue in sorted(set.intersection(*listed)):
            self._guide(frozenset([venue]))
        return self._best_allowed()

    def _best_allowed(self) -> Quote | None:
        """The best allowed quote, after looking longer for ways of the cash of the two best leads.

        What leads the search may be above the reference only until its cash takes better ways.
        """
        covered = [quote for pair in self._found.values() for quote in pair if quote and quote.is_covered]
        allowed = [quote for quote in covered if quote.is_allowed]
        leads = {id(lead): lead for lead in (_best(covered), _best(allowed)) if lead}
        refined = [self._measure(lead.stop, thorough=True) for lead in leads.values() if lead.plan.transfers]
        return _best(
            quote for quote in (*leads.values(), *refined) if isinstance(quote, Quote) and quote.is_allowed
        )

    def _measure(self, stop: Stop, *, thorough: bool = False) -> Quote | Misfit:
        return measure_stop(
            self._sourcing,
            self._residual,
            self._group,
            stop,
            cash_about=self._scale.cash,
            thorough=thorough,
        )

    def _best_of(self, best: Venues, others: Iterable[Venues]) -> Venues:
        for venues in others:
            if self._rank(venues) > self._rank(best):
                best = venues
        return best

    def _starts(self, home: Venues) -> Iterator[Venues]:
        """Each chain with and without home."""
        for chain in sorted(self._venues_at):
            yield home | self._venues_at[chain]
            yield frozenset(self._venues_at[chain])

    def _neighbours(self, venues: Venues) -> Iterator[Venues]:
        """The same venues without one chain or venue that is used, or with one more chain."""
        for chain in sorted(self._chains_used(venues)):
            yield venues - self._venues_at[chain]
        for venue in sorted(self._venues_used(venues)):
            yield venues - {venue}
        for chain in sorted(self._venues_at):
            yield venues | self._venues_at[chain]

    def _venues_used(self, venues: Venues) -> set[str]:
        guide = self._guide(venues)
        offers = self._sourcing.problem.offers
        return {offers[offer].venue for offer, _ in guide.plan.trades} if guide else set()

    def _chains_used(self, venues: Venues) -> set[str]:
        return {self._sourcing.problem.venues[venue].chain for venue in self._venues_used(venues)}

    def _rank(self, venues: Venues) -> tuple[bool, int]:
        guide = self._guide(venues)
        return guide is not None, guide.surplus if guide else 0

    def _guide(self, venues: Venues) -> Quote | None:
        if venues not in self._found:
            self._found[venues] = self._find(venues)
        return self._found[venues][0]

    def _find(self, venues: Venues) -> Found:
        """What filling on these venues gives; nothing where that would be too late."""
        touched = {self._group.chain}.union(*(self._reach[venue] for venue in venues))
        deadlines = self._sourcing.deadlines(touched)
        if deadlines.release_by_us >= self._expires_us:
            return None, None
        ladders = [
            [
                source
                for source in ladder
                if source.venue in venues and source.decided_by_us >= deadlines.decide_by_us
            ]
            for ladder in self._ladders
        ]
        if not all(ladders):
            return None, None
        return self._fill(ladders, deadlines.decide_by_us)

    def _fill(self, ladders: Ladders, decide_by_us: int) -> Found:
        """As many units as add surplus; where bridges or the reference are in the way, as many as fit.

        With fewer units less cash must travel; and down to the units that the reference's price still
        covers, the need falls faster than the ceilings. So the most that fits is found by halving.
        """
        units, reference = self._group.units, self._group.reference
        guide, best, is_blocked = self._attempt(ladders, decide_by_us, Appetite(units_max=units))
        if not is_blocked:
            return guide, best
        least = 0
        if guide and guide.is_covered and not guide.is_allowed:
            thrifty = Appetite(units_max=units, reference=reference)
            _, covered, _ = self._attempt(ladders, decide_by_us, thrifty)
            if covered is None:
                return guide, best
            best = _best(quote for quote in (best, covered) if quote)
            least = floor_div(covered.lots, self._group.lots_per_unit)
        while units - least > 1:
            middle = floor_div(least + units, 2)
            _, part, is_blocked = self._attempt(ladders, decide_by_us, Appetite(units_max=middle))
            least, units = (least, middle) if is_blocked else (middle, units)
            best = _best(quote for quote in (best, part) if quote)
        return guide or best, best

    def _attempt(
        self, ladders: Ladders, decide_by_us: int, appetite: Appetite
    ) -> tuple[Quote | None, Quote | None, bool]:
        """The last quote, the last that is allowed, and whether fewer units might do better."""
        stops = fill_peers(
            self._group, ladders, residual=self._residual, open_until_us=decide_by_us, appetite=appetite
        )
        guide, is_blocked = None, False
        for stop in reversed(stops):
            answer = self._measure(stop)
            if isinstance(answer, Misfit):
                is_blocked |= answer is Misfit.UNFUNDED
                continue
            guide = guide or answer
            is_blocked |= answer.is_clipped or (answer.is_covered and not answer.is_allowed)
            if answer.is_allowed:
                return guide, answer, is_blocked
        return guide, None, is_blocked

    def _usable(self, series: str, ratio: int) -> list[Source]:
        """What is left of a leg's ladder for a deal that can still be in time.

        Spare routes are left out where the cheapest one has room for everything.
        """
        ladder = self._sourcing.ladder(self._group.chain, series, buys=ratio > 0, scale=self._scale)
        return [
            source
            for source in ladder
            if self._residual.offers[source.offer]
            and self._is_in_time(source)
            and (not source.way.relieves or self._is_full(source.way.relieves))
        ]

    def _is_in_time(self, source: Source) -> bool:
        """Whether a deal with this source alone could be decided and released in time."""
        deadlines = self._sourcing.deadlines(source.way.chains)
        return (
            deadlines.decide_by_us <= source.decided_by_us
            and deadlines.decide_by_us < self._ends_us
            and deadlines.release_by_us < self._expires_us
        )

    def _is_full(self, bridges: Sequence[str]) -> bool:
        """Whether a route is too small for everything that the group asks for."""
        lots = self._group.units * self._group.lots_per_unit
        return any(self._residual.lots[bridge] < lots for bridge in bridges)


def _best(quotes: Iterable[Quote]) -> Quote | None:
    return max(quotes, key=lambda quote: quote.surplus, default=None)


def _cash_about(sourcing: Sourcing, group: PeerGroup) -> int:
    """Micro-USDC that would change hands at the best prices: what cash routes are chosen for."""
    prices = [(sourcing.best_price(series, buys=ratio > 0) or 0, ratio) for series, ratio in group.package]
    return group.units * sum(price * abs(ratio) for price, ratio in prices)
