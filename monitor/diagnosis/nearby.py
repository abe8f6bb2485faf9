"""What happened to the service around an instant."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime, timedelta

from scoring.served import Event, EventKind

DEATHS = frozenset(
    {
        EventKind.WORKER_EXITED,
        EventKind.WORKER_BOOTED,
        EventKind.WORKER_KILLED,
        EventKind.WORKER_TIMED_OUT,
        EventKind.OUT_OF_MEMORY,
        EventKind.KILLING,
        EventKind.SERVER_STOPPED,
        EventKind.CONTAINER_STARTED,
    }
)
"""Events of a process that ends or begins: they touch the requests of a few seconds."""
DEATH_S = 5.0
STATE_S = 60.0
"""Events of a state (probes failing, back-off, a script that does not load) hold longer."""


class Nearby:
    """Events by time. Those without a time are near nothing."""

    def __init__(self, events: Iterable[Event]) -> None:
        timed = [(event.at, event) for event in events if event.at is not None and event.kind is not EventKind.OTHER]
        timed.sort(key=lambda pair: pair[0])
        self._times = [at for at, _ in timed]
        self._events = [event for _, event in timed]

    def between(self, start: datetime | None, end: datetime | None) -> tuple[Event, ...]:
        """Deaths from 5 s before the start to 5 s after the end, states within 60 s."""
        if start is None or not self._events:
            return ()
        end = end or start
        wide, narrow = timedelta(seconds=STATE_S), timedelta(seconds=DEATH_S)
        found: list[Event] = []
        for place in range(bisect_left(self._times, start - wide), len(self._times)):
            at = self._times[place]
            if at > end + wide or len(found) >= 50:
                break
            event = self._events[place]
            if event.kind not in DEATHS or start - narrow <= at <= end + narrow:
                found.append(event)
        return tuple(found)
