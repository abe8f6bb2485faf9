"""Things with a time and a count, each given away at most as often as it counts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Generic, TypeVar

from scoring.served import Served, Thrown

Item = TypeVar("Item", Served, Thrown)
_MOST_LOOKED_AT = 100


class Slots(Generic[Item]):
    """What is left to be matched, by time. Those given away are skipped in next to no time."""

    def __init__(self, items: Iterable[Item]) -> None:
        timed = [(item.at, place, item) for place, item in enumerate(items) if item.at is not None]
        timed.sort(key=lambda entry: entry[:2])
        self._times = [at for at, _, _ in timed]
        self._items: list[Item] = [item for _, _, item in timed]
        self._left: list[int] = [item.count for item in self._items]
        self._next = list(range(len(timed) + 1))  # from each place, the first one at or after it that has any left
        self._previous = list(range(len(timed) + 1))  # the same backwards, places counted from 1

    def take(
        self, start: datetime, end: datetime, near: datetime, accepts: Callable[[Item], bool], count: int = 1
    ) -> Item | None:
        """The accepted item nearest in time within [start, end], `count` fewer of it are left; None: no such item."""
        middle = bisect_left(self._times, near)
        after = self._first_accepted(middle, end, accepts)
        before = self._last_accepted(middle, start, accepts)
        found = [place for place in (before, after) if place is not None]
        if not found:
            return None
        best = min(found, key=lambda place: abs(self._times[place] - near))
        self._left[best] -= count
        if self._left[best] <= 0:
            self._next[best] = best + 1
            self._previous[best + 1] = best
        return self._items[best]

    def _first_accepted(self, place: int, end: datetime, accepts: Callable[[Item], bool]) -> int | None:
        place = _root(self._next, place)
        for _ in range(_MOST_LOOKED_AT):
            if place >= len(self._items) or self._times[place] > end:
                return None
            if accepts(self._items[place]):
                return place
            place = _root(self._next, place + 1)
        return None

    def _last_accepted(self, place: int, start: datetime, accepts: Callable[[Item], bool]) -> int | None:
        place = _root(self._previous, place)
        for _ in range(_MOST_LOOKED_AT):
            if place == 0 or self._times[place - 1] < start:
                return None
            if accepts(self._items[place - 1]):
                return place - 1
            place = _root(self._previous, place - 1)
        return None


def _root(links: list[int], place: int) -> int:
    """Where the links lead from a place; the way there is shortened for the next time."""
    root = place
    while links[root] != root:
        root = links[root]
    while links[place] != root:
        links[place], place = root, links[place]
    return root
