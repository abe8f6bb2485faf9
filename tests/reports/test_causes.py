"""Reports on runs say why requests failed."""

from __future__ import annotations

import dataclasses
import json

import pytest

from reports.html import limit_html
from reports.jsonout import limit_json, load_json
from reports.load_text import load_text
from reports.markdown import limit_markdown
from reports.terminal import limit_text
from tests.reports import load_samples, samples

SAYS = {
    "text": lambda report: limit_text(report, color=False, width=100),
    "markdown": limit_markdown,
    "page": limit_html,
}


@pytest.mark.parametrize("form", SAYS)
def test_a_limit_report_says_why_requests_failed(form: str) -> None:
    """Cause, confidence, count and next step stand in the report; without a cause there is no such section."""
    said = SAYS[form](samples.cliff())
    for words in (samples.OVERLOAD.cause[1:], "high", "62", "add replicas, or keep to 8 users", "D01"):
        assert words in said
    assert "Why requests failed" not in SAYS[form](samples.managed())


def test_a_load_report_says_why_requests_failed() -> None:
    """The text of a fixed load ends with the causes of its failures."""
    report = load_samples.load(causes=(samples.OVERLOAD,))
    said = " ".join(load_text(report, color=False, width=100).split())
    assert "Why requests failed" in said
    assert "confidence high, explains 62 failures [D01]" in said


@pytest.mark.parametrize("form", SAYS)
def test_what_was_sent_again_is_no_failure(form: str) -> None:
    """Where 401 answers during a renewal are all there is to tell, the title does not speak of failures."""
    again = dataclasses.replace(samples.OVERLOAD, rule="D41")
    said = SAYS[form](dataclasses.replace(samples.cliff(), causes=(again,)))
    assert "Requests sent again" in said
    assert "Why requests failed" not in said


@pytest.mark.parametrize("form", SAYS)
def test_a_cause_of_no_failure_is_no_reason_why_requests_failed(form: str) -> None:
    """A client that was too busy explains no failed request, and the title does not say that one failed."""
    busy = dataclasses.replace(samples.OVERLOAD, rule="D21", count=0)
    said = SAYS[form](dataclasses.replace(samples.cliff(), causes=(busy,)))
    assert "What stood in the way" in said
    assert "Why requests failed" not in said


def test_the_documents_hold_the_findings_of_the_error_report() -> None:
    """`findings` has the same fields in every document."""
    for document in (limit_json(samples.cliff()), load_json(load_samples.load(causes=(samples.OVERLOAD,)))):
        (finding,) = json.loads(document)["findings"]
        assert (finding["rule"], finding["confidence"], finding["count"]) == ("D01", "high", 62)
