"""An endpoint and a closed-loop generator in virtual time, whose limit is known: the prober of capacity.offline."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

Row = tuple[float, float, float, int | None]


@dataclass
class Model:
    """`servers` work at a time; `admitted` may be inside (None: no end); the rest is rejected at once."""

    servers: int = 8
    admitted: int | None = 8
    service_s: float = 0.02
    spread: float = 0.0
    replicas: int = 1  # requests are routed at random over as many pools of the above
    reject_s: float = 0.001
    cold_s: float = 0.0  # until then service takes `cold_factor` times as long
    cold_factor: float = 1.0
    unready_s: float = 0.0  # until then everything is rejected
    stall_every_s: float = 0.0
    stall_s: float = 0.0
    error_ratio: float = 0.0
    error_status: int = 500
    client_cap_rps: float = math.inf  # the generator sends no faster than this
    seed: int = 1
    now_s: float = 0.0
    rejected: int = 0
    attempts: int = 0
    _busy: list[int] = field(default_factory=list)
    _line: list[deque] = field(default_factory=list)
    _events: list = field(default_factory=list)
    _flying: set[int] = field(default_factory=set)
    _count: int = 0
    _sent_next_s: float = 0.0
    _lag_s: float = 0.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self._busy = [0] * self.replicas
        self._line = [deque() for _ in range(self.replicas)]

    def client(self) -> dict[str, float] | None:
        if math.isinf(self.client_cap_rps):
            return None
        return {"timely_ratio": 1.0, "lag_p99_s": self._lag_s, "cpu_ratio": 0.5}

    def run(self, level: int, max_s: float, stop: Callable[[Row], bool] | None = None) -> list[Row]:
        end_s, start_s, rows = self.now_s + max_s, self.now_s, []
        self._lag_s = 0.0
        for user in range(level):
            if user not in self._flying:
                self._at(self.now_s, ("send", user, start_s))
        while self._events and self._events[0][0] <= end_s:
            self.now_s, _, event = heapq.heappop(self._events)
            row = self._happen(event, level, start_s)
            if row is not None and row[1] >= start_s:
                rows.append(row)
                if stop is not None and stop(row):
                    self._drop_sends()
                    return rows
        self.now_s = end_s
        self._drop_sends()
        return rows

    def _drop_sends(self) -> None:
        self._events = [item for item in self._events if item[2][0] != "send"]
        heapq.heapify(self._events)

    def _at(self, time_s: float, event: tuple) -> None:
        self._count += 1
        heapq.heappush(self._events, (time_s, self._count, event))

    def _happen(self, event: tuple, level: int, start_s: float) -> Row | None:
        if event[0] == "send":
            self._send(event[1])
            return None
        if event[0] == "served":
            self._leave(event[1])
            self._at(self.now_s, ("answer", event[2], event[3], self._status()))
            return None
        _, user, sent_s, status = event
        self._flying.discard(user)
        if user < level:
            wait_s = self.service_s if status in (429, 503) else 0.0
            self._at(self.now_s + wait_s, ("send", user, start_s))
        return (sent_s, sent_s, self.now_s - sent_s, status)

    def _send(self, user: int) -> None:
        if user in self._flying:
            return
        at_s = max(self.now_s, self._sent_next_s)
        self._sent_next_s = at_s + 1 / self.client_cap_rps
        self._lag_s = max(self._lag_s, at_s - self.now_s)
        self._flying.add(user)
        self.attempts += 1
        pool = self.random.randrange(self.replicas)
        inside = self._busy[pool] + len(self._line[pool])
        if self.now_s < self.unready_s or (self.admitted is not None and inside >= self.admitted):
            self.rejected += 1
            self._at(at_s + self.reject_s, ("answer", user, self.now_s, 503))
        elif self._busy[pool] < self.servers:
            self._serve(pool, user, self.now_s, at_s)
        else:
            self._line[pool].append((user, self.now_s))

    def _leave(self, pool: int) -> None:
        self._busy[pool] -= 1
        if self._line[pool]:
            user, sent_s = self._line[pool].popleft()
            self._serve(pool, user, sent_s, self.now_s)

    def _serve(self, pool: int, user: int, sent_s: float, from_s: float) -> None:
        self._busy[pool] += 1
        self._at(self._done_s(from_s, self._draw()), ("served", pool, user, sent_s))

    def _draw(self) -> float:
        factor = self.cold_factor if self.now_s < self.cold_s else 1.0
        if not self.spread:
            return factor * self.service_s
        sigma2 = math.log(1 + self.spread**2)
        return factor * self.service_s * math.exp(self.random.gauss(-sigma2 / 2, math.sqrt(sigma2)))

    def _done_s(self, from_s: float, work_s: float) -> float:
        if not self.stall_every_s:
            return from_s + work_s
        while True:
            phase = from_s % self.stall_every_s
            if phase < self.stall_s and from_s > self.stall_every_s:
                from_s += self.stall_s - phase
                phase = self.stall_s
            left = self.stall_every_s - phase
            if work_s <= left:
                return from_s + work_s
            from_s, work_s = from_s + left, work_s - left

    def _status(self) -> int:
        return self.error_status if self.error_ratio and self.random.random() < self.error_ratio else 200
