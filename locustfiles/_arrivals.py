"""Edge: hands the requests of an open loop to free connections, each when it is due.

Due times are absolute: what is late does not put off what follows. A request that finds every connection in use waits
in order, is sent as soon as one is free, and is late; what still waits when the gate closes was never sent, and is
counted. The connection used last is used next, so that a low rate keeps few of them warm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from time import monotonic_ns

from capacity.arrivals import Instants, due_times, replayed
from capacity.plan import Plan
from capacity.replay import read_instants
from locustfiles._alarm import alarm
from locustfiles._gate import Hold
from scoring.units import S

Give = Callable[[int | None], object]
"""Switches to a waiting user, with the instant at which its request is due; None: the run is over."""


class Arrivals:
    """Owns the free connections of this process and the requests that wait for one.

    `instants_ns`: of a replay, when its requests were recorded.
    """

    def __init__(self, instants_ns: Instants | None = None) -> None:
        self._instants_ns = instants_ns
        self._free: list[Give] = []  # the one used last stands last
        self._waiting: deque[int] = deque()
        self._due: Iterator[int] = iter(())  # since the opening
        self._opened_ns = 0
        self._end_ns = 0  # nothing is due from here on
        self._next_ns: int | None = None  # when the first request is due that has not been handed out
        self._alarm = alarm(self.hand_out)
        self._again_count = 0  # refused because of a renewal, to be sent once more
        self.is_paused = False
        self.exhausted_count = 0  # requests that found every connection in use
        self.unsent_count = 0  # due before the gate closed, and never sent

    def prepare(self, hold: Hold) -> None:
        """What takes time is done before the hold is opened."""
        due = due_in(hold, self._instants_ns)
        self._due = chain(list(islice(due, 1)), due)
        self._end_ns = int(hold.max_s * S)

    def open(self, opened_ns: int) -> None:
        """The requests of the prepared hold are handed out from now on."""
        self._opened_ns, self._end_ns = opened_ns, opened_ns + self._end_ns
        self._waiting.clear()
        self._again_count = self.exhausted_count = self.unsent_count = 0
        self._advance()
        self._set()

    def close(self, now_ns: int) -> None:
        """Nothing is handed out any more; what was due until now and is not sent has been counted."""
        self.unsent_count += len(self._waiting) + self._again_count
        while self._next_ns is not None and self._next_ns <= now_ns:
            self.unsent_count += 1
            self._advance()
        self._next_ns = None
        self._again_count = 0
        self._waiting.clear()
        self._alarm.clear()

    def refused(self, *, is_open: bool) -> None:
        """A request is to be sent once more with another credential: it waits, or never comes to it."""
        self._again_count += is_open
        self.unsent_count += not is_open

    def again(self) -> None:
        """A request that waited to be sent once more is sent."""
        self._again_count -= 1

    def pause(self) -> None:
        """What is due waits until `resume`."""
        self.is_paused = True

    def resume(self) -> None:
        """What has waited goes to free connections."""
        self.is_paused = False
        self._set(monotonic_ns())

    def next_due(self) -> int | None:
        """The instant at which the request was due that has waited longest; None where none waits."""
        return self._waiting.popleft() if self._waiting and not self.is_paused else None

    def wait(self, give: Give) -> None:
        """The user is free, and is given the next request that is due."""
        self._free.append(give)

    def leave(self, give: Give) -> None:
        """The user waits no more."""
        if give in self._free:
            self._free.remove(give)

    def free(self) -> list[Give]:
        """All users that wait, who wait no more."""
        waiting, self._free = self._free, []
        return waiting

    def stop(self) -> None:
        """Nothing runs on."""
        self._alarm.close()

    def hand_out(self) -> None:
        """To be called in the hub: everything that is due has gone to a free connection, or waits for one."""
        waiting, free = self._waiting, self._free
        while waiting and free and not self.is_paused:
            free.pop()(waiting.popleft())
        while self._next_ns is not None and self._next_ns <= monotonic_ns():
            due_ns = self._next_ns
            self._advance()
            if self._free and not self.is_paused:
                self._free.pop()(due_ns)
            else:
                waiting.append(due_ns)
                self.exhausted_count += not self.is_paused
        self._set()

    def _advance(self) -> None:
        since_ns = next(self._due, None)
        at_ns = None if since_ns is None else self._opened_ns + since_ns
        self._next_ns = at_ns if at_ns is not None and at_ns < self._end_ns else None

    def _set(self, at_ns: int | None = None) -> None:
        at_ns = self._next_ns if at_ns is None else at_ns
        if at_ns is None:
            self._alarm.clear()
        else:
            self._alarm.set(at_ns)


def due_in(hold: Hold, instants_ns: Instants | None) -> Iterator[int]:
    """When the requests of this process are due, in nanoseconds since the opening."""
    if instants_ns is not None:
        return replayed(instants_ns, speed=hold.speed, part=hold.part, parts=hold.parts)
    assert hold.rate is not None  # noqa: S101
    return due_times(hold.rate, hold.spacing, hold.seed, part=hold.part, parts=hold.parts)


def arrivals_of(plan: Plan) -> Arrivals | None:
    """What hands out the requests of an open loop; None in a closed one. RedlineError where a record is not there."""
    if not plan.is_open:
        return None
    return Arrivals(None if plan.replay is None else read_instants(Path(plan.replay)))
