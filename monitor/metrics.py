"""Edge: Azure Monitor metrics of an online endpoint and its deployments, through azure-monitor-querymetrics.

Percentile metrics are one value a minute that Azure computed over that minute. They are shown as such, never averaged.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.accounts import safe
from monitor.outcomes import Outcome, outcome_of_answer, outcome_of_fault, outcome_of_machine
from monitor.rows import Row
from monitor.slices import Slice
from monitor.workspace import Patience, plain_http
from scoring.account import Problem
from scoring.controlplane.clouds import cloud_of
from scoring.endpoint import Endpoint
from scoring.served import Source
from scoring.told import MetricSeries, Point

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.monitor.querymetrics import MetricsClient

ENDPOINTS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
DEPLOYMENTS = f"{ENDPOINTS}/deployments"
MOST_DEPLOYMENTS = 20  # what one endpoint may have
BY_DEPLOYMENT = "deployment eq '*'"
BY_STATUS = "deployment eq '*' and statusCode eq '*' and modelStatusCode eq '*'"
OF_ENDPOINT = (
    (("RequestsPerMinute",), BY_STATUS, "Average"),
    (
        ("RequestLatency", "RequestLatency_P50", "RequestLatency_P90", "RequestLatency_P95", "RequestLatency_P99"),
        BY_DEPLOYMENT,
        "Average",
    ),
    (("ConnectionsActive", "NewConnectionsPerSecond", "NetworkBytes"), None, "Average"),
)
OF_DEPLOYMENT = (
    (("CpuUtilizationPercentage", "CpuMemoryUtilizationPercentage"), "instanceId eq '*'", "Maximum"),
    (("GpuUtilizationPercentage", "GpuMemoryUtilizationPercentage"), "instanceId eq '*'", "Maximum", True),
    (("DeploymentCapacity",), "instanceId eq '*' and State eq '*'", "Maximum"),
)
LONGEST = timedelta(days=7)
_MANAGED = re.compile(r"[^.]+\.(?P<region>[a-z0-9]+)\.inference\.ml\.azure\.com")
_FINAL = frozenset(("unreachable", "no_credential", "forbidden", "throttled", "bad_answer", "failed", "timed_out"))
_STEPS = {
    "forbidden": "az role assignment create --role 'Monitoring Reader' --assignee YOU --scope SUBSCRIPTION",
    "no_credential": "az login",
    "wrong_workspace": "check arm_id and metrics_url of the endpoint in redline.toml",
}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One question: metrics of one resource, split by dimensions."""

    resource_id: str
    namespace: str
    names: tuple[str, ...]
    split: str | None
    aggregation: str
    may_lack: bool = False  # GPU metrics are unknown where there is no GPU


def metrics_url(endpoint: Endpoint) -> str | None:
    """Where the metrics of the endpoint's region are asked for: as told, else by a managed endpoint's own address.

    >>> metrics_url(Endpoint("churn", "https://churn.westeurope.inference.ml.azure.com/score"))
    'https://westeurope.metrics.monitor.azure.com'
    """
    if endpoint.metrics_url is not None:
        return endpoint.metrics_url
    found = _MANAGED.fullmatch(endpoint.host)
    return None if found is None else f"https://{found['region']}.metrics.monitor.azure.com"


def series_told(
    endpoint: Endpoint, credential: TokenCredential, period: Slice, deployments: Sequence[str]
) -> tuple[tuple[MetricSeries, ...], tuple[Problem, ...]]:
    """Every metric of the endpoint and of its deployments, one point a minute; and why one could not be read.

    Of a period longer than LONGEST the end is asked for, and that is told.
    """
    from azure.monitor.querymetrics import MetricsClient

    asked_for = Slice(max(period.from_at, period.until_at - LONGEST), period.until_at)
    options: dict[str, Any] = {} if endpoint.ca_file is None else {"connection_verify": endpoint.ca_file}
    options["audience"] = cloud_of(endpoint.azure, os.environ).metrics_scope.removesuffix("/.default")
    series: list[MetricSeries] = []
    troubles: dict[str, Outcome] = {}
    with MetricsClient(metrics_url(endpoint) or "", credential, retry_total=1, **options) as client:
        for wanted in _wanted(endpoint.arm_id or "", deployments):
            found = _asked(client, wanted, asked_for, plain_http(endpoint.metrics_url))
            if not isinstance(found, Outcome):
                series += found
            elif found.word != "refused_query" or not wanted.may_lack:
                troubles.setdefault(found.word, found)
                if found.word in _FINAL:
                    break
    if asked_for != period:
        whole = f"the last {LONGEST.days} days of the period alone are asked for, one value a minute"
        troubles.setdefault("partial", Outcome("partial", whole))
    return tuple(series), tuple(_problem(one) for one in troubles.values())


