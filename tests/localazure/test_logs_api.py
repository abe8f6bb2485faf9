"""The Logs query API over TLS: types, errors, limits and faults, through the real client where it shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from azure.core.exceptions import (
    HttpResponseError,
    ServiceResponseError,
)
from azure.monitor.query import LogsBatchQuery, LogsQueryClient, LogsQueryPartialResult, LogsQueryStatus

from tests.localazure.asking import AUDIENCE, Asking, StaticToken
from tests.localazure.conftest import Serve


@pytest.fixture(scope="module")
def asking(serve: Serve) -> Iterator[Asking]:
    """An endpoint that nobody scored, to which five traces were sent, a minute apart; at most 3 rows are answered."""
    asking = Asking(serve("--hosting", "aks", "--query-max-rows", "3").ready)
    items = [trace(asking, f"line {minute}", f"2026-03-01T12:0{minute}:00.5Z") for minute in range(5)]
    assert asking.send(json.dumps(items).encode())[0] == 200
    yield asking
    asking.close()


def trace(asking: Asking, message: str, at: str) -> dict[str, Any]:
    data = {"baseType": "MessageData", "baseData": {"message": message, "properties": {"k": "v"}}}
    return {"time": at, "iKey": asking.instrumentation_key, "data": data}


LINES = "traces | where message startswith 'line'"


def test_every_type_is_written_as_kusto_writes_it(asking):
    """Dates with seven digits, spans as `d.hh:mm:ss.fffffff`, numbers that are none as texts, dynamic as JSON text."""
    columns = {
        "b": ("true", "bool", True),
        "i": ("int(3)", "int", 3),
        "l": ("long(9007199254740993)", "long", 9_007_199_254_740_993),
        "r": ("1.5", "real", 1.5),
        "n": ("real(nan)", "real", "NaN"),
        "p": ("real(+inf)", "real", "Infinity"),
        "m": ("real(-inf)", "real", "-Infinity"),
        "d": ("datetime(2026-01-02T03:04:05.678901Z)", "datetime", "2026-01-02T03:04:05.6789010Z"),
        "t": ("time(1.02:03:04.5)", "timespan", "1.02:03:04.5000000"),
        "h": ("1h", "timespan", "01:00:00"),
        "g": ("guid(74be27de-1e4e-49d9-b579-fe0b331d3642)", "guid", "74be27de-1e4e-49d9-b579-fe0b331d3642"),
        "y": ("dynamic({'a': [1, 2]})", "dynamic", '{"a":[1,2]}'),
        "s": ("'text'", "string", "text"),
        "zg": ("guid(null)", "guid", None),
        "zt": ("time(null)", "timespan", None),
        "zl": ("long(null)", "long", None),
    }
    status, document = asking.query_raw(
        "print " + ", ".join(f"{name} = {kql}" for name, (kql, _, _) in columns.items())
    )
    (table,) = document["tables"]
    told = {
        column["name"]: (column["type"], value)
        for column, value in zip(table["columns"], table["rows"][0], strict=True)
    }
    told["y"] = (told["y"][0], told["y"][1].replace(" ", ""))
    assert (status, table["name"]) == (200, "PrimaryResult")
    assert told == {name: (kind, value) for name, (_, kind, value) in columns.items()}


@pytest.mark.parametrize("number", ["1.5", "100", "-0.25", "0"])
def test_a_decimal_is_a_text(asking, number):
    """Exact, and without zeros at its end."""
    _, document = asking.query_raw(f"datatable(c: decimal)[{number}]")
    assert document["tables"][0] == {
        "name": "PrimaryResult",
        "columns": [{"name": "c", "type": "decimal"}],
        "rows": [[number]],
    }


def test_a_sum_is_a_long(asking):
    """Not wider than Kusto knows."""
    _, document = asking.query_raw(f"{LINES} | summarize n = sum(itemCount), c = count(), a = avg(itemCount)")
    assert [column["type"] for column in document["tables"][0]["columns"]] == ["long", "long", "real"]


@pytest.mark.parametrize(
    ("timespan", "expected"),
    [
        (None, 5),
        ((datetime(2026, 3, 1, 12, 1, tzinfo=UTC), datetime(2026, 3, 1, 12, 3, tzinfo=UTC)), 2),
        ((datetime(2026, 3, 1, 12, 1, tzinfo=UTC), timedelta(minutes=1)), 1),
        (timedelta(seconds=1), 0),
    ],
)
def test_the_time_span_of_the_client_bounds_the_rows(asking, timespan, expected):
    """None, two instants, an instant and a duration, a duration until now."""
    result = asking.logs().query_workspace(asking.ready["workspace_id"], f"{LINES} | count", timespan=timespan)
    assert [list(row) for row in result.tables[0].rows] == [[expected]]


@pytest.mark.parametrize("name", ["resource_id", "app_insights_id"])
def test_a_query_by_resource_id_finds_the_same_rows(asking, name):
    """The endpoint and the component."""
    result = asking.logs().query_resource(asking.ready[name], f"{LINES} | count", timespan=None)
    assert [list(row) for row in result.tables[0].rows] == [[5]]


@pytest.mark.parametrize("comment_bytes", [10, 20_000, 300_000])
def test_a_query_of_any_length_arrives_whole(asking, comment_bytes):
    """TLS cuts it into records; head and body come in separate ones."""
    status, document = asking.query_raw(f"print x = 1 // {'c' * comment_bytes}\n")
    assert (status, document["tables"][0]["rows"]) == (200, [[1]])


def test_a_get_is_answered_too(asking):
    """Query and time span stand in the address."""
    path = f"/v1/workspaces/{asking.ready['workspace_id']}/query?query=print+x%3D1&timespan=PT1H"
    status, document, _ = asking.raw("GET", path)
    assert (status, document["tables"][0]["rows"]) == (200, [[1]])


def test_statistics_and_rendering_come_when_they_are_preferred(asking):
    """And not otherwise."""
    more = {"include_statistics": True, "include_visualization": True, "timespan": None}
    result = asking.logs().query_workspace(asking.ready["workspace_id"], f"{LINES} | count | render barchart", **more)
    assert result.statistics["query"]["datasetStatistics"][0]["tableRowCount"] == 1
    assert result.visualization["visualization"] == "barchart"
    assert set(asking.query_raw("print 1")[1]) == {"tables"}


def test_more_rows_than_the_limit_are_a_partial_result(asking):
    """The client gets three rows and an error that names the limit; it does not raise."""
    result = asking.logs().query_workspace(asking.ready["workspace_id"], LINES, timespan=None)
    assert isinstance(result, LogsQueryPartialResult)
    assert result.status == LogsQueryStatus.PARTIAL
    assert len(result.partial_data[0].rows) == 3
    assert (result.partial_error.code, "3 records" in result.partial_error.details[0]["message"]) == (
        "PartialError",
        True,
    )


def innermost(document: Any) -> dict[str, Any]:
    at: dict[str, Any] = document["error"]
    while "innererror" in at:
        at = at["innererror"]
    return at


@pytest.mark.parametrize(
    ("kql", "code", "words", "place"),
    [
        ("nothing | take 1", "SEM0100", "named 'nothing'", (1, 1)),
        ("Requests | take 1", "SEM0100", "named 'Requests'", (1, 1)),
        ("traces\n| where zip == 1", "SEM0100", "named 'zip'", (2, 9)),
        ("traces | where Message == ''", "SEM0100", "named 'Message'", (1, 16)),
        ("AmlOnlineEndpointTrafficLog | count", "SEM0100", "named 'AmlOnlineEndpointTrafficLog'", (1, 1)),
        ("traces | whre x", "SYN0002", "could not be parsed", (1, 10)),
        (".show tables", "SYN0001", "Control commands", (1, 1)),
        ("traces | extend x = nofunction(1)", "SEM0260", "Unknown function: 'nofunction'", (1, 21)),
    ],
)
def test_a_wrong_query_is_a_bad_argument_with_its_cause_inside(asking, kql, code, words, place):
    """400; the innermost error has Kusto's code, and line and position from one."""
    status, document = asking.query_raw(kql)
    cause = innermost(document)
    assert (status, document["error"]["code"], cause["code"]) == (400, "BadArgumentError", code)
    assert words in cause["message"]
    assert (cause["line"], cause["pos"]) == place


