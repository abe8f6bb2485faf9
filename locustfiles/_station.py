"""Edge: what a load-carrying process has: gate, wire, recorder, pulse, and its users in order.

A process that runs alone has one, each Locust worker has one, a Locust master has none.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import monotonic_ns
from typing import Any, Protocol

import gevent
from gevent.event import Event

from capacity.plan import Plan
from capacity.validity import Health
from locustfiles import _stats
from locustfiles._answer import header_mark
from locustfiles._arrivals import arrivals_of
from locustfiles._canary import Canary
from locustfiles._ceiling import Ceiling
from locustfiles._gate import Gate, Hold
from locustfiles._health import Pulse
from locustfiles._recorder import Recorder
from locustfiles._renewal import Keeper
from locustfiles._request import request_ids, request_rests, request_start
from locustfiles._wire import Connection, Sweeper, Target
from scoring.attempt import RECORD
from scoring.scenario import Scenario

_DATE = header_mark(b"Date")
DRAIN_EVERY_S = 0.1
DATE_EVERY_BEATS = 5
"""The endpoint's clock is looked at so many times more seldom than records are drained."""
STOP_WITHIN_S = 3.0
"""On a stop, what is in flight may finish for this long; what is left then is recorded as aborted."""


class Seat(Protocol):
    """A user, as its station sees it."""

    index: int
    turn: Event
    wire: Connection | None  # None before its first turn


