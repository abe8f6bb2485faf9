"""An endpoint and a closed-loop load generator in virtual time, whose limit is known.

It is a prober of `capacity.offline.find_limit`: it has the search's answer to compare with, and counts of its own.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from capacity.offline import Row

Event = tuple[float, int, Callable[[], Row | None]]
"""(when, order among equals, what happens); what happens may hand a row to the generator."""


@dataclass
class Model:
    """`servers` requests are worked on at a time and `admitted` may be inside; one more is rejected at once.

    >>> from capacity.offline import find_limit
    >>> find_limit(Model(servers=4, admitted=4), ["rejected<=0.1%"], max_level=64).limits[0].level
    4
    """

    servers: int = 8
    admitted: int | None = 8  # None: no end to the queue
    replicas: int = 1  # pools of the above; each request goes to one at random
    service_s: float = 0.02  # mean
    spread: float = 0.0  # coefficient of variation, log-normal
    reject_s: float = 0.001
    reject_status: int = 503
    error_ratio: float = 0.0
    error_status: int | None = 500  # None: no answer
    cold_s: float = 0.0  # until then service takes `cold_factor` times as long
    cold_factor: float = 1.0
    unready_s: float = 0.0  # until then everything is rejected
    stall_every_s: float = 0.0  # from the first such instant on, work stands still for `stall_s`
    stall_s: float = 0.0
    client_rps: float = math.inf  # the generator reads no more answers than this; the others wait in it
    counts_from_run: bool = False  # the clock of the rows: since the start of the run instead of the model's own
    carries_over: bool = False  # a run also returns the answers to what an earlier run had sent
    seed: int = 1
    now_s: float = 0.0

    sent_count: int = field(default=0, init=False)
    answered: Counter[int | None] = field(default_factory=Counter, init=False)  # status → answers that came back

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._busy = [0] * self.replicas
        self._line: list[deque[tuple[int, float]]] = [deque() for _ in range(self.replicas)]
        self._events: list[Event] = []
        self._event_count = 0
        self._in_flight: set[int] = set()
        self._run = self._level = 0
        self._run_s = self._reader_free_s = 0.0
        self._lags_s: list[float] = []

    def run(self, level: int, max_s: float, stop: Callable[[Row], bool] | None = None) -> list[Row]:
        """The answers of a run of `level` users, in the order in which they came back; level 0 waits.

        What is in flight at the end stays so. A user that waited after a rejection begins anew with the next run.
        """
        started_s, end_s, rows = self.now_s, self.now_s + max_s, []
        self._run, self._level, self._lags_s = self._run + 1, level, []
        for user in range(level):
            self._send(user, self._run)
        while self._events and self._events[0][0] <= end_s:
            self.now_s, _, happens = heapq.heappop(self._events)
            row = happens()
            if row is None or (row[1] < started_s and not self.carries_over):
                continue
            zero_s = started_s if self.counts_from_run else 0.0
            rows.append((row[0] - zero_s, row[1] - zero_s, row[2], row[3]))
            if stop is not None and stop(rows[-1]):
                break
        else:
            self.now_s = end_s
        self._run_s = self.now_s - started_s
        return rows

    def client(self) -> dict[str, float] | None:
        """What the generator says of its last run; None for one that is never the wall."""
        if math.isinf(self.client_rps):
            return None
        lags_s = sorted(self._lags_s)
        return {
            "timely_ratio": 1.0,  # it sends as soon as it has read
            "lag_p99_s": lags_s[math.ceil(0.99 * len(lags_s)) - 1] if lags_s else 0.0,
            "cpu_ratio": min(len(lags_s) / self.client_rps / self._run_s, 1.0) if self._run_s else 0.0,
        }

    def _at(self, time_s: float, happens: Callable[[], Row | None]) -> None:
        self._event_count += 1
        heapq.heappush(self._events, (time_s, self._event_count, happens))

    def _send(self, user: int, run: int) -> None:
        """One request of the user, unless one is in flight or the run that wanted it is over."""
        if run != self._run or user in self._in_flight:
            return
        self._in_flight.add(user)
        self.sent_count += 1
        pool = self._random.randrange(self.replicas)
        inside = self._busy[pool] + len(self._line[pool])
        if self.now_s < self.unready_s or (self.admitted is not None and inside >= self.admitted):
            self._at(self.now_s + self.reject_s, partial(self._answer, user, self.now_s, self.reject_status))
        elif self._busy[pool] < self.servers:
            self._serve(pool, user, self.now_s)
        else:
            self._line[pool].append((user, self.now_s))

    def _serve(self, pool: int, user: int, sent_s: float) -> None:
        self._busy[pool] += 1
        self._at(self._done_s(self._work_s()), partial(self._served, pool, user, sent_s))

    def _served(self, pool: int, user: int, sent_s: float) -> Row | None:
        self._busy[pool] -= 1
        if self._line[pool]:
            self._serve(pool, *self._line[pool].popleft())
        failed = self.error_ratio > 0 and self._random.random() < self.error_ratio
        return self._answer(user, sent_s, self.error_status if failed else 200)

    def _answer(self, user: int, sent_s: float, status: int | None) -> Row | None:
        """The row where the generator reads at once; otherwise the answer waits until those before it are read."""
        if math.isinf(self.client_rps):
            return self._read(user, sent_s, status)
        read_s = max(self.now_s, self._reader_free_s)
        self._reader_free_s = read_s + 1 / self.client_rps
        self._lags_s.append(read_s - self.now_s)
        self._at(read_s, partial(self._read, user, sent_s, status))
        return None

    def _read(self, user: int, sent_s: float, status: int | None) -> Row:
        self._in_flight.discard(user)
        self.answered[status] += 1
        if user < self._level:
            wait_s = self.service_s if status in (429, 503) else 0.0
            self._at(self.now_s + wait_s, partial(self._send, user, self._run))
        return (sent_s, sent_s, self.now_s - sent_s, status)

    def _work_s(self) -> float:
        mean_s = self.service_s * (self.cold_factor if self.now_s < self.cold_s else 1.0)
        if not self.spread:
            return mean_s
        variance = math.log(1 + self.spread**2)
        return mean_s * math.exp(self._random.gauss(-variance / 2, math.sqrt(variance)))

    def _done_s(self, work_s: float) -> float:
        """When work begun now is done: stalls add their time to what they interrupt."""
        every_s, from_s = self.stall_every_s, self.now_s
        if not every_s:
            return from_s + work_s
        period = int(from_s // every_s)
        if period:
            from_s = max(from_s, period * every_s + self.stall_s)
        while from_s + work_s > (period + 1) * every_s:
            work_s -= (period + 1) * every_s - from_s
            period += 1
            from_s = period * every_s + self.stall_s
        return from_s + work_s


def bad_ratio(level: int, slow_s: float, seconds: float, model: Model) -> float:
    """The long-run fraction of answers that are slower than `slow_s` or not good, the first tenth left out."""
    rows = model.run(level, seconds)
    kept = rows[len(rows) // 10 :]
    return sum(row[2] > slow_s or row[3] != 200 for row in kept) / len(kept)
