"""Checks and incidents as JSON, field by field as contracts.md §8 has them (docs/schemas/check.schema.json, health)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from reports.clean import harmless_copy
from reports.jsonout import SCHEMA, document_text
from scoring.health import (
    CheckResult,
    EndpointHealth,
    EndpointRecord,
    Health,
    HealthRecord,
    Incident,
    Notification,
)


def check_json(found: Sequence[EndpointHealth]) -> str:
    """The checks of every endpoint as one JSON document."""
    clean = harmless_copy(list(found))
    return document_text({"schema": SCHEMA, "endpoints": [_endpoint(one) for one in clean]})


def health_json(record: HealthRecord) -> str:
    """Incidents with their notifications, endpoints and gaps as one JSON document."""
    clean = harmless_copy(record)
    document = {
        "schema": SCHEMA,
        "made_at": instant(clean.made_s),
        "since_at": instant(clean.since_s),
        "incidents": [_incident(one) for one in clean.incidents],
        "endpoints": [_record(one) for one in clean.endpoints],
        "gaps": [
            {"from_at": instant(gap.from_s), "until_at": instant(gap.until_s), "cause": gap.cause} for gap in clean.gaps
        ],
    }
    return document_text(document)


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
    }


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
