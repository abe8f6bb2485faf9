"""Edge: holding a level, for whoever decides about levels. LocalCrew in one process, MasterCrew over Locust workers.

A hold opens the gate, asks `tick` about every `every_s` whether it has seen enough, closes the gate, and waits until
the last attempt has ended. The rows it returns count their times from the opening.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic_ns
from typing import Any, Protocol

import gevent
import numpy as np

from capacity.plan import Plan
from capacity.summary import RECORD_DTYPE
from capacity.validity import Health
from locustfiles import _progress
from locustfiles._gate import Hold
from locustfiles._station import RunningHold, Station
from locustfiles._tally import Rows, Tally, Tick, rows_of
from scoring.errors import Exit, RedlineError

SPAWNED_AT_ONCE = 100
"""Users per second from which Locust warns that it spawns fast."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What a hold showed. `rows` are empty when the caller did not want to keep them."""

    rows: Rows  # in the order in which the attempts ended; times count from the opening
    opened_monotonic_ns: int
    seconds: float  # from the opening until the gate closed
    health: Health
    spoiled: str | None  # why it is no fair hold of that level, else None
    ended_by: str  # "tick" | "allowance" | "max_s" | "silent": a worker of several | "stopped" | "lost"
    counts: Tick  # all of it
    lost: str | None = None  # why nothing can be sent any more: the credential could not be renewed


class Crew(Protocol):
    """Holds levels. Both crews do; a search does not know which one it has."""

    @property
    def is_stopping(self) -> bool:
        """The run is being stopped: no further hold will show anything."""
        ...

    @property
    def lost(self) -> str | None:
        """Why nothing can be sent any more, else None."""
        ...

    def users_ready(self, count: int, timeout_s: float) -> bool:
        """Whether that many users are spawned, waited for until then."""
        ...

    def hold(self, hold: Hold, tick: Callable[[Tick], bool], every_s: float = 0.1, *, keep_rows: bool = True) -> Held:
        """The level has been held and everything sent at it has ended."""
        ...


class LocalCrew:
    """The users of this process."""

    def __init__(self, station: Station) -> None:
        self._station = station

    @property
    def is_stopping(self) -> bool:
        """The run is being stopped: no further hold will show anything."""
        return self._station.is_stopping

    @property
    def lost(self) -> str | None:
        """Why nothing can be sent any more, else None."""
        return self._station.lost

    def users_ready(self, count: int, timeout_s: float) -> bool:
        """Whether that many users are spawned, waited for until then."""
        return wait_until(lambda: len(self._station.users) >= count or self._station.is_stopping, timeout_s) and (
            len(self._station.users) >= count
        )

    def hold(self, hold: Hold, tick: Callable[[Tick], bool], every_s: float = 0.1, *, keep_rows: bool = True) -> Held:
        """The level has been held and everything sent at it has ended. Waits first for rejected users to be free."""
        station = self._station
        wait_until(lambda: station.is_stopping or station.is_free, 90.0)
        if station.is_stopping or station.lost is not None:
            return nothing_held(hold, station.lost)
        running, pool = RunningHold(station, hold), Pool(len(station.users))
        tally = tally_of(hold)
        kept: list[Rows] = []
        while not station.closed.wait(every_s):
            _count(running, tally, kept, keep_rows)
            now = tally.tick(running.since_open_s, station.gate.in_flight, running.waited_s, *running.exhausted)
            pool.tell(now)
            if tick(now):
                station.gate.close("tick")
        station.drained.wait()
        _count(running, tally, kept, keep_rows)
        opened_ns, ended_by, waited_s = running.opened_ns, str(station.gate.closed_by), running.waited_s
        counts = tally.tick(running.since_open_s, 0, waited_s, *running.exhausted)
        pool.tell(counts)
        spoiled = pool.ran_out(counts) if hold.is_open else self._missing(hold)
        health = running.end()
        return held(tally, counts, kept, opened_ns, running.since_open_s, health, spoiled, ended_by, lost=station.lost)

    def _missing(self, hold: Hold) -> str | None:
        there = len(self._station.users)
        is_whole = there >= hold.level or self._station.is_stopping
        return None if is_whole else f"{there} of {hold.level} users were there"


def users_to_spawn(plan: Plan, worker_count: int) -> int:
    """The most users of the plan, rounded up so that every worker gets equally many and any share fits."""
    workers = max(worker_count, 1)
    return -(-plan.most_users // workers) * workers


def not_ready(crew: Crew, users: int) -> RedlineError:
    """Why a run with so many users could not begin."""
    if crew.lost is not None:
        return RedlineError(f"the run could not begin: {crew.lost}", "redline doctor", Exit.NO_ENTRY)
    return RedlineError(f"not all {users} users could be started", "ask for fewer: --max-users or --users", Exit.UNFAIR)


def tally_of(hold: Hold) -> Tally:
    """Counts for the hold; in an open loop latencies count from the due time."""
    return Tally(hold.slow_ns, hold.transient_s, "due_ns" if hold.is_open else "sent_ns")


class Pool:
    """Says at once when an open loop has run out of connections; `size` is how many there are."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._is_told = False

    def ran_out(self, counts: Tick) -> str | None:
        """How often a request was due while all were in use; None where none was."""
        if not counts.exhausted_count:
            return None
        times = f"{counts.exhausted_count:,} request{'s were' if counts.exhausted_count > 1 else ' was'}"
        pool = f"all {self._size:,} connections were" if self._size > 1 else "the one connection was"
        return f"{times} due while {pool} in use: raise --max-users"

    def tell(self, counts: Tick) -> None:
        """It has been said, if there is something to say, and once."""
        text = self.ran_out(counts)
        if text is not None and not self._is_told:
            self._is_told = True
            _progress.send("note", text=f"{text}; such requests are sent late, and their latency counts from when due")


def held(
    tally: Tally,
    counts: Tick,
    kept: list[Rows],
    opened_ns: int,
    seconds: float,
    health: Health,
    spoiled: str | None,
    ended_by: str,
    *,
    lost: str | None = None,
) -> Held:
    """The parts of a hold put together: rows by the end of the attempts, and their punctuality in the health."""
    rows = np.concatenate(kept) if kept else np.zeros(0, dtype=RECORD_DTYPE)
    rows = rows[np.argsort(rows["done_ns"], kind="stable")]
    health = replace(health, timely_ratio=tally.timely_ratio, attempt_count=tally.attempt_count)
    return Held(rows, opened_ns, seconds, health, spoiled, ended_by, counts, lost)


def nothing_held(hold: Hold, lost: str | None) -> Held:
    """The hold of a run that is being stopped, or has lost its credential."""
    tally = tally_of(hold)
    why = "lost" if lost else "stopped"
    return held(tally, tally.tick(0.0, 0), [], monotonic_ns(), 0.0, Health(), None, why, lost=lost)


def wait_until(done: Callable[[], bool], timeout_s: float) -> bool:
    """Whether `done` came true, looked at every 10 ms until `timeout_s` are over."""
    end_ns = monotonic_ns() + int(timeout_s * 1e9)
    while not done():
        if monotonic_ns() >= end_ns:
            return False
        gevent.sleep(0.01)
    return True


def _count(running: RunningHold, tally: Tally, kept: list[Any], keep_rows: bool) -> None:
    rows = rows_of(running.taken(), running.opened_ns)
    tally.add(rows)
    if keep_rows:
        kept.append(rows)
