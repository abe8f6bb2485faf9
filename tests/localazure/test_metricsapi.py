"""Azure Monitor metrics of the local endpoint: values by hand, errors in Azure's shape, and the real client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from azure.core.exceptions import HttpResponseError

from localazure.http1 import Request
from localazure.telemetry.metricsapi import DEPLOYMENTS, NAMESPACE, answer
from localazure.telemetry.metricvalues import DEPLOYMENT_METRICS, ENDPOINT_METRICS, Source
from localazure.telemetry.records import Load, Passed, frame_of
from localazure.telemetry.settings import Names, Settings
from localazure.telemetry.store import Store
from tests.localazure.asking import Asking
from tests.localazure.conftest import Serve

MS = 10**6
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
START_NS = int(START.timestamp()) * 10**9
BEARER = {"authorization": "Bearer a-token"}
NAMES = Names("churn", "blue", "11111111-0000-0000-0000-000000000001", "app", "key", "sub")
SETTINGS = Settings(NAMES, instances=2, max_concurrent=2)
NOW_US = START_NS // 1000 + 3_600_000_000


def passed(at_s: float, status: int, total_ms: int, model_status: int | None = None) -> tuple[Any, ...]:
    done_ns = START_NS + round(at_s * 10**9) + total_ms * MS
    model_ns = None if model_status is None else total_ms * MS
    ids = ("curl", "id", None)
    values = Passed(
        done_ns,
        total_ms * MS,
        model_ns,
        *("POST", "/score", "HTTP/1.1", "Key"),
        status,
        "",
        model_status,
        100,
        500,
        *ids,
    )
    return ("p", *values)


def load(at_s: float, connections: int, opened: int, ready: int = 2) -> tuple[Any, ...]:
    return ("l", *Load(START_NS + round(at_s * 10**9), connections, opened, ready))


RECORDS = [
    *(passed(second, 200, 10 * second, 200) for second in range(1, 11)),  # 10, 20 … 100 ms in the first minute
    passed(20, 429, 0),
    passed(130, 424, 40, 500),  # the second minute is empty
    load(5, 4, 30),
    load(35, 8, 30),
]


@pytest.fixture(scope="module")
def source() -> Source:
    store = Store(SETTINGS)
    store.add_frame(frame_of(RECORDS)[4:])
    return Source(store, SETTINGS)


def ask(source: Source, *, resource: str = NAMES.endpoint_id, method: str = "POST", **query: str) -> tuple[int, Any]:
    """Status and JSON of a request for the three minutes from START, unless told otherwise."""
    asked = {"metricnamespace": NAMESPACE, "interval": "PT1M", "aggregation": "average"}
    asked |= {"starttime": "2026-03-01T12:00:00Z", "endtime": "2026-03-01T12:03:00Z"} | query
    body = json.dumps({"resourceids": [resource]}).encode()
    request = Request(method, "/subscriptions/sub/metrics:getBatch", urlencode(asked), BEARER, True, False, body)
    reply = answer(request, SETTINGS, source, NOW_US)
    return reply.status, json.loads(reply.body)


def series(document: Any) -> dict[tuple[str, ...], list[float | None]]:
    """Values of the dimensions → the average of each minute, None where it has no value."""
    (metric,) = document["values"][0]["value"]
    return {
        tuple(one["value"] for one in line["metadatavalues"]): [point.get("average") for point in line["data"]]
        for line in metric["timeseries"]
    }


@pytest.mark.parametrize(
    ("name", "minutes"),
    [
        ("RequestsPerMinute", [11.0, None, 1.0]),
        ("RequestLatency", [50.0, None, 40.0]),  # 550 ms over 11 requests
        ("RequestLatency_P50", [50.0, None, 40.0]),  # nearest rank 6 of 0, 10 … 100
        ("RequestLatency_P90", [90.0, None, 40.0]),
        ("RequestLatency_P99", [100.0, None, 40.0]),
        ("NetworkBytes", [110.0, None, 10.0]),  # 11 × 600 bytes in 60 s
        ("ConnectionsActive", [6.0, None, None]),  # 4 and 8
        ("NewConnectionsPerSecond", [1.0, None, None]),  # 60 in the minute
    ],
)
def test_each_minute_of_an_endpoint_metric_is_what_its_rows_say(source, name, minutes):
    """A minute without rows is a point without a value."""
    assert series(ask(source, metricnames=name)[1]) == {(): minutes}


def test_a_filter_splits_by_the_dimensions_that_it_names(source):
    """`*` gives a series for each combination."""
    _, document = ask(source, metricnames="RequestsPerMinute", filter="statusCode eq '*' and modelStatusCode eq '*'")
    assert series(document) == {
        ("200", "200"): [10.0, None, None],
        ("424", "500"): [None, None, 1.0],
        ("429", ""): [1.0, None, None],
    }


def test_a_filter_with_a_value_keeps_that_series_alone(source):
    """The class of a status is `4xx`; the deployment has its name."""
    text = "statusCodeClass eq '4xx' and deployment eq '*'"
    _, document = ask(source, metricnames="RequestsPerMinute", filter=text)
    assert series(document) == {("blue", "4xx"): [1.0, None, 1.0]}


def test_a_longer_interval_averages_the_minutes_that_have_a_value(source):
    """A percentile over five minutes is an average of percentiles, as on Azure."""
    _, document = ask(source, metricnames="RequestLatency_P90", interval="PT5M", endtime="2026-03-01T12:05:00Z")
    assert series(document) == {(): [65.0]}


def test_the_other_aggregations_are_over_the_minutes_too(source):
    """11 and 1 requests: least, most, sum and number of the minutes."""
    asked = {"aggregation": "Minimum,Maximum,Total,Count", "interval": "PT5M", "endtime": "2026-03-01T12:05:00Z"}
    _, document = ask(source, metricnames="RequestsPerMinute", **asked)
    (point,) = document["values"][0]["value"][0]["timeseries"][0]["data"]
    assert (point["minimum"], point["maximum"], point["total"], point["count"]) == (1.0, 11.0, 12.0, 2.0)


def test_cpu_is_the_share_of_the_time_that_workers_were_busy(source):
    """550 ms of 4 workers' minute, alike for both instances."""
    asked = {"resource": NAMES.deployment_id, "metricnamespace": DEPLOYMENTS, "filter": "instanceId eq '*'"}
    _, document = ask(source, metricnames="CpuUtilizationPercentage", **asked)
    shares = [pytest.approx(55 / 240), None, pytest.approx(4 / 240)]
    assert series(document) == {("churn-blue-0",): shares, ("churn-blue-1",): shares}


