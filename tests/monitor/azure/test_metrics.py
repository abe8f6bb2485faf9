"""Metrics of an online endpoint through the real client: one value a minute for each metric and dimension."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from monitor.metrics import metrics_url, series_of_rows, series_told
from monitor.slices import Slice
from scoring.account import Problem
from scoring.endpoint import Endpoint
from scoring.told import MetricSeries, Point
from tests.monitor.azure.canned import UNTIL_AT, AnyToken, Reply, error

ENDPOINT_ID = (
    "/subscriptions/s1/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e"
)
PERIOD = Slice(UNTIL_AT - timedelta(minutes=3), UNTIL_AT)
FIRST, SECOND, THIRD = ((PERIOD.from_at + timedelta(minutes=number)) for number in range(3))


def line(dimensions: dict[str, str], **values: list[float | None]) -> dict[str, Any]:
    """A series as the service sends it; a minute without a value has none."""
    (name, points), *_ = values.items()
    stamps = (FIRST, SECOND, THIRD)
    data = [
        {"timeStamp": f"{at:%Y-%m-%dT%H:%M:%SZ}", **({} if value is None else {name: value})}
        for at, value in zip(stamps, points, strict=True)
    ]
    named = [{"name": {"value": key, "localizedValue": key}, "value": value} for key, value in dimensions.items()]
    return {"metadatavalues": named, "data": data}


def result(resource_id: str, **lines: list[dict[str, Any]]) -> bytes:
    metrics = [
        {
            "id": name,
            "type": "Microsoft.Insights/metrics",
            "name": {"value": name, "localizedValue": name},
            "unit": "MilliSeconds",
            "errorCode": "Success",
            "timeseries": series,
        }
        for name, series in lines.items()
    ]
    value = {"starttime": "x", "endtime": "x", "interval": "PT1M", "namespace": "n", "resourceregion": "r"}
    return json.dumps({"values": [{**value, "resourceid": resource_id, "value": metrics}]}).encode()


@contextmanager
def serving(replies: dict[str, Reply]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A metrics service that answers by the first metric asked for, else with nothing; and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            resource_id = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["resourceids"][0]
            wanted = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            asked.append({**wanted, "resource_id": resource_id})
            empty = Reply(200, result(resource_id), {"Content-Type": "application/json"})
            reply = replies.get(wanted["metricnames"].partition(",")[0], replies.get("*", empty))
            self.send_response(reply.status or 500)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def told(url: str, *deployments: str, period: Slice = PERIOD) -> tuple[tuple[MetricSeries, ...], tuple[Problem, ...]]:
    endpoint = Endpoint("e", "https://e.example/score", arm_id=ENDPOINT_ID, metrics_url=url)
    return series_told(endpoint, AnyToken(), period, deployments)


def test_a_percentile_stays_one_value_a_minute() -> None:
    """Each minute's P95 as Azure computed it, minutes without one left out, and nothing averaged over them."""
    body = result(ENDPOINT_ID, RequestLatency_P95=[line({"deployment": "blue"}, average=[10.0, None, 990.0])])
    with serving({"RequestLatency": Reply(200, body, {"Content-Type": "application/json"})}) as (url, _):
        series, problems = told(url)
    assert problems == ()
    points = (Point(FIRST, 10.0), Point(THIRD, 990.0))
    assert series == (MetricSeries("RequestLatency_P95", "MilliSeconds", "Average", (("deployment", "blue"),), points),)


def test_each_question_is_about_one_resource_and_one_minute_steps() -> None:
    """The client drops the resource from its answer, so no two are asked about together."""
    with serving({}) as (url, asked):
        told(url, "blue", "green")
    assert {one["interval"] for one in asked} == {"PT1M"}
    by_resource = {one["resource_id"].removeprefix(ENDPOINT_ID) for one in asked}
    assert by_resource == {"", "/deployments/blue", "/deployments/green"}
    namespaces = {
        one["resource_id"].removeprefix(ENDPOINT_ID): one["metricnamespace"].rsplit("/", 1)[1] for one in asked
    }
    assert namespaces == {
        "": "onlineEndpoints",
        "/deployments/blue": "deployments",
        "/deployments/green": "deployments",
    }


