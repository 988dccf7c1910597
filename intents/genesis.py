"""What a market is founded on: its first event, made from the settings once and for good.

A market in simulated time starts at the instant it is given. A market in wall-clock time starts now. The
reference world is shifted to that start by whole days, and so is a world file of which a series has
expired by then, or whose books are of a later moment; any other keeps its dates. A journal can only be
reopened with the settings that would found the same market: its world, seed, EIP-712 domain, rounds,
faucet, bonds and rules.
"""

from pathlib import Path
from typing import Final

import msgspec

from chains.reference import reference_world
from chains.series import parse_series
from chains.world_file import WorldSpec, decode_world, shift_expiries
from intents.errors import SettingsError, TermsError
from intents.events import Genesis, MarketTerms
from intents.settings import Settings

REFERENCE: Final = "reference"
"""The name of the world that ships with the package."""


def found_market(settings: Settings, *, start_us: int) -> Genesis:
    """The first event of a market that starts at an instant.

    Raises
    ------
    SettingsError
        If the world file cannot be read.
    WorldFileError
        If it breaks its schema, contradicts itself, or cannot be moved to the start.
    """
    return Genesis(
        at_us=start_us,
        seed=settings.seed,
        spec=load_world(settings.world, seed=settings.seed, start_us=start_us),
        terms=MarketTerms(
            chain_id=settings.chain_id,
            verifying_contract=settings.verifying_contract.lower(),
            round_us=settings.round_us,
            solve_us=settings.solve_us,
            faucet_max=settings.faucet_max,
            rules=settings.rules,
            bond=settings.bond,
            abort_fee=settings.abort_fee,
        ),
    )


def load_world(world: str, *, seed: int, start_us: int) -> WorldSpec:
    """The reference world or a world file at a start: every expiry after it, no book from after it.

    Raises
    ------
    SettingsError
        If the file cannot be read.
    WorldFileError
        If it breaks its schema, contradicts itself, or cannot be moved to the start.
    """
    if world == REFERENCE:
        return reference_world(seed=seed, start_us=start_us)
    try:
        content = Path(world).read_bytes()
    except OSError as error:
        raise SettingsError(f"world: {world!r} cannot be read: {error.strerror}") from error
    spec = decode_world(content)
    is_over = any(parse_series(listing.id).expiry_us <= start_us for listing in spec.series)
    if is_over or start_us < spec.start_us:
        return shift_expiries(spec, start_us=start_us)
    return spec


def check_same_market(genesis: Genesis, settings: Settings) -> None:
    """Refuse settings that would found another market than the one of a journal's first event.

    Raises
    ------
    TermsError
        With the first term that differs, and both values where they are short.
    SettingsError, WorldFileError
        If the settings found no market at all.
    """
    asked = found_market(settings, start_us=genesis.at_us)
    if asked.seed != genesis.seed:
        raise TermsError(f"seed: the journal's market has {genesis.seed}, the settings ask for {asked.seed}")
    recorded, wanted = msgspec.structs.asdict(genesis.terms), msgspec.structs.asdict(asked.terms)
    for name, value in recorded.items():
        if wanted[name] != value:
            raise TermsError(f"{name}: the journal's market has {value}, the settings ask for {wanted[name]}")
    if asked.spec != genesis.spec:
        raise TermsError(f"world: the journal's market has another world than {settings.world!r}")
