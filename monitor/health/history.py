"""What the store keeps of checks and incidents: written in one transaction with what is to be told."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.health.budget import Counts
from monitor.health.deciding import Notice, Standing
from monitor.health.outbox import post
from monitor.health.remembered import standing_of, standing_text
from monitor.health.store import transaction
from scoring.health import EndpointHealth, Health, Incident, NoticeKind, Notification
from scoring.units import DAY, HOUR, S

BUDGET_SUFFIX = ":budget"
TELEMETRY_SUFFIX = ":telemetry"
RULES = {"": "checks", BUDGET_SUFFIX: "budget", TELEMETRY_SUFFIX: "telemetry", ":network": "network"}
KEEP_OK_S = 14 * DAY / S
KEEP_NOT_OK_S = 90 * DAY / S
KEEP_INCIDENTS_S = 400 * DAY / S
HOUR_S = HOUR / S


@dataclass(frozen=True, slots=True)
class Made:
    """One check that was made, and when it should have been."""

    health: EndpointHealth
    due_s: float | None
    is_quiet: bool


@dataclass(frozen=True, slots=True)
class Timer:
    """When an endpoint's checks began and were due last, and how many came late or not at all."""

    started_s: float
    due_s: float
    missed_count: int = 0
    late_count: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What one event changes; written as a whole or not at all."""

    made: Made | None = None
    standings: tuple[Standing, ...] = ()
    notices: tuple[Notice, ...] = ()
    timer: Timer | None = None


def endpoint_and_rule(subject: str) -> tuple[str, str]:
    """The endpoint of a subject, and which rule looks at it.

    >>> endpoint_and_rule("churn:budget"), endpoint_and_rule("churn")
    (('churn', 'budget'), ('churn', 'checks'))
    """
    name, colon, suffix = subject.partition(":")
    return name, RULES[colon + suffix]


def record(connection: sqlite3.Connection, step: Step, channels: Iterable[str]) -> None:
    """The step is in the file, and its notices wait for every channel."""
    with transaction(connection):
        if step.made is not None:
            _add_check(connection, step.made)
            if step.timer is not None:
                set_timer(connection, step.made.health.name, step.timer)
        for standing in step.standings:
            values = (standing.subject, standing_text(standing))
            connection.execute("INSERT OR REPLACE INTO standings VALUES (?, ?)", values)
        for notice in step.notices:
            _note(connection, notice)
            post(connection, notice, channels)


def forget(connection: sqlite3.Connection, subject: str, notice: Notice | None, channels: Iterable[str]) -> None:
    """The subject's standing is gone, and its last notice waits for every channel."""
    with transaction(connection):
        connection.execute("DELETE FROM standings WHERE subject = ?", (subject,))
        if notice is not None:
            _note(connection, notice)
            post(connection, notice, channels)


def standings(connection: sqlite3.Connection) -> dict[str, Standing]:
    """What is remembered of every subject, by its name."""
    rows = connection.execute("SELECT standing FROM standings")
    return {standing.subject: standing for standing in (standing_of(text) for (text,) in rows)}


def shown(standings: Mapping[str, Standing], endpoint: str) -> Standing | None:
    """How the endpoint stands: the worse of its checks and its telemetry; None where nothing was checked yet."""
    checks, telemetry = standings.get(endpoint), standings.get(endpoint + TELEMETRY_SUFFIX)
    if checks is None or telemetry is None:
        return checks
    return telemetry if telemetry.state.rank > checks.state.rank else checks


def timers(connection: sqlite3.Connection) -> dict[str, Timer]:
    """When each endpoint was checked last, by its name."""
    rows = connection.execute("SELECT endpoint, started_s, due_s, missed_count, late_count FROM timers")
    return {name: Timer(*values) for name, *values in rows}


def set_timer(connection: sqlite3.Connection, endpoint: str, timer: Timer) -> None:
    """The last check of the endpoint is known after a restart."""
    values = (endpoint, timer.started_s, timer.due_s, timer.missed_count, timer.late_count)
    connection.execute("INSERT OR REPLACE INTO timers VALUES (?, ?, ?, ?, ?)", values)


def add_gap(connection: sqlite3.Connection, from_s: float, until_s: float, cause: str) -> None:
    """Nothing was watched in this time, and reports say so."""
    connection.execute("INSERT INTO gaps VALUES (?, ?, ?)", (from_s, until_s, cause))


def gaps(connection: sqlite3.Connection, since_s: float) -> list[tuple[float, float, str]]:
    """Times in which nothing was watched: from, until, why."""
    rows = connection.execute("SELECT from_s, until_s, cause FROM gaps WHERE until_s > ? ORDER BY from_s", (since_s,))
    return [(from_s, until_s, cause) for from_s, until_s, cause in rows]


def counts(connection: sqlite3.Connection, endpoint: str, since_s: float, until_s: float) -> Counts:
    """Checks outside maintenance since then; UNKNOWN ones count neither way."""
    row = connection.execute(
        "SELECT count(*) FILTER (WHERE state = 'FAILED'), count(*) FROM checks"
        " WHERE endpoint = ? AND checked_s > ? AND checked_s <= ? AND state != 'UNKNOWN' AND NOT is_quiet",
        (endpoint, since_s, until_s),
    ).fetchone()
    return Counts(int(row[0]), int(row[1]))


