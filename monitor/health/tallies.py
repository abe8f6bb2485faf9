"""What reports ask the store for: checks by day, the latest latencies, and what notices say of incidents."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from monitor.health.history import HOUR_S
from scoring.health import Day, Health, Incident, Latencies
from scoring.units import DAY, S

DAY_S = DAY / S
MOST_LATENCIES = 600
LATENCY_SPAN_S = DAY_S


def days_of(connection: sqlite3.Connection, since_s: float) -> dict[str, tuple[Day, ...]]:
    """The days of every endpoint that have checks, oldest first, from the whole hour that holds `since_s`."""
    rows = connection.execute(
        "SELECT endpoint, hour / 24,"
        " sum(check_count) FILTER (WHERE NOT is_quiet AND state = 'OK'),"
        " sum(check_count) FILTER (WHERE NOT is_quiet AND state = 'DEGRADED'),"
        " sum(check_count) FILTER (WHERE NOT is_quiet AND state = 'FAILED'),"
        " sum(check_count) FILTER (WHERE NOT is_quiet AND state = 'UNKNOWN'),"
        " sum(check_count) FILTER (WHERE is_quiet)"
        " FROM hours WHERE hour >= ? GROUP BY 1, 2 ORDER BY 1, 2",
        (int(since_s // HOUR_S),),
    )
    found: dict[str, list[Day]] = {}
    for endpoint, number, *counts in rows:
        found.setdefault(endpoint, []).append(Day(number, *(int(count or 0) for count in counts)))
    return {endpoint: tuple(days) for endpoint, days in found.items()}


def counts_of(days: Sequence[Day]) -> dict[Health, int]:
    """Checks outside maintenance by state; states without any are left out."""
    counts = {
        Health.OK: sum(day.ok_count for day in days),
        Health.DEGRADED: sum(day.degraded_count for day in days),
        Health.FAILED: sum(day.failed_count for day in days),
        Health.UNKNOWN: sum(day.unknown_count for day in days),
    }
    return {state: count for state, count in counts.items() if count}


def latencies_of(connection: sqlite3.Connection, endpoint: str, now_s: float) -> Latencies | None:
    """The latest good answers, MOST_LATENCIES and LATENCY_SPAN_S at most; None without one."""
    rows = connection.execute(
        "SELECT checked_s, latency_ns FROM checks WHERE endpoint = ? AND checked_s > ? AND latency_ns IS NOT NULL"
        " ORDER BY checked_s DESC LIMIT ?",
        (endpoint, now_s - LATENCY_SPAN_S, MOST_LATENCIES),
    ).fetchall()
    if not rows:
        return None
    values = sorted(latency_ns for _, latency_ns in rows)
    return Latencies(len(rows), rows[-1][0], _rank(values, 0.5), _rank(values, 0.95))


def _rank(ordered: Sequence[int], q: float) -> int:
    """The nearest-rank percentile of values in their order."""
    return ordered[max(math.ceil(q * len(ordered)) - 1, 0)]


def with_evidence(connection: sqlite3.Connection, incidents: Sequence[Incident], let_go: str) -> list[Incident]:
    """The incidents with what their last notice but the end says, and whether they ended for `let_go`."""
    texts: dict[str, str] = {}
    ended = set()
    rows = connection.execute("SELECT key, kind, reason, evidence FROM notices ORDER BY number")
    for key, kind, reason, evidence in rows:
        if kind != "resolve":
            texts[key] = evidence or texts.get(key, "")
        elif reason == let_go:
            ended.add(key)
    return [replace(one, evidence=texts.get(one.id, ""), is_recovery=one.id not in ended) for one in incidents]


def waiting_count(connection: sqlite3.Connection) -> int:
    """Deliveries that their channel has not taken yet."""
    return int(connection.execute("SELECT count(*) FROM deliveries WHERE sent_s IS NULL").fetchone()[0])
