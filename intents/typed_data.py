"""What users sign: the EIP-712 types of the market, their digests, and who signed.

One table holds the types. The hasher of every struct is compiled from it once, when this module is
imported; the same table is listed in `GET /v1/market`, so that any wallet signs what is hashed here.
An intent's id is its digest, and never depends on the signature: only the lower of the two possible
``s`` is accepted, but identity would not change if both were.

Source: EIP-712 (typed structured data), EIP-2 (low ``s``), SEC 1 section 4.1.6 (public key recovery).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Annotated, Any, Final, NamedTuple

from coincurve import PublicKey
from msgspec import Meta
from sha3 import keccak_256

from chains.wire import Count, Positive, Signed, Wire
from intents.refusals import Code, Refused, refuse


class Member(NamedTuple):
    """One member of a signed struct: its name and its EIP-712 type."""

    name: str
    type: str


def _members(text: str) -> tuple[Member, ...]:
    return tuple(Member(name, kind) for kind, name in (member.split(" ") for member in text.split(",")))


TYPES: Final[dict[str, tuple[Member, ...]]] = {
    "OptionIntent": _members(
        "address owner,uint256 nonce,uint64 validFrom,uint64 validUntil,string chain,Leg[] legs,"
        "uint64 units,uint64 minUnits,int256 limit,bool immediate,bool reduceOnly,bytes32 group"
    ),
    "Leg": _members("string series,int64 ratio"),
    "PayoffIntent": _members(
        "address owner,uint256 nonce,uint64 validFrom,uint64 validUntil,string chain,string underlying,"
        "uint64 expiry,Knot[] payoff,int256 slope,string delivery,uint64 units,uint64 minUnits,"
        "int256 limit,bool immediate,bytes32 group"
    ),
    "Knot": _members("uint256 price,int256 value"),
    "CancelIntents": _members("address owner,bytes32[] intents"),
    "CancelBelow": _members("address owner,uint256 nonce"),
}
"""Every struct that may be signed or nested in one, as `GET /v1/market` lists them."""

ATTRIBUTES: Final = {
    member.name: re.sub("[A-Z]", lambda capital: "_" + capital[0].lower(), member.name)
    for members in TYPES.values()
    for member in members
}
"""The attribute that holds each member: ``validUntil`` is ``valid_until``."""

DOMAIN_TYPE: Final = _members("string name,string version,uint256 chainId,address verifyingContract")
NAME: Final = "Solvent"
VERSION: Final = "1"

NO_GROUP: Final = "0x" + "00" * 32
"""The group of an intent that belongs to none."""

SIGNATURE_BYTES: Final = 65
HALF_ORDER: Final = 0x7FFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_5D576E73_57A4501D_DFE92F46_681B20A0
"""Half the order of secp256k1: the largest ``s`` that EIP-2 allows."""

Address = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]
Bytes32 = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{64}\Z")]


class Leg(Wire, frozen=True, kw_only=True, rename="camel"):
    """One leg: `ratio` lots of a series per unit; positive buys, negative sells."""

    series: str
    ratio: Signed


class OptionIntent(Wire, frozen=True, kw_only=True, rename="camel"):
    """A signed wish for a package of options; the fields are those of the EIP-712 type.

    `limit` is micro-USDC per unit, all-in: positive, the owner pays at most this; negative, the
    owner receives at least its size. `valid_from` and `valid_until` are seconds; addresses and
    hashes are lower case.
    """

    owner: Address
    nonce: Count
    valid_from: Count
    valid_until: Count
    chain: str
    legs: tuple[Leg, ...]
    units: Positive
    min_units: Positive
    limit: Signed
    immediate: bool
    reduce_only: bool
    group: Bytes32


class CancelIntents(Wire, frozen=True, kw_only=True, rename="camel"):
    """A signed cancel of some intents, by id."""

    owner: Address
    intents: tuple[Bytes32, ...]


class CancelBelow(Wire, frozen=True, kw_only=True, rename="camel"):
    """A signed cancel of every intent of an owner whose nonce is lower, posted or not.

    `nonce` is any uint256: one that is above every possible nonce revokes them all.
    """

    owner: Address
    nonce: int


Cancel = CancelIntents | CancelBelow


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """The EIP-712 domain: a signature for another market, chain or contract recovers another signer.

    `separator` is its 32-byte hash, computed once.
    """

    chain_id: int
    verifying_contract: str
    separator: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = (NAME, VERSION, self.chain_id, self.verifying_contract)
        words = (_WORDS[member.type](part) for member, part in zip(DOMAIN_TYPE, parts, strict=True))
        object.__setattr__(
            self, "separator", _keccak(_type_hash("EIP712Domain", DOMAIN_TYPE) + b"".join(words))
        )


def intent_digest(domain: Domain, intent: OptionIntent) -> bytes:
    """The 32 bytes that the owner of an intent signs; in hex with ``0x``, the intent's id."""
    return _keccak(b"\x19\x01" + domain.separator + _HASHERS["OptionIntent"](intent))