def told_until_s(connection: sqlite3.Connection, endpoint: str) -> float:
    """When the last incident of the endpoint's checks ended; 0 where there was none."""
    query = "SELECT coalesce(max(closed_s), 0) FROM incidents WHERE endpoint = ? AND rule = 'checks'"
    return float(connection.execute(query, (endpoint,)).fetchone()[0])


def counts_of_hours(connection: sqlite3.Connection, endpoint: str, since_s: float) -> dict[Health, int]:
    """Checks outside maintenance by state, in whole hours from the one that holds `since_s`."""
    rows = connection.execute(
        "SELECT state, sum(check_count) FROM hours WHERE endpoint = ? AND hour >= ? AND NOT is_quiet GROUP BY state",
        (endpoint, int(since_s // HOUR_S)),
    )
    return {Health(state): int(count) for state, count in rows}


def latencies_ns(connection: sqlite3.Connection, endpoint: str, since_s: float) -> list[int]:
    """Latencies of good answers since then, in no order."""
    query = "SELECT latency_ns FROM checks WHERE endpoint = ? AND checked_s > ? AND latency_ns IS NOT NULL"
    return [int(latency_ns) for (latency_ns,) in connection.execute(query, (endpoint, since_s))]


def incidents(connection: sqlite3.Connection, since_s: float = 0.0) -> list[Incident]:
    """Incidents that were open at some time since then, the oldest first, with their notices."""
    told = _notifications(connection)
    rows = connection.execute(
        "SELECT id, endpoint, rule, state, reason, opened_s, closed_s FROM incidents"
        " WHERE closed_s IS NULL OR closed_s > ? ORDER BY opened_s, id",
        (since_s,),
    )
    return [
        Incident(id, endpoint, rule, Health(state), reason, opened_s, closed_s, tuple(told.get(id, ())))
        for id, endpoint, rule, state, reason, opened_s, closed_s in rows
    ]


def prune(connection: sqlite3.Connection, now_s: float) -> None:
    """Good checks go after two weeks, others after ninety days, incidents that are over and told after 400 days."""
    oldest_s = now_s - KEEP_INCIDENTS_S
    with transaction(connection):
        connection.execute("DELETE FROM checks WHERE state = 'OK' AND checked_s < ?", (now_s - KEEP_OK_S,))
        connection.execute("DELETE FROM checks WHERE checked_s < ?", (now_s - KEEP_NOT_OK_S,))
        connection.execute("DELETE FROM hours WHERE hour < ?", (int(oldest_s // HOUR_S),))
        connection.execute("DELETE FROM gaps WHERE until_s < ?", (oldest_s,))
        connection.execute(
            "DELETE FROM incidents WHERE closed_s < ?"
            " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE key = incidents.id AND sent_s IS NULL)",
            (oldest_s,),
        )
        for table in ("notices", "deliveries"):
            connection.execute(f"DELETE FROM {table} WHERE key NOT IN (SELECT id FROM incidents)")  # noqa: S608


def _add_check(connection: sqlite3.Connection, made: Made) -> None:
    health = made.health
    state = health.state.value
    values = (
        *(health.name, health.checked_s, made.due_s, state, health.reason),
        *(health.latency_ns, health.took_ns, int(made.is_quiet), _detail(health)),
    )
    connection.execute(
        "INSERT INTO checks (endpoint, checked_s, due_s, state, reason, latency_ns, took_ns, is_quiet, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    connection.execute(
        "INSERT INTO hours VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET check_count = check_count + 1",
        (health.name, int(health.checked_s // HOUR_S), state, int(made.is_quiet)),
    )


def _detail(health: EndpointHealth) -> str | None:
    """The checks that are not OK, as JSON; None where all are."""
    rows = [
        {"id": check.id, "outcome": check.outcome, "reason": check.reason, "evidence": check.evidence}
        for check in health.checks
        if check.outcome is not Health.OK
    ]
    return json.dumps(rows, ensure_ascii=False) if rows else None


def _note(connection: sqlite3.Connection, notice: Notice) -> None:
    """The incident as the notice leaves it: opened, worse or over."""
    if notice.kind is NoticeKind.RESOLVE:
        connection.execute("UPDATE incidents SET closed_s = ? WHERE id = ?", (notice.at_s, notice.key))
    elif notice.kind is NoticeKind.FIRE:
        endpoint, rule = endpoint_and_rule(notice.subject)
        values = (notice.key, endpoint, rule, notice.state.value, notice.reason, notice.opened_s)
        connection.execute(
            "INSERT INTO incidents VALUES (?, ?, ?, ?, ?, ?, NULL)"
            " ON CONFLICT DO UPDATE SET state = excluded.state, reason = excluded.reason",
            values,
        )


def _notifications(connection: sqlite3.Connection) -> dict[str, list[Notification]]:
    """The notices of each incident. One that went to several channels is sent when the first has it."""
    rows = connection.execute(
        "SELECT n.key, n.kind, n.created_s, min(d.sent_s), coalesce(sum(d.attempt_count), 0), max(d.error)"
        " FROM notices n LEFT JOIN deliveries d USING (key, number) GROUP BY n.key, n.number ORDER BY n.key, n.number"
    )
    found: dict[str, list[Notification]] = {}
    for key, kind, created_s, sent_s, attempt_count, error in rows:
        one = Notification(NoticeKind(kind), key, created_s, sent_s, attempt_count, error)
        found.setdefault(key, []).append(one)
    return found
