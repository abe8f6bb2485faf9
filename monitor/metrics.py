"""Edge: Azure Monitor metrics of an online endpoint and its deployments, through azure-monitor-querymetrics.

Percentile metrics are one value a minute that Azure computed over that minute. They are shown as such, never averaged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from monitor.accounts import safe
from monitor.outcomes import Outcome, outcome_of_answer, outcome_of_fault
from monitor.rows import Row
from monitor.slices import Slice
from scoring.account import Problem
from scoring.endpoint import Endpoint
from scoring.served import Source
from scoring.told import MetricSeries, Point

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.monitor.querymetrics import MetricsClient

ENDPOINTS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
DEPLOYMENTS = f"{ENDPOINTS}/deployments"
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
    (("GpuUtilizationPercentage", "GpuMemoryUtilizationPercentage"), "instanceId eq '*'", "Maximum"),
    (("DeploymentCapacity",), "instanceId eq '*' and State eq '*'", "Maximum"),
)
_STEPS = {
    "forbidden": "az role assignment create --role 'Monitoring Reader' --assignee YOU --scope SUBSCRIPTION",
    "no_credential": "az login",
}


def series_told(
    endpoint: Endpoint, credential: TokenCredential, period: Slice, deployments: Sequence[str]
) -> tuple[tuple[MetricSeries, ...], tuple[Problem, ...]]:
    """Every metric of the endpoint and of its deployments, one point a minute; and why it could not be read."""
    from azure.monitor.querymetrics import MetricsClient

    verify = {} if endpoint.ca_file is None else {"connection_verify": endpoint.ca_file}
    client = MetricsClient(endpoint.metrics_url or "", credential, retry_total=1, **verify)
    arm_id = endpoint.arm_id or ""
    asked = [(arm_id, ENDPOINTS, *wanted) for wanted in OF_ENDPOINT]
    asked += [
        (f"{arm_id}/deployments/{name}", DEPLOYMENTS, *wanted) for name in deployments for wanted in OF_DEPLOYMENT
    ]
    series: list[MetricSeries] = []
    trouble: Outcome | None = None
    with client:
        for resource, namespace, names, split, aggregation in asked:
            found = _asked(client, resource, namespace, names, split, aggregation, period)
            if isinstance(found, Outcome):
                # GPU metrics are unknown where there is no GPU; any other refusal is told once.
                trouble = trouble or (None if found.word == "refused_query" else found)
                if found.word in ("unreachable", "no_credential", "forbidden"):
                    break
                continue
            series += found
    if trouble is None:
        return tuple(series), ()
    step = _STEPS.get(trouble.word, "ask again in a minute")
    problem = Problem(Source.METRICS, trouble.word, f"metrics could not be read: {trouble.said}", step)
    return tuple(series), (problem,)


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
    client: MetricsClient,
    resource: str,
    namespace: str,
    names: Sequence[str],
    split: str | None,
    aggregation: str,
    period: Slice,
) -> list[MetricSeries] | Outcome:
    from datetime import timedelta

    from azure.core.exceptions import AzureError

    try:
        results = client.query_resources(
            resource_ids=[resource],
            metric_namespace=namespace,
            metric_names=list(names),
            timespan=(period.from_at, period.until_at),
            granularity=timedelta(minutes=1),
            aggregations=[aggregation],
            filter=split,
        )
    except AzureError as error:
        found = outcome_of_fault(error)
        return Outcome("refused_query", found.said) if getattr(error, "status_code", None) == 400 else found
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        return outcome_of_answer(error)
    metrics = [metric for result in results for metric in result.metrics]
    return [
        series for metric in metrics for line in metric.timeseries if (series := _series(metric, line, aggregation))
    ]


def _series(metric: Any, line: Any, aggregation: str) -> MetricSeries | None:
    field = aggregation.lower()
    points = tuple(
        Point(point.timestamp, value) for point in line.data if (value := getattr(point, field, None)) is not None
    )
    if not points:
        return None
    dimensions = tuple(sorted((str(key), safe(value, 100) or "") for key, value in line.metadata_values.items()))
    return MetricSeries(str(metric.name), str(metric.unit), aggregation, dimensions, points)
