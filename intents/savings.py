"""Changes of an intent that may make it cheaper per unit: which are tried, and in which order.

Each is a change of what would be signed, so that whoever follows it can ask for a quote of just that.
Whether one saves anything is not decided here (`intents.quoting`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from chains.units import MICRO, ceil_div, floor_div
from intents.admission import LIMITS
from intents.quotes import Saving
from intents.typed_data import ATTRIBUTES, OptionIntent
from router.problem import Problem

UNITS_FACTOR: Final = 16
"""How many times as many units are tried, at most."""

SPARE_S: Final = 600
"""How much longer than its deal an intent is told to last: the next round is not at once."""

Changes = dict[str, str | int]
"""Fields of an intent as they are signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One change of an intent."""

    kind: Saving
    changes: Changes
    intent: OptionIntent


def most_units(intent: OptionIntent) -> int:
    """The most units of an intent's package that are tried, and could be signed with its limit."""
    lots = max(abs(leg.ratio) for leg in intent.legs)
    bounds = [UNITS_FACTOR * intent.units, floor_div(LIMITS.lots_max, lots)]
    if intent.limit:
        bounds.append(floor_div(LIMITS.value_max, abs(intent.limit)))
    return max(intent.units, min(bounds))


def other_chains(intent: OptionIntent, problem: Problem) -> Iterator[Variant]:
    """The package on every other chain; but what a reduce-only intent sells is where it is."""
    for chain in sorted(problem.chains):
        if chain != intent.chain and not intent.reduce_only:
            yield _vary(Saving.OTHER_CHAIN, intent, {"chain": chain})


def other_units(intent: OptionIntent, *, filled: int, cheapest: int) -> Iterator[Variant]:
    """As many units as are cheapest each, where that is fewer than are filled, or more than are asked for."""
    if cheapest < filled:
        changes: Changes = {"units": cheapest}
        if intent.min_units > cheapest:
            changes["minUnits"] = cheapest
        yield _vary(Saving.FEWER_UNITS, intent, changes)
    elif cheapest > intent.units:
        yield _vary(Saving.MORE_UNITS, intent, {"units": cheapest})


def longest(intent: OptionIntent, *, now_us: int) -> OptionIntent:
    """The same intent, valid for as long as may be."""
    return replace(intent, valid_until=floor_div(now_us, MICRO) + LIMITS.lifetime_s)


def longer_validity(intent: OptionIntent, *, decided_us: int, now_us: int) -> Iterator[Variant]:
    """The intent with time enough for a deal that is decided at an instant, if it has not."""
    until = min(ceil_div(decided_us, MICRO) + SPARE_S, longest(intent, now_us=now_us).valid_until)
    if intent.valid_until * MICRO <= decided_us < until * MICRO:
        yield _vary(Saving.LONGER_VALIDITY, intent, {"validUntil": until})


def _vary(kind: Saving, intent: OptionIntent, changes: Changes) -> Variant:
    fields = {ATTRIBUTES[name]: value for name, value in changes.items()}
    return Variant(kind=kind, changes=changes, intent=replace(intent, **fields))
