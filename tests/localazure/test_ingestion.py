"""Telemetry that comes in: forms of the body, kinds of items, and what is said of each."""

from __future__ import annotations

import gzip
import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.http1 import Request
from localazure.telemetry import ingestion
from localazure.telemetry.__main__ import ingestion_route
from localazure.telemetry.door import bytes_of
from localazure.telemetry.envelopes import BadItemError, duration_ms, instant_us, rows_of, severity
from localazure.telemetry.replies import Reply
from localazure.telemetry.settings import Names, Settings
from localazure.telemetry.store import MAX_ITEMS, Store

KEY = "11111111-2222-3333-4444-555555555555"


def item(kind: str = "Message", body: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "name": f"Microsoft.ApplicationInsights.{kind}",
        "time": "2026-01-02T03:04:05.678901Z",
        "iKey": KEY,
        "tags": {"ai.cloud.role": "churn", "ai.operation.id": "op", "ai.internal.sdkVersion": "py3:1.0"},
        "data": {"baseType": f"{kind}Data", "baseData": {"message": "hello"} if body is None else body},
    } | more


def post(body: bytes, limit: int | None = None, **headers: str) -> tuple[int, dict[str, Any], list[object]]:
    """Status, JSON and what was stored."""
    stored: list[object] = []

    def store(envelope: object) -> None:
        rows_of(envelope, "1")
        stored.append(envelope)

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request("POST", "/v2.1/track", "", named, True, False, body)
    reply = ingestion.answer(request, KEY, store, ingestion.RateLimit(limit, lambda: 7.5).passes)
    return reply.status, json.loads(reply.body), stored


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (json.dumps([item(), item()]).encode(), {}),
        (json.dumps(item()).encode() + b"\n" + json.dumps(item()).encode() + b"\r\n", {}),
        (gzip.compress(json.dumps([item(), item()]).encode()), {"content_encoding": "gzip"}),
        (b"\xef\xbb\xbf" + json.dumps([item(), item()], indent=2).encode(), {}),
    ],
    ids=["array", "x-json-stream", "gzip", "byte order mark"],
)
def test_every_form_of_a_body_brings_its_items(body, headers):
    """200, and both items are received and accepted."""
    status, told, stored = post(body, **headers)
    assert (status, told, len(stored)) == (200, {"itemsReceived": 2, "itemsAccepted": 2, "errors": []}, 2)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"[]", {}),
        (b"hello", {}),
        (b"\xff\xfe", {}),
        (b"not gzip", {"content_encoding": "gzip"}),
        (gzip.compress(json.dumps([item()]).encode())[:-9], {"content_encoding": "gzip"}),
        (json.dumps([item()]).encode(), {"content_encoding": "br"}),
        (b"[" * 100_000, {}),
    ],
)
def test_a_body_without_items_is_refused(body, headers):
    """400 with one error, and nothing stored."""
    status, told, stored = post(body, **headers)
    assert (status, told["itemsAccepted"], told["errors"][0]["statusCode"], stored) == (400, 0, 400, [])


def test_a_packed_body_is_not_unpacked_beyond_its_bound(monkeypatch):
    """A small body that unpacks to more than is taken is refused, whatever it holds."""
    monkeypatch.setattr(ingestion, "MAX_BODY_BYTES", 1_000)
    assert post(gzip.compress(b" " * 1_000_000), content_encoding="gzip")[0] == 400


BAD_ITEMS = [
    item(iKey="99999999-2222-3333-4444-555555555555"),
    item(body={"message": "x" * 70_000}),
    item("Nothing"),
    item(time="yesterday"),
    item("Request", data=None),
    item("Exception", {"exceptions": []}),
    item("Metric", {"metrics": []}),
    "a text",
]


@pytest.mark.parametrize("bad", BAD_ITEMS)
def test_a_bad_item_is_told_with_its_index_and_the_good_ones_are_stored(bad):
    """206: the item in the middle is at fault."""
    status, told, stored = post(json.dumps([item(), bad, item()]).encode())
    assert (status, told["itemsReceived"], told["itemsAccepted"], len(stored)) == (206, 3, 2, 2)
    assert [(error["index"], error["statusCode"]) for error in told["errors"]] == [(1, 400)]


