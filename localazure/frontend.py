"""Which request is served, which waits, which is refused: the admission rules of the front end, without I/O or clock.

A *pool* is one replica, or all replicas behind shared routing. It has workers (requests that run at a time) and places
(requests admitted at a time; None: no bound). A request is refused only when no place is free and it may not wait for
one. Work whose caller has left keeps its worker until it is done, but not its place: the caller may send again at once.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from enum import Enum
from typing import Generic, TypeVar


class Phase(Enum):
    """Where a ticket stands."""

    ARRIVED = 0
    QUEUED = 1  # waits outside for a place
    IN_LINE = 2  # has been admitted, waits for a worker
    SERVED = 3  # has a worker
    OVER = 4  # refused, or its work is done


class Refusal(Enum):
    """Why a request is not admitted."""

    OVERLOADED = 1
    NOT_READY = 2
    RATE_LIMITED = 3


class Ticket:
    """One request in the front end. `has_place` is true from admission until its caller is answered or has left."""

    __slots__ = ("due_ns", "has_place", "phase", "pool")

    def __init__(self) -> None:
        self.phase = Phase.ARRIVED
        self.has_place = False
        self.pool = 0
        self.due_ns = 0  # end of its wait for a place while QUEUED, then end of its request time-out


T = TypeVar("T", bound=Ticket)


class RateLimit:
    """At most `limit_rps` requests pass in each whole second since the first; the rest of that second are refused."""

    def __init__(self, limit_rps: int) -> None:
        self.limit_rps = limit_rps
        self._second: int | None = None
        self._passed_count = 0

    def passes(self, now_ns: int) -> bool:
        second = now_ns // 10**9
        if second != self._second:
            self._second, self._passed_count = second, 0
        self._passed_count += 1
        return self._passed_count <= self.limit_rps


class Pool(Generic[T]):
    """Workers, places, the line before the workers and the queue before the places. Both are first in, first out."""

    def __init__(self, workers: int, places: int | None, *, queue_length: int | None = 0) -> None:
        self.workers = workers
        self.places = places
        self.queue_length = queue_length  # None: no bound
        self.busy_count = 0  # workers in use, for callers who wait and for callers who left
        self.in_flight_count = 0  # places in use
        self.line: deque[T] = deque()
        self.queue: OrderedDict[T, None] = OrderedDict()

    @property
    def present_count(self) -> int:
        """Requests whose callers are waiting, with a place or for one."""
        return self.in_flight_count + len(self.queue)

    def arrive(self, ticket: T) -> Phase:
        """The ticket's phase: SERVED, IN_LINE, QUEUED, or OVER when it is refused."""
        if self.places is None or self.in_flight_count < self.places:
            self.in_flight_count += 1
            ticket.has_place = True
            if self.busy_count < self.workers:
                self.busy_count += 1
                ticket.phase = Phase.SERVED
            else:
                self.line.append(ticket)
                ticket.phase = Phase.IN_LINE
        elif self.queue_length is None or len(self.queue) < self.queue_length:
            self.queue[ticket] = None
            ticket.phase = Phase.QUEUED
        else:
            ticket.phase = Phase.OVER
        return ticket.phase

    def leave(self, ticket: T) -> None:
        """The caller is gone or has its answer: the place is free. Admitted work stays in line or on its worker."""
        if ticket.has_place:
            ticket.has_place = False
            self.in_flight_count -= 1
        elif ticket.phase is Phase.QUEUED:
            del self.queue[ticket]
            ticket.phase = Phase.OVER

    def free_worker(self, ticket: T) -> None:
        """The work is done: its worker is free, and its place where it still had one."""
        self.busy_count -= 1
        self.leave(ticket)
        ticket.phase = Phase.OVER

    def admitted(self) -> list[T]:
        """The queued tickets that get a place, in order of arrival; they stand at the end of the line."""
        moved: list[T] = []
        while self.queue and (self.places is None or self.in_flight_count < self.places):
            ticket, _ = self.queue.popitem(last=False)
            ticket.phase, ticket.has_place = Phase.IN_LINE, True
            self.in_flight_count += 1
            self.line.append(ticket)
            moved.append(ticket)
        return moved

    def started(self) -> list[T]:
        """The tickets in line that get a worker, in order."""
        started: list[T] = []
        while self.line and self.busy_count < self.workers:
            ticket = self.line.popleft()
            ticket.phase = Phase.SERVED
            self.busy_count += 1
            started.append(ticket)
        return started


