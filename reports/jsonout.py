"""The machine-readable reports, field by field as contracts.md §3 has them (docs/schemas/*.schema.json)."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from capacity.unit import PER_SECOND, Unit
from capacity.verdict import Level, Limit
from reports.beyond_json import beyond_fields, cost_json, harm_json
from reports.causes import finding_json
from reports.certificate import certificate, fairness
from reports.clean import harmless_copy
from reports.codes import CodeRow, codes_table
from reports.document import SCHEMA, document_text
from reports.limit import LimitReport, headline
from reports.load import LoadReport, load_headline
from scoring.endpoint import Endpoint

OF_OPEN = frozenset(one.name for one in fields(Level) if one.name.endswith("_from_due_ms")) | {
    "due_count",
    "late_count",
}
"""What a level has in an open loop only."""


def limit_json(report: LimitReport) -> str:
    """The limit report as one JSON document. Absent knowledge is null."""
    clean = harmless_copy(report)
    verdict, unit = clean.verdict, clean.verdict.unit
    document = {
        "schema": SCHEMA,
        "verdict": verdict.kind.value,
        "decision": clean.decision,
        "binding_goal": verdict.binding_goal,
        "limits": [] if unit.is_open else [_limit(limit) for limit in verdict.limits],
        "first_rejected_users": None if unit.is_open else verdict.first_rejected_users,
        "knee_users": None if unit.is_open else verdict.knee_users,
        "peak_rps": verdict.peak_rps,
        "levels": [_level(level, unit) for level in verdict.levels],
        "harm": harm_json(verdict),
        "client": asdict(verdict.client),
        "recommended": asdict(clean.recommended),
        "cost": cost_json(verdict),
        "run": clean.run,
        **beyond_fields(clean),
        **_limit_extras(clean),
    }
    return document_text(document)


def load_json(report: LoadReport) -> str:
    """The load report as one JSON document; `levels` has one row."""
    clean = harmless_copy(report)
    document = {
        "schema": SCHEMA,
        "thresholds": [{**asdict(one), "outcome": one.outcome} for one in clean.thresholds],
        "levels": [_level(clean.level, Unit() if clean.schedule is None else Unit(PER_SECOND))],
        "schedule": None if clean.schedule is None else asdict(clean.schedule),
        "latency_ms": {
            "mean": clean.mean_ms,
            "mean_from_due": clean.mean_from_due_ms,
            "percentiles": [asdict(one) for one in clean.percentiles],
        },
        "harm": {"rejected_count": clean.rejected_count},
        "client": asdict(clean.client),
        "cost": asdict(clean.cost),
        "run": clean.run,
        "headline": load_headline(clean),
        "interrupted": clean.interrupted,
        "renewal": {"renewed_count": clean.renewed_count, "waited_s": clean.waited_s, "lost": clean.lost},
        "received_bytes": clean.received_bytes,
        "endpoint": endpoint_facts(clean.endpoint),
        "run_facts": asdict(clean.run_facts),
        "failures": [asdict(one) for one in clean.failures],
        "findings": [finding_json(one) for one in clean.causes],
    }
    return document_text(document)


def _limit_extras(clean: LimitReport) -> dict[str, Any]:
    verdict, unit = clean.verdict, clean.verdict.unit
    return {
        "rate_limits": [_rate_limit(limit, unit) for limit in verdict.limits] if unit.is_open else [],
        "first_rejected_rps": _rps(verdict.first_rejected_users, unit),
        "knee_rps": _rps(verdict.knee_users, unit),
        "headline": headline(clean),
        "reason": verdict.reason,
        "decision_sentence": clean.decision_sentence,
        "interrupted": verdict.interrupted,
        "renewal": {"renewed_count": verdict.renewed_count, "lost": verdict.lost},
        "fairness": fairness(clean),
        "certificate": [asdict(row) for row in certificate(clean)],
        "codes": [_code(row, unit) for row in codes_table(clean)],
        "first_seen": {label: unit.amount(level) for label, level in verdict.first_seen.items()},
        "warm_up_s": verdict.warm_up_s,
        "little_residual_ratio": verdict.little_residual_ratio,
        "trials": [_at(asdict(trial), unit) for trial in verdict.trials],
        "endpoint": endpoint_facts(clean.endpoint),
        "run_facts": asdict(clean.run_facts),
        "failures": [asdict(one) for one in clean.failures],
        "findings": [finding_json(one) for one in clean.causes],
    }


def _limit(limit: Limit) -> dict[str, Any]:
    return {
        "goal": limit.goal,
        "users": limit.level,
        "interval": [limit.low, limit.high],
        "confirmed": limit.confirmed,
        "bound_ratio": limit.bound_ratio,
        "bad_count": limit.bad_count,
        "attempt_count": limit.attempt_count,
    }


def _rate_limit(limit: Limit, unit: Unit) -> dict[str, Any]:
    known = _limit(limit)
    del known["users"]
    ends = [None if end is None else unit.amount(end) for end in (limit.level, limit.low, limit.high)]
    return {"goal": limit.goal, "rps": ends[0], **known, "interval": ends[1:]}


def _rps(level: int | None, unit: Unit) -> float | None:
    """The rate of a level of an open loop; a closed one has none."""
    return unit.amount(level) if unit.is_open and level is not None else None


def _at(row: dict[str, Any], unit: Unit) -> dict[str, Any]:
    """The row with its level as `users`, or as `rps` in an open loop."""
    return {**row, "users": None, "rps": unit.amount(row["users"])} if unit.is_open else row


def _level(level: Level, unit: Unit) -> dict[str, Any]:
    first = ("users", "attempt_count", "good_count", "completed_rps", "status_count", "p50_ms", "p95_ms", "p99_ms")
    values = {name: one for name, one in asdict(level).items() if level.due_count is not None or name not in OF_OPEN}
    values["measured_s"] = values.pop("seconds")
    rest = {name: one for name, one in values.items() if name not in first}
    return _at({name: values[name] for name in first} | rest, unit)


def _code(row: CodeRow, unit: Unit) -> dict[str, Any]:
    names = ("label", "name", "first_users", "count", "cause", "next_step")
    values = {name: getattr(row, name) for name in names}
    return {**values, "first_users": None, "first_rps": _rps(row.first_users, unit)} if unit.is_open else values


def endpoint_facts(endpoint: Endpoint) -> dict[str, Any]:
    """What identifies the endpoint, and nothing of where its secrets are kept."""
    names = ("name", "hosting", "scoring_uri", "deployment", "instances", "max_concurrent")
    return {name: getattr(endpoint, name) for name in names}
