"""Every rendering of one latency report: the text, the JSON, the files, and the exit code they all agree on."""

from __future__ import annotations

from reports.errors_csv import errors_csv
from reports.latency import (
    LatencyReport,
    latency_exit_code,
    latency_headline,
    latency_numbers,
    latency_remarks,
    latency_title,
    latency_tone,
    latency_word,
)
from reports.latency_json import latency_json
from reports.latency_text import latency_csv, latency_text
from reports.rendered import Rendered

ORDER = ("latency", "change", "trust", "timeline", "worst", "codes", "causes", "groups")
"""The sections of the page, as its template has them."""


def rendered_latency(report: LatencyReport, *, color: bool, width: int, with_files: bool = True) -> Rendered:
    """The report in every form. Without `with_files` nothing is drawn, which takes a tenth of the time."""
    document = latency_json(report)
    return Rendered(
        text=latency_text(report, color=color, width=width),
        json=document,
        files=_files(report, document) if with_files else {},
        exit_code=latency_exit_code(report),
    )


def latency_html(report: LatencyReport, *, stylesheet: str | None = None) -> str:
    """The page. With `stylesheet`, a link to that file beside it too, for hosts that forbid styles inside a page."""
    from reports.errors_html import small_page
    from reports.errors_page import Page

    page = Page(
        report.told,
        latency_word(report),
        latency_tone(report),
        latency_headline(report),
        latency_remarks(report),
        latency_numbers(report),
        ORDER,
    )
    return small_page("latency.html.j2", page, latency_title(report), stylesheet)


def _files(report: LatencyReport, document: str) -> dict[str, str]:
    from reports.html import report_css
    from reports.latency_text import latency_junit, latency_markdown

    return {
        "report.html": latency_html(report, stylesheet="report.css"),
        "report.css": report_css(),
        "report.json": document,
        "summary.md": latency_markdown(report),
        "junit.xml": latency_junit(report),
        "latency.csv": latency_csv(report),
        "errors.csv": errors_csv(report.told),
    }