def series_named(
    endpoint: Endpoint,
    credential: TokenCredential,
    period: Slice,
    named: Iterable[tuple[str, str | None]],
    patience: Patience,
) -> dict[tuple[str, str | None], tuple[MetricSeries, ...] | Outcome]:
    """The series of each metric, or why it could not be read; by its name and deployment, None for the endpoint's."""
    from azure.monitor.querymetrics import MetricsClient

    options: dict[str, Any] = {} if endpoint.ca_file is None else {"connection_verify": endpoint.ca_file}
    options["audience"] = cloud_of(endpoint.azure, os.environ).metrics_scope.removesuffix("/.default")
    options |= {"connection_timeout": patience.connect_s, "read_timeout": patience.read_s, "retry_total": 0}
    found: dict[tuple[str, str | None], tuple[MetricSeries, ...] | Outcome] = {}
    with MetricsClient(metrics_url(endpoint) or "", credential, **options) as client:
        final: Outcome | None = None
        for name, deployment in named:
            wanted = _wanted_one(endpoint.arm_id or "", name, deployment)
            told = final or _asked(client, wanted, period, plain_http(endpoint.metrics_url))
            found[name, deployment] = told if isinstance(told, Outcome) else tuple(told)
            final = told if isinstance(told, Outcome) and told.word in _FINAL else None
    return found


def _wanted_one(arm_id: str, name: str, deployment: str | None) -> _Wanted:
    of_what, resource_id = (
        (OF_ENDPOINT, arm_id) if deployment is None else (OF_DEPLOYMENT, f"{arm_id}/deployments/{deployment}")
    )
    namespace = ENDPOINTS if deployment is None else DEPLOYMENTS
    _, split, aggregation, *_ = next(one for one in of_what if name in one[0])
    return _Wanted(resource_id, namespace, (name,), split, aggregation)


def _problem(trouble: Outcome) -> Problem:
    step = _STEPS.get(trouble.word, "ask again in a minute")
    return Problem(Source.METRICS, trouble.word, f"metrics could not be read whole: {trouble.said}", step)


def _wanted(arm_id: str, deployments: Sequence[str]) -> list[_Wanted]:
    found = [_Wanted(arm_id, ENDPOINTS, *one) for one in OF_ENDPOINT]
    for name in deployments[:MOST_DEPLOYMENTS]:
        found += [_Wanted(f"{arm_id}/deployments/{name}", DEPLOYMENTS, *one) for one in OF_DEPLOYMENT]
    return found


def series_of_rows(rows: Iterable[Row]) -> tuple[MetricSeries, ...]:
    """Figures of the App Insights tables, one series for each name and dimension."""
    points: defaultdict[tuple[str, str], list[Point]] = defaultdict(list)
    for row in rows:
        if row.get("at") is not None and row.get("value") is not None:
            key = (safe(row.get("name"), 200) or "", safe(row.get("dimension"), 200) or "")
            points[key].append(Point(row["at"], row["value"]))
    return tuple(
        MetricSeries(name, "", "per bucket", (("of", of),) if of else (), tuple(sorted(held, key=lambda one: one.at)))
        for (name, of), held in sorted(points.items())
    )


def _asked(
    client: MetricsClient, wanted: _Wanted, period: Slice, options: dict[str, Any]
) -> list[MetricSeries] | Outcome:
    from azure.core.exceptions import AzureError

    try:
        results = client.query_resources(
            resource_ids=[wanted.resource_id],
            metric_namespace=wanted.namespace,
            metric_names=list(wanted.names),
            timespan=(period.from_at, period.until_at),
            granularity=timedelta(minutes=1),
            aggregations=[wanted.aggregation],
            filter=wanted.split,
            **options,
        )
        metrics = [metric for result in results for metric in result.metrics]
        lines = [(metric, line) for metric in metrics for line in metric.timeseries]
        found = [_series(metric, line, wanted.aggregation) for metric, line in lines]
    except AzureError as error:
        outcome = outcome_of_fault(error)
        return Outcome("refused_query", outcome.said) if getattr(error, "status_code", None) == 400 else outcome
    except OSError as error:
        return outcome_of_machine(error)
    except (ValueError, AttributeError, KeyError, TypeError) as error:  # an answer that is no result
        return outcome_of_answer(error)
    return [one for one in found if one is not None]


def _series(metric: Any, line: Any, aggregation: str) -> MetricSeries | None:
    field = aggregation.lower()
    points = tuple(
        Point(point.timestamp, value) for point in line.data if (value := getattr(point, field, None)) is not None
    )
    if not points:
        return None
    dimensions = tuple(sorted((str(key), safe(value, 100) or "") for key, value in line.metadata_values.items()))
    return MetricSeries(str(metric.name), str(metric.unit), aggregation, dimensions, points)
