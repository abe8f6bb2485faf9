"""Edge: the watcher. One loop owns the store; checks and deliveries run in threads of their own and report to it.

Whatever hangs holds one thread: an endpoint until its deadline, a receiver until SEND_S, after which the loop takes the
attempt for failed and what comes later for nothing.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

from monitor.health import history, outbox
from monitor.health.checking import Subject, checked
from monitor.health.delivery import Channel, channels_of, ping, secret_of
from monitor.health.exposition import Readings, Tally
from monitor.health.history import Timer
from monitor.health.keeping import Keeper
from monitor.health.lease import Lease, leased
from monitor.health.outbox import Outcome, Waiting
from monitor.health.store import opened, told_as_errors
from monitor.health.telemetry_judging import Asked
from monitor.health.timetable import Clock, Schedule, begun, put_off, set_back, taken, waits_s
from monitor.health.wording import Context
from scoring.alertplan import AlertPlan, Window
from scoring.health import EndpointHealth, Health
from scoring.units import S, show_seconds

TICK_S = 1.0
PULSE_S = 0.5
BEAT_S = 10.0
PRUNE_S = 3600.0
SEND_S = 30.0
DRAIN_S = 5.0
SENDER = "sender"
SPREAD_S = 0.05
"""Endpoints that are due when a watcher starts are asked this much after each other."""
TELEMETRY_SPREAD_S = 1.0
"""And their telemetry so much, because Azure Monitor lets one user ask 200 times in 30 s."""
JUMP_S = 2.0
GAP_S = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Orders:
    """What to watch and whom to tell."""

    subjects: Sequence[Subject]
    alerts: AlertPlan
    windows: Sequence[Window]
    folder: Path
    environ: Mapping[str, str] = field(repr=False)
    say: Say
    clock: Callable[[], Clock] = field(default_factory=lambda: read_clock)
    on_check: Callable[[EndpointHealth], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Checked:
    """A check has ended; None for one that redline itself broke."""

    name: str
    health: EndpointHealth | None


@dataclass(frozen=True, slots=True)
class Answered:
    """Azure Monitor was asked about an endpoint; None where redline itself broke it."""

    name: str
    asked: Asked | None


@dataclass(frozen=True, slots=True)
class Sent:
    """An attempt has ended."""

    channel: str
    attempt: int
    outcome: Outcome


@dataclass
class _Sending:
    """What a channel has under way: the batch, the number of the attempt, and when it began."""

    batch: list[Waiting]
    attempt: int
    began_steady_s: float


def read_clock() -> Clock:
    """Both clocks now. The steady one goes on while the machine sleeps, where the system has such a clock."""
    which = getattr(time, "CLOCK_BOOTTIME", None)
    return Clock(time.monotonic() if which is None else time.clock_gettime(which), time.time())


def watch(orders: Orders, stop: Event, on_pulse: Callable[[Watcher], None] = lambda _: None) -> None:
    """Checks, decides and tells until `stop` is set. `on_pulse` sees the watcher every PULSE_S."""
    with leased(orders.folder) as lease, opened(orders.folder) as connection:
        watcher, pulse_s = Watcher(orders, connection, lease), 0.0
        while not stop.is_set():
            with told_as_errors(orders.folder):
                watcher.turn()
            if watcher.now.steady_s - pulse_s >= PULSE_S:
                pulse_s = watcher.now.steady_s
                on_pulse(watcher)
        with told_as_errors(orders.folder):
            watcher.drain()
        lease.beat(watcher.now.wall_s)


def is_sending() -> bool:
    """True while a delivery has not come back. Apprise's threads would hold up the end of the process with it."""
    return any(thread.name == SENDER for thread in threading.enumerate())


