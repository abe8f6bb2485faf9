"""The table [endpoints.NAME.checks] of redline.toml: when to check an endpoint, what to hold it to, when to tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from scoring.cron import Cron, checked_cron
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.telemetrygoals import MetricGoal, TelemetryGoal, parse_metric_goal, parse_telemetry_goal
from scoring.tomlfile import Document, KeyPath, shown
from scoring.tomlvalues import as_count, as_duration_ns, as_flag, as_max_bytes, as_text, as_texts, one_of
from scoring.units import DAY, HOUR, MIN, S, parse_duration_ns, parse_ratio

NEGATIVE = ("no_key", "wrong_key", "get")
MOST_PAYLOADS = 100
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,2})?)\s*\(([^()]{1,20})\)\s*<=?\s*(.{1,20})")


@dataclass(frozen=True, slots=True)
class PercentileGoal:
    """Good answers of the last `window_ns` have this percentile at `bound_ns` at most."""

    text: str  # as it stands in the file, without spaces
    q: float  # 0..1
    window_ns: int
    bound_ns: int


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """How one endpoint is watched. The defaults are what an endpoint without the table gets."""

    enabled: bool = True
    every_ns: int = 5 * MIN
    cron: Cron | None = None  # instead of every_ns
    deadline_ns: int | None = None  # of one request; None: the scenario's
    payloads: int = 3  # so many of the scenario's payloads are sent in one check
    latency_ns: int | None = None  # slower is DEGRADED
    latency_failed_ns: int | None = None  # slower is FAILED
    percentiles: tuple[PercentileGoal, ...] = ()
    max_body_bytes: int | None = None  # larger is DEGRADED
    certificate_days: int = 14  # fewer left is DEGRADED
    certificate_failed_days: int = 3  # fewer left is FAILED
    negative: tuple[str, ...] | None = None  # of NEGATIVE; None: as the endpoint's auth suggests
    fail_after: int = 2
    fail_for_ns: int | None = None
    degraded_after: int = 3
    unknown_after: int = 3
    recover_after: int = 2
    flap_changes: int = 3  # so many incidents within flap_window_ns are flapping
    flap_window_ns: int = HOUR
    calm_ns: int = 15 * MIN  # a flapping endpoint is well again after so long without a fault
    depends_on: tuple[str, ...] = ()
    telemetry: tuple[TelemetryGoal, ...] = ()  # asked of Application Insights
    metrics: tuple[MetricGoal, ...] = ()  # asked of Azure Monitor metrics
    telemetry_every_ns: int = 5 * MIN  # between two questions about telemetry and metrics
    telemetry_role: str | None = None  # rows of this role alone, where endpoints share a component; None: all rows
    slo_ratio: float | None = None  # share of checks that are not FAILED
    slo_window_ns: int = 30 * DAY

    @property
    def interval_s(self) -> float | None:
        """Seconds between two checks; None where cron says when."""
        return None if self.cron is not None else self.every_ns / S

    @property
    def asks_azure(self) -> bool:
        """True where a goal is about what Azure Monitor tells."""
        return bool(self.telemetry or self.metrics)

    @property
    def asked_of_azure(self) -> frozenset[str]:
        """Ids of the checks that Azure Monitor answers."""
        return frozenset(goal.text for goal in (*self.telemetry, *self.metrics))


_FLOOR_NS = S


def check_plan(document: Document, at: KeyPath, value: object) -> CheckPlan:
    """The plan of one table; its mistakes are noted in the document."""
    table = document.known(at, document.table(at, value), _KEYS)
    values = {key: document.checked((*at, key), table[key], _KEYS[key]) for key in table}
    for key, parse in _GOALS.items():
        texts = dict.fromkeys(values.get(key) or ())
        goals = [document.checked((*at, key), text, parse) for text in texts]
        values[key] = tuple(goal for goal in goals if goal is not None)
    if "cron" in table and "every" in table:
        document.mistake((*at, "every"), "every and cron are both given; allowed: one of them")
    if "zone" in table and "cron" not in table:
        document.mistake((*at, "zone"), "a zone without cron; allowed: beside cron")
    if isinstance(values.get("cron"), str):
        zone = values.get("zone") or "UTC"
        values["cron"] = document.checked((*at, "cron"), values["cron"], lambda text: checked_cron(str(text), zone))
    _order(document, at, values, "latency", "latency_failed", "is longer than")
    for key in ("telemetry_every", "telemetry_role"):
        if key in table and not ({"telemetry", "metrics"} & set(table)):
            document.mistake((*at, key), f"{key} without a goal; allowed: beside telemetry or metrics")
    _order(document, at, values, "certificate_failed_days", "certificate_days", "is more than")
    values.pop("zone", None)
    kept = {_FIELD.get(key, key): value for key, value in values.items() if value is not None}
    return CheckPlan(**kept)


def check_dependencies(document: Document, plans: Mapping[str, CheckPlan]) -> None:
    """Mistakes are noted for names that are no endpoint, and for endpoints that wait for each other."""
    for name, plan in plans.items():
        at = ("endpoints", name, "checks", "depends_on")
        for other in plan.depends_on:
            if other not in plans:
                document.mistake(at, f"{shown(other)} is no endpoint; allowed: {', '.join(plans)}")
        if name in _reached(name, plans):
            document.mistake(at, f"{shown(name)} depends on itself; allowed: endpoints that do not depend on it")


def check_sources(document: Document, endpoint: Endpoint, plan: CheckPlan) -> None:
    """Mistakes are noted for goals about sources that the endpoint's table does not name."""
    at = ("endpoints", endpoint.name, "checks")
    if plan.telemetry and not (endpoint.workspace_id or endpoint.app_insights_id):
        document.mistake((*at, "telemetry"), "nowhere to ask; allowed: with workspace_id or app_insights_id")
    if plan.metrics and not endpoint.arm_id:
        document.mistake((*at, "metrics"), "nowhere to ask; allowed: with arm_id, the resource id of the endpoint")
    for goal in plan.metrics:
        if goal.is_of_deployment and not (goal.deployment or endpoint.deployment):
            document.mistake((*at, "metrics"), f"{shown(goal.text)} needs a deployment; allowed: blue/{goal.text}")