def test_a_body_of_bad_items_only_is_refused():
    """400, an error for each."""
    status, told, _ = post(json.dumps(BAD_ITEMS).encode())
    assert (status, told["itemsAccepted"], len(told["errors"])) == (400, 0, len(BAD_ITEMS))


def test_items_above_the_rate_limit_are_refused_whole():
    """429 for a post that would be the third item of the second, when two are allowed."""
    body = json.dumps([item(), item(), item()]).encode()
    assert (post(body, limit=2)[0], post(body, limit=3)[0]) == (429, 200)


NAMES = Names("churn", "blue", str(UUID(int=1)), "app", KEY, "sub")


@pytest.mark.parametrize(
    ("method", "path", "held", "expected"),
    [
        ("POST", "/v2.1/track", 0, 200),
        ("POST", "//v2.1/track", 0, 200),
        ("POST", "/v2/track", 0, 200),
        ("POST", "/v2.1/track", MAX_ITEMS, 402),
        ("GET", "/v2.1/track", 0, 405),
        ("POST", "/v1/track", 0, 404),
    ],
)
def test_the_listener_takes_posts_to_either_path_until_the_store_is_full(method, path, held, expected):
    """402 then, as where a daily cap is reached."""
    settings = Settings(NAMES)
    store = Store(settings)
    store.item_count = held
    request = Request(method, path, "", {}, True, False, json.dumps(item()).encode())
    assert ingestion_route(settings, store)(request).status == expected


@pytest.mark.parametrize("status", [200, 204, 502, 599])
def test_a_reply_is_one_whole_answer_whatever_its_headers_hold(status):
    """A header with a line break stays one header; a 204 has neither length nor body."""
    reply = Reply(status, b"body", headers=(("X-A", "1\r\nX-B: 2"),))
    head, _, body = bytes_of(reply, close=True).partition(b"\r\n\r\n")
    names = [line.partition(b":")[0] for line in head.split(b"\r\n")[1:]]
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"X-B" not in names
    assert (b"Content-Length" in names, body) == ((False, b"") if status == 204 else (True, b"body"))


def rows(kind: str, body: dict[str, Any], **more: Any) -> list[tuple[str, dict[str, Any]]]:
    return [tuple(row) for row in rows_of(item(kind, body, **more), "id-1")]


def test_what_every_row_has_comes_from_time_tags_and_rate():
    """Microseconds since the epoch; a rate of 25 % stands for four items; dimensions are texts."""
    ((table, row),) = rows(
        "Message", {"message": "m", "severityLevel": "2", "properties": {"a": 1, "b": True}}, sampleRate=25
    )
    told = {
        name: row[name] for name in ("timestamp", "itemCount", "operation_Id", "cloud_RoleName", "sdkVersion", "itemId")
    }
    assert table == "traces"
    assert told == {
        "timestamp": 1_767_323_045_678_901,
        "itemCount": 4,
        "operation_Id": "op",
        "cloud_RoleName": "churn",
        "sdkVersion": "py3:1.0",
        "itemId": "id-1",
    }
    assert (row["message"], row["severityLevel"], json.loads(row["customDimensions"])) == (
        "m",
        2,
        {"a": "1", "b": "True"},
    )


@pytest.mark.parametrize(
    ("kind", "body", "table", "expected"),
    [
        (
            "Request",
            {"id": "1", "name": "/score", "duration": "0.00:00:01.500", "responseCode": "0", "success": True},
            "requests",
            {"id": "1", "name": "/score", "duration": 1500.0, "resultCode": "0", "success": "True", "url": ""},
        ),
        (
            "RemoteDependency",
            {
                "name": "GET",
                "resultCode": "503",
                "type": "HTTP",
                "target": "h",
                "duration": "00:00:00.020",
                "success": False,
            },
            "dependencies",
            {"type": "HTTP", "target": "h", "resultCode": "503", "success": "False", "duration": 20.0},
        ),
        ("Event", {"name": "deployed"}, "customEvents", {"name": "deployed"}),
        (
            "Metric",
            {"metrics": [{"name": "queue", "value": 7, "count": 2, "min": 3, "max": 4}]},
            "customMetrics",
            {"name": "queue", "valueSum": 7.0, "valueCount": 2, "valueMin": 3.0, "valueMax": 4.0},
        ),
        (
            "Metric",
            {"metrics": [{"name": "\\Process(??APP_WIN32_PROC??)\\Private Bytes", "value": 5}]},
            "performanceCounters",
            {"category": "Process", "counter": "Private Bytes", "instance": "??APP_WIN32_PROC??", "value": 5.0},
        ),
        (
            "Availability",
            {
                "id": "a",
                "name": "ping",
                "duration": "00:00:00.250",
                "success": True,
                "runLocation": "here",
                "message": "ok",
            },
            "availabilityResults",
            {"name": "ping", "location": "here", "success": "1", "duration": 250.0, "message": "ok"},
        ),
    ],
)
def test_each_kind_of_item_fills_its_table(kind, body, table, expected):
    """The columns that its body names."""
    ((found, row),) = rows(kind, body)
    assert (found, {name: row[name] for name in expected}) == (table, expected)


