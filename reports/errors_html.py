"""The error report as one HTML page, complete in itself and of a bounded size."""

from __future__ import annotations

from reports.errors import ErrorsReport
from reports.errors_page import Page
from reports.errors_words import headline, numbers, remarks, title, verdict_tone, verdict_word
from reports.page import page_of

MAX_BYTES = 600_000


def errors_html(report: ErrorsReport, *, stylesheet: str | None = None) -> str:
    """The page. With `stylesheet`, a link to that file beside it too, for hosts that forbid styles inside a page."""
    page = Page(report, verdict_word(report), verdict_tone(report), headline(report), remarks(report), numbers(report))
    return small_page("errors.html.j2", page, title(report), stylesheet)


def small_page(template: str, page: Page, title: str, stylesheet: str | None) -> str:
    """The page with as many entries in its lists as fit into MAX_BYTES; each list says how many are left out."""
    while True:
        values = {"report": page.report, "page": page, "title": title}
        text = page_of(template, values, stylesheet=stylesheet, tool_version=page.report.tool_version)
        if len(text.encode()) <= MAX_BYTES or page.is_smallest:
            return text
        page = page.smaller()
