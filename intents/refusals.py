"""Why the market refuses what it is sent: the closed list of codes, and the value that carries one.

A refusal is a value, never an exception. It names the code, the field and the value that broke the
rule; nothing of what was refused is stored. `Code.meaning` is the one line of documentation of each
code, which the README's table is checked against.
"""

from dataclasses import dataclass
from typing import Final

from chains.documented import DocumentedEnum
from chains.units import WIRE_MAX

SHOWN_MAX: Final = 132
"""Longest text that a refusal shows of a value: a 65-byte signature in hex, exactly."""

MESSAGE_MAX: Final = 500
"""Longest message of a refusal: it may quote what was sent."""

Shown = str | int | bool | None | dict[str, str | int]
"""What a refusal may show of the value that broke a rule: plain JSON of bounded size."""


class Code(DocumentedEnum):
    """Every refusal of posting, cancelling, depositing and asking, in the order of the checks."""

    TOO_LARGE = "too_large", "the body is larger than the limit for its kind"
    MALFORMED_JSON = "malformed_json", "the body is not one JSON value in UTF-8, or it is nested too deeply"
    MALFORMED = "malformed", "a field has the wrong type or form: a float where an integer belongs, say"
    MISSING_FIELD = "missing_field", "a field of the signed type or of the body is not there"
    UNKNOWN_FIELD = "unknown_field", "a field that neither the signed type nor the body has"
    OUT_OF_RANGE = "out_of_range", "an integer, or a product that the market must form, leaves its range"
    UNSUPPORTED = "unsupported", "a part of the formats that this version does not trade yet"
    BAD_UNITS = "bad_units", "`units` is not positive"
    BAD_MIN_UNITS = "bad_min_units", "`minUnits` is not between 1 and `units`"
    NO_LEGS = "no_legs", "the package has no legs"
    TOO_MANY_LEGS = "too_many_legs", "the package has more legs than the limit"
    BAD_RATIO = "bad_ratio", "the ratio of a leg is zero"
    DUPLICATE_LEG = "duplicate_leg", "two legs name the same series"
    NOT_REDUCING = (
        "not_reducing",
        "a `reduceOnly` intent buys in a leg: only lots that are held can be closed",
    )
    BAD_SIGNATURE = "bad_signature", "the signature is not 65 bytes that recover a key"
    HIGH_S = (
        "high_s",
        "the signature is the malleable twin of the accepted one: s is above half the order",
    )
    WRONG_SIGNER = "wrong_signer", "the signature is of another key, another message or another domain"
    EXPIRED = "expired", "`validUntil` has passed"
    NOT_YET_VALID = "not_yet_valid", "`validFrom` has not come yet"
    LIFETIME_TOO_LONG = "lifetime_too_long", "`validUntil` is further ahead than the limit"
    UNKNOWN_CHAIN = "unknown_chain", "no chain of that name"
    UNKNOWN_SERIES = "unknown_series", "a series that is not listed"
    SERIES_EXPIRED = "series_expired", "a series that has expired"
    NONCE_REVOKED = "nonce_revoked", "the nonce is below the owner's `CancelBelow`"
    NONCE_REUSED = "nonce_reused", "the owner has used the nonce for another intent"
    TOO_MANY_OPEN = "too_many_open", "the owner has as many intents in the market as the limit allows"
    GROUP_FILLED = "group_filled", "another intent of the same one-cancels-other `group` has been filled"
    UNCOLLATERALISED = "uncollateralised", "the owner's free funds do not cover the worst it can require"
    NOT_COVERED = "not_covered", "the owner's free lots do not cover one unit of a `reduceOnly` intent"
    UNKNOWN_INTENT = "unknown_intent", "no intent of that id"
    NOT_OWNER = "not_owner", "the intent belongs to someone else"
    TOO_MANY_INTENTS = "too_many_intents", "a cancel names no intents, or more than the limit"
    NOT_YOUR_VENUE = "not_your_venue", "no stock venue of this solver has that name"
    QUOTES_REFUSED = "quotes_refused", "quotes contradict each other, are too many or are not funded"
    UNKNOWN_ASSET = "unknown_asset", "no asset of that name can be deposited"
    BAD_AMOUNT = "bad_amount", "the amount is not positive"
    FAUCET_LIMIT = "faucet_limit", "the amount is above the faucet's limit, or the faucet is off"
    UNKNOWN_AUCTION = "unknown_auction", "no auction of that id"
    NOT_FOUND = "not_found", "no such page"
    METHOD_NOT_ALLOWED = "method_not_allowed", "the page does not answer this method"
    SEALED = "sealed", "the auction is not decided yet: its bids and its outcome are sealed until then"
    BUSY = "busy", "as many quotes are being worked out as may be at once; ask again in a moment"
    UNAVAILABLE = "unavailable", "the market accepts nothing now; the same request may be sent again"
    INTERNAL = "internal", "the server failed; the log holds the cause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One refusal.

    Attributes
    ----------
    code : from the closed list
    field : what broke the rule, as its sender writes it: ``units``, ``legs[1].ratio``, ``signature``
    value : what was found there, bounded in size
    message : one sentence for a person, with the numbers
    """

    code: Code
    field: str
    value: Shown
    message: str


def refuse(code: Code, field: str, value: object, message: str | None = None) -> Refused:
    """A refusal that shows a bounded part of what was sent; the message defaults to the code's meaning."""
    text = _cut(message or code.meaning, MESSAGE_MAX)
    return Refused(code=code, field=_cut(field), value=shown(value), message=text)


def shown(value: object) -> Shown:
    """What a refusal shows of a value: wire integers, booleans and null as they are, the rest as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= WIRE_MAX else _cut(str(value))
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"an array of {len(value)}"
    return _cut(value if isinstance(value, str) else repr(value))


def _cut(text: str, longest: int = SHOWN_MAX) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
