"""SARIF, JUnit, CSV and Markdown of the error report: what build servers and spreadsheets read."""

from __future__ import annotations

import csv
import json
import re
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml

from reports.clean import harmless_copy
from reports.errors_csv import errors_csv, groups_csv
from reports.errors_junit import errors_junit
from reports.errors_markdown import errors_markdown
from reports.errors_words import exit_code
from reports.latency import LatencyReport
from reports.latency_text import latency_junit
from reports.sarif import place_of, security_sarif
from scoring.errors import Exit
from scoring.served import Leak
from tests.reports import error_samples as samples

LEVELS = {"none", "note", "warning", "error"}


def sarif(*leaks: Leak) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(security_sarif(leaks, "0.1.0"))
    return found


def assert_essential(document: dict[str, Any]) -> None:
    """What SARIF 2.1.0 asks of a log file with one run, by its own sections 3.13 to 3.28."""
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "redline"
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(ids) == len(set(ids))
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in LEVELS
        assert result["message"]["text"]
        assert result["occurrenceCount"] >= 1
        for location in result["locations"]:
            physical = location["physicalLocation"]
            assert re.fullmatch(r"[A-Za-z0-9/._~%-]+", physical["artifactLocation"]["uri"])
            assert physical.get("region", {"startLine": 1})["startLine"] >= 1
        assert all(isinstance(one, str) and one for one in result.get("partialFingerprints", {}).values())


@pytest.mark.parametrize("name", samples.ALL)
def test_the_security_findings_are_sarif(name: str) -> None:
    """With findings and without any."""
    assert_essential(sarif(*samples.report(name).security))


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=12), st.integers(0, 10**6))
def test_any_leak_is_sarif(kind: str, where: str, prefix: str, count: int) -> None:
    """Whatever the type, the place and the count."""
    clean = harmless_copy(Leak(kind, count, where, prefix, "rotate it"))
    assert_essential(sarif(clean))


def test_a_leak_stands_at_its_line_with_its_hash() -> None:
    """Rule, level, file, line and fingerprint of the first leak of the sample log."""
    (first, second) = sarif(*samples.report("log_only").security)["runs"][0]["results"]
    assert (first["ruleId"], first["level"]) == ("bearer_token", "error")
    assert (second["ruleId"], second["level"]) == ("payload_data", "warning")
    physical = first["locations"][0]["physicalLocation"]
    assert physical == {"artifactLocation": {"uri": "app.log"}, "region": {"startLine": 9}}
    assert first["partialFingerprints"] == {"sha256_prefix": "9f86d081884c"}
    assert "regenerate-keys" in first["message"]["text"]


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("service_log app.log:9", ("app.log", 9)),
        ("service_log logs/my app.log:120", ("logs/my app.log", 120)),
        ("service_log C:\\logs\\app.log:3", ("C:\\logs\\app.log", 3)),
        ("app_insights AppTraces", ("AppTraces", None)),
        ("app.log:0", ("app.log:0", None)),  # lines are counted from 1
        ("churn-prod", ("churn-prod", None)),
    ],
)
def test_a_place_is_a_file_and_a_line(where: str, place: tuple[str, int | None]) -> None:
    """The source's name in front is no part of the file's."""
    assert place_of(where) == place


@pytest.mark.parametrize("name", samples.ALL)
@pytest.mark.parametrize("limit", [None, 0.01])
def test_junit_and_the_exit_code_agree(name: str, limit: float | None) -> None:
    """A failed case where it is 1, an error where it is 3, neither where it is 0."""
    report = samples.report(name, max_failed_ratio=limit)
    suite = next(iter(JUnitXml.fromstring(errors_junit(report).encode())))
    assert bool(suite.failures) == (exit_code(report) is Exit.MISSED)
    assert bool(suite.errors) == (exit_code(report) is Exit.UNFAIR)


@pytest.mark.parametrize("name", samples.ALL)
def test_the_latency_suite_has_a_case_for_each_percentile(name: str) -> None:
    """p50, p95 and p99, then trust and sources."""
    suite = next(iter(JUnitXml.fromstring(latency_junit(LatencyReport(samples.report(name))).encode())))
    assert [case.name for case in suite][:3] == ["p50", "p95", "p99"]


def test_the_rows_of_the_csv_are_the_outcomes() -> None:
    """A column per source that tells of requests; numbers are numbers."""
    rows = list(csv.DictReader(StringIO(errors_csv(samples.report()))))
    assert [row["status"] for row in rows] == ["200", "429", "424", "500"]
    assert rows[1]["count"] == "200"
    assert rows[1]["count_app_insights"] == "0"
    assert rows[3]["count_app_insights"] == "6"


def test_the_rows_of_the_groups_are_the_groups() -> None:
    """By fingerprint."""
    rows = list(csv.DictReader(StringIO(groups_csv(samples.report()))))
    assert [row["fingerprint"] for row in rows] == ["v1:aaaaaaaaaaaa", "v1:bbbbbbbbbbbb"]
    assert rows[1]["frame"] == "score.py:11 in run"


def test_the_summary_opens_with_the_verdict() -> None:
    """The first heading is the answer."""
    assert errors_markdown(samples.report()).startswith("## SOME FAILED: 206 of 2,906 requests to churn-prod failed")


def test_the_summary_stays_below_its_limit() -> None:
    """Whole lines up to the limit, the last one saying how many were left out."""
    text = errors_markdown(samples.of(*samples.huge()), max_bytes=20_000)
    assert len(text.encode()) <= 20_000
    assert re.search(r"\d+ more lines\n$", text)
