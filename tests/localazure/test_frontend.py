"""Admission: never more than admitted, never a refusal below it, first in first out."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from localazure.frontend import FrontEnd, Phase, Pool, RateLimit, Refusal, Ticket

S = 10**9


def front_end(
    workers: int, places: int | None, *, queue_length: int | None = 0, timeout_ns: int | None = None, wait_ns: int = 0
) -> FrontEnd[Ticket]:
    pool: Pool[Ticket] = Pool(workers, places, queue_length=queue_length)
    return FrontEnd([pool], request_timeout_ns=timeout_ns, queue_wait_ns=wait_ns)


def arrive(front: FrontEnd[Ticket], now_ns: int = 0) -> tuple[Ticket, Refusal | None]:
    ticket = Ticket()
    return ticket, front.arrive(ticket, now_ns)


def test_one_request_more_than_places_is_refused_as_overload():
    """Of three requests to two places the third is refused."""
    front = front_end(2, 2)
    assert [arrive(front)[1] for _ in range(3)] == [None, None, Refusal.OVERLOADED]


def test_admitted_requests_beyond_the_workers_wait_in_line_and_start_in_order():
    """Two workers, four places: requests three and four start when one and two are done, in that order."""
    front = front_end(2, 4)
    tickets = [arrive(front)[0] for _ in range(4)]
    assert [ticket.phase for ticket in tickets] == [Phase.SERVED] * 2 + [Phase.IN_LINE] * 2
    assert front.worker_done(tickets[0], 0) == [tickets[2]]
    assert front.worker_done(tickets[1], 0) == [tickets[3]]


def test_unbounded_places_refuse_nothing():
    """aci and local: a hundred requests to one worker are all admitted."""
    front = front_end(1, None)
    assert [arrive(front)[1] for _ in range(100)] == [None] * 100


def test_a_caller_who_left_frees_its_place_and_not_its_worker():
    """After a time-out the next request is admitted, and waits until the abandoned work is done."""
    front = front_end(1, 1)
    first, _ = arrive(front)
    assert front.leave(first, 0) == []
    second, refusal = arrive(front)
    assert (refusal, second.phase) == (None, Phase.IN_LINE)
    assert front.worker_done(first, 0) == [second]


def test_abandoned_work_in_line_is_still_done():
    """A request that timed out in line gets its worker all the same, as the inference server's backlog does."""
    front = front_end(1, 2)
    first, second = arrive(front)[0], arrive(front)[0]
    front.leave(second, 0)
    assert front.worker_done(first, 0) == [second]
    assert front.in_flight_count == 0


def test_a_queued_request_takes_the_place_that_becomes_free():
    """With a queue the second request to one place waits and is served when the first is done."""
    front = front_end(1, 1, queue_length=None, wait_ns=S)
    first, _ = arrive(front)
    second, refusal = arrive(front)
    assert (refusal, second.phase) == (None, Phase.QUEUED)
    assert front.worker_done(first, 0) == [second]


def test_a_full_queue_refuses():
    """A queue of one refuses the third request to one place."""
    front = front_end(1, 1, queue_length=1, wait_ns=S)
    assert [arrive(front)[1] for _ in range(3)] == [None, None, Refusal.OVERLOADED]


def test_a_queued_request_is_due_after_the_queue_wait():
    """Arrived at 5 with a wait of 1 s: nothing is due before 5 + 1 s, the queued ticket then."""
    front = front_end(1, 1, queue_length=None, wait_ns=S)
    arrive(front, 0)
    queued, _ = arrive(front, 5)
    assert front.next_due_ns() == 5 + S
    assert front.expired(4 + S) == ([], [])
    assert front.expired(5 + S) == ([queued], [])


def test_the_request_timeout_counts_from_admission():
    """Queued at 0, admitted at 3 s with a time-out of 5 s: due at 8 s."""
    front = front_end(1, 1, queue_length=None, wait_ns=4 * S, timeout_ns=5 * S)
    first, _ = arrive(front, 0)
    second, _ = arrive(front, 0)
    front.worker_done(first, 3 * S)
    assert front.next_due_ns() == 8 * S
    assert front.expired(8 * S) == ([], [second])