class FrontEnd(Generic[T]):
    """The pools of one endpoint, the time-outs of their tickets, and the endpoint's rate limit.

    Every method that frees something returns the tickets that have a worker because of it; start their work.
    """

    def __init__(
        self,
        pools: Iterable[Pool[T]],
        *,
        request_timeout_ns: int | None,
        queue_wait_ns: int = 0,
        refuse_until_ready: bool = True,
        rate_limit: RateLimit | None = None,
    ) -> None:
        self.pools = list(pools)
        self.in_flight_max = 0
        self._request_timeout_ns = request_timeout_ns
        self._queue_wait_ns = queue_wait_ns
        self._refuse_until_ready = refuse_until_ready
        self._rate_limit = rate_limit
        self._waits: OrderedDict[T, None] = OrderedDict()  # QUEUED, in order of due_ns
        self._timeouts: OrderedDict[T, None] = OrderedDict()  # with a place, in order of due_ns

    @property
    def in_flight_count(self) -> int:
        return sum(pool.in_flight_count for pool in self.pools)

    def arrive(self, ticket: T, now_ns: int, pool_number: int = 0) -> Refusal | None:
        """None when the ticket is SERVED, IN_LINE or QUEUED."""
        if self._rate_limit is not None and not self._rate_limit.passes(now_ns):
            return self._refused(ticket, Refusal.RATE_LIMITED)
        pool = self.pools[pool_number]
        if self._refuse_until_ready and pool.workers == 0:
            return self._refused(ticket, Refusal.NOT_READY)
        ticket.pool = pool_number
        phase = pool.arrive(ticket)
        if phase is Phase.OVER:
            return Refusal.OVERLOADED
        if phase is Phase.QUEUED:
            ticket.due_ns = now_ns + self._queue_wait_ns
            self._waits[ticket] = None
        else:
            self._admit(ticket, now_ns)
        return None

    def leave(self, ticket: T, now_ns: int) -> list[T]:
        """The caller is gone or has its answer; the work goes on."""
        self._forget(ticket)
        pool = self.pools[ticket.pool]
        pool.leave(ticket)
        return self._advance(pool, now_ns)

    def worker_done(self, ticket: T, now_ns: int) -> list[T]:
        """The work of the ticket is done."""
        self._forget(ticket)
        pool = self.pools[ticket.pool]
        pool.free_worker(ticket)
        if pool.line or pool.queue:
            return self._advance(pool, now_ns)
        return []

    def resize(self, pool_number: int, workers: int, places: int | None, now_ns: int) -> list[T]:
        """Replicas became ready or went away. Work in progress is not stopped."""
        pool = self.pools[pool_number]
        pool.workers, pool.places = workers, places
        return self._advance(pool, now_ns)

    def next_due_ns(self) -> int | None:
        """The next instant at which `expired` has something to tell."""
        dues = [next(iter(order)).due_ns for order in (self._waits, self._timeouts) if order]
        return min(dues) if dues else None

    def expired(self, now_ns: int) -> tuple[list[T], list[T]]:
        """Tickets whose wait for a place is over, and tickets whose request time-out is over. Let each one leave."""
        return _due(self._waits, now_ns), _due(self._timeouts, now_ns)

    def _refused(self, ticket: T, refusal: Refusal) -> Refusal:
        ticket.phase = Phase.OVER
        return refusal

    def _admit(self, ticket: T, now_ns: int) -> None:
        self.in_flight_max = max(self.in_flight_max, self.in_flight_count)
        if self._request_timeout_ns is not None:
            ticket.due_ns = now_ns + self._request_timeout_ns
            self._timeouts[ticket] = None

    def _forget(self, ticket: T) -> None:
        self._timeouts.pop(ticket, None)
        self._waits.pop(ticket, None)

    def _advance(self, pool: Pool[T], now_ns: int) -> list[T]:
        for ticket in pool.admitted():
            self._waits.pop(ticket, None)
            self._admit(ticket, now_ns)
        return pool.started()


def _due(order: OrderedDict[T, None], now_ns: int) -> list[T]:
    due: list[T] = []
    for ticket in order:
        if ticket.due_ns > now_ns:
            break
        due.append(ticket)
    return due
