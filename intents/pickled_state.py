"""A market's state as bytes and back: Python's pickle, held to a list of what may be in it.

Pickle is the form because it is fast, keeps what is shared shared (a level of a book is in its ladder and
in its index), and asks nothing of those who add a venue or a field: any class works as it is. What it
must not do is run code that a tampered file names. So a file may name, and nothing else:

- value classes of this project's packages: structs, enums, named tuples and dataclasses;
- any other class of these packages, but only to have an object of it filled with its attributes: its
  ``__init__`` never runs, and the class itself is out of reach;
- methods of objects of `METHOD_PACKAGES`, which are pure, where a state holds some;
- the standard containers and the few functions of `_KNOWN`.

There is nothing in it that reaches the system, imports, looks attributes up or evaluates. Writing keeps to
the same rules, so that what cannot be read is noticed when it is written. A file that somebody wrote on
purpose can still describe a market that never was: a state is worth what its folder's permissions are
worth, and the journal alone is the authority.

Source: https://docs.python.org/3/library/pickle.html#restricting-globals.
"""

import pickle
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from operator import attrgetter
from types import FunctionType, MethodType
from typing import Any, Final

import msgspec
import numpy as np

from intents.errors import CheckpointError

PACKAGES: Final = frozenset({"chains", "intents", "router", "solvers"})
"""Whose classes may be in a state."""

METHOD_PACKAGES: Final = ("chains.", "intents.engine")
"""Modules whose objects' methods may be in a state too: calling them has no effect but on the state."""

_new = object.__new__


def dump_state(state: object, file: Any) -> None:
    """Write a state to a file that has `write`.

    Raises
    ------
    CheckpointError
        If something in it could not be read back; the message names its class.
    """
    try:
        _Pickler(file, protocol=5).dump(state)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"the state cannot be written: {error}") from error


def load_state(file: Any) -> Any:
    """Read a state from a file that has `read`, `readinto` and `readline`.

    Raises
    ------
    CheckpointError
        If it is damaged, or holds anything that may not be in a state; the message names it.
    """
    try:
        return _Unpickler(file).load()
    except CheckpointError:
        raise
    except Exception as error:  # a file can make the machinery of pickle raise anything
        raise CheckpointError(f"the state cannot be read: {type(error).__name__}: {error}") from error


def is_value_class(cls: object) -> bool:
    """Whether something is a class of values of this project: making one has no effect."""
    return (
        isinstance(cls, type)
        and cls.__module__.partition(".")[0] in PACKAGES
        and (issubclass(cls, msgspec.Struct | Enum) or is_dataclass(cls) or hasattr(cls, "_fields"))
    )


def restore_value(cls: type, *values: object) -> object:
    """A frozen dataclass from the values of its fields; it was validated when it was first made."""
    made: object = _new(cls)
    for put, value in zip(_SETTERS.get(cls) or _find_setters(cls), values, strict=True):
        put(made, value)
    return made


def restore_struct(cls: Any, *values: object) -> object:
    """A struct from the values of its fields."""
    return cls(**dict(zip(cls.__struct_fields__, values, strict=True)))


def restore_object(module: str, name: str) -> object:
    """An object of a class of this project, without attributes and without its ``__init__``."""
    cls = _find_class(module, name)
    if cls is None or cls.__new__ is not _new or hasattr(cls, "__del__"):
        raise CheckpointError(f"a {module}.{name} may not be in a state")
    return _new(cls)


def restore_method(of: object, name: str) -> MethodType:
    """A method of an object whose class, or a class above it, defines it."""
    found = next((vars(cls)[name] for cls in type(of).__mro__ if name in vars(cls)), None)
    is_pure = type(of).__module__.startswith(METHOD_PACKAGES) and not name.startswith("__")
    if not is_pure or not isinstance(found, FunctionType):
        raise CheckpointError(f"the method {name!r} of a {type(of).__name__} may not be in a state")
    return MethodType(found, of)


