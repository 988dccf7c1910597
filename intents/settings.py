"""The settings of a market: one frozen object, from flags, then the environment, then defaults.

Every setting can be given as a flag of `solvent serve` or as an environment variable ``SOLVENT_<NAME>``;
a flag wins. An unknown ``SOLVENT_`` variable is an error, since a misspelt setting that is silently
ignored is worse than none. What defines a market for good (its EIP-712 domain, its rounds, its rules,
world and seed) is written into the first entry of the journal and may not differ when it is reopened.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

import msgspec

from chains.units import WIRE_MAX
from intents.errors import SettingsError
from solvers.auction import Rules

PREFIX: Final = "SOLVENT_"
"""What the environment variable of every setting begins with."""

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_RULES: Final = Rules()
_RULE_NAMES: Final = tuple(rule.name for rule in msgspec.structs.fields(Rules))


def _setting(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, with its default; `SETTINGS` lists them with their documentation.

    Raises
    ------
    SettingsError
        If a value has no sense; the message names the setting and the value.
    """

    database: str = _setting(
        "sqlite:///solvent.db", "where the journal is, as an SQLAlchemy URL (an SQLite file)"
    )
    host: str = _setting("127.0.0.1", "address that the server listens on")
    port: int = _setting(8000, "port that the server listens on; 0 takes a free one")
    world: str = _setting("reference", "`reference`, or the path of a world file")
    seed: int = _setting(0, "seed of all chance in the simulated world")
    chain_id: int = _setting(31337, "`chainId` of the EIP-712 domain; wallets insist on their active chain")
    verifying_contract: str = _setting(
        "0x50117e9700000000000000000000000000000001", "`verifyingContract` of the EIP-712 domain"
    )
    round_us: int = _setting(10_000_000, "microseconds from one cut to the next")
    solve_us: int = _setting(3_000_000, "microseconds that solvers have; at most `round_us`")
    solvers: tuple[str, ...] = _setting(
        ("single", "greedy", "joint"), "the competing solvers: entry-point names or `path.py:Class`"
    )
    faucet_max: int = _setting(
        10**13, "largest simulated deposit, in micro-USDC or 1e-8 coins; 0 closes the faucet"
    )
    bond: int = _setting(
        10**9, "micro-USDC that every solver puts up on the hub before its first round; 0 asks for none"
    )
    abort_fee: int = _setting(
        10**6, "micro-USDC that an aborted deal costs its solver at least, out of its bond"
    )
    checkpoint_entries: int = _setting(
        20_000, "journal entries, or KiB of them, from one checkpoint of the state to the next; 0 for none"
    )
    rules: Rules = field(
        default=_RULES, metadata={"doc": "rules that differ from their defaults, as `NAME=VALUE,...`"}
    )

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"{name}: {value} is outside {low} to {high}")
        if self.solve_us > self.round_us:
            raise SettingsError(f"solve_us: {self.solve_us} is longer than round_us, {self.round_us}")
        if not _ADDRESS.fullmatch(self.verifying_contract):
            raise SettingsError(f"verifying_contract: {self.verifying_contract!r} is not an address")
        for name in ("database", "host", "world"):
            if not getattr(self, name):
                raise SettingsError(f"{name}: is empty")
        if len(set(self.solvers)) != len(self.solvers):
            raise SettingsError(f"solvers: {', '.join(self.solvers)} names one twice")


_RANGES: Final = (
    ("port", 0, 65_535),
    ("seed", 0, 2**32 - 1),
    ("chain_id", 1, WIRE_MAX),
    ("round_us", 1_000, 86_400_000_000),
    ("solve_us", 1_000, 3_600_000_000),
    ("faucet_max", 0, WIRE_MAX),
    ("bond", 0, 10**13),
    ("abort_fee", 0, 10**13),
    ("checkpoint_entries", 0, 10**9),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting for a reader: how to give it, what it defaults to, what it does."""

    name: str
    variable: str
    flag: str
    default: str
    doc: str


def load_settings(flags: Mapping[str, object], environment: Mapping[str, str]) -> Settings:
    """Settings from flags (None: not given) and environment variables; a flag wins.

    Raises
    ------
    SettingsError
        If a setting is unknown or its value has no sense.
    """
    known = {each.name: each for each in fields(Settings)}
    texts = {
        variable.removeprefix(PREFIX).lower(): (variable, text)
        for variable, text in environment.items()
        if variable.startswith(PREFIX)
    }
    unknown = sorted({*texts, *flags} - set(known))
    if unknown:
        name = unknown[0]
        given = texts[name][0] if name in texts else name
        raise SettingsError(f"{given}: is not a setting; the settings are {', '.join(known)}")
    values: dict[str, Any] = {}
    for name in known:
        flag = flags.get(name)
        if flag is not None:
            values[name] = _parse(name, name, flag) if isinstance(flag, str) else flag
        elif name in texts:
            variable, text = texts[name]
            values[name] = _parse(name, variable, text)
    return Settings(**values)


def parse_rules(text: str) -> Rules:
    """Rules from ``NAME=VALUE,...``; a ratio is written ``3/2``.

    Raises
    ------
    SettingsError
        If a rule is unknown or its value is out of range.
    """
    values: dict[str, int | tuple[int, ...]] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        name = name.strip()
        if name not in _RULE_NAMES:
            raise SettingsError(f"rules: {name!r} is not a rule; the rules are {', '.join(_RULE_NAMES)}")
        numbers = tuple(_integer(f"rules: {name}", number) for number in value.split("/"))
        values[name] = numbers if len(numbers) > 1 else numbers[0]
    try:
        return msgspec.convert(values, Rules)
    except msgspec.ValidationError as error:
        raise SettingsError(f"rules: {text!r}: {error}") from error


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{name}: {text!r} is not a whole number") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _parse(name: str, given_as: str, text: str) -> object:
    default = _DEFAULTS[name]
    if isinstance(default, int):
        return _integer(given_as, text)
    reader: Callable[[str], object] = {"solvers": _names, "rules": parse_rules}.get(name, str)
    return reader(text)


def _shown(value: object) -> str:
    if isinstance(value, Rules):
        return ""
    return ",".join(value) if isinstance(value, tuple) else str(value)


_DEFAULTS: Final[dict[str, Any]] = {each.name: each.default for each in fields(Settings)}

SETTINGS: Final[tuple[Setting, ...]] = tuple(
    Setting(
        name=each.name,
        variable=PREFIX + each.name.upper(),
        flag="--solver" if each.name == "solvers" else "--" + each.name.replace("_", "-"),
        default=_shown(each.default),
        doc=each.metadata["doc"],
    )
    for each in fields(Settings)
)
"""Every setting with its documentation: what the README's table is checked against."""
