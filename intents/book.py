"""The book: every intent with its units, every reservation, and who has used which nonce.

Admission is the one consistency point. An intent is admitted only if what it can require at worst
(`intents.collateral`) is free on its chain:

    free = posted balance of `owner:` - everything reserved by the owner's other intents there

What is reserved for an intent is `requirement.reserved(open + settling)`: it shrinks with every fill,
at cancel and at expiry, and for units in settlement it lives until their deal has settled or closed,
whatever `validUntil`. While a deal is under way the ledger holds the same funds back as pending
transfers; they are counted here, and only here. So `funds` must give the *posted* balance, with
pending transfers not subtracted, and a deal is reported to `settle` or `abort` only when every one
of its legs has posted or voided. In the moment between its own leg and the deal's last one, an owner's
free funds are understated, never overstated.

The book never reads a clock and never rolls back: a refusal changes nothing. `BookIntent` is a frozen
value; every change puts a new one in its place.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from chains.package import Legs
from chains.units import WIRE_MAX
from intents.admission import LIMITS, ends_us, legs_of
from intents.collateral import Requirement, requirement_of
from intents.errors import BookError
from intents.lifecycle import ENDED, Input, State, Status, next_state, status_of
from intents.refusals import Code, Refused, refuse
from intents.typed_data import OptionIntent

Funds = Callable[[str, str, str], int]
"""(owner, chain, asset) -> posted balance of the owner's free account there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Units that one deal settled, and what the owner paid for them in micro-USDC (negative: received)."""

    deal: str
    units: int
    payment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BookIntent:
    """One intent and where its units are; `admitted` counts intents in the order of admission.

    `ends_us` is when it ends by itself, `cancelled_us` when its owner asked to cancel it. Units that are
    neither open, settling nor filled are gone.
    """

    id: str
    intent: OptionIntent
    admitted: int
    admitted_us: int
    ends_us: int
    requirement: Requirement
    open: int
    settling: int = 0
    filled: int = 0
    state: State = State.WAITING
    cancelled_us: int | None = None
    fills: tuple[Fill, ...] = ()

    @property
    def owner(self) -> str:
        """The owner's address."""
        return self.intent.owner

    @property
    def legs(self) -> Legs:
        """(series, lots per unit), as signed."""
        return legs_of(self.intent)

    @property
    def status(self) -> Status:
        """What users see."""
        return status_of(self.state, units=self.intent.units, settling=self.settling, filled=self.filled)

    @property
    def payment(self) -> int:
        """Micro-USDC paid over all fills; negative where the owner received."""
        return sum(fill.payment for fill in self.fills)