def restore_array(content: bytes, kind: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """An array of numbers from its bytes."""
    if np.dtype(kind).kind not in "biuf":
        raise CheckpointError(f"an array of {kind} may not be in a state")
    return np.frombuffer(content, dtype=kind).reshape(shape).copy()


def restore_generator(state: dict[str, Any]) -> np.random.Generator:
    """A random generator that goes on where the one with this state stood."""
    stream = np.random.PCG64(0)
    stream.state = state  # type: ignore[assignment]
    return np.random.Generator(stream)


class _Reducers(dict[type, Callable[[Any], Any]]):
    """How each type is taken apart; a type is looked at when the first object of it is met."""

    def __missing__(self, cls: type) -> Callable[[Any], Any]:
        if issubclass(cls, type):
            raise KeyError(cls)  # A class is written as its name.
        self[cls] = reducer = _find_reducer(cls)
        return reducer


class _Pickler(pickle.Pickler):
    dispatch_table: Any = _Reducers(
        {
            MethodType: lambda method: (restore_method, (method.__self__, method.__name__)),
            np.random.Generator: lambda stream: (restore_generator, (_state_of(stream),)),
            np.ndarray: lambda array: (restore_array, (array.tobytes(), array.dtype.str, array.shape)),
        }
    )


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        known = _KNOWN.get((module, name))
        if known is None:
            known = _find_class(module, name)
            if not is_value_class(known):
                raise CheckpointError(f"{module}.{name} may not be in a state")
        return known


def _find_class(module: str, name: str) -> Any:
    """A class that a module of this project, which is loaded already, defines under this name."""
    if module.partition(".")[0] not in PACKAGES or module not in sys.modules:
        return None
    found = vars(sys.modules[module]).get(name)
    return found if isinstance(found, type) and found.__module__ == module else None


def _find_reducer(cls: type) -> Callable[[Any], Any]:
    if cls in _KNOWN_TYPES:
        return lambda of: of.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    if _find_class(cls.__module__, cls.__qualname__) is not cls:
        raise CheckpointError(f"a {cls.__module__}.{cls.__qualname__} may not be in a state")
    if issubclass(cls, msgspec.Struct):
        return _reducer_of(cls, restore_struct, cls.__struct_fields__)
    if is_dataclass(cls) and _is_frozen(cls) and "__slots__" in vars(cls):
        return _reducer_of(cls, restore_value, tuple(each.name for each in fields(cls)))
    if is_value_class(cls):
        return lambda of: of.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    module, name = cls.__module__, cls.__qualname__
    restore_object(module, name)  # So that what cannot be read is not written.
    return lambda of: (restore_object, (module, name), *of.__reduce_ex__(pickle.HIGHEST_PROTOCOL)[2:])


def _reducer_of(cls: type, restore: Callable[..., object], names: tuple[str, ...]) -> Callable[[Any], Any]:
    if len(names) < 2:
        return lambda of: (restore, (cls, *(getattr(of, name) for name in names)))
    values = attrgetter(*names)
    return lambda of: (restore, (cls, *values(of)))


def _is_frozen(cls: Any) -> bool:
    return bool(cls.__dataclass_params__.frozen)


def _find_setters(cls: Any) -> tuple[Callable[[object, object], None], ...]:
    """How to fill the slots of a frozen dataclass, in the order of its fields."""
    found = tuple(getattr(cls, each.name).__set__ for each in fields(cls))
    _SETTERS[cls] = found
    return found


def _state_of(stream: np.random.Generator) -> Mapping[str, Any]:
    if not isinstance(stream.bit_generator, np.random.PCG64):
        raise CheckpointError(f"a {type(stream.bit_generator).__name__} may not be in a state: use PCG64")
    return stream.bit_generator.state


_SETTERS: Final[dict[type, tuple[Callable[[object, object], None], ...]]] = {}
_FUNCTIONS: Final = (
    restore_array,
    restore_generator,
    restore_method,
    restore_object,
    restore_struct,
    restore_value,
)
_CONTAINERS: Final = (Counter, OrderedDict, defaultdict, deque)
_KNOWN: Final[Mapping[tuple[str, str], Any]] = {
    **{("builtins", known.__name__): known for known in (dict, int, list, set, str, tuple)},
    **{("collections", known.__name__): known for known in _CONTAINERS},
    **{(__name__, known.__name__): known for known in _FUNCTIONS},
    ("msgspec._core", "UNSET"): msgspec.UNSET,
}
_KNOWN_TYPES: Final = frozenset({*_CONTAINERS, type(msgspec.UNSET)})