def test_the_capacity_is_the_number_of_ready_instances(source):
    """One series without a filter."""
    asked = {"resource": NAMES.deployment_id, "metricnamespace": DEPLOYMENTS}
    _, document = ask(source, metricnames="DeploymentCapacity", **asked)
    assert series(document) == {(): [2.0, None, None]}


def test_all_metrics_of_a_resource_come_in_one_answer(source):
    """Names are answered in the order they are asked for, each with its unit."""
    for metrics, resource, space in (
        (ENDPOINT_METRICS, NAMES.endpoint_id, NAMESPACE),
        (DEPLOYMENT_METRICS, NAMES.deployment_id, DEPLOYMENTS),
    ):
        names = ",".join(metric.name for metric in metrics)
        status, document = ask(source, resource=resource, metricnamespace=space, metricnames=names)
        told = [(one["name"]["value"], one["unit"]) for one in document["values"][0]["value"]]
        assert (status, told) == (200, [(metric.name, metric.unit) for metric in metrics])


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"metricnames": "Requests"}, 400, "metric: Requests"),
        ({"metricnames": ""}, 400, "metricnames is missing"),
        ({"metricnamespace": "Microsoft.Web/sites"}, 400, "Microsoft.Web/sites"),
        ({"filter": "zone eq '*'"}, 400, "does not support requested dimension: zone"),
        ({"filter": "statusCode > 500"}, 400, "statusCode > 500"),
        ({"interval": "PT30S"}, 400, "time grain"),
        ({"interval": "soon"}, 400, "not a time"),
        ({"aggregation": "median"}, 400, "median"),
        ({"endtime": "2026-03-01T11:00:00Z"}, 400, "not before the end"),
        ({"resource": NAMES.endpoint_id + "x"}, 404, "was not found"),
        ({"resource": NAMES.deployment_id}, 400, "Valid namespaces: Microsoft.MachineLearningServices"),
        ({"method": "GET"}, 405, "GET"),
    ],
)
def test_each_mistake_of_a_request_is_told_in_azures_shape(source, change, status, words):
    """An error object with a code and a message that names the value."""
    found, document = ask(source, **({"metricnames": "RequestsPerMinute"} | change))
    assert (found, words in document["error"]["message"]) == (status, True), document


@pytest.fixture(scope="module")
def asking(serve: Serve) -> Iterator[Asking]:
    """A managed endpoint that answered three requests with 200 and one with 401."""
    endpoint = serve("--hosting", "managed", "--service-time", "1ms")
    for _ in range(3):
        assert endpoint.score().status == 200
    assert endpoint.score(Authorization="Bearer wrong").status == 401
    asking = Asking(endpoint.ready)
    asking.count_once("AmlOnlineEndpointTrafficLog | count", 4)
    yield asking
    asking.close()


def test_the_real_client_reads_the_requests_by_status(asking):
    """Over TLS, for the last ten minutes: 3 and 1, in whichever minutes they fell."""
    (result,) = asking.metrics().query_resources(
        resource_ids=[asking.ready["resource_id"]],
        metric_namespace=NAMESPACE,
        metric_names=["RequestsPerMinute"],
        timespan=timedelta(minutes=10),
        granularity=timedelta(minutes=1),
        aggregations=["Average"],
        filter="statusCode eq '*'",
    )
    (metric,) = result.metrics
    counts = {
        line.metadata_values["statusCode"]: sum(point.average or 0 for point in line.data) for line in metric.timeseries
    }
    assert (metric.unit, counts) == ("Count", {"200": 3, "401": 1})


def test_the_real_client_raises_for_an_unknown_metric(asking):
    """400 with the names that are valid."""
    with pytest.raises(HttpResponseError, match="RequestLatency_P99") as raised:
        asking.metrics().query_resources(
            resource_ids=[asking.ready["resource_id"]], metric_namespace=NAMESPACE, metric_names=["Nope"]
        )
    assert raised.value.status_code == 400
