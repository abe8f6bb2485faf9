"""Markdown, JUnit and CSV: what build servers and spreadsheets read."""

from __future__ import annotations

import csv
import re
from io import StringIO
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml

from reports.csvout import FORMULA_STARTS, guarded, levels_csv, trials_csv
from reports.junit import limit_junit
from reports.markdown import cut, escaped, limit_markdown
from tests.reports import samples
from tests.reports.hostile_samples import hostile_limit


def test_the_summary_opens_with_the_verdict() -> None:
    """The first heading is the answer."""
    first = limit_markdown(samples.cliff()).splitlines()[0]
    assert first == "## GO: churn-prod takes 8 concurrent requests; the first 503 came at 9."


@given(st.text(max_size=80))
def test_escaped_text_holds_nothing_that_starts_markup(text: str) -> None:
    """No pipe, backtick, tag, mention, bracket, emphasis or workflow command is left."""
    inert = re.sub(r"&#\d+;", "", escaped(text))
    assert not re.search(r"[|`<>*\[\]@#~$\\]|::|://", inert)


@given(st.text(max_size=80))
def test_escaped_text_reads_as_it_was(text: str) -> None:
    """Entities and zero-width spaces apart, every character is still there."""
    shown = re.sub(r"&#(\d+);", lambda match: chr(int(match[1])), escaped(text))
    assert shown.replace("@\u200b", "@").replace("#\u200b", "#") == text.replace("@\u200b", "@").replace("#\u200b", "#")


def test_a_table_cell_cannot_add_a_column() -> None:
    """Every row of every table has as many cells as its head."""
    width = None
    for line in limit_markdown(hostile_limit("a|b|c\nd|e")).splitlines():
        cells = line.count("|") if line.startswith("|") else None
        assert width is None or cells is None or cells == width
        width = cells


def test_a_long_summary_is_cut_at_a_line_and_says_how_much_is_missing() -> None:
    """The build server's bound on a summary is kept, and the cut is told."""
    text = "".join(f"line {i}\n" for i in range(1000))
    short = cut(text, 500)
    kept = short.splitlines()[:-2]
    assert len(short.encode()) <= 500
    assert kept == [f"line {i}" for i in range(len(kept))]
    assert short.splitlines()[-1] == f"{1000 - len(kept)} more lines"


def test_a_short_summary_is_not_cut() -> None:
    """Exactly at the bound nothing is lost."""
    assert cut("line\n", 5) == "line\n"


def test_each_goal_and_the_fairness_are_test_cases() -> None:
    """A build server shows them one by one."""
    suite = next(iter(JUnitXml.fromstring(limit_junit(samples.cliff()).encode())))
    assert [case.name for case in suite] == ["rejected<=0.1%", "errors<=1%", "fair measurement"]
    assert (suite.tests, suite.failures, suite.errors) == (3, 0, 0)


@pytest.mark.parametrize(
    ("name", "failures", "errors"),
    [
        ("cliff", 0, 0),
        ("at_least", 0, 0),
        ("missed_at_zero_load", 1, 0),
        ("not_a_load_problem", 1, 0),
        ("client_limited", 0, 1),
        ("not_steady", 1, 1),
    ],
)
def test_a_build_fails_where_the_verdict_asks_for_it(name: str, failures: int, errors: int) -> None:
    """A missed goal is a failure, an unfair measurement an error."""
    suite = next(iter(JUnitXml.fromstring(limit_junit(samples.ALL[name]()).encode())))
    assert (suite.failures, suite.errors) == (failures, errors)


@given(st.text(max_size=60))
def test_any_text_gives_well_formed_xml(text: str) -> None:
    """Characters that XML 1.0 cannot write do not reach the document."""
    root = ET.fromstring(limit_junit(hostile_limit(text or "-")))  # noqa: S314 - our own output
    assert root.tag == "testsuites"
    assert root.findall(".//testcase")


def test_levels_csv_has_a_row_per_level_and_a_column_per_code() -> None:
    """Numbers come back as the numbers they are."""
    rows = list(csv.DictReader(StringIO(levels_csv(samples.cliff()))))
    assert [int(row["users"]) for row in rows] == [1, 2, 4, 6, 7, 8, 9, 10, 12, 16]
    assert int(rows[6]["count_503"]) + int(rows[6]["count_200"]) == int(rows[6]["attempt_count"])
    assert float(rows[0]["p95_ms"]) == pytest.approx(26.724)


def test_trials_csv_has_a_row_per_trial() -> None:
    """Every trial is there in its order, with its reason quoted where it holds a comma."""
    text = trials_csv(samples.cliff())
    assert len(list(csv.DictReader(StringIO(text)))) == 9
    assert '"no bad answer in 3,137"' in text
    assert text.count("\r\n") == 10


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_a_text_cell_is_never_a_formula(start: str) -> None:
    """Quoting alone does not stop a spreadsheet; a leading quote does."""
    assert guarded(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"


def test_numbers_of_ours_stay_numbers() -> None:
    """A negative measured value is no formula."""
    assert (guarded(-1.5), guarded(7), guarded(None)) == (-1.5, 7, None)