def test_the_client_raises_with_the_innermost_message(asking):
    """As it does on Azure."""
    with pytest.raises(HttpResponseError, match="named 'nothing'") as raised:
        asking.rows("nothing")
    assert raised.value.status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"query": 5},
        [],
        b"{",
        {"query": "print 1", "timespan": "soon"},
        {"query": "print 1", "workspaces": 5},
    ],
)
def test_a_body_that_is_no_query_is_a_bad_argument(asking, body):
    """400 in Azure's shape."""
    status, document, _ = asking.raw("POST", f"/v1/workspaces/{asking.ready['workspace_id']}/query", body)
    assert (status, document["error"]["code"]) == (400, "BadArgumentError")


def test_another_workspace_is_not_resolved(asking):
    """400 FailedToResolveResource for a GUID that is nobody's, in the path and among further workspaces."""
    path = f"/v1/workspaces/{uuid4()}/query"
    assert asking.raw("POST", path, {"query": "print 1"})[1]["error"]["code"] == "FailedToResolveResource"
    status, document = asking.query_raw("print 1", workspaces=["somebody-elses"])
    assert (status, document["error"]["code"]) == (400, "FailedToResolveResource")


def test_an_app_id_is_no_workspace_id(asking):
    """The component's own id opens /v1/apps and not /v1/workspaces, as on Azure."""
    kql = f"{LINES} | take 1 | project appId"
    (app_id,) = asking.rows(kql)[0]
    statuses = [asking.raw("POST", f"/v1/{kind}/{app_id}/query", {"query": kql})[0] for kind in ("apps", "workspaces")]
    assert statuses == [200, 400]


