"""An endpoint and a load generator in virtual time: one heap of events, about 200,000 requests a second.

`Endpoint` is a prober of `capacity.offline.find_limit`, and counts by itself what it was sent and what
it rejected. It shares no code with the search.
"""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Row = tuple[float, float, float, int | None]
Request = list[Any]
"""[user, due_s, sent_s, answered, tries]"""
REJECTED = (429, 503)
DUE, DONE, ANSWER, GIVEN_UP = range(4)


@dataclass(frozen=True, slots=True)
class Service:
    """What there is to be found. `replicas` pools of `servers`; a request goes to one at random and stays there."""

    servers: int = 8  # requests that a replica works on at once
    room: int | None = None  # requests that may be inside a replica; one more is rejected. None: it queues without end
    replicas: int = 1
    service_s: float = 0.05  # mean
    shape: str = "lognormal"  # "constant", "lognormal", "gamma" or "bimodal"
    spread: float = 0.3  # coefficient of variation
    reject_s: float = 0.001
    reject_status: int = 503
    error_ratio: float = 0.0  # of the answers, whatever the load
    error_status: int | None = 500
    cold_s: float = 0.0  # until then work takes `cold_factor` times as long
    cold_factor: float = 1.0
    unready_s: float = 0.0  # until then everything is rejected
    stall_every_s: float = 0.0  # mean time between stalls, exponential; all work stands still for `stall_s`
    stall_s: float = 0.0
    stall_fixed: bool = False  # stalls come at equal distances
    thrash_ratio: float = 0.0  # work is longer by this share for each request inside beyond `servers`
    leak_per_s: float = 0.0  # work is longer by this share for each second since the start
    scale_to: int = 0  # replicas share one queue and grow by `replicas` at a time up to this, each `scale_s` apart
    scale_s: float = 0.0  # seconds of high use, in all, before replicas are added
    quota_rps: float = 0.0  # token bucket of half a second; beyond it 429
    give_up_s: float = 0.0  # the gateway's time-out for one try; 0: none
    retries: int = 0  # tries that the gateway adds by itself while the first are still being worked on
    client_rps: float = math.inf  # the generator reads no more answers than this