class Station:
    """Everything a user needs to send and record; the users of this process by index."""

    def __init__(
        self,
        environment: Any,
        plan: Plan,
        scenario: Scenario,
        keeper: Keeper,
        *,
        folder: Path | None,
        suffix: str = "",
    ) -> None:
        self.environment = environment
        self.scenario = scenario
        self.stats_name = plan.endpoint.path.partition("?")[0]
        self.keeper = keeper
        self._endpoint = plan.endpoint
        self.start = request_start(plan.endpoint, scenario, keeper.secret)  # another object for each credential
        self.rests = request_rests(plan.endpoint, scenario)
        self.ids = request_ids()
        self.target = Target(plan.endpoint)
        self.sweeper = Sweeper()
        self.pulse = Pulse()
        self.recorder = Recorder(folder, suffix=suffix, secrets=keeper.secrets)
        self.recorder.listeners.append(self._fold)
        self.closed, self.drained = Event(), Event()
        self.closed_ns = 0
        self.waited_ns = 0  # in the hold that closed last, for a credential
        self.on_credential: Callable[[], None] | None = (
            None  # called when waiting for one begins or ends, or it is lost
        )
        self.gate = Gate(self._on_closed, self.drained.set)
        self.arrivals = arrivals_of(plan)
        self.canary = Canary(plan.endpoint, scenario) if plan.command == "limit" else None
        self.ceiling = Ceiling(scenario) if plan.command == "limit" else None
        self.users: list[Seat] = []
        self.free_ns = 0  # monotonic: when the last user that waits after a rejection is free again
        self.fires_events = _stats.others_listen(environment)
        self.is_stopping = False
        if self.canary is not None:
            self.canary.start()
        self._drainer = gevent.spawn(self._drain_often)
        keeper.watch(self._use, self._pause_or_resume)
        gc.collect()
        gc.freeze()  # what lives now lives on: later collections are too short to show in a latency

    def connection(self) -> Connection:
        """A connection of the calling greenlet, whose deadlines are watched."""
        scenario = self.scenario
        made = Connection(self.target, deadline_ns=scenario.deadline_ns, max_bytes=scenario.expectation.max_bytes)
        self.sweeper.connections.add(made)
        return made

    def take_seat(self, user: Seat) -> None:
        """The user has the next index."""
        user.index = len(self.users)
        self.users.append(user)

    def leave_seat(self, user: Seat, connection: Connection) -> None:
        """The user and its connection are gone; those behind it move up."""
        self.sweeper.connections.discard(connection)
        connection.close()
        self.users.remove(user)
        for index, other in enumerate(self.users):
            other.index = index

    def open(self, hold: Hold) -> None:
        """A hold begins in this process."""
        self.closed.clear()
        self.drained.clear()
        self.pulse.begin()
        if self.arrivals is not None:
            self.arrivals.prepare(hold)
        self.gate.open(hold, monotonic_ns())
        if self.canary is not None:
            self.canary.begin(self, hold)
        if self.arrivals is not None and not self.closed.is_set():
            self.arrivals.open(self.gate.opened_ns)

    def open_to_all(self) -> None:
        """Every user sends from now on, as Locust spawns them."""
        self.closed.clear()
        self.drained.clear()
        self.gate.open_to_all(monotonic_ns())

    def let_in(self, hold: Hold) -> None:
        """The users of the hold send, one after the other over the ramp."""
        step_ns = hold.ramp_s * 1e9 / max(hold.users_here, 1)
        for index in range(min(hold.users_here, len(self.users))):
            wait_ns = self.gate.opened_ns + int(index * step_ns) - monotonic_ns()
            if wait_ns > 0:
                gevent.sleep(wait_ns / 1e9)
            if self.closed.is_set():
                return
            self.gate.admit(index + 1)
            self.users[index].turn.set()

    def close_after(self, max_s: float) -> None:
        """The gate closes so long after its opening, and not before; what was due until then has been handed out."""
        end_ns = self.gate.opened_ns + int(max_s * 1e9)
        while (left_ns := end_ns - monotonic_ns()) > 0:
            gevent.sleep(left_ns / 1e9)
        gevent.get_hub().loop.run_callback(self._close_in_time)

    def _close_in_time(self) -> None:
        if self.arrivals is not None:
            self.arrivals.hand_out()
        self.gate.close("max_s")

    @property
    def lost(self) -> str | None:
        """Why this process can send nothing any more."""
        return self.keeper.lost

    @property
    def is_free(self) -> bool:
        """No user waits after a rejection, and none for a credential; also once there is no hope for one."""
        return self.free_ns <= monotonic_ns() and not self.keeper.must_wait

    def stop(self) -> None:
        """Nobody sends any more; what was in flight has ended, or STOP_WITHIN_S have passed."""
        self.is_stopping = True
        self.gate.close("stopped")
        self.drained.wait(STOP_WITHIN_S if self.gate.in_flight else 0)
        for user in self.users:
            user.turn.set()
        for give in self.arrivals.free() if self.arrivals is not None else ():
            gevent.get_hub().loop.run_callback(give, None)
        self.recorder.drain()

    def close(self) -> None:
        """Everything is on disk and in the statistics; nothing runs on."""
        self._drainer.kill(block=False)
        self.keeper.close()
        self.pulse.stop()
        if self.canary is not None:
            self.canary.stop()
        if self.arrivals is not None:
            self.arrivals.stop()
        self.sweeper.stop()
        self.recorder.close()

    def _on_closed(self) -> None:
        self.closed_ns = monotonic_ns()
        if self.arrivals is not None:
            self.arrivals.close(self.closed_ns)
        self.waited_ns = self.gate.waited_ns(self.closed_ns)
        self.closed.set()

    def _use(self) -> None:
        """Every request from here on carries the present credential."""
        self.start = request_start(self._endpoint, self.scenario, self.keeper.secret)
        self.recorder.secrets = self.keeper.secrets

    def _pause_or_resume(self) -> None:
        """Users wait while there is no credential that may be sent; without hope for one the hold ends."""
        gate = self.gate
        if self.lost is not None:
            gate.close("lost")
        if self.keeper.must_wait:
            gate.pause(monotonic_ns())
            if self.arrivals is not None:
                self.arrivals.pause()
        elif gate.is_paused:
            gate.resume(monotonic_ns())
            if self.arrivals is not None:
                self.arrivals.resume()
            for user in self.users[: gate.admitted if self.arrivals is None else None]:
                user.turn.set()
        if self.on_credential is not None:
            self.on_credential()

    def _drain_often(self) -> None:
        for beat in count():
            gevent.sleep(DRAIN_EVERY_S)
            self.recorder.drain()
            self.fires_events = _stats.others_listen(self.environment)
            if beat % DATE_EVERY_BEATS == 0 and self.keeper.ages and self.users:
                self._tell_date(self.users[beat // DATE_EVERY_BEATS % len(self.users)])

    def _tell_date(self, user: Seat) -> None:
        """The keeper knows what the user's latest answer said of the endpoint's clock."""
        wire = user.wire
        if wire is not None and wire.first_ns:
            self.keeper.dated(wire.answer.header(_DATE), wire.sent_ns, wire.done_ns)

    def _fold(self, records: bytes) -> None:
        if not self.fires_events:
            method = self.scenario.method
            since = "sent_ns" if self.arrivals is None else "due_ns"
            _stats.fold(self.environment.stats, records, method=method, name=self.stats_name, since=since)


class RunningHold:
    """One hold in this process, from the opening of its gate until its last attempt has ended."""

    def __init__(self, station: Station, hold: Hold) -> None:
        self._station = station
        self._records: list[bytes] = []
        self._attempt_count = 0
        station.recorder.drain()
        station.recorder.listeners.append(self._heard)
        station.open(hold)
        self._greenlets = [gevent.spawn(station.close_after, hold.max_s)]
        if not hold.is_open:
            self._greenlets.append(gevent.spawn(station.let_in, hold))

    @property
    def opened_ns(self) -> int:
        return self._station.gate.opened_ns

    @property
    def waited_s(self) -> float:
        """How long users have waited for a credential."""
        station = self._station
        waited_ns = station.waited_ns if station.closed.is_set() else station.gate.waited_ns(monotonic_ns())
        return waited_ns / 1e9

    @property
    def exhausted(self) -> tuple[int, int]:
        """Requests due while every connection was in use, and those never sent; none in a closed loop."""
        arrivals = self._station.arrivals
        return (0, 0) if arrivals is None else (arrivals.exhausted_count, arrivals.unsent_count)

    @property
    def since_open_s(self) -> float:
        """Until now, or until the gate closed."""
        station = self._station
        end_ns = station.closed_ns if station.closed.is_set() else monotonic_ns()
        return (end_ns - self.opened_ns) / 1e9

    def taken(self) -> bytes:
        """The records since the last call."""
        self._station.recorder.drain()
        records = b"".join(self._records)
        self._records.clear()
        return records

    def end(self) -> Health:
        """The hold is over: call it once drained, and after the last `taken`."""
        gevent.killall(self._greenlets, block=False)
        station = self._station
        station.recorder.listeners.remove(self._heard)
        health = station.pulse.health()
        if station.canary is not None:
            answers, gap_s = station.canary.end()
            health = replace(health, canary_count=answers, canary_gap_s=gap_s)
        if station.ceiling is not None and self.since_open_s > 0:
            health = station.ceiling.beside(health, self._attempt_count / self.since_open_s, *self._latest)
        return health

    @property
    def _latest(self) -> tuple[int, bytes]:
        """How many users there are, and the body of an answer that one of them had."""
        users = self._station.users
        return len(users), next((user.wire.answer.body for user in users if user.wire is not None), b"")

    def _heard(self, records: bytes) -> None:
        self._records.append(records)
        self._attempt_count += len(records) // RECORD.size
        if self._station.canary is not None:
            self._station.canary.heard(records)
