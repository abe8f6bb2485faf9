"""The loads that a client held, asked by time."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta
from itertools import pairwise

from scoring.told import ClientSide

_STEP = timedelta(seconds=180)
_LATER = timedelta(seconds=120)


class Loads:
    """Stretches in order of time."""

    def __init__(self, client: ClientSide | None) -> None:
        held = sorted(client.stretches, key=lambda one: one.from_at) if client is not None else []
        self._held = held
        self._starts = [one.from_at for one in held]
        self._raised = [one.from_at for one in held[:1]] + [b.from_at for a, b in pairwise(held) if b.users > a.users]

    def users_at(self, at: datetime | None) -> int | None:
        """Concurrent requests the client held at an instant; None where no stretch covers it."""
        place = bisect_right(self._starts, at) if at is not None else 0
        one = self._held[place - 1] if place else None
        return one.users if one is not None and at is not None and at < one.until_at else None

    def is_after_a_step(self, at: datetime | None) -> bool | None:
        """True within three minutes after the load was raised; None where nothing says when it was."""
        if at is None or not self._raised:
            return None
        place = bisect_right(self._raised, at)
        return place > 0 and at - self._raised[place - 1] <= _STEP

    def is_overcome(self, ended_at: datetime | None, good_until_at: datetime | None) -> bool:
        """Failures ended two minutes or more before good answers did, while at least the same load was held."""
        if ended_at is None or good_until_at is None or good_until_at - ended_at < _LATER:
            return False
        held = self.users_at(ended_at)
        if held is None or not self.is_after_a_step(ended_at):
            return False
        return all(one.users >= held for one in self._held if one.until_at > ended_at)
