"""What a state folder tells: incidents, how often endpoints were well, budgets, and what was missed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from monitor.health import history
from monitor.health.budget import Counts, left_ratio
from scoring.checkplan import CheckPlan
from scoring.health import EndpointRecord, Gap, Health, HealthRecord
from scoring.units import DAY, S

DEFAULT_SPAN_S = 30 * DAY / S


def record_of(
    connection: sqlite3.Connection, now_s: float, plans: Mapping[str, CheckPlan], span_s: float = DEFAULT_SPAN_S
) -> HealthRecord:
    """The record of the last `span_s`, whole hours; `plans` say which objective an endpoint has."""
    since_s = now_s - span_s
    standings = history.standings(connection)
    timers = history.timers(connection)
    endpoints = []
    for name in sorted(timers):
        standing, timer = standings.get(name), timers[name]
        endpoints.append(
            EndpointRecord(
                name=name,
                state=Health.UNKNOWN if standing is None else standing.state,
                reason="no_data" if standing is None else standing.reason,
                checked_s=timer.started_s,
                counts=history.counts_of_hours(connection, name, since_s),
                slo_ratio=plans[name].slo_ratio if name in plans else None,
                budget_left_ratio=_left(connection, name, plans.get(name), now_s),
                missed_count=timer.missed_count,
                late_count=timer.late_count,
            )
        )
    found = [Gap(*gap) for gap in history.gaps(connection, since_s)]
    return HealthRecord(now_s, since_s, tuple(history.incidents(connection, since_s)), tuple(endpoints), tuple(found))


def _left(connection: sqlite3.Connection, name: str, plan: CheckPlan | None, now_s: float) -> float | None:
    """What is left of the budget of a whole window; with an interval a young endpoint has all of it to spend."""
    if plan is None or plan.slo_ratio is None:
        return None
    window_s = plan.slo_window_ns / S
    counts = history.counts_of_hours(connection, name, now_s - window_s)
    known = sum(count for state, count in counts.items() if state is not Health.UNKNOWN)
    if not known:
        return None
    whole = known if plan.interval_s is None else max(known, round(window_s / plan.interval_s))
    return left_ratio(Counts(counts.get(Health.FAILED, 0), whole), plan.slo_ratio)
