"""State as bytes: everything that a market holds comes back, and nothing that a file names is run."""

import io
import os
import pickle
import subprocess
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from chains.agenda import Agenda, Priority
from chains.ledger import Ledger, Transfer
from chains.snapshot import StockQuote
from chains.venues.flow import Flow, FlowDraws, FlowEvent
from intents.errors import CheckpointError
from intents.pickled_state import dump_state, load_state, restore_method, restore_object
from intents.settings import Settings
from solvers.reasons import BidReason
from tests.market_run import ALICE
from tests.worlds import CALL, move


def round_trip(state: object) -> Any:
    file = io.BytesIO()
    dump_state(state, file)
    file.seek(0)
    return load_state(file)


def load(content: bytes) -> Any:
    return load_state(io.BytesIO(content))


@pytest.mark.parametrize(
    "value",
    [
        None,
        (1, -(2**70), "text", b"bytes", 1.5, True, [None]),
        {"a": {1, 2}, "b": frozenset({"x"})},
        Counter("abca"),
        OrderedDict([("z", 1), ("a", 2)]),
        deque([1, 2, 3], maxlen=3),
        Transfer(debit="owner:a", credit="owner:b", asset="USDC", amount=7),
        StockQuote(series=CALL, side="buy", price=3, lots=4),
        FlowEvent(1, True, 2, 3),
        Priority.RESTORE,
        BidReason.WON,
        Settings(seed=3),
        msgspec.UNSET,
    ],
)
def test_values_come_back_as_they_were(value: object) -> None:
    found = round_trip([value, value])
    assert found == [value, value]
    assert type(found[0]) is type(value)
    assert found[0] is found[1] or value is None or isinstance(value, bool)


def test_an_order_that_matters_is_kept() -> None:
    found = round_trip((OrderedDict([("z", 1), ("a", 2)]), {"z": 1, "a": 2}, deque("ab", maxlen=2)))
    assert [list(found[0]), list(found[1])] == [["z", "a"], ["z", "a"]]
    found[2].append("c")
    assert list(found[2]) == ["b", "c"]


def test_a_dictionary_goes_on_making_what_is_missing() -> None:
    found = round_trip((defaultdict(list), defaultdict(dict), defaultdict(int), defaultdict(set)))
    assert [each["new"] for each in found] == [[], {}, 0, set()]


def test_what_was_shared_is_shared() -> None:
    ledger = Ledger("hub")
    first, second = round_trip(({"hub": ledger}, [ledger]))
    first["hub"].record([move("outside", f"owner:{ALICE}", "USDC", 5)])
    assert second[0].balance(f"owner:{ALICE}", "USDC") == 5


def test_a_bound_method_is_that_of_the_object_that_came_back() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.enter(5, Priority.FLOW, "first")
    found, enter = round_trip((agenda, agenda.enter))
    enter(3, Priority.FLOW, "before")
    assert [found.pop_due(9).entry, found.pop_due(9).entry] == ["before", "first"]


def test_a_random_stream_goes_on_where_it_stood() -> None:
    draws = FlowDraws(Flow(), stream=np.random.Generator(np.random.PCG64(7)))
    for _ in range(300):
        draws.next_event()
    found = round_trip(draws)
    assert [found.next_event() for _ in range(600)] == [draws.next_event() for _ in range(600)]


@pytest.mark.parametrize("kind", ["<i8", "<f8", "|b1", "<u4"])
def test_an_array_of_numbers_comes_back_and_can_be_written_to(kind: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(kind)
    found = round_trip(array)
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)
    found[0, 0] = 1


@dataclass(frozen=True, slots=True)
class Foreign:
    """A value class of no package of the project."""

    left: int
    right: int


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Foreign(1, 2), "Foreign may not be in a state"),
        (Fraction(1, 2), "fractions.Fraction may not be in a state"),
        (Path("x"), "may not be in a state"),
        (np.float64(1), "numpy.float64 may not be in a state"),
        (np.random.Generator(np.random.Philox(1)), "a Philox may not be in a state"),
        (np.array([{}], dtype=object), "may not be in a state"),
        (lambda: 0, "cannot be written"),
        (io.BytesIO(), "may not be in a state"),
        ((each for each in ()), "may not be in a state"),
    ],
)
def test_what_could_not_be_read_back_is_refused_when_it_is_written(value: object, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        round_trip(value)


class Calls:
    """An object whose pickle calls a function when it is read."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._made = (function, arguments)

    def __reduce__(self) -> Any:
        return self._made


@pytest.mark.parametrize(
    "function",
    [
        eval,
        exec,
        getattr,
        __import__,
        compile,
        open,
        print,
        os.system,
        os.remove,
        subprocess.Popen,
        pickle.loads,
    ],
    ids=lambda function: function.__qualname__,
)
def test_a_file_that_calls_a_function_is_refused_and_the_function_is_not_called(
    function: Callable[..., object], tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("still here")
    content = pickle.dumps(Calls(function, str(victim)))
    with pytest.raises(CheckpointError, match="may not be in a state"):
        load(content)
    assert victim.read_text() == "still here"


def name_of(module: str, name: str) -> bytes:
    """A pickle that does nothing but name something."""
    return b"\x80\x05c" + module.encode() + b"\n" + name.encode() + b"\n."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("builtins", "type"),
        ("builtins", "object"),
        ("copyreg", "_reconstructor"),
        ("functools", "partial"),
        ("operator", "attrgetter"),
        ("types", "FunctionType"),
        ("intents.journal", "Journal"),
        ("intents.journal", "os"),
        ("intents.journal_file", "connect"),
        ("intents.pickled_state", "load_state"),
        ("intents.pickled_state", "pickle"),
        ("intents.pickled_state", "_find_class"),
        ("intents.engine", "Engine"),
        ("chains.world", "World"),
        ("chains.world", "np"),
        ("solvers.process", "SolverProcess"),
        ("solvers.process", "subprocess"),
        ("chains.ledger", "Transfer.__init__"),
        ("chainsaw", "World"),
        ("chains.nowhere", "World"),
        ("tests.market_run", "MarketRun"),
    ],
)
def test_a_file_can_name_no_function_no_module_and_no_class_that_acts(module: str, name: str) -> None:
    with pytest.raises(CheckpointError, match="may not be in a state"):
        load(name_of(module, name))


def test_no_object_that_acts_when_it_goes_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "__del__", lambda self: None, raising=False)
    with pytest.raises(CheckpointError, match=r"a chains\.ledger\.Ledger may not be in a state"):
        restore_object("chains.ledger", "Ledger")


@pytest.mark.parametrize("name", ["__init__", "__class__", "nothing", "chain"])
def test_no_method_but_a_plain_one_can_be_had(name: str) -> None:
    with pytest.raises(CheckpointError, match="may not be in a state"):
        restore_method(Ledger("hub"), name)


def test_no_method_of_what_reaches_outside_can_be_had() -> None:
    for module, name, method in (
        ("solvers.process", "SolverProcess", "kill"),
        ("intents.journal", "Journal", "append"),
        ("intents.serving", "LocalServer", "_run"),
    ):
        __import__(module)
        with pytest.raises(CheckpointError, match="the method"):
            restore_method(restore_object(module, name), method)


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"\x80\x05", b"\x80\x05}", b"no pickle at all", b"\x80\x05\x95" + b"\xff" * 8]
)
def test_what_is_no_pickle_is_an_error_and_not_a_crash(content: bytes) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(content)


def test_a_list_that_contains_itself_does_so_afterwards() -> None:
    loop: list[object] = []
    loop.append(loop)
    found = round_trip(loop)
    assert found[0] is found
