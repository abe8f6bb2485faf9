"""The limit report as one HTML page, complete in itself. An edge: it reads its template and style from the package.

Autoescape is on and nothing switches it off; the only markup that passes unescaped is the SVG of `reports.svg`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from reports.causes import MOST, sure_words
from reports.certificate import certificate, fairness
from reports.clean import harmless_copy
from reports.codes import codes_table
from reports.limit import (
    LimitReport,
    headline,
    kind_word,
    latency_table,
    level_marks,
    limits_table,
    remarks,
    sizing_words,
    title,
    verdict_tone,
    verdict_word,
)
from reports.numbers import three_numbers
from reports.plots import plots
from reports.words import instant_words, rate_number, sentence_case, users_words
from scoring.text import harmless
from scoring.units import show_count, show_ms, show_seconds


def limit_html(report: LimitReport, *, stylesheet: str | None = None) -> str:
    """The page. With `stylesheet`, a link to that file beside it too, for hosts that forbid styles inside a page."""
    clean = harmless_copy(report)
    return page_of("limit.html.j2", _values(clean), stylesheet=stylesheet, tool_version=clean.run_facts.tool_version)


def report_css() -> str:
    """The style sheet that stands inside the page, for a file beside it."""
    return (resources.files("reports") / "templates" / "report.css").read_text(encoding="utf-8")


def page_of(template: str, values: Mapping[str, Any], *, stylesheet: str | None, tool_version: str) -> str:
    """A page of the named template, with the head that all pages share; `values` holds harmless texts only."""
    return _template(template).render(**values, stylesheet=stylesheet, tool_version=tool_version)


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": show_count,
        "ms": show_ms,
        "rate": rate_number,
        "seconds": show_seconds,
        "users": users_words,
        "sentence": sentence_case,
        "sizing": sizing_words,
        "cut": _cut,
        "unfolded": _unfolded,
        "unbroken": lambda text: text.replace(" %", "\u00a0%").replace(" ms", "\u00a0ms"),
        "count_or_dash": lambda count: "–" if count is None else show_count(count),
    }
    return environment.get_template(name)


def _unfolded(text: str) -> str:
    """The text with its line breaks again, which cleaning shows as `\\n`; for places that keep white space."""
    return text.replace("\\n", "\n")


def _cut(text: str, max_chars: int) -> str:
    """The text, or its beginning and how much was left out."""
    return harmless(text, max_chars=max_chars)


def _values(report: LimitReport) -> dict[str, Any]:
    return {
        "report": report,
        "verdict": report.verdict,
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
        "plots": plots(report),
        "codes": codes_table(report),
        "causes": report.causes[:MOST],
        "sure": sure_words,
        "levels": [(level, level_marks(report.verdict, level.users)) for level in report.verdict.levels],
        "latency": latency_table(report),
        "certificate": certificate(report),
    }
