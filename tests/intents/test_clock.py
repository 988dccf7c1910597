"""Clocks never go back."""

import time

import pytest

from intents.clock import SimulatedClock, WallClock


def test_the_wall_clock_stands_still_where_the_machines_clock_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readings = iter([5_000, 3_000, 9_000])
    monkeypatch.setattr(time, "time_ns", lambda: next(readings))
    clock = WallClock()
    assert [clock.now_us() for _ in range(3)] == [5, 5, 9]


def test_simulated_time_moves_only_when_told_and_never_back() -> None:
    clock = SimulatedClock(10)
    assert clock.now_us() == clock.now_us() == 10
    clock.advance_to(12)
    assert clock.now_us() == 12
    with pytest.raises(ValueError, match="go back from 12 to 11"):
        clock.advance_to(11)
