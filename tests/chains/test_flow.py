import numpy as np
import pytest

from chains.venues.flow import Flow, FlowClock, FlowDraws, FlowEvent


def draws(flow: Flow, *, seed: int, count: int) -> list[FlowEvent]:
    source = FlowDraws(flow, stream=np.random.Generator(np.random.PCG64(seed)))
    return [source.next_event() for _ in range(count)]


def test_the_same_seed_draws_the_same_events() -> None:
    flow = Flow()
    assert draws(flow, seed=5, count=1_000) == draws(flow, seed=5, count=1_000)
    assert draws(flow, seed=5, count=10) != draws(flow, seed=6, count=10)


def test_events_have_the_rates_and_bounds_of_their_flow() -> None:
    flow = Flow(mean_gap_us=50_000, lots_max=7, restore_bps=3_000)
    events = draws(flow, seed=1, count=20_000)
    gaps = np.array([event.gap_us for event in events])
    assert gaps.min() >= 1
    # Five standard errors of the mean of an exponential.
    assert abs(gaps.mean() - 50_000) < 5 * 50_000 / np.sqrt(20_000)
    assert abs(gaps.std() - 50_000) < 2_500
    assert abs(np.mean([event.restores for event in events]) - 0.3) < 0.02
    assert {event.lots for event in events} == set(range(1, 8))
    assert all(isinstance(event.gap_us, int) and isinstance(event.lots, int) for event in events[:50])


def test_a_place_is_picked_evenly_and_within_bounds() -> None:
    events = draws(Flow(), seed=2, count=9_000)
    counts = np.bincount([event.pick(3) for event in events], minlength=3)
    assert counts.size == 3
    assert abs(counts - 3_000).max() < 300
    assert FlowEvent(1, True, 1, 2**32 - 1).pick(10) == 9
    assert FlowEvent(1, True, 1, 0).pick(10) == 0


def test_a_clock_lets_the_drawn_events_come_one_gap_after_the_other() -> None:
    flow = Flow(mean_gap_us=5_000)
    clock = FlowClock(flow, start_us=100, stream=np.random.Generator(np.random.PCG64(3)))
    expected = draws(flow, seed=3, count=500)
    at_us = 100
    for event in expected:
        at_us += event.gap_us
        assert clock.next_us == at_us
        assert clock.take() == event
    clock.stop()
    assert clock.next_us is None
    with pytest.raises(AssertionError, match="stopped"):
        clock.take()


def test_a_flow_that_is_off_never_comes() -> None:
    clock = FlowClock(Flow(mean_gap_us=0), start_us=0, stream=np.random.Generator(np.random.PCG64(0)))
    assert clock.next_us is None
