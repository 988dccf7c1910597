"""What may enter the market: reading what users send, and the checks that need no book.

Three steps, each a pure function that returns a value or a `Refused`:

1. `read_signed_intent` and `read_signed_cancel`: everything that the bytes alone decide.
2. `verify_intent` and `verify_cancel`: the signature is the owner's, for this domain.
3. `check_terms`: the intent makes sense in the market as it is now.

What the owner has and has signed before is the fourth step, `intents.book`.

`Limits` bounds products, so that they and their sums over one auction stay below 2**53: an auction
holds at most 2,000 orders, each worth at most `value_max` and at most `lots_max` in every leg.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from chains.errors import SeriesError
from chains.package import Legs
from chains.series import parse_series
from chains.units import MICRO
from intents.reading import read_message
from intents.refusals import Code, Refused, refuse
from intents.typed_data import (
    Cancel,
    CancelIntents,
    Domain,
    OptionIntent,
    cancel_digest,
    intent_digest,
    intent_id,
    recover_owner,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of admission, listed in `GET /v1/market`.

    Attributes
    ----------
    legs_max, knots_max : legs of an intent, knots of a payoff
    lifetime_s : from admission (or `validFrom`, whichever is later) to `validUntil`
    open_max : intents of one owner that still have units open or in settlement
    body_bytes, cancel_body_bytes : size of one signed intent, of one signed cancel
    cancel_intents_max : ids in one cancel
    lots_max : ``|ratio| * units`` of a leg
    value_max : ``|limit| * units``, micro-USDC
    """

    legs_max: int = 8
    knots_max: int = 32
    lifetime_s: int = 30 * 86_400
    open_max: int = 1_000
    body_bytes: int = 16 * 1_024
    cancel_body_bytes: int = 128 * 1_024
    cancel_intents_max: int = 1_000
    lots_max: int = 1_000_000_000
    value_max: int = 4_000_000_000_000


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIntent:
    """An intent as it came, well formed but not yet verified; `signature` is hex with ``0x``."""

    intent: OptionIntent
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCancel:
    """A cancel as it came, well formed but not yet verified; `signature` is hex with ``0x``."""

    cancel: Cancel
    signature: str


class MarketTermsView(Struct, frozen=True, kw_only=True, gc=False):
    """What admission knows of the market: its chains, and the ids of the series listed now."""

    chains: Collection[str]
    series: Collection[str]


def read_signed_intent(body: bytes) -> SignedIntent | Refused:
    """Read ``{kind, intent, signature}`` with kind ``OptionIntent``."""
    read = read_message(body, kinds=("OptionIntent",), bytes_max=LIMITS.body_bytes)
    if isinstance(read, Refused):
        return read
    intent, signature = read
    assert isinstance(intent, OptionIntent)
    return check_shape(intent) or SignedIntent(intent=intent, signature=signature)


def read_signed_cancel(body: bytes) -> SignedCancel | Refused:
    """Read ``{kind, intent, signature}`` with kind ``CancelIntents`` or ``CancelBelow``."""
    read = read_message(body, kinds=("CancelBelow", "CancelIntents"), bytes_max=LIMITS.cancel_body_bytes)
    if isinstance(read, Refused):
        return read
    cancel, signature = read
    assert not isinstance(cancel, OptionIntent)
    if isinstance(cancel, CancelIntents) and not 1 <= len(cancel.intents) <= LIMITS.cancel_intents_max:
        message = f"a cancel names 1 to {LIMITS.cancel_intents_max} intents, this one {len(cancel.intents)}"
        return refuse(Code.TOO_MANY_INTENTS, "intents", len(cancel.intents), message)
    return SignedCancel(cancel=cancel, signature=signature)


def verify_intent(domain: Domain, signed: SignedIntent) -> str | Refused:
    """The id of an intent whose signature is its owner's."""
    digest = intent_digest(domain, signed.intent)
    return _check_signer(digest, signed.signature, signed.intent.owner) or intent_id(digest)


def verify_cancel(domain: Domain, signed: SignedCancel) -> Refused | None:
    """Refuse a cancel whose signature is not that of the owner it names."""
    return _check_signer(cancel_digest(domain, signed.cancel), signed.signature, signed.cancel.owner)


def check_terms(intent: OptionIntent, terms: MarketTermsView, now_us: int) -> Refused | None:
    """Refuse an intent that makes no sense in the market as it is at `now_us`."""
    if intent.chain not in terms.chains:
        message = f"no chain of that name; there are {', '.join(sorted(terms.chains))}"
        return refuse(Code.UNKNOWN_CHAIN, "chain", intent.chain, message)
    for place, leg in enumerate(intent.legs):
        if leg.series in terms.series and parse_series(leg.series).expiry * MICRO > now_us:
            continue
        if refused := _check_series(leg.series, f"legs[{place}].series", terms, now_us):
            return refused
    return _check_times(intent, now_us)