def test_two_series_of_one_metric_are_told_apart_by_their_dimensions() -> None:
    """Requests a minute by deployment and status."""
    lines = [line({"deployment": "blue", "statusCode": code}, average=[1.0, 2.0, 3.0]) for code in ("200", "429")]
    body = result(ENDPOINT_ID, RequestsPerMinute=lines)
    with serving({"RequestsPerMinute": Reply(200, body, {"Content-Type": "application/json"})}) as (url, asked):
        series, _ = told(url)
    assert [dict(one.dimensions)["statusCode"] for one in series] == ["200", "429"]
    assert "statusCode eq '*'" in asked[0]["filter"]


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (error(403, "AuthorizationFailed"), "forbidden"),
        (error(401, "AuthenticationFailed"), "no_credential"),
        (error(429, "Throttled"), "throttled"),
        (error(404, "ResourceNotFound"), "wrong_workspace"),
        (error(400, "BadRequest"), "refused_query"),
        (Reply(502, b"<html>", {"Content-Type": "text/html"}), "bad_answer"),
        (Reply(200, b"", {"Content-Type": "application/json"}), "bad_answer"),
        (Reply(200, b"{}", {"Content-Type": "application/json"}), "bad_answer"),
        (Reply(200, b'{"values": [{"value": [{}]}]}', {"Content-Type": "application/json"}), "bad_answer"),
    ],
    ids=["403", "401", "429", "404", "400", "502", "empty", "no values", "half a value"],
)
def test_a_refusal_is_told_once(reply: Reply, word: str) -> None:
    """One problem, no series, and a next step."""
    with serving({"*": reply}) as (url, _):
        series, problems = told(url)
    assert series == ()
    assert [one.outcome for one in problems] == [word]
    assert problems[0].next_step


def test_a_deployment_without_a_gpu_is_no_problem() -> None:
    """Its GPU metrics are unknown to Azure."""
    with serving({"GpuUtilizationPercentage": error(400, "BadRequest")}) as (url, _):
        assert told(url, "blue")[1] == ()


def test_of_a_long_period_the_end_is_asked_for_and_told() -> None:
    """A month has 43,200 minutes for each series; the last week is asked for."""
    month = Slice(UNTIL_AT - timedelta(days=30), UNTIL_AT)
    with serving({}) as (url, asked):
        _, problems = told(url, period=month)
    assert all(one["starttime"].startswith("2026-11-15T12") for one in asked)
    assert [one.outcome for one in problems] == ["partial"]


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("https://churn.westeurope.inference.ml.azure.com/score", "https://westeurope.metrics.monitor.azure.com"),
        ("https://churn.example/score", None),
        ("https://a.b.westeurope.inference.ml.azure.com/score", None),
    ],
)
def test_a_managed_endpoint_names_its_region(uri: str, url: str | None) -> None:
    """Metrics are asked for in the region; elsewhere it has to be told."""
    assert metrics_url(Endpoint("churn", uri)) == url


def test_figures_of_app_insights_are_one_series_for_each_name() -> None:
    """In order of time, and without rows that lack a time or a value."""
    rows = [
        {"at": SECOND, "name": "queue", "dimension": "", "value": 2.0},
        {"at": FIRST, "name": "queue", "dimension": "", "value": 1.0},
        {"at": FIRST, "name": "availability", "dimension": "west", "value": 0.5},
        {"at": None, "name": "queue", "dimension": "", "value": 1.0},
        {"at": FIRST, "name": "queue", "dimension": "", "value": None},
    ]
    told_apart = {(one.name, one.dimensions): [point.value for point in one.points] for one in series_of_rows(rows)}
    assert told_apart == {("availability", (("of", "west"),)): [0.5], ("queue", ()): [1.0, 2.0]}
