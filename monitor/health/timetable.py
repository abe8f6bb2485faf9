"""When the next check of an endpoint is due, what was missed and what came late. Pure: the clocks are arguments.

Intervals run on a clock that only goes forward and goes on while the machine sleeps: a step of the wall clock neither
doubles nor skips a check. Cron means the wall clock of its zone: a time that was served is not served again when the
clock is set back. After a pause, whatever it was, one check is made at once and the others are counted as missed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from monitor.health.history import Timer
from scoring.cron import Cron

LATE_S = 5.0
MOST_COUNTED = 10_000
LONGEST_BACK_S = 86_400.0
"""A wall clock that is set back further had been wrong, and what it served then is forgotten."""


@dataclass(frozen=True, slots=True)
class Clock:
    """One reading: seconds on a clock that only goes forward, and seconds since 1970."""

    steady_s: float
    wall_s: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """When one endpoint is checked next: by `due_steady_s` with an interval, by `due_s` with cron."""

    interval_s: float | None
    cron: Cron | None
    due_steady_s: float
    due_s: float
    missed_count: int = 0
    late_count: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """A check to make now. `missed_count` were due before it and are not made."""

    due_s: float
    late_s: float
    missed_count: int


def begun(
    interval_s: float | None, cron: Cron | None, timer: Timer | None, now: Clock, spread_s: float = 0.0
) -> Schedule:
    """The schedule of an endpoint at the start of a watcher, which goes on where the last one ended.

    What was due meanwhile is made once, after `spread_s`, so that not all endpoints are asked in one moment.
    """
    missed, late = (0, 0) if timer is None else (timer.missed_count, timer.late_count)
    if cron is not None:
        known = timer is not None and timer.due_s <= now.wall_s + LONGEST_BACK_S
        from_s = timer.due_s if timer is not None and known else now.wall_s
        return Schedule(None, cron, 0.0, _next_s(cron, from_s), missed, late)
    every_s = interval_s or 0.0
    since_s = math.inf if timer is None else now.wall_s - timer.due_s
    if 0 <= since_s < every_s:
        return Schedule(every_s, None, now.steady_s + every_s - since_s, now.wall_s + every_s - since_s, missed, late)
    skipped = int(since_s // every_s) - 1 if every_s <= since_s < math.inf else 0
    return Schedule(every_s, None, now.steady_s + spread_s, now.wall_s + spread_s, missed + skipped, late)


def waits_s(schedule: Schedule, now: Clock) -> float:
    """Seconds until the next check is due; 0 when it is."""
    if schedule.cron is not None:
        return max(schedule.due_s - now.wall_s, 0.0)
    return max(schedule.due_steady_s - now.steady_s, 0.0)


def taken(schedule: Schedule, now: Clock, *, is_busy: bool = False) -> tuple[Schedule, Run | None]:
    """The check that is due now, and the schedule after it. While the last one still runs, it is missed instead."""
    after, run = _by_cron(schedule, now) if schedule.cron is not None else _by_interval(schedule, now)
    if is_busy:
        return replace(after, missed_count=after.missed_count + run.missed_count + 1), None
    late = after.late_count + (run.late_s > LATE_S)
    return replace(after, missed_count=after.missed_count + run.missed_count, late_count=late), run


def put_off(schedule: Schedule, now: Clock, wait_s: float) -> Schedule:
    """The schedule of an endpoint that asks not to be called for so long; cron's times stay as they are."""
    if schedule.cron is not None or schedule.due_steady_s >= now.steady_s + wait_s:
        return schedule
    return replace(schedule, due_steady_s=now.steady_s + wait_s, due_s=now.wall_s + wait_s)


def set_back(schedule: Schedule, now: Clock) -> Schedule:
    """The schedule after the wall clock was set back: only where it had been wrong for days does cron begin anew."""
    if schedule.cron is None or schedule.due_s - _next_s(schedule.cron, now.wall_s) <= LONGEST_BACK_S:
        return schedule
    return replace(schedule, due_s=_next_s(schedule.cron, now.wall_s))


def _by_interval(schedule: Schedule, now: Clock) -> tuple[Schedule, Run]:
    """The latest time on the grid is served; whole intervals before it are missed."""
    every_s = schedule.interval_s or 1.0
    behind_s = max(now.steady_s - schedule.due_steady_s, 0.0)
    missed = int(behind_s // every_s)
    late_s = behind_s - missed * every_s
    due_steady_s = schedule.due_steady_s + (missed + 1) * every_s
    due_s = now.wall_s - late_s
    following = replace(schedule, due_steady_s=due_steady_s, due_s=due_s + every_s)
    return following, Run(due_s, behind_s, missed)


def _by_cron(schedule: Schedule, now: Clock) -> tuple[Schedule, Run]:
    cron = schedule.cron or Cron("* * * * *")
    served_s, missed = schedule.due_s, 0
    for next_s in cron.from_(schedule.due_s):
        if next_s > now.wall_s:
            return replace(schedule, due_s=next_s), Run(served_s, now.wall_s - schedule.due_s, missed)
        served_s, missed = next_s, missed + 1
        if missed >= MOST_COUNTED:
            break
    return replace(schedule, due_s=_next_s(cron, now.wall_s)), Run(served_s, now.wall_s - schedule.due_s, missed)


def _next_s(cron: Cron, at_s: float) -> float:
    found_s = cron.after(at_s)
    return math.inf if found_s is None else found_s
