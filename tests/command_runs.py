"""The command line in this process: what a command says, and how it ends."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from rich.console import Console

from intents import command_line

Run = Callable[..., "Answer"]


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit status."""

    status: object
    out: str
    err: str


def make_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A call that runs the command line with the arguments of a command."""
    monkeypatch.setattr(command_line, "progress_to", Console(stderr=True, width=200))

    def run_command(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["solvent", *arguments])
        with pytest.raises(SystemExit) as caught:
            command_line.main()
        said = capsys.readouterr()
        return Answer(caught.value.code or 0, said.out, said.err)

    return run_command