class Endpoint:
    """The service under one seed. `open_loop`: levels are requests per second, due by a Poisson process."""

    def __init__(self, service: Service, seed: int = 1, *, open_loop: bool = False) -> None:
        self.service = service
        self.now_s = 0.0
        self.sent_count = self.rejected_count = 0
        self._random = random.Random(seed)
        self._stalls = _Stalls(service, random.Random(f"stalls {seed}"))
        self._open = open_loop
        pools = 1 if service.scale_to else service.replicas
        self._slots = service.servers * (service.replicas if service.scale_to else 1)
        self._busy, self._line = [0] * pools, [deque[Request]() for _ in range(pools)]
        self._events: list[tuple[float, int, int, Any, Any]] = []
        self._order = self._run = 0
        self._level: float = 0
        self._in_flight: set[int] = set()
        self._reader_free_s = self._sender_free_s = self._run_s = 0.0
        self._lags_s: list[float] = []
        self._late_count = self._read_count = self._run_sent = 0
        self._tokens, self._tokens_s = service.quota_rps * 0.5, 0.0
        self._high_s = self._asked_s = 0.0
        self._draw = _drawn(service, self._random)

    def run(self, level: float, max_s: float, stop: Callable[[Row], bool] | None = None) -> list[Row]:
        """The answers to what was sent in this run, in the order in which they came; level 0 waits."""
        started_s, end_s = self.now_s, self.now_s + max_s
        rows: list[Row] = []
        self._run += 1
        self._level, self._lags_s = level, []
        self._late_count = self._read_count = self._run_sent = 0
        self._begin(level)
        events, pop = self._events, heapq.heappop
        while events and events[0][0] <= end_s:
            self.now_s, _, what, first, second = pop(events)
            row = None
            if what == DONE:
                row = self._done(first)
            elif what == DUE:
                self._due(first, second)
            elif what == ANSWER:
                row = self._read(first, second)
            else:
                row = self._given_up(first, second)
            if row is not None and row[1] >= started_s:
                rows.append(row)
                if stop is not None and stop(row):
                    break
        else:
            self.now_s = end_s
        self._run_s = self.now_s - started_s
        return rows

    def client(self) -> dict[str, float] | None:
        """What the generator says of its last run; None for one that is never the wall."""
        if math.isinf(self.service.client_rps):
            return None
        lags_s = sorted(self._lags_s)
        busy = self._read_count / self.service.client_rps
        return {
            "timely_ratio": 1.0 - self._late_count / max(self._run_sent, 1),
            "lag_p99_s": lags_s[math.ceil(0.99 * len(lags_s)) - 1] if lags_s else 0.0,
            "cpu_ratio": min(busy / self._run_s, 1.0) if self._run_s else 0.0,
        }

    def _at(self, time_s: float, what: int, first: Any, second: Any) -> None:
        self._order += 1
        heapq.heappush(self._events, (time_s, self._order, what, first, second))

    def _begin(self, level: float) -> None:
        if self._open:
            if level > 0:
                self._at(self.now_s + self._random.expovariate(level), DUE, -1, self._run)
            return
        for user in range(int(level)):
            if user not in self._in_flight:
                self._send(user, self.now_s)

    def _due(self, user: int, run: int) -> None:
        if run != self._run:
            return
        if user >= 0:
            if user not in self._in_flight:
                self._send(user, self.now_s)
            return
        self._at(self.now_s + self._random.expovariate(self._level), DUE, -1, run)
        self._send(-1, self.now_s)

    def _send(self, user: int, due_s: float) -> None:
        """The generator's own backlog comes before the request leaves."""
        self._in_flight.add(user)
        self.sent_count += 1
        self._run_sent += 1
        sent_s = self.now_s
        if self._open and self._reader_free_s > sent_s:
            self._late_count += self._reader_free_s - sent_s > 0.001
            sent_s = self._reader_free_s
        self._arrive([user, due_s, sent_s, False, 0])

    def _arrive(self, request: Request) -> None:
        service = self.service
        if self.now_s < service.unready_s or (service.quota_rps and not self._may_pass()):
            status = 503 if self.now_s < service.unready_s else 429
            self._at(self.now_s + service.reject_s, ANSWER, request, status)
            return
        pool = self._random.randrange(len(self._busy)) if len(self._busy) > 1 else 0
        inside = self._busy[pool] + len(self._line[pool])
        room = service.room
        if room is not None and service.scale_to:
            room = room * self._slots // service.servers
        if room is not None and inside >= room:
            self._at(self.now_s + service.reject_s, ANSWER, request, service.reject_status)
            return
        if service.give_up_s and not request[3]:
            self._at(self.now_s + service.give_up_s, GIVEN_UP, request, request[4])
        if service.scale_to:
            self._scale(inside)
        if self._busy[pool] < self._slots:
            self._work(pool, request)
        else:
            self._line[pool].append(request)

    def _work(self, pool: int, request: Request) -> None:
        self._busy[pool] += 1
        service, now_s = self.service, self.now_s
        work_s = self._draw()
        if service.cold_s and now_s < service.cold_s:
            work_s *= service.cold_factor
        if service.thrash_ratio:
            work_s *= 1.0 + service.thrash_ratio * max(self._busy[pool] + len(self._line[pool]) - service.servers, 0)
        if service.leak_per_s:
            work_s *= 1.0 + service.leak_per_s * now_s
        done_s = self._stalls.done_s(now_s, work_s) if service.stall_every_s else now_s + work_s
        self._at(done_s, DONE, request, pool) if pool == 0 else self._at(done_s, DONE, (request, pool), None)

    def _done(self, told: Any) -> Row | None:
        request, pool = told if isinstance(told, tuple) else (told, 0)
        self._busy[pool] -= 1
        line = self._line[pool]
        while line and self._busy[pool] < self._slots:
            self._work(pool, line.popleft())
        if request[3]:
            return None
        request[3] = True
        failed = self.service.error_ratio and self._random.random() < self.service.error_ratio
        return self._answer(request, self.service.error_status if failed else 200)

    def _given_up(self, request: Request, tries: int) -> Row | None:
        """The gateway's time-out: it tries again by itself, or answers 504. The work goes on either way."""
        if request[3] or request[4] != tries:
            return None
        if tries < self.service.retries:
            request[4] += 1
            self._arrive(request)
            return None
        request[3] = True
        return self._answer(request, 504)

    def _answer(self, request: Request, status: int | None) -> Row | None:
        if math.isinf(self.service.client_rps):
            return self._read(request, status)
        read_s = max(self.now_s, self._reader_free_s) + 1 / self.service.client_rps
        self._lags_s.append(read_s - self.now_s)
        self._reader_free_s = read_s
        self._read_count += 1
        self._at(read_s, ANSWER, request, status)
        return None

    def _read(self, request: Request, status: int | None) -> Row:
        user, due_s, sent_s = request[0], request[1], request[2]
        request[3] = True
        rejected = status in REJECTED
        self.rejected_count += rejected
        if user >= 0:
            self._in_flight.discard(user)
            if user < self._level:
                if rejected:
                    self._at(self.now_s + self.service.service_s, DUE, user, self._run)
                else:
                    self._send(user, self.now_s)
        return (due_s, sent_s, self.now_s - sent_s, status)

    def _may_pass(self) -> bool:
        rate = self.service.quota_rps
        self._tokens = min(self._tokens + (self.now_s - self._tokens_s) * rate, rate * 0.5)
        self._tokens_s = self.now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _scale(self, inside: int) -> None:
        """Replicas are added each time that three quarters of the slots have been in use for `scale_s` in all."""
        most = self.service.servers * self.service.scale_to
        gap_s, self._asked_s = self.now_s - self._asked_s, self.now_s
        if inside >= 0.75 * self._slots:
            self._high_s += min(gap_s, 1.0)
        if self._high_s >= self.service.scale_s and self._slots < most:
            self._slots = min(self._slots + self.service.servers * self.service.replicas, most)
            self._high_s = 0.0


