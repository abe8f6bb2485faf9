"""What a state folder tells: incidents, how often endpoints were well, budgets, and what was missed."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from monitor.health import history, tallies
from monitor.health.budget import Counts, left_ratio
from monitor.health.deciding import Standing
from monitor.health.history import Timer
from monitor.health.keeping import UNWATCHED
from monitor.health.policies import STALE_INTERVALS, STALE_SLACK_S
from monitor.health.reasons import next_step
from monitor.health.recovery import recovery
from scoring.alertplan import Window
from scoring.checkplan import CheckPlan
from scoring.endpoint import Hosting
from scoring.health import Budget, Day, EndpointRecord, Gap, Health, HealthRecord, Incident, Recovery, Watch
from scoring.units import DAY, S

DAY_S = DAY / S


@dataclass(frozen=True, slots=True)
class Known:
    """What redline.toml says beside the store: of each endpoint its plan and its hosting, and when nobody is told.

    `watched`: the endpoints that a record has even where they were never checked.
    """

    plans: Mapping[str, CheckPlan] = field(default_factory=dict)
    hosting: Mapping[str, Hosting | None] = field(default_factory=dict)
    windows: Sequence[Window] = ()
    watched: Collection[str] = ()


def since_of_days(now_s: float, day_count: int) -> float:
    """The start of the first of so many days in UTC, of which the last is today.

    >>> since_of_days(10 * 86_400 + 5.0, 3) / 86_400
    8.0
    """
    return (now_s // DAY_S - (day_count - 1)) * DAY_S


def record_of(
    connection: sqlite3.Connection, now_s: float, known: Known, since_s: float, watch: Watch | None = None
) -> HealthRecord:
    """The record from the whole hour that holds `since_s` on, all of it of one moment."""
    known = replace(known, windows=[window for window in known.windows if window.is_on(now_s)])
    with _one_moment(connection):
        standings, timers = history.standings(connection), history.timers(connection)
        days = tallies.days_of(connection, since_s)
        incidents = _incidents(connection, known, since_s)
        seen = [
            _Seen(name, history.shown(standings, name), timers.get(name), days.get(name, ()))
            for name in sorted({*timers, *known.watched})
        ]
        endpoints = [_endpoint(connection, one, known, now_s) for one in seen]
        gaps = tuple(Gap(*gap) for gap in history.gaps(connection, since_s))
        watch = replace(watch or Watch(), waiting_count=tallies.waiting_count(connection))
    rows = tuple(_with_incidents(one, incidents) for one in endpoints)
    return HealthRecord(now_s, since_s, incidents, rows, gaps, watch, _recovery(incidents))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the store holds of one endpoint."""

    name: str
    standing: Standing | None
    timer: Timer | None
    days: tuple[Day, ...]


@contextmanager
def _one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """The queries of the block see one state of the store, whatever is written meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _endpoint(connection: sqlite3.Connection, seen: _Seen, known: Known, now_s: float) -> EndpointRecord:
    """The row of one endpoint; of `known.windows` there are left those that are on."""
    standing, timer, plan = seen.standing or Standing(seen.name), seen.timer, known.plans.get(seen.name)
    is_well = standing.last is Health.OK
    return EndpointRecord(
        name=seen.name,
        state=standing.state,
        reason=standing.reason,
        checked_s=None if timer is None else timer.started_s,
        counts=tallies.counts_of(seen.days),
        slo_ratio=None if plan is None else plan.slo_ratio,
        budget=_budget(connection, seen.name, plan, now_s),
        missed_count=0 if timer is None else timer.missed_count,
        late_count=0 if timer is None else timer.late_count,
        last=standing.last,
        since_s=_since_s(standing),
        evidence=standing.evidence,
        next_step=None if is_well else next_step(standing.reason, seen.name, known.hosting.get(seen.name)),
        is_quiet=any(window.covers(seen.name) for window in known.windows),
        is_watched=seen.standing is not None or seen.name in known.watched,
        is_overdue=_is_overdue(timer, standing.silence_s, plan, now_s),
        days=seen.days,
        latencies=tallies.latencies_of(connection, seen.name, now_s),
    )


def _is_overdue(timer: Timer | None, silence_s: float, plan: CheckPlan | None, now_s: float) -> bool:
    """True after as long without a check as rows begin anew after, and the silence asked for; with cron unknowable."""
    if timer is None or plan is None or plan.interval_s is None:
        return False
    return now_s - timer.started_s > STALE_INTERVALS * plan.interval_s + STALE_SLACK_S + silence_s


def _since_s(standing: Standing) -> float | None:
    """When the state that is not OK began."""
    if standing.incident is not None:
        return standing.incident.opened_s
    rows = {Health.FAILED: standing.failed, Health.DEGRADED: standing.bad, Health.UNKNOWN: standing.dark}
    row = rows.get(standing.state)
    return row.since_s if row is not None and row.count else None


def _with_incidents(one: EndpointRecord, incidents: Sequence[Incident]) -> EndpointRecord:
    own = [incident for incident in incidents if incident.endpoint == one.name and incident.is_down]
    closed_s = [incident.closed_s for incident in own if incident.closed_s is not None]
    since_s = max(closed_s, default=None) if one.state is Health.OK else one.since_s
    return replace(one, since_s=since_s, recovery=_recovery(own))


def _recovery(incidents: Sequence[Incident]) -> Recovery:
    """Of endpoints that were not well and are again; what ended because nobody looked any longer is none."""
    over = [one for one in incidents if one.is_down and one.is_recovery and one.closed_s is not None]
    return recovery([max((one.closed_s or 0.0) - one.opened_s, 0.0) for one in over])


def _incidents(connection: sqlite3.Connection, known: Known, since_s: float) -> tuple[Incident, ...]:
    told = tallies.with_evidence(connection, history.incidents(connection, since_s), UNWATCHED)
    return tuple(
        replace(one, next_step=next_step(one.reason, one.endpoint, known.hosting.get(one.endpoint))) for one in told
    )


def _budget(connection: sqlite3.Connection, name: str, plan: CheckPlan | None, now_s: float) -> Budget | None:
    """The budget of a whole window; with an interval a young endpoint has all of it to spend. None without checks."""
    if plan is None or plan.slo_ratio is None:
        return None
    window_s = plan.slo_window_ns / S
    counts = history.counts_of_hours(connection, name, now_s - window_s)
    known = sum(count for state, count in counts.items() if state is not Health.UNKNOWN)
    failed = counts.get(Health.FAILED, 0)
    whole = known if plan.interval_s is None else max(known, round(window_s / plan.interval_s))
    left = left_ratio(Counts(failed, whole), plan.slo_ratio) if known else None
    return None if left is None else Budget(window_s, failed, whole, left)
