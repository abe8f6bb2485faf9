"""What an error report is made from: everything told, counted, judged, and cut to what a page can hold.

`errors_report` gives a value in which every text is safe to show; renderings add only their format's escaping.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import islice
from typing import Any

from reports.clean import harmless_copy
from reports.errors_change import Change, change
from reports.errors_codes import CodeCount, code_counts
from reports.errors_counts import (
    Latency,
    Matrix,
    Part,
    Success,
    counted_parts,
    counts,
    latency,
    latency_of,
    matrix,
    success,
)
from reports.errors_metrics import MetricRow, metric_rows
from reports.errors_sources import SourceRow, source_rows
from reports.errors_trust import Trust, trust
from reports.latency_curves import Curve, curves
from reports.timeline import Timeline, timeline
from scoring.endpoint import Endpoint, Hosting
from scoring.served import Event, Leak, LogTemplate
from scoring.told import ClientSide, Diagnosis, Finding, Gap, Group, Told, Worst

MAX_WORST = 20
MAX_WORST_ROWS = 6
MAX_WORST_LINES = 12
MAX_EVENTS = 200
MAX_TEMPLATES = 30
MAX_OTHERS = 30
MAX_GROUPS = 500
MAX_FINDINGS = 40
MAX_SENTENCES = 10  # of evidence and the like, per finding
MAX_NAMES = 20  # deployments, instances and request ids, per group
MAX_LEAKS = 500
MAX_SPLITS = 12


@dataclass(frozen=True, slots=True)
class Split:
    """Durations of one outcome or deployment of one source."""

    name: str
    latency: Latency


@dataclass(frozen=True)
class ErrorsReport:
    """One report on what was told of an endpoint in a period, as every rendering sees it."""

    endpoint: Endpoint | None
    since_at: datetime | None
    until_at: datetime | None
    first_at: datetime | None  # of the requests that were counted
    last_at: datetime | None
    made_at: datetime
    tool_version: str
    command: str
    where: str | None  # folder of the renderings, as a person can type it
    max_failed_ratio: float | None
    done: Success
    is_told: bool  # a source told of at least one request
    by_label: Mapping[str, int]
    latency: Latency
    codes: tuple[CodeCount, ...]
    deployments: Matrix | None
    sources: tuple[SourceRow, ...]
    trust: Trust
    timeline: Timeline | None
    by_code: tuple[Split, ...]
    by_deployment: tuple[Split, ...]
    by_source: tuple[Split, ...]
    curves: tuple[Curve, ...]
    metrics: tuple[MetricRow, ...]
    findings: tuple[Finding, ...]
    groups: tuple[Group, ...]
    more_groups: tuple[str, ...]  # fingerprints of those left out
    worst: tuple[Worst, ...]
    gap: Gap | None
    unexplained: int
    security: tuple[Leak, ...]
    events: tuple[Event, ...]
    more_events: int
    templates: tuple[LogTemplate, ...]
    others: Mapping[str, int]
    client: ClientSide | None
    change: Change | None

    @property
    def requests(self) -> int | None:
        """None where no source told of any request."""
        return self.done.total_count if self.is_told else None

    @property
    def failed_count(self) -> int | None:
        return self.done.failed_count if self.is_told else None

    @property
    def hosting(self) -> Hosting | None:
        return None if self.endpoint is None else self.endpoint.hosting

    @property
    def name(self) -> str:
        """What a person calls the place."""
        return "the endpoint" if self.endpoint is None else self.endpoint.name

    @property
    def corrected_rows(self) -> int:
        return sum(row.corrected_rows for row in self.sources)


def errors_report(
    told: Told,
    diagnosis: Diagnosis,
    *,
    made_at: datetime,
    tool_version: str,
    command: str,
    baseline: Mapping[str, Any] | None = None,
    where: str | None = None,
    max_failed_ratio: float | None = None,
) -> ErrorsReport:
    """The report of what was told and concluded; compared with `baseline`, the JSON of an earlier report."""
    parts = counted_parts(told)
    counted = _counted(told, parts)
    return harmless_copy(
        ErrorsReport(
            endpoint=told.endpoint,
            since_at=told.since_at,
            until_at=told.until_at,
            made_at=made_at,
            tool_version=tool_version,
            command=command,
            where=where,
            max_failed_ratio=max_failed_ratio,
            **counted,
            trust=trust(told, diagnosis, parts, counted["sources"]),
            **_splits(told, parts),
            metrics=metric_rows(told.metrics),
            **_concluded(diagnosis),
            security=_security(told),
            **_beside(told),
            change=None if baseline is None else _change(baseline, counted, diagnosis),
        )
    )


def _counted(told: Told, parts: tuple[Part, ...]) -> dict[str, Any]:
    """Requests by outcome, time, deployment and source, and how long they took."""
    by_label, sources = counts(parts), source_rows(told, parts)
    course = timeline(parts, told.events, told.client.stretches if told.client else ())
    firsts, lasts = _times(parts)
    return {
        "first_at": min(firsts, default=None),
        "last_at": max(lasts, default=None),
        "done": success(by_label, is_sampled=any(part.account.is_sampled for part in parts)),
        "is_told": bool(parts),
        "by_label": by_label,
        "latency": latency(parts),
        "codes": code_counts(by_label, None if told.endpoint is None else told.endpoint.hosting, course, sources),
        "deployments": matrix(parts),
        "sources": sources,
        "timeline": course,
    }


def _change(baseline: Mapping[str, Any], counted: Mapping[str, Any], diagnosis: Diagnosis) -> Change:
    return change(baseline, counted["by_label"], counted["done"], counted["latency"], diagnosis.groups)


def _times(parts: tuple[Part, ...]) -> tuple[list[datetime], list[datetime]]:
    firsts = [part.account.first_at for part in parts if part.account.first_at is not None]
    return firsts, [part.account.last_at for part in parts if part.account.last_at is not None]


def _splits(told: Told, parts: tuple[Part, ...]) -> dict[str, Any]:
    """Durations by outcome and deployment of what counts, and by source of all that each source tells."""
    cells = [(cell, part.account.bin_ratio) for part in parts for cell in part.cells if cell.bin is not None]
    sampled = any(part.account.is_sampled for part in parts)
    deployments = {cell.deployment for cell, _ in cells if cell.deployment}
    whole = [Part(account, account.cells) for account in told.accounts if account.cells]
    return {
        "by_code": _split(cells, {cell.label for cell, _ in cells}, "label", sampled=sampled),
        "by_deployment": _split(cells, deployments, "deployment", sampled=sampled),
        "by_source": tuple(Split(part.account.source.value, latency((part,))) for part in whole),
        "curves": curves(whole),
    }


def _split(cells: list[Any], names: Iterable[Any], field: str, *, sampled: bool) -> tuple[Split, ...]:
    """One row per name, the most frequent first, at most MAX_SPLITS."""
    grouped: dict[str, list[Any]] = {name: [] for name in names}
    for pair in cells:
        name = getattr(pair[0], field)
        if name in grouped:
            grouped[name].append(pair)
    ordered = sorted(grouped, key=lambda name: (-sum(cell.count for cell, _ in grouped[name]), name))
    return tuple(Split(name, latency_of(grouped[name], is_sampled=sampled)) for name in ordered[:MAX_SPLITS])


def _concluded(diagnosis: Diagnosis) -> dict[str, Any]:
    worst = (
        replace(one, rows=one.rows[:MAX_WORST_ROWS], lines=one.lines[:MAX_WORST_LINES])
        for one in diagnosis.worst[:MAX_WORST]
    )
    return {
        "findings": tuple(_short(one, MAX_SENTENCES) for one in diagnosis.findings[:MAX_FINDINGS]),
        "groups": tuple(_short(one, MAX_NAMES) for one in diagnosis.groups[:MAX_GROUPS]),
        "more_groups": tuple(one.fingerprint for one in diagnosis.groups[MAX_GROUPS:]),
        "worst": tuple(worst),
        "gap": diagnosis.gap,
        "unexplained": diagnosis.unexplained,
    }


def _short(one: Any, most: int) -> Any:
    """The finding or group with at most `most` texts in each of its lists; what was left out is counted in the last."""
    lists = {field.name: getattr(one, field.name) for field in fields(one)}
    long = {
        name: (*texts[: most - 1], f"{len(texts) - most + 1:,} more")
        for name, texts in lists.items()
        if isinstance(texts, tuple) and len(texts) > most and isinstance(texts[0], str)
    }
    return replace(one, **long) if long else one


def _security(told: Told) -> tuple[Leak, ...]:
    """Leaks, the most severe kinds first, and before them an endpoint that asks for no key."""
    leaks = sorted(told.leaks, key=lambda leak: (leak.type == "payload_data", -leak.count, leak.type, leak.where))
    if told.client is None or not told.client.answers_without_key:
        return tuple(leaks[:MAX_LEAKS])
    place = "the endpoint" if told.endpoint is None else told.endpoint.name
    rotate = "switch key or token authentication on; a request without any key was answered"
    return (Leak("open_endpoint", 1, place, "", rotate), *leaks[: MAX_LEAKS - 1])


def _beside(told: Told) -> dict[str, Any]:
    """What stands beside the requests, cut to a bounded size."""
    others: dict[str, int] = {}
    for account in told.accounts:
        for name, count in account.other_count.items():
            others[name] = others.get(name, 0) + count
    ordered = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    return {
        "events": told.events[:MAX_EVENTS],
        "more_events": max(0, len(told.events) - MAX_EVENTS),
        "templates": tuple(islice(sorted(told.templates, key=lambda one: (-one.count, one.text)), MAX_TEMPLATES)),
        "others": dict(ordered[:MAX_OTHERS]),
        "client": None if told.client is None else replace(told.client, stretches=()),
    }
