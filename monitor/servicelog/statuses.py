"""Requests of servers 0.7 and older: a status alone, then the access line of a web server that knows no process.

An access line counts, as it tells the method; it takes the status that has waited longest for it. A status that no
access line follows counts by itself: the client was gone, or nothing writes access lines.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from monitor.servicelog.line import Line

MOST_APART = 256  # requests between a status and its access line
_DOUBLED_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Answered:
    """A request to be counted. `at_ms` is None where nothing tells it."""

    number: int
    at_ms: int | None
    status: int
    is_local: bool = False  # the instant is of a clock whose zone the line does not tell


class Statuses:
    """Owns the statuses that wait for their access lines."""

    def __init__(self) -> None:
        self._waiting: dict[int, deque[tuple[int, Answered]]] = {}
        self._seen = 0
        self._count = 0
        self._zone_ms = 0
        self._has_access = False
        self._last: tuple[int, Line] | None = None
        self._doubtful: deque[Answered] = deque(maxlen=1_000_000)

    def status(self, line: Line, number: int, at_ms: int | None) -> list[Answered]:
        """A status stands alone. Returned are those that have waited too long."""
        answered = Answered(number, at_ms, line.status or 0, is_local=line.at_ms is not None)
        doubled = self._last is not None and self._last[0] == number - 1 and self._last[1].status == line.status
        last = None if self._last is None else self._last[1]
        self._last = (number, line)
        if doubled and last is not None:
            if last.format != line.format:
                return []  # the same message by two handlers, one with and one without what stands in front
            if line.at_ms is not None and last.at_ms == line.at_ms:
                self._doubtful.append(answered)
                return []
        self._seen += 1
        self._count += 1
        self._waiting.setdefault(answered.status, deque()).append((self._seen, answered))
        return self._left_behind()

    def access(self, status: int, zone_ms: int) -> list[Answered]:
        """An access line of a web server: the status it belongs to waits no longer."""
        self._has_access = True
        self._zone_ms = zone_ms
        self._seen += 1
        waiting = self._waiting.get(status)
        late = self._left_behind()
        if waiting:
            waiting.popleft()
        return late

    def close(self) -> list[Answered]:
        """Statuses without an access line; equal ones of one instant where not every line is doubled."""
        left = [self._timed(one) for waiting in self._waiting.values() for _, one in waiting]
        self._waiting.clear()
        if not self._has_access and len(self._doubtful) < _DOUBLED_SHARE * self._count:
            left += self._doubtful
        self._doubtful.clear()
        return sorted(left, key=lambda one: one.number)

    @property
    def is_empty(self) -> bool:
        """True when an access line would find no status."""
        return not any(self._waiting.values())

    def skip(self, count: int, zone_ms: int) -> None:
        """So many access lines came while nothing waited."""
        self._seen += count
        self._has_access = True
        self._zone_ms = zone_ms

    def _left_behind(self) -> list[Answered]:
        late: list[Answered] = []
        for waiting in self._waiting.values():
            while waiting and self._seen - waiting[0][0] > MOST_APART:
                late.append(self._timed(waiting.popleft()[1]))
        return late

    def _timed(self, answered: Answered) -> Answered:
        """At the instant in UTC: the clock of the lines without a zone is that of the access lines."""
        if answered.at_ms is None or not answered.is_local:
            return answered
        return Answered(answered.number, answered.at_ms - self._zone_ms, answered.status)