def test_another_resource_is_not_found(asking):
    """404 ResourceNotFoundError."""
    with pytest.raises(HttpResponseError, match="ResourceNotFoundError") as raised:
        asking.logs().query_resource(asking.ready["resource_id"] + "x", "print 1", timespan=None)
    assert raised.value.status_code == 404


def test_without_a_token_nobody_is_answered(asking):
    """401 AuthenticationFailed."""
    path = f"/v1/workspaces/{asking.ready['workspace_id']}/query"
    status, document, headers = asking.raw("POST", path, {"query": "print 1"}, has_token=False)
    assert (status, document["error"]["code"], headers["www-authenticate"]) == (401, "AuthenticationFailed", "Bearer")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/v1/nowhere", 404), ("POST", "/v2/x", 404), ("PUT", None, 405)]
)
def test_a_path_or_method_that_is_not_served_is_told(asking, method, path, status):
    """404 PathNotFoundError and 405."""
    found, document, _ = asking.raw(
        method, path or f"/v1/workspaces/{asking.ready['workspace_id']}/query", {"query": "print 1"}
    )
    assert found == status
    assert document["error"]["code"] in ("PathNotFoundError", "MethodNotAllowedError")


def test_a_batch_answers_each_query_by_itself(asking):
    """A result, an error and a partial result, in the order of the requests."""
    workspace = asking.ready["workspace_id"]
    queries = [
        LogsBatchQuery(workspace, "print x = 1", timespan=None),
        LogsBatchQuery(workspace, "nothing", timespan=None),
        LogsBatchQuery(workspace, LINES, timespan=None),
        LogsBatchQuery(str(uuid4()), "print 1", timespan=None),
    ]
    found = asking.logs().query_batch(queries)
    statuses = [LogsQueryStatus.SUCCESS, LogsQueryStatus.FAILURE, LogsQueryStatus.PARTIAL, LogsQueryStatus.FAILURE]
    assert [one.status for one in found] == statuses


