"""Telemetry that a real server sent, posted to the local endpoint and asked for through the real client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.localazure.asking import Asking
from tests.localazure.conftest import Serve

DATA = Path(__file__).parents[1] / "data" / "telemetry"
CODE = "tostring(customDimensions['resultCode'])"


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DATA / "truth.json").read_text())
    return document


@pytest.fixture(scope="module")
def asking(serve: Serve) -> Iterator[Asking]:
    """An endpoint without traffic of its own, to which the captured posts were sent as they were, but for the key."""
    asking = Asking(serve("--hosting", "aks").ready)
    for line in (DATA / "azmlinfsrv-0.8.4.2.track.jsonl").read_text().splitlines():
        post = json.loads(line)
        items = json.loads(post["body"])
        for item in items:
            item["iKey"] = asking.instrumentation_key
        status, answer = asking.send(json.dumps(items).encode(), post["path"])
        assert (status, answer["itemsAccepted"], answer["errors"]) == (200, len(items), [])
    yield asking
    asking.close()


def test_the_naive_query_shows_no_failure(asking: Asking, truth: dict[str, Any]) -> None:
    """The standard columns say result code 0 and success for each of the captured requests: that is the trap."""
    rows = asking.rows("requests | summarize sum(itemCount) by resultCode, success")
    expected = truth["azmlinfsrv-0.8.4.2.track.jsonl"]["requests"]["itemCount_sum_by_outer"]["0"]
    assert rows == [["0", "True", expected]]


def test_the_workspace_name_of_the_table_shows_the_same_trap(asking: Asking) -> None:
    """AppRequests has the same rows, with Success as a bool."""
    assert asking.rows("AppRequests | summarize sum(ItemCount) by ResultCode, Success") == [["0", True, 34]]


def test_the_dimensions_tell_the_codes_that_the_client_saw(asking: Asking, truth: dict[str, Any]) -> None:
    """POST /score by the code in the dimensions is what the client counted."""
    post = "tostring(customDimensions['http_method']) == 'POST' and tostring(customDimensions['name']) == '/score'"
    rows = asking.rows(f"requests | where {post} | summarize sum(itemCount) by code = {CODE}")
    assert dict(rows) == truth["scoring_requests_as_the_client_saw_them"]


def test_durations_are_those_of_the_envelopes(asking: Asking, truth: dict[str, Any]) -> None:
    """Both durations add up to the sums of the truth file, in milliseconds."""
    rows = asking.rows(
        "requests | extend ms = totimespan(tostring(customDimensions['duration'])) / 1ms"
        " | summarize sum(duration), sum(ms), max(duration), max(ms)"
    )
    told = truth["azmlinfsrv-0.8.4.2.track.jsonl"]["requests"]
    outer, inner = told["outer_duration_ms"], told["true_duration_ms_from_properties"]
    assert rows[0] == pytest.approx([outer["sum"], inner["sum"], outer["max"], inner["max"]])


def test_each_kind_of_envelope_is_in_its_table(asking: Asking, truth: dict[str, Any]) -> None:
    """Counts by type are those of the truth file; the built-in model's own start line is not among them."""
    by_type = truth["azmlinfsrv-0.8.4.2.track.jsonl"]["by_type"]
    for table, kind in (("requests", "RequestData"), ("exceptions", "ExceptionData")):
        assert asking.rows(f"{table} | count") == [[by_type[kind]]]
    assert asking.rows("traces | where message !startswith 'init: the built-in' | count") == [[by_type["MessageData"]]]


def test_an_exception_joins_its_request_by_the_request_id(asking: Asking) -> None:
    """The operation id joins nothing; the request id in the dimensions joins each exception to one request."""
    rows = asking.rows(
        "exceptions | extend rid = tostring(customDimensions['Request Id'])"
        " | join kind=inner (requests | extend rid = tostring(customDimensions['Request Id'])) on rid"
        " | extend code = tostring(customDimensions1['resultCode']) | summarize count() by type, code"
    )
    assert sorted(rows) == [["UserScriptException", "500", 5], ["UserScriptTimeout", "500", 1]]