class _Stalls:
    """When work that begins now is done, with the stalls in between."""

    def __init__(self, service: Service, chance: random.Random) -> None:
        self._service, self._chance = service, chance
        self._starts_s: list[float] = []

    def done_s(self, now_s: float, work_s: float) -> float:
        starts_s, stall_s = self._starts_s, self._service.stall_s
        while not starts_s or starts_s[-1] <= now_s + work_s + 10 * stall_s:
            starts_s.append((starts_s[-1] + stall_s if starts_s else 0.0) + self._gap_s())
        i = bisect_right(starts_s, now_s)
        if i and now_s < starts_s[i - 1] + stall_s:
            now_s = starts_s[i - 1] + stall_s
        while now_s + work_s > starts_s[i]:
            work_s -= starts_s[i] - now_s
            now_s = starts_s[i] + stall_s
            i += 1
            if i == len(starts_s):
                starts_s.append(now_s + self._gap_s())
        return now_s + work_s

    def _gap_s(self) -> float:
        mean_s = self._service.stall_every_s
        return mean_s if self._service.stall_fixed else self._chance.expovariate(1 / mean_s)


def _drawn(service: Service, chance: random.Random) -> Callable[[], float]:
    """Service times with the asked mean and coefficient of variation."""
    mean_s, spread = service.service_s, service.spread
    if service.shape == "constant" or not spread:
        return lambda: mean_s
    if service.shape == "gamma":
        shape = 1 / spread**2
        return lambda: chance.gammavariate(shape, mean_s / shape)
    if service.shape == "bimodal":  # one in ten is slow
        slow_s = mean_s * (1 + 3 * spread)
        fast_s = mean_s * (1 - spread / 3)
        return lambda: slow_s if chance.random() < 0.1 else fast_s
    variance = math.log1p(spread**2)
    middle, sigma = math.log(mean_s) - variance / 2, math.sqrt(variance)
    return lambda: math.exp(chance.gauss(middle, sigma))


def bad_ratio(rows: Iterable[Row], slow_s: float | None, kinds: tuple[int | None, ...] | None) -> float:
    """The share of rows that are bad: of one of the statuses `kinds` (None: every one but 200), or slower from due."""
    bad = count = 0
    for due_s, sent_s, latency_s, status in rows:
        count += 1
        failed = status != 200 if kinds is None else status in kinds
        bad += failed or (slow_s is not None and sent_s + latency_s - due_s > slow_s)
    return bad / count if count else 0.0
