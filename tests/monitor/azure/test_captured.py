"""Telemetry that a real inference server 0.8.4.2 sent, told through the service: what its client saw."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scoring.account import Account, durations_ms
from scoring.served import Source
from scoring.told import Told
from tests.localazure.asking import Asking
from tests.localazure.conftest import Serve
from tests.monitor.azure.standin import told_of

DATA = Path(__file__).parents[2] / "data" / "telemetry"
CAPTURED = [json.loads(line) for line in (DATA / "azmlinfsrv-0.8.4.2.track.jsonl").read_text().splitlines()]
TRUTH: dict[str, Any] = json.loads((DATA / "truth.json").read_text())
SEEN: dict[str, int] = TRUTH["scoring_requests_as_the_client_saw_them"]
SINCE_AT = datetime(2026, 11, 22, 19, tzinfo=UTC)
UNTIL_AT = SINCE_AT + timedelta(minutes=10)


def posted_ms() -> list[float]:
    """The durations of the POSTs to /score, read from the envelopes by hand: `hh:mm:ss.fff` of the dimensions."""
    found = []
    for post in CAPTURED:
        for item in json.loads(post["body"]):
            dims = item["data"]["baseData"].get("properties", {})
            if dims.get("name") == "/score" and dims.get("http_method") == "POST":
                hours, minutes, seconds = dims["duration"].split(":")
                found.append((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000)
    return found


@pytest.fixture(scope="module")
def asking(serve: Serve) -> Iterator[Asking]:
    """An endpoint without traffic of its own, to which the captured posts were sent as they were, but for the key."""
    asking = Asking(serve("--hosting", "aks").ready)
    for post in CAPTURED:
        items = json.loads(post["body"])
        for item in items:
            item["iKey"] = asking.instrumentation_key
        status, answer = asking.send(json.dumps(items).encode(), post["path"])
        assert (status, answer["errors"]) == (200, [])
    yield asking
    asking.close()


@pytest.fixture(scope="module", params=["workspace", "component"])
def told(asking: Asking, request: pytest.FixtureRequest) -> Told:
    """By the workspace's names of the tables, and by those of the component's own logs."""
    changed = {} if request.param == "workspace" else {"workspace_id": None}
    return told_of(asking.ready, since_at=SINCE_AT, until_at=UNTIL_AT, **changed)


@pytest.fixture(scope="module")
def account(told: Told) -> Account:
    (account,) = told.accounts
    return account


def test_the_counts_are_those_of_the_client(account: Account) -> None:
    """Codes of the dimensions, of the scoring requests only."""
    assert (account.source, account.by_label) == (Source.APP_INSIGHTS, SEEN)


def test_the_correction_is_counted(account: Account) -> None:
    """Every scoring row said result code 0; the columns alone would show no failure."""
    assert (account.corrected_rows, account.columns_failed) == (sum(SEEN.values()), 0)


def test_a_naive_query_still_shows_no_failure(asking: Asking) -> None:
    """The same store, asked for its columns: that is the trap."""
    assert asking.rows("requests | where success != 'True' or resultCode != '0' | count") == [[0]]


def test_what_is_no_scoring_request_is_told_apart(account: Account) -> None:
    """The OPTIONS request has a 200 of /score too."""
    assert account.other_count == {"OPTIONS /score 200": 1, "GET /swagger.json 200": 1}


def test_the_durations_are_those_of_the_dimensions(account: Account) -> None:
    """Each row's, and the longest; a percentile from the bins is off by 1 % at most."""
    expected = sorted(posted_ms())
    assert sorted(row.duration_ms or 0.0 for row in account.rows) == pytest.approx(expected)
    found = durations_ms(account)
    assert found["max"] == pytest.approx(2001.0)
    assert found["p95"] == pytest.approx(expected[-2], rel=0.01)  # rank ceil(0.95 x 32) = 31


def test_the_exceptions_are_told_by_their_cause(told: Told) -> None:
    """Not by the wrapper that the column names, and with the user's own line."""
    causes = Counter((one.kind, one.type, one.frame, one.outer_type) for one in told.thrown)
    assert causes == {
        ("script", "ValueError", "score.py:11 in run", "UserScriptException"): 4,
        ("script", "JSONDecodeError", "score.py:5 in run", "UserScriptException"): 1,
        ("timeout", "UserScriptTimeout", None, None): 1,
    }


def test_each_exception_joins_a_request_that_failed(told: Told, account: Account) -> None:
    """By the server's id, one to one: the six answers with 500."""
    failed = {row.server_id for row in account.rows if row.status == 500}
    assert {one.server_id for one in told.thrown} == failed
    assert len(failed) == 6


def test_nothing_is_missing(told: Told, account: Account) -> None:
    """Everything was read, nothing is sampled, and no problem is told."""
    assert (told.problems, account.is_partial, account.is_sampled, account.rows_are_all) == ((), False, False, True)


def test_another_hour_holds_nothing(asking: Asking) -> None:
    """The period is half open, and the hour before is told as empty, not as zero."""
    told = told_of(asking.ready, since_at=SINCE_AT - timedelta(hours=1), until_at=SINCE_AT)
    assert told.accounts == ()
    assert [problem.outcome for problem in told.problems] == ["no_data"]