def cancel_digest(domain: Domain, cancel: Cancel) -> bytes:
    """The 32 bytes that the owner signs to cancel."""
    return _keccak(b"\x19\x01" + domain.separator + _HASHERS[type(cancel).__name__](cancel))


def intent_id(digest: bytes) -> str:
    """The id of the intent with this digest: 32 bytes as lower-case hex with ``0x``."""
    return "0x" + digest.hex()


def recover_owner(digest: bytes, signature: bytes) -> str | Refused:
    """The lower-case address whose key signed a 32-byte digest.

    `signature` is ``r`` and ``s`` (32 bytes each) and ``v`` (0, 1, 27 or 28). A signature that is not
    65 bytes, that no key can have made, or whose ``s`` is high, is refused, each with its own message.

    Source: SEC 1 section 4.1.6, EIP-2.
    """
    text = "0x" + signature.hex()
    if len(signature) != SIGNATURE_BYTES:
        message = f"a signature has {SIGNATURE_BYTES} bytes, this one {len(signature)}"
        return refuse(Code.BAD_SIGNATURE, "signature", text, message)
    parity = signature[64] - 27 if signature[64] >= 27 else signature[64]
    if parity not in (0, 1):
        message = f"v is {signature[64]}, but must be 0, 1, 27 or 28"
        return refuse(Code.BAD_SIGNATURE, "signature", text, message)
    if int.from_bytes(signature[32:64], "big") > HALF_ORDER:
        message = "s is above half the order of the curve; send its low twin, as every wallet does"
        return refuse(Code.HIGH_S, "signature", text, message)
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([parity]), digest, hasher=None)
    except ValueError:
        message = "no key can have made this signature of the message"
        return refuse(Code.BAD_SIGNATURE, "signature", text, message)
    return "0x" + _keccak(key.format(compressed=False)[1:])[-20:].hex()


def eip712_types() -> dict[str, list[dict[str, str]]]:
    """Every signed type as JSON, in the form of EIP-712's own ``types``.

    A wallet that works out the primary type by itself wants only the types of one message: the
    primary one and those its members refer to.
    """
    return {name: [member._asdict() for member in members] for name, members in TYPES.items()}


def eip712_domain(domain: Domain) -> dict[str, str | int]:
    """The domain as JSON, the way wallets take it."""
    return {
        "name": NAME,
        "version": VERSION,
        "chainId": domain.chain_id,
        "verifyingContract": domain.verifying_contract,
    }


Encoder = Callable[[Any], bytes]


def _keccak(content: bytes) -> bytes:
    digest: bytes = keccak_256(content).digest()
    return digest


def _nested(members: tuple[Member, ...]) -> tuple[str, ...]:
    return tuple(sorted({kind.removesuffix("[]") for _, kind in members} & TYPES.keys()))


def _type_hash(name: str, members: tuple[Member, ...]) -> bytes:
    structs = [(name, members), *((nested, TYPES[nested]) for nested in _nested(members))]
    written = (f"{struct}({','.join(f'{kind} {part}' for part, kind in parts)})" for struct, parts in structs)
    return _keccak("".join(written).encode())


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _signed_word(value: int) -> bytes:
    return value.to_bytes(32, "big", signed=True)


def _right_aligned(text: str) -> bytes:
    return bytes.fromhex(text[2:]).rjust(32, b"\0")


_WORDS: Final[dict[str, Encoder]] = {
    "address": _right_aligned,
    "bytes32": _right_aligned,
    "bool": _word,
    "uint64": _word,
    "uint256": _word,
    "int64": _signed_word,
    "int256": _signed_word,
    "string": lambda text: _keccak(text.encode()),
}
"""How a value of each atomic EIP-712 type becomes one 32-byte word."""


def _encoder(kind: str) -> Encoder:
    if kind.endswith("[]"):
        encode = _encoder(kind.removesuffix("[]"))
        return lambda items: _keccak(b"".join([encode(item) for item in items]))
    return _compile_hasher(kind) if kind in TYPES else _WORDS[kind]


def _compile_hasher(name: str) -> Encoder:
    """The ``hashStruct`` of one type of the table, with everything that does not change worked out."""
    members = TYPES[name]
    type_hash = _type_hash(name, members)
    values = attrgetter(*(ATTRIBUTES[member.name] for member in members))
    encoders = tuple(_encoder(member.type) for member in members)

    def hash_struct(value: Any) -> bytes:
        words = [encode(part) for encode, part in zip(encoders, values(value), strict=True)]
        return _keccak(type_hash + b"".join(words))

    return hash_struct


_HASHERS: Final = {name: _compile_hasher(name) for name in TYPES}
