"""Edge: a level held by Locust workers. The master's half decides, the workers' half carries; they speak in messages.

Each worker gets its share of users and of rejections, so that it closes its own gate at once; while a hold runs it
sends records ten times a second. A worker that is silent for more than a second spoils the hold. Machines have
monotonic clocks of their own: what a worker tells and writes is told by the master's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from time import monotonic_ns
from typing import Any

import gevent
from gevent.event import Event

from capacity.validity import Health
from locustfiles._crew import Held, Pool, held, nothing_held, tally_of, wait_until
from locustfiles._gate import Hold, allowance_share, hold_as_json, hold_from, share_of
from locustfiles._health import worst_of
from locustfiles._station import RunningHold, Station
from locustfiles._tally import Rows, Tally, Tick, rows_of

HOLD, CLOSE, REPORT = "redline-hold", "redline-close", "redline-report"
CREDENTIAL = "redline-credential"
FINISH, FINISHED = "redline-finish", "redline-finished"
REPORT_EVERY_S = 0.1
SILENT_NS = 1_000_000_000
FINISH_WITHIN_S = 5.0
SAME_NS = 100_000_000


@dataclass(slots=True)
class _Part:
    """What the master knows of one worker's share of the running hold."""

    heard_ns: int
    opened_ns: int = 0
    in_flight: int = 0
    closed_by: str | None = None
    seconds: float = 0.0
    waited_s: float = 0.0
    exhausted: tuple[int, int] = (0, 0)
    health: Health | None = None  # with the last report
    rows: list[Rows] = field(default_factory=list)


