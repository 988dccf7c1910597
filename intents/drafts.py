"""Intents that are not signed: what somebody asks a quote for.

A body is ``{kind, intent}``, the intent an `OptionIntent` as it would be signed. What a price does not
depend on may be left out: `owner`, `nonce`, `validFrom`, `validUntil` (as late as may be), `minUnits` (1),
`limit` (none), `immediate`, `reduceOnly` and `group`. Everything that is there is read and checked as at
admission, but for the signature and what needs the owner's account.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chains.units import MICRO, floor_div
from intents.admission import LIMITS, MarketTermsView, check_shape, check_terms
from intents.reading import read_partial
from intents.refusals import Refused
from intents.typed_data import NO_GROUP, OptionIntent

NOBODY: Final = "0x" + "00" * 20

_DEFAULTS: Final[Mapping[str, Any]] = {
    "owner": NOBODY,
    "nonce": 0,
    "validFrom": 0,
    "minUnits": 1,
    "limit": 0,
    "immediate": False,
    "reduceOnly": False,
    "group": NO_GROUP,
}


OPTIONAL: Final = frozenset({*_DEFAULTS, "validUntil"})
"""The fields that may be left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An intent as it would be signed; `given` are the fields that were sent."""

    intent: OptionIntent
    given: frozenset[str]

    @property
    def limit(self) -> int | None:
        """The limit, in micro-USDC per unit, if one was sent."""
        return self.intent.limit if "limit" in self.given else None

    @property
    def owner(self) -> str | None:
        """The owner, if one was sent."""
        return self.intent.owner if "owner" in self.given else None


def read_draft(
    body: bytes, *, chains: Collection[str], series: Collection[str], now_us: int
) -> Draft | Refused:
    """Read an intent that is not signed, and check that it makes sense at `now_us`."""
    latest_s = floor_div(now_us, MICRO) + LIMITS.lifetime_s
    read = read_partial(
        body,
        kind="OptionIntent",
        defaults={**_DEFAULTS, "validUntil": latest_s},
        bytes_max=LIMITS.body_bytes,
    )
    if isinstance(read, Refused):
        return read
    intent, given = read
    assert isinstance(intent, OptionIntent)
    terms = MarketTermsView(chains=chains, series=series)
    refused = check_shape(intent) or check_terms(intent, terms, now_us)
    return refused or Draft(intent=intent, given=given)
