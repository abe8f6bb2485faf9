"""The documents of the error and latency reports, of diagnose and of logs, against their committed schemas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from reports.errors_json import diagnosis_json, errors_json
from reports.latency import latency_report
from reports.latency_json import latency_json
from reports.logs_text import entry_json, entry_text
from scoring.served import Source
from tests.reports import error_samples as samples
from tests.reports.test_jsonout import assert_valid, schema

CONTRACT = [
    "schema",
    "requests",
    "by_status",
    "failed_ratio",
    "duration_ms",
    "corrected_rows",
    "groups",
    "findings",
    "security",
    "sources",
    "trust",
]


@dataclass(frozen=True)
class Entry:
    """An entry as a log's reader gives it."""

    at: datetime | None = datetime(2026, 1, 1, 10, 0, 0, 617000, tzinfo=UTC)
    level: str | None = "E"
    line: int | None = 120
    kind: str = "traceback"
    status: int | None = None
    duration_ms: float | None = None
    text: str = "Traceback (most recent call last):\n  boom\nValueError: NaN"


def document(name: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(errors_json(samples.report(name, **more)), parse_constant=pytest.fail)
    return found


def latency_document(name: str, **more: Any) -> dict[str, Any]:
    report = latency_report(*samples.ALL[name](), made_at=samples.MADE, tool_version="0", command="c", **more)
    found: dict[str, Any] = json.loads(latency_json(report), parse_constant=pytest.fail)
    return found


@pytest.mark.parametrize("name", ["errors", "latency", "logs", "diagnose"])
def test_the_schemas_are_schemas(name: str) -> None:
    """A typing error in a keyword is found here."""
    jsonschema.Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", samples.ALL)
def test_each_document_fits_its_schema(name: str) -> None:
    """The schemas under docs/schemas describe what is printed, with and without an earlier report."""
    earlier = document("log_only")
    assert_valid(document(name), "errors")
    assert_valid(document(name, baseline=earlier, max_failed_ratio=0.01), "errors")
    assert_valid(latency_document(name, baseline=earlier), "latency")
    assert_valid(json.loads(diagnosis_json(samples.report(name))), "diagnose")


def test_the_huge_document_fits_its_schema_too() -> None:
    """Thousands of groups, codes, events and leaks change no type."""
    assert_valid(json.loads(errors_json(samples.of(*samples.huge()))), "errors")


@pytest.mark.parametrize("field", CONTRACT)
def test_the_schema_rejects_a_document_without_a_promised_field(field: str) -> None:
    """Every field of the contract is required."""
    found = document("managed")
    del found[field]
    with pytest.raises(jsonschema.ValidationError):
        assert_valid(found, "errors")


def test_the_promised_fields_come_first_and_in_their_order() -> None:
    """A person who reads the JSON finds the counts at its top."""
    assert list(document("managed"))[: len(CONTRACT)] == CONTRACT


def test_the_counts_come_from_the_client_where_it_tells() -> None:
    """2,700 answers, 200 rejections and 6 model errors, although App Insights saw no rejection."""
    found = document("managed")
    assert found["requests"] == 2906
    assert found["by_status"] == {"200": 2700, "424": 6, "429": 200}
    assert found["failed_ratio"] == pytest.approx(206 / 2906)
    assert found["duration_ms"] == {"p50": 35.0, "p95": 62.0, "p99": 68.0, "max": 69.0}


def test_each_source_keeps_its_own_counts() -> None:
    """What the client calls 424 the container calls 500, and both stand there."""
    own = {row["name"]: row["by_status"] for row in document("managed")["sources"]}
    assert own["client"] == {"200": 2700, "424": 6, "429": 200}
    assert own["app_insights"] == {"200": 2700, "500": 6}


def test_a_source_that_could_not_be_read_stands_there_with_its_outcome() -> None:
    """Its requests are null, never 0."""
    row = next(row for row in document("managed")["sources"] if row["name"] == "metrics")
    assert (row["requests"], row["by_status"], row["outcome"]) == (None, None, "forbidden")
    assert row["problems"][0]["next_step"]


def test_nothing_told_is_null() -> None:
    """Without any source there are no requests, no ratio and no durations, and none of them is 0."""
    found = document("unread")
    assert (found["requests"], found["failed_ratio"]) == (None, None)
    assert set(found["duration_ms"].values()) == {None}
    assert found["trust"]["complete_until"] is None
    assert [row["outcome"] for row in found["sources"]] == ["timed_out", "forbidden"]


def test_lines_that_no_text_decodes_are_counted_for_logs_alone() -> None:
    """Null where no log was read: absent knowledge is not 0."""
    assert document("log_only")["trust"]["undecodable_lines"] == 1
    assert document("fine")["trust"]["undecodable_lines"] is None


def test_the_correction_is_counted() -> None:
    """The rows whose columns contradicted their dimensions, over all sources."""
    assert document("managed")["corrected_rows"] == 2706


def test_security_findings_hold_no_value() -> None:
    """Type, count, place, hash prefix, and what to rotate."""
    first = document("log_only")["security"][0]
    assert list(first) == ["type", "count", "where", "sha256_prefix", "rotate"]
    assert first["sha256_prefix"] == "9f86d081884c"


def test_names_are_those_of_the_contract() -> None:
    """Sources are called by the words that programs know."""
    assert {row["name"] for row in document("managed")["sources"]} <= {source.value for source in Source}


def test_a_log_entry_fits_its_schema() -> None:
    """One line of JSON, with nulls for what the entry does not tell."""
    line = entry_json(Entry())
    assert line.count("\n") == 1
    assert_valid(json.loads(line), "logs")
    assert_valid(json.loads(entry_json(Entry(None, None, None, "request", 200, 1.5, "POST /score 200"))), "logs")
    assert json.loads(line)["at"] == "2026-01-01T10:00:00.617000Z"


def test_the_lines_of_a_log_entry_stand_under_each_other() -> None:
    """A traceback can be read in a terminal, and is one block."""
    lines = entry_text(Entry(status=500, duration_ms=12.0), color=False).splitlines()
    assert lines[0] == "     120  E  500    12.0 ms  Traceback (most recent call last):"
    assert [line.strip() for line in lines[1:]] == ["boom", "ValueError: NaN"]


@pytest.mark.parametrize(
    "text", ["\x1b[31mred\u202e", "::error::x\n##[error]y", "Authorization: Bearer q8Zr1vT0xK3mB7nP5s"]
)
def test_a_hostile_log_entry_is_inert(text: str) -> None:
    """No escape sequence, no workflow command and no token reaches the terminal or the JSON."""
    for shown in (entry_text(Entry(text=text), color=False), entry_json(Entry(text=text))):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "q8Zr1vT0xK3mB7nP5s" not in shown
        assert not any(line.lstrip().startswith(("::", "##[")) for line in shown.splitlines())
