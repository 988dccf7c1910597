"""The plug-in door: which strategy a SPEC names, and under which name it competes.

A SPEC is the name of an entry point of the group ``solvent.solvers``, or ``path.py:Class``. The
built-in strategies come through the same door as everybody else's. Finding out a solver's name never
runs its code: only a worker process loads a strategy, so a broken file cannot harm the market.

Whatever is wrong with a SPEC, its file or its class is one `SpecError` that says where.
"""

import importlib.util
import re
import sys
import traceback
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Final

from solvers.errors import SpecError
from solvers.outcome import HOUSE
from solvers.strategy import Strategy

GROUP: Final = "solvent.solvers"
"""The entry-point group that strategies are declared in."""

NAME_MAX: Final = 128
"""The longest name of a solver, as in every id on the wire."""


def list_strategies() -> tuple[str, ...]:
    """The names of all installed strategies, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def solver_name(spec: str) -> str:
    """The name under which a SPEC competes, found without running any of its code.

    An entry point competes under its own name; a file under its class's name in lower case with
    hyphens: ``mine.py:BestRoute`` is ``best-route``.

    Raises
    ------
    SpecError
        If the SPEC is malformed, names no installed strategy, or takes a reserved name.
    """
    file = _file_and_class(spec)
    return check_solver_name(_find_entry_point(spec).name if file is None else _hyphenated(file[1]))


def absolute_spec(spec: str) -> str:
    """The same SPEC for a process with another working directory.

    Raises
    ------
    SpecError
        If the SPEC is malformed.
    """
    file = _file_and_class(spec)
    return spec if file is None else f"{file[0].absolute()}:{file[1]}"


def check_solver_name(name: str) -> str:
    """Return the name if a solver may use it.

    Raises
    ------
    SpecError
        If it is empty, too long, or the market's own.
    """
    if not 1 <= len(name) <= NAME_MAX:
        raise SpecError(f"the solver name {name!r} is not between 1 and {NAME_MAX} characters long")
    if name == HOUSE:
        raise SpecError(f"the solver name {HOUSE!r} is reserved for the market's own bids")
    return name


def load_strategy(spec: str) -> Strategy:
    """Load a SPEC's class and make one strategy of it, without arguments.

    This runs the strategy's code: the market itself only ever does so in a worker process.

    Raises
    ------
    SpecError
        If the SPEC names nothing, its module raises when imported (with the line), or the class
        cannot be made or has no ``solve``.
    """
    solver_name(spec)
    file = _file_and_class(spec)
    try:
        found = _entry_point_target(spec) if file is None else _file_target(*file)
    except SpecError:
        raise
    except (Exception, SystemExit) as error:
        raise SpecError(f"{spec}: importing it failed: {_where_and_what(error)}") from error
    if not isinstance(found, type):
        raise SpecError(f"{spec}: it is a {type(found).__name__}, not a class")
    if not callable(getattr(found, "solve", None)):
        raise SpecError(f"{spec}: class {found.__name__} has no method solve(auction, context)")
    try:
        strategy: Strategy = found()
    except (Exception, SystemExit) as error:
        raise SpecError(f"{spec}: making {found.__name__}() failed: {_where_and_what(error)}") from error
    return strategy


def _file_and_class(spec: str) -> tuple[Path, str] | None:
    """The file and class of a ``path.py:Class``; nothing if the SPEC is an entry-point name."""
    if spec.startswith(("http://", "https://")):
        raise SpecError(f"{spec}: solvers over HTTP are not supported yet")
    path, colon, name = spec.rpartition(":")
    if not colon:
        if spec.endswith(".py"):
            raise SpecError(f"{spec}: name the class too, as in {spec}:Mine")
        return None
    if not path.endswith(".py") or not name.isidentifier():
        raise SpecError(f"{spec!r} is neither the name of an installed strategy nor path.py:Class")
    return Path(path), name


def _find_entry_point(name: str) -> EntryPoint:
    points = sorted(entry_points(group=GROUP, name=name), key=lambda point: point.value)
    if not points:
        known = ", ".join(list_strategies()) or "none"
        raise SpecError(f"no strategy {name!r} is installed (installed: {known}); a file is path.py:Class")
    # The same distribution can be found twice on the path; two different targets would be a guess.
    if points[0].value != points[-1].value:
        raise SpecError(f"strategy {name!r} is installed twice: {points[0].value} and {points[-1].value}")
    return points[0]


def _entry_point_target(spec: str) -> object:
    return _find_entry_point(spec).load()


def _file_target(path: Path, name: str) -> object:
    if not path.is_file():
        raise SpecError(f"{path}: there is no such file")
    module = _import_file(path.resolve())
    if not hasattr(module, name):
        raise SpecError(f"{path}: there is no class {name} in it")
    return getattr(module, name)


def _import_file(path: Path) -> ModuleType:
    # The path's hash keeps two files of the same name apart. Dataclasses and pickle look a class's
    # module up in sys.modules, so it has to be there while its code runs.
    module_name = f"solvent_strategy_{sha256(str(path).encode()).hexdigest()[:16]}"
    plan = importlib.util.spec_from_file_location(module_name, path)
    assert plan is not None
    assert plan.loader is not None
    module = importlib.util.module_from_spec(plan)
    sys.modules[module_name] = module
    try:
        plan.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def _where_and_what(error: BaseException) -> str:
    """``file:line: Type: message`` of the innermost place in the strategy's own code."""
    lines = traceback.format_exception_only(error)
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {lines[-1].strip()}"
    what = lines[0].strip()
    place = _last_own_line(error.__traceback__)
    return f"{place}: {what}" if place else what


def _last_own_line(trace: TracebackType | None) -> str:
    # Frames of this module and of the import system say nothing to a strategy's author.
    frames = [
        frame
        for frame in traceback.extract_tb(trace)
        if frame.filename != __file__ and not frame.filename.startswith("<frozen ")
        if "importlib" not in Path(frame.filename).parts
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _hyphenated(class_name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", class_name)
    return words.replace("_", "-").strip("-").lower()
