"""What a server, a file or a person may have put into a report stays text in every rendering."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.clean import MAX_CHARS, clean_text, harmless_copy
from reports.csvout import levels_csv, trials_csv
from reports.html import limit_html
from reports.jsonout import limit_json
from reports.junit import limit_junit
from reports.limit import LimitReport
from reports.markdown import limit_markdown
from reports.terminal import limit_text
from tests.reports import samples
from tests.reports.hostile_samples import hostile_limit

RENDERINGS: dict[str, Callable[[LimitReport], str]] = {
    "html": limit_html,
    "json": limit_json,
    "terminal": lambda report: limit_text(report, color=False, width=100),
    "markdown": limit_markdown,
    "junit": limit_junit,
    "levels.csv": levels_csv,
    "trials.csv": trials_csv,
}
MARKS = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "</style><svg onload=alert(1)>",
    "</textarea></title></pre><iframe src=//evil.example>",
    "{{ 7 * 7 }}{% raw %}${7*7}",
    "\x1b[31mred\x1b[0m\x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "\r\n::error file=x::owned\n##[error]owned",
    '=HYPERLINK("http://evil.example")',
    "\u202egnp.exe\u200b\u2066",
    "a|b`c`[x](javascript:alert(1)) @everyone",
    "]]><!ENTITY x SYSTEM 'file:///etc/passwd'>\x00\ufffe",
    "$\\frac{1}{0}$ \\usepackage",
)
SECRET = "q8Zr1vT0xK3mB7nP5sL9wY2u"


class Tags(HTMLParser):
    """Every element of a page with its attributes, and all of its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("mark", MARKS)
def test_a_hostile_page_has_the_elements_of_a_harmless_one(mark: str) -> None:
    """Planted in every foreign field, no text adds an element, an attribute or an address."""
    hostile, plain = Tags(limit_html(hostile_limit(mark))), Tags(limit_html(hostile_limit("plain")))
    shape = [(tag, sorted(attrs)) for tag, attrs in plain.found if tag != "code"]
    assert [(tag, sorted(attrs)) for tag, attrs in hostile.found if tag != "code"] == shape
    allowed = [attrs.get("href") for _, attrs in plain.found]
    assert {attrs.get("href") for _, attrs in hostile.found} <= set(allowed)


@pytest.mark.parametrize("mark", MARKS)
def test_no_page_has_a_script_or_an_event_handler(mark: str) -> None:
    """The page runs nothing."""
    for tag, attrs in Tags(limit_html(hostile_limit(mark))).found:
        assert tag not in {"script", "iframe", "object", "embed", "img", "form", "base"}
        assert not [name for name in attrs if name.startswith("on") or name == "style"]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("name", RENDERINGS)
def test_no_rendering_holds_a_control_or_a_bidi_character(name: str, mark: str) -> None:
    """Escape sequences, direction changes and invisible characters are shown, not sent."""
    text = RENDERINGS[name](hostile_limit(mark))
    assert not re.search(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\ufeff]", text
    )


@pytest.mark.parametrize("name", sorted(RENDERINGS.keys() - {"html"}))
def test_no_rendering_for_a_log_starts_a_line_with_a_workflow_command(name: str) -> None:
    """A build log that shows the report executes nothing."""
    text = RENDERINGS[name](hostile_limit("\r\n::error file=x::owned\n##[error]owned"))
    assert not re.search(r"^\s*(::|##\[)", text, re.MULTILINE)


@pytest.mark.parametrize("mark", MARKS)
def test_hostile_json_and_xml_are_read_back(mark: str) -> None:
    """Readers of the machine formats get text, whatever it holds."""
    assert json.loads(limit_json(hostile_limit(mark)))["schema"] == 1
    ET.fromstring(limit_junit(hostile_limit(mark)))  # noqa: S314 - our own output


@pytest.mark.parametrize("mark", ["=1+1", "+1", "-1", "@SUM(1)", "＝1", "＠x", "\t=1", "\r=1"])
@pytest.mark.parametrize("rendering", [levels_csv, trials_csv])
def test_no_text_cell_starts_a_formula(rendering: Callable[[LimitReport], str], mark: str) -> None:
    """A spreadsheet that opens the file computes nothing of it."""
    for row in csv.reader(StringIO(rendering(hostile_limit(mark)))):
        assert not [cell for cell in row if cell[:1] in set("=+-@＝＋－＠\t\r\n")]


@pytest.mark.parametrize("name", RENDERINGS)
def test_no_rendering_holds_a_secret_that_was_given(name: str) -> None:
    """A key that stands in any text of the report is taken out before it is rendered."""
    report = harmless_copy(hostile_limit(f"Authorization: Bearer {SECRET} {SECRET}"), (SECRET,))
    assert SECRET not in RENDERINGS[name](report)


@pytest.mark.parametrize("name", RENDERINGS)
def test_a_bearer_token_is_taken_out_even_when_nobody_names_it(name: str) -> None:
    """Shapes of secrets are known without their values."""
    assert SECRET not in RENDERINGS[name](hostile_limit(f"Authorization: Bearer {SECRET}"))


@pytest.mark.parametrize("name", RENDERINGS)
def test_the_query_of_the_scoring_uri_is_not_shown(name: str) -> None:
    """A signature in the address would let every reader score."""
    endpoint = replace(samples.ENDPOINT, scoring_uri="https://churn.example.com/score?code=abcdefgh12345678")
    assert "abcdefgh12345678" not in RENDERINGS[name](replace(samples.cliff(), endpoint=endpoint))


def test_a_secret_that_a_cut_would_halve_is_still_found() -> None:
    """Redaction comes before the cut."""
    text = clean_text("x" * (MAX_CHARS - 10) + SECRET, (SECRET,))
    assert SECRET[:10] not in text


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=200))
def test_the_copy_of_a_copy_is_the_copy(text: str) -> None:
    """Every renderer cleans what it gets, so cleaning twice must change nothing."""
    once = harmless_copy(hostile_limit(text))
    assert harmless_copy(once) == once


def test_numbers_and_kinds_pass_the_copy_unchanged() -> None:
    """Only texts are touched."""
    report = samples.cliff()
    assert harmless_copy(report).verdict == report.verdict


def test_no_template_switches_escaping_off() -> None:
    """Neither `|safe` nor an autoescape block stands in any template."""
    folder = Path(__file__).parents[2] / "reports" / "templates"
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape|Markup", text), path.name


def test_markup_is_made_in_one_place() -> None:
    """Only reports/svg.py vouches for a text."""
    folder = Path(__file__).parents[2] / "reports"
    makers = {path.name for path in folder.glob("*.py") if re.search(r"\bMarkup\(", path.read_text(encoding="utf-8"))}
    assert makers == {"svg.py"}