class MasterCrew:
    """The users of all workers."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._number = -1  # of the trial that runs; -1: none
        self._keep_rows = True
        self._parts: dict[str, _Part] = {}
        self._news = Event()
        self._free_ns = 0
        self._finished: set[str] = set()
        self._tally = Tally((), 0.0)
        self._waiting: set[str] = set()  # workers whose users wait for a credential
        self.is_stopping = False
        self.lost: str | None = None
        runner.register_message(REPORT, self._on_report)
        runner.register_message(CREDENTIAL, self._on_credential)
        runner.register_message(FINISHED, self._on_finished)

    def users_ready(self, count: int, timeout_s: float) -> bool:
        """Whether that many users are spawned, waited for until then."""
        runner = self._runner
        wait_until(lambda: runner.user_count >= count or self.is_stopping or self.lost is not None, timeout_s)
        return runner.user_count >= count and not self.is_stopping

    def hold(self, hold: Hold, tick: Callable[[Tick], bool], every_s: float = 0.1, *, keep_rows: bool = True) -> Held:
        """The level has been held and everything sent at it has ended. Waits first for rejected users to be free."""
        wait_until(lambda: self.is_stopping or self._is_free, 90.0)
        if self.is_stopping or self.lost is not None:
            return nothing_held(hold, self.lost)
        self._keep_rows = keep_rows
        opened_ns = self._grant(hold)
        pool = Pool(self._runner.user_count)
        ended_by, spoiled = self._carry(hold, tick, every_s, opened_ns, pool)
        self._send_close(hold)
        spoiled = self._wait_for_the_last() or spoiled
        counts = self._tick(opened_ns)
        pool.tell(counts)
        parts = list(self._parts.values())
        self._number = -1
        return held(
            self._tally,
            counts,
            [rows for part in parts for rows in part.rows],
            min((part.opened_ns for part in parts if part.opened_ns), default=opened_ns),
            max((part.seconds for part in parts), default=0.0),
            worst_of([part.health for part in parts if part.health is not None]),
            spoiled or pool.ran_out(counts),
            ended_by,
            lost=self.lost,
        )

    @property
    def _is_free(self) -> bool:
        """No worker has users that wait after a rejection or for a credential; also once there is no hope for one."""
        return self.lost is not None or (self._free_ns <= monotonic_ns() and not self._waiting)

    def stop(self) -> None:
        """All workers have closed their gates, drained them and reported everything, or FINISH_WITHIN_S have passed."""
        self.is_stopping = True
        self._news.set()
        workers = set(self._workers())
        self._finished.clear()
        for worker in workers:
            self._runner.send_message(FINISH, None, client_id=worker)
        wait_until(lambda: workers <= self._finished, FINISH_WITHIN_S)

    def _workers(self) -> list[str]:
        """Client ids in the order of Locust's worker index."""
        clients = self._runner.clients
        known = [*clients.ready, *clients.spawning, *clients.running]
        return sorted((client.id for client in known), key=self._runner.get_worker_index)

    def _grant(self, hold: Hold) -> int:
        workers = self._workers()
        shares = [share_of(hold.level, place, len(workers)) for place in range(len(workers))]
        now_ns = monotonic_ns()
        self._number = hold.number
        self._tally = tally_of(hold)
        self._parts = {worker: _Part(now_ns) for worker, share in zip(workers, shares, strict=True) if share}
        for place, (worker, share) in enumerate(zip(workers, shares, strict=True)):
            if share:
                part = replace(_part_of(hold, share), part=place, parts=len(self._parts))
                grant = {"hold": hold_as_json(part), "sent_ns": monotonic_ns()}
                self._runner.send_message(HOLD, grant, client_id=worker)
        return now_ns

    def _carry(
        self, hold: Hold, tick: Callable[[Tick], bool], every_s: float, opened_ns: int, pool: Pool
    ) -> tuple[str, str | None]:
        """Why the hold ended, and what spoiled it."""
        end_ns = opened_ns + int((hold.max_s + 1.0) * 1e9)
        while True:
            self._news.wait(every_s)
            self._news.clear()
            now = self._tick(opened_ns)
            pool.tell(now)
            closed_by = {part.closed_by for part in self._parts.values()}
            silent = self._silent()
            if self.is_stopping:
                return "stopped", None
            if self.lost is not None:
                return "lost", None
            if silent is not None or not self._parts:
                return self._without(silent)
            if "allowance" in closed_by or now.rejected_count >= hold.allowance:
                return "allowance", None
            if closed_by - {None, "max_s"} or None not in closed_by or monotonic_ns() > end_ns:
                return "max_s", None
            if tick(now):
                return "tick", None

    def _tick(self, opened_ns: int) -> Tick:
        seconds = max((part.seconds for part in self._parts.values()), default=0.0)
        since_open_s = seconds or (monotonic_ns() - opened_ns) / 1e9
        waited_s = max((part.waited_s for part in self._parts.values()), default=0.0)
        exhausted = (sum(part.exhausted[i] for part in self._parts.values()) for i in range(2))
        in_flight = sum(part.in_flight for part in self._parts.values())
        return self._tally.tick(since_open_s, in_flight, waited_s, *exhausted)

    def _send_close(self, hold: Hold) -> None:
        for worker in self._parts:
            self._runner.send_message(CLOSE, {"number": hold.number}, client_id=worker)

    def _wait_for_the_last(self) -> str | None:
        """Every worker that still speaks has ended its last attempt; what spoiled the hold until then, if anything."""
        while any(part.health is None and not self._is_silent(part) for part in self._parts.values()):
            gevent.sleep(0.01)
        return self._silent()

    def _without(self, silent: str | None) -> tuple[str, str]:
        """The end of a hold that a worker does not carry any more; of the run where none is left."""
        is_alone = all(self._is_silent(part) for part in self._parts.values())
        return "stopped" if is_alone else "silent", silent or "no worker is there"

    def _silent(self) -> str | None:
        for worker, part in self._parts.items():
            if self._is_silent(part):
                return f"worker {self._runner.get_worker_index(worker)} fell silent"
        return None

    def _is_silent(self, part: _Part) -> bool:
        return part.health is None and monotonic_ns() - part.heard_ns > SILENT_NS

    def _on_report(self, msg: Any, **_: Any) -> None:
        part, report = self._parts.get(msg.node_id), msg.data
        self._free_ns = max(self._free_ns, monotonic_ns() + report["rest_ns"])
        if part is None or report["number"] != self._number:
            return
        part.heard_ns = monotonic_ns()
        part.opened_ns, part.in_flight = report["opened_ns"], report["in_flight"]
        part.closed_by, part.waited_s = report["closed_by"], report["waited_s"]
        part.exhausted = tuple(report["exhausted"])
        rows = rows_of(report["records"], part.opened_ns)
        if self._keep_rows:
            part.rows.append(rows)
        self._tally.add(rows)
        if part.closed_by is not None:
            part.seconds = report["seconds"]
            self._news.set()
        if report["health"] is not None:
            part.health = Health(**report["health"])

    def _on_credential(self, msg: Any, **_: Any) -> None:
        (self._waiting.add if msg.data["must_wait"] else self._waiting.discard)(msg.node_id)
        if msg.data["lost"] is not None and self.lost is None:
            self.lost = f"worker {self._runner.get_worker_index(msg.node_id)}: {msg.data['lost']}"
            self._news.set()

    def _on_finished(self, environment: Any, msg: Any) -> None:
        environment.events.worker_report.fire(client_id=msg.node_id, data=msg.data)
        self._finished.add(msg.node_id)


