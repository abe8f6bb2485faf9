"""The limit report as one HTML page, complete in itself. An edge: it reads its style from the package."""

from __future__ import annotations

from importlib import resources
from typing import Any

from reports.beyond import PHASE_COLUMNS, beyond_remarks, beyond_title, growth_words, phase_rows, wall_words
from reports.causes import MOST, causes_title, sure_words
from reports.certificate import certificate, fairness
from reports.clean import harmless_copy
from reports.codes import codes_table
from reports.limit import (
    LimitReport,
    headline,
    judged,
    kind_word,
    latency_table,
    level_marks,
    limits_table,
    remarks,
    title,
    verdict_tone,
    verdict_word,
)
from reports.numbers import three_numbers
from reports.page import page_of
from reports.plots import plots
from reports.scaling_plot import scaling_plots
from reports.words import instant_words


def limit_html(report: LimitReport, *, stylesheet: str | None = None) -> str:
    """The page. With `stylesheet`, a link to that file beside it too, for hosts that forbid styles inside a page."""
    clean = harmless_copy(report)
    return page_of("limit.html.j2", _values(clean), stylesheet=stylesheet, tool_version=clean.run_facts.tool_version)


def report_css() -> str:
    """The style sheet that stands inside the page, for a file beside it."""
    return (resources.files("reports") / "templates" / "report.css").read_text(encoding="utf-8")


def _values(report: LimitReport) -> dict[str, Any]:
    return {
        "report": report,
        "verdict": report.verdict,
        "unit": report.verdict.unit,
        "judged": judged,
        "facts": report.run_facts,
        "endpoint": report.endpoint,
        "advice": report.recommended,
        "title": title(report),
        "started": instant_words(report.run_facts.started_at),
        "word": verdict_word(report),
        "kind": kind_word(report),
        "tone": verdict_tone(report),
        "headline": headline(report),
        "remarks": remarks(report),
        "numbers": three_numbers(report),
        "fairness": fairness(report),
        "limits": limits_table(report),
        "plots": (*plots(report), *scaling_plots(report.scaling)),
        "wall": wall_words(report),
        "growth": growth_words(report),
        **_beyond(report),
        "codes": codes_table(report),
        "causes": report.causes[:MOST],
        "causes_title": causes_title(report.causes),
        "sure": sure_words,
        "levels": [(level, level_marks(report.verdict, level.users)) for level in report.verdict.levels],
        "latency": latency_table(report),
        "certificate": certificate(report),
    }


def _beyond(report: LimitReport) -> dict[str, Any]:
    beyond = report.verdict.beyond
    if beyond is None:
        return {"beyond_title": None}
    return {
        "beyond_title": beyond_title(beyond),
        "phase_columns": PHASE_COLUMNS,
        "phases": phase_rows(beyond),
        "beyond_remarks": beyond_remarks(beyond),
    }
