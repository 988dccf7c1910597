"""Where the service reads the time: the wall, or a simulation that only moves when it is told.

The engine never reads a clock; the service passes the instant in with every event. A clock never
goes back, and the service never uses an instant before the engine's own, so a wall clock that was
set back only makes time stand still for a while.
"""

import asyncio
import time
from typing import Protocol

from chains.units import MICRO


class Clock(Protocol):
    """A source of the time in microseconds UTC."""

    def now_us(self) -> int:
        """The time now; never before an earlier answer."""
        ...

    async def wait_until(self, at_us: int) -> None:
        """Return when the time is at or past an instant."""
        ...


class WallClock:
    """The machine's clock."""

    def __init__(self) -> None:
        self._latest_us = 0

    def now_us(self) -> int:
        """Microseconds since 1970 UTC, or the latest answer where the machine's clock went back."""
        self._latest_us = max(self._latest_us, time.time_ns() // 1_000)
        return self._latest_us

    async def wait_until(self, at_us: int) -> None:
        """Sleep until an instant."""
        while (left_us := at_us - self.now_us()) > 0:
            await asyncio.sleep(left_us / MICRO)


class SimulatedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start_us: int) -> None:
        self._now_us = start_us

    def now_us(self) -> int:
        """The simulated instant."""
        return self._now_us

    async def wait_until(self, at_us: int) -> None:
        """Go to an instant at once, unless it has passed."""
        self._now_us = max(self._now_us, at_us)

    def advance_to(self, at_us: int) -> None:
        """Move on to an instant.

        Raises
        ------
        ValueError
            If the instant is in the past.
        """
        if at_us < self._now_us:
            raise ValueError(f"simulated time cannot go back from {self._now_us} to {at_us}")
        self._now_us = at_us
