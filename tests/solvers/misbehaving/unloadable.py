"""Classes that the plug-in door refuses."""

import os
import time
from typing import NoReturn


class NoSolve:
    pass


class NeedsArguments:
    def __init__(self, depth: int) -> None:
        self.depth = depth

    def solve(self) -> None:
        pass


class House:
    def solve(self) -> None:
        pass


class SlowToMake:
    def __init__(self) -> None:
        time.sleep(3_600)

    def solve(self) -> None:
        pass


class ExitsWhenMade:
    def __init__(self) -> NoReturn:
        raise SystemExit(4)

    def solve(self) -> None:
        pass


class EndsWhenMade:
    def __init__(self) -> None:
        os._exit(9)

    def solve(self) -> None:
        pass


def function() -> None:
    pass