def test_a_metric_item_is_a_row_for_each_of_its_points():
    """Two points, two rows with ids of their own."""
    found = rows("Metric", {"metrics": [{"name": "a", "value": 1}, {"name": "b", "value": "NaN"}]})
    assert [(row["name"], row["itemId"]) for _, row in found] == [("a", "id-1"), ("b", "id-1-1")]


def test_the_first_exception_is_the_outermost_and_the_last_the_innermost():
    """Type and message are the outer one's; method and assembly are those of the frame on top."""
    frames = [{"level": 1, "method": "main", "assembly": "app"}, {"level": 0, "method": "run", "fileName": "score.py"}]
    chain = [
        {"id": 1, "typeName": "Wrapper", "message": "outer", "parsedStack": frames},
        {"id": 2, "outerId": 1, "typeName": "ValueError", "message": "inner", "stack": "Traceback"},
    ]
    ((_, row),) = rows("Exception", {"exceptions": chain, "severityLevel": 3})
    assert (row["type"], row["outerType"], row["innermostType"]) == ("Wrapper", "Wrapper", "ValueError")
    assert (row["message"], row["innermostMessage"]) == ("outer", "inner")
    assert (row["method"], row["assembly"], row["problemId"]) == ("run", "score.py", "Wrapper at run")
    assert [one["type"] for one in json.loads(row["details"])] == ["Wrapper", "ValueError"]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "message",
    "exceptions",
    "metrics",
    "properties",
    "measurements",
    "duration",
    "success",
    "severityLevel",
    "id",
)
BODIES = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6)
KINDS = ("Request", "RemoteDependency", "Exception", "Message", "Event", "Metric", "Availability")


@given(kind=st.sampled_from(KINDS), body=BODIES, tags=JSON, rate=JSON)
def test_whatever_an_item_holds_it_is_rows_or_a_bad_item(kind, body, tags, rate):
    """Foreign values of any type never break the reader."""
    try:
        found = rows_of(item(kind, body, tags=tags, sampleRate=rate), "1")
    except BadItemError:
        return
    assert found
    assert all(isinstance(row.values["itemCount"], int) for row in found)


@given(st.integers(0, 10**9), st.integers(0, 999))
def test_a_duration_is_read_as_it_was_written(seconds, ms):
    """`d.hh:mm:ss.fff` of any length."""
    text = f"{seconds // 86_400}.{seconds // 3_600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"
    assert duration_ms(text) == seconds * 1000 + ms


@pytest.mark.parametrize(
    ("text", "expected_us"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T01:00:00.5+01:00", 500_000),
        ("1970-01-01 00:00:00.1234567", 123_456),
        ("1969-12-31T23:59:59.75Z", -250_000),
    ],
)
def test_a_time_is_microseconds_of_utc(text, expected_us):
    """Zones are taken off; a time without one is UTC; the seventh digit is cut."""
    assert instant_us(text) == expected_us


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(100.0, 1), (50, 2), (33.3, 3), ("25", 4), (0, 1), (-5, 1), ("NaN", 1), (5e-324, 1), (None, 1), ("half", 1)],
)
def test_a_kept_item_stands_for_as_many_as_its_rate_says(rate, expected):
    """100 divided by the percentage, rounded; 1 where the rate makes no sense."""
    assert rows("Message", {"message": "m"}, sampleRate=rate)[0][1]["itemCount"] == expected


@pytest.mark.parametrize(("value", "expected"), [(5, None), (-1, None), ("critical", 4), (True, None), (2.0, None)])
def test_a_severity_outside_the_scale_is_none(value, expected):
    """0 to 4, as number, text or name."""
    assert severity(value) == expected
