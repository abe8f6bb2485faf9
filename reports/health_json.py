"""Checks and incidents as JSON, field by field as contracts.md §8 has them (docs/schemas/check.schema.json, health)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from reports.clean import harmless_copy
from reports.document import SCHEMA, document_text
from reports.health_figures import good_interval, together
from scoring.health import (
    Budget,
    CheckResult,
    Day,
    EndpointHealth,
    EndpointRecord,
    Health,
    HealthRecord,
    Incident,
    Latencies,
    Notification,
    Recovery,
)


def check_json(found: Sequence[EndpointHealth]) -> str:
    """The checks of every endpoint as one JSON document."""
    clean = harmless_copy(list(found))
    return document_text({"schema": SCHEMA, "endpoints": [_endpoint(one) for one in clean]})


def harmless_record(record: HealthRecord) -> HealthRecord:
    """A copy in which every text is safe to show. Days hold numbers alone, and there may be many: they stay."""
    bare = replace(record, endpoints=tuple(replace(one, days=()) for one in record.endpoints))
    clean = harmless_copy(bare)
    pairs = zip(clean.endpoints, record.endpoints, strict=True)
    return replace(clean, endpoints=tuple(replace(one, days=whole.days) for one, whole in pairs))


def health_json(record: HealthRecord, *, compact: bool = False) -> str:
    """Incidents with their notifications, endpoints and gaps as one JSON document; compact: on one line."""
    document = health_document(harmless_record(record))
    if not compact:
        return document_text(document)
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def health_document(clean: HealthRecord) -> dict[str, Any]:
    """The document of a record whose texts are harmless."""
    return {
        "schema": SCHEMA,
        "made_at": instant(clean.made_s),
        "since_at": instant(clean.since_s),
        "incidents": [_incident(one) for one in clean.incidents],
        "endpoints": [_record(one) for one in clean.endpoints],
        "gaps": [
            {"from_at": instant(gap.from_s), "until_at": instant(gap.until_s), "cause": gap.cause} for gap in clean.gaps
        ],
        "watcher": {
            "beat_at": instant(clean.watch.beat_s),
            "next_at": instant(clean.watch.next_s),
            "waiting_count": clean.watch.waiting_count,
            "is_over": clean.watch.is_over,
        },
        "good_interval": good_interval(together(clean.endpoints)),
        "recovery": _recovery(clean.recovery),
    }


def instant(at_s: float | None) -> str | None:
    """RFC 3339 in UTC, with milliseconds; None stays None.

    >>> instant(0.25)
    '1970-01-01T00:00:00.250Z'
    """
    if at_s is None:
        return None
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _incident(one: Incident) -> dict[str, Any]:
    return {
        "id": one.id,
        "endpoint": one.endpoint,
        "rule": one.rule,
        "state": one.state.value,
        "reason": one.reason,
        "opened_at": instant(one.opened_s),
        "closed_at": instant(one.closed_s),
        "evidence": one.evidence,
        "next_step": one.next_step,
        "is_recovery": None if one.closed_s is None else one.is_recovery,
        "notifications": [_notification(told) for told in one.notifications],
    }


def _notification(told: Notification) -> dict[str, Any]:
    return {
        "kind": told.kind.value,
        "key": told.key,
        "created_at": instant(told.created_s),
        "sent_at": instant(told.sent_s),
        "attempt_count": told.attempt_count,
        "error": told.error,
    }


def _record(one: EndpointRecord) -> dict[str, Any]:
    return {
        "name": one.name,
        "state": one.state.value,
        "reason": one.reason,
        "checked_at": instant(one.checked_s),
        "check_count": {state.value: one.counts.get(state, 0) for state in Health},
        "good_ratio": one.good_ratio,
        "slo_ratio": one.slo_ratio,
        "budget_left_ratio": one.budget_left_ratio,
        "missed_count": one.missed_count,
        "late_count": one.late_count,
        "last_outcome": one.last.value,
        "since_at": instant(one.since_s),
        "evidence": one.evidence,
        "next_step": one.next_step,
        "is_in_maintenance": one.is_quiet,
        "is_watched": one.is_watched,
        "is_overdue": one.is_overdue,
        "good_interval": good_interval(one.days),
        "budget": None if one.budget is None else _budget(one.budget),
        "latency": None if one.latencies is None else _latency(one.latencies),
        "recovery": _recovery(one.recovery),
        "days": [_day(day) for day in one.days],
    }


def _day(day: Day) -> dict[str, Any]:
    return {
        "date": day.date,
        "ok_count": day.ok_count,
        "degraded_count": day.degraded_count,
        "failed_count": day.failed_count,
        "unknown_count": day.unknown_count,
        "maintenance_count": day.quiet_count,
    }


def _budget(budget: Budget) -> dict[str, Any]:
    return {
        "window_s": budget.window_s,
        "failed_count": budget.failed_count,
        "check_count": budget.check_count,
        "left_ratio": budget.left_ratio,
    }


def _latency(found: Latencies) -> dict[str, Any]:
    return {
        "count": found.count,
        "since_at": instant(found.since_s),
        "p50_ms": found.p50_ns / 1e6,
        "p95_ms": found.p95_ns / 1e6,
    }


def _recovery(found: Recovery) -> dict[str, Any]:
    interval = None if found.low_s is None else (found.low_s, found.high_s)
    return {"count": found.count, "mean_s": found.mean_s, "interval_s": interval}


def _endpoint(one: EndpointHealth) -> dict[str, Any]:
    return {
        "name": one.name,
        "state": one.state.value,
        "reason": one.reason,
        "checked_at": instant(one.checked_s),
        "took_ms": one.took_ns / 1e6,
        "latency_ms": None if one.latency_ns is None else one.latency_ns / 1e6,
        "checks": [_check(check) for check in one.checks],
    }


def _check(check: CheckResult) -> dict[str, Any]:
    return {
        "id": check.id,
        "outcome": check.outcome.value,
        "reason": check.reason,
        "evidence": check.evidence,
        "phases_ms": _phases_ms(check.phases_ns),
        "next_step": check.next_step,
        "request_id": check.request_id,
    }


def _phases_ms(phases_ns: Mapping[str, int]) -> dict[str, float]:
    return {phase: spent_ns / 1e6 for phase, spent_ns in phases_ns.items()}
