"""The error report as JSON, field by field as contracts.md §7 has it (docs/schemas/errors.schema.json)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from reports.causes import finding_json
from reports.document import SCHEMA, document_text
from reports.errors import ErrorsReport
from reports.errors_change import Change
from reports.errors_codes import CodeCount
from reports.errors_counts import Latency
from reports.errors_metrics import MetricRow
from reports.errors_sources import SourceRow
from reports.errors_words import exit_code, headline, verdict_word
from reports.jsonout import endpoint_facts
from reports.words import instant
from scoring.served import Leak
from scoring.told import Group

NAMES = ("p50", "p95", "p99", "max")


def errors_json(report: ErrorsReport) -> str:
    """The report as one JSON document. Absent knowledge is null."""
    return document_text(document(report))


def diagnosis_json(report: ErrorsReport) -> str:
    """Why the requests failed, as one JSON document (docs/schemas/diagnose.schema.json)."""
    told = {
        "schema": SCHEMA,
        "requests": report.requests,
        "failed": report.failed_count,
        "unexplained": report.unexplained,
        "findings": [finding_json(one) for one in report.findings],
        "groups": [group_json(one) for one in report.groups],
        "security": [leak_json(one) for one in report.security],
        "sources": [source_json(one) for one in report.sources],
        "trust": trust_json(report),
        **_made(report),
    }
    return document_text(told)


def document(report: ErrorsReport) -> dict[str, Any]:
    """The fields of contracts.md §7 first and in their order, then what was added."""
    return {
        "schema": SCHEMA,
        "requests": report.requests,
        "by_status": dict(report.by_label),
        "failed_ratio": report.done.failed_ratio,
        "duration_ms": durations(report.latency),
        "corrected_rows": report.corrected_rows,
        "groups": [group_json(one) for one in report.groups],
        "findings": [finding_json(one) for one in report.findings],
        "security": [leak_json(one) for one in report.security],
        "sources": [source_json(one) for one in report.sources],
        "trust": trust_json(report),
        **_added(report),
        **_made(report),
    }


def durations(latency: Latency) -> dict[str, float | None]:
    """p50, p95, p99 and max in milliseconds."""
    return {name: latency.ms(name) for name in NAMES}


def intervals(latency: Latency) -> dict[str, list[float] | None]:
    """The 95 % interval of each percentile."""
    return {
        one.name: None if one.low_ms is None or one.high_ms is None else [one.low_ms, one.high_ms]
        for one in latency.quantiles
    }


def group_json(group: Group) -> dict[str, Any]:
    """One group, the contract's fields first."""
    first = {
        "cause": group.cause,
        "count": group.count,
        "status": group.status,
        "first_at": instant(group.first_at),
        "last_at": instant(group.last_at),
        "fingerprint": group.fingerprint,
    }
    names = ("why", "frame", "sample", "deployments", "instances", "trend", "request_ids", "thrown_count")
    return first | {name: getattr(group, name) for name in names} | {"by_status": dict(group.by_label)}


def leak_json(leak: Leak) -> dict[str, Any]:
    """One security finding; never the value, and null where there is none to hash."""
    return {
        "type": leak.type,
        "count": leak.count,
        "where": leak.where,
        "sha256_prefix": leak.sha256_prefix or None,
        "rotate": leak.rotate,
    }


def source_json(row: SourceRow) -> dict[str, Any]:
    """One source: its own counts, or why there are none."""
    return {
        "name": row.source.value,
        "requests": row.requests,
        "by_status": None if row.requests is None else dict(row.by_label),
        "outcome": row.outcome,
        "counted": row.counted,
        "duration_ms": {name: row.ms.get(name) for name in NAMES},
        "corrected_rows": row.corrected_rows,
        "columns_failed": row.columns_failed,
        "first_at": instant(row.first_at),
        "last_at": instant(row.last_at),
        "complete_until": instant(row.complete_until),
        "sampled": row.is_sampled,
        "partial": row.is_partial or row.outcome == "partial",
        "undecodable_lines": row.undecodable_lines,
        "problems": [{"outcome": outcome, "sentence": said, "next_step": step} for outcome, said, step in row.problems],
    }


