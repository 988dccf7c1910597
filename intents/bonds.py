"""Which solvers still have to put up a bond, and which have none left and take no part.

Every solver of a market that asks for bonds puts one up once, before its first round, in whatever process
it is first met: the journal knows who has. It is not topped up. Penalties come out of it, and whoever has
nothing left of it is not asked any more; what such a solver has in settlement goes on.
"""

from collections.abc import Iterable

from intents.engine import Engine
from intents.events import BondPosted


def missing_bonds(engine: Engine, solvers: Iterable[str], *, at_us: int) -> list[BondPosted]:
    """The bonds of those solvers that never posted one, sorted by name."""
    bond = engine.genesis.terms.bond
    if not bond:
        return []
    never = sorted(solver for solver in solvers if not engine.solvers.of(solver).bonded)
    return [BondPosted(at_us=at_us, solver=solver, amount=bond) for solver in never]


def without_bond(engine: Engine, solvers: Iterable[str]) -> dict[str, str]:
    """The solvers that have nothing left of their bond, with what is said of them, sorted by name."""
    if not engine.genesis.terms.bond:
        return {}
    spent = sorted(solver for solver in solvers if not engine.bond_of(solver))
    return {solver: _describe(engine, solver) for solver in spent}


def _describe(engine: Engine, solver: str) -> str:
    account = engine.solvers.of(solver)
    if not account.bonded:
        return f"its bond of {engine.genesis.terms.bond} micro-USDC was refused: the hub can hold no more"
    return (
        f"{account.penalties} of the bond of {account.bonded} micro-USDC "
        f"went into penalties for {account.aborted} aborted deals"
    )
