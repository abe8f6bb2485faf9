"""The pages of the error and latency reports, and their figures."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from reports.errors_html import MAX_BYTES, errors_html
from reports.errors_page import Page
from reports.errors_words import numbers
from reports.html import report_css
from reports.latency import LatencyReport
from reports.latency_plots import distribution_plot, heat_plot
from reports.latency_renderings import latency_html
from reports.plots import Plot
from reports.timeline_plot import timeline_plot
from scoring.told import Diagnosis, Told
from tests.reports import error_samples as samples
from tests.reports.hostile_samples import hostile_errors
from tests.reports.test_hostile import Tags

PAGES = {"errors": errors_html, "latency": lambda report, **more: latency_html(LatencyReport(report), **more)}
SVG = "{http://www.w3.org/2000/svg}"


def figures(name: str) -> list[Plot]:
    report = samples.report(name)
    course = report.timeline
    assert course is not None
    found = [
        timeline_plot(course, report.trust.complete_until),
        distribution_plot(report.curves),
        heat_plot(course),
    ]
    return [plot for plot in found if plot is not None]


def sections(page: str) -> list[str | None]:
    return [attrs["id"] for tag, attrs in Tags(page).found if tag == "section" and "id" in attrs]


def test_the_title_is_the_verdict() -> None:
    """A row of browser tabs can be read."""
    assert "<title>SOME FAILED: 206 of 2,906 requests to churn-prod failed" in errors_html(samples.report())
    assert "<title>MEASURED: Half of 2,906 requests to churn-prod took up to 35.0 ms" in latency_html(
        LatencyReport(samples.report())
    )


def test_the_questions_are_answered_in_their_order() -> None:
    """Is it OK, why, what changed, can I trust it, when, what; and for latency how long comes first."""
    earlier = {"by_status": {"200": 10}}
    report = samples.of(*hostile_errors(""), baseline=earlier)
    assert sections(errors_html(report)) == [
        "verdict",
        "causes",
        "change",
        "trust",
        "timeline",
        "codes",
        "groups",
        "worst",
        "latency",
        "security",
        "appendix",
    ]
    assert sections(latency_html(LatencyReport(report)))[:3] == ["verdict", "latency", "change"]


@pytest.mark.parametrize("kind", PAGES)
def test_the_contents_name_the_sections_in_their_order(kind: str) -> None:
    """From the top of the page every part is one step away."""
    page = PAGES[kind](samples.of(*hostile_errors("")))
    contents = re.findall(r'<li><a href="#([a-z]+)">', page)
    assert contents == [one for one in sections(page) if one != "verdict"]


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("name", samples.ALL)
def test_every_id_is_unique_and_every_reference_meets_one(kind: str, name: str) -> None:
    """Two figures in two sizes on one page share no clip path, and no link leads nowhere."""
    page = PAGES[kind](samples.report(name))
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    wanted = re.findall(r'(?:href="#|url\(#)([^")]+)', page)
    wanted += [one for names in re.findall(r'aria-labelledby="([^"]+)"', page) for one in names.split()]
    assert set(wanted) <= set(ids)


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("name", samples.ALL)
def test_tables_can_be_read_aloud(kind: str, name: str) -> None:
    """Each table has a caption, each head cell a scope."""
    found = Tags(PAGES[kind](samples.report(name))).found
    assert sum(tag == "table" for tag, _ in found) == sum(tag == "caption" for tag, _ in found)
    assert all(attrs.get("scope") in {"row", "col"} for tag, attrs in found if tag == "th")


@pytest.mark.parametrize("kind", PAGES)
def test_the_page_is_complete_in_itself(kind: str) -> None:
    """Nothing is loaded unless a style sheet beside it is asked for, and it is the one inside."""
    page, linked = (PAGES[kind](samples.report(), **more) for more in ({}, {"stylesheet": "report.css"}))
    assert [attrs["href"] for tag, attrs in Tags(page).found if tag == "link"] == ["data:,"]
    assert [attrs["href"] for tag, attrs in Tags(linked).found if tag == "link"] == ["data:,", "report.css"]
    assert report_css().strip() in page
    assert "Content-Security-Policy\" content=\"default-src 'none'" in page


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_stays_small_whatever_was_told(kind: str) -> None:
    """A million attempts, 3,000 outcomes and groups, 7,000 events: below 600 kB."""
    assert len(PAGES[kind](samples.of(*samples.huge())).encode()) <= MAX_BYTES


@pytest.mark.parametrize("mark", ["<'\"&" * 60, "負" * 300, "\x1b\x00" * 200])
def test_a_page_stays_small_where_escaping_makes_texts_longer(mark: str) -> None:
    """Lists are shortened until the page fits, and say what they leave out."""
    told, diagnosis = samples.huge()
    page = errors_html(samples.of(*_marked(told, diagnosis, mark)))
    assert len(page.encode()) <= MAX_BYTES
    assert "more groups stand in groups.csv" in page


def _marked(told: Told, diagnosis: Diagnosis, mark: str) -> tuple[Told, Diagnosis]:
    groups = tuple(replace(one, cause=mark, why=mark, sample=mark * 4, frame=mark) for one in diagnosis.groups)
    findings = tuple(replace(one, cause=mark * 3, evidence=(mark * 3,) * 9) for one in diagnosis.findings)
    worst = tuple(
        replace(one, rows=tuple(replace(row, body=mark * 2) for row in one.rows), lines=(mark * 2,) * 12)
        for one in diagnosis.worst
    )
    return told, replace(diagnosis, groups=groups, findings=findings, worst=worst)


def test_a_smaller_page_keeps_at_least_one_of_everything() -> None:
    """However small, no list becomes empty."""
    report = samples.report()
    page = Page(report, "w", "warn", "h", (), numbers(report))
    while not page.is_smallest:
        page = page.smaller()
    assert (len(page.groups), len(page.codes), len(page.worst)) == (1, 1, 1)
    assert page.more_groups == 1


@pytest.mark.parametrize("name", ["managed", "aks_metrics", "log_only", "fine", "all_failed"])
def test_figures_carry_no_style_script_or_date(name: str) -> None:
    """A content security policy can forbid inline styles, and each figure says what it is."""
    for plot in figures(name):
        for svg in (plot.wide, plot.narrow):
            assert not re.search(r"style=|<script|<!DOCTYPE|<\?xml|<metadata|xlink", svg)
            root = ET.fromstring(svg)  # noqa: S314 - our own output
            assert root.get("role") == "img"
            assert [child.tag for child in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
            assert root[0].text == plot.title


@pytest.mark.parametrize("name", ["managed", "aks_metrics"])
def test_figures_draw_few_points(name: str) -> None:
    """At most 2,000 points of data each: every number pair of every path counted."""
    for plot in figures(name):
        for svg in (plot.wide, plot.narrow):
            drawn = ET.fromstring(svg).iter(f"{SVG}path")  # noqa: S314 - our own output
            curves = [path.get("d", "") for path in drawn if "clip-path" in path.attrib]
            assert sum(len(re.findall(r"[ML] ", d)) for d in curves) <= 2000


def test_the_timeline_says_when_it_was_worst() -> None:
    """40 of 140 requests failed in minute 10, and requests failed in 6 of the 27 minutes that have any."""
    plot = figures("managed")[0]
    assert plot.title == (
        "Failures were worst at 2026-03-01 12:10:00 UTC: 28.57 % (40 of 140) there; requests failed in 6 of 27 steps."
    )
    assert "In 3 steps no source told of a request" in plot.caption
    assert plot.columns == ("from, UTC", "requests/s", "200", "429", "424", "p50", "p95", "p99")
    assert plot.rows[10][:5] == ("2026-03-01 12:10:00", "2.33", "100", "40", "0")


def test_the_watermark_shades_what_may_still_arrive() -> None:
    """18 of 30 minutes of the sample lie after it."""
    report = samples.report("aks_metrics")
    assert report.timeline is not None
    with_mark = timeline_plot(report.timeline, report.trust.complete_until)
    without = timeline_plot(report.timeline, None)
    assert len(with_mark.wide) > len(without.wide)


def test_a_percentile_of_azure_monitor_is_shown_as_that_of_one_minute() -> None:
    """The extremes and the last minute stand there, and no average."""
    page = errors_html(samples.report("aks_metrics"))
    assert "cannot be averaged over a longer time, so none is" in page
    row = re.search(r"RequestLatency_P95</th>(.*?)</tr>", page)
    assert row is not None
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row[1])
    assert cells == ["deployment: blue", "30", "40", "60", "2026-03-01 12:02:00 UTC", "60", "MilliSeconds"]


def test_a_code_leads_to_its_group() -> None:
    """The matrix links each code to the failures alike it belongs to."""
    page = errors_html(samples.report())
    assert '<a href="#group-1">429</a>' in page
    assert '<li id="group-1">' in page


def test_words_stand_beside_every_shape() -> None:
    """No state is told by colour or shape alone."""
    for word in re.findall(r'class="state tone-(\w+)"', errors_html(samples.report("aks_metrics"))):
        assert word in {"ok", "warn", "fail", "unknown"}
        assert f"<span>{word}</span>" in errors_html(samples.report("aks_metrics"))