def _part_of(hold: Hold, share: int) -> Hold:
    """The hold of a worker that has `share` of its users."""
    stop_total = None if hold.stop_total is None else allowance_share(hold.stop_total, share, hold.level)
    allowance = allowance_share(hold.allowance, share, hold.level)
    return replace(hold, share=share, allowance=allowance, stop_total=stop_total)


class FarClock:
    """How far the master's monotonic clock is ahead of this one, as far as its messages tell.

    A message takes time, so each tells too little; the one that was quickest tells most (Cristian 1989). Below SAME_NS
    the two are taken for one clock, which processes of one machine share.

    >>> clock = FarClock()
    >>> clock.heard(5_000_000_000, 1_000_000_000), clock.heard(9_001_000_000, 5_000_000_000), clock.shift_ns
    (None, None, 4001000000)
    """

    def __init__(self) -> None:
        self._told_ns: int | None = None

    def heard(self, sent_ns: int, now_ns: int) -> None:
        """A message that was sent at `sent_ns` by the master's clock has come at `now_ns` by this one."""
        told_ns = sent_ns - now_ns
        self._told_ns = told_ns if self._told_ns is None else max(self._told_ns, told_ns)

    @property
    def shift_ns(self) -> int:
        """To be added to an instant of this clock."""
        return 0 if self._told_ns is None or abs(self._told_ns) < SAME_NS else self._told_ns


class WorkerHalf:
    """Carries this worker's share of the holds that the master grants. `station` is set once there is one."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._station: Station | None = None
        self._clock = FarClock()
        runner.register_message(HOLD, self._on_hold)
        runner.register_message(CLOSE, self._on_close)
        runner.register_message(FINISH, self._on_finish)

    @property
    def station(self) -> Station | None:
        """What this worker carries holds with."""
        return self._station

    @station.setter
    def station(self, station: Station) -> None:
        self._station = station
        station.on_credential = self._tell_credential

    def cannot_begin(self, reason: str) -> None:
        """The master knows that this worker has no credential, and why."""
        self._runner.send_message(CREDENTIAL, {"must_wait": True, "lost": reason})

    def _tell_credential(self) -> None:
        station = self.station
        if station is not None:
            self._runner.send_message(CREDENTIAL, {"must_wait": station.keeper.must_wait, "lost": station.lost})

    def _on_hold(self, msg: Any, **_: Any) -> None:
        self._clock.heard(msg.data["sent_ns"], monotonic_ns())
        gevent.spawn(self._carry, hold_from(msg.data["hold"]))

    def _on_close(self, msg: Any, **_: Any) -> None:
        if self.station is not None and self.station.gate.trial == msg.data["number"]:
            self.station.gate.close("closed by the master")

    def _on_finish(self, environment: Any, **_: Any) -> None:
        gevent.spawn(self.finish, environment)

    def _carry(self, hold: Hold) -> None:
        station = self.station
        if station is None or station.is_stopping or station.gate.in_flight:
            return  # the master hears nothing, and takes the hold for spoiled
        station.recorder.drain()  # by the clock as it was known before
        station.recorder.shift_ns = self._clock.shift_ns
        running = RunningHold(station, hold)
        while not station.closed.wait(REPORT_EVERY_S) or not station.drained.wait(REPORT_EVERY_S):
            self._report(running, hold, None)
        records = running.taken()
        ending = gevent.spawn(running.end)
        while not ending.ready():  # it may measure the generator first
            self._report(running, hold, None)
            ending.join(REPORT_EVERY_S)
        self._report(running, hold, ending.get(), records)

    def _report(self, running: RunningHold, hold: Hold, health: Health | None, last: bytes | None = None) -> None:
        station = self.station
        assert station is not None  # noqa: S101
        report = {
            "number": hold.number,
            "records": running.taken() if last is None else last,
            "opened_ns": running.opened_ns + station.recorder.shift_ns,
            "in_flight": station.gate.in_flight,
            "closed_by": station.gate.closed_by,
            "seconds": running.since_open_s,
            "waited_s": running.waited_s,
            "exhausted": running.exhausted,
            "health": None if health is None else asdict(health),
            "rest_ns": max(station.free_ns - monotonic_ns(), 0),
        }
        self._runner.send_message(REPORT, report)

    def finish(self, environment: Any) -> None:
        """Everything is counted; the master has the last of it before Locust ends this process."""
        if self.station is not None:
            self.station.stop()
        report: dict[str, Any] = {}
        environment.events.report_to_master.fire(client_id=self._runner.client_id, data=report)
        self._runner.send_message(FINISHED, report)