def _reached(name: str, plans: Mapping[str, CheckPlan]) -> set[str]:
    """Everything that `name` depends on, over any number of steps."""
    found: set[str] = set()
    waiting = list(plans[name].depends_on)
    while waiting:
        other = waiting.pop()
        if other not in found and other in plans:
            found.add(other)
            waiting += plans[other].depends_on
    return found


def _order(document: Document, at: KeyPath, values: dict[str, Any], less: str, more: str, words: str) -> None:
    """A mistake where two given bounds stand the wrong way round."""
    low = values.get(less, _DEFAULTS.get(less))
    high = values.get(more, _DEFAULTS.get(more))
    if (less in values or more in values) and low is not None and high is not None and low > high:
        given = less if less in values else more
        document.mistake((*at, given), f"{less} {words} {more}; allowed: the other way round")


def as_every_ns(value: object) -> int:
    """Nanoseconds between two checks, a second at least."""
    every_ns = as_duration_ns(value)
    if every_ns < _FLOOR_NS:
        raise RedlineError(f"{shown(value)} is too often", 'a second at least: "30s", "5m"')
    return every_ns


def as_slo_ratio(value: object) -> float:
    """The objective, above 0 and below 1: with 1 there would be no budget."""
    ratio = parse_ratio(value) if isinstance(value, str) else None
    if ratio is None or not 0 < ratio < 1:
        raise RedlineError(f"{shown(value)} is no objective", 'a percentage below 100 in quotes: "99.9%"')
    return ratio


