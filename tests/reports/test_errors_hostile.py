"""What others wrote is shown, and does nothing: in no rendering of the error and latency reports."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import StringIO
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.clean import harmless_copy
from reports.errors import ErrorsReport
from reports.errors_csv import errors_csv, groups_csv
from reports.errors_html import errors_html
from reports.errors_json import diagnosis_json, errors_json
from reports.errors_junit import errors_junit
from reports.errors_markdown import errors_markdown
from reports.errors_text import diagnosis_text, errors_text
from reports.latency import LatencyReport
from reports.latency_json import latency_json
from reports.latency_renderings import latency_html
from reports.latency_text import latency_csv, latency_junit, latency_markdown, latency_text
from reports.sarif import security_sarif
from tests.reports import error_samples as samples
from tests.reports.hostile_samples import hostile_errors
from tests.reports.test_hostile import MARKS, SECRET, Tags

HTML: dict[str, Callable[[ErrorsReport], str]] = {
    "errors.html": errors_html,
    "latency.html": lambda report: latency_html(LatencyReport(report)),
}
RENDERINGS: dict[str, Callable[[ErrorsReport], str]] = {
    **HTML,
    "errors.json": errors_json,
    "diagnosis.json": diagnosis_json,
    "errors terminal": lambda report: errors_text(report, color=False, width=100),
    "diagnosis terminal": lambda report: diagnosis_text(report, color=False, width=100),
    "errors.md": errors_markdown,
    "errors.xml": errors_junit,
    "errors.csv": errors_csv,
    "groups.csv": groups_csv,
    "sarif": lambda report: security_sarif(report.security, report.tool_version),
    "latency.json": lambda report: latency_json(LatencyReport(report)),
    "latency terminal": lambda report: latency_text(LatencyReport(report), color=False, width=100),
    "latency.md": lambda report: latency_markdown(LatencyReport(report)),
    "latency.xml": lambda report: latency_junit(LatencyReport(report)),
    "latency.csv": lambda report: latency_csv(LatencyReport(report)),
}
MORE_MARKS = (*MARKS, "\ud800 lone surrogate", "\x85\u2028\u2029new lines", "&lt;b&gt;&amp;")


def hostile(mark: str) -> ErrorsReport:
    """Every foreign field marked, an earlier report and the command line too."""
    earlier = json.loads(errors_json(samples.report("log_only")))
    for group in earlier["groups"]:
        group["cause"] = mark + group["cause"]
    return samples.of(
        *hostile_errors(mark), baseline={**earlier, "made_at": mark}, where=f"{mark}out", command=f"redline {mark}"
    )


@cache
def shown(name: str, mark: str) -> str:
    return RENDERINGS[name](hostile(mark))


@pytest.mark.parametrize("name", HTML)
@pytest.mark.parametrize("mark", MORE_MARKS)
def test_a_hostile_page_has_the_elements_of_a_harmless_one(name: str, mark: str) -> None:
    """Planted in every foreign field, no text adds an element, an attribute or an address."""
    page, plain = Tags(shown(name, mark)), Tags(shown(name, "plain"))
    shape = [(tag, sorted(attrs)) for tag, attrs in plain.found if tag not in ("code", "a")]
    found = [(tag, sorted(attrs)) for tag, attrs in page.found if tag not in ("code", "a")]
    assert _without_svg(found) == _without_svg(shape)
    allowed = {attrs.get("href") for _, attrs in plain.found}
    addresses = {attrs.get("href") for _, attrs in page.found}
    assert {one for one in addresses if one and not one.startswith("#")} <= allowed


def _without_svg(found: list[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """What is not drawn: the number of ticks and curves may differ with the length of a name."""
    drawn = {"path", "g", "use", "text", "defs", "clippath", "rect", "pattern", "tspan"}
    return [one for one in found if one[0] not in drawn]


@pytest.mark.parametrize("name", HTML)
@pytest.mark.parametrize("mark", MORE_MARKS)
def test_no_page_has_a_script_or_an_event_handler(name: str, mark: str) -> None:
    """The page runs nothing, and every link stays inside it."""
    for tag, attrs in Tags(shown(name, mark)).found:
        assert tag not in {"script", "iframe", "object", "embed", "img", "form", "base"}
        assert not [one for one in attrs if one.startswith("on") or one == "style"]
        assert (attrs.get("href") or "#").startswith(("#", "data:,"))


@pytest.mark.parametrize("name", RENDERINGS)
@pytest.mark.parametrize("mark", MORE_MARKS)
def test_no_rendering_holds_a_control_or_a_bidi_character(name: str, mark: str) -> None:
    """Escape sequences, direction changes, surrogates and invisible characters are shown, not sent."""
    text = shown(name, mark)
    assert not re.search(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\ufeff\ud800-\udfff]",
        text,
    )
    text.encode("utf-8")


@pytest.mark.parametrize("name", sorted(RENDERINGS.keys() - HTML.keys()))
def test_no_rendering_for_a_log_starts_a_line_with_a_workflow_command(name: str) -> None:
    """A build log that shows the report executes nothing."""
    text = shown(name, "\r\n::error file=x::owned\n##[error]owned")
    assert not re.search(r"^\s*(::|##\[)", text, re.MULTILINE)


@pytest.mark.parametrize("mark", MORE_MARKS)
def test_hostile_json_and_xml_are_read_back(mark: str) -> None:
    """Readers of the machine formats get text, whatever it holds."""
    for name in ("errors.json", "latency.json", "diagnosis.json"):
        assert json.loads(shown(name, mark))["schema"] == 1
    assert json.loads(shown("sarif", mark))["version"] == "2.1.0"
    for name in ("errors.xml", "latency.xml"):
        ET.fromstring(shown(name, mark))  # noqa: S314 - our own output


@pytest.mark.parametrize("mark", ["=1+1", "+1", "-1", "@SUM(1)", "＝1", "＋1", "－1", "＠x", "\t=1", "\r=1", "\n=1"])
@pytest.mark.parametrize("name", ["errors.csv", "groups.csv", "latency.csv"])
def test_no_text_cell_starts_a_formula(name: str, mark: str) -> None:
    """A spreadsheet that opens the file computes nothing of it."""
    for row in csv.reader(StringIO(shown(name, mark))):
        assert not [cell for cell in row if cell[:1] in set("=+-@＝＋－＠\t\r\n")]


@pytest.mark.parametrize("name", ["errors.md", "latency.md"])
def test_markdown_mentions_nobody_and_links_nowhere(name: str) -> None:
    """No mention, link, image, raw tag or command of a foreign text is left."""
    text = shown(name, "a|b`c`[x](javascript:alert(1)) @everyone <img src=x>")
    text = re.sub(r"<pre>[^<]*</pre>", "", text)  # nothing is markup in there
    assert "@everyone" not in text
    assert "](" not in text
    assert "<img" not in text


@pytest.mark.parametrize("name", RENDERINGS)
def test_a_bearer_token_is_taken_out_wherever_it_stands(name: str) -> None:
    """Shapes of secrets are known without their values, in every foreign field."""
    assert SECRET not in shown(name, f"Authorization: Bearer {SECRET} ")


@pytest.mark.parametrize("name", RENDERINGS)
def test_the_query_of_the_scoring_uri_is_not_shown(name: str) -> None:
    """A signature in the address would let every reader score."""
    told, diagnosis = samples.managed()
    endpoint = replace(samples.ENDPOINT, scoring_uri="https://churn.example.com/score?code=abcdefgh12345678")
    assert "abcdefgh12345678" not in RENDERINGS[name](samples.of(replace(told, endpoint=endpoint), diagnosis))


@pytest.mark.parametrize("name", RENDERINGS)
def test_no_rendering_tells_where_secrets_are_kept(name: str) -> None:
    """Names of variables, files and resources stay on the machine."""
    told, diagnosis = samples.managed()
    hidden = {"key_file": "hidden-a", "azure_token_file": "hidden-b", "workspace_id": "hidden-c", "arm_id": "hidden-d"}
    endpoint = replace(samples.ENDPOINT, **hidden)
    text = RENDERINGS[name](samples.of(replace(told, endpoint=endpoint), diagnosis))
    assert not [one for one in (*hidden.values(), "CHURN_KEY") if one in text]


@settings(deadline=None, max_examples=25)
@given(st.text(max_size=60))
def test_the_report_is_clean_already(text: str) -> None:
    """A further copy changes nothing: no field was forgotten when the report was made."""
    report = samples.of(*hostile_errors(text))
    assert harmless_copy(report) == report


def test_cleaning_keeps_every_number() -> None:
    """Only texts are touched."""
    report: Any = samples.report("managed")
    assert harmless_copy(report) == report
    assert report.requests == 2906
