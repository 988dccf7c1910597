"""Outside flow: everybody else who trades on a venue, as events at random instants.

The gaps between events are exponential, rounded to whole microseconds and at least one. Each event has
three further draws, all made whether or not they are used, so that the instants of a venue's flow never
depend on what deals do there.
"""

from typing import Final, NamedTuple

import numpy as np

from chains.units import BPS
from chains.wire import Count, Positive, Wire

MEAN_GAP_LEAST_US: Final = 1_000
"""The busiest outside flow that a world file may ask for: one event per millisecond on average."""

_BATCH: Final = 256


class Flow(Wire, frozen=True, kw_only=True):
    """Outside flow of one venue.

    Events come with exponential gaps of `mean_gap_us` on average (0: never). A share of
    `restore_bps` of them brings back lots that were taken before; the others take up to `lots_max`
    lots. A share above one half makes the venue return to its source. With the defaults about one
    in a hundred deals of a few offers at the touch of the reference world finds its lots gone.
    """

    mean_gap_us: Count = 1_000_000
    lots_max: Positive = 200
    restore_bps: Count = 5_500


class FlowEvent(NamedTuple):
    """What one event draws.

    Attributes
    ----------
    gap_us : since the event before, at least 1
    restores : whether it brings lots back
    lots : how many it would take, 1 to `lots_max`
    where : a number below 2**32 that picks a place
    """

    gap_us: int
    restores: bool
    lots: int
    where: int

    def pick(self, count: int) -> int:
        """An index below `count`, all with the same chance (to one part in 2**32)."""
        return (self.where * count) >> 32


class FlowDraws:
    """The endless events of one venue, drawn from its own stream."""

    def __init__(self, flow: Flow, *, stream: np.random.Generator) -> None:
        self._flow = flow
        self._stream = stream
        self._drawn: list[FlowEvent] = []

    def next_event(self) -> FlowEvent:
        """The next event; the venue's flow must not be off."""
        if not self._drawn:
            gaps = self._stream.exponential(self._flow.mean_gap_us, _BATCH)
            kinds = self._stream.integers(BPS, size=_BATCH)
            lots = self._stream.integers(1, self._flow.lots_max, size=_BATCH, endpoint=True)
            places = self._stream.integers(2**32, size=_BATCH)
            self._drawn = [
                FlowEvent(max(1, round(gap)), kind < self._flow.restore_bps, size, place)
                for gap, kind, size, place in zip(
                    gaps.tolist(), kinds.tolist(), lots.tolist(), places.tolist(), strict=True
                )
            ][::-1]
        return self._drawn.pop()


class FlowClock:
    """When the outside flow of one venue comes, and what each event draws.

    Attributes
    ----------
    next_us : the instant of the next event; None if there is none
    """

    def __init__(self, flow: Flow, *, start_us: int, stream: np.random.Generator) -> None:
        self._draws = FlowDraws(flow, stream=stream)
        self._event = self._draws.next_event()
        self.next_us: int | None = start_us + self._event.gap_us if flow.mean_gap_us else None

    def take(self) -> FlowEvent:
        """The event that is due; the instant of the next one is drawn."""
        assert self.next_us is not None, "flow that has stopped has no events"
        event, self._event = self._event, self._draws.next_event()
        self.next_us += self._event.gap_us
        return event

    def stop(self) -> None:
        """Let no event come any more."""
        self.next_us = None
