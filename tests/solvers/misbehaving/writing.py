"""Strategies that write a gigabyte, each to another place, and one that leaves a mess."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from solvers.auction import Auction
from solvers.strategy import SolveContext

MIB = 1 << 20
PIECE = b"x" * MIB


class Writing:
    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        self.write()
        yield "the gigabyte was written"

    def write(self) -> None:
        raise NotImplementedError


class ToStdout(Writing):
    def write(self) -> None:
        for _ in range(1_024):
            sys.stdout.buffer.write(PIECE)


class ToStderr(Writing):
    def write(self) -> None:
        for _ in range(1_024):
            os.write(2, PIECE)


class ToFile(Writing):
    def write(self) -> None:
        with Path("long").open("wb") as file:
            for _ in range(1_024):
                file.write(PIECE)


class ToManyFiles(Writing):
    def write(self) -> None:
        for number in range(64):
            Path(f"short-{number}").write_bytes(PIECE * 16)


class MovesItsFolder:
    """Its folder under another name, full, and another one in its place."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        folder = Path.cwd()
        moved = folder.with_name(f"{folder.name}-moved")
        (folder / "inner").mkdir()
        (folder / "inner" / "file").write_text("kept")
        folder.rename(moved)
        folder.mkdir()
        (folder / "file").write_text("not the market's")
        yield str(moved)


class LeavesMess:
    """Folders too deep for a path, one that cannot be entered, and a link that leads outside."""

    def solve(self, auction: Auction, context: SolveContext) -> Iterator[object]:
        folder = Path.cwd()
        (folder / "link").symlink_to(Path(__file__).parent)
        (folder / "closed").mkdir()
        (folder / "closed" / "file").write_text("kept")
        (folder / "closed").chmod(0)
        for _ in range(900):
            os.mkdir("deep")  # noqa: PTH102
            os.chdir("deep")
        yield str(folder)
