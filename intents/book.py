"""The book: every intent with its units, every reservation, and who has used which nonce.

Admission is the one consistency point. An intent is admitted only if what it can require at worst
(`intents.collateral`) is free on its chain:

    free = funds of `owner:` - everything reserved by the owner's intents there, never negative

What is reserved for an intent is `requirement.reserved(covered + settling)`: it shrinks with every fill,
at cancel and at expiry, and for units in settlement it lives until their deal has settled or closed,
whatever `validUntil`. The members of a one-cancels-other group share what they reserve
(`intents.reservations`). While a deal is under way the ledger holds the same funds back as pending
transfers; they are counted here, and only here. So `funds` must give the balance with pending transfers
not subtracted, and a deal is reported to `settle` or `abort` only when every one of its legs has posted
or voided: until then, what one of its legs has taken from an owner counts as still there.

*Covered* are the open units that may be filled now. Of most intents that is every one. A reduce-only
intent takes nothing but lots that are held: a unit of it is covered when everything that it ties up is
free, lots and, where its limit is positive, cash. One unit must be at admission; more are when the owner
has bought more, at the next cut, the oldest intents first. It never needs collateral.

A round offers what is covered. Withheld from it are intents whose group has another member in settlement,
and reduce-only ones of which fewer units are covered than the least that their owner accepts: `minUnits`,
or all that is left where that is less.

At the instant a series expires its lots leave the ledger. An intent that would have closed some and is in
a round just then holds them in name only until the round ends: it can never be settled, so nobody is
short of them.

The book never reads a clock and never rolls back: a refusal changes nothing. `BookIntent` is a frozen
value; every change puts a new one in its place.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from operator import attrgetter
from typing import Final

from msgspec.structs import replace

from intents.admission import LIMITS, ends_us
from intents.entries import BookIntent, Fill
from intents.errors import BookError
from intents.groups import Groups, pot_of
from intents.lifecycle import ENDED, Input, State, next_state
from intents.means import Funds, Means
from intents.refusals import Code, Refused, refuse
from intents.reservations import Place, Pot, Reservations
from intents.typed_data import NO_GROUP, OptionIntent
from solvers.outcome import Numbers
from solvers.reasons import OrderReason

__all__ = ["Book", "BookIntent", "Fill", "Funds"]

_ADMITTED: Final = attrgetter("admitted")


class Book:
    """Every intent that was ever admitted, by id; `open_max` is the most an owner may have active."""

    def __init__(self, *, open_max: int = LIMITS.open_max) -> None:
        self._open_max = open_max
        self._entries: dict[str, BookIntent] = {}
        self._ids: list[str] = []
        self._of_owner: defaultdict[str, list[str]] = defaultdict(list)
        self._active: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._waiting: set[str] = set()
        self._uncovered: set[str] = set()
        self._ends: list[tuple[int, int, str]] = []
        self._nonces: dict[tuple[str, int], str] = {}
        self._floors: dict[str, int] = {}
        self._reservations = Reservations()
        self._groups = Groups()
        self._round: dict[str, None] | None = None
        self._deals: dict[str, dict[str, Fill]] = {}

    def admit(self, id_: str, intent: OptionIntent, *, now_us: int, funds: Funds) -> Refused | BookIntent:
        """Admit an intent that passed `intents.admission`, and reserve what it can require at worst.

        The same id again returns the entry as it stands, whatever became of it: ask `get` first, so
        that a repeated post is answered before the checks that depend on the time.
        """
        entry = self._entries.get(id_)
        if entry is not None:
            return entry
        pot = pot_of(id_, intent)
        refused = self._check_nonce(intent) or self._check_count(intent) or self._check_group(intent, pot)
        if refused is not None:
            return refused
        means = Means(intent=intent, pot=pot, reservations=self._reservations, funds=funds)
        requirement = means.requirement()
        covered = means.cover(requirement)
        if isinstance(covered, Refused):
            return covered
        entry = BookIntent(
            id=id_,
            intent=intent,
            admitted=len(self._entries),
            admitted_us=now_us,
            ends_us=ends_us(intent),
            requirement=requirement,
            open=intent.units,
            uncovered=intent.units - covered,
        )
        self._nonces[intent.owner, intent.nonce] = id_
        self._ids.append(id_)
        self._of_owner[intent.owner].append(id_)
        heappush(self._ends, (entry.ends_us, entry.admitted, id_))
        self._put(entry)
        return entry

    def means_of(self, intent: OptionIntent, funds: Funds) -> Means:
        """What its owner has for an intent that is not in the market, as admission would see it."""
        return Means(intent=intent, pot=pot_of("", intent), reservations=self._reservations, funds=funds)

    def cancel(self, owner: str, ids: Iterable[str], *, now_us: int) -> Refused | tuple[BookIntent, ...]:
        """Cancel what is open of some intents of one owner: all of them, or none if one is refused.

        In a round the cancel is kept back until `end_round`. What has ended already stays as it is.
        """
        named = tuple(ids)
        for place, id_ in enumerate(named):
            entry = self._entries.get(id_)
            if entry is None:
                return refuse(Code.UNKNOWN_INTENT, f"intents[{place}]", id_)
            if entry.intent.owner != owner:
                return refuse(Code.NOT_OWNER, f"intents[{place}]", id_, f"the intent is not one of {owner}")
        return tuple(self._cancel(self._entries[id_], now_us) for id_ in dict.fromkeys(named))

    def cancel_below(self, owner: str, nonce: int, *, now_us: int) -> tuple[BookIntent, ...]:
        """Cancel every active intent of an owner with a lower nonce, and refuse those still to come."""
        self._floors[owner] = max(nonce, self.nonce_floor(owner))
        lower = [id_ for id_ in self._active[owner] if self._entries[id_].intent.nonce < nonce]
        return tuple(self._cancel(self._entries[id_], now_us) for id_ in lower)

    def expire(self, now_us: int) -> tuple[BookIntent, ...]:
        """End every intent whose time has come, or in a round, have it end with the round."""
        ended = []
        while self._ends and self._ends[0][0] <= now_us:
            entry = self._entries[heappop(self._ends)[2]]
            if entry.state not in ENDED and entry.open + entry.settling:
                ended.append(self._step(entry, Input.EXPIRE))
        return tuple(ended)

    def extend_cover(self, funds: Funds) -> tuple[BookIntent, ...]:
        """Cover more units of reduce-only intents where their owners have bought more, oldest first."""
        extended = []
        waiting = (self._entries[id_] for id_ in self._uncovered & self._waiting)
        for entry in sorted(waiting, key=lambda entry: entry.admitted):
            means = Means(intent=entry.intent, pot=entry.pot, reservations=self._reservations, funds=funds)
            backed = means.backed(entry.requirement)
            more = min(entry.uncovered, backed - entry.covered - entry.settling)
            if more > 0:
                extended.append(self._put(replace(entry, uncovered=entry.uncovered - more)))
        return tuple(extended)

    def waiting_orders(self, now_us: int) -> tuple[list[BookIntent], list[BookIntent]]:
        """Intents with open units, in the order of admission: those a round may take now, and the others."""
        entries = self._entries
        waiting = [entry for id_ in self._waiting if (entry := entries[id_]).ends_us > now_us]
        waiting.sort(key=_ADMITTED)
        offered: list[BookIntent] = []
        withheld: list[BookIntent] = []
        for entry in waiting:
            (withheld if self._is_withheld(entry) else offered).append(entry)
        return offered, withheld

    def why_withheld(self, entry: BookIntent) -> tuple[OrderReason, Numbers]:
        """The reason of an intent that may not take part in a round now, and the units behind it."""
        other = self._groups.settling_beside(entry.pot, entry.id)
        if other is not None:
            units = self._entries[other].settling
            return OrderReason.WITHHELD, Numbers(where=other, found=units, allowed=0)
        numbers = Numbers(where=entry.id, found=entry.covered, allowed=entry.least_units)
        return OrderReason.NOT_COVERED, numbers

    def begin_round(self, ids: Iterable[str]) -> None:
        """Freeze the intents that take part in a round, until `end_round`.

        Raises
        ------
        BookError
            If a round is under way, or an intent is none that a round may take.
        """
        if self._round is not None:
            raise BookError("a round is under way")
        chosen = dict.fromkeys(ids)
        for id_ in chosen:
            if id_ not in self._waiting or self._is_withheld(self._entries[id_]):
                raise BookError(f"intent {id_} has no units for a round")
        for id_ in chosen:
            entry = self._entries[id_]
            self._step(entry, Input.CUT_LAST if entry.intent.immediate else Input.CUT)
        self._round = chosen

    def end_round(self) -> tuple[BookIntent, ...]:
        """Let go of the round, after its fills were pledged; returns what took part, as it stands now.

        Cancels and expiries that were kept back take effect, and immediate orders end.

        Raises
        ------
        BookError
            If no round is under way.
        """
        return self._leave_round(Input.DECIDE)

    def void_round(self) -> tuple[BookIntent, ...]:
        """Let go of a round that was never decided: immediate orders wait for the next one.

        Raises
        ------
        BookError
            If no round is under way.
        """
        return self._leave_round(Input.VOID)

    def _leave_round(self, how: Input) -> tuple[BookIntent, ...]:
        if self._round is None:
            raise BookError("no round is under way")
        chosen, self._round = self._round, None
        return tuple(self._step(self._entries[id_], how) for id_ in chosen)

    def pledge(self, deal: str, id_: str, *, units: int, payment: int) -> BookIntent:
        """Move open units of an intent in the round into a deal, for `payment` micro-USDC.

        Raises
        ------
        BookError
            If the intent is not in the round, has fewer units covered, is in the deal already, would pay
            more than it signed for, or if another member of its group is in settlement or was filled.
        """
        entry = self._entries.get(id_)
        if entry is None or id_ not in (self._round or {}):
            raise BookError(f"intent {id_} is not in the round")
        if not 1 <= units <= entry.covered or id_ in self._deals.get(deal, {}):
            raise BookError(f"intent {id_} cannot pledge {units} of {entry.covered} units to deal {deal}")
        if payment > entry.intent.limit * units:
            raise BookError(f"intent {id_} would pay {payment} for {units} units, above its limit")
        if self._is_excluded(entry):
            raise BookError(f"intent {id_} cannot be filled beside another of its group")
        self._deals.setdefault(deal, {})[id_] = Fill(deal=deal, units=units, payment=payment)
        return self._put(replace(entry, open=entry.open - units, settling=entry.settling + units))

    def settle(self, deal: str) -> tuple[BookIntent, ...]:
        """Every leg of a deal has posted: its units are filled, and their reservations released.

        The other members of their groups are cancelled; what took part in the deal is returned.

        Raises
        ------
        BookError
            If nothing was pledged to the deal, or it has ended already.
        """
        settled = []
        for id_, fill in self._take(deal).items():
            entry = self._entries[id_]
            changed = replace(
                entry,
                settling=entry.settling - fill.units,
                filled=entry.filled + fill.units,
                fills=(*entry.fills, fill),
            )
            settled.append(self._put(changed))
            self._cancel_others(changed)
        return tuple(settled)

    def abort(self, deal: str) -> tuple[BookIntent, ...]:
        """Every leg of a deal is void: its units are open again, or gone where the intent has ended.

        Raises
        ------
        BookError
            If nothing was pledged to the deal, or it has ended already.
        """
        returned = []
        for id_, fill in self._take(deal).items():
            entry = self._entries[id_]
            reopened = 0 if entry.state in ENDED else fill.units
            changed = replace(entry, settling=entry.settling - fill.units, open=entry.open + reopened)
            returned.append(self._put(changed))
        return tuple(returned)

    def reserved(self, owner: str, chain: str, asset: str) -> int:
        """What an owner's intents hold of one asset on one chain, open and in settlement."""
        return self._reservations.held(owner, (chain, asset))

    def reservations(self, owner: str) -> dict[Place, int]:
        """Everything an owner's intents hold, by (chain, asset), sorted, without zeros."""
        return self._reservations.of_owner(owner)

    def deals(self) -> tuple[str, ...]:
        """The deals under way: units are pledged to them, and they have neither settled nor closed."""
        return tuple(self._deals)

    def nonce_floor(self, owner: str) -> int:
        """The lowest nonce an owner may still use."""
        return self._floors.get(owner, 0)

    def get(self, id_: str) -> BookIntent | None:
        """One intent as it stands."""
        return self._entries.get(id_)

    def active_of(self, owner: str) -> tuple[BookIntent, ...]:
        """The intents of an owner that have units open or in settlement, in the order of admission."""
        active = (self._entries[id_] for id_ in self._active.get(owner, ()))
        return tuple(sorted(active, key=_ADMITTED))

    def intents(self, *, owner: str | None = None, after: int = -1) -> Iterator[BookIntent]:
        """Every intent, or every one of an owner, admitted after a place, in the order of admission."""
        ids = self._ids if owner is None else self._of_owner.get(owner, [])
        start = bisect_right(ids, after, key=lambda id_: self._entries[id_].admitted)
        return (self._entries[ids[place]] for place in range(start, len(ids)))

    def _is_withheld(self, entry: BookIntent) -> bool:
        if entry.uncovered and entry.covered < entry.least_units:
            return True
        return entry.intent.group != NO_GROUP and self._is_excluded(entry)

    def _is_excluded(self, entry: BookIntent) -> bool:
        if entry.intent.group == NO_GROUP:
            return False
        return self._groups.excludes(entry.pot, entry.id)

    def _check_nonce(self, intent: OptionIntent) -> Refused | None:
        floor = self._floors.get(intent.owner, 0)
        if intent.nonce < floor:
            message = f"the owner has revoked every nonce below {floor}"
            return refuse(Code.NONCE_REVOKED, "nonce", intent.nonce, message)
        other = self._nonces.get((intent.owner, intent.nonce))
        if other is not None:
            return refuse(Code.NONCE_REUSED, "nonce", intent.nonce, f"the nonce is that of intent {other}")
        return None

    def _check_count(self, intent: OptionIntent) -> Refused | None:
        count = len(self._active.get(intent.owner, ()))
        if count < self._open_max:
            return None
        message = f"the owner has {count} intents open or in settlement, and may have {self._open_max}"
        return refuse(Code.TOO_MANY_OPEN, "owner", intent.owner, message)

    def _check_group(self, intent: OptionIntent, pot: Pot) -> Refused | None:
        filled = self._groups.filled_by(pot)
        if filled is None:
            return None
        return refuse(Code.GROUP_FILLED, "group", intent.group, f"intent {filled} of the group was filled")

    def _cancel_others(self, filled: BookIntent) -> None:
        """The first fill of a group ends every other member."""
        if filled.intent.group == NO_GROUP:
            return
        self._groups.note_fill(filled.pot, filled.id)
        for id_ in self._groups.others(filled.pot, filled.id):
            self._step(replace(self._entries[id_], cancelled_by=filled.id), Input.CANCEL)

    def _cancel(self, entry: BookIntent, now_us: int) -> BookIntent:
        is_first = entry.cancelled_us is None and entry.state not in ENDED and entry.open + entry.settling
        return self._step(replace(entry, cancelled_us=now_us) if is_first else entry, Input.CANCEL)

    def _step(self, entry: BookIntent, event: Input) -> BookIntent:
        state = next_state(entry.state, event)
        if state in ENDED:
            return self._put(replace(entry, state=state, open=0, uncovered=0))
        return self._put(replace(entry, state=state))

    def _take(self, deal: str) -> dict[str, Fill]:
        pledged = self._deals.pop(deal, None)
        if pledged is None:
            raise BookError(f"deal {deal} holds no pledged units")
        return pledged

    def _put(self, entry: BookIntent) -> BookIntent:
        id_, intent = entry.id, entry.intent
        before = self._entries.get(id_)
        self._entries[id_] = entry
        is_active = bool(entry.open + entry.settling)
        held = entry.covered + entry.settling
        if before is None or held != before.covered + before.settling:
            reserved = entry.requirement.reserved(held)
            amounts = {(intent.chain, asset): amount for asset, amount in reserved.items()}
            self._reservations.hold(entry.pot, id_, amounts)
        if intent.group != NO_GROUP:
            self._groups.note(entry.pot, id_, active=is_active, settling=bool(entry.settling))
        if is_active:
            self._active[intent.owner][id_] = None
        else:
            self._active[intent.owner].pop(id_, None)
        (self._waiting.add if entry.open and entry.state is State.WAITING else self._waiting.discard)(id_)
        (self._uncovered.add if entry.uncovered else self._uncovered.discard)(id_)
        return entry