def test_a_finished_request_is_never_due():
    """The time-out of a request that was answered is forgotten."""
    front = front_end(1, 1, timeout_ns=S)
    ticket, _ = arrive(front)
    front.worker_done(ticket, 1)
    assert front.next_due_ns() is None


def test_before_any_replica_is_ready_requests_are_refused_as_not_ready():
    """A router without replicas says so, and admits once they are there."""
    front = front_end(0, 0)
    assert arrive(front)[1] is Refusal.NOT_READY
    front.resize(0, 1, 1, 0)
    assert arrive(front)[1] is None


def test_without_a_router_requests_wait_for_the_first_replica():
    """aci and local: a request before readiness waits in line and starts when the replica is ready."""
    pool: Pool[Ticket] = Pool(0, None)
    front = FrontEnd([pool], request_timeout_ns=None, refuse_until_ready=False)
    ticket, refusal = arrive(front)
    assert refusal is None
    assert front.resize(0, 1, None, 0) == [ticket]


def test_the_rate_limit_counts_anew_each_second():
    """Limit 2: the third request of a second is refused, the first of the next passes."""
    limit = RateLimit(2)
    assert [limit.passes(now) for now in (0, 1, 2, S)] == [True, True, False, True]


class Admission(RuleBasedStateMachine):
    """Any order of arrivals, departures, completions and expiries, against a model of lists."""

    @initialize(workers=st.integers(1, 4), factor=st.sampled_from([1, 2, None]), queue=st.sampled_from([0, 2, None]))
    def build(self, workers: int, factor: int | None, queue: int | None) -> None:
        self.places = None if factor is None else factor * workers
        self.workers = workers
        self.front = front_end(workers, self.places, queue_length=queue, timeout_ns=10, wait_ns=5)
        self.now_ns = 0
        self.waiting: list[Ticket] = []  # admitted or queued by arrival, not yet started
        self.working: list[Ticket] = []
        self.callers: list[Ticket] = []  # not yet answered, in order of arrival

    def started(self, tickets: list[Ticket]) -> None:
        for ticket in tickets:
            assert self.waiting.pop(0) is ticket, "not first in, first out"
            self.working.append(ticket)

    @rule()
    def arrival(self) -> None:
        below = self.places is None or self.front.in_flight_count < self.places
        ticket, refusal = arrive(self.front, self.now_ns)
        if refusal is not None:
            assert not below, "refused below the limit"
            return
        self.callers.append(ticket)
        self.waiting.append(ticket)
        if ticket.phase is Phase.SERVED:
            self.started([ticket])

    @rule(data=st.data())
    def completion(self, data: st.DataObject) -> None:
        if self.working:
            ticket = self.working.pop(data.draw(st.integers(0, len(self.working) - 1)))
            if ticket in self.callers:
                self.callers.remove(ticket)
            self.started(self.front.worker_done(ticket, self.now_ns))

    @rule(data=st.data())
    def departure(self, data: st.DataObject) -> None:
        if self.callers:
            self.depart(data.draw(st.sampled_from(self.callers)))

    def depart(self, ticket: Ticket) -> None:
        self.callers.remove(ticket)
        if ticket.phase is Phase.QUEUED:
            self.waiting.remove(ticket)
        self.started(self.front.leave(ticket, self.now_ns))

    @rule(step_ns=st.integers(1, 12))
    def time(self, step_ns: int) -> None:
        self.now_ns += step_ns
        waited, timed_out = self.front.expired(self.now_ns)
        for ticket in waited + timed_out:
            assert ticket.due_ns <= self.now_ns
            self.depart(ticket)
        due_ns = self.front.next_due_ns()
        assert due_ns is None or due_ns > self.now_ns

    @invariant()
    def limits_hold(self) -> None:
        pool = self.front.pools[0]
        assert self.places is None or pool.in_flight_count <= self.places
        assert pool.busy_count == len(self.working) <= self.workers
        assert pool.present_count == len(self.callers)
        assert pool.in_flight_count == sum(ticket.has_place for ticket in self.callers)

    @invariant()
    def nothing_idles_while_something_waits(self) -> None:
        pool = self.front.pools[0]
        assert not (pool.line and pool.busy_count < pool.workers)
        assert not (pool.queue and self.places is not None and pool.in_flight_count < self.places)


TestAdmission = Admission.TestCase
