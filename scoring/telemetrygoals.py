"""Goals of checks that ask Azure Monitor instead of the endpoint: `failed_ratio(15m)<=1%`, `telemetry_age<=30m`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from scoring.endpoint import checked_deployment
from scoring.errors import RedlineError
from scoring.tomlfile import shown
from scoring.units import DAY, MIN, MS, parse_duration_ns, parse_ratio

ENDPOINT_METRICS = {
    "RequestsPerMinute": "",
    "RequestLatency": "ms",
    "RequestLatency_P50": "ms",
    "RequestLatency_P90": "ms",
    "RequestLatency_P95": "ms",
    "RequestLatency_P99": "ms",
    "ConnectionsActive": "",
    "NewConnectionsPerSecond": "",
    "NetworkBytes": "",
}
DEPLOYMENT_METRICS = {
    "CpuUtilizationPercentage": "%",
    "CpuMemoryUtilizationPercentage": "%",
    "GpuUtilizationPercentage": "%",
    "GpuMemoryUtilizationPercentage": "%",
    "DeploymentCapacity": "",
}
"""Azure Monitor's names and the unit of each value; "": a plain number."""
METRICS = ENDPOINT_METRICS | DEPLOYMENT_METRICS
LONGEST_AGE_NS = 7 * DAY
_BOUND = r"\s*(<=?|>=?)\s*(.{1,20})"
_RATIO_GOAL = re.compile(r"failed_ratio\s*\(([^()]{1,20})\)" + _BOUND)
_AGE_GOAL = re.compile(r"telemetry_age" + _BOUND)
_METRIC_GOAL = re.compile(r"(?:([A-Za-z0-9._-]{1,64})/)?([A-Za-z0-9_]{1,64})\s*\(([^()]{1,20})\)" + _BOUND)
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,6})?")


@dataclass(frozen=True, slots=True)
class FailedRatioGoal:
    """Of the scoring requests of the last `window_ns`, this share at most is answered with anything but 2xx."""

    text: str  # as it stands in the file, without spaces
    window_ns: int
    bound_ratio: float


@dataclass(frozen=True, slots=True)
class TelemetryAgeGoal:
    """The newest row of a scoring request is this old at most."""

    text: str
    bound_ns: int


@dataclass(frozen=True, slots=True)
class MetricGoal:
    """The middle minute of the last `window_ns` is at `bound` at most; at least, where it is a floor.

    In the unit of METRICS. `deployment` None: the endpoint's own, for a metric of deployments.
    """

    text: str
    deployment: str | None
    name: str
    window_ns: int
    bound: float
    is_floor: bool = False

    @property
    def unit(self) -> str:
        return METRICS[self.name]

    @property
    def is_of_deployment(self) -> bool:
        return self.name in DEPLOYMENT_METRICS


TelemetryGoal = FailedRatioGoal | TelemetryAgeGoal
T = TypeVar("T")


def parse_telemetry_goal(text: str) -> TelemetryGoal:
    """The goal in such a text.

    >>> parse_telemetry_goal("failed_ratio(15m) <= 1%").bound_ratio
    0.01
    >>> parse_telemetry_goal("telemetry_age<=30m").bound_ns // MIN
    30
    """
    kept = "".join(text.split())
    if (match := _RATIO_GOAL.fullmatch(text.strip())) is not None:
        _at_most(text, match[2])
        window_ns, ratio = _window_ns(text, match[1]), _inside(text, parse_ratio, match[3])
        if ratio >= 1:
            raise RedlineError(f"{shown(text)} holds always", "a share below 100%")
        return FailedRatioGoal(kept, window_ns, ratio)
    if (match := _AGE_GOAL.fullmatch(text.strip())) is not None:
        _at_most(text, match[1])
        bound_ns = _inside(text, parse_duration_ns, match[2])
        if not MIN <= bound_ns <= LONGEST_AGE_NS:
            raise RedlineError(f"{shown(text)} has a bound out of reach", "from 1m to 7d")
        return TelemetryAgeGoal(kept, bound_ns)
    raise RedlineError(f"{shown(text)} is no goal of telemetry", '"failed_ratio(15m)<=1%", "telemetry_age<=30m"')


def parse_metric_goal(text: str) -> MetricGoal:
    """The goal in such a text.

    >>> goal = parse_metric_goal("blue/CpuUtilizationPercentage(5m) <= 90%")
    >>> goal.deployment, goal.name, goal.bound, goal.is_floor
    ('blue', 'CpuUtilizationPercentage', 90.0, False)
    >>> parse_metric_goal("RequestLatency_P95(10m)<=0.3s").bound
    300.0
    """
    match = _METRIC_GOAL.fullmatch(text.strip())
    if match is None:
        raise RedlineError(f"{shown(text)} is no goal of a metric", '"CpuUtilizationPercentage(5m)<=90%"')
    deployment, name = match[1], match[2]
    if name not in METRICS:
        near = difflib.get_close_matches(name, METRICS, n=1)
        raise RedlineError(f"{shown(name)} is no metric", f"did you mean {near[0]}" if near else ", ".join(METRICS))
    if deployment is not None and name not in DEPLOYMENT_METRICS:
        raise RedlineError(f"{shown(name)} is a metric of the endpoint", f"without {deployment}/ in front")
    if deployment is not None:
        checked_deployment(deployment)
    bound = _bound(text, name, match[5].strip())
    return MetricGoal(
        "".join(text.split()), deployment, name, _window_ns(text, match[3]), bound, is_floor=match[4].startswith(">")
    )


def _bound(text: str, name: str, said: str) -> float:
    """The bound in the metric's unit; a percentage for shares, a duration for latencies, else a plain number."""
    unit = METRICS[name]
    if unit == "ms":
        return _inside(text, parse_duration_ns, said) / MS
    number = said.removesuffix("%").strip() if unit == "%" else said
    if _NUMBER.fullmatch(number) is None or (unit == "%" and float(number) > 100):
        allowed = {"%": '"90%"', "": "a plain number such as 20"}[unit]
        raise RedlineError(f"{shown(text)} has no bound that {name} can have", allowed)
    return float(number)


def _at_most(text: str, sign: str) -> None:
    if sign.startswith(">"):
        raise RedlineError(f"{shown(text)} asks for much of it", "<= instead")


def _window_ns(text: str, said: str) -> int:
    window_ns = _inside(text, parse_duration_ns, said)
    if not MIN <= window_ns <= DAY:
        raise RedlineError(f"{shown(text)} has a window out of reach", "windows from 1m to 1d")
    return window_ns


def _inside(text: str, parse: Callable[[str], T], said: str) -> T:
    """What the parser reads; its complaint names the whole goal."""
    try:
        return parse(said)
    except RedlineError as error:
        raise RedlineError(f"{shown(text)}: {error.message}", error.hint) from None