class Book:
    """Every intent that was ever admitted, by id; `open_max` is the most an owner may have active."""

    def __init__(self, *, open_max: int = LIMITS.open_max) -> None:
        self._open_max = open_max
        self._entries: dict[str, BookIntent] = {}
        self._of_owner: defaultdict[str, list[str]] = defaultdict(list)
        self._active: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._waiting: set[str] = set()
        self._ends: list[tuple[int, int, str]] = []
        self._nonces: dict[tuple[str, int], str] = {}
        self._floors: dict[str, int] = {}
        self._reserved: defaultdict[str, dict[tuple[str, str], int]] = defaultdict(dict)
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
        requirement = self._require(intent, funds)
        refused = (
            self._check_nonce(intent)
            or self._check_count(intent)
            or self._check_funds(intent, requirement, funds)
        )
        if refused is not None:
            return refused
        entry = BookIntent(
            id=id_,
            intent=intent,
            admitted=len(self._entries),
            admitted_us=now_us,
            ends_us=ends_us(intent),
            requirement=requirement,
            open=intent.units,
        )
        self._nonces[intent.owner, intent.nonce] = id_
        self._of_owner[intent.owner].append(id_)
        heappush(self._ends, (entry.ends_us, entry.admitted, id_))
        self._put(entry)
        return entry

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

    def open_orders(self, now_us: int) -> Iterator[BookIntent]:
        """Intents that may take part in a round now, with open units, in the order of admission."""
        for entry in sorted((self._entries[id_] for id_ in self._waiting), key=lambda entry: entry.admitted):
            if entry.ends_us > now_us:
                yield entry

    def begin_round(self, ids: Iterable[str]) -> None:
        """Freeze the intents that take part in a round, until `end_round`.

        Raises
        ------
        BookError
            If a round is under way, or an intent is not among `open_orders`.
        """
        if self._round is not None:
            raise BookError("a round is under way")
        chosen = dict.fromkeys(ids)
        for id_ in chosen:
            if id_ not in self._waiting:
                raise BookError(f"intent {id_} has no open units for a round")
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
            If the intent is not in the round, has fewer units open, is in the deal already, or
            would pay more than it signed for.
        """
        entry = self._entries.get(id_)
        if entry is None or id_ not in (self._round or {}):
            raise BookError(f"intent {id_} is not in the round")
        if not 1 <= units <= entry.open or id_ in self._deals.get(deal, {}):
            raise BookError(f"intent {id_} cannot pledge {units} of {entry.open} open units to deal {deal}")
        if payment > entry.intent.limit * units:
            raise BookError(f"intent {id_} would pay {payment} for {units} units, above its limit")
        self._deals.setdefault(deal, {})[id_] = Fill(deal=deal, units=units, payment=payment)
        return self._put(replace(entry, open=entry.open - units, settling=entry.settling + units))

    def settle(self, deal: str) -> tuple[BookIntent, ...]:
        """Every leg of a deal has posted: its units are filled, and their reservations released.

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
        return self._reserved[owner].get((chain, asset), 0) if owner in self._reserved else 0

    def reservations(self, owner: str) -> dict[tuple[str, str], int]:
        """Everything an owner's intents hold, by (chain, asset), sorted, without zeros."""
        return dict(sorted(self._reserved[owner].items())) if owner in self._reserved else {}

    def nonce_floor(self, owner: str) -> int:
        """The lowest nonce an owner may still use."""
        return self._floors.get(owner, 0)

    def get(self, id_: str) -> BookIntent | None:
        """One intent as it stands."""
        return self._entries.get(id_)

    def of_owner(self, owner: str) -> tuple[BookIntent, ...]:
        """Every intent of an owner, in the order of admission."""
        return tuple(self._entries[id_] for id_ in self._of_owner.get(owner, ()))

    def intents(self) -> Iterator[BookIntent]:
        """Every intent, in the order of admission."""
        return iter(self._entries.values())

    def _require(self, intent: OptionIntent, funds: Funds) -> Requirement:
        closing = [
            leg.series
            for leg in intent.legs
            if leg.ratio < 0 and self._free(intent, leg.series, funds) >= -leg.ratio * intent.units
        ]
        return requirement_of(legs_of(intent), limit=intent.limit, closing=closing)

    def _free(self, intent: OptionIntent, asset: str, funds: Funds) -> int:
        posted = funds(intent.owner, intent.chain, asset)
        return posted - self.reserved(intent.owner, intent.chain, asset)

    def _check_nonce(self, intent: OptionIntent) -> Refused | None:
        floor = self.nonce_floor(intent.owner)
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

    def _check_funds(self, intent: OptionIntent, requirement: Requirement, funds: Funds) -> Refused | None:
        for asset, needed in requirement.reserved(intent.units).items():
            if needed > WIRE_MAX:
                message = f"the intent would tie up {needed} of {asset}, more than the market can count"
                return refuse(Code.OUT_OF_RANGE, "units", intent.units, message)
            available = self._free(intent, asset, funds)
            if needed > available:
                value: dict[str, str | int] = {"asset": asset, "needed": needed, "available": available}
                message = f"the intent can require {needed} of {asset} on {intent.chain}; free is {available}"
                return Refused(code=Code.UNCOLLATERALISED, field="intent", value=value, message=message)
        return None

    def _cancel(self, entry: BookIntent, now_us: int) -> BookIntent:
        is_first = entry.cancelled_us is None and entry.state not in ENDED and entry.open + entry.settling
        return self._step(replace(entry, cancelled_us=now_us) if is_first else entry, Input.CANCEL)

    def _step(self, entry: BookIntent, event: Input) -> BookIntent:
        state = next_state(entry.state, event)
        return self._put(replace(entry, state=state, open=0 if state in ENDED else entry.open))

    def _take(self, deal: str) -> dict[str, Fill]:
        pledged = self._deals.pop(deal, None)
        if pledged is None:
            raise BookError(f"deal {deal} holds no pledged units")
        return pledged

    def _put(self, entry: BookIntent) -> BookIntent:
        before = self._entries.get(entry.id)
        was_held = before.open + before.settling if before else 0
        held = entry.open + entry.settling
        self._entries[entry.id] = entry
        self._reserve(entry, held - was_held)
        if held:
            self._active[entry.owner][entry.id] = None
        else:
            self._active[entry.owner].pop(entry.id, None)
        if entry.state is State.WAITING and entry.open:
            self._waiting.add(entry.id)
        else:
            self._waiting.discard(entry.id)
        return entry

    def _reserve(self, entry: BookIntent, units: int) -> None:
        held = self._reserved[entry.owner]
        for asset, amount in entry.requirement.reserved(units).items():
            key = entry.intent.chain, asset
            held[key] = held.get(key, 0) + amount
            if not held[key]:
                del held[key]