def trust_json(report: ErrorsReport) -> dict[str, Any]:
    """What the page rests on."""
    trust = report.trust
    return {
        "complete_until": instant(trust.complete_until),
        "partial": trust.partial,
        "sampled": trust.sampled,
        "joined_ratio": trust.joined_ratio,
        "undecodable_lines": trust.undecodable_lines,
        "conditions": [asdict(row) for row in trust.rows],
    }


def _added(report: ErrorsReport) -> dict[str, Any]:
    done, gap = report.done, report.gap
    known = done.low_ratio is not None
    return {
        "verdict": verdict_word(report),
        "headline": headline(report),
        "exit_code": int(exit_code(report)),
        "max_failed_ratio": report.max_failed_ratio,
        "success_interval_ratio": [done.low_ratio, done.high_ratio] if known else None,
        "duration_count": report.latency.count,
        "duration_interval_ms": intervals(report.latency),
        "codes": [_code(report, code) for code in report.codes],
        "by_deployment": _deployments(report),
        "unexplained": report.unexplained,
        "more_fingerprints": report.more_groups,
        "client_minus_server_ms": None if gap is None else asdict(gap),
        "timeline": _timeline(report),
        "events": [
            {"at": instant(one.at), "kind": one.kind, "source": one.source, "text": one.text, "where": one.where}
            for one in report.events
        ],
        "metrics": [_metric(row) for row in report.metrics],
        "not_scoring_requests": dict(report.others),
        "change": None if report.change is None else _change(report.change),
    }


def _made(report: ErrorsReport) -> dict[str, Any]:
    return {
        "since_at": instant(report.since_at or report.first_at),
        "until_at": instant(report.until_at or report.last_at),
        "endpoint": None if report.endpoint is None else endpoint_facts(report.endpoint),
        "made_at": instant(report.made_at),
        "tool_version": report.tool_version,
        "command": report.command,
    }


def _code(report: ErrorsReport, code: CodeCount) -> dict[str, Any]:
    total = report.done.total_count
    return {
        "label": code.label,
        "name": code.name,
        "count": code.count,
        "ratio": code.count / total if total else None,
        "cause": code.cause,
        "next_step": code.next_step,
        "first_at": instant(code.first_at),
        "last_at": instant(code.last_at),
        "by_source": {source.value: count for source, count in code.by_source.items()},
    }


def _deployments(report: ErrorsReport) -> dict[str, Any] | None:
    found = report.deployments
    if found is None:
        return None
    return {
        name: {label: row[place] for label, row in sorted(found.rows.items()) if row[place]}
        for place, name in enumerate(found.deployments)
    }


def _timeline(report: ErrorsReport) -> dict[str, Any] | None:
    course = report.timeline
    if course is None:
        return None
    names = ("count", "p50_ms", "p95_ms", "p99_ms")
    buckets = [
        {"at": instant(one.at), "by_status": dict(one.by_label)} | {name: getattr(one, name) for name in names}
        for one in course.buckets
    ]
    return {"bucket_s": course.bucket_s, "untimed_count": course.untimed_count, "buckets": buckets}


def _metric(row: MetricRow) -> dict[str, Any]:
    names = ("name", "unit", "aggregation", "split", "minute_count", "lowest", "highest", "last")
    times = {"highest_at": instant(row.highest_at), "last_at": instant(row.last_at)}
    return {name: getattr(row, name) for name in names} | times


def _change(found: Change) -> dict[str, Any]:
    return {
        "earlier_at": found.earlier_at,
        "earlier_requests": found.earlier_count,
        "earlier_failed": found.earlier_failed_count,
        "failed": None if found.failed is None else asdict(found.failed),
        "codes": [asdict(one) for one in found.codes],
        "durations": [asdict(one) for one in found.times],
        "new_groups": [one.fingerprint for one in found.new_groups],
        "known_groups": found.known_groups,
        "gone_groups": [
            {"fingerprint": print_, "cause": cause, "count": count} for print_, cause, count in found.gone_groups
        ],
        "more_gone_groups": found.more_gone,
    }