def plan(asking: Asking, *faults: dict[str, Any]) -> None:
    assert asking.raw("POST", "/redline/query-faults", list(faults))[0] == 200


def ask(asking: Asking, **more: Any) -> Any:
    return asking.logs().query_workspace(asking.ready["workspace_id"], "print x = 1", timespan=None, **more)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 204}, json.JSONDecodeError),
        ({"status": 200, "body": ""}, json.JSONDecodeError),
        ({"status": 502, "body": "<html>", "headers": {"Content-Type": "text/html"}}, json.JSONDecodeError),
        ({"status": 504, "body": {"error": {"code": "GatewayTimeout", "message": "late"}}}, HttpResponseError),
        ({"status": 403, "body": {"error": {"code": "InsufficientAccessError", "message": "no"}}}, HttpResponseError),
        ({"status": 429, "body": {"error": {"code": "ThrottledError", "message": "slow"}}}, HttpResponseError),
        ({"status": 401, "body": {"error": {"code": "AuthenticationFailed", "message": "no"}}}, HttpResponseError),
    ],
)
def test_a_planned_fault_befalls_the_next_query_only(asking, fault, error):
    """What the real client makes of it; the query after it is answered."""
    plan(asking, fault)
    with pytest.raises(error):
        ask(asking)
    assert ask(asking).status == LogsQueryStatus.SUCCESS


def test_a_429_with_retry_after_is_tried_again_by_the_client(asking):
    """Twice throttled, then answered."""
    plan(asking, {"status": 429, "headers": {"Retry-After": "0"}, "count": 2})
    client = LogsQueryClient(
        StaticToken(asking.ready),
        endpoint=asking.ready["logs_url"],
        audience=AUDIENCE,
        connection_verify=asking.ready["ca_file"],
    )
    with client:
        found = client.query_workspace(asking.ready["workspace_id"], "print x = 1", timespan=None)
    assert found.status == LogsQueryStatus.SUCCESS


def test_a_planned_partial_answer_has_rows_and_an_error(asking):
    """200 with both."""
    plan(asking, {"partial": True})
    assert isinstance(ask(asking), LogsQueryPartialResult)


def test_a_query_that_hangs_holds_up_nobody_else(asking):
    """The caller gives up; others are answered meanwhile and afterwards."""
    plan(asking, {"hang": True})
    with pytest.raises(ServiceResponseError):
        ask(asking, read_timeout=0.2)
    assert ask(asking).status == LogsQueryStatus.SUCCESS


def test_queries_at_the_same_time_do_not_mix(asking):
    """Twelve callers, each with a time span of its own, get their own counts."""
    start = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def count(minutes: int) -> int:
        span = (start, start + timedelta(minutes=minutes))
        result = asking.logs().query_workspace(asking.ready["workspace_id"], f"{LINES} | count", timespan=span)
        return int(result.tables[0].rows[0][0])

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(count, [0, 1, 2, 3, 4, 5] * 2)) == [0, 1, 2, 3, 4, 5] * 2


def test_a_list_of_faults_that_is_none_is_refused(asking):
    """400, and the next query is answered."""
    assert asking.raw("POST", "/redline/query-faults", {"status": 500})[0] == 400
    assert ask(asking).status == LogsQueryStatus.SUCCESS


def test_ingestion_answers_over_a_socket_as_the_service_does(asking):
    """206 for a wrong key among right ones; both slashes and the older path are taken; others are not found."""
    good = trace(asking, "m", "2026-01-01T00:00:00Z")
    status, told = asking.send(json.dumps([good, good | {"iKey": str(uuid4())}]).encode(), "//v2.1/track")
    assert (status, told["itemsAccepted"], told["errors"][0]["index"]) == (206, 1, 1)
    assert asking.send(json.dumps(good).encode(), "/v2/track")[0] == 200
    assert asking.send(b"[]", "/v1/track")[0] == 404
