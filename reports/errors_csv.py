"""Failed requests' outcomes and groups as CSV: a row per outcome, a row per group."""

from __future__ import annotations

from collections.abc import Sequence

from reports.csvout import Cell, csv_text
from reports.errors import ErrorsReport
from reports.words import instant

_CODES = (
    "status",
    "name",
    "count",
    "share_ratio",
    "first_at",
    "last_at",
    "cause",
    "next_step",
)
_GROUPS = (
    "fingerprint",
    "cause",
    "count",
    "status",
    "first_at",
    "last_at",
    "frame",
    "why",
    "deployments",
    "instances",
    "request_id",
    "sample",
)


def errors_csv(report: ErrorsReport) -> str:
    """One row per outcome, a column per source that tells of requests. An empty cell was not told."""
    total = report.done.total_count
    sources = [row.source for row in report.sources if row.by_label]
    rows: list[Sequence[Cell]] = [
        (
            code.label,
            code.name,
            code.count,
            code.count / total if total else None,
            instant(code.first_at),
            instant(code.last_at),
            code.cause,
            code.next_step,
            *(code.by_source.get(source) for source in sources),
        )
        for code in report.codes
    ]
    return csv_text((*_CODES, *(f"count_{source.value}" for source in sources)), rows)


def groups_csv(report: ErrorsReport) -> str:
    """One row per group of failures."""
    rows: list[Sequence[Cell]] = [
        (
            group.fingerprint,
            group.cause,
            group.count,
            group.status,
            instant(group.first_at),
            instant(group.last_at),
            group.frame,
            group.why,
            "; ".join(group.deployments),
            "; ".join(group.instances),
            next(iter(group.request_ids), None),
            group.sample,
        )
        for group in report.groups
    ]
    return csv_text(_GROUPS, rows)