def legs_of(intent: OptionIntent) -> Legs:
    """(series, lots per unit), as signed."""
    return tuple([(leg.series, leg.ratio) for leg in intent.legs])


def ends_us(intent: OptionIntent) -> int:
    """When an admitted intent ends by itself: at `validUntil`, or when its first leg expires."""
    ends = intent.valid_until
    for leg in intent.legs:
        expiry = parse_series(leg.series).expiry
        ends = min(ends, expiry)
    return MICRO * ends


def check_shape(intent: OptionIntent) -> Refused | None:
    """Refuse an intent whose numbers make no sense together, in whatever market."""
    if intent.units < 1:
        return refuse(Code.BAD_UNITS, "units", intent.units, f"units is {intent.units}, but must be positive")
    if not 1 <= intent.min_units <= intent.units:
        message = f"minUnits is {intent.min_units}, but must be 1 to units, which is {intent.units}"
        return refuse(Code.BAD_MIN_UNITS, "minUnits", intent.min_units, message)
    if abs(intent.limit) * intent.units > LIMITS.value_max:
        message = f"limit times units is above {LIMITS.value_max} micro-USDC in size"
        return refuse(Code.OUT_OF_RANGE, "limit", intent.limit, message)
    return _check_legs(intent)


def _check_legs(intent: OptionIntent) -> Refused | None:
    if not intent.legs:
        return refuse(Code.NO_LEGS, "legs", 0, "an intent has at least one leg")
    if len(intent.legs) > LIMITS.legs_max:
        message = f"{len(intent.legs)} legs are more than {LIMITS.legs_max}"
        return refuse(Code.TOO_MANY_LEGS, "legs", len(intent.legs), message)
    seen: set[str] = set()
    for place, leg in enumerate(intent.legs):
        field = f"legs[{place}]"
        if leg.ratio == 0:
            return refuse(Code.BAD_RATIO, f"{field}.ratio", 0, "a leg's ratio is not zero")
        if leg.series in seen:
            message = f"{leg.series} is in an earlier leg; add the ratios up"
            return refuse(Code.DUPLICATE_LEG, f"{field}.series", leg.series, message)
        if abs(leg.ratio) * intent.units > LIMITS.lots_max:
            message = f"ratio times units is above {LIMITS.lots_max} lots"
            return refuse(Code.OUT_OF_RANGE, f"{field}.ratio", leg.ratio, message)
        if intent.reduce_only and leg.ratio > 0:
            message = f"a reduce-only intent only sells what is held, and buys {leg.ratio} {leg.series}"
            return refuse(Code.NOT_REDUCING, f"{field}.ratio", leg.ratio, message)
        seen.add(leg.series)
    return None


def _check_signer(digest: bytes, signature: str, owner: str) -> Refused | None:
    signer = recover_owner(digest, bytes.fromhex(signature[2:]))
    if isinstance(signer, Refused):
        return signer
    if signer != owner:
        message = (
            f"the signature recovers {signer}, not the owner: signed by another key, over other content, or"
            " for another EIP-712 domain (name, version, chainId or verifyingContract)"
        )
        return refuse(Code.WRONG_SIGNER, "owner", owner, message)
    return None


def _check_series(text: str, field: str, terms: MarketTermsView, now_us: int) -> Refused | None:
    try:
        series = parse_series(text)
    except SeriesError as error:
        return refuse(Code.UNKNOWN_SERIES, field, text, str(error))
    if series.expiry_us <= now_us:
        message = f"the series expired at {series.expiry}, and it is {now_us // MICRO}"
        return refuse(Code.SERIES_EXPIRED, field, text, message)
    if text not in terms.series:
        return refuse(Code.UNKNOWN_SERIES, field, text, f"{text} is not listed")
    return None


def _check_times(intent: OptionIntent, now_us: int) -> Refused | None:
    until_us, from_us = intent.valid_until * MICRO, intent.valid_from * MICRO
    if until_us <= now_us:
        message = f"validUntil is {intent.valid_until}, and it is {now_us // MICRO}"
        return refuse(Code.EXPIRED, "validUntil", intent.valid_until, message)
    if from_us > now_us:
        message = f"validFrom is {intent.valid_from}, and it is {now_us // MICRO}"
        return refuse(Code.NOT_YET_VALID, "validFrom", intent.valid_from, message)
    if until_us - now_us > LIMITS.lifetime_s * MICRO:
        message = f"validUntil is more than {LIMITS.lifetime_s} s ahead; it is {now_us // MICRO}"
        return refuse(Code.LIFETIME_TOO_LONG, "validUntil", intent.valid_until, message)
    return None