def parse_percentile(text: str) -> PercentileGoal:
    """The goal in a text such as p95(10m)<300ms.

    >>> goal = parse_percentile("p95(10m) < 300ms")
    >>> goal.text, goal.q, goal.window_ns // S, goal.bound_ns
    ('p95(10m)<300ms', 0.95, 600, 300000000)
    """
    match = _PERCENTILE.fullmatch(text.strip())
    if match is None or not 0 < float(match[1]) < 100:
        raise RedlineError(f"{shown(text)} is no goal over a window", '"p95(10m)<300ms", "p99.9(1h)<2s"')
    window_ns, bound_ns = parse_duration_ns(match[2]), parse_duration_ns(match[3])
    if not (MIN <= window_ns <= DAY and bound_ns > 0):
        raise RedlineError(
            f"{shown(text)} has a window or a bound out of reach", "windows from 1m to 1d, bounds above 0"
        )
    return PercentileGoal("".join(text.split()), float(match[1]) / 100, window_ns, bound_ns)


def _percentiles(value: object) -> tuple[PercentileGoal, ...]:
    return tuple(parse_percentile(text) for text in as_texts(value))


def _telemetry_every_ns(value: object) -> int:
    every_ns = as_duration_ns(value)
    if not MIN <= every_ns <= DAY:
        raise RedlineError(f"{shown(value)} is no interval for questions to Azure Monitor", '"1m" to "1d"')
    return every_ns


def _negative(value: object) -> tuple[str, ...]:
    texts = () if value == [] else as_texts(value)
    return tuple(one_of(NEGATIVE)(text) for text in texts)


def _days(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 398:
        raise RedlineError(f"{shown(value)} is no number of days", "a whole number from 0 to 398")
    return value


def _slo_window_ns(value: object) -> int:
    window_ns = as_duration_ns(value)
    if not 7 * DAY <= window_ns <= 90 * DAY:
        raise RedlineError(f"{shown(value)} is no window of an objective", '"7d" to "90d"')
    return window_ns


def _payload_count(value: object) -> int:
    count = as_count(value)
    if count > MOST_PAYLOADS:
        raise RedlineError(f"{shown(value)} is too many", f"at most {MOST_PAYLOADS} payloads in one check")
    return count


_KEYS: dict[str, Callable[[object], Any]] = {
    "enabled": as_flag,
    "every": as_every_ns,
    "cron": as_text,
    "zone": as_text,
    "deadline": as_duration_ns,
    "payloads": _payload_count,
    "latency": as_duration_ns,
    "latency_failed": as_duration_ns,
    "percentiles": _percentiles,
    "max_body_bytes": as_max_bytes,
    "certificate_days": _days,
    "certificate_failed_days": _days,
    "negative": _negative,
    "fail_after": as_count,
    "fail_for": as_duration_ns,
    "degraded_after": as_count,
    "unknown_after": as_count,
    "recover_after": as_count,
    "flap_changes": as_count,
    "flap_window": as_duration_ns,
    "calm": as_duration_ns,
    "depends_on": as_texts,
    "telemetry": as_texts,
    "metrics": as_texts,
    "telemetry_every": _telemetry_every_ns,
    "telemetry_role": as_text,
    "slo": as_slo_ratio,
    "slo_window": _slo_window_ns,
}
_GOALS: dict[str, Callable[[Any], Any]] = {"telemetry": parse_telemetry_goal, "metrics": parse_metric_goal}
"""Lists of which every mistake is told."""
_FIELD = {
    "every": "every_ns",
    "deadline": "deadline_ns",
    "latency": "latency_ns",
    "latency_failed": "latency_failed_ns",
    "fail_for": "fail_for_ns",
    "flap_window": "flap_window_ns",
    "calm": "calm_ns",
    "telemetry_every": "telemetry_every_ns",
    "slo": "slo_ratio",
    "slo_window": "slo_window_ns",
}
_DEFAULTS = {one.name: one.default for one in fields(CheckPlan)}