class Watcher:
    """Owns schedules, the keeper and what is under way; `turn` does what is due and waits for what comes next."""

    def __init__(self, orders: Orders, connection: sqlite3.Connection, lease: Lease) -> None:
        self.orders = orders
        self.connection = connection
        self.lease = lease
        self.now = orders.clock()
        self.channels = {one.name: one for one in channels_of(orders.alerts, orders.environ, orders.say)}
        self.subjects = {subject.endpoint.name: subject for subject in orders.subjects}
        plans = {name: subject.plan for name, subject in self.subjects.items()}
        away = {name: one.endpoint.host for name, one in self.subjects.items() if not one.endpoint.is_loopback}
        sources = {name: one.endpoint.telemetry_source for name, one in self.subjects.items()}
        self.keeper = Keeper(connection, plans, orders.alerts, orders.windows, list(self.channels), away, sources)
        self.context = Context({name: one.endpoint.hosting for name, one in self.subjects.items()}, orders.alerts.link)
        self.schedules = self._begun()
        self.questions = self._begun_questions()
        self.tally = Tally()
        self.errors: dict[str, str] = {}  # channels whose last attempt failed, and why
        self._runs: dict[str, float] = {}  # endpoints under way, and when their checks were due
        self._sending: dict[str, _Sending] = {}
        self._quiet_steady_s: dict[str, float] = {}  # until when a channel's receiver wants to hear nothing
        self._attempt = 0
        self._asking: set[str] = set()  # endpoints about which Azure Monitor is asked at the moment
        self._came: SimpleQueue[Checked | Answered | Sent] = SimpleQueue()
        self._tick_s = self._beat_s = self._prune_s = self._ping_s = 0.0
        self._dead_man = secret_of(orders.alerts.dead_man_env, orders.environ)
        self._told_of_start()

    def turn(self) -> None:
        """Everything that is due now is begun, and at most one thing that has ended is taken in."""
        self._read_clock()
        self._start_checks()
        self._start_questions()
        self._start_deliveries()
        self._do_chores()
        try:
            came = self._came.get(timeout=self._pause_s())
        except Empty:
            return
        self._read_clock()
        if isinstance(came, Checked):
            self._take_check(came)
        elif isinstance(came, Answered):
            self._take_answer(came)
        else:
            self._take_delivery(came)

    def drain(self) -> None:
        """Deliveries under way may end, for DRAIN_S at most; what is not known to have arrived is sent again later."""
        until_s = self.now.steady_s + DRAIN_S
        while self._sending and (left_s := until_s - self.now.steady_s) > 0:
            try:
                came = self._came.get(timeout=left_s)
            except Empty:
                return
            self._read_clock()
            if isinstance(came, Sent):
                self._take_delivery(came)

    def _begun(self) -> dict[str, Schedule]:
        timers = history.timers(self.connection)
        return {
            name: begun(one.plan.interval_s, one.plan.cron, timers.get(name), self.now, place * SPREAD_S)
            for place, (name, one) in enumerate(self.subjects.items())
        }

    def _begun_questions(self) -> dict[str, Schedule]:
        """When Azure Monitor is asked about each endpoint that has goals of telemetry or metrics."""
        asked = {name: one.plan for name, one in self.subjects.items() if one.plan.asks_azure}
        return {
            name: begun(plan.telemetry_every_ns / S, None, None, self.now, place * TELEMETRY_SPREAD_S)
            for place, (name, plan) in enumerate(asked.items())
        }

    def _told_of_start(self) -> None:
        """A gap since the last watcher is noted and said, and notices for channels that are gone find another."""
        say, beat_s = self.orders.say, self.lease.last_beat_s
        if beat_s is not None and self.now.wall_s - beat_s > GAP_S:
            history.add_gap(self.connection, beat_s, self.now.wall_s, "no watcher")
            say(f"nothing was watched for {show_seconds(self.now.wall_s - beat_s)}")
        moved = outbox.without_channels(self.connection, list(self.channels))
        if moved:
            say(f"{moved} notices waited for channels that are configured no longer; the others get them")
        say(f"watching {len(self.subjects)} endpoints; telling {', '.join(self.channels)}")

    def _read_clock(self) -> None:
        """Sleep and a wall clock that was set are seen, said and, where nothing was watched, noted."""
        before, self.now = self.now, self.orders.clock()
        slept_s = self.now.steady_s - before.steady_s
        set_s = (self.now.wall_s - before.wall_s) - slept_s
        if slept_s > GAP_S:
            history.add_gap(self.connection, before.wall_s, self.now.wall_s, "asleep")
            self.orders.say(f"nothing was watched for {show_seconds(slept_s)}: the machine slept or stood still")
        if abs(set_s) > JUMP_S:
            way = "forward" if set_s > 0 else "back"
            self.orders.say(f"the clock was set {way} by {show_seconds(abs(set_s))}")
        if set_s < -JUMP_S:
            self.schedules = {name: set_back(one, self.now) for name, one in self.schedules.items()}

    def _start_checks(self) -> None:
        for name, schedule in self.schedules.items():
            if waits_s(schedule, self.now) > 0:
                continue
            following, run = taken(schedule, self.now, is_busy=name in self._runs)
            missed = following.missed_count - schedule.missed_count
            if missed:
                self.orders.say(f"{name}: {missed} check{'' if missed == 1 else 's'} missed")
            self.schedules[name] = following
            if run is not None:
                self._runs[name] = run.due_s
                Thread(target=self._check, args=(self.subjects[name],), daemon=True).start()

    def _check(self, subject: Subject) -> None:
        health = None
        try:
            health = checked(subject)
        finally:
            self._came.put(Checked(subject.endpoint.name, health))

    def _take_check(self, came: Checked) -> None:
        due_s = self._runs.pop(came.name)
        schedule = self.schedules[came.name]
        if came.health is None:
            self.orders.say(f"{came.name}: the check broke; the traceback stands above")
            return
        self.tally.count(came.health)
        self.orders.on_check(came.health)
        if came.health.retry_after_s is not None:
            self.schedules[came.name] = put_off(schedule, self.now, came.health.retry_after_s)
        timer = Timer(came.health.checked_s, due_s, schedule.missed_count, schedule.late_count)
        self.keeper.observe(came.health, self.now.wall_s, due_s, timer)

    def _start_questions(self) -> None:
        for name, schedule in self.questions.items():
            if waits_s(schedule, self.now) > 0:
                continue
            self.questions[name], run = taken(schedule, self.now, is_busy=name in self._asking)
            if run is not None:
                self._asking.add(name)
                Thread(target=self._ask, args=(self.subjects[name],), daemon=True).start()

    def _ask(self, subject: Subject) -> None:
        asked = None
        try:
            asked = subject.asker.asked()
        finally:
            self._came.put(Answered(subject.endpoint.name, asked))

    def _take_answer(self, came: Answered) -> None:
        self._asking.discard(came.name)
        if came.asked is None:
            self.orders.say(f"{came.name}: asking for its telemetry broke; the traceback stands above")
            return
        if came.asked.retry_after_s is not None:
            self.questions[came.name] = put_off(self.questions[came.name], self.now, came.asked.retry_after_s)
        self.keeper.observe_telemetry(came.name, came.asked, self.now.wall_s)

    def _start_deliveries(self) -> None:
        for name, channel in self.channels.items():
            sending = self._sending.get(name)
            if sending is not None and self.now.steady_s - sending.began_steady_s > SEND_S:
                self._settle(name, sending, Outcome(f"no answer within {SEND_S:.0f} s"))
            if name in self._sending or self.now.steady_s < self._quiet_steady_s.get(name, 0.0):
                continue
            batch = outbox.next_batch(outbox.waiting(self.connection, name), self.now.wall_s)
            if batch:
                self._attempt += 1
                self._sending[name] = _Sending(batch, self._attempt, self.now.steady_s)
                outbox.attempted(self.connection, batch, name)
                Thread(target=self._send, args=(channel, batch, self._attempt), daemon=True, name=SENDER).start()

    def _send(self, channel: Channel, batch: Sequence[Waiting], attempt: int) -> None:
        outcome = Outcome("redline's own sender broke")
        try:
            outcome = channel.tell([one.notice for one in batch], self.context)
        finally:
            self._came.put(Sent(channel.name, attempt, outcome))

    def _take_delivery(self, came: Sent) -> None:
        sending = self._sending.get(came.channel)
        if sending is not None and sending.attempt == came.attempt:
            self._settle(came.channel, sending, came.outcome)

    def _settle(self, channel: str, sending: _Sending, outcome: Outcome) -> None:
        del self._sending[channel]
        outbox.settled(self.connection, sending.batch, channel, outcome, self.now.wall_s)
        self._quiet_steady_s[channel] = outbox.quiet_until_s(outcome, self.now.steady_s)
        if outcome.error is None:
            self.errors.pop(channel, None)
        elif self.errors.get(channel) != outcome.error:
            self.errors[channel] = outcome.error
            self.orders.say(f"{channel}: not delivered, will be tried again: {outcome.error}")

    def _do_chores(self) -> None:
        steady_s, wall_s = self.now.steady_s, self.now.wall_s
        if steady_s - self._tick_s >= TICK_S:
            self._tick_s = steady_s
            self.keeper.tick(wall_s)
        if steady_s - self._beat_s >= BEAT_S:
            self._beat_s = steady_s
            self.lease.beat(wall_s)
        if steady_s - self._prune_s >= PRUNE_S:
            self._prune_s = steady_s
            history.prune(self.connection, wall_s)
        if self._dead_man is not None and steady_s - self._ping_s >= self.orders.alerts.dead_man_every_ns / S:
            self._ping_s = steady_s
            Thread(target=self._ping, args=(self._dead_man,), daemon=True).start()

    def _ping(self, address: str) -> None:
        error = ping(address)
        if error is not None:
            self.orders.say(f"dead-man's ping: {error}")

    def _pause_s(self) -> float:
        """Until the next check is due, a tick at most."""
        schedules = (*self.schedules.values(), *self.questions.values())
        waits = min((waits_s(one, self.now) for one in schedules), default=TICK_S)
        return min(max(waits, 0.0), TICK_S)

    def readings(self) -> Readings:
        """What /metrics shows."""
        standings = self.keeper.standings
        shown = {name: history.shown(standings, name) for name in self.subjects}
        return Readings(
            states={name: Health.UNKNOWN if one is None else one.state for name, one in shown.items()},
            open_count=sum(one.incident is not None for one in standings.values()),
            missed={name: one.missed_count for name, one in self.schedules.items()},
            late={name: one.late_count for name, one in self.schedules.items()},
            waiting={name: len(outbox.waiting(self.connection, name)) for name in self.channels},
            under_way_count=len(self._runs),
        )
