"""Rows as servers of each generation write them, and what the shipped queries make of them."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from localazure.telemetry.queries import Span
from localazure.telemetry.records import Passed, frame_of
from localazure.telemetry.settings import Names, Settings
from localazure.telemetry.store import Store
from monitor.accounts import account_of, served_of
from monitor.kql import FAMILIES, question, written
from monitor.rows import Row, rows_of
from scoring.account import LEAST_BIN, bin_of
from scoring.served import Source

NAMES = Names("churn", "blue", *(str(UUID(int=number)) for number in range(1, 5)))
AT = datetime(2026, 11, 22, 11, 50, 0, 500_000, tzinfo=UTC)
BUCKET = timedelta(minutes=1)
VALUES = {
    "from_at": AT - timedelta(hours=1),
    "until_at": AT + timedelta(minutes=1),
    "bucket": BUCKET,
    "component": "",
    "endpoint_id": "",
    "endpoint_name": "",
    "scoring_end": "/score",
}
TRUE_DIMS = {
    "Container Id": "c1",
    "Request Id": "r1",
    "Client Request Id": "u1",
    "Service Name": "churn",
    "name": "/score",
    "url": "http://127.0.0.1:5001/score?x=1",
    "http_method": "POST",
    "resultCode": "503",
    "success": "False",
    "duration": "00:00:00.250",
    "start_time": "2026-11-22T11:49:59.000000Z",
}


def request(dims: dict[str, Any] | None, at: datetime = AT, **base: Any) -> dict[str, Any]:
    """An envelope as it is sent, with the columns of 1.5 unless told otherwise."""
    columns = {"id": "s1", "name": "/score", "duration": "0.00:00:00.000", "responseCode": "0", "success": True}
    data = {"baseType": "RequestData", "baseData": {"ver": 2, **columns, **base, "properties": dims or {}}}
    return {"name": "Microsoft.ApplicationInsights.Request", "time": at.isoformat(), "tags": {}, "data": data}


def ask(name: str, *envelopes: dict[str, Any], family: str = "workspace", **values: Any) -> list[Row]:
    store = Store(Settings(NAMES))
    for envelope in envelopes:
        store.add_item(envelope)
    query = written(name, family, VALUES | values)
    result = store.query(query.text, Span(None, None, time.time_ns() // 1000), 30.0)
    columns, types = zip(*question(name).columns, strict=True)
    return rows_of(columns, types, result.rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_dimensions_hold_against_the_columns(family: str) -> None:
    """Columns: code 0, success, 0 ms. Dimensions: 503 after 250 ms, begun at 11:49:59. The second are told."""
    (row,) = ask("requests_all", request(TRUE_DIMS), family=family)
    served = served_of(Source.APP_INSIGHTS, "AppRequests")(row)
    assert (served.status, served.duration_ms) == (503, 250.0)
    assert served.at == datetime(2026, 11, 22, 11, 49, 59, tzinfo=UTC)
    assert (served.request_id, served.server_id, served.instance, served.deployment) == ("u1", "r1", "c1", "churn")
    assert row["is_corrected"] is True


def test_a_correction_is_counted_once_for_each_request() -> None:
    """Two lie, one tells the truth in both places; the columns alone would show no failure."""
    true = TRUE_DIMS | {"resultCode": "200", "success": "True", "duration": "00:00:00.010", "Request Id": "r3"}
    lying = [request(TRUE_DIMS | {"Request Id": f"r{n}"}, id=f"s{n}") for n in (1, 2)]
    honest = request(true, id="s3", responseCode="200", duration="0.00:00:00.010")
    rows = ask("requests_counts", *lying, honest)
    account = account_of(Source.APP_INSIGHTS, rows, [], [], BUCKET)
    assert account.by_label == {"200": 1, "503": 2}
    assert (account.corrected_rows, account.columns_failed) == (2, 0)


@pytest.mark.parametrize(
    ("dims", "base", "code", "ms", "is_corrected"),
    [
        (TRUE_DIMS | {"success": True, "resultCode": "200"}, {"name": ""}, "200", 250.0, True),
        ({"Container Id": "c1", "Response Value": "1"}, {"responseCode": "500", "success": False}, "500", 0.0, False),
        (TRUE_DIMS | {"duration": "1.00:00:00.001"}, {}, "503", 86_400_001.0, True),
        (TRUE_DIMS | {"duration": "soon"}, {"duration": "0.00:00:00.030"}, "503", 30.0, True),
        (TRUE_DIMS | {"duration": ""}, {"duration": "0.00:00:00.030"}, "503", 30.0, True),
        (TRUE_DIMS | {"start_time": "yesterday"}, {}, "503", 250.0, True),
        (TRUE_DIMS | {"url": ""}, {}, "503", 250.0, True),
        (TRUE_DIMS | {"url": "", "name": ""}, {"url": "http://h/api/v1/service/churn/score/"}, "503", 250.0, True),
        (TRUE_DIMS | {"url": "http://h/api/v1/service/churn/SCORE"}, {}, "503", 250.0, True),
        ({}, {"name": "POST /score", "responseCode": "503", "success": False}, "503", 0.0, False),
    ],
    ids=[
        "opencensus: no name, a bool",
        "0.4: right columns",
        "more than a day",
        "a duration that is none",
        "no duration",
        "a start that is none",
        "no url",
        "url in the column, a closing slash",
        "another case",
        "another software that scores",
    ],
)
def test_a_scoring_request_of_any_generation_is_counted(
    dims: dict[str, Any], base: dict[str, Any], code: str, ms: float, is_corrected: bool
) -> None:
    """Code, duration and whether the columns lied."""
    (row,) = ask("requests_all", request(dims, **base))
    assert (row["code"], row["ms"], row["is_corrected"]) == (code, ms, is_corrected)
    assert row["started_at"] is not None


@pytest.mark.parametrize(
    ("dims", "base", "is_told"),
    [
        (TRUE_DIMS | {"http_method": "OPTIONS"}, {}, True),
        (TRUE_DIMS | {"http_method": "GET"}, {}, True),
        (TRUE_DIMS | {"url": "http://h/swagger.json", "http_method": "GET"}, {"name": "/swagger.json"}, True),
        (TRUE_DIMS | {"url": "http://h/score/../admin"}, {}, True),
        ({}, {"name": "GET /orders", "url": "http://shop/orders"}, False),
        ({}, {"name": "POST /orders", "url": "http://shop/orders"}, False),
        ({}, {"name": "", "url": ""}, False),
    ],
    ids=["OPTIONS", "GET", "swagger", "a scanner", "another software", "its POST", "nothing told"],
)
def test_what_is_no_scoring_request_is_not_counted(dims: dict[str, Any], base: dict[str, Any], is_told: bool) -> None:
    """Other traffic of the model server is told apart; that of other software is left alone."""
    assert ask("requests_counts", request(dims, **base)) == []
    assert len(ask("requests_other", request(dims, **base))) == is_told


def test_an_endpoint_with_a_path_of_its_own_counts_that_path() -> None:
    """A custom container that scores under /v2/models/churn/infer."""
    own = request({}, name="POST /v2/models/churn/infer", responseCode="200")
    assert [row["n"] for row in ask("requests_counts", own, scoring_end="/infer")] == [1]
    assert ask("requests_counts", own) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sampled_row_counts_for_all_that_it_stands_for(family: str) -> None:
    """Kept at 25 %: each row is four requests."""
    rows = ask("requests_counts", request(TRUE_DIMS) | {"sampleRate": 25.0}, family=family)
    account = account_of(Source.APP_INSIGHTS, rows, [], [], BUCKET)
    assert (account.requests, account.is_sampled, account.corrected_rows) == (4, True, 4)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_arrived_twice_counts_once(family: str) -> None:
    """The same envelope twice is one request; another id in the same instant is another."""
    once, other = request(TRUE_DIMS), request(TRUE_DIMS | {"Request Id": "r2"}, id="s2")
    rows = ask("requests_counts", once, once, other, family=family)
    assert sum(row["n"] for row in rows) == 2


@pytest.mark.parametrize("ms", [0.0, 0.004, 0.011, 0.5, 1.0, 3.0, 12.5, 250.0, 999.9, 60_000.0, 3_600_000.0])
def test_a_duration_falls_into_the_same_bin_on_the_service_and_here(ms: float) -> None:
    """`bin(log(ms) / log(1.02), 1)` is floor(ln ms / ln ratio), and the shortest share one bin."""
    span = f"00:{math.floor(ms / 60_000):02}:{ms % 60_000 / 1000:010.7f}" if ms < 3_600_000 else "01:00:00"
    (row,) = ask("requests_counts", request(TRUE_DIMS | {"duration": span}))
    told_ms = row["longest_ms"]
    assert told_ms == pytest.approx(ms, abs=1e-4)
    assert row["duration_bin"] == (LEAST_BIN if told_ms <= 0.01 else bin_of(told_ms))


def passed(number: int, method: str, path: str, status: int) -> tuple[Any, ...]:
    """A request that the front end of a managed endpoint answered."""
    done_ns = int(AT.timestamp() * 1e9) + number
    ids = ("curl", f"server-{number}", f"client-{number}")
    return ("p", *Passed(done_ns, 12_500_000, 12_500_000, method, path, "HTTP/1.1", "Key", status, "", 200, 1, 1, *ids))


def test_the_traffic_log_counts_posts_to_the_scoring_path() -> None:
    """Two answered, one refused; a GET, another path and a probe's 100 are not among them."""
    store = Store(Settings(NAMES))
    told = [("POST", "/score", 200), ("POST", "/score?a=1", 200), ("POST", "/score", 429)]
    told += [("GET", "/score", 405), ("POST", "/score/admin", 404), ("POST", "/score", 100)]
    frame = frame_of([passed(number, *one) for number, one in enumerate(told, 1)])
    store.add_frame(frame[4:])
    span = Span(None, None, time.time_ns() // 1000)

    def rows(name: str) -> list[Row]:
        columns, types = zip(*question(name).columns, strict=True)
        return rows_of(columns, types, store.query(written(name, "workspace", VALUES).text, span, 30.0).rows)

    account = account_of(Source.TRAFFIC_LOG, rows("traffic_counts"), rows("traffic_other"), [], BUCKET)
    assert account.by_label == {"200": 2, "429": 1}
    assert account.other_count == {"GET /score 405": 1, "POST /score/admin 404": 1}
    assert (account.columns_failed, account.corrected_rows) == (None, 0)
