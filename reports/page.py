"""Pages of the templates of this package. An edge: it reads them from the package, and loads nothing that draws.

Autoescape is on and nothing switches it off; the only markup that passes unescaped is the SVG of `reports.svg`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from reports.limit import sizing_words
from reports.words import rate_number, sentence_case, users_words
from scoring.text import harmless
from scoring.units import show_count, show_ms, show_seconds


def page_of(template: str, values: Mapping[str, Any], *, stylesheet: str | None, tool_version: str) -> str:
    """A page of the named template, with the head that all pages share; `values` holds harmless texts only."""
    return _template(template).render(**values, stylesheet=stylesheet, tool_version=tool_version)


def sheet_of(template: str) -> str:
    """A style sheet that stands inside pages, with those that it includes, for a file beside them."""
    return _template(template).render()


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
