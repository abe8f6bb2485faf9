"""Requests of servers 0.7 and older: a status alone, then the access line of a web server that knows no process.

An access line counts, as it tells the method; it takes the status that has waited longest for it. A status that no
access line follows counts by itself: the client was gone, or nothing writes access lines.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.servicelog.line import Line

MOST_APART = 256  # requests between a status and its access line
_DOUBLED_SHARE = 0.4
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answered:
    """A request to be counted. `at_ms` is None where nothing tells it."""

    number: int
    at_ms: int | None
    status: int
    is_local: bool = False  # the instant is of a clock whose zone the line does not tell


@dataclass(slots=True)
class Turns:
    """Statuses and access lines in the order of their lines. `told(number)` is the line of a status and its instant."""

    number: Ints
    status: Ints
    is_access: npt.NDArray[np.bool_]
    zone_ms: Ints
    told: Callable[[int], tuple[Line, int | None]]


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

    def take(self, turns: Turns) -> list[Answered]:
        """What comes next, whole: returned are those that have waited too long."""
        if not len(turns.number):
            return []
        left = self._left_of(turns)
        if left is None:
            return self._one_by_one(turns)
        is_status = ~turns.is_access
        self._waiting = {code: waiting for code, waiting in left.items() if waiting}
        self._seen += len(turns.number)
        self._count += int(is_status.sum())
        if turns.is_access.any():
            self._has_access = True
            self._zone_ms = int(turns.zone_ms[turns.is_access][-1])
        if is_status.any():
            last = int(turns.number[is_status][-1])
            self._last = (last, turns.told(last)[0])
        return []

    def close(self) -> list[Answered]:
        """Statuses without an access line; equal ones of one instant where not every line is doubled."""
        left = [self._timed(one) for waiting in self._waiting.values() for _, one in waiting]
        self._waiting.clear()
        if not self._has_access and len(self._doubtful) < _DOUBLED_SHARE * self._count:
            left += self._doubtful
        self._doubtful.clear()
        return sorted(left, key=lambda one: one.number)

    def _one_by_one(self, turns: Turns) -> list[Answered]:
        late: list[Answered] = []
        columns = (turns.number.tolist(), turns.status.tolist(), turns.is_access.tolist(), turns.zone_ms.tolist())
        for number, status, is_access, zone_ms in zip(*columns, strict=True):
            late += self._access(status, zone_ms) if is_access else self._status(number, *turns.told(number))
        return late

    def _status(self, number: int, line: Line, at_ms: int | None) -> list[Answered]:
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

    def _access(self, status: int, zone_ms: int) -> list[Answered]:
        """An access line of a web server: the status it belongs to waits no longer."""
        self._has_access = True
        self._zone_ms = zone_ms
        self._seen += 1
        waiting = self._waiting.get(status)
        late = self._left_behind()
        if waiting:
            waiting.popleft()
        return late

    def _left_of(self, turns: Turns) -> dict[int, deque[tuple[int, Answered]]] | None:
        """The statuses that wait at the end; None where one waits too long, or may be printed twice."""
        if self._may_be_doubled(turns):
            return None
        seen = self._seen + 1 + np.arange(len(turns.number))
        end = int(seen[-1])
        left: dict[int, deque[tuple[int, Answered]]] = {}
        for code in {*self._waiting, *np.flatnonzero(np.bincount(turns.status[~turns.is_access])).tolist()}:
            before = self._waiting.get(code, deque())
            here = np.flatnonzero(turns.status == code)
            since, matched = _matched([one for one, _ in before], seen[here], turns.is_access[here])
            waits = np.concatenate((matched - since[: len(matched)], end - since[len(matched) :]))
            if waits.max(initial=0) > MOST_APART:
                return None
            still = since[len(matched) :].tolist()
            left[code] = deque(one for one in before if one[0] in still)
            left[code].extend((one, self._answered(turns, one)) for one in still if one > self._seen)
        return left

    def _answered(self, turns: Turns, seen: int) -> Answered:
        number = int(turns.number[seen - self._seen - 1])
        line, at_ms = turns.told(number)
        return Answered(number, at_ms, line.status or 0, is_local=line.at_ms is not None)

    def _may_be_doubled(self, turns: Turns) -> bool:
        """Whether two equal statuses stand in neighbouring lines."""
        places = np.flatnonzero(~turns.is_access)
        number, status = turns.number[places], turns.status[places]
        if not len(number):
            return False
        if self._last is not None and self._last[0] == number[0] - 1 and self._last[1].status == status[0]:
            return True
        return bool(((np.diff(number) == 1) & (np.diff(status) == 0)).any())

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


def _matched(before: list[int], seen: Ints, is_access: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """When the statuses of one code came, in order, and when the first of them were taken by access lines.

    An access line takes the oldest status that waits; where none does, it takes nothing.
    """
    balance = len(before) + np.cumsum(np.where(is_access, -1, 1))
    lowest = np.minimum(np.minimum.accumulate(balance), 0) if len(balance) else balance
    takes = is_access & (lowest == np.concatenate(([0], lowest[:-1]))) if len(balance) else is_access
    return np.concatenate((np.array(before, np.int64), seen[~is_access])), seen[takes]
