"""The latency report as JSON (docs/schemas/latency.schema.json): the error report's fields, durations split first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from reports.document import document_text
from reports.errors import Split
from reports.errors_json import document, durations, intervals
from reports.latency import LatencyReport, latency_exit_code, latency_headline, latency_word
from reports.words import instant


def latency_json(report: LatencyReport) -> str:
    """The report as one JSON document. Absent knowledge is null."""
    told = report.told
    first = {
        "schema": 1,
        "requests": told.requests,
        "by_status": dict(told.by_label),
        "duration_count": told.latency.count,
        "duration_ms": durations(told.latency),
        "duration_interval_ms": intervals(told.latency),
        "by_outcome": _splits(told.by_code),
        "by_deployment_ms": _splits(told.by_deployment),
        "by_source_ms": _splits(told.by_source),
        "client_minus_server_ms": None if told.gap is None else asdict(told.gap),
        "slowest": _slowest(report),
        "distribution": [
            {"source": curve.source.value, "count": curve.count, "points": [list(point) for point in curve.points]}
            for curve in told.curves
        ],
        "heat": _heat(report),
    }
    said = {
        "verdict": latency_word(report),
        "headline": latency_headline(report),
        "exit_code": int(latency_exit_code(report)),
    }
    rest = {name: value for name, value in document(told).items() if name not in first}
    return document_text({**first, **rest, **said})


def _splits(splits: Iterable[Split]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "count": one.latency.count,
            "duration_ms": durations(one.latency),
            "duration_interval_ms": intervals(one.latency),
        }
        for one in splits
    ]


def _slowest(report: LatencyReport) -> dict[str, Any] | None:
    slow = report.slowest_step
    return None if slow is None else {"at": instant(slow.at), "count": slow.count, "p95_ms": slow.p95_ms}


def _heat(report: LatencyReport) -> dict[str, Any] | None:
    """Requests by step of time and band of duration; a band reaches from `low_ms * row_ratio ** row` one further."""
    course = report.told.timeline
    if course is None or course.heat is None:
        return None
    heat = course.heat
    fields = [{"step": step, "row": row, "count": count} for (step, row), count in sorted(heat.counts.items())]
    return {
        "from_at": instant(course.start_at),
        "bucket_s": heat.bucket_s,
        "low_ms": heat.low_ms,
        "row_ratio": heat.row_ratio,
        "fields": fields,
    }
