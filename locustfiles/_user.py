"""The user class: one connection, one request in flight, every attempt judged and recorded.

In a closed loop a user is free to send when its last answer is there, when the gate lets it in, or when its wait after
a rejection is over: that instant is `due_ns`, and `sent_ns` follows at once. In an open loop `due_ns` stands in the
schedule. On a connection yet to be opened `sent_ns` stands before the connecting, so that name look-up, connect and TLS
are inside the latency (FLAG_NEW_CONNECTION marks such attempts).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, cycle, islice
from time import monotonic_ns
from typing import Any, NoReturn

import gevent
from gevent.event import Event
from greenlet import greenlet
from locust import User
from locust.exception import StopUser

from locustfiles import _stats
from locustfiles._answer import header_mark, retry_after_ns
from locustfiles._arrivals import Arrivals
from locustfiles._canary import Canary
from locustfiles._request import request_bytes
from locustfiles._station import Station
from scoring.attempt import (
    FAILURE_NUMBER,
    FLAG_NEW_CONNECTION,
    FLAG_RENEWED,
    FLAG_TRANSIENT,
    RECORD,
    UNREACHED,
    Failure,
    label_of,
)
from scoring.refresh import Refusal
from scoring.scenario import Payload, judge, why_not

_EXEC_MS, _RETRY_AFTER, _DATE = map(header_mark, (b"x-ms-run-fn-exec-ms", b"Retry-After", b"Date"))
_packed = RECORD.pack
_to_hub = greenlet.switch  # past gevent's own hooks, as in the connection
_Turn = tuple[int, Payload, bytes, bool]  # place of the payload, the payload, its bytes, has it waited for a renewal?
UNAUTHORIZED = 401
RENEWED_DETAIL = "the credential was being renewed; the request is sent again with the next one"
NO_CONTACT_PAUSE_NS = 100_000_000
NO_CONTACT = frozenset(
    {
        *UNREACHED,
        Failure.OUT_OF_FILES,
        Failure.OUT_OF_PORTS,
    }
)
"""Nothing was sent: a user that tried again at once would spin."""


def score_for_ever(user: ScoringUser) -> None:
    """The one task: attempts without end, as the gate lets the user send them or as they are due."""
    if user.station is None:
        raise StopUser
    station: Station = user.station
    gate, canary = station.gate, station.canary
    if station.arrivals is not None:
        serve_arrivals(user, station.arrivals)
    due_ns = monotonic_ns()
    while True:
        if user.index >= gate.admitted:
            due_ns = user.wait_for_turn()
        if canary is not None and canary.is_due:
            due_ns = user.hand_over(canary, due_ns)
            continue
        failure = user.attempt(due_ns)
        due_ns = user.wire.done_ns if failure is None else user.rest(failure)


def serve_arrivals(user: ScoringUser, arrivals: Arrivals) -> NoReturn:
    """Attempts as they are due, until StopUser is raised. Who was rejected does not rest: what is due is due."""
    canary = user.station.canary
    while True:
        due_ns = arrivals.next_due()
        if due_ns is None:
            due_ns = user.wait_for_arrival(arrivals)
        if canary is not None and canary.is_due:
            user.hand_over(canary, due_ns)
            continue
        user.attempt(due_ns)
        while user.is_again and user.may_send_again(arrivals):  # with a renewed credential
            user.attempt(due_ns)


class ScoringUser(User):  # type: ignore[misc]
    """Sends the scenario's requests: what `locust -f` runs. Where there is no station the run has been given up."""

    tasks = [score_for_ever]  # noqa: RUF012

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.station: Any = environment.redline  # a Station
        self.turn = Event()
        self.index = 0
        self.wire: Any = None  # a Connection, made in the user's own greenlet
        self.is_again = False  # the last attempt was refused because of a renewal, and its turn comes once more

    def on_start(self) -> None:
        if self.station is None:
            return
        self.wire = self.station.connection()
        self.station.take_seat(self)
        payloads = self.station.scenario.payloads
        turns: list[_Turn] = [
            (place, payload, rest, False)
            for place, (payload, rest) in enumerate(zip(payloads, self.station.rests, strict=True))
        ]
        self._round: Iterator[_Turn] = islice(cycle(turns), self.index % len(payloads), None)

    def on_stop(self) -> None:
        if self.wire is not None:
            self.station.leave_seat(self, self.wire)

    def wait_for_turn(self) -> int:
        """The instant at which the gate let the user in. Raises StopUser when the run stops."""
        station = self.station
        while self.index >= station.gate.admitted:
            if station.is_stopping:
                raise StopUser
            self.turn.clear()
            self.turn.wait()
        return monotonic_ns()

    def wait_for_arrival(self, arrivals: Arrivals) -> int:
        """The instant at which a request is due that is this user's to send. Raises StopUser when the run stops."""
        if self.station.is_stopping:
            raise StopUser
        give = gevent.getcurrent().switch
        arrivals.wait(give)
        try:
            due_ns: int | None = _to_hub(gevent.get_hub())
        except BaseException:
            arrivals.leave(give)
            raise
        if due_ns is None or self.station.is_stopping:
            raise StopUser
        return due_ns

    def may_send_again(self, arrivals: Arrivals) -> bool:
        """Whether the hold goes on once there is a credential that may be sent."""
        station, gate = self.station, self.station.gate
        trial, is_open = gate.trial, gate.closed_by is None
        arrivals.refused(is_open=is_open)
        while is_open and gate.is_paused and not station.is_stopping:
            self.turn.clear()
            self.turn.wait()
            is_open = gate.closed_by is None and gate.trial == trial
        if is_open:
            arrivals.again()
        return is_open

    def hand_over(self, canary: Canary, due_ns: int) -> int:
        """The canary has sent in this user's place; the instant at which the user is free again."""
        place, payload, rest, _ = next(self._round)
        return canary.attempt(self.station, due_ns, (place, payload, rest))

    def attempt(self, due_ns: int) -> Failure | None:
        """One request, sent now, judged and recorded; None where the answer is good."""
        station, wire = self.station, self.wire
        gate, scenario = station.gate, station.scenario
        turn = place, payload, rest, _ = next(self._round)
        raw_id = next(station.ids)
        start = station.start
        request = request_bytes(start, raw_id, rest)
        trial = gate.trial
        self.is_again = False
        failure: Failure | None = Failure.ABORTED
        gate.in_flight += 1
        sent_ns = monotonic_ns()
        flags = FLAG_TRANSIENT if (due_ns if gate.is_open_loop else sent_ns) < gate.settled_ns else 0
        try:
            broken = wire.exchange(request, sent_ns)
            answer = wire.answer
            failure = broken or judge(scenario.expectation, payload, answer.status, answer.body)
        finally:
            if failure is not None:
                if failure is Failure.UNEXPECTED_STATUS and wire.answer.status == UNAUTHORIZED:
                    flags |= self._refused(start is station.start, turn)
                failure = self._bad(raw_id, trial, failure, payload, flags)
            self._record(raw_id, due_ns, sent_ns, failure, flags, trial, place)
            gate.leave()
        return failure

    def _record(
        self, raw_id: bytes, due_ns: int, sent_ns: int, failure: Failure | None, flags: int, trial: int, place: int
    ) -> None:
        """The attempt is in the buffer, and with those who listen to every request."""
        station, wire = self.station, self.wire
        answer = wire.answer
        status, received = answer.status, answer.received_bytes
        number = 0 if failure is None else FAILURE_NUMBER[failure]
        if wire.is_new:
            flags |= FLAG_NEW_CONNECTION
        told_us = _server_us(answer.header(_EXEC_MS)) if _EXEC_MS in answer.head else 0
        first_ns, done_ns = wire.first_ns, wire.done_ns
        station.recorder.add(
            _packed(raw_id, due_ns, sent_ns, first_ns, done_ns, status, number, flags, trial, place, received, told_us)
        )
        if station.fires_events:
            _stats.fire(
                station.environment,
                method=station.scenario.method,
                name=station.stats_name,
                latency_ns=wire.done_ns - (sent_ns if station.arrivals is None else due_ns),
                size=received,
                outcome=(status, failure),
            )

    def _refused(self, is_present: bool, turn: _Turn) -> int:
        """The flags of an attempt that was answered 401; where a renewal explains that, its turn comes once more."""
        wire, keeper = self.wire, self.station.keeper
        place, payload, rest, has_waited = turn
        keeper.dated(wire.answer.header(_DATE), wire.sent_ns, wire.done_ns)
        meaning = keeper.refused(is_present, again=has_waited)
        if meaning is Refusal.REAL:
            return 0
        self._round = chain([(place, payload, rest, meaning is Refusal.WAIT)], self._round)
        self.is_again = True
        return FLAG_RENEWED

    def _bad(self, raw_id: bytes, trial: int, failure: Failure, payload: Any, flags: int) -> Failure:
        """The failure as it counts; the gate knows of it, and the recorder keeps what it said of itself."""
        station, wire = self.station, self.wire
        answer, expectation = wire.answer, station.scenario.expectation
        if failure is Failure.UNEXPECTED_STATUS and 300 <= answer.status < 400:
            failure = Failure.REDIRECT_REFUSED
        gate = station.gate
        users = gate.in_flight if gate.is_open_loop else gate.level
        if trial == 0:
            users = min(users, len(station.users))
        if failure is not Failure.ABORTED and not flags & FLAG_RENEWED:
            station.gate.count_bad(answer.status)
        label = label_of(answer.status or None, failure)
        if station.recorder.wants(label):
            is_whole = wire.detail == "" and failure is not Failure.ABORTED
            detail = why_not(expectation, payload, answer.status, answer.body) if is_whole else wire.detail
            if flags & FLAG_RENEWED:
                detail = RENEWED_DETAIL
            station.recorder.add_failure(
                request_id=raw_id.hex(),
                trial=trial,
                users=users,
                label=label,
                detail=detail,
                head=answer.head,
                body=answer.body,
            )
        return failure

    def rest(self, failure: Failure) -> int:
        """Waits after a rejection or a failed connection; the instant at which the user is free to send again."""
        station, answer = self.station, self.wire.answer
        done_ns: int = self.wire.done_ns
        wish_ns = retry_after_ns(answer.header(_RETRY_AFTER), answer.header(_DATE))
        pause_ns = NO_CONTACT_PAUSE_NS if failure in NO_CONTACT else station.gate.pause_ns(answer.status, wish_ns)
        free_ns = done_ns + pause_ns
        station.free_ns = max(station.free_ns, free_ns)
        if pause_ns:
            gevent.sleep(max(free_ns - monotonic_ns(), 0) / 1e9)
        return free_ns


def _server_us(value: bytes | None) -> int:
    """The model's own time in microseconds; 0 where the endpoint tells nonsense."""
    try:
        return min(max(int(float(value or b"0") * 1000), 0), 0xFFFFFFFF)
    except (ValueError, OverflowError):
        return 0
